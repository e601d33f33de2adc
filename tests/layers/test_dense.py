"""Dense: values and gradients by hand."""

import numpy as np
import pytest

from minigan import Dense, Sequential


def test_a_small_example_on_paper():
    network = Sequential([Dense(2, 3)], (2,), rng=0, dtype="float64")
    network.named_parameters()["0.weight"][...] = [[1, 2, 3], [4, 5, 6]]
    network.named_parameters()["0.bias"][...] = [10, 20, 30]
    x, dy = np.array([[1.0, -1.0], [2.0, 0.0]]), np.array([[1.0, 0.0, 0.0], [0.0, 1.0, -1.0]])
    y, caches = network.forward(x)
    np.testing.assert_array_equal(y, [[7, 17, 27], [12, 24, 36]])
    np.testing.assert_array_equal(network.backpropagate(dy, caches), [[1, 4], [-1, -1]])
    gradients = network.named_gradients()
    np.testing.assert_array_equal(gradients["0.weight"], [[1, 2, -2], [-1, 0, 0]])
    np.testing.assert_array_equal(gradients["0.bias"], [1, 1, -1])


@pytest.mark.parametrize("sizes", [(5, 3), (1, 4), (4, 1), (1, 1)])
@pytest.mark.parametrize("n", [1, 7])
def test_formulas(sizes, n, randomized):
    """y = x W + b, dx = dy Wᵀ, dW = xᵀ dy, db = Σ dy, written with einsum."""
    network = randomized([Dense(*sizes)], sizes[:1])
    rng = np.random.default_rng(0)
    x, dy = rng.normal(size=(n, sizes[0])), rng.normal(size=(n, sizes[1]))
    w, b = network.named_parameters().values()
    y, caches = network.forward(x)
    dx = network.backpropagate(dy, caches)
    dw, db = network.named_gradients().values()
    np.testing.assert_allclose(y, np.einsum("ni,io->no", x, w) + b, atol=1e-14)
    np.testing.assert_allclose(dx, np.einsum("no,io->ni", dy, w), atol=1e-14)
    np.testing.assert_allclose(dw, np.einsum("ni,no->io", x, dy), atol=1e-13)
    np.testing.assert_allclose(db, np.einsum("no->o", dy), atol=1e-14)


def test_without_bias(randomized):
    network = randomized([Dense(3, 2, bias=False)], (3,))
    assert list(network.named_parameters()) == ["0.weight"]
    np.testing.assert_array_equal(network(np.zeros((4, 3))), np.zeros((4, 2)))


def test_initial_bias_is_zero():
    network = Sequential([Dense(3, 2)], (3,), rng=0)
    assert not network.named_parameters()["0.bias"].any()
    assert network.named_parameters()["0.weight"].all()


def test_repr():
    assert repr(Dense(2, 3)) == "Dense(2, 3)"
    assert repr(Dense(2, 3, bias=False)) == "Dense(2, 3, no bias)"
