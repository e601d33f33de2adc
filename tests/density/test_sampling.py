import numpy as np
import pytest
import scipy.stats

from minigan.density import Known, inverse_transform, metropolis_hastings, rejection

LEVEL = 1e-3  # of the Kolmogorov-Smirnov tests: a right sampler fails once in a thousand seeds


def agrees(samples, distribution):
    return scipy.stats.kstest(samples, distribution.cdf).pvalue > LEVEL


@pytest.mark.parametrize(
    "distribution", [scipy.stats.norm(1, 2), scipy.stats.expon(), scipy.stats.beta(0.5, 3)]
)
def test_inverse_transform(distribution):
    samples = inverse_transform(distribution.ppf, 4000, np.random.default_rng(0))
    assert samples.shape == (4000, 1) and samples.dtype == np.float64
    assert agrees(samples[:, 0], distribution)


def test_inverse_transform_never_asks_for_the_ends():
    class Ends(np.random.Generator):
        """Draws only the smallest and the largest number it can."""

        def integers(self, high, size):
            return np.resize([0, high - 1], size)

    u = inverse_transform(lambda u: u, 4, Ends(np.random.PCG64(0)))
    assert (u > 0).all() and (u < 1).all()
    assert u.min() < 1e-15 and 1 - u.max() < 1e-15


def beta_log_density(x):
    return scipy.stats.beta(2, 4).logpdf(x[:, 0])


def test_rejection():
    bound = scipy.stats.beta(2, 4).pdf(0.25)  # at the mode, over a uniform proposal
    uniform = Known(scipy.stats.uniform())
    samples, rate = rejection(
        beta_log_density, uniform, np.log(bound), 4000, np.random.default_rng(0)
    )
    assert samples.shape == (4000, 1)
    assert agrees(samples[:, 0], scipy.stats.beta(2, 4))
    assert rate == pytest.approx(1 / bound, abs=0.03)


def test_rejection_needs_the_density_only_up_to_a_factor():
    uniform = Known(scipy.stats.uniform())
    bound = np.log(scipy.stats.beta(2, 4).pdf(0.25))
    plain, rate = rejection(beta_log_density, uniform, bound, 50, np.random.default_rng(0))
    scaled, same = rejection(
        lambda x: beta_log_density(x) - 700, uniform, bound - 700, 50, np.random.default_rng(0)
    )
    assert (plain == scaled).all() and rate == same


def test_rejection_from_a_proposal_that_is_not_uniform():
    """A Gaussian mixture out of a wide Gaussian in the plane: M = max p/q."""
    target = scipy.stats.multivariate_normal([1, 0], [[0.5, 0.2], [0.2, 0.4]])
    proposal = Known(scipy.stats.multivariate_normal([0, 0], 2.0))
    samples, rate = rejection(target.logpdf, proposal, 2.5, 3000, np.random.default_rng(0))
    assert rate == pytest.approx(np.exp(-2.5), abs=0.01)
    assert agrees(samples[:, 0], scipy.stats.norm(1, np.sqrt(0.5)))
    assert agrees(samples[:, 1], scipy.stats.norm(0, np.sqrt(0.4)))


@pytest.mark.parametrize("constant", [1e6, -1e8, 1e10])
@pytest.mark.parametrize("sigma", np.arange(1.1, 3, 0.2))
def test_rejection_with_any_additive_constant(sigma, constant):
    """It costs log p digits, so that a ratio may pass the exact bound by a rounding."""
    target, proposal = scipy.stats.norm(), Known(scipy.stats.norm(0, sigma))
    log_density = lambda x: target.logpdf(x[:, 0]) + constant  # noqa: E731
    bound = constant + np.log(sigma)  # p/q at 0, where it is flat
    samples, _ = rejection(log_density, proposal, bound, 2000, np.random.default_rng(0))
    assert agrees(samples[:, 0], target)
    with pytest.raises(ValueError, match="log_bound: expected at least"):
        rejection(log_density, proposal, bound - 0.01, 2000, np.random.default_rng(0))


def test_a_bound_that_is_too_small_is_an_error():
    with pytest.raises(ValueError, match="log_bound: expected at least"):
        rejection(
            beta_log_density, Known(scipy.stats.uniform()), 0.5, 1000, np.random.default_rng(0)
        )


def test_rejection_gives_up():
    disjoint = Known(scipy.stats.uniform(5, 1))
    with pytest.raises(RuntimeError, match="0 of 10 samples after 5,000 proposals"):
        rejection(beta_log_density, disjoint, 1.0, 10, np.random.default_rng(0), max_proposals=5000)


def test_rejection_refuses_bad_input():
    uniform, rng = Known(scipy.stats.uniform()), np.random.default_rng(0)
    with pytest.raises(ValueError, match="log_bound"):
        rejection(beta_log_density, uniform, np.inf, 10, rng)
    with pytest.raises(ValueError, match=r"log_density: expected it to return \(1000,\)"):
        rejection(lambda x: x, uniform, 1.0, 10, rng)
    with pytest.raises(ValueError, match="NaN"):
        rejection(lambda x: np.full(len(x), np.nan), uniform, 1.0, 10, rng)


