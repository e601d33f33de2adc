"""`Upsample`, `AvgPool2d`, `GlobalSumPool`: their values, and that each backward pass is Aᵀ."""

import numpy as np
import pytest

from minigan import AvgPool2d, GlobalSumPool, Sequential, Upsample

X = np.arange(24.0).reshape(1, 2, 4, 3)


def build(layer, shape, backend_name):
    return Sequential([layer], shape, rng=0, dtype="float64", backend=backend_name)


def test_upsample_copies(backend_name):
    y = build(Upsample(3), (2, 4, 3), backend_name)(X)
    np.testing.assert_array_equal(y, np.kron(X[0].transpose(2, 0, 1), np.ones((3, 3)))
                                  .transpose(1, 2, 0)[None])  # fmt: skip


def test_averages_and_sums(backend_name):
    y = build(AvgPool2d(2), (2, 4, 3), backend_name)(X)
    np.testing.assert_allclose(y[0, 0], [X[0, :, :2].mean((0, 1)), X[0, :, 2:].mean((0, 1))])
    np.testing.assert_allclose(build(GlobalSumPool(), (2, 4, 3), backend_name)(X), X.sum((1, 2)))


def test_an_average_undoes_copies(backend_name):
    network = Sequential([Upsample(2), AvgPool2d(2)], (2, 4, 3), rng=0, dtype="float64",
                         backend=backend_name)  # fmt: skip
    np.testing.assert_allclose(network(X), X)


@pytest.mark.parametrize("layer", [Upsample(2), AvgPool2d(2), GlobalSumPool()], ids=repr)
def test_the_backward_pass_is_the_transpose(layer, backend_name):
    """⟨A x, dy⟩ = ⟨x, Aᵀ dy⟩."""
    network = build(layer.unbound(), (2, 4, 3), backend_name)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(3, 2, 4, 3))
    y, caches = network.forward(x)
    dy = rng.normal(size=y.shape)
    assert np.isclose((y * dy).sum(), (x * network.backward(dy, caches)).sum(), rtol=1e-12)


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match=r"multiples of 2, got \(3, 4, 1\)"):
        Sequential([AvgPool2d(2)], (3, 4, 1), rng=0)
    for layer in (Upsample(2), AvgPool2d(2), GlobalSumPool()):
        with pytest.raises(ValueError, match=r"layer 0 .*expected input \(H, W, C\), got \(4,\)"):
            Sequential([layer], (4,), rng=0)
    for wrong in (0, 1.5):
        with pytest.raises((TypeError, ValueError), match="factor"):
            Upsample(wrong)
