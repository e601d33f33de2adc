"""Gradient penalties: values by their definition, gradients by two oracles, and the corners.

The first oracle is `gradcheck`, central differences of the penalty. The second knows nothing of
backward passes: a critic's forward pass written out in plain NumPy, whose gradient in x comes
from finite differences and whose gradient in the weights from a complex step.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import approx_fprime
from scipy.stats import kstest

from minigan import (
    DRAGAN,
    GAN,
    R1,
    R2,
    SGD,
    WGANGP,
    BatchNorm,
    Conv2d,
    ConvTranspose2d,
    Dense,
    Dropout,
    Flatten,
    LayerNorm,
    LeakyReLU,
    NormalLatent,
    OneSidedPenalty,
    Pack,
    Reshape,
    Sequential,
    Sigmoid,
    Softplus,
    SpectralNorm,
    Tanh,
    WeightClipping,
    compare_gradients,
    gradcheck,
)
from minigan.regularizers import Regularizer

ACTIVATIONS = {"leaky ReLU": LeakyReLU, "tanh": Tanh, "softplus": Softplus, "sigmoid": Sigmoid}
PENALTIES = {
    "WGANGP": WGANGP,
    "OneSidedPenalty": OneSidedPenalty,
    "DRAGAN": DRAGAN,
    "R1": R1,
    "R2": R2,
}
CRITICS = {
    "dense": lambda act: ([Dense(3, 5), LayerNorm(5), act(), Dense(5, 4), act()], (3,)),
    "convolutional": lambda act: (
        [Conv2d(2, 3, 3, 2, 1), LayerNorm(3), act(), Conv2d(3, 2, 2), act(), Flatten()],
        (5, 4, 2),
    ),
    "transposed": lambda act: (
        [
            *[Reshape(2, 2, 2), ConvTranspose2d(2, 3, 3, 2, 1, 1), act(), LayerNorm(3)],
            *[Conv2d(3, 2, 3, (2, 1)), act(), Flatten()],
        ],
        (8,),
    ),
}
activations = pytest.mark.parametrize("activation", ACTIVATIONS)
penalties = pytest.mark.parametrize("penalty", PENALTIES)


def critic(layers, shape, randomized, seed=0):
    """The layers, which end in features, and one more that makes them a logit of slopes near 1.

    Slopes on both sides of 1, and more of them above: a one-sided penalty is not zero.
    """
    features = Sequential(layers, shape, rng=0).output_shape
    for layer in layers:
        layer.network = None
    network = randomized([*layers, Dense(*features, 1)], shape, seed)
    _, caches = network.forward(np.random.default_rng(seed).normal(size=(32, *shape)))
    g = network.backward(np.ones((32, 1)), caches, parameter_gradients=False)
    network.layers[-1].weight *= 1.3 / np.median(np.linalg.norm(g.reshape(32, -1), axis=1))
    return network


def batches(shape, n=4, seed=1):
    return np.random.default_rng(seed).normal(size=(2, n, *shape))


def check_along_directions(penalty, network, real, fake):
    """Each parameter array moved along one random direction: all of its entries at once."""
    rng, views = np.random.default_rng(5), network.named_parameters()
    start = {name: w.copy() for name, w in views.items()}
    directions = {name: rng.normal(size=w.shape) for name, w in views.items()}
    network.zero_gradients()
    penalty.penalize(network, real, fake, np.random.default_rng(6))
    slopes = {
        name: np.atleast_1d((g * directions[name]).sum())
        for name, g in network.named_gradients().items()
    }
    moved = {name: np.zeros(1) for name in views}

    def value():
        for name, w in views.items():
            w[...] = start[name] + moved[name] * directions[name]
        return penalty.penalize(network, real, fake, np.random.default_rng(6))

    report = compare_gradients(value, moved, slopes)
    assert report.passed and report.relative_error < 1e-6, str(report)
    assert any(slopes.values())  # a penalty that is zero would prove nothing


@penalties
@activations
@pytest.mark.parametrize("kind", CRITICS)
def test_gradient(kind, activation, penalty, randomized):
    network = critic(*CRITICS[kind](ACTIVATIONS[activation]), randomized)
    check_along_directions(PENALTIES[penalty](3.0), network, *batches(network.input_shape))


@st.composite
def random_critic(draw, activation):
    """Layers of random sizes: two affine ones, LayerNorm or not, and smooth or kinked between."""
    kind, sizes = draw(st.sampled_from(sorted(CRITICS))), st.integers(1, 4)
    a, b, c = draw(sizes), draw(st.integers(2, 4)), draw(sizes)
    norm = [LayerNorm(b, eps=0.1)] * draw(st.integers(0, 1))
    if kind == "dense":
        return [Dense(a, b), *norm, activation(), Dense(b, c), activation()], (a,)
    size = draw(st.tuples(st.integers(2, 4), st.integers(2, 4)))
    kernel, stride = draw(st.tuples(st.integers(1, 2), st.integers(1, 2))), draw(st.integers(1, 2))
    make = Conv2d if kind == "convolutional" else ConvTranspose2d
    first = make(a, b, kernel, stride, bias=draw(st.booleans()))
    return [first, *norm, activation(), Flatten()], (*size, a)


@activations
@settings(max_examples=10)
@given(data=st.data())
def test_gradient_for_random_critics(activation, randomized, data):
    layers, shape = data.draw(random_critic(ACTIVATIONS[activation]))
    network = critic(layers, shape, randomized, data.draw(st.integers(0, 99)))
    penalty = PENALTIES[data.draw(st.sampled_from(sorted(PENALTIES)))](5.0)
    x = batches(shape, data.draw(st.integers(1, 5)), seed=data.draw(st.integers(0, 99)))
    report = gradcheck(penalty, network, *x, max_entries=3)
    assert report.passed and report.relative_error < 1e-6, str(report)


def test_gradient_of_packed_samples(randomized):
    network = randomized([Pack(2), Dense(4, 5), Tanh(), Dense(5, 1)], (2,))
    network.layers[-1].weight *= 4  # slopes above 1
    for penalty in PENALTIES.values():
        report = gradcheck(penalty(3.0), network, *batches((2,)), max_entries=4)
        assert report.passed and report.relative_error < 1e-6, str(report)


def test_gradient_through_spectral_norm(randomized):
    """With converged vectors: before that, σ's gradient leaves out their movement."""
    layers = [SpectralNorm(Dense(3, 6)), Tanh(), SpectralNorm(Dense(6, 1))]
    network = randomized(layers, (3,))
    for _ in range(300):
        network.forward(np.ones((2, 3)))
    report = gradcheck(WGANGP(3.0), network, *batches((3,)))
    assert report.passed, str(report)


