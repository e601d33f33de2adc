"""Noise: its shape and its bounds; `MixtureLatent`, normal noise in pieces."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import trapezoid
from scipy.stats import norm

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


def test_pieces_that_are_not_equally_likely():
    """Three choices, each with shares of its own; then the same shares for all of them."""
    weights = np.array([[1, 1, 2], [6, 3, 1], [1, 1, 1]])
    for asked in (weights, weights[1]):
        latent = MixtureLatent(11, 3, choices=3, weights=asked)
        expected = np.broadcast_to(asked, (3, 3)) / np.broadcast_to(asked, (3, 3)).sum(1)[:, None]
        np.testing.assert_allclose(latent.weights, expected)
        chosen = latent.sample(40_000, np.random.default_rng(0))[:, 2:].reshape(-1, 3, 3) > 0
        assert (chosen.sum(axis=2) == 1).all()
        np.testing.assert_allclose(chosen.mean(axis=0), expected, atol=0.012)  # 5 σ
        both = (chosen[:, 0, 0] & chosen[:, 1, 0]).mean()  # none knows of the others
        assert both == pytest.approx(expected[0, 0] * expected[1, 0], abs=0.01)


def test_equal_weights_are_none():
    plain, equal = MixtureLatent(6, 4), MixtureLatent(6, 4, weights=[3, 3, 3, 3])
    assert repr(plain) == repr(equal) and plain.uniform and equal.uniform
    draws = [latent.sample(50, np.random.default_rng(0)) for latent in (plain, equal)]
    np.testing.assert_array_equal(*draws)


@given(st.integers(1, 3), st.integers(2, 24), st.integers(0, 999))
def test_repr_says_all(choices, kinds, seed):
    """And to the last bit: weights that were written down are not divided by their sum again."""
    weights = np.random.default_rng(seed).uniform(0.01, 1, (choices, kinds))
    latent = MixtureLatent(99, kinds, scale=2, choices=choices, weights=weights)
    again = eval(repr(latent), {"MixtureLatent": MixtureLatent})
    np.testing.assert_array_equal(again.weights, latent.weights)
    assert (again.dimension, again.scale, again.choices) == (99, 2, choices)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_each_piece_becomes_as_likely_as_in_the_data(seed):
    """Data and samples are mixtures of the same three Gaussians in other shares.

    The first step is the M step on weights, by quadrature; step after step approaches the data's.
    """
    rng = np.random.default_rng(seed)
    centres, truth = np.array([-2.0, 0.5, 2.5]), rng.dirichlet([3, 3, 3])
    latent = MixtureLatent(4, 3, weights=rng.dirichlet([3, 3, 3]))
    y = np.linspace(-9, 9, 4001)
    parts = norm.pdf(y[:, None], centres)

    def log_ratios(x):
        density = norm.pdf(x[:, None], centres)
        return np.log(density @ truth / (density @ latent.weights[0]))

    first = (parts @ truth / (parts @ latent.weights[0]))[:, None] * parts * latent.weights[0]
    for step in range(40):
        z = latent.sample(40_000, rng)
        x = z[:, 0] + z[:, 1:] @ centres / 3  # G
        latent = latent.reweighted(z, log_ratios(x) + 500)  # a constant cancels
        if step == 0:
            np.testing.assert_allclose(latent.weights[0], trapezoid(first, y, axis=0), atol=0.02)
    np.testing.assert_allclose(latent.weights[0], truth, atol=0.03)


def test_each_choice_is_weighted_by_itself():
    latent = MixtureLatent(2 + 2 * 3, 3, choices=2, scale=0.5)
    rng = np.random.default_rng(0)
    z = latent.sample(300, rng)
    ratios = rng.uniform(0.2, 5, 300)
    found = latent.reweighted(z, np.log(ratios))
    assert found.scale == 0.5 and found.choices == 2 and latent.uniform
    for choice in range(2):
        for k in range(3):
            here = z[:, 2 + 3 * choice + k] == 0.5
            share = ratios[here].sum() / ratios.sum()
            assert found.weights[choice, k] == pytest.approx(share)


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
        ((5, 2), {"weights": [1, 1, 1]}, r"weights: expected shape \(2,\) or \(1, 2\), got \(3,\)"),
        ((5, 2), {"weights": [1, 0]}, "weights: expected positive"),
        ((5, 2), {"weights": [1, float("inf")]}, "weights: expected positive"),
        ((7, 2), {"weights": np.ones((1, 2)), "choices": 2}, r"weights: .*\(2, 2\)"),
    ],
)
def test_bad_arguments(arguments, options, named):
    with pytest.raises(ValueError, match=named):
        MixtureLatent(*arguments, **options)


def test_what_cannot_be_reweighted():
    latent = MixtureLatent(5, 2)
    z = latent.sample(50, np.random.default_rng(0))
    for bad in (z[:, 1:], z[0]):
        with pytest.raises(ValueError, match=r"expected z \(n, 5\) and logits \(n,\)"):
            latent.reweighted(bad, np.ones(len(bad)))
    with pytest.raises(ValueError, match=r"logits \(n,\), got \(50, 5\), \(50, 1\)"):
        latent.reweighted(z, np.ones((50, 1)))
    for bad in (np.nan, np.inf, -np.inf):
        with pytest.raises(ValueError, match="logits: expected finite"):
            latent.reweighted(z, np.full(50, bad))
    with pytest.raises(ValueError, match="the weights by these logits: expected positive"):
        latent.reweighted(z, 1e4 * z[:, 3])
    with pytest.raises(ValueError, match="by these logits: expected positive"):  # a piece unseen
        latent.reweighted(z[z[:, 3] > 0], np.ones((z[:, 3] > 0).sum()))


def test_the_continuous_part():
    assert NormalLatent(3).continuous == UniformLatent(3).continuous == 3
    assert MixtureLatent(7, 2, choices=2).continuous == 3
