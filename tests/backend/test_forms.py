"""Every faster form of the backend "numpy" against its page, on the backend "reference".

The forms are found by reflection, in `get_backend("numpy").forms`; one without cases here fails.
Each is compared over several shapes, in both dtypes and both modes, with and without a bias, from
gradients that are not zero; each is accepted by numerical derivatives; and each is seen to fail
once it is broken, by a table of planted errors.
"""

import importlib

import numpy as np
import pytest

from minigan import (
    R1,
    Adam,
    BatchNorm,
    Conv2d,
    ConvTranspose2d,
    Dense,
    Flatten,
    Layer,
    LeakyReLU,
    ReLU,
    Sequential,
    SpectralNorm,
    Tanh,
    compare_gradients,
    get_backend,
    gradcheck,
)
from minigan.backend import NumpyBackend, cuda, fastest
from minigan.backend.numpy import convolution, forms, normalization

FORMS = get_backend("numpy").forms
ALL = [(kind, method) for kind, methods in FORMS.items() for method in methods]
#: How far a form may be from its page, per dtype, in units of the largest number.
ALLOWED = {"float64": 1e-12, "float32": 8 * np.finfo("float32").eps}

both = pytest.mark.parametrize("dtype", ALLOWED)
modes = pytest.mark.parametrize("train", [True, False], ids=["train", "eval"])


def short(kind):
    return kind.rpartition(".")[2]


# --- The cases: layers with the shape of a sample and a number of samples ------------------------


def dense_cases():
    for bias in (True, False):
        for sizes, n in (((5, 3), 7), ((5, 3), 1), ((1, 4), 3), ((4, 1), 3), ((40, 30), 64)):
            yield Dense(*sizes, bias=bias), sizes[:1], n


GEOMETRIES = [
    # image, kernel, stride, padding, channels
    ((6, 6), (3, 3), (1, 1), (1, 1), (2, 3)),
    ((8, 8), (4, 4), (2, 2), (1, 1), (1, 5)),
    ((8, 8), (4, 4), (2, 2), (1, 1), (5, 1)),
    ((3, 5), (1, 1), (1, 1), (0, 0), (2, 2)),
    ((9, 8), (3, 2), (3, 2), (1, 0), (2, 3)),
    ((7, 8), (2, 1), (3, 2), (0, 0), (3, 2)),  # a kernel smaller than the stride
    ((8, 10), (3, 3), (2, 3), (0, 0), (2, 1)),  # a remainder of the stride
    ((3, 3), (2, 1), (2, 1), (3, 2), (1, 2)),  # padding beyond the kernel
    ((4, 5), (4, 5), (1, 1), (0, 0), (2, 2)),  # a kernel that covers the image
    ((5, 5), (2, 2), (2, 3), (0, 0), (2, 2)),  # strides that would fit the other way round, too
]


def conv_cases():
    for bias in (True, False):
        for size, kernel, stride, padding, channels in GEOMETRIES:
            layer = Conv2d(*channels, kernel, stride, padding, bias=bias)
            yield layer, (*size, channels[0]), 3


TRANSPOSED_GEOMETRIES = [
    # image, kernel, stride, padding, output_padding, channels
    ((3, 3), (4, 4), (2, 2), (1, 1), (0, 0), (3, 2)),
    ((3, 3), (4, 4), (2, 2), (1, 1), (0, 0), (5, 1)),
    ((3, 3), (4, 4), (2, 2), (1, 1), (0, 0), (1, 5)),
    ((2, 4), (3, 3), (2, 2), (1, 1), (1, 1), (2, 3)),
    ((3, 2), (2, 3), (3, 2), (0, 1), (0, 1), (2, 3)),
    ((1, 1), (7, 7), (1, 1), (0, 0), (0, 0), (3, 1)),
    ((3, 3), (1, 1), (3, 3), (0, 0), (2, 2), (2, 2)),
    ((4, 3), (2, 1), (3, 2), (0, 0), (2, 1), (1, 4)),
    ((4, 4), (3, 3), (1, 1), (2, 1), (0, 0), (2, 2)),
    ((2, 2), (2, 2), (3, 2), (0, 0), (0, 1), (2, 3)),
]


def transposed_cases():
    for bias in (True, False):
        for size, kernel, stride, padding, extra, channels in TRANSPOSED_GEOMETRIES:
            layer = ConvTranspose2d(*channels, kernel, stride, padding, extra, bias=bias)
            yield layer, (*size, channels[0]), 3


