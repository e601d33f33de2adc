"""Measures of how good a generator is: NumPy arrays on the host in, plain numbers out.

No figure says it all, and each can be fooled; its module says how. Choose by what is known:

    the modes of the data     modes.py             how many are reached, how well, how evenly
    both densities            divergences.py       KL, reverse KL, Jensen-Shannon, as in the theory
    samples only              wasserstein.py       how far mass has to be moved
                              mmd.py               could both come from one distribution?
                              precision_recall.py  good samples, or all kinds of samples?
                              parzen.py            how the first GANs were scored, and why no more
    a classifier of images    classifier.py        of digits, trained by minigan
                              score.py             are the images clear, and do they differ?
                              frechet.py           the distance between two clouds of features
                              images.py            all scores of images at once
"""

from minigan.metrics.classifier import Classifier, mnist_classifier
from minigan.metrics.divergences import (
    Divergences,
    Grid,
    divergences,
    divergences_from_log_ratios,
    estimate_divergences,
)
from minigan.metrics.frechet import frechet_distance, gaussian_frechet_distance
from minigan.metrics.images import ImageScores, image_scores
from minigan.metrics.mmd import MMDTest, median_distance, mmd_test
from minigan.metrics.modes import ModeCoverage, mode_coverage
from minigan.metrics.parzen import BANDWIDTHS, ParzenScore, parzen_score
from minigan.metrics.precision_recall import PrecisionRecall, precision_recall
from minigan.metrics.score import inception_score
from minigan.metrics.wasserstein import sliced_wasserstein, wasserstein_1d, wasserstein_assignment

__all__ = [
    "BANDWIDTHS",
    "Classifier",
    "Divergences",
    "Grid",
    "ImageScores",
    "MMDTest",
    "ModeCoverage",
    "ParzenScore",
    "PrecisionRecall",
    "divergences",
    "divergences_from_log_ratios",
    "estimate_divergences",
    "frechet_distance",
    "gaussian_frechet_distance",
    "image_scores",
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
