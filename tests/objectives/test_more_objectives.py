"""Objectives in the game: what they are minimal at, their gradients through both players, and
who moves, for every objective in every mode of training.

Their values and derivatives on logits alone are in test_objectives.py.
"""

import numpy as np
import pytest
from scipy.special import expit
from scipy.stats import norm

from minigan import (
    DRAGAN,
    GAN,
    OBJECTIVES,
    R1,
    R2,
    SGD,
    WGANGP,
    ConditionalGAN,
    Dense,
    FeatureMatchingGAN,
    LayerNorm,
    LeakyReLU,
    MaximumLikelihood,
    Minimax,
    NonSaturating,
    NormalLatent,
    OneSidedPenalty,
    Sequential,
    Tanh,
    WeightClipping,
    gradcheck,
)
from minigan.objectives import get_objective

objectives = pytest.mark.parametrize("objective", OBJECTIVES)

# --- What the optimal discriminator is -----------------------------------------------------------

REAL, FAKE = np.array([1, 2, 4, 6]), np.array([5, 3, 2, 1])  # how often each of four points occurs
RATIO = REAL / 13 / (FAKE / 11)
OPTIMAL = {
    "minimax": np.log(RATIO),  # logit of p / (p + q)
    "least-squares": REAL / 13 / (REAL / 13 + FAKE / 11),
    "hinge": np.sign(REAL / 13 - FAKE / 11),
    "kl": 1 + np.log(RATIO),  # f'(p / q), as all below
    "reverse-kl": np.log(RATIO),
    "pearson": 2 * (RATIO - 1),
    "squared-hellinger": np.log(RATIO) / 2,
}
OPTIMAL |= dict.fromkeys(["non-saturating", "maximum-likelihood"], OPTIMAL["minimax"])


def of_samples(logits):
    """The logits of all real and all fake samples, points as often as they occur."""
    return np.repeat(logits, REAL)[:, None], np.repeat(logits, FAKE)[:, None]


@pytest.mark.parametrize("objective", OPTIMAL)
def test_optimal_discriminator(objective):
    """No other logits of the four points have a smaller loss."""
    found, rng = get_objective(objective), np.random.default_rng(0)
    best = found.discriminator(*of_samples(OPTIMAL[objective]))[0]
    for scale in (1e-3, 0.1, 1.0):
        for change in scale * rng.normal(size=(50, 4)):
            loss = found.discriminator(*of_samples(OPTIMAL[objective] + change))[0]
            assert loss > best - 1e-15


@objectives
def test_log_odds_are_where_the_best_logit_is_the_log_ratio(objective):
    are = objective in OPTIMAL and np.array_equal(OPTIMAL[objective], np.log(RATIO))
    assert get_objective(objective).log_odds == are


@pytest.mark.parametrize("objective", sorted(set(OPTIMAL) - {"hinge"}))
def test_gradient_is_zero_at_the_optimum(objective):
    """Over all samples at one point, what the real ones pull is what the fakes push."""
    _, d_real, d_fake = get_objective(objective).discriminator(*of_samples(OPTIMAL[objective]))
    points = np.arange(4)
    pulled = np.bincount(np.repeat(points, REAL), d_real[:, 0])
    pushed = np.bincount(np.repeat(points, FAKE), d_fake[:, 0])
    np.testing.assert_allclose(pulled + pushed, 0, atol=1e-15)
    assert (pushed > 0).all()


def two_normals(n=4000):
    """Samples of N(0, 1) and N(1, 1), as even as n can be, and their distance in variation."""
    x = norm.ppf((np.arange(n) + 0.5) / n)
    return x, x + 1, 2 * norm.cdf(0.5) - 1


def log_ratio(x):
    """log p(x) / q(x) for p = N(0, 1), q = N(1, 1)."""
    return (0.5 - x)[:, None]