def batch_norm_cases():
    for shape, n in (((3,), 5), ((1,), 4), ((4,), 64), ((2, 3, 4), 3), ((3, 2), 8)):
        yield BatchNorm(shape[-1], momentum=0.3), shape, n


def relu_cases():
    yield from ((ReLU(), shape, n) for shape, n in (((3,), 5), ((1,), 1), ((2, 3, 4), 3)))


def leaky_relu_cases():
    for slope in (0.2, 0.0, 0.9):
        yield LeakyReLU(slope), (3,), 5
    yield LeakyReLU(), (2, 3, 4), 3


LAYERS = {
    "ReLU": relu_cases,
    "LeakyReLU": leaky_relu_cases,
    "Dense": dense_cases,
    "Conv2d": conv_cases,
    "ConvTranspose2d": transposed_cases,
    "BatchNorm": batch_norm_cases,
}


class Case:
    """A network of one layer with random numbers, on one backend, and arrays for its passes."""

    def __init__(self, layer, shape, n, backend, dtype):
        self.network = Sequential([layer.unbound()], shape, rng=0, dtype=dtype, backend=backend)
        (self.step,), rng = self.network.steps, np.random.default_rng(1)
        self.network.parameters = rng.normal(0, 0.6, self.network.parameters.shape).astype(dtype)
        self.network.buffers = rng.uniform(0.5, 2, self.network.buffers.shape).astype(dtype)
        self.x, self.u = rng.normal(size=(2, n, *shape)).astype(dtype)
        self.dy = rng.normal(size=(n, *self.network.output_shape)).astype(dtype)
        self.dirt = rng.normal(size=self.network.gradients.shape).astype(dtype)
        for array in (self.x, self.u, self.dy):
            array.flags.writeable = False  # a form that writes to what it is given fails here

    def run(self, method, train):
        """All that a call of the method returns or changes, as arrays by name."""
        self.network.gradients = self.dirt
        y, cache = self.step.forward(self.x, train)
        if method == "forward":
            returned = (y,)
        elif method == "double_backward":
            returned = self.step.double_backward(self.u, self.dy, cache)
        else:
            returned = (getattr(self.step, method)(self.dy, cache),)
        found = {f"{method}'s result {i}": a for i, a in enumerate(returned)}
        return found | self.network.named_gradients() | self.network.named_buffers()


# --- The cases of Adam ---------------------------------------------------------------------------


def adam_cases():
    """Options, and how many parameters: less and more than a block."""
    for size in (1, 7, forms.BLOCK + 3, 2 * forms.BLOCK):
        for betas in ((0.5, 0.999), (0.9, 0.99), (0.0, 0.9)):
            yield {"betas": betas, "lr": 1e-2}, size
    yield {"betas": (0.5, 0.99), "eps": 1e-3}, 3 * forms.BLOCK + 5


def adam_run(options, size, backend, dtype):
    """Weights and state after three updates with gradients of many sizes, one of them zero."""
    layer = Dense(1, size, bias=False)
    network = Sequential([layer], (1,), rng=0, dtype=dtype, backend=backend)
    optimizer, rng = Adam(network, **options), np.random.default_rng(1)
    for _ in range(3):
        g = rng.normal(size=size) * 10.0 ** rng.integers(-3, 2, size)
        g[0] = 0
        network.gradients = g.astype(dtype)
        optimizer.step(0.7)
    return {"parameters": network.parameters} | optimizer.state


# --- The cases of a network ----------------------------------------------------------------------


def network_cases():
    yield [Dense(3, 4), Tanh(), Dense(4, 2, bias=False)], (3,)
    yield [Dense(3, 4)], (3,)
    layers = [Conv2d(1, 2, 2), BatchNorm(2), Tanh(), ConvTranspose2d(2, 1, 2), Flatten()]
    yield [*layers, SpectralNorm(Dense(9, 3)), Dense(3, 2)], (3, 3, 1)


def network_run(layers, shape, backend, dtype, train):
    """The gradients that `set_gradients` leaves, from gradients that were not zero."""
    layers = [layer.unbound() for layer in layers]
    network = Sequential(layers, shape, rng=0, dtype=dtype, backend=backend)
    rng = np.random.default_rng(1)
    y, caches = network.forward(rng.normal(size=(5, *shape)).astype(dtype), train)
    network.gradients[...] = 1
    network.set_gradients(rng.normal(size=y.shape).astype(dtype), caches)
    return network.named_gradients()