def points_of(regularizer, real, fake, seed=4):
    """The points that a penalty takes with numbers from default_rng(seed)."""
    rng = np.random.default_rng(seed)
    return regularizer.points(real, fake, lambda *shape: rng.random(shape), lambda part: part)


# --- An oracle without backward passes -----------------------------------------------------------

RHO = {
    "WGANGP": lambda n: (n - 1) ** 2,
    "OneSidedPenalty": lambda n: np.where(n.real > 1, (n - 1) ** 2, 0),
    "DRAGAN": lambda n: (n - 1) ** 2,
    "R1": lambda n: n**2 / 2,
    "R2": lambda n: n**2 / 2,
}
FORMULA = {  # for complex numbers too
    "leaky ReLU": lambda a: np.where(a.real > 0, a, 0.2 * a),
    "tanh": np.tanh,
    "softplus": lambda a: np.log(1 + np.exp(a)),
    "sigmoid": lambda a: 1 / (1 + np.exp(-a)),
}


def plain_critic(w, x, f):
    """Dense(3, 4), LayerNorm(4), f, Dense(4, 2), f, Dense(2, 1) from the flat parameters w."""
    sizes, parts = (12, 4, 4, 4, 8, 2, 2, 1), []
    for size in sizes:
        parts.append(w[:size])
        w = w[size:]
    w1, b1, gamma, beta, w2, b2, w3, b3 = parts
    a = x @ w1.reshape(3, 4) + b1
    centred = a - a.mean(axis=1, keepdims=True)
    a = gamma * centred / np.sqrt((centred**2).mean(axis=1, keepdims=True) + 1e-5) + beta
    return f(f(a) @ w2.reshape(4, 2) + b2) @ w3 + b3[0]


