"""Measures of how good a generator is. Host code: NumPy arrays in, plain numbers out."""

from minigan.metrics.classifier import Classifier, mnist_classifier
from minigan.metrics.divergences import (
    Divergences,
    Grid,
    divergences,
    divergences_from_log_ratios,
    estimate_divergences,
)
from minigan.metrics.frechet import frechet_distance, gaussian_frechet_distance
from minigan.metrics.mmd import MMDTest, median_distance, mmd_test
from minigan.metrics.modes import ModeCoverage, mode_coverage
from minigan.metrics.parzen import BANDWIDTHS, ParzenScore, parzen_score
from minigan.metrics.precision_recall import PrecisionRecall, precision_recall
from minigan.metrics.score import inception_score
from minigan.metrics.wasserstein import (
    sliced_wasserstein,
    wasserstein_1d,
    wasserstein_assignment,
)

__all__ = [
    "BANDWIDTHS",
    "Classifier",
    "Divergences",
    "Grid",
    "MMDTest",
    "ModeCoverage",
    "ParzenScore",
    "PrecisionRecall",
    "divergences",
    "divergences_from_log_ratios",
    "estimate_divergences",
    "frechet_distance",
    "gaussian_frechet_distance",
    "inception_score",
    "median_distance",
    "mmd_test",
    "mnist_classifier",
    "mode_coverage",
    "parzen_score",
    "precision_recall",
    "sliced_wasserstein",
    "wasserstein_1d",
    "wasserstein_assignment",
]
