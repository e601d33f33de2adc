"""`SpectralNorm`: σ by SciPy's SVD, the Lipschitz constant it promises, and its gradient."""

import copy

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.linalg import svdvals

from minigan import (
    SGD,
    BatchNorm,
    Conv2d,
    ConvTranspose2d,
    Dense,
    Flatten,
    LeakyReLU,
    ReLU,
    Sequential,
    SpectralNorm,
    Tanh,
    WeightAverage,
    gradcheck,
)
from minigan.games import critic_difference

KINDS = {
    "dense": (lambda: Dense(5, 4), (5,)),
    "dense, wide": (lambda: Dense(2, 6, bias=False), (2,)),
    "one output": (lambda: Dense(5, 1), (5,)),
    "convolution": (lambda: Conv2d(2, 3, 3, 2, 1), (5, 4, 2)),
    "transposed": (lambda: ConvTranspose2d(2, 3, 3, 2, 1), (3, 2, 2)),
}
kinds = pytest.mark.parametrize("kind", KINDS)


def build(kind, randomized, passes, seed=0):
    make, shape = KINDS[kind]
    network = randomized([SpectralNorm(make())], shape, seed)
    for _ in range(passes):
        network.forward(np.ones((1, *shape)))
    return network


def matrix(network):
    weight = network.named_parameters()["0.weight"]
    return weight.reshape(-1, weight.shape[-1])


@kinds
def test_power_iteration_finds_the_largest_singular_value(kind, randomized):
    network = build(kind, randomized, 300)
    left, right = network.named_buffers()["0.left"], network.named_buffers()["0.right"]
    np.testing.assert_allclose([left @ left, right @ right], 1, rtol=1e-9)
    np.testing.assert_allclose(left @ matrix(network) @ right, svdvals(matrix(network))[0])


@kinds
def test_is_the_layer_with_its_weight_divided(kind, randomized):
    network, (make, shape) = build(kind, randomized, 300), KINDS[kind]
    plain = Sequential([make()], shape, rng=0, dtype="float64")
    for name, w in network.named_parameters().items():
        sigma = svdvals(matrix(network))[0] if name == "0.weight" else 1
        plain.named_parameters()[name][...] = w / sigma
    x = np.random.default_rng(1).normal(size=(4, *shape))
    np.testing.assert_allclose(network(x), plain(x), rtol=1e-9, atol=1e-12)


@given(seed=st.integers(0, 99), kind=st.sampled_from(["dense", "dense, wide", "one output"]))
def test_dense_is_1_lipschitz(seed, kind, randomized):
    network = build(kind, randomized, 200, seed)
    x, step = np.random.default_rng(seed).normal(size=(2, 50, *network.input_shape))
    rise = np.linalg.norm(network(x + step) - network(x), axis=1)
    assert (rise <= np.linalg.norm(step, axis=1) * (1 + 1e-3)).all()
    right = np.linalg.svd(matrix(network))[0][:, 0]  # the direction that is stretched most
    assert np.linalg.norm(network(right[None]) - network(0 * right[None])) == pytest.approx(1, 1e-3)


def test_a_critic_of_such_layers_is_1_lipschitz(randomized):
    layers = [SpectralNorm(Dense(3, 8)), LeakyReLU(), SpectralNorm(Dense(8, 8)), ReLU()]
    critic = randomized([*layers, SpectralNorm(Dense(8, 1))], (3,))
    critic.parameters[...] *= 10
    x, y = np.random.default_rng(1).normal(size=(2, 200, 3))
    for _ in range(100):
        critic.forward(x)
    slopes = abs(critic(x) - critic(y))[:, 0] / np.linalg.norm(x - y, axis=1)
    assert 0.01 < slopes.max() <= 1


@kinds
@pytest.mark.parametrize("passes", [0, 3, 300])
def test_gradient(kind, passes, randomized):
    """In evaluation σ = uᵀ W v with fixed u and v, so the gradient is exact at every stage."""
    network = build(kind, randomized, passes)
    x = np.random.default_rng(1).normal(size=(4, *network.input_shape))
    report = gradcheck(network, x, train=False)
    assert report.passed and report.relative_error < 1e-6, str(report)


