"""Philox: the published known answers, and numbers that are distributed as they should be."""

import numpy as np
import pytest
from scipy import stats

from minigan import GAN, Adam, Dense, PhiloxLatent, Sequential
from minigan.backend import get_backend
from minigan.backend.philox import philox, split_key

BACKEND = get_backend("numpy")
DRAWS = {"uniform": BACKEND.random_uniform, "normal": BACKEND.random_normal}

# Random123's kat_vectors for philox4x32-10: counter, key, result
KNOWN = [
    ("00000000 00000000 00000000 00000000", "00000000 00000000",
     "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff",
     "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0",
     "d16cfe09 94fdcceb 5001e420 24126ea1"),
]  # fmt: skip


def words(text):
    return np.array([int(word, 16) for word in text.split()], np.uint32)


@pytest.mark.parametrize(("counter", "key", "result"), KNOWN)
def test_known_answers(counter, key, result):
    found = philox(np.stack([words(counter)] * 3, axis=1), *words(key))
    assert found.dtype == np.uint32
    np.testing.assert_array_equal(found, np.stack([words(result)] * 3, axis=1))


def test_the_words_of_a_stream_are_those_of_its_counters():
    """float32 numbers are words 0, 1, 2, 3 of counter 0, then of counter 1, …"""
    key = 0x299F31D0A4093822
    counters = np.zeros((4, 3), np.uint32)
    counters[0] = range(3)
    expected = philox(counters, *split_key(key)).T.reshape(-1)[:11]
    found = BACKEND.random_uniform((11,), "float32", key)
    np.testing.assert_array_equal((found.astype(float) * 2**24).astype(np.uint32), expected >> 8)
    found = BACKEND.random_uniform((5,), "float64", key)
    high, low = expected[:10:2] >> 5, expected[1:10:2] >> 6
    np.testing.assert_array_equal(found * 2**53, high * 2.0**26 + low)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", DRAWS)
def test_a_longer_stream_begins_with_the_shorter_one(name, dtype):
    draw = DRAWS[name]
    whole = draw((7, 9), dtype, 5)
    assert whole.shape == (7, 9) and whole.dtype == np.dtype(dtype)
    for shape in ((), (1,), (2,), (5,), (3, 4)):
        part = draw(shape, dtype, 5)
        assert part.shape == shape
        np.testing.assert_array_equal(part.reshape(-1), whole.reshape(-1)[: part.size])
    assert draw((0, 3), dtype, 5).shape == (0, 3)
    assert (draw((7, 9), dtype, 6) != whole).mean() > 0.9
    assert (draw((7, 9), dtype, 5 + (1 << 32)) != whole).mean() > 0.9


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_numbers_follow_their_distributions(dtype):
    u = BACKEND.random_uniform((100_000,), dtype, 3)
    z = BACKEND.random_normal((100_000,), dtype, 4)
    assert 0 <= u.min() < 1e-4 and 1 - 1e-4 < u.max() < 1
    assert stats.kstest(u.astype(float), "uniform").pvalue > 0.01
    assert stats.kstest(z.astype(float), "norm").pvalue > 0.01
    for x in (u - 0.5, z):  # neighbours, as they come from the same counter, are not correlated
        for lag in (1, 2, 3, 4):
            assert abs(np.corrcoef(x[lag:], x[:-lag])[0, 1]) < 4 / 100_000**0.5


def test_normal_numbers_are_box_and_mullers_of_the_uniform_ones():
    """With NumPy's own log, sin and cos: the written-out series are those functions."""
    pairs = BACKEND.random_uniform((50_000, 2), "float64", 8)
    radius, angle = np.sqrt(-2 * np.log1p(-pairs[:, 0])), 2 * np.pi * pairs[:, 1]
    expected = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
    found = BACKEND.random_normal((50_000, 2), "float64", 8)
    np.testing.assert_allclose(found, expected, rtol=1e-14, atol=4e-15)
    np.testing.assert_allclose(np.hypot(*found.T), radius, rtol=2e-15)


@pytest.mark.parametrize("key", [-1, 1 << 64])
def test_keys_out_of_range(key):
    with pytest.raises(ValueError, match="key: expected"):
        BACKEND.random_normal((2,), "float32", key)


def test_latent_noise_follows_from_the_generator_alone():
    latent = PhiloxLatent(3)
    first, again = (latent.sample(5, np.random.default_rng(1)) for _ in range(2))
    assert first.shape == (5, 3) and first.dtype == np.float32
    np.testing.assert_array_equal(first, again)
    rng = np.random.default_rng(1)
    np.testing.assert_array_equal(latent.sample(5, rng), first)
    assert (latent.sample(5, rng) != first).all()
    assert PhiloxLatent(3, dtype="float64").sample(5, 1).dtype == np.float64


def test_a_game_plays_with_it():
    G, D = Sequential([Dense(3, 2)], (3,), rng=0), Sequential([Dense(2, 1)], (2,), rng=1)
    optimizers = {"generator_optimizer": Adam(G), "discriminator_optimizer": Adam(D)}
    gan = GAN(G, D, "minimax", latent=PhiloxLatent(3), rng=2, **optimizers)
    gan.step(iter([np.ones((4, 2))]))
    assert gan.sample(6, rng=3).shape == (6, 2)
