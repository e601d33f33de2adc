"""Slips in parts of the caller's own are named when the part comes in: the part, and the cause."""

import numpy as np
import pytest

from minigan import (
    GAN,
    R1,
    Adam,
    Dense,
    Distribution,
    Hinge,
    Layer,
    LinearDecay,
    NormalLatent,
    Objective,
    Regularizer,
    ReLU,
    Sequential,
    Tanh,
    train,
)
from minigan.data import Batches

ROOT = np.sqrt(2)  # a float64, as careless constants are


class Double(Layer):
    """y = 2x: a layer of one's own, all right."""

    def forward(self, x, train):
        return 2 * x, None

    def backward(self, dy, cache):
        return 2 * dy

    def double_backward(self, u, dy, cache):
        return 2 * u, None


class Ends(Objective):
    """A critic's losses."""

    def discriminator_terms(self, r, f):
        return -r, f, -np.ones_like(r), np.ones_like(f)

    def generator_terms(self, f):
        return -f, -np.ones_like(f)


class Square(Distribution):
    def __init__(self):
        super().__init__("square", 2, (0, 1, 0, 1))

    def draw(self, n, rng):
        return rng.random((n, 2))


class Shrink(Regularizer):
    """‖w‖²/2."""

    def penalize(self, discriminator, real, fake, rng, step=0):
        discriminator.gradients += discriminator.parameters
        return (discriminator.parameters**2).sum() / 2


def network(layer):
    return Sequential([Dense(3, 4), layer, Dense(4, 1)], (3,), rng=0)


def game(objective="hinge", D=(), **options):
    G, D = Sequential([Dense(2, 2)], (2,), rng=0), Sequential([*D, Dense(2, 1)], (2,), rng=1)
    parts = {"generator_optimizer": Adam(G), "discriminator_optimizer": Adam(D)}
    return GAN(G, D, objective, **{"latent": NormalLatent(2), "rng": 0, **parts, **options})


def own(base, **methods):
    """An object of a class of one's own, with these methods in place of the right ones."""
    return type("Mine", (base,), methods)()


LAYERS = {
    "forward without train": (
        {"forward": lambda self, x: (2 * x, None)},
        r"expected forward\(x, train\), got forward\(x\)",
    ),
    "backward with more": (
        {"backward": lambda self, dy, cache, train, more: 2 * dy},
        r"expected backward\(dy, cache\), got backward\(dy, cache, train, more\)",
    ),
    "backward with less": (
        {"backward": lambda self, dy: 2 * dy},
        r"expected backward\(dy, cache\), got backward\(dy\)",
    ),
    "add_gradients with less": (
        {"add_gradients": lambda self, dy: None},
        r"expected add_gradients\(dy, cache\), got add_gradients\(dy\)",
    ),
    "double_backward with less": (
        {"double_backward": lambda self, u, dy: (u, None)},
        r"expected double_backward\(u, dy, cache\), got",
    ),
    "no cache": (
        {"forward": lambda self, x, train: 2 * x},
        r"forward: expected the 2 values y, cache, got one array \(12, 4\)",
    ),
    "three values": (
        {"forward": lambda self, x, train: (x, x, x)},
        "forward: expected the 2 values y, cache, got 3 values",
    ),
    "no return": (
        {"forward": lambda self, x, train: None},
        "forward: expected the 2 values y, cache, got None: is a return missing",
    ),
    "no return backward": (
        {"backward": lambda self, dy, cache: None},
        "backward: expected an array dx, got None: is a return missing",
    ),
    "float64 forward": (
        {"forward": lambda self, x, train: (ROOT * x, None)},
        r"forward: expected y in float32.* got float64 \(a constant such as np.sqrt\(2\)",
    ),
    "float64 backward": (
        {"backward": lambda self, dy, cache: ROOT * dy},
        "backward: expected dx in float32.* got float64",
    ),
    "float64 in evaluation": (
        {"forward": lambda self, x, train: (2 * x if train else ROOT * x, None)},
        "forward: expected y in float32.* got float64",
    ),
    "no output_shape": (
        {"forward": lambda self, x, train: (x[:, :2] * 2, None)},
        r"forward: expected y of shape \(N, 4\), got \(12, 2\): does output_shape\(input",
    ),
    "dx summed": (
        {"backward": lambda self, dy, cache: dy.sum(axis=0)},
        r"backward: expected dx of shape \(12, 4\), got \(4,\)",
    ),
    "u_dy alone": (
        {"double_backward": lambda self, u, dy, cache: 2 * u},
        "double_backward: expected the 2 values u_dy, u_x, got one array",
    ),
    "float64 u_x": (
        {"double_backward": lambda self, u, dy, cache: (2 * u, ROOT * u)},
        "double_backward: expected u_x in float32",
    ),
}


@pytest.mark.parametrize("name", LAYERS)
def test_layers(name):
    methods, message = LAYERS[name]
    with pytest.raises((TypeError, ValueError), match=rf"^layer 1 \(Mine\(\)\): {message}"):
        network(own(Double, **methods))