def test_setting_gradients_refuses_what_adding_refuses():
    network = Sequential([Dense(3, 4), Tanh()], (3,), rng=0)
    _, caches = network.forward(np.ones((5, 3), "float32"))
    for dy in (np.ones((1, 4), "float32"), np.ones((5, 4)), np.ones((5, 1), "float32")):
        with pytest.raises((ValueError, TypeError), match="dy: expected"):
            network.set_gradients(dy, caches)


# --- Comparing -----------------------------------------------------------------------------------


def disagreements(kind, method, dtype, train, monkeypatch):
    """Where a form and its page differ by more than is allowed: sentences."""
    if short(kind) == "Adam":
        for options, size in adam_cases():
            page, form = (
                adam_run(options, size, backend, dtype) for backend in ("reference", "numpy")
            )
            yield from differences(form, page, dtype, f"{options}, {size}")
        return
    if short(kind) == "Sequential":
        for layers, shape in network_cases():
            page, form = (
                network_run(layers, shape, b, dtype, train) for b in ("reference", "numpy")
            )
            yield from differences(form, page, dtype, f"{layers}")
        return
    for layer, shape, n in LAYERS[short(kind)]():
        page, form = (Case(layer, shape, n, backend, dtype) for backend in ("reference", "numpy"))
        assert page.network.forms() == {}
        assert f"0.{method}" in form.network.forms()
        found, expected = form.run(method, train), page.run(method, train)
        yield from differences(found, expected, dtype, f"{layer!r}, {n} samples of {shape}")


def differences(found, expected, dtype, where):
    assert found.keys() == expected.keys()
    for name, page in expected.items():
        form = found[name]
        if page is None or form is None:
            if form is not page:
                yield f"{where}: {name} is None in one of both"
            continue
        if form.shape != page.shape or form.dtype != page.dtype:
            yield f"{where}: {name} is {form.dtype} {form.shape}, not {page.dtype} {page.shape}"
            continue
        scale = max(1.0, abs(page).max())  # all that goes in is of the size of 1
        error = abs(form - page).max() / scale
        if not error <= ALLOWED[dtype]:
            yield f"{where}: {name} is off by {error:.1e} of its largest number"


def test_every_form_has_cases():
    assert {short(kind) for kind in FORMS} == {*LAYERS, "Adam", "Sequential"}


@pytest.mark.parametrize("table", [FORMS, cuda.forms.FORMS], ids=["numpy", "cupy"])
def test_every_form_has_a_page(table):
    """One under a name that is nobody's would never run, and nobody would notice."""
    for kind, methods in table.items():
        module, _, name = kind.rpartition(".")
        page = getattr(importlib.import_module(module), name)
        for method, form in methods.items():
            assert callable(form)
            assert method == "backpropagate" or callable(getattr(page, method)), (kind, method)


@modes
@both
@pytest.mark.parametrize("kind, method", ALL, ids=[f"{short(k)}.{m}" for k, m in ALL])
def test_a_form_says_what_its_page_says(kind, method, dtype, train, monkeypatch):
    assert list(disagreements(kind, method, dtype, train, monkeypatch)) == []


# --- Numerical derivatives -----------------------------------------------------------------------


def of_layers(test):
    cases = [case for make in LAYERS.values() for case in list(make())]
    ids = [f"{layer!r}-{n}" for layer, _, n in cases]
    return pytest.mark.parametrize("layer, shape, n", cases, ids=ids)(test)


@modes
@of_layers
def test_gradcheck_accepts_the_forms(layer, shape, n, train):
    """Both ways back: `backpropagate`, and `backward` and `add_gradients` by themselves."""
    case = Case(layer, shape, n, "numpy", "float64")
    network, x = case.network, case.x.copy()
    assert network.forms()
    report = gradcheck(network, x, train=train, max_entries=8)
    assert report.passed and report.relative_error < 1e-6, str(report)

    statistics = network.buffers.copy()

    def forward():
        network.buffers = statistics
        return network.forward(x, train)

    _, caches = forward()
    network.zero_gradients()
    network.add_gradients(case.dy, caches)
    report = compare_gradients(
        lambda: (forward()[0] * case.dy).sum(),
        {"x": x, **network.named_parameters()},
        {"x": network.backward(case.dy, caches), **network.named_gradients()},
        max_entries=8,
    )
    assert report.passed and report.relative_error < 1e-6, str(report)