def test_values_at_the_optimum_are_distances():
    """Cross entropy measures Jensen-Shannon, absolute error and hinge total variation."""
    x, y, variation = two_normals()
    real, fake = log_ratio(x), log_ratio(y)
    loss, *_ = get_objective("minimax").discriminator(real, fake)
    mixture_real, mixture_fake = expit(real), expit(fake)
    jensen_shannon = np.log(2) + (np.log(mixture_real).mean() + np.log(1 - mixture_fake).mean()) / 2
    assert loss == pytest.approx(2 * np.log(2) - 2 * jensen_shannon, 1e-12)
    sure = 1e4
    loss, *_ = get_objective("absolute-error").discriminator(sure * real, sure * fake)
    assert loss == pytest.approx((1 - variation) / 2, 1e-3)
    loss, *_ = get_objective("hinge").discriminator(np.sign(real), np.sign(fake))
    assert loss == pytest.approx(2 * (1 - variation), 1e-3)


def test_maximum_likelihood_follows_the_kl_divergence():
    """With the optimal D, G's gradient is that of KL(p ‖ q_θ) = θ²/2, q_θ = N(θ, 1): it is θ.

    The others' gradients with the same D are those of other divergences.
    """
    theta = 0.5
    x = norm.ppf((np.arange(200_000) + 0.5) / 200_000) + theta
    logits = (theta * theta / 2 - theta * x)[:, None]  # log p(x) / q(x), whose slope is −θ

    def slope(objective):
        return (objective.generator(logits)[1] * -theta).sum()

    assert slope(MaximumLikelihood()) == pytest.approx(theta, 1e-3)
    assert abs(slope(NonSaturating()) - theta) > 0.1 and abs(slope(Minimax()) - theta) > 0.1


def test_which_gradients_vanish_for_a_fake_that_is_found_out():
    """At a logit of −30: those of whoever minimises what D maximises, but for reverse KL."""
    f = np.full((1, 1), -30.0)
    gradient = {name: abs(get_objective(name).generator(f, -f)[1].item()) for name in OBJECTIVES}
    gone = {name for name, size in gradient.items() if size < 1e-12}
    assert gone == {
        *("minimax", "maximum-likelihood", "absolute-error"),
        *("kl", "pearson", "squared-hellinger"),
    }
    assert all(gradient[name] > 0.9 for name in set(OBJECTIVES) - gone)


def test_least_squares_pulls_to_its_targets_and_not_beyond():
    _, d_real, d_fake = get_objective("least-squares").discriminator(*np.array([[[3.0]], [[-2.0]]]))
    assert d_real > 0 and d_fake < 0
    assert get_objective("least-squares").generator(np.array([[1.0]]))[1] == 0


def test_hinge_ignores_what_is_beyond_the_margin():
    r, f = np.array([[1.5], [0.5], [-3.0]]), np.array([[-1.5], [-0.5], [3.0]])
    loss, d_real, d_fake = get_objective("hinge").discriminator(r, f)
    np.testing.assert_array_equal(d_real * 3, [[0], [-1], [-1]])
    np.testing.assert_array_equal(d_fake * 3, [[0], [1], [1]])
    assert loss == pytest.approx((0.5 + 4) / 3 * 2)


@pytest.mark.parametrize("make", [Minimax, NonSaturating, MaximumLikelihood])
def test_smoothed_labels_move_the_optimum(make):
    """D* = s p / (p + q) for a target s: on equal samples the logit of s / 2, by its gradient."""
    objective = make(real_label=0.9)
    logit = np.full((4, 1), np.log(0.45 / 0.55))
    _, d_real, d_fake = objective.discriminator(logit, logit)
    np.testing.assert_allclose(d_real + d_fake, 0, atol=1e-15)


@pytest.mark.parametrize("label", [0.4, 1.1, float("nan"), "1"])
def test_bad_label(label):
    with pytest.raises((ValueError, TypeError), match="real_label"):
        Minimax(real_label=label)


# --- In the game ---------------------------------------------------------------------------------