STEPS = np.array([[1], [2], [3]])


def plain_gradient(w, x, f, h=2e-3):
    """∂D/∂x by central differences of order 6."""
    columns = []
    for e in np.eye(x.shape[1]):
        d = [
            plain_critic(w, x + k * h * e, f) - plain_critic(w, x - k * h * e, f) for k in (1, 2, 3)
        ]
        columns.append((45 * d[0] - 9 * d[1] + d[2]) / (60 * h))
    return np.stack(columns, axis=1)


@penalties
@activations
def test_second_oracle(activation, penalty, randomized):
    act, f = ACTIVATIONS[activation], FORMULA[activation]
    network = critic([Dense(3, 4), LayerNorm(4), act(), Dense(4, 2), act()], (3,), randomized, 8)
    regularizer = PENALTIES[penalty](3.0)
    real, fake = batches((3,), 5, seed=9)
    points = points_of(regularizer, real, fake)

    def value(w):
        g = plain_gradient(w, points, f)
        return 3.0 * RHO[penalty](np.sqrt((g**2).sum(axis=1))).mean()

    found = regularizer.penalize(network, real, fake, np.random.default_rng(4))
    assert found == pytest.approx(value(network.parameters), 1e-8)
    steps = 1e-30j * np.eye(network.parameters.size)
    exact = np.array([value(network.parameters + step).imag / 1e-30 for step in steps])
    error = abs(network.gradients - exact).max() / abs(exact).max()
    assert error < 1e-6


@pytest.mark.parametrize("penalty", ["WGANGP", "R1"])
def test_closed_form_of_a_tiny_critic(penalty, randomized):
    """D = tanh(x W + b) v: g = W (v · (1 − tanh²)), and SciPy differentiates the penalty."""
    network = randomized([Dense(2, 3), Tanh(), Dense(3, 1)], (2,), 3)
    real, fake = batches((2,))
    regularizer = PENALTIES[penalty](2.0)
    points = points_of(regularizer, real, fake)

    def value(w):
        W, b, v = w[:6].reshape(2, 3), w[6:9], w[9:12]
        g = (v * (1 - np.tanh(points @ W + b) ** 2)) @ W.T
        return 2 * RHO[penalty](np.sqrt((g**2).sum(axis=1))).mean()

    found = regularizer.penalize(network, real, fake, np.random.default_rng(4))
    assert found == pytest.approx(value(network.parameters), 1e-12)
    numerical = approx_fprime(network.parameters, value)
    np.testing.assert_allclose(network.gradients, numerical, atol=1e-6 * abs(numerical).max())


# --- What a penalty is ---------------------------------------------------------------------------

LINEAR = {  # D(x) = ⟨w, x⟩ has the gradient w everywhere: penalty and its derivative by ‖w‖
    "WGANGP": lambda n: ((n - 1) ** 2, 2 * (n - 1)),
    "OneSidedPenalty": lambda n: (max(n - 1, 0) ** 2, 2 * max(n - 1, 0)),
    "DRAGAN": lambda n: ((n - 1) ** 2, 2 * (n - 1)),
    "R1": lambda n: (n * n / 2, n),
    "R2": lambda n: (n * n / 2, n),
}


@pytest.mark.parametrize("length", [0.3, 1.0, 2.5])
@penalties
def test_linear_critic(penalty, length):
    network = Sequential([Flatten(), Dense(12, 1)], (2, 3, 2), rng=0, dtype="float64")
    w = network.named_parameters()["1.weight"]
    w *= length / np.linalg.norm(w)
    found = PENALTIES[penalty](7.0).penalize(network, *batches((2, 3, 2)), np.random.default_rng(0))
    value, slope = LINEAR[penalty](length)
    assert found == pytest.approx(7 * value, abs=1e-12)
    gradient = network.named_gradients()["1.weight"]
    np.testing.assert_allclose(gradient, 7 * slope * w / length, atol=1e-12)