def test_gradient_in_a_network(randomized):
    layers = [SpectralNorm(Conv2d(2, 3, 3, 2, 1)), Tanh(), Flatten(), SpectralNorm(Dense(18, 4))]
    network = randomized([*layers, LeakyReLU(), SpectralNorm(Dense(4, 1, bias=False))], (5, 4, 2))
    x = np.random.default_rng(1).normal(size=(4, 5, 4, 2))
    report = gradcheck(network, x, train=False)
    assert report.passed and report.relative_error < 1e-6, str(report)


@kinds
def test_gradient_of_the_true_singular_value(kind, randomized):
    """After convergence the change of u and v drops out: σ of the SVD gives the same gradient."""
    network = build(kind, randomized, 500)
    make, shape = KINDS[kind]
    plain = Sequential([make()], shape, rng=0, dtype="float64")
    x = np.random.default_rng(1).normal(size=(4, *shape))
    y, caches = network.forward(x, train=False)
    dy = np.random.default_rng(2).normal(size=y.shape)
    network.add_gradients(dy, caches)
    weight, by_hand = network.named_parameters()["0.weight"], network.named_gradients()["0.weight"]

    def loss(change):
        changed = weight + change
        sigma = svdvals(changed.reshape(-1, changed.shape[-1]))[0]
        plain.named_parameters()["0.weight"][...] = changed / sigma
        return (plain(x) * dy).sum()

    for direction in np.random.default_rng(3).normal(size=(5, *weight.shape)):
        numerical = (loss(1e-5 * direction) - loss(-1e-5 * direction)) / 2e-5
        scale = abs(by_hand).max()
        assert (by_hand * direction).sum() == pytest.approx(numerical, 1e-6, abs=1e-6 * scale)


def test_one_round_a_training_pass_and_none_in_evaluation(randomized):
    network = randomized([SpectralNorm(Dense(4, 3))], (4,))
    x = np.ones((2, 4))
    w, left = matrix(network), network.named_buffers()["0.left"]
    start = network.buffers.copy()
    network(x)
    np.testing.assert_array_equal(network.buffers, start)
    right = w.T @ left / np.linalg.norm(w.T @ left)
    expected = w @ right / np.linalg.norm(w @ right)
    network.forward(x)
    np.testing.assert_allclose(left, expected, rtol=1e-9)
    np.testing.assert_allclose(network.named_buffers()["0.right"], right, rtol=1e-9)


def test_two_passes_may_be_open(randomized):
    """The second forward pass moves u and v; the first one's backward pass uses its own."""
    network = randomized([SpectralNorm(Dense(4, 3)), Tanh(), SpectralNorm(Dense(3, 1))], (4,))
    x, other = np.random.default_rng(1).normal(size=(2, 5, 4))
    start = network.buffers.copy()

    def gradients(between):
        network.buffers[...] = start
        y, caches = network.forward(x)
        if between:
            network.backpropagate(np.ones((5, 1)), network.forward(other)[1])
        network.zero_gradients()
        dx = network.backpropagate(np.ones_like(y), caches)
        return np.concatenate([dx.ravel(), network.gradients])

    np.testing.assert_array_equal(gradients(True), gradients(False))


def test_parameter_gradients_are_set_or_added_or_left(randomized):
    network = randomized([SpectralNorm(Dense(4, 3))], (4,))
    _, caches = network.forward(np.ones((2, 4)))
    dy = np.ones((2, 3))
    dx = network.backward(dy, caches)
    assert not network.gradients.any()
    network.add_gradients(dy, caches)
    once = network.gradients.copy()
    np.testing.assert_array_equal(network.backpropagate(dy, caches), dx)
    np.testing.assert_allclose(network.gradients, 2 * once)
    network.zero_gradients()
    network.add_gradients(dy, caches)
    np.testing.assert_array_equal(network.gradients, once)


@pytest.mark.parametrize("copied", [Sequential.clone, copy.copy], ids=["clone", "copy"])
def test_passes_of_two_networks_may_interleave(copied, randomized, monkeypatch):
    """In the middle of a pass, a whole pass of a copy, as threads do: neither notices."""
    network = randomized([SpectralNorm(Dense(4, 3))], (4,))
    twin = copied(network)
    twin.parameters += 1
    (x, other), dy = np.random.default_rng(1).normal(size=(2, 5, 4)), np.ones((5, 3))

    def run(one, x):
        one.zero_gradients()
        y, caches = one.forward(x, train=False)
        dx = one.backpropagate(dy, caches)
        return [y.copy(), dx.copy(), one.gradients.copy()]

    alone, running, interruptions = run(network, x), [], []

    def interrupted(original):
        def call(self, *args):
            if not running:
                running.append(run)
                run(twin, other)
                running.clear()
                interruptions.append(original)
            return original(self, *args)

        return call

    for method in ("forward", "backward", "add_gradients"):
        monkeypatch.setattr(Dense, method, interrupted(getattr(Dense, method)))
    forms = network.backend.forms.get("minigan.layers.dense.Dense", {})
    for method, form in list(forms.items()):
        monkeypatch.setitem(forms, method, interrupted(form))
    for found, expected in zip(run(network, x), alone, strict=True):
        np.testing.assert_array_equal(found, expected)
    assert len(interruptions) == 3


