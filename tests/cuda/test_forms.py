"""Every faster form of the CUDA backend gives what its page says.

The forms are found in `FORMS` and `PAIRS`, the pages run on the "reference" backend; one that no
case here covers fails `test_every_form_has_a_case`.
"""

import importlib
from typing import NamedTuple

import numpy as np
import pytest
from comparing import TOLERANCE, agree, on_host
from devices import orders

from minigan import (
    SGD,
    Adam,
    BatchNorm,
    Conv2d,
    ConvTranspose2d,
    Dense,
    LeakyReLU,
    MaximumLikelihood,
    Minimax,
    NonSaturating,
    ReLU,
    RMSProp,
    Sequential,
    Sigmoid,
    Softplus,
    Tanh,
    WeightAverage,
    get_backend,
)
from minigan.backend.cuda.forms import FORMS, PAIRS
from minigan.layers.layer import Layer

REFERENCE = get_backend("reference")
dtypes = pytest.mark.parametrize("dtype", TOLERANCE)


class Case(NamedTuple):
    make: callable
    shape: tuple  # of a sample
    n: int = 5  # samples in a batch


LAYERS = {
    Dense: [
        Case(lambda: Dense(3, 4), (3,)),
        Case(lambda: Dense(1, 1), (1,), 1),
        Case(lambda: Dense(70, 33, bias=False), (70,), 3),
    ],
    Conv2d: [
        Case(lambda: Conv2d(2, 3, 3, padding=1), (5, 4, 2)),
        Case(lambda: Conv2d(2, 5, (3, 2), (2, 1), (1, 0), bias=False), (6, 5, 2)),
        Case(lambda: Conv2d(1, 2, 4, 4), (5, 7, 1), 1),
    ],
    ConvTranspose2d: [
        Case(lambda: ConvTranspose2d(3, 2, 4, 2, 1), (3, 4, 3)),
        Case(lambda: ConvTranspose2d(2, 1, (2, 3), (3, 2), (0, 1), (2, 1), bias=False), (3, 3, 2)),
        Case(lambda: ConvTranspose2d(1, 5, 1), (1, 1, 1), 1),
    ],
    BatchNorm: [
        Case(lambda: BatchNorm(4), (4,)),
        Case(lambda: BatchNorm(3, eps=1e-2, momentum=0.3), (3, 2, 3), 2),
        Case(lambda: BatchNorm(70), (70,), 40),
    ],
    ReLU: [Case(ReLU, (3, 4))],
    LeakyReLU: [Case(LeakyReLU, (3, 4)), Case(lambda: LeakyReLU(0.0), (5,))],
    Tanh: [Case(Tanh, (3, 4))],
    Sigmoid: [Case(Sigmoid, (3, 4))],
    Softplus: [Case(Softplus, (3, 4))],
}
NETWORKS = {
    Sequential: [
        Case(lambda: [Dense(3, 4), Tanh(), Dense(4, 2)], (3,)),
        Case(lambda: [Dense(3, 4, bias=False), ReLU(), ReLU()], (3,)),
        Case(lambda: [ReLU(), Dense(3, 1)], (3,)),
        Case(lambda: [Dense(3, 4), BatchNorm(4), Dense(4, 2)], (3,)),
    ]
}
OBJECTIVES = {
    Minimax: [{}, {"real_label": 0.9}],
    NonSaturating: [{}, {"real_label": 0.9}],
    MaximumLikelihood: [{}, {"real_label": 0.9}],
}
OPTIMIZERS = {
    SGD: [{}, {"momentum": 0.9}],
    RMSProp: [{}, {"alpha": 0.7, "eps": 1e-3}],
    Adam: [{}, {"betas": (0.9, 0.99), "eps": 1e-3}],
}
AVERAGES = {WeightAverage: [{"decay": 0.9}]}

#: Methods that the tests below run, of each kind of part.
METHODS = [
    (LAYERS, {"forward", "backward", "add_gradients", "backpropagate", "double_backward"}),
    (NETWORKS, {"set_gradients"}),
    (OBJECTIVES, {"discriminator", "generator"}),
    (OPTIMIZERS, {"update"}),
    (AVERAGES, {"interpolate"}),
]