@penalties
@pytest.mark.parametrize("kind", CRITICS)
def test_value_by_definition(kind, penalty, randomized):
    """One norm a sample, over all its axes; the gradient of each sample taken by itself."""
    network = critic(*CRITICS[kind](Softplus), randomized)
    real, fake = batches(network.input_shape)
    regularizer = PENALTIES[penalty](3.0)
    norms = []
    for x in points_of(regularizer, real, fake):
        flat = approx_fprime(x.ravel(), lambda v, x=x: network(v.reshape(1, *x.shape))[0, 0])
        norms.append(np.linalg.norm(flat))
    found = regularizer.penalize(network, real, fake, np.random.default_rng(4))
    assert found == pytest.approx(3 * RHO[penalty](np.array(norms)).mean(), 1e-5)


def alphas(n, shape):
    """Between samples of ones and fakes of zeros, the points are the α themselves."""
    return points_of(WGANGP(), np.ones((n, *shape)), np.zeros((n, *shape)))


@pytest.mark.parametrize("shape", [(3,), (4, 3, 2)])
def test_one_alpha_for_each_sample(shape):
    """Bug 8: not one for the batch, and not one for each number."""
    points = alphas(6, shape).reshape(6, -1)
    assert len(np.unique(points)) == 6
    np.testing.assert_array_equal(points, points[:, :1].repeat(points.shape[1], axis=1))


def test_alpha_is_uniform():
    """Bug 8: not from a normal."""
    alpha = alphas(4000, (1,)).ravel()
    assert 0 <= alpha.min() and alpha.max() <= 1
    assert kstest(alpha, "uniform").pvalue > 0.01


def test_points_of_wgangp_lie_on_the_lines():
    real, fake = batches((3, 2), 5)
    alpha = np.random.default_rng(4).random((5, 1, 1))
    expected = alpha * real + (1 - alpha) * fake
    np.testing.assert_allclose(points_of(WGANGP(), real, fake), expected, atol=1e-14)
    np.testing.assert_allclose(points_of(OneSidedPenalty(), real, fake), expected, atol=1e-14)


def test_points_of_dragan():
    """α δ with one uniform α a sample, δ uniform up to half of the data's deviation."""
    real = np.random.default_rng(0).normal(2, 3, size=(500, 20, 20))
    offset = (points_of(DRAGAN(), real, real + 100) - real) / (real.std() / 2)
    assert 0 <= offset.min() and offset.max() <= 1
    alpha = offset.max(axis=(1, 2))  # of 400 uniform numbers, one is close to 1
    assert kstest(alpha, "uniform").pvalue > 0.01
    delta = (offset / alpha[:, None, None]).ravel()
    assert kstest(delta[::50], "uniform").pvalue > 0.01


def test_r1_and_r2_take_the_samples_themselves():
    real, fake = batches((3,))
    assert points_of(R1(), real, fake) is real and points_of(R2(), real, fake) is fake


@penalties
def test_randomness_comes_from_the_generator_given(penalty, randomized):
    network = critic(*CRITICS["dense"](Tanh), randomized)

    def run(seed):
        rng = np.random.default_rng(seed)
        network.zero_gradients()
        value = PENALTIES[penalty]().penalize(network, *batches((3,)), rng)
        return value, network.gradients.tobytes(), rng.random()

    assert run(1) == run(1)
    random = penalty not in ("R1", "R2")
    assert (run(1)[0] != run(2)[0]) == random
    assert (run(1)[2] != np.random.default_rng(1).random()) == random


@penalties
def test_adds_gradients_and_changes_nothing_else(penalty, randomized):
    network = critic(*CRITICS["convolutional"](Tanh), randomized)
    real, fake = batches(network.input_shape)
    before = network.parameters.copy(), real.copy(), fake.copy()
    PENALTIES[penalty]().penalize(network, real, fake, np.random.default_rng(1))
    once = network.gradients.copy()
    assert once.any()
    PENALTIES[penalty]().penalize(network, real, fake, np.random.default_rng(1))
    np.testing.assert_allclose(network.gradients, 2 * once, rtol=1e-12)
    for kept, now in zip(before, (network.parameters, real, fake), strict=True):
        np.testing.assert_array_equal(kept, now)


