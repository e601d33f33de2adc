"""Measures of how good a generator is. Host code: NumPy arrays in, plain numbers out."""

from minigan.metrics.modes import ModeCoverage, mode_coverage
from minigan.metrics.wasserstein import (
    sliced_wasserstein,
    wasserstein_1d,
    wasserstein_assignment,
)

__all__ = [
    "ModeCoverage",
    "mode_coverage",
    "sliced_wasserstein",
    "wasserstein_1d",
    "wasserstein_assignment",
]
