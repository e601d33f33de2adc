"""What a penalty is: its points and random numbers, a mean over samples, its weight and steps."""

import numpy as np
import pytest
from scipy.optimize import approx_fprime
from scipy.stats import kstest

from minigan import (
    DRAGAN,
    R1,
    R2,
    WGANGP,
    Dense,
    ExponentialDecay,
    OneSidedPenalty,
    Softplus,
    Tanh,
)


def test_value_by_definition(kind, penalty, critic, batches, points_of, rho):
    """One norm a sample, over all its axes; the gradient of each sample taken by itself."""
    network = critic(*kind(Softplus))
    real, fake = batches(network.input_shape)
    regularizer = penalty(3.0)
    norms = []
    for x in points_of(regularizer, real, fake):
        flat = approx_fprime(x.ravel(), lambda v, x=x: network(v.reshape(1, *x.shape))[0, 0])
        norms.append(np.linalg.norm(flat))
    found = regularizer.penalize(network, real, fake, np.random.default_rng(4))
    assert found == pytest.approx(3 * rho(penalty, np.array(norms)).mean(), 1e-5)


def alphas(n, shape, points_of):
    """Between samples of ones and fakes of zeros, the points are the α themselves."""
    return points_of(WGANGP(), np.ones((n, *shape)), np.zeros((n, *shape)))


@pytest.mark.parametrize("shape", [(3,), (4, 3, 2)])
def test_one_alpha_for_each_sample(shape, points_of):
    """Bug 8: not one for the batch, and not one for each number."""
    points = alphas(6, shape, points_of).reshape(6, -1)
    assert len(np.unique(points)) == 6
    np.testing.assert_array_equal(points, points[:, :1].repeat(points.shape[1], axis=1))


def test_alpha_is_uniform(points_of):
    """Bug 8: not from a normal."""
    alpha = alphas(4000, (1,), points_of).ravel()
    assert 0 <= alpha.min() and alpha.max() <= 1
    assert kstest(alpha, "uniform").pvalue > 0.01


def test_points_of_wgangp_lie_on_the_lines(batches, points_of):
    real, fake = batches((3, 2), 5)
    alpha = np.random.default_rng(4).random((5, 1, 1))
    expected = alpha * real + (1 - alpha) * fake
    np.testing.assert_allclose(points_of(WGANGP(), real, fake), expected, atol=1e-14)
    np.testing.assert_allclose(points_of(OneSidedPenalty(), real, fake), expected, atol=1e-14)


def test_points_of_dragan(points_of):
    """α δ with one uniform α a sample, δ uniform up to half of the data's deviation."""
    real = np.random.default_rng(0).normal(2, 3, size=(500, 20, 20))
    offset = (points_of(DRAGAN(), real, real + 100) - real) / (real.std() / 2)
    assert 0 <= offset.min() and offset.max() <= 1
    alpha = offset.max(axis=(1, 2))  # of 400 uniform numbers, one is close to 1
    assert kstest(alpha, "uniform").pvalue > 0.01
    delta = (offset / alpha[:, None, None]).ravel()
    assert kstest(delta[::50], "uniform").pvalue > 0.01


def test_r1_and_r2_take_the_samples_themselves(batches, points_of):
    real, fake = batches((3,))
    assert points_of(R1(), real, fake) is real and points_of(R2(), real, fake) is fake


def test_randomness_comes_from_the_generator_given(penalty, dense_critic, batches):
    network = dense_critic()

    def run(seed):
        rng = np.random.default_rng(seed)
        network.zero_gradients()
        value = penalty().penalize(network, *batches((3,)), rng)
        return value, network.gradients.tobytes(), rng.random()

    assert run(1) == run(1)
    random = penalty not in (R1, R2)
    assert (run(1)[0] != run(2)[0]) == random
    assert (run(1)[2] != np.random.default_rng(1).random()) == random


def test_adds_gradients_and_changes_nothing_else(kind, penalty, critic, batches):
    network = critic(*kind(Tanh))
    real, fake = batches(network.input_shape)
    before = network.parameters.copy(), real.copy(), fake.copy()
    penalty().penalize(network, real, fake, np.random.default_rng(1))
    once = network.gradients.copy()
    assert once.any()
    penalty().penalize(network, real, fake, np.random.default_rng(1))
    np.testing.assert_allclose(network.gradients, 2 * once, rtol=1e-12)
    for kept, now in zip(before, (network.parameters, real, fake), strict=True):
        np.testing.assert_array_equal(kept, now)


