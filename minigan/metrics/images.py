"""What a classifier sees in generated images: all scores of one set of images at once.

    classifier = mnist_classifier()
    _, real_features = classifier(load_mnist("train")[0])
    print(image_scores(samples, real_features, classifier))

What the scores mean and hide is told in `score`, `frechet` and `precision_recall`. A figure alone
says little. Put beside it that of real test images, which no generator can be expected to beat:
the upper limit of the score, and the lower limit of the distance. Measured on 10,000 images against
the 60,000 training images, with the package's classifier (digest bafdaabd); the training images are
none of those around which the balls of precision and recall lie:

                               score  Fréchet  precision  recall  density  coverage
    test images                 9.82     0.17      0.827   0.833    0.927     0.808
    training images             9.92     0.07      0.828   0.868    0.895     0.819
    the same, each blurred      9.82     2.34      0.994   0.175    3.068     0.911

The lower limit is not zero: two samples differ, and the classifier knows the training images
better than the test images. Blurred images, the means of 10 neighbours, show what each figure
measures: the score hardly changes, precision and density even rise, the distance and the recall
show that something is missing.
"""

from dataclasses import dataclass

from minigan.metrics.frechet import frechet_distance
from minigan.metrics.precision_recall import precision_recall
from minigan.metrics.score import inception_score
from minigan.tables import Figures

__all__ = ["ImageScores", "image_scores"]


@dataclass(frozen=True)
class ImageScores(Figures):
    """`inception_score`, `frechet_distance` and `precision_recall` of one set of images."""

    score: float
    frechet: float
    precision: float
    recall: float
    density: float
    coverage: float


def image_scores(images, real_features, classifier, k=3):
    """Compare images (n, 28, 28, 1) in [−1, 1] with real ones, given by their features (m, d).

    The Fréchet distance is to all real features. Precision and recall are with the first n of
    them, so that there are equally many balls: the real images should be in random order. k: see
    `precision_recall`.
    """
    probabilities, features = classifier(images)
    shares = precision_recall(real_features[: len(images)], features, k)
    return ImageScores(
        score=inception_score(probabilities),
        frechet=frechet_distance(features, real_features),
        **vars(shares),
    )
