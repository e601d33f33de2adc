"""Noise: its shape and its bounds; `MixtureLatent`, normal noise in pieces."""

import numpy as np
import pytest

from minigan import MixtureLatent, NormalLatent, PhiloxLatent, UniformLatent


def test_normal_part_and_pieces():
    z = MixtureLatent(7, 4, scale=2.5).sample(20_000, np.random.default_rng(0))
    assert z.shape == (20_000, 7) and z.dtype == np.float64
    normal, pieces = z[:, :3], z[:, 3:]
    np.testing.assert_allclose(normal.mean(axis=0), 0, atol=0.03)
    np.testing.assert_allclose(np.cov(normal.T), np.eye(3), atol=0.04)
    assert set(np.unique(pieces)) == {0, 2.5}
    assert ((pieces > 0).sum(axis=1) == 1).all()  # exactly one
    np.testing.assert_allclose((pieces > 0).mean(axis=0), 1 / 4, atol=0.015)
    for k in range(4):  # the normal part knows nothing of the piece
        np.testing.assert_allclose(normal[pieces[:, k] > 0].mean(axis=0), 0, atol=0.05)


def test_several_choices():
    """Each with dimensions of its own, and none knows of the others."""
    latent = MixtureLatent(2 + 3 * 4, 4, choices=3)
    z = latent.sample(20_000, np.random.default_rng(0))
    assert latent.components == 12 and z.shape == (20_000, 14)
    chosen = z[:, 2:].reshape(-1, 3, 4)
    assert set(np.unique(chosen)) == {0, 3} and ((chosen > 0).sum(axis=2) == 1).all()
    pieces = chosen.argmax(axis=2) @ [16, 4, 1]
    np.testing.assert_allclose(np.bincount(pieces, minlength=64) / 20_000, 1 / 64, atol=0.004)
    assert repr(latent) == "MixtureLatent(14, 4, scale=3, choices=3)"
    with pytest.raises(ValueError, match="dimension: expected at least 13"):
        MixtureLatent(12, 4, choices=3)


def test_repr_and_defaults():
    latent = MixtureLatent(52)
    assert (latent.dimension, latent.components) == (52, 20)
    assert repr(latent) == "MixtureLatent(52, 20, scale=3)"


@pytest.mark.parametrize("scale", [1e-3, 0.5, 1, 100])
def test_pieces_at_any_distance(scale):
    z = MixtureLatent(5, 2, scale=scale).sample(50, np.random.default_rng(0))
    assert set(np.unique(z[:, 3:])) == {0, scale}


def test_the_smallest_mixture():
    """One number of noise, and a choice of one piece."""
    z = MixtureLatent(2, 1, scale=0.25).sample(4, np.random.default_rng(0))
    np.testing.assert_array_equal(z[:, 0], np.random.default_rng(0).standard_normal(4))
    np.testing.assert_array_equal(z[:, 1], 0.25)


@pytest.mark.parametrize("make", [NormalLatent, UniformLatent, PhiloxLatent])
@pytest.mark.parametrize("dimension", [1, 2])
def test_few_dimensions_and_few_vectors(make, dimension):
    latent = make(dimension)
    for n in (1, 2):
        assert latent.sample(n, np.random.default_rng(0)).shape == (n, dimension)
    for bad in (0, -1):
        with pytest.raises(ValueError, match="n: expected at least 1"):
            latent.sample(bad, np.random.default_rng(0))
        with pytest.raises(ValueError, match="dimension: expected at least 1"):
            make(bad)


@pytest.mark.parametrize(
    "arguments, options, named",
    [
        ((20, 20), {}, "dimension"),  # no room for the normal part
        ((5, 0), {}, "components"),
        ((5, 2), {"choices": 0}, "choices"),
        ((5, 2), {"scale": 0}, "scale"),
        ((5, 2), {"scale": float("nan")}, "scale"),
    ],
)
def test_bad_arguments(arguments, options, named):
    with pytest.raises(ValueError, match=named):
        MixtureLatent(*arguments, **options)
