"""What a classifier sees in generated images: all scores of one set of images at once.

    classifier = mnist_classifier()
    _, real_features = classifier(load_mnist("train")[0])
    print(image_scores(samples, real_features, classifier))

What the scores mean and hide is told in `score`, `frechet` and `precision_recall`. A figure alone
says little. Put beside it that of real test images, which no generator can be expected to beat:
the upper limit of the score, and the lower limit of the distance. Measured on 10,000 images against
the 60,000 training images, with a classifier of the recipe of the package's (digest b1a3ecb1):

                               score  Fréchet  precision  recall  density  coverage
    test images                 9.82     0.18      0.837   0.832    0.937     0.811
    training images             9.92     0.06      0.868   0.893    0.982     0.894
    the same, each blurred      9.80     2.38      0.995   0.205    3.153     0.937

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