def class_of(name):
    module, _, kind = name.rpartition(".")
    return getattr(importlib.import_module(module), kind)


def test_every_form_has_a_case():
    cases = {kind: methods for table, methods in METHODS for kind in table}
    assert {class_of(name) for name in FORMS} == set(cases)
    for name, forms in FORMS.items():
        assert set(forms) <= cases[class_of(name)], name
    assert {(class_of(first), class_of(second)) for first, second in PAIRS} == set(NEIGHBOURS)


@pytest.fixture(params=["defaults", "own"])
def backend(request, device, own_kernels):
    """With cuBLAS and stored columns, and with our own kernels for both."""
    return device if request.param == "defaults" else own_kernels


def each(table):
    """Parameters: a class, and one of its cases."""
    pairs = [(kind, case) for kind, cases in table.items() for case in cases]
    numbers = (i for cases in table.values() for i in range(len(cases)))
    ids = [f"{kind.__name__}-{i}" for (kind, _), i in zip(pairs, numbers, strict=True)]
    return pytest.mark.parametrize("kind, case", pairs, ids=ids)


def same_on_every_backend(run, backend, dtype, label):
    """run(backend) -> arrays: the page's numbers, and the same bits in every order of threads."""
    expected = [on_host(REFERENCE, x) for x in run(REFERENCE)]
    found = [[on_host(backend, x) for x in run(backend)] for _ in orders(backend)]
    agree(expected, found[0], TOLERANCE[dtype], label)
    for other in found[1:]:
        agree(found[0], other, 0, f"{label}, in another order")


def forms_of(kind):
    return FORMS[f"{kind.__module__}.{kind.__qualname__}"]


# --- Layers --------------------------------------------------------------------------------------


def network_of(case, backend, dtype):
    """The layers as a network with random numbers, gradients included; and a generator of more."""
    rng = np.random.default_rng(1)
    layers = case.make()
    layers = layers if isinstance(layers, list) else [layers]
    network = Sequential(layers, case.shape, rng=2, dtype=dtype, backend=backend)
    for vector, draw in (
        (network.parameters, rng.normal(0, 0.6, network.parameters.shape)),
        (network.gradients, rng.normal(0, 5, network.gradients.shape)),
        (network.buffers, rng.uniform(0.5, 2, network.buffers.shape)),
    ):
        vector[...] = backend.asarray(draw, dtype)
    draw = lambda shape: backend.asarray(rng.normal(size=(case.n, *shape)), dtype)  # noqa: E731
    return network, draw


def passes(case, train, dtype):
    """run(backend): all that the layer's passes return and change, one after another."""

    def run(backend):
        network, draw = network_of(case, backend, dtype)
        (step,), (layer,) = network.steps, network.layers
        x, dy, u = draw(case.shape), draw(network.output_shape), draw(case.shape)
        y, cache = step.forward(x, train)
        yield from (y, network.buffers)
        yield step.backward(dy, cache)
        yield network.gradients  # which it has not touched
        step.add_gradients(dy, cache)
        yield network.gradients  # which have been there, and more
        yield step.backpropagate(dy, cache)
        yield network.gradients
        if type(layer).double_backward is not Layer.double_backward:
            yield from step.double_backward(u, dy, cache)
            yield network.gradients
        yield from (x, dy, u, network.parameters)

    return run


@dtypes
@pytest.mark.parametrize("train", [True, False], ids=["train", "eval"])
@each(LAYERS)
def test_a_layer_is_its_page(kind, case, train, dtype, backend):
    network, _ = network_of(case, backend, dtype)
    (layer,) = network.layers
    assert type(layer) is kind
    assert {
        f"0.{m}": f.__name__ for m, f in forms_of(kind).items()
    }.items() <= network.forms().items()
    same_on_every_backend(passes(case, train, dtype), backend, dtype, repr(layer))