@penalties
def test_is_a_mean_over_samples(penalty, randomized):
    """A batch twice over: R1 and R2 stay as they are; so do the others with the same points."""
    network = critic(*CRITICS["dense"](Tanh), randomized)
    regularizer, x = PENALTIES[penalty](3.0), batches((3,))[0]

    def run(points):
        network.zero_gradients()
        return regularizer.add_penalty(network, points), network.gradients.copy()

    (once, gradient), (twice, of_twice) = run(x), run(np.tile(x, (2, 1)))
    assert once == pytest.approx(twice, 1e-12)
    np.testing.assert_allclose(of_twice, gradient, atol=1e-12)


@penalties
def test_weight_is_a_factor(penalty, randomized):
    network = critic(*CRITICS["dense"](Tanh), randomized)
    real, fake = batches((3,))
    value = PENALTIES[penalty](1.0).penalize(network, real, fake, np.random.default_rng(1))
    once = network.gradients.copy()
    network.zero_gradients()
    more = PENALTIES[penalty](4.0).penalize(network, real, fake, np.random.default_rng(1))
    assert more == pytest.approx(4 * value, 1e-12)
    np.testing.assert_allclose(network.gradients, 4 * once, rtol=1e-12)


@penalties
def test_lazy_penalty(penalty, randomized):
    """In one step of three, three times the penalty: the same on average."""
    network = critic(*CRITICS["dense"](Tanh), randomized)
    real, fake = batches((3,))

    def run(regularizer, step):
        network.zero_gradients()
        value = regularizer.penalize(network, real, fake, np.random.default_rng(1), step)
        return value, network.gradients.copy()

    always, gradient = run(PENALTIES[penalty](2.0), 5)
    lazy = PENALTIES[penalty](2.0, every=3)
    for step in range(7):
        value, of_step = run(lazy, step)
        factor = 3 if step % 3 == 0 else 0
        assert value == pytest.approx(factor * always, 1e-12)
        np.testing.assert_allclose(of_step, factor * gradient, rtol=1e-9, atol=1e-12)


# --- Corners -------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@penalties
@pytest.mark.parametrize("kind", CRITICS)
def test_zero_gradient_is_finite(kind, penalty, dtype, randomized):
    """Bug 8: at ‖g‖ = 0 the square root has no derivative; an all-zero critic is at that point."""
    layers, shape = CRITICS[kind](LeakyReLU)
    network = critic(layers, shape, randomized).clone(dtype=dtype)
    network.parameters[...] = 0
    real, fake = batches(shape).astype(dtype)
    value = PENALTIES[penalty](3.0).penalize(network, real, fake, np.random.default_rng(0))
    assert value == (3 if penalty in ("WGANGP", "DRAGAN") else 0)
    assert np.isfinite(network.gradients).all() and value.dtype == dtype


@penalties
def test_some_zero_gradients_leave_the_others_right(penalty):
    """Samples where every unit of a ReLU is off count in the mean and have no gradient."""
    network = Sequential([Dense(1, 2), LeakyReLU(0), Dense(2, 1)], (1,), rng=0, dtype="float64")
    network.parameters[...] = [0.7, 1.9, 0, 0, 0.5, 1.1, 0.3]
    x = np.array([[1.0], [-1.0], [2.0], [-2.0]])
    regularizer = PENALTIES[penalty](3.0)
    value = regularizer.add_penalty(network, x)
    gradient = network.gradients.copy()
    network.zero_gradients()
    on = regularizer.add_penalty(network, x[::2])
    zero = regularizer.rho(np.zeros((1, 1)))[0].item()
    assert value == pytest.approx((on + 3 * zero) / 2, 1e-12)
    np.testing.assert_allclose(gradient, network.gradients / 2, rtol=1e-12)
    assert gradient.any()


def game(layers, shape, regularizer, objective="non-saturating", **options):
    G = Sequential(
        [Dense(2, 6), Tanh(), Dense(6, int(np.prod(shape))), Reshape(*shape)], (2,), rng=1
    )
    D = Sequential(layers, shape, rng=2)
    options = {"generator_optimizer": SGD(G), "discriminator_optimizer": SGD(D)} | options
    return GAN(G, D, objective, latent=NormalLatent(2), rng=0, regularizer=regularizer, **options)