@pytest.mark.parametrize(
    "dtype, scale", [("float32", 1e-20), ("float32", 1e18), ("float64", 1e-250)]
)
@kinds
def test_a_weight_of_any_size(kind, dtype, scale, randomized):
    """W̄ knows only W's direction. Squares of such numbers would underflow, or overflow."""
    network = build(kind, randomized, 0).clone(dtype=dtype)
    scaled = network.clone()
    scaled.named_parameters()["0.weight"][...] *= scale
    x = np.random.default_rng(1).normal(size=(4, *network.input_shape)).astype(dtype)
    for _ in range(3):
        (y, _), (expected, _) = scaled.forward(x), network.forward(x)
        np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-5)


@kinds
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_weight_of_zeros(kind, dtype, randomized):
    """No NaN: output and gradients are those of the layer itself, and it can leave that point."""
    network, (make, shape) = build(kind, randomized, 2).clone(dtype=dtype), KINDS[kind]
    weight = network.named_parameters()["0.weight"]
    weight[...] = 0
    plain = Sequential([make()], shape, rng=0, dtype=dtype)
    plain.parameters[...] = network.parameters
    x = np.random.default_rng(1).normal(size=(4, *shape)).astype(dtype)
    vectors = network.buffers.copy()
    for train in (True, False):
        found = []
        for one in (network, plain):
            y, caches = one.forward(x, train)
            one.zero_gradients()
            found.append((y, one.backpropagate(np.ones_like(y), caches), one.gradients))
        for mine, theirs in zip(*found, strict=True):
            np.testing.assert_array_equal(mine, theirs)
    np.testing.assert_array_equal(network.buffers, vectors)
    weight -= network.named_gradients()["0.weight"]
    for _ in range(200):
        network.forward(x)
    normalized = matrix(network) / svdvals(matrix(network))[0]
    plain.named_parameters()["0.weight"][...] = normalized.reshape(weight.shape)
    np.testing.assert_allclose(network(x), plain(x), rtol=1e-4, atol=1e-5)


def test_vectors_that_see_nothing_of_the_weight_find_it():
    """u orthogonal to W's columns: Wᵀu = 0 says nothing of W, and must not end the iteration."""
    network = Sequential([SpectralNorm(Dense(3, 2, bias=False))], (3,), rng=0, dtype="float64")
    network.parameters[...] = [2, 1, 0, 0, 0, 0]
    network.named_buffers()["0.left"][...] = [0, 1, 0]
    for _ in range(3):
        y, _ = network.forward(np.eye(3))
    np.testing.assert_allclose(y[0], np.array([2, 1]) / np.sqrt(5), rtol=1e-12)


@pytest.mark.parametrize("layer", [Tanh(), LeakyReLU(), None, "Dense"])
def test_only_affine_layers(layer):
    with pytest.raises(TypeError, match="SpectralNorm: expected a Dense or convolution layer"):
        SpectralNorm(layer)


def test_shapes_are_those_of_the_layer():
    with pytest.raises(ValueError, match=r"layer 0 \(SpectralNorm\(Dense\(4, 3\)\)\)"):
        Sequential([SpectralNorm(Dense(4, 3))], (5,), rng=0)
    network = Sequential([SpectralNorm(Conv2d(2, 3, 3, 2, 1))], (5, 4, 2), rng=0)
    assert network.output_shape == (3, 2, 3)


# --- What is made of weights is made of the present ones -----------------------------------------