@pytest.mark.parametrize("dtype", ["float32"])
def test_one_value_per_feature_is_refused_and_changes_no_statistic(dtype, backend):
    case = Case(lambda: BatchNorm(4), (4,), 1)
    network, draw = network_of(case, backend, dtype)
    before = backend.to_numpy(network.buffers)
    with pytest.raises(ValueError, match="more than one value per feature"):
        network.forward(draw(case.shape))
    np.testing.assert_array_equal(backend.to_numpy(network.buffers), before)


# --- Networks ------------------------------------------------------------------------------------


@dtypes
@each(NETWORKS)
def test_gradients_that_are_set_are_the_pages(kind, case, dtype, backend):
    def run(backend):
        network, draw = network_of(case, backend, dtype)
        x = draw(case.shape)
        _, caches = network.forward(x)
        dy = draw(network.output_shape)
        network.set_gradients(dy, caches)
        yield from (network.gradients, dy, network.parameters)

    network, draw = network_of(case, backend, dtype)
    assert network.set_gradients.func is forms_of(kind)["set_gradients"]
    same_on_every_backend(run, backend, dtype, repr(network))
    _, caches = network.forward(draw(case.shape))
    before = backend.to_numpy(network.gradients)
    with pytest.raises(ValueError, match="dy: expected shape"):
        network.set_gradients(draw((7,)), caches)
    np.testing.assert_array_equal(backend.to_numpy(network.gradients), before)


# --- Two neighbours ------------------------------------------------------------------------------

FIRST = {
    Dense: [Case(lambda: Dense(3, 4), (3,)), Case(lambda: Dense(3, 4, bias=False), (3,))],
    Conv2d: [
        Case(lambda: Conv2d(2, 3, 3, padding=1), (3, 4, 2), 2),
        Case(lambda: Conv2d(2, 3, 3, padding=1, bias=False), (3, 4, 2), 2),
    ],
    ConvTranspose2d: [
        Case(lambda: ConvTranspose2d(2, 3, 3, 2), (2, 3, 2), 2),
        Case(lambda: ConvTranspose2d(2, 3, 3, 2, bias=False), (2, 3, 2), 2),
    ],
    BatchNorm: [Case(lambda: BatchNorm(3), (3, 2, 3), 2)],
}
SECOND = {
    ReLU: ReLU,
    LeakyReLU: lambda: LeakyReLU(0.3),
    Tanh: Tanh,
    Sigmoid: Sigmoid,
    Softplus: Softplus,
}
NEIGHBOURS = {
    (first, second): [Case(lambda c=c, s=s: [c.make(), s()], c.shape, c.n) for c in cases]
    for first, cases in FIRST.items()
    for second, s in SECOND.items()
}
PAIR_CASES = [(pair, case) for pair, cases in NEIGHBOURS.items() for case in cases]


def through_both(case, train, dtype):
    """run(backend): all that the two layers' passes return and change, caches included."""

    def run(backend):
        network, draw = network_of(case, backend, dtype)
        x, dy = draw(case.shape), draw(network.output_shape)
        y, caches = network.forward(x, train)
        yield from (y, caches[1], network.buffers)  # of the activation: its output
        network.add_gradients(dy, caches)
        yield from (network.backward(dy, caches), network.gradients, x, dy)
        yield network[:1].forward(x, train)[0]  # the first one alone
        yield network[1:].forward(y, train)[0]

    return run


@pytest.mark.parametrize("train", [True, False], ids=["train", "eval"])
@pytest.mark.parametrize(
    "pair, case", PAIR_CASES, ids=[f"{a.__name__}-{b.__name__}" for (a, b), _ in PAIR_CASES]
)
def test_two_neighbours_are_their_pages(pair, case, train, backend):
    network, _ = network_of(case, backend, "float32")
    assert tuple(map(type, network.layers)) == pair
    forms = network.forms()
    assert (forms["0.forward"], forms["1.forward"]) == ("with_activation", "handed_on")
    same_on_every_backend(through_both(case, train, "float32"), backend, "float32", repr(network))