@pytest.mark.parametrize("layer, why", [(BatchNorm, "batch norm"), (Dropout, "every pass")])
@penalties
def test_layers_that_refuse_a_penalty(penalty, layer, why):
    """Bug 8: batch norm under a gradient penalty; said when the game is made, not later."""
    bad = BatchNorm(4) if layer is BatchNorm else Dropout(0.5)
    layers = [Dense(3, 4), LeakyReLU(), bad, Dense(4, 1)]
    with pytest.raises(ValueError, match=rf"layer 2: {layer.__name__}\(.*gradient penalty.*{why}"):
        game(layers, (3,), PENALTIES[penalty]())


@pytest.mark.parametrize("regularizer", [None, WeightClipping(0.1)], ids=repr)
def test_batch_norm_and_dropout_without_a_penalty(regularizer):
    made = game([Dense(3, 4), BatchNorm(4), Dropout(), Dense(4, 1)], (3,), regularizer)
    made.step(iter([np.ones((4, 3))]))


@penalties
def test_in_a_game(penalty):
    """The discriminator's loss holds the penalty, and its gradients are those of the loss."""
    layers, shape = CRITICS["dense"](Tanh)
    made = game([*layers, Dense(4, 1)], shape, PENALTIES[penalty](3.0), "wasserstein")
    report = gradcheck(made, batches(shape)[0], max_entries=3)
    assert report.passed and report.relative_error < 1e-6, str(report)


def test_lazy_in_a_game():
    """The penalty of steps 0, 4, 8 ... of training."""
    layers, shape = CRITICS["dense"](Tanh)
    made = game([*layers, Dense(4, 1)], shape, regularizer := R1(3.0, every=4))
    seen, penalize = [], regularizer.penalize
    regularizer.penalize = lambda *args: seen.append(penalize(*args)) or seen[-1]
    for made.steps in range(9):
        made.step(iter([np.ones((4, 3))]))
    assert [value > 0 for value in seen] == [step % 4 == 0 for step in range(9)]


def test_regularizer_does_nothing():
    network = Sequential([Dense(2, 1)], (2,), rng=0)
    before, nothing = network.parameters.copy(), Regularizer()
    nothing.check(network)
    nothing.constrain(network)
    assert nothing.penalize(network, None, None, None) == 0
    np.testing.assert_array_equal(network.parameters, before)


# --- Weight clipping -----------------------------------------------------------------------------


def test_weight_clipping():
    network = Sequential([Dense(30, 20), Dense(20, 1)], (30,), rng=0)
    before = network.parameters.copy()
    WeightClipping(0.1).constrain(network)
    np.testing.assert_array_equal(network.parameters, np.clip(before, -0.1, 0.1).astype("float32"))
    assert abs(before).max() > 0.1


def test_weight_clipping_in_a_game():
    made = game([Dense(3, 8), LeakyReLU(), Dense(8, 1)], (3,), WeightClipping(0.05), "wasserstein")
    made.step(iter([np.random.default_rng(0).normal(size=(4, 3))]))
    assert abs(made.discriminator.parameters).max() <= np.float32(0.05)
    assert abs(made.generator.parameters).max() > 0.05


# --- Arguments -----------------------------------------------------------------------------------


def test_names():
    shown = [repr(r) for r in (WGANGP(), OneSidedPenalty(5), DRAGAN(1.5), R1(), R2(2))]
    assert shown == ["WGANGP(10)", "OneSidedPenalty(5)", "DRAGAN(1.5)", "R1(10)", "R2(2)"]
    assert repr(WeightClipping()) == "WeightClipping(0.01)"


@penalties
@pytest.mark.parametrize("weight", [-1, float("nan"), float("inf"), "10", True])
def test_bad_weight(penalty, weight):
    with pytest.raises((ValueError, TypeError), match="weight"):
        PENALTIES[penalty](weight)


@penalties
@pytest.mark.parametrize("every", [0, -1, 1.5, None])
def test_bad_every(penalty, every):
    with pytest.raises((ValueError, TypeError), match="every"):
        PENALTIES[penalty](every=every)


@pytest.mark.parametrize("limit", [0, -0.1, float("nan"), float("inf"), None])
def test_bad_limit(limit):
    with pytest.raises((ValueError, TypeError), match="limit"):
        WeightClipping(limit)
