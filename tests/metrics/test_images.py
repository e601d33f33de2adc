"""All scores of a set of images: each is the metric of that name, on the right arguments."""

import numpy as np
import pytest

from minigan.metrics import (
    frechet_distance,
    image_scores,
    inception_score,
    precision_recall,
)


def classifier(images):
    """Answers and features without a network: the first pixels."""
    features = images.reshape(len(images), -1)[:, :3].astype(np.float64)
    answers = np.exp(features)
    return answers / answers.sum(axis=1, keepdims=True), features


def test_every_score_is_the_metric_of_its_name():
    rng = np.random.default_rng(0)
    images = rng.uniform(-1, 1, (30, 28, 28, 1)) ** 3
    real = rng.uniform(-1, 1, (80, 3))
    answers, features = classifier(images)
    found = image_scores(images, real, classifier, k=2)
    assert found.score == inception_score(answers)
    assert found.frechet == frechet_distance(features, real)  # to all of them
    shares = precision_recall(real[:30], features, 2)  # to equally many
    assert (found.precision, found.recall) == (shares.precision, shares.recall)
    assert (found.density, found.coverage) == (shares.density, shares.coverage)
    assert found.precision != found.recall and found.density != found.coverage
    assert image_scores(images, real, classifier).density == pytest.approx(
        precision_recall(real[:30], features, 3).density
    )