@pytest.mark.parametrize("kind", [k for k in FORMS if "double_backward" in FORMS[k]])
def test_gradcheck_accepts_the_second_derivatives(kind):
    for layer, shape, n in LAYERS[short(kind)]():
        middle = Sequential([layer.unbound()], shape, rng=0).output_shape
        head = [Tanh(), Flatten(), Dense(int(np.prod(middle)), 1)]
        critic = Sequential([layer.unbound(), *head], shape, rng=0, dtype="float64")
        assert "0.double_backward" in critic.forms()
        real, fake = np.random.default_rng(1).normal(size=(2, n, *shape))
        report = gradcheck(R1(2.0), critic, real, fake, max_entries=6)
        assert report.passed and report.relative_error < 1e-6, str(report)


# --- Planted errors ------------------------------------------------------------------------------

MUTANTS = []
PATHS = {short(kind): kind for kind in FORMS}


def breaks(owner, name, *, on=None):
    """Register a replacement of a form, or of a function (owner: a module) that a form calls.

    It gets the original first. on: the form that must then be found wrong, as "class.method".
    """

    def register(broken):
        kind, _, method = (on or f"{owner}.{name}").partition(".")
        identity = f"{broken.__name__}-{kind}.{method}"
        MUTANTS.append(pytest.param(owner, name, broken, PATHS[kind], method, id=identity))
        return broken

    return register


@breaks("Dense", "add_gradients")
@breaks("Conv2d", "add_gradients")
@breaks("ConvTranspose2d", "add_gradients")
@breaks("ConvTranspose2d", "backpropagate")
@breaks("BatchNorm", "add_gradients")
@breaks("BatchNorm", "backpropagate")
@breaks("Conv2d", "double_backward")
@breaks("ConvTranspose2d", "double_backward")
def gradients_replaced(original, layer, *args):
    """Set, where they are to be added: seen only from gradients that are not zero."""
    layer.network.zero_gradients()
    return original(layer, *args)


@breaks("Dense", "add_gradients")
@breaks("Conv2d", "add_gradients")
@breaks("ConvTranspose2d", "add_gradients")
@breaks("ConvTranspose2d", "backpropagate")
def bias_forgotten(original, layer, *args):
    kept = layer.dbias.copy() if layer.has_bias else None
    result = original(layer, *args)
    if layer.has_bias:
        layer.dbias = kept
    return result


@breaks("Dense", "add_gradients")
def dw_with_the_wrong_x(original, layer, dy, x):
    original(layer, dy, x[::-1])


@breaks("Conv2d", "forward")
@breaks("ConvTranspose2d", "forward")
def bias_twice(original, layer, x, train):
    y, cache = original(layer, x, train)
    return (y + layer.bias if layer.has_bias else y), cache


@breaks("Conv2d", "backward")
@breaks("ConvTranspose2d", "backward")
@breaks("Conv2d", "double_backward")
@breaks("ConvTranspose2d", "double_backward")
def kernel_flipped(original, layer, *args):
    kept = layer.weight.copy()
    layer.weight = kept[::-1, ::-1]
    try:
        return original(layer, *args)
    finally:
        layer.weight = kept


@breaks("Conv2d", "double_backward")
@breaks("ConvTranspose2d", "double_backward")
def gradient_of_the_second_derivative_forgotten(original, layer, *args):
    kept = layer.network.gradients.copy()
    result = original(layer, *args)
    layer.network.gradients = kept
    return result


@breaks(convolution, "_fold", on="Conv2d.backward")
@breaks(convolution, "_gather", on="Conv2d.backward")
@breaks(convolution, "_fold", on="ConvTranspose2d.forward")
@breaks(convolution, "_gather", on="ConvTranspose2d.forward")
def cropped_one_row_late(original, dy, w, stride, padding, size):
    """Both ways of adding up windows are taken by some geometry."""
    return np.roll(original(dy, w, stride, padding, size), 1, axis=1)


@breaks(convolution, "_place", on="ConvTranspose2d.forward")
def rows_that_no_window_reached_are_not_cleared(original, shuffled, padding, size):
    dx = original(shuffled, padding, size)
    covered = shuffled.shape[1] * shuffled.shape[2] - padding[0]
    dx[:, covered:] = 7
    return dx


@breaks(convolution, "unfold", on="Conv2d.forward")
@breaks(convolution, "unfold", on="ConvTranspose2d.backward")
def stride_swapped(original, x, kernel, stride, padding):
    """Where the sizes fit all the same."""
    size = [original(x, kernel, s, padding).shape for s in (stride, stride[::-1])]
    return original(x, kernel, stride[::-1] if size[0] == size[1] else stride, padding)


