"""MMD², its gradient and its witness have the digits of the samples, at any place and scale.

A kernel that is narrow beside the extent of the samples is what shows them: distances far below the
extent then decide everything, and the pairs of a sample with itself are nearly all there is.
"""

import numpy as np
import pytest

from minigan import get_backend, mmd_squared, witness
from minigan.distances import FEW

BACKEND = get_backend("numpy")
both = pytest.mark.parametrize("unbiased", [False, True], ids=["biased", "unbiased"])
dtypes = pytest.mark.parametrize("dtype", ["float32", "float64"])


def kernel(a, b, s):
    """k and (b − a) k', (n, m) and (n, m, d), of numbers with as many digits as there are."""
    a, b = a.astype(np.longdouble), b.astype(np.longdouble)
    away = b - a[:, None]
    k = np.exp(-(away**2).sum(axis=2) / (2 * np.longdouble(s) ** 2))
    return k, away * (k / np.longdouble(s) ** 2)[:, :, None]


def exactly(x, y, s, unbiased):
    """MMD² and its gradient with respect to y."""
    (xx, _), (yy, pull_yy), (yx, pull_yx) = kernel(x, x, s), kernel(y, y, s), kernel(y, x, s)
    n, m, off = len(x), len(y), int(unbiased)
    if unbiased:
        np.fill_diagonal(xx, 0)
        np.fill_diagonal(yy, 0)
    pairs = m * (m - off)
    value = xx.sum() / (n * (n - off)) + yy.sum() / pairs - 2 * yx.sum() / (n * m)
    return value, 2 * (pull_yy.sum(axis=1) / pairs - pull_yx.sum(axis=1) / (n * m))


def clustered(features, scale, offset, dtype, narrow=1e-3):
    """x and y in tight groups: the distance within a group is about narrow · scale."""
    rng = np.random.default_rng(0)
    centres = rng.uniform(-1, 1, (12, features))

    def sample(n):
        points = centres[rng.integers(12, size=n)] + narrow * rng.normal(size=(n, features))
        return (scale * (points + offset)).astype(dtype)

    return sample(40), sample(30), 1.5 * narrow * scale * features**0.5


@both
@dtypes
@pytest.mark.parametrize("features", [1, 2, FEW])
@pytest.mark.parametrize("scale, offset", [(1, 0), (1e-3, 0), (1e3, 0), (1, 8), (1e3, -8)])
def test_narrow_kernels(features, scale, offset, dtype, unbiased):
    x, y, s = clustered(features, scale, offset, dtype)
    value, gradient = mmd_squared(x, y, [s], backend=BACKEND, unbiased=unbiased)
    exact, of_exact = exactly(x, y, s, unbiased)
    eps = np.finfo(dtype).eps
    assert abs(value - exact) <= 20 * eps * kernel(y, x, s)[0].mean()
    largest = float(abs(of_exact).max())
    np.testing.assert_allclose(gradient, of_exact.astype(float), atol=40 * eps * largest)


@both
@dtypes
@pytest.mark.parametrize("features", [1, 2, FEW, FEW + 1, 100])
def test_a_sample_and_itself(features, dtype, unbiased):
    """No two points near each other: the biased MMD² is 1/n + 1/m, the other one 0; no gradient."""
    rng = np.random.default_rng(1)
    grid = np.arange(-35.0, 35.0)[:, None] + 0.2 * rng.random((70, features))
    x, y = np.split(rng.permutation(grid).astype(dtype), [40])
    value, gradient = mmd_squared(x, y, [0.03], backend=BACKEND, unbiased=unbiased)
    assert value == pytest.approx(0 if unbiased else 1 / 40 + 1 / 30, rel=1e-6, abs=1e-20)
    assert abs(gradient).max() < 1e-20


@dtypes
@pytest.mark.parametrize("offset", [0, 100, -3000])
def test_witness(dtype, offset):
    x, y, s = clustered(2, 1, offset, dtype)
    s = max(s, 3 * abs(offset) * float(np.finfo(dtype).eps))
    found = witness(np.concatenate([x, y]), x, y, [s, 3 * s], backend=BACKEND)[:, 0]
    points = np.concatenate([x, y])
    exact = sum(
        kernel(points, x, w)[0].mean(axis=1) - kernel(points, y, w)[0].mean(axis=1)
        for w in (s, 3 * s)
    )
    np.testing.assert_allclose(found, exact.astype(float), rtol=0, atol=20 * np.finfo(dtype).eps)


@dtypes
@pytest.mark.parametrize("features", [2, 2 * FEW])
def test_two_orders_of_one_sample(features, dtype):
    """Biased, and so 0, to the last digits of k if features are few; if many, of the extent."""
    x, _, s = clustered(features, 1, 0, dtype)
    value, gradient = mmd_squared(x, x[::-1].copy(), [s, 1.0], backend=BACKEND)
    extent = ((x - x.mean(axis=0)) ** 2).sum(axis=1).max()
    allowed = 4 * np.finfo(dtype).eps * (1 if features <= FEW else extent / s**2)
    assert abs(value) <= allowed
    assert abs(gradient).max() <= allowed / s
