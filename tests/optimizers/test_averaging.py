"""The running average of weights against the weighted sum that it stands for."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minigan import BatchNorm, Dense, Sequential, WeightAverage, train


def network(inputs=2, outputs=3):
    layers = [Dense(inputs, outputs), BatchNorm(outputs)]
    return Sequential(layers, (inputs,), rng=0, dtype="float64")


def change(net, rng):
    net.parameters[...] = rng.normal(size=net.parameters.shape)
    net.buffers[...] = rng.normal(size=net.buffers.shape)
    return np.concatenate([net.parameters, net.buffers])


@given(st.floats(0, 0.9999), st.integers(1, 12), st.integers(0, 99))
def test_it_is_the_weighted_mean_of_the_networks_seen(decay, updates, seed):
    """w̄ = Σ dᵗ⁻ⁱ wᵢ / Σ dᵗ⁻ⁱ over the updates i = 1 … t, and the start plays no part."""
    net, rng = network(), np.random.default_rng(seed)
    average, seen = WeightAverage(net, decay), []
    for _ in range(updates):
        seen.append(change(net, rng))
        average.update()
    weights = decay ** np.arange(updates)[::-1]
    expected = weights @ np.array(seen) / weights.sum()
    found = np.concatenate([average.network.parameters, average.network.buffers])
    np.testing.assert_allclose(found, expected, atol=1e-9)
    np.testing.assert_array_equal(np.concatenate([net.parameters, net.buffers]), seen[-1])
    assert average.updates == updates


def test_a_constant_stays_exactly_itself():
    net = network()
    average = WeightAverage(net, 0.9)
    for _ in range(20):
        average.update()
    np.testing.assert_allclose(average.network.parameters, net.parameters, rtol=1e-14)


def test_vectors_longer_than_a_block():
    net, rng = network(300, 500), np.random.default_rng(0)
    average = WeightAverage(net, 0.75)
    first = change(net, rng)
    average.update()
    second = change(net, rng)
    average.update()
    expected = (0.75 * first + second) / 1.75
    found = np.concatenate([average.network.parameters, average.network.buffers])
    assert found.size > 2 * 65536
    np.testing.assert_allclose(found, expected, atol=1e-14)


@pytest.mark.parametrize("decay", [0.0, 0.9])
def test_samples_come_from_the_average(dense_gan, decay):
    gan, plain = dense_gan(average_decay=decay), dense_gan()
    data = np.random.default_rng(0).normal(size=(5, 8, 2))
    for game in (gan, plain):
        list(train(game, iter(data), 5))
    np.testing.assert_array_equal(gan.generator.parameters, plain.generator.parameters)
    assert gan.average.updates == 5
    z = np.random.default_rng(1).normal(size=(7, 3))
    np.testing.assert_array_equal(gan.generate(z), gan.average.network(z))
    if decay == 0:
        np.testing.assert_allclose(gan.generate(z), plain.generate(z), atol=1e-12)
    else:
        assert not np.allclose(gan.generate(z), plain.generate(z), atol=1e-6)