def test_is_a_mean_over_samples(penalty, dense_critic, batches):
    """A batch twice over: R1 and R2 stay as they are; so do the others with the same points."""
    network = dense_critic()
    regularizer, x = penalty(3.0), batches((3,))[0]

    def run(points):
        network.zero_gradients()
        return regularizer.add_penalty(network, points), network.gradients.copy()

    (once, gradient), (twice, of_twice) = run(x), run(np.tile(x, (2, 1)))
    assert once == pytest.approx(twice, 1e-12)
    np.testing.assert_allclose(of_twice, gradient, atol=1e-12)


def test_weight_is_a_factor(penalty, dense_critic, batches):
    network = dense_critic()
    real, fake = batches((3,))
    value = penalty(1.0).penalize(network, real, fake, np.random.default_rng(1))
    once = network.gradients.copy()
    network.zero_gradients()
    more = penalty(4.0).penalize(network, real, fake, np.random.default_rng(1))
    assert more == pytest.approx(4 * value, 1e-12)
    np.testing.assert_allclose(network.gradients, 4 * once, rtol=1e-12)


def at_step(network, real, fake):
    """run(penalty, step) -> its value there, and its gradient alone."""

    def run(regularizer, step):
        network.zero_gradients()
        value = regularizer.penalize(network, real, fake, np.random.default_rng(1), step)
        return value, network.gradients.copy()

    return run


def test_lazy_penalty(penalty, dense_critic, batches):
    """In one step of three, three times the penalty: the same on average."""
    run = at_step(dense_critic(), *batches((3,)))
    always, gradient = run(penalty(2.0), 5)
    lazy = penalty(2.0, every=3)
    for step in range(7):
        value, of_step = run(lazy, step)
        factor = 3 if step % 3 == 0 else 0
        assert value == pytest.approx(factor * always, 1e-12)
        np.testing.assert_allclose(of_step, factor * gradient, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("every", [1, 3])
def test_a_weight_that_falls(penalty, every, dense_critic, batches):
    """weight · schedule(step), in the value and in the gradient."""
    run = at_step(dense_critic(), *batches((3,)))
    falling = penalty(2.0, every=every, schedule=ExponentialDecay(12, hold=0.5, end=1 / 16))
    assert not falling.steady and penalty(2.0, every=every).steady
    for step, factor in ((0, 1), (6, 1), (9, 1 / 4), (12, 1 / 16)):
        value, of_step = run(falling, step)
        expected, gradient = run(penalty(2.0 * factor, every=every), step)
        assert value == pytest.approx(expected, 1e-12) and value > 0
        np.testing.assert_allclose(of_step, gradient, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("schedule", [0.5, None, "linear"])
def test_a_schedule_is_a_function(penalty, schedule):
    with pytest.raises(TypeError, match="schedule: expected a function of the step"):
        penalty(1.0, schedule=schedule)


@pytest.mark.parametrize("factor", [-1.0, float("nan"), float("inf")])
def test_a_factor_that_is_none(penalty, factor, dense_critic, batches):
    """Refused before a gradient is added to."""
    network = dense_critic()
    network.zero_gradients()
    with pytest.raises(ValueError, match=r"schedule\(step\)"):
        penalty(1.0, schedule=lambda step: factor).penalize(
            network, *batches((3,)), np.random.default_rng(1)
        )
    assert not network.gradients.any()


def test_lazy_in_a_game(game):
    """The penalty of steps 0, 4, 8 ... of training."""
    layers = [Dense(3, 4), Tanh(), Dense(4, 1)]
    made = game(layers, (3,), regularizer := R1(3.0, every=4))
    seen, penalize = [], regularizer.penalize
    regularizer.penalize = lambda *args: seen.append(penalize(*args)) or seen[-1]
    for made.steps in range(9):
        made.step(iter([np.ones((4, 3))]))
    assert [value > 0 for value in seen] == [step % 4 == 0 for step in range(9)]