@breaks(convolution, "unfold", on="Conv2d.double_backward")
def padded_with_ones(original, x, kernel, stride, padding):
    (ph, pw), n = padding, x.ndim
    wide = np.pad(x, ((0, 0), (ph, ph), (pw, pw), (0, 0))[:n], constant_values=1)
    return original(wide, kernel, stride, (0, 0))


@breaks("BatchNorm", "forward")
def running_statistics_forgotten(original, layer, x, train):
    kept = layer.network.buffers.copy()
    result = original(layer, x, train)
    layer.network.buffers = kept
    return result


@breaks("BatchNorm", "forward")
def evaluation_forgotten(original, layer, x, train):
    return original(layer, x, True)


@breaks("BatchNorm", "forward")
def eps_forgotten(original, layer, x, train):
    kept, layer.eps = layer.eps, 1e-12
    try:
        return original(layer, x, train)
    finally:
        layer.eps = kept


@breaks("BatchNorm", "backward")
@breaks("BatchNorm", "backpropagate")
def statistics_taken_for_constants(original, layer, dy, cache):
    normalized, sigma, _ = cache
    original(layer, dy, cache)
    return original(layer, dy, (normalized, sigma, False))


@breaks(normalization, "batch_norm_dx", on="BatchNorm.backward")
@breaks(normalization, "batch_norm_dx", on="BatchNorm.backpropagate")
def sums_swapped(original, layer, dy, cache, sum_dy, sum_product):
    return original(layer, dy, cache, sum_product, sum_dy)


@breaks("BatchNorm", "add_gradients")
def gamma_and_beta_swapped(original, layer, dy, cache):
    before = layer.dgamma.copy(), layer.dbeta.copy()
    original(layer, dy, cache)
    change = layer.dgamma - before[0], layer.dbeta - before[1]
    layer.dgamma, layer.dbeta = before[0] + change[1], before[1] + change[0]


@breaks("Adam", "update")
def no_correction_of_the_start(original, optimizer, w, g, lr):
    kept, optimizer.steps = optimizer.steps, 10**6
    try:
        original(optimizer, w, g, lr)
    finally:
        optimizer.steps = kept


@breaks("Adam", "update")
def eps_doubled(original, optimizer, w, g, lr):
    eps, optimizer.eps = optimizer.eps, 2 * optimizer.eps
    original(optimizer, w, g, lr)
    optimizer.eps = eps


@breaks("Adam", "update")
def last_block_forgotten(original, optimizer, w, g, lr):
    rest = w[w.size - w.size % forms.BLOCK :] if w.size > forms.BLOCK else w[:0]
    before = rest.copy()
    original(optimizer, w, g, lr)
    rest[...] = before


@breaks("Sequential", "set_gradients")
def added_to_what_was_there(original, network, dy, caches):
    network.add_gradients(dy, caches)


@breaks("Sequential", "set_gradients")
def first_layer_forgotten(original, network, dy, caches):
    original(network, dy, caches)
    network.named_gradients()["0.weight"][...] = 0


def test_every_form_has_a_planted_error():
    assert {mutant.values[3:] for mutant in MUTANTS} == set(ALL)


@pytest.mark.parametrize("owner, name, broken, kind, method", MUTANTS)
def test_a_broken_form_is_found(owner, name, broken, kind, method, monkeypatch):
    original = FORMS[kind][name] if isinstance(owner, str) else getattr(owner, name)

    def replacement(*args):
        return broken(original, *args)

    if isinstance(owner, str):
        monkeypatch.setitem(FORMS[PATHS[owner]], name, replacement)
    else:
        monkeypatch.setattr(owner, name, replacement)
    found = [
        sentence
        for train in (True, False)
        for sentence in disagreements(kind, method, "float32", train, monkeypatch)
    ]
    assert found


@breaks("LeakyReLU", "backward")
@breaks("LeakyReLU", "double_backward")
def cut_at_one(original, layer, *args):
    return original(layer, *args[:-1], args[-1] - 1)


@breaks("ReLU", "forward")
def above_one_is_one(original, layer, x, train):
    return original(layer, x.clip(None, 1), train)


