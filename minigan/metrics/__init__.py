"""Measures of how good a generator is. Host code: NumPy arrays in, plain numbers out."""

from minigan.metrics.modes import ModeCoverage, mode_coverage

__all__ = ["ModeCoverage", "mode_coverage"]