EVERY_WAY = {
    "made": lambda network, w: None,
    "the weight assigned": lambda network, w: setattr(network.layers[0], "weight", w),
    "all assigned": lambda network, w: setattr(network, "parameters", vector(network, w)),
    "written in place": lambda network, w: network.layers[0].weight.__setitem__(..., w),
    "turned": lambda network, w: setattr(network.layers[0], "weight", -w),
    "tiny": lambda network, w: setattr(network.layers[0], "weight", 1e-9 * w),
    "a checkpoint": lambda network, w: network.restore(loaded(network, w)),
    "an update": lambda network, w: learnt(network),
}


def vector(network, w):
    numbers = network.parameters.copy()
    numbers[: w.size] = w.ravel()
    return numbers


def loaded(network, w):
    other = network.clone()
    other.layers[0].weight = w
    return other.state()


def learnt(network):
    network.gradients = np.random.default_rng(3).normal(size=network.gradients.shape)
    SGD(network, 1.0).step()


@kinds
@pytest.mark.parametrize("way", EVERY_WAY)
@pytest.mark.parametrize("seed", range(3))
def test_the_norm_is_1_in_evaluation_from_the_first(kind, way, seed, backend_name):
    """And W̄ is W / σ with the sign of W: σ is the largest singular value, and positive."""
    make, shape = KINDS[kind]
    options = {"rng": seed, "dtype": "float64", "backend": backend_name}
    network = Sequential([SpectralNorm(make())], shape, **options)
    w = np.random.default_rng(seed + 9).normal(size=network.layers[0].weight.shape)
    EVERY_WAY[way](network, w)
    plain = Sequential([make()], shape, **options)
    sigma = svdvals(matrix(network))[0]
    for name, array in network.named_parameters().items():
        plain.named_parameters()[name][...] = array / (sigma if name == "0.weight" else 1)
    x = np.random.default_rng(1).normal(size=(4, *shape))
    np.testing.assert_allclose(network(x), plain(x), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("way", ["made", "the weight assigned", "all assigned"])
def test_the_norm_is_1_in_the_first_training_pass(way, randomized):
    network = randomized([SpectralNorm(Dense(6, 5, bias=False))], (6,))
    network.derive()
    EVERY_WAY[way](network, np.random.default_rng(2).normal(size=(6, 5)))
    y, _ = network.forward(np.eye(6))
    assert svdvals(y)[0] == pytest.approx(1, abs=1e-9)


def test_an_average_of_weights_has_a_norm_of_its_own(randomized):
    """The average of unit vectors is none: u and v are those of the averaged weight."""
    network = randomized([SpectralNorm(Dense(6, 5, bias=False))], (6,))
    average = WeightAverage(network, 0.9)
    for seed in range(30):
        network.parameters = np.random.default_rng(seed).normal(size=30)
        network.forward(np.ones((2, 6)))
        average.update()
    assert abs(average.network.parameters - network.parameters).max() > 0.1
    assert svdvals(average.network(np.eye(6)))[0] == pytest.approx(1, abs=1e-9)
    turned = np.vdot(average.network(np.eye(6)), average.network.parameters.reshape(6, 5))
    assert turned > 0


def test_an_average_that_was_begun_first_shows_the_loaded_weights(randomized):
    network = randomized([SpectralNorm(Dense(3, 2)), BatchNorm(2), Dense(2, 1)], (3,))
    average, x = WeightAverage(network, 0.9), np.random.default_rng(1).normal(size=(4, 3))
    for seed in range(3):
        network.parameters = np.random.default_rng(seed).normal(size=network.parameters.shape)
        network.forward(x)
        np.testing.assert_array_equal(average.network(x), network(x))
    average.update()
    np.testing.assert_array_equal(average.network.parameters, network.parameters)
    shown = average.network(x)
    network.parameters = 2 * network.parameters
    np.testing.assert_array_equal(average.network(x), shown)  # it has begun


def test_a_fresh_critic_tells_no_difference_of_equal_samples(randomized):
    """In evaluation, before any training pass, a critic is 1-Lipschitz already."""
    layers = [SpectralNorm(Dense(2, 16)), LeakyReLU(), SpectralNorm(Dense(16, 16)), LeakyReLU()]
    layers.append(SpectralNorm(Dense(16, 1)))
    x, y = np.random.default_rng(1).normal(size=(2, 50, 2))
    for seed in range(6):
        critic = randomized([layer.unbound() for layer in layers], (2,), seed)
        assert abs(critic(x) - critic(y)).max() <= np.linalg.norm(x - y, axis=1).max()
        shift = critic_difference(critic, x, x + np.array([0.1, 0]))
        assert abs(shift) <= 0.1 + 1e-12
