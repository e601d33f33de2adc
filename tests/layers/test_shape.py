"""Reshape and Flatten keep every number in its place; Dropout removes the right share of them."""

import numpy as np
import pytest
from scipy.stats import binomtest

from minigan import Dropout, Flatten, Reshape, Sequential


def bound(layer, shape, seed=0, **options):
    return Sequential([layer], shape, rng=seed, **{"dtype": "float64", **options})


@pytest.mark.parametrize("layer, output", [(Reshape(3, 2, 2), (3, 2, 2)), (Flatten(), (12,))])
def test_reshaping_is_numpys_there_and_back(layer, output):
    network = bound(layer, (2, 2, 3))
    x = np.arange(60.0).reshape(5, 2, 2, 3)
    y, caches = network.forward(x)
    assert network.output_shape == output
    np.testing.assert_array_equal(y, x.reshape(5, *output))
    np.testing.assert_array_equal(network.backward(y, caches), x)


def test_flatten_of_a_vector_and_of_single_numbers():
    assert bound(Flatten(), (4,)).output_shape == (4,)
    assert bound(Flatten(), ()).output_shape == (1,)


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_dropout_removes_the_share_and_keeps_the_expectation(rate):
    network = bound(Dropout(rate), (200,))
    y, _ = network.forward(np.ones((100, 200)))
    kept = y != 0
    np.testing.assert_allclose(y[kept], 1 / (1 - rate))
    assert binomtest(int((~kept).sum()), y.size, rate).pvalue > 1e-3
    assert 0 < abs(kept.mean(0) - (1 - rate)).max() and 0 < abs(kept.mean(1) - (1 - rate)).max()


def test_dropouts_backward_uses_the_forward_mask():
    network = bound(Dropout(0.5), (50,))
    x = np.ones((4, 50))
    passes = [network.forward(x) for _ in range(3)]
    assert not np.array_equal(passes[0][0], passes[1][0])
    for y, caches in reversed(passes):
        np.testing.assert_array_equal(network.backward(x, caches), y)


def test_dropout_does_nothing_in_evaluation():
    network = bound(Dropout(0.5), (50,))
    x = np.random.default_rng(0).normal(size=(4, 50))
    y, caches = network.forward(x, train=False)
    np.testing.assert_array_equal(y, x)
    np.testing.assert_array_equal(network.backward(x, caches), x)


def test_dropouts_masks_follow_the_seed_and_not_the_dtype():
    masks = [
        bound(Dropout(0.5), (50,), seed, dtype=dtype).forward(np.ones((4, 50), dtype))[0] > 0
        for seed, dtype in ((0, "float64"), (0, "float32"), (1, "float64"))
    ]
    assert np.array_equal(masks[0], masks[1]) and not np.array_equal(masks[0], masks[2])


def test_a_layers_masks_do_not_depend_on_the_other_layers():
    x, masks = np.ones((4, 50)), []
    for layers in ([Dropout(0.5)], [Dropout(0.5), Dropout(0)]):
        network = Sequential(layers, (50,), rng=0, dtype="float64")
        masks.append([network.forward(x)[0] for _ in range(3)])
    np.testing.assert_array_equal(*masks)


def test_two_dropouts_of_a_network_are_independent():
    network = Sequential([Dropout(0.5), Dropout(0.5)], (1000,), rng=0, dtype="float64")
    y, _ = network.forward(np.ones((10, 1000)))
    assert binomtest(int((y != 0).sum()), y.size, 0.25).pvalue > 1e-3


def test_repr():
    assert repr(Reshape(2, 3)) == "Reshape(2, 3)"
    assert repr(Flatten()) == "Flatten()" and repr(Dropout(0.25)) == "Dropout(0.25)"
