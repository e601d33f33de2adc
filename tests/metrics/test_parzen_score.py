"""The Parzen score against SciPy; and why not to trust it, on a small model of images."""

import math
import tracemalloc

import numpy as np
import pytest
from scipy import stats
from scipy.spatial import cKDTree

from minigan.metrics import BANDWIDTHS, parzen_score


def normal(n, d, seed, scale=1.0):
    return scale * np.random.default_rng(seed).normal(size=(n, d))


def test_agrees_with_scipy():
    # The validation samples want a wider kernel than the test samples do.
    samples, validation, test = normal(40, 2, 0), normal(30, 2, 1, 1.3), normal(50, 2, 2, 0.6)
    found = parzen_score(samples, validation, test)

    def oracle(h, x):
        kernels = [stats.multivariate_normal(c, h**2).pdf(x) for c in samples]
        return np.log(np.mean(kernels, axis=0))

    best = max(BANDWIDTHS, key=lambda h: oracle(h, validation).mean())
    assert best != max(BANDWIDTHS, key=lambda h: oracle(h, test).mean())
    values = oracle(best, test)
    assert found.bandwidth == pytest.approx(best, rel=1e-14)
    assert found.log_likelihood == pytest.approx(values.mean(), rel=1e-10)
    assert found.standard_error == pytest.approx(stats.sem(values), rel=1e-10)


def test_the_protocols_bandwidths():
    np.testing.assert_allclose(BANDWIDTHS[[0, -1]], [0.1, 1])
    np.testing.assert_allclose(BANDWIDTHS[1:] / BANDWIDTHS[:-1], 10 ** (1 / 9))
    assert len(BANDWIDTHS) == 10


def test_a_unit_twice_as_large_costs_log_2_a_dimension():
    samples, validation, test = (normal(40, 3, seed, 0.5) for seed in range(3))
    one = parzen_score(samples, validation, test)
    two = parzen_score(2 * samples, 2 * validation, 2 * test, 2 * BANDWIDTHS)
    assert two.log_likelihood == pytest.approx(one.log_likelihood - 3 * math.log(2), rel=1e-12)


def test_blurred_images_beat_real_ones():
    """10 strokes for each image, at random; 200 pixels; as on MNIST, neighbours' means win."""
    rng = np.random.default_rng(0)
    strokes = rng.random((12, 200)) < 0.2

    def images(n):
        weights = rng.random((n, 12)) < 0.4
        wear = rng.random((n, 200)) < 0.7
        return np.clip(weights @ strokes, 0, 1) * wear + 0.0

    real, validation, test = images(1000), images(200), images(500)
    _, nearest = cKDTree(real).query(real, 10)
    blurred = real[nearest].mean(axis=1)
    honest, washed_out = (parzen_score(a, validation, test) for a in (real, blurred))
    error = math.hypot(honest.standard_error, washed_out.standard_error)
    assert washed_out.log_likelihood > honest.log_likelihood + 10 * error


def test_memory_grows_with_the_samples_only():
    """So 10,000 x 10,000 images fit in 1 GiB."""
    arrays = [normal(n, 50, n, 0.3) for n in (5000, 20, 4000)]
    tracemalloc.start()
    parzen_score(*arrays, bandwidths=[0.2, 0.3, 0.4])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    blocks, all_distances = 10 * 2**23, 8 * 5000 * 4000
    assert peak < 5 * arrays[0].nbytes + 2 * arrays[2].nbytes + blocks < all_distances


def test_refuses():
    x = normal(5, 2, 0)
    with pytest.warns(UserWarning, match=r"0\.1, is at the edge"):
        parzen_score(x, x, x)
    with pytest.raises(ValueError, match="at least 2 samples"):
        parzen_score(x, x, x[:1])
    with pytest.raises(ValueError, match=r"samples: expected shape \(n, 2\)"):
        parzen_score(x[:, :1], x, x)
    with pytest.raises(TypeError, match="test: expected a NumPy array"):
        parzen_score(x, x, [[0.0, 0.0]])
