import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad

from minigan.density import (
    IDENTITY,
    NORMAL_QUANTILE,
    SQUARE,
    UNIFORM,
    Branch,
    Gaussian,
    Known,
    Map,
    ParzenWindow,
    Pushforward,
    quantile_map,
)

LEVEL = 1e-3  # of the Kolmogorov-Smirnov tests: a right sampler fails once in a thousand seeds
EXAMPLES = settings(derandomize=True, deadline=None, max_examples=60, database=None)

NORMAL = Known(scipy.stats.norm())

ABSOLUTE = Map(
    np.abs,
    (
        Branch(np.positive, np.zeros_like, (0, np.inf)),
        Branch(np.negative, np.zeros_like, (0, np.inf)),
    ),
)
# The logistic function: a map that squeezes the line into (0, 1).
LOGISTIC = Map(
    lambda x: 1 / (1 + np.exp(-x)),
    (Branch(lambda y: np.log(y / (1 - y)), lambda y: -np.log(y * (1 - y)), (0, 1)),),
)

# The pushforward, and the distribution that it must be.
KNOWN = {
    "identity of the uniform": (Pushforward(IDENTITY), scipy.stats.uniform()),
    "identity of the normal": (Pushforward(IDENTITY, NORMAL), scipy.stats.norm()),
    "square of the uniform": (Pushforward(SQUARE), scipy.stats.beta(0.5, 1)),
    "square of the normal": (Pushforward(SQUARE, NORMAL), scipy.stats.chi2(1)),
    "square of a shifted normal": (
        Pushforward(SQUARE, Known(scipy.stats.norm(1.5, 1))),
        scipy.stats.ncx2(1, 1.5**2),
    ),
    "normal quantile of the uniform": (Pushforward(NORMAL_QUANTILE), scipy.stats.norm()),
    "another quantile": (
        Pushforward(quantile_map(scipy.stats.gamma(2.5))),
        scipy.stats.gamma(2.5),
    ),
    "absolute value of the normal": (Pushforward(ABSOLUTE, NORMAL), scipy.stats.halfnorm()),
    "logistic of the logistic": (
        Pushforward(LOGISTIC, Known(scipy.stats.logistic())),
        scipy.stats.uniform(),
    ),
}


@pytest.mark.parametrize("name", KNOWN)
def test_density_is_the_one_in_the_books(name):
    pushforward, oracle = KNOWN[name]
    inside = oracle.ppf(np.linspace(0.001, 0.999, 200))
    np.testing.assert_allclose(
        pushforward.log_density(inside[:, None]), oracle.logpdf(inside), rtol=1e-9, atol=1e-9
    )
    low, high = oracle.support()
    outside = np.array([[edge] for edge in (low - 0.5, high + 0.5) if np.isfinite(edge)])
    if len(outside):
        assert (pushforward.log_density(outside) == -np.inf).all()


@pytest.mark.parametrize("name", KNOWN)
def test_samples_agree(name):
    pushforward, oracle = KNOWN[name]
    samples = pushforward.sample(4000, np.random.default_rng(0))
    assert samples.shape == (4000, 1)
    assert scipy.stats.kstest(samples[:, 0], oracle.cdf).pvalue > LEVEL


@pytest.mark.parametrize("name", KNOWN)
def test_density_integrates_to_one(name):
    pushforward, oracle = KNOWN[name]
    low, high = oracle.support()

    def density(y):
        return np.exp(pushforward.log_density(np.array([[y]]))[0])

    # In two pieces, since the square's density is infinite at one end.
    middle = oracle.median()
    total = quad(density, max(low, -40), middle)[0] + quad(density, middle, min(high, 60))[0]
    assert total == pytest.approx(1, abs=1e-6)


@EXAMPLES
@given(st.floats(-8, 8), st.sampled_from([IDENTITY, SQUARE, ABSOLUTE, LOGISTIC, NORMAL_QUANTILE]))
def test_branches_are_inverses_with_the_right_slope(x, map):
    if map is NORMAL_QUANTILE:
        x = scipy.stats.norm.cdf(x / 2)
    y = map.forward(np.array([x]))
    preimages = [branch.inverse(y)[0] for branch in map.branches]
    assert min(abs(p - x) for p in preimages) < 1e-6 * (1 + abs(x))
    if abs(x) < 1e-2 and map in (SQUARE, ABSOLUTE):
        return  # the fold, where there is no slope
    step = 1e-6 * max(1e-3, abs(y[0]))
    for branch in map.branches:
        numeric = (branch.inverse(y + step)[0] - branch.inverse(y - step)[0]) / (2 * step)
        assert np.exp(branch.log_slope(y)[0]) == pytest.approx(abs(numeric), rel=1e-3)


def test_at_the_fold_the_density_is_infinite():
    zero = np.zeros((1, 1))
    assert Pushforward(SQUARE, NORMAL).log_density(zero)[0] == np.inf
    # Nothing is piled up where the base has nothing.
    away = Pushforward(SQUARE, Known(scipy.stats.uniform(1, 1)))
    assert away.log_density(zero)[0] == -np.inf


def test_a_preimage_at_infinity_is_none():
    with np.errstate(divide="ignore"):
        ends = Pushforward(LOGISTIC, NORMAL).log_density(np.array([[0.0], [0.5], [1.0]]))
    np.testing.assert_allclose(ends, [-np.inf, np.log(4 / np.sqrt(2 * np.pi)), -np.inf])


def test_far_tails_stay_exact():
    """Φ(10) rounds to 1, but the density of the normal there does not depend on that."""
    y = np.array([[-10.0], [10.0]])
    np.testing.assert_allclose(
        Pushforward(NORMAL_QUANTILE).log_density(y), scipy.stats.norm.logpdf(y[:, 0]), rtol=1e-12
    )


def test_a_pushforward_can_be_the_base_of_another():
    twice = Pushforward(SQUARE, Pushforward(NORMAL_QUANTILE, UNIFORM))
    y = np.linspace(0.01, 9, 50)
    np.testing.assert_allclose(
        twice.log_density(y[:, None]), scipy.stats.chi2(1).logpdf(y), rtol=1e-9
    )


def test_a_fitted_estimator_as_base():
    x = np.random.default_rng(0).standard_normal((100, 1)) + 1
    y = np.array([[0.5], [2.0]])
    for base in (Gaussian().fit(x), ParzenWindow(0.3).fit(x)):
        roots = np.sqrt(y)
        both = np.exp(base.log_density(roots)) + np.exp(base.log_density(-roots))
        np.testing.assert_allclose(
            np.exp(Pushforward(SQUARE, base).log_density(y)), both / (2 * roots[:, 0])
        )


def test_bad_input():
    with pytest.raises(TypeError, match="Map"):
        Pushforward(np.square)
    with pytest.raises(TypeError, match="log_density and sample"):
        Pushforward(SQUARE, scipy.stats.norm())
    with pytest.raises(ValueError, match="fitted"):
        Pushforward(SQUARE, Gaussian())
    with pytest.raises(ValueError, match=r"\(n, 1\)"):
        Pushforward(SQUARE, Known(scipy.stats.multivariate_normal([0, 0])))
    pushforward = Pushforward(SQUARE)
    with pytest.raises(ValueError, match=r"\(n, 1\)"):
        pushforward.log_density(np.zeros((3, 2)))
    with pytest.raises(ValueError, match=r"y\[:, None\]"):
        pushforward.log_density(np.zeros(3))
    with pytest.raises(TypeError, match="rng"):
        pushforward.sample(3, 0)
