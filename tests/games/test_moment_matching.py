"""MMD² against a double loop over all pairs, its gradient, and the game that uses it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import approx_fprime
from scipy.spatial.distance import cdist
from scipy.stats import norm

from minigan import (
    SGD,
    Adam,
    Conv2d,
    Dense,
    LinearDecay,
    MomentMatching,
    NormalLatent,
    ReLU,
    Reshape,
    Sequential,
    Tanh,
    TrainingDiverged,
    compare_gradients,
    get_backend,
    mmd_squared,
    train,
    witness,
)
from minigan.data import Batches, toy
from minigan.games import moment_matching
from minigan.metrics import mode_coverage

BACKEND = get_backend("numpy")
both = pytest.mark.parametrize("unbiased", [False, True], ids=["biased", "unbiased"])


def mmd(x, y, bandwidths=(0.5, 2.0), unbiased=False):
    return mmd_squared(x, y, list(bandwidths), backend=BACKEND, unbiased=unbiased)


def double_loop(x, y, bandwidths, unbiased):
    """Gretton et al. 2012, equations 5 (biased) and 3 (unbiased), pair by pair."""

    def k(a, b):
        return sum(np.exp(-np.sum((a - b) ** 2) / (2 * s * s)) for s in bandwidths)

    def mean_within(points):
        pairs = [
            k(a, b)
            for i, a in enumerate(points)
            for j, b in enumerate(points)
            if i != j or not unbiased
        ]
        return sum(pairs) / len(pairs)

    across = [k(a, b) for a in x for b in y]
    return mean_within(x) + mean_within(y) - 2 * sum(across) / len(across)


def samples(n, m, features, seed=0, shift=0.5):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, features)), rng.normal(shift, 1.3, size=(m, features))


@both
@settings(max_examples=10)
@given(
    n=st.integers(2, 7),
    m=st.integers(2, 7),
    features=st.integers(1, 4),
    seed=st.integers(0, 99),
    bandwidths=st.lists(st.sampled_from([0.3, 1.0, 4.0]), min_size=1, max_size=3),
)
def test_value(unbiased, n, m, features, seed, bandwidths):
    x, y = samples(n, m, features, seed)
    value, gradient = mmd(x, y, bandwidths, unbiased)
    assert value == pytest.approx(double_loop(x, y, bandwidths, unbiased), abs=1e-12)
    assert gradient.shape == y.shape


@both
@settings(max_examples=10)
@given(n=st.integers(2, 6), m=st.integers(2, 6), seed=st.integers(0, 99))
def test_gradient(unbiased, n, m, seed):
    x, y = samples(n, m, 3, seed)
    _, gradient = mmd(x, y, unbiased=unbiased)
    report = compare_gradients(
        lambda: mmd(x, y, unbiased=unbiased)[0], {"y": y}, {"y": gradient}, max_entries=8
    )
    assert report.passed and report.relative_error < 1e-6, str(report)


@both
def test_gradient_by_scipy_of_the_double_loop(unbiased):
    x, y = samples(4, 3, 2)
    numerical = approx_fprime(
        y.ravel(), lambda v: double_loop(x, v.reshape(3, 2), (0.5, 2.0), unbiased)
    )
    np.testing.assert_allclose(mmd(x, y, unbiased=unbiased)[1].ravel(), numerical, atol=1e-7)


def test_biased_is_zero_for_the_same_sample_and_never_negative():
    x, y = samples(20, 20, 3)
    value, gradient = mmd(x, x[::-1].copy())
    assert value == pytest.approx(0, abs=1e-13)
    np.testing.assert_allclose(gradient, 0, atol=1e-13)
    assert all(mmd(*samples(5, 4, 2, seed, 0))[0] > 0 for seed in range(20))
    assert mmd(x, y)[0] > 0.01


def test_unbiased_is_zero_on_average():
    """Both samples of one distribution: the mean of 500 estimates is zero within four standard
    errors, that of the biased ones is not."""

    def estimates(unbiased):
        rng = np.random.default_rng(0)
        return np.array(
            [mmd(*rng.normal(size=(2, 8, 2)), unbiased=unbiased)[0] for _ in range(500)]
        )

    def z_score(values):
        return values.mean() / (values.std(ddof=1) / np.sqrt(len(values)))

    assert abs(z_score(estimates(True))) < 4 < 50 < z_score(estimates(False))
    assert estimates(True).min() < 0


def test_known_distance_of_two_normals():
    """k a Gaussian of width s, x ~ N(0, 1), y ~ N(d, 1): a mean of k is, up to a factor, a normal
    density of variance s² + 2, so MMD² = 2 s / √(s² + 2) · (1 − exp(−d² / 2 (s² + 2)))."""
    s, d = 1.5, 1.0
    x = norm.ppf((np.arange(400) + 0.5) / 400)[:, None]  # as even as 400 samples can be
    exact = 2 * s / np.sqrt(s * s + 2) * (1 - np.exp(-d * d / (2 * (s * s + 2))))
    assert mmd(x, x + d, [s])[0] == pytest.approx(exact, 1e-3)


@both
@pytest.mark.parametrize("n, m", [(300, 520), (257, 256), (512, 5)])
def test_more_rows_than_a_chunk(unbiased, n, m, monkeypatch):
    x, y = samples(n, m, 3)
    value, gradient = mmd(x, y, unbiased=unbiased)

    def total(a, b):
        return sum(np.exp(cdist(a, b, "sqeuclidean") / (-2 * s * s)).sum() for s in (0.5, 2.0))

    off = 1 if unbiased else 0
    expected = sum((total(a, a) - 2 * off * len(a)) / (len(a) * (len(a) - off)) for a in (x, y))
    assert value == pytest.approx(expected - 2 * total(x, y) / (n * m), rel=1e-9)
    monkeypatch.setattr(moment_matching, "ROWS", 10_000)
    whole, of_whole = mmd(x, y, unbiased=unbiased)
    assert value == pytest.approx(whole, rel=1e-10)
    np.testing.assert_allclose(gradient, of_whole, rtol=1e-9, atol=1e-14)


def test_chunks_of_any_size(monkeypatch):
    x, y = samples(7, 5, 2)
    value, gradient = mmd(x, y)
    for rows in (1, 2, 3, 5, 7):
        monkeypatch.setattr(moment_matching, "ROWS", rows)
        chunked, of_chunks = mmd(x, y)
        assert chunked == pytest.approx(value, 1e-12)
        np.testing.assert_allclose(of_chunks, gradient, rtol=1e-12, atol=1e-15)


def test_pulls_towards_the_data():
    """One fake beside the data: minus the gradient points at them, and far apart it vanishes."""
    x = np.zeros((5, 2))
    _, gradient = mmd(x, np.array([[1.0, 2.0]]), [1.0])
    assert (gradient > 0).all()
    assert gradient[0, 1] == pytest.approx(2 * gradient[0, 0], 1e-9)
    assert abs(mmd(x, np.array([[100.0, 0.0]]), [1.0])[1]).max() < 1e-30


@both
def test_digits_far_from_the_origin(unbiased):
    """float32 samples with their centres at 3,000: as in float64, to what float32 can tell.

    The coordinates are multiples of 1/256, so that the shift itself rounds nothing. By the norms
    as they are, squares of 2 · 10⁷ would leave a distance with no digit behind the point.
    """
    x, y = (np.round(256 * a) / 256 for a in samples(40, 30, 2))
    value, gradient = mmd(x, y, unbiased=unbiased)
    shifted = [(a + np.array([3000, -3000])).astype("float32") for a in (x, y)]
    found, of_shifted = mmd(*shifted, unbiased=unbiased)
    assert found == pytest.approx(value, rel=1e-4)
    np.testing.assert_allclose(of_shifted, gradient, atol=1e-4 * abs(gradient).max())


@pytest.mark.parametrize(
    "x, y, message",
    [
        (np.ones((4, 3)), np.ones((4, 2)), "x has 3 features and y 2: expected as many"),
        (np.ones(4), np.ones((4, 1)), r"x: expected shape \(N, D\) with N > 0, got \(4,\)"),
        (np.ones((4, 1)), np.ones((4, 1, 1)), r"y: expected shape \(N, D\)"),
        (np.ones((4, 2)), np.ones((0, 2)), r"y: expected shape \(N, D\) with N > 0"),
    ],
)
def test_samples_that_do_not_fit(x, y, message):
    with pytest.raises(ValueError, match=message):
        mmd(x, y)


def test_samples_are_arrays():
    with pytest.raises(TypeError, match=r"x: expected a numpy\.ndarray"):
        mmd([[1.0]], np.ones((1, 1)))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_dtype_is_kept(dtype):
    x, y = (a.astype(dtype) for a in samples(5, 4, 3))
    value, gradient = mmd(x, y)
    assert value.dtype == gradient.dtype == dtype


def test_one_sample_has_no_unbiased_estimate():
    """Its only pair is the one with itself."""
    x, y = samples(1, 4, 2)
    for pair in ((x, y), (y, x)):
        with pytest.raises(ValueError, match="unbiased"):
            mmd(*pair, unbiased=True)


# --- The game ------------------------------------------------------------------------------------


def build(layers, dtype="float64", lr=1e-2, optimizer=SGD, **options):
    G = Sequential(layers, (2,), rng=1, dtype=dtype)
    options = {"bandwidths": [1.0, 3.0], "latent": NormalLatent(2), "rng": 0} | options
    return MomentMatching(G, optimizer(G, lr), **options)


def dense():
    return [Dense(2, 8), Tanh(), Dense(8, 2)]


def images():
    return [Dense(2, 18), Reshape(3, 3, 2), Tanh(), Conv2d(2, 1, 2)]


@both
@pytest.mark.parametrize("layers, shape", [(dense, (2,)), (images, (2, 2, 1))])
def test_gradient_of_the_generator(layers, shape, unbiased):
    game, rng = build(layers(), unbiased=unbiased), np.random.default_rng(2)
    x, z = rng.normal(size=(6, *shape)), rng.normal(size=(5, 2))
    game.generator.gradients[...] = 9  # set, not added to
    game.generator_gradients(x, z)
    report = compare_gradients(
        lambda: game.generator_gradients(x, z)["generator_loss"],
        game.generator.named_parameters(),
        {name: g.copy() for name, g in game.generator.named_gradients().items()},
        max_entries=12,
    )
    assert report.passed and report.relative_error < 1e-6, str(report)


def test_learns_a_shifted_normal():
    rng = np.random.default_rng(3)
    game = build(dense(), lr=0.02, optimizer=Adam)
    batches = (rng.normal([2, -1], 0.5, size=(64, 2)) for _ in range(150))
    records = list(train(game, batches, 150))
    assert records[-1].generator_loss < 0.2 * records[0].generator_loss
    fakes = game.sample(1000, 5)
    np.testing.assert_allclose(fakes.mean(axis=0), [2, -1], atol=0.3)
    assert game.steps == 150 and fakes.shape == (1000, 2)


def test_covers_the_ring():
    """Eight modes of width 0.01 on a circle of radius 1; s = 1 alone would reach no 1 % of HQ."""
    bandwidths = [0.05, 0.1, 0.2, 0.5, 1.0]
    ring = toy("ring")
    G = Sequential([Dense(2, 64), ReLU(), Dense(64, 64), ReLU(), Dense(64, 2)], (2,), rng=0)
    options = {"bandwidths": bandwidths, "schedule": LinearDecay(1000, hold=0.5)}
    game = MomentMatching(G, Adam(G, 1e-2), latent=NormalLatent(2), rng=0, **options)
    for _ in train(game, Batches(ring, 128, np.random.default_rng(100)), 1000):
        pass
    found = mode_coverage(game.sample(2500, 9), ring.means, ring.sigma)
    assert found.modes == 8 and found.high_quality > 0.15
    assert found.reverse_kl < np.log(2)  # what only half of the modes would have, at least


def test_same_seed_same_bits():
    def run():
        game = build(dense(), "float32")
        batch = np.random.default_rng(1).normal(size=(8, 2))
        list(train(game, iter([batch] * 3), 3))
        return game.generator.parameters.tobytes(), game.sample(4, 9).tobytes()

    assert run() == run()


def test_schedule_scales_the_step():
    def moved(factor):
        game = build(dense(), schedule=lambda step: factor)
        before = game.generator.parameters.copy()
        game.step(iter([np.ones((4, 2))]))
        return game.generator.parameters - before

    np.testing.assert_allclose(moved(0.5), moved(1.0) / 2, rtol=1e-10)
    assert moved(1.0).any()


def test_divergence_stops_before_the_update():
    game = build(dense())
    before = game.generator.parameters.copy()
    with pytest.raises(TrainingDiverged, match=r"step 1.*generator"):
        game.step(iter([np.full((4, 2), np.nan)]))
    np.testing.assert_array_equal(game.generator.parameters, before)


@pytest.mark.parametrize("bandwidths", [[], [0.0], [1.0, -1.0], [float("nan")], [float("inf")]])
def test_bad_bandwidths(bandwidths):
    with pytest.raises(ValueError, match="bandwidths"):
        build(dense(), bandwidths=bandwidths)
    with pytest.raises(ValueError, match="bandwidths"):
        mmd(*samples(4, 3, 2), bandwidths)


def test_samples_of_another_shape_than_the_generator_makes():
    with pytest.raises(
        ValueError, match=r"real samples: expected shape \(N, 2, 2, 1\) with N > 0, got \(5, 4\)"
    ):
        build(images()).step(iter([np.ones((5, 4))]))


def test_parts_that_do_not_fit():
    G, other = (Sequential(dense(), (2,), rng=0) for _ in range(2))
    options = {"bandwidths": [1.0], "rng": 0}
    with pytest.raises(ValueError, match="another network"):
        MomentMatching(G, SGD(other), latent=NormalLatent(2), **options)
    with pytest.raises(ValueError, match=r"\(2,\).*\(3,\)"):
        MomentMatching(G, SGD(G), latent=NormalLatent(3), **options)
    for name, bad in (("latent", None), ("schedule", 0.5)):
        with pytest.raises(TypeError, match=f"{name}: expected"):
            build(dense(), **{name: bad})
    with pytest.raises(TypeError, match="optimizer: expected an Optimizer, got None"):
        build(dense(), optimizer=lambda G, lr: None)
    with pytest.raises(TypeError, match="rng"):
        MomentMatching(G, SGD(G), latent=NormalLatent(2), bandwidths=[1.0], rng=None)


def test_witness_tells_the_samples_apart():
    """MMD² is the difference of its means over both samples; one column, chunk by chunk."""
    rng = np.random.default_rng(8)
    x, y = rng.normal(size=(300, 2)), rng.normal([1, 0], 0.5, size=(280, 2))
    widths = [0.3, 1.0]
    over_x, over_y = (witness(points, x, y, widths, backend=BACKEND) for points in (x, y))
    assert over_x.shape == (300, 1)
    value, _ = mmd_squared(x, y, widths, backend=BACKEND)
    assert over_x.mean() - over_y.mean() == pytest.approx(value, rel=1e-10)
    at = np.array([[0.5, -0.2]])
    direct = sum(
        sign * np.exp(-((at - sample) ** 2).sum(axis=1) / (2 * s * s)).mean()
        for sign, sample in ((1, x), (-1, y))
        for s in widths
    )
    assert witness(at, x, y, widths, backend=BACKEND)[0, 0] == pytest.approx(direct, rel=1e-10)
