"""Measures of how good a generator is. Host code: NumPy arrays in, plain numbers out."""

from minigan.metrics.classifier import Classifier, mnist_classifier
from minigan.metrics.frechet import frechet_distance, gaussian_frechet_distance
from minigan.metrics.modes import ModeCoverage, mode_coverage
from minigan.metrics.score import inception_score
from minigan.metrics.wasserstein import (
    sliced_wasserstein,
    wasserstein_1d,
    wasserstein_assignment,
)

__all__ = [
    "Classifier",
    "ModeCoverage",
    "frechet_distance",
    "gaussian_frechet_distance",
    "inception_score",
    "mnist_classifier",
    "mode_coverage",
    "sliced_wasserstein",
    "wasserstein_1d",
    "wasserstein_assignment",
]