@pytest.mark.parametrize("kind", ["ReLU", "LeakyReLU"])
def test_forms_of_activations_agree_at_the_kink_and_at_no_number(kind):
    """Where other operations would most easily differ: ±0, ±∞, NaN."""
    x = np.array([[0.0, -0.0, np.inf, -np.inf, np.nan]], "float32").T
    outcomes = []
    for backend in ("reference", "numpy"):
        layer = {"ReLU": ReLU, "LeakyReLU": LeakyReLU}[kind]()
        (step,) = Sequential([layer], (1,), rng=0, backend=backend).steps
        y, cache = step.forward(x, True)
        outcomes.append(np.hstack([y, step.backward(np.ones_like(x), cache)]))
    np.testing.assert_array_equal(*outcomes)


# --- Whose forms run -----------------------------------------------------------------------------


class Mine(Dense):
    """A student's own dense layer, with another bias."""

    def forward(self, x, train):
        return x.dot(self.weight) + 2 * self.bias, x

    def add_gradients(self, dy, x):
        self.dweight += x.T.dot(dy)
        self.dbias += 2 * dy.sum(axis=0)


class Cube(Layer):
    """y = a x³: a layer from nothing."""

    def parameters(self):
        return {"a": ((1,), 2.0)}

    def forward(self, x, train):
        return self.a * x**3, x

    def backward(self, dy, x):
        return dy * 3 * self.a * x**2

    def add_gradients(self, dy, x):
        self.da += (dy * x**3).sum()

    def double_backward(self, u, dy, x):
        self.da += (u * dy * 3 * x**2).sum()
        return u * 3 * self.a * x**2, u * dy * 6 * self.a * x


def test_a_subclass_runs_its_own_methods():
    network = Sequential([Mine(3, 4), Cube(), Dense(4, 1)], (3,), rng=0, dtype="float64")
    assert network.forms() == {"2.add_gradients": "dense_add_gradients"}
    network.parameters += 0.5
    x = np.random.default_rng(1).normal(size=(5, 3))
    assert gradcheck(network, x).passed


def test_a_subclass_that_changes_nothing_gets_no_form_either():
    for kind in PATHS.values():
        if short(kind) not in LAYERS:
            continue
        layer, shape, _ = next(iter(LAYERS[short(kind)]()))
        layer.__class__ = type("Same", (type(layer),), {})
        assert Sequential([layer], shape, rng=0).forms() == {}

    class SameAdam(Adam):
        pass

    network = Sequential([Dense(2, 1)], (2,), rng=0)
    backend = network.backend
    assert fastest(backend, SameAdam(network), "update").__func__ is Adam.update
    assert fastest(backend, Adam(network), "update").func is forms.adam_update


@pytest.mark.parametrize("backend", ["reference", "numpy", "another"])
def test_an_own_layer_runs_on_every_backend(backend):
    """Also on a backend that brings a form for it: by the path of its class."""
    ran = []

    def cube_forward(layer, x, train):
        ran.append(layer)
        return Cube.forward(layer, x, train)

    if backend == "another":
        backend = NumpyBackend()
        backend.forms = {f"{Cube.__module__}.Cube": {"forward": cube_forward}}
    layers = [Dense(3, 4), Cube(), Tanh(), Dense(4, 1)]
    network = Sequential(layers, (3,), rng=0, dtype="float64", backend=backend)
    network.parameters += 0.5
    x = np.random.default_rng(1).normal(size=(5, 3))
    assert gradcheck(network, x).passed
    assert gradcheck(R1(), network, x, x).passed
    assert bool(ran) == (network.forms() == {"1.forward": "cube_forward"})


def test_forms_names_what_runs():
    layers = [Conv2d(1, 2, 3), BatchNorm(2), Tanh(), Flatten(), Dense(8, 1)]
    network = Sequential(layers, (4, 4, 1), rng=0)
    expected = {
        f"{i}.{method}": form.__name__
        for i, name in ((0, "Conv2d"), (1, "BatchNorm"), (4, "Dense"))
        for method, form in FORMS[PATHS[name]].items()
    }
    assert network.forms() == expected
    assert network.clone(backend="reference").forms() == {}
    assert network.clone(backend="reference").clone(backend="numpy").forms() == expected


def test_a_layer_inside_another_runs_its_forms_too(monkeypatch):
    ran = []

    def form(layer, x, train):
        ran.append(type(layer))
        return convolution.conv_forward(layer, x, train)

    monkeypatch.setitem(FORMS[PATHS["Conv2d"]], "forward", form)
    network = Sequential([SpectralNorm(Conv2d(1, 2, 3))], (4, 4, 1), rng=0)
    network(np.ones((2, 4, 4, 1), "float32"))
    assert ran == [Conv2d]