def test_two_neighbours_are_one_operation_less(emulated, emulator):
    for pair, case in PAIR_CASES:
        network, draw = network_of(case, emulated, "float32")
        x, done = draw(case.shape), emulator.machine.operations
        network.forward(x)  # the first one makes what all later ones use
        done.clear()
        network.forward(x)
        together = len(done)
        network[1:].forward(network[:1].forward(x)[0])
        copies = 1  # of the second one's input
        saved = getattr(network[0], "has_bias", True)  # else the activation is a launch either way
        assert len(done) - 2 * together == copies + saved, pair


# --- Objectives ----------------------------------------------------------------------------------


@dtypes
@each(OBJECTIVES)
def test_an_objective_is_its_page(kind, case, dtype, backend):
    largest = 40 if kind is MaximumLikelihood else 750  # its generator's loss is an exponential
    logits = np.random.default_rng(0).normal(0, 3, 40)
    logits = np.concatenate([logits, [0, 40, -40, 89, -89, 750, -750]]).clip(-largest, largest)

    def run(backend):
        objective = kind(**case, backend=backend)
        r = backend.asarray(logits[:, None], dtype)
        f = backend.asarray(logits[::-1, None], dtype)
        yield from map(backend.asarray, (*objective.discriminator(r, f), *objective.generator(f)))
        yield from (r, f)

    objective = kind(**case, backend=backend)
    for method, form in forms_of(kind).items():
        assert getattr(objective, method).func is form
    same_on_every_backend(run, backend, dtype, repr(case))


# --- Updates -------------------------------------------------------------------------------------


def numbers(backend, n, seed, dtype):
    return backend.asarray(np.random.default_rng(seed).normal(size=n), dtype)


def guard_of(word, backend):
    """The flag of `finite_guard`: nobody asked, all was finite, something was not."""
    if word == "no guard" or backend is REFERENCE:
        return None
    return backend.asarray([word == "finite", 7], "int32")


def updates(kind, options, word, dtype):
    """run(backend): what three updates change."""

    def run(backend):
        network = Sequential([Dense(30, 9)], (30,), rng=0, dtype=dtype, backend=backend)
        optimizer = kind(network, 0.1, **options)
        optimizer.guard = guard_of(word, backend)
        for i, vector in enumerate(optimizer.state.values()):
            vector[...] = abs(numbers(backend, vector.size, 10 + i, dtype))
        for t in range(3 if word != "not finite" or backend is not REFERENCE else 0):
            network.gradients = numbers(backend, network.gradients.size, t, dtype)
            optimizer.step(0.5)
        yield from (network.parameters, *optimizer.state.values())

    return run


guards = pytest.mark.parametrize("word", ["no guard", "finite", "not finite"])


@dtypes
@guards
@each(OPTIMIZERS)
def test_an_optimizers_update_is_its_page(kind, case, word, dtype, backend):
    """One that is refused changes nothing at all: the reference then makes none."""
    network = Sequential([Dense(1, 1)], (1,), rng=0, backend=backend)
    assert kind(network)._update.func is forms_of(kind)["update"]
    same_on_every_backend(updates(kind, case, word, dtype), backend, dtype, kind.__name__)


def averaged(kind, options, word, dtype):
    def run(backend):
        layers = [Dense(30, 9), BatchNorm(9)]
        network = Sequential(layers, (30,), rng=0, dtype=dtype, backend=backend)
        average = kind(network, **options)
        average.guard = guard_of(word, backend)
        for t in range(3 if word != "not finite" or backend is not REFERENCE else 0):
            network.parameters = numbers(backend, network.parameters.size, t, dtype)
            network.buffers = numbers(backend, network.buffers.size, t, dtype)
            average.update()
        yield from (average.network.parameters, average.network.buffers)

    return run


@dtypes
@guards
@each(AVERAGES)
def test_an_average_is_its_page(kind, case, word, dtype, backend):
    network = Sequential([Dense(1, 1)], (1,), rng=0, backend=backend)
    assert kind(network, 0.9)._interpolate.func is forms_of(kind)["interpolate"]
    same_on_every_backend(averaged(kind, case, word, dtype), backend, dtype, kind.__name__)