OBJECTIVES = {
    "two values": (
        {"discriminator_terms": lambda self, r, f: (-r, f)},
        "discriminator_terms: expected the 4 values value_real, value_fake, d_real, d_fake, got 2",
    ),
    "one value": (
        {"generator_terms": lambda self, f: -f},
        r"generator_terms: expected the 2 values value_fake, d_fake, got one array \(12, 1\)",
    ),
    "numbers": (
        {"generator_terms": lambda self, f: (-f, -1)},
        "generator_terms: expected an array d_fake, got -1",
    ),
    "one derivative for all": (
        {"generator_terms": lambda self, f: (-f, -np.ones_like(f[:1]))},
        r"generator_terms: expected d_fake of shape \(12, 1\), got \(1, 1\)",
    ),
    "float64": (
        {"generator_terms": lambda self, f: (-f, -ROOT * np.ones_like(f))},
        "generator_terms: expected d_fake in float32, as its input, got float64",
    ),
    "no f": (
        {"discriminator_terms": lambda self, r: (-r, r)},
        r"expected discriminator_terms\(r, f\), got discriminator_terms\(r\)",
    ),
    "r, though not relativistic": (
        {"generator_terms": lambda self, f, r: (-f, -f)},
        r"expected generator_terms\(f\), got generator_terms\(f, r\)",
    ),
    "relativistic, without r": (
        {"relativistic": True},
        r"expected generator_terms\(f, r\), got generator_terms\(f\)",
    ),
    "no super().__init__": (
        {"__init__": lambda self: None},
        r"its __init__ does not call super\(\).__init__\(backend\)",
    ),
}


@pytest.mark.parametrize("name", OBJECTIVES)
def test_objectives(name):
    methods, message = OBJECTIVES[name]
    with pytest.raises((TypeError, ValueError), match=rf"^Mine\(\): {message}"):
        game(own(Ends, **methods))


REGULARIZERS = {
    "no return": (
        {"penalize": lambda self, D, real, fake, rng, step: None},
        "penalize: expected the penalty, a number, got None: is a return missing",
    ),
    "one per sample": (
        {"penalize": lambda self, D, real, fake, rng, step: real},
        r"penalize: expected the penalty, a number, got one array \(12, 2\)",
    ),
    "no step": (
        {"penalize": lambda self, D, real, fake: 0.0},
        r"expected penalize\(discriminator, real, fake, rng, step\), got penalize\(D, real, fake\)",
    ),
}


@pytest.mark.parametrize("name", REGULARIZERS)
def test_regularizers(name):
    methods, message = REGULARIZERS[name]
    with pytest.raises(TypeError, match=rf"^Mine\(\): {message}"):
        game(regularizer=own(Regularizer, **methods))


DISTRIBUTIONS = {
    "a vector": (
        {"draw": lambda self, n, rng: rng.random(n)},
        r"draw: expected an array \(12, 2\) for n = 12, got \(12,\)",
    ),
    "no return": (
        {"draw": lambda self, n, rng: None},
        "draw: expected an array .* got None: is a return missing",
    ),
    "no rng": ({"draw": lambda self, n: None}, r"expected draw\(n, rng\), got draw\(n\)"),
    "no super().__init__": (
        {"__init__": lambda self: None},
        r"its __init__ does not call super\(\).__init__\(name, dimension, extent\)",
    ),
}


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_distributions(name):
    methods, message = DISTRIBUTIONS[name]
    with pytest.raises((TypeError, ValueError), match=f"^Mine: {message}"):
        Batches(own(Square, **methods), 4, 0)


@pytest.mark.parametrize(
    "name, make",
    [
        ("layer 1: expected a Layer", lambda: network(ReLU)),
        ("unknown objective", lambda: game(Hinge)),
        ("regularizer: expected a Regularizer", lambda: game(regularizer=R1)),
        ("latent: expected a distribution", lambda: game(latent=NormalLatent)),
        ("schedule: expected a function of the step", lambda: game(schedule=LinearDecay)),
        ("generator_optimizer: expected an Opt", lambda: game(generator_optimizer=Adam)),
        ("source: expected a Distribution", lambda: Batches(Square, 4, 0)),
    ],
)
def test_a_class_is_told_from_an_object(name, make):
    with pytest.raises((TypeError, ValueError), match=rf"^{name}.* the class (\w+): write \1\("):
        make()


def test_what_is_right_passes_and_trains():
    gan = game(Ends(), D=[Dense(2, 2), Double()], regularizer=Shrink())
    for record in train(gan, Batches(Square(), 8, 0), 3):
        assert np.isfinite(record.discriminator_loss)


class Noisy(Layer):
    """Has a random stream, a buffer, and a mood of its own."""

    passes = 0

    def buffers(self):
        return {"seen": ((), 0)}

    def forward(self, x, train):
        self.passes += 1
        self.seen += 1
        self.rng.random()
        return x * 2, None

    def backward(self, dy, cache):
        return dy * 2


def test_a_trial_changes_nothing():
    built, plain = network(Noisy()), network(Tanh())
    assert built.layers[1].seen == 0 and built.layers[1].passes == 0
    for mine, theirs in zip(built.layers, plain.layers, strict=True):
        assert mine.rng.bit_generator.state == theirs.rng.bit_generator.state
    np.testing.assert_array_equal(built.parameters, plain.parameters)
    assert not built.gradients.any()


@pytest.mark.parametrize(
    "blank",
    [
        {"forward": lambda self, x, train: (..., ...)},
        {"backward": lambda self, dy, cache: ...},
        {"double_backward": lambda self, u, dy, cache: (..., None)},
    ],
)
def test_a_blank_of_an_exercise_is_left_open(blank):
    network(own(Double, **blank))


@pytest.mark.parametrize("way", ["forward", "backward"])
def test_an_error_of_the_parts_own_is_left_to_the_first_pass(way):
    """Whose traceback ends at the line that is wrong; and some layers cannot be tried at all."""

    def fails(self, *arguments):
        raise ZeroDivisionError("on this line")

    failing = network(own(Double, **{way: fails}))
    with pytest.raises(ZeroDivisionError, match="on this line"):
        y, cache = failing.forward(np.ones((2, 3), "float32"))
        failing.backward(y, cache)
