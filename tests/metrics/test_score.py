"""The inception-style score on answers whose score is known."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from minigan.metrics import inception_score


def answers(n, k, concentration, seed=0):
    return np.random.default_rng(seed).dirichlet(np.full(k, concentration), size=n)


def test_known_cases():
    sure = np.eye(10)
    assert inception_score(sure) == pytest.approx(10, rel=1e-14)  # each class once
    assert inception_score(sure[[0, 0, 0]]) == 1  # one class only
    assert inception_score(sure[:9]) == pytest.approx(9, rel=1e-14)  # one class dropped
    assert inception_score(np.full((50, 10), 0.1)) == pytest.approx(1)  # sure of nothing
    assert inception_score(np.repeat(sure, 7, axis=0)) == pytest.approx(10)  # copies: unseen


@given(st.integers(0, 2**32 - 1), st.integers(2, 12), st.floats(0.05, 5))
def test_is_the_difference_of_two_entropies(seed, k, concentration):
    p = answers(20, k, concentration, seed)
    between = stats.entropy(p.mean(axis=0)) - stats.entropy(p, axis=1).mean()
    assert inception_score(p) == pytest.approx(math.exp(between), rel=1e-10)
    assert 1 <= inception_score(p) <= k


def test_by_hand():
    p = np.array([[0.9, 0.1], [0.3, 0.7]])  # the mean answer is (0.6, 0.4)
    first = 0.9 * math.log(0.9 / 0.6) + 0.1 * math.log(0.1 / 0.4)
    second = 0.3 * math.log(0.3 / 0.6) + 0.7 * math.log(0.7 / 0.4)
    assert inception_score(p) == pytest.approx(math.exp((first + second) / 2), rel=1e-14)


@pytest.mark.parametrize("n", [100, 1000])
def test_the_bias_of_small_samples_is_as_stated(n):
    rng = np.random.default_rng(0)
    scores = [inception_score(np.eye(10)[rng.integers(10, size=n)]) for _ in range(400)]
    stated = 10 * (1 - 9 / (2 * n))
    assert np.mean(scores) == pytest.approx(stated, abs=4 * np.std(scores) / 20 + 10 * (9 / n) ** 2)
    assert np.mean(scores) < 10 - 0.8 * (10 - stated)


def test_answers_in_float32():
    p = answers(1000, 10, 0.1)
    assert inception_score(p.astype(np.float32)) == pytest.approx(inception_score(p), rel=1e-6)
    assert inception_score(1.0009 * p) == pytest.approx(inception_score(p), rel=1e-12)


@pytest.mark.parametrize(
    "p, error, message",
    [
        ([[1.0]], TypeError, "probabilities: expected a NumPy array"),
        (np.array([[0.5, 0.6]]), ValueError, "sum to 1"),
        (np.array([[1.5, -0.5]]), ValueError, "at least 0"),
        (np.array([0.5, 0.5]), ValueError, r"shape \(n, d\)"),
        (np.array([[np.nan, 1.0]]), ValueError, "NaN"),
    ],
)
def test_refuses(p, error, message):
    with pytest.raises(error, match=message):
        inception_score(p)