def normal(x):
    return -0.5 * (x[:, 0] - 2) ** 2  # the constant is missing on purpose


def test_metropolis_hastings_reaches_the_density():
    start = np.zeros((3000, 1))
    states, rate = metropolis_hastings(normal, start, 2.0, 100, np.random.default_rng(0))
    assert states.shape == (100, 3000, 1)
    assert agrees(states[-1, :, 0], scipy.stats.norm(2, 1))
    assert not agrees(states[0, :, 0], scipy.stats.norm(2, 1))
    # For a normal of standard deviation 1 and steps s the rate is (2/π) arctan(2/s).
    steady = metropolis_hastings(normal, states[-1], 2.0, 20, np.random.default_rng(1))[1]
    assert steady == pytest.approx(2 / np.pi * np.arctan(1), abs=0.01)
    assert 0 < rate < 1 and (start == 0).all()


@pytest.mark.parametrize("step_size", [0.3, 3.0])
def test_metropolis_hastings_leaves_the_density_as_it_is(step_size):
    """Also with the edge of an exponential: a proposal beyond it must be counted as a stay."""
    expon = scipy.stats.expon()
    start = expon.rvs((5000, 1), random_state=np.random.default_rng(0))
    states, _ = metropolis_hastings(
        lambda x: expon.logpdf(x[:, 0]), start, step_size, 30, np.random.default_rng(1)
    )
    assert agrees(states[-1, :, 0], expon)


def test_the_step_decides_the_acceptance_rate():
    start = np.full((200, 1), 2.0)
    small, large = (
        metropolis_hastings(normal, start, s, 100, np.random.default_rng(0))[1] for s in (0.01, 100)
    )
    assert small > 0.99 and large < 0.03


def test_a_density_may_reuse_its_array():
    buffer = np.empty(50)

    def reusing(x):
        buffer[:] = normal(x)
        return buffer

    plain, other = (
        metropolis_hastings(f, np.zeros((50, 1)), 2.0, 20, np.random.default_rng(0))
        for f in (normal, reusing)
    )
    assert (plain[0] == other[0]).all() and plain[1] == other[1]


def test_walks_in_the_plane_keep_the_correlation():
    target = scipy.stats.multivariate_normal([0, 0], [[1, 0.8], [0.8, 1]])
    states, _ = metropolis_hastings(
        target.logpdf, np.zeros((2000, 2)), 1.0, 100, np.random.default_rng(0)
    )
    assert np.corrcoef(states[-1].T)[0, 1] == pytest.approx(0.8, abs=0.04)
    assert (states[-1] != states[-2]).any(axis=1).mean() > 0.2


def test_metropolis_hastings_refuses_bad_input():
    rng, start = np.random.default_rng(0), np.zeros((4, 1))
    with pytest.raises(ValueError, match=r"start: expected shape \(n, d\)"):
        metropolis_hastings(normal, np.zeros(4), 1.0, 5, rng)
    with pytest.raises(ValueError, match="density is above 0"):
        metropolis_hastings(lambda x: np.where(x[:, 0] > 0, 0, -np.inf), start, 1.0, 5, rng)
    with pytest.raises(ValueError, match="NaN or"):
        metropolis_hastings(lambda x: np.log(x[:, 0] ** 0 * np.nan), start, 1.0, 5, rng)
    with pytest.raises(ValueError, match=r"return \(4,\), got \(4, 1\)"):
        metropolis_hastings(lambda x: x, start, 1.0, 5, rng)
    with pytest.raises(ValueError, match="step_size"):
        metropolis_hastings(normal, start, 0, 5, rng)
    with pytest.raises(ValueError, match="steps"):
        metropolis_hastings(normal, start, 1.0, 0, rng)


@pytest.mark.parametrize(
    "draw",
    [
        lambda n, rng: inverse_transform(scipy.stats.norm.ppf, n, rng),
        lambda n, rng: rejection(
            beta_log_density, Known(scipy.stats.uniform()), np.log(2.2), n, rng
        )[0],
        lambda n, rng: metropolis_hastings(normal, np.zeros((1, 1)), 1.0, n, rng)[0],
    ],
)
def test_same_seed_same_samples_and_bad_draws(draw):
    first, again, other = (draw(20, np.random.default_rng(s)) for s in (0, 0, 1))
    assert (first == again).all() and (first != other).any()
    with pytest.raises(ValueError, match="at least 1"):
        draw(0, np.random.default_rng(0))
    with pytest.raises(TypeError, match="integer"):
        draw(2.5, np.random.default_rng(0))
    with pytest.raises(TypeError, match="rng"):
        draw(2, 0)