MODES = {
    "plain": (GAN, {}),
    "clipping": (GAN, {"regularizer": WeightClipping(0.05)}),
    "WGANGP": (GAN, {"regularizer": WGANGP(2.0)}),
    "one-sided": (GAN, {"regularizer": OneSidedPenalty(2.0)}),
    "DRAGAN": (GAN, {"regularizer": DRAGAN(2.0)}),
    "R1": (GAN, {"regularizer": R1(2.0)}),
    "R2": (GAN, {"regularizer": R2(2.0)}),
    "feature matching": (FeatureMatchingGAN, {"layer": 3}),
    "conditional": (ConditionalGAN, {"classes": 3}),
    "conditional, penalty": (ConditionalGAN, {"classes": 3, "regularizer": R1(2.0)}),
}
modes = pytest.mark.parametrize("mode", MODES)
#: Real and fake terms pull a critic's last bias equally.
BALANCED = {"wasserstein", "hinge", "relativistic", "relativistic-average"}


def build(mode, objective):
    """A game, and a game with labels fixed if it has labels."""
    cls, options = MODES[mode]
    extra = options.get("classes", 0)
    G = [Dense(2 + extra, 6), Tanh(), Dense(6, 3)]
    D = [Dense(3 + extra, 8), LayerNorm(8), LeakyReLU(), Dense(8, 1)]
    G = Sequential(G, (2 + extra,), rng=1, dtype="float64")
    D = Sequential(D, (3 + extra,), rng=2, dtype="float64")
    if objective == "wasserstein" and "regularizer" not in options:
        options = options | {"regularizer": WeightClipping(0.5)}
    game = cls(
        G,
        D,
        objective,
        generator_optimizer=SGD(G, 0.05),
        discriminator_optimizer=SGD(D, 0.05),
        latent=NormalLatent(2),
        rng=0,
        **options,
    )
    return game, game.given(game.one_hot(np.array([0, 1, 2, 0]))) if extra else game


def everything(network, optimizer):
    """Copies of what training a network changes."""
    return network.parameters.copy(), network.gradients.copy(), optimizer.steps


def same(before, after):
    return all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))


@modes
@objectives
def test_who_moves(objective, mode):
    """Bug 1: the player in training moves with every parameter, the other one not at all."""
    game, playable = build(mode, objective)
    x = np.random.default_rng(3).normal(size=(4, 3))
    D = game.discriminator, game.discriminator_optimizer
    G = game.generator, game.generator_optimizer
    D[0].gradients[...] = G[0].gradients[...] = 7
    for mine, other, step in (
        (D, G, playable.discriminator_step),
        (G, D, playable.generator_step),
    ):
        network, optimizer = mine
        before = {name: w.copy() for name, w in network.named_parameters().items()}
        kept = everything(*other)
        step(x)
        assert same(kept, everything(*other)) and optimizer.steps == 1
        for name, w in network.named_parameters().items():
            balanced = network is D[0] and name == "3.bias" and objective in BALANCED
            assert balanced or (w != before[name]).any(), name


@objectives
def test_gradients_of_both_players(objective):
    game, _ = build("plain", objective)
    report = gradcheck(game, np.random.default_rng(3).normal(size=(5, 3)), max_entries=4)
    assert report.passed and report.relative_error < 1e-6, str(report)


@modes
@pytest.mark.parametrize("objective", ["least-squares", "relativistic-average"])
def test_each_mode_has_the_gradients_of_its_loss(mode, objective):
    """Some objectives, all modes: the numerical check of both players' complete steps."""
    _, playable = build(mode, objective)
    report = gradcheck(playable, np.random.default_rng(3).normal(size=(4, 3)), max_entries=2)
    assert report.passed and report.relative_error < 1e-6, str(report)


@objectives
def test_descent_lowers_the_loss(objective):
    """A small step along minus the gradient, for each player alone: the sign is right."""
    game, _ = build("plain", objective)
    rng = np.random.default_rng(3)
    x, z = rng.normal(2, 1, size=(8, 3)), rng.normal(size=(8, 2))
    for player in ("discriminator", "generator"):
        gradients = getattr(game, f"{player}_gradients")
        before = gradients(x, z)[f"{player}_loss"]
        network = getattr(game, player)
        network.parameters[...] -= 1e-3 * network.gradients
        assert gradients(x, z)[f"{player}_loss"] < before
