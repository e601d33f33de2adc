"""Every operation of a backend, with inputs of many shapes: what the tests here run over."""

import itertools
from typing import NamedTuple

import numpy as np

from minigan.backend.cuda.backend import ACTIVATIONS
from minigan.layers.convolution import conv_output_size

__all__ = [
    "CONVOLUTIONS",
    "GUARDS",
    "LARGE",
    "MATRICES",
    "NORMS",
    "PRODUCTS",
    "UNCHECKED",
    "VECTORS",
    "Operation",
    "all_operations",
    "vector",
]


class Operation(NamedTuple):
    """inputs: the shapes of its arrays, or how to draw them. run(backend, *arrays): its results.

    Arrays that an operation changes are results too, and those that it must not change as well.
    """

    inputs: list
    run: callable

    def draw(self, dtype, seed=0):
        rng = np.random.default_rng(seed)
        return [
            (draw if callable(draw) else normal(draw))(rng).astype(dtype) for draw in self.inputs
        ]


def normal(shape):
    return lambda rng: np.asarray(rng.normal(size=shape))


def positive(shape):
    return lambda rng: np.asarray(rng.uniform(0.1, 2, shape))


def poison(shape):
    """What the operation must overwrite."""
    return lambda rng: np.full(shape, np.nan)


def number(value):
    return lambda rng: np.array(value)


# --- On matrices (m, c) --------------------------------------------------------------------------


def matrix(m, c):
    x, v = (m, c), (c,)
    table = {
        "add_sum": Operation([v, x], lambda b, out, x: b.add_sum(out, x)),
        "sum_rows": Operation([x], lambda b, x: b.sum_rows(x)),
        "sum_rows, out": Operation([x, poison(v)], lambda b, x, out: b.sum_rows(x, out=out)),
        "batch_norm": Operation(
            [x, v, v, v, positive(v)],
            lambda b, *arrays: b.batch_norm(*arrays, 1e-3, 0.3, "leaky_relu", 0.2),
        ),
        "batch_norm_gradient": Operation(
            [x, x, positive(v), v], lambda b, *arrays: b.batch_norm_gradient(*arrays)
        ),
        "batch_norm_gradient, of γ and β too": Operation(
            [x, x, positive(v), v, v, v],
            lambda b, *arrays: b.batch_norm_gradient(*arrays[:4], arrays[4:]),
        ),
        "logistic_loss": Operation([x], lambda b, r: b.logistic_loss(r, None, -1, 1, 0)),
        "logistic_loss, two terms": Operation(
            [x, (3, c)], lambda b, r, f: b.logistic_loss(r, f, 1, -1, 0.1)
        ),
        "mean": Operation([x], lambda b, x: b.mean(x)),
        "is_finite": Operation([x], lambda b, x: b.is_finite(x)),
    }
    if m == 0:  # no batch is empty: a network refuses it
        table = {label: table[label] for label in ("add_sum", "sum_rows", "is_finite")}
    if m == 1:  # one value per feature has no variance
        del table["batch_norm"]
    for name in ACTIVATIONS:
        table |= _activation(name, x, v)
    return table


def _activation(name, x, v):
    def in_place(b, x, bias):
        assert b.bias_activation(x, bias, name, 0.3, out=x) is x

    return {
        f"bias_activation, {name}": Operation(
            [x, v], lambda b, x, bias: b.bias_activation(x, bias, name, 0.3)
        ),
        f"bias_activation, {name}, no bias": Operation(
            [x], lambda b, x: b.bias_activation(x, None, name, 0.3)
        ),
        f"bias_activation, {name}, in place": Operation([x, v], in_place),
        f"bias_activation, {name}, out": Operation(
            [x, v, poison(x)],
            lambda b, x, bias, out: b.bias_activation(x, bias, name, 0.3, out=out),
        ),
        f"activation_gradient, {name}": Operation(
            [x, x], lambda b, dy, y: b.activation_gradient(dy, y, name, 0.3)
        ),
        f"activation_curvature, {name}": Operation(
            [x, x, x], lambda b, u, dy, y: b.activation_curvature(u, dy, y, name)
        ),
    }


#: One element; one row; one column; fewer and more than a warp, a block and a tile; nothing.
MATRICES = {
    f"{m}x{c}": matrix(m, c)
    for m, c in [(1, 1), (2, 1), (1, 70), (7, 5), (37, 33), (300, 3), (140, 40), (4200, 1), (0, 3)]
}

#: Three partial sums and more; more columns than a block has threads.
SUMS = "add_sum", "sum_rows", "mean", "logistic_loss", "batch_norm", "batch_norm_gradient"
LARGE = {
    f"{m}x{c}": {label: matrix(m, c)[label] for label in SUMS} for m, c in [(9000, 1), (5, 300)]
}

# --- On vectors (n,) -----------------------------------------------------------------------------


def vector(n):
    v, p = (n,), positive((n,))

    def updates(guard, extra):
        return {
            "sgd": Operation([v, v, v, *extra], lambda b, w, g, s, *e: b.sgd(
                w, g, s, 0.1, 0.9, **guard(b, *e))),
            "rmsprop": Operation([v, v, p, *extra], lambda b, w, g, s, *e: b.rmsprop(
                w, g, s, 0.1, 0.9, 1e-3, **guard(b, *e))),
            "adam": Operation([v, v, v, p, *extra], lambda b, w, g, m, s, *e: b.adam(
                w, g, m, s, 0.1, 0.9, 0.99, 1e-3, 3, **guard(b, *e))),
            "interpolate": Operation([v, v, *extra], lambda b, a, w, *e: b.interpolate(
                a, w, 0.3, **guard(b, *e))),
        }  # fmt: skip

    def guarded(b, loss, norm):
        flag = b.new_flag()
        b.finite_guard(loss, norm, flag, 0)
        return {"guard": flag}

    table = updates(lambda b: {}, [])
    for word, loss in (("finite", 1.5), ("not finite", np.nan)):
        more = updates(guarded, [number(loss), number(2.5)])
        table |= {f"{name}, {word}": operation for name, operation in more.items()}
    return table | {
        "norm": Operation([v], lambda b, x: b.norm(x)),
        "random_uniform": Operation([v], lambda b, x: b.random_uniform(x.shape, x.dtype, 5 << 40)),
        "random_normal": Operation([v], lambda b, x: b.random_normal(x.shape, x.dtype, 5 << 40)),
    }


VECTORS = {f"{n}": vector(n) for n in (1, 3, 255, 256, 777, 0)}
#: Several blocks for one sum.
NORMS = {f"norm, {n}": Operation([(n,)], lambda b, x: b.norm(x)) for n in (5000, 13_000)}


def guard(b, loss, norm, earlier):
    """The flag after two updates, numbers 3 and 4."""
    flag = b.new_flag()
    b.finite_guard(earlier, earlier, flag, 3)
    b.finite_guard(loss, norm, flag, 4)
    return flag


def guard_of_statistics(where, what):
    """The flag after an update with 300 statistics, which are set back if it was refused."""

    def run(b, loss, statistics, before):
        if where is not None:
            statistics[where] = what
        flag = b.new_flag()
        b.finite_guard(loss, loss, flag, 5, statistics)
        b.set_back(statistics, before, flag)
        return flag

    return Operation([number(0.5), (300,), (300,)], run)


GUARDS = {
    f"finite_guard, {loss} {norm} {earlier}": Operation(list(map(number, values)), guard)
    for values in itertools.product((0.5, np.nan, -np.inf), (2.5, np.nan, np.inf), (1.0, np.nan))
    for loss, norm, earlier in [values]
} | {
    "set_back, finite": guard_of_statistics(None, None),
    "set_back, NaN": guard_of_statistics(7, np.nan),
    "set_back, ∞ in the second round": guard_of_statistics(299, np.inf),
}

# --- Products (m, k) (k, n) ----------------------------------------------------------------------


def product(m, k, n):
    a, b, out = (m, k), (k, n), (m, n)
    return {
        "matmul": Operation([a, b], lambda ops, a, b: ops.matmul(a, b)),
        "matmul, out": Operation([a, b, poison(out)], lambda ops, a, b, out: ops.matmul(a, b, out)),
        "matmul, transposed": Operation([a[::-1], b[::-1]], lambda ops, a, b: ops.matmul(a.T, b.T)),
        "add_product": Operation([out, a, b], lambda ops, out, a, b: ops.add_product(out, a, b)),
        "add_product, transposed": Operation(
            [out, a[::-1], b], lambda ops, out, a, b: ops.add_product(out, a.T, b)
        ),
    }


PRODUCTS = {
    f"{m}x{k}x{n}": product(m, k, n)
    for m, k, n in [
        (1, 1, 1),
        (5, 1, 3),
        (64, 16, 64),
        (70, 37, 65),
        (1, 130, 2),
        (3, 0, 2),
        (0, 2, 3),
    ]
}

# --- Convolutions --------------------------------------------------------------------------------


def convolution(size, kernel, stride, padding, channels=(2, 3), n=2):
    (c, o), out = channels, conv_output_size(size, kernel, stride, padding)
    x, w, dy = (n, *size, c), (*kernel, c, o), (n, *out, o)
    geometry = stride, padding

    def weight_gradient(b, x, dy, dw):
        b.conv_grad_weight(b.columns_of(x, kernel, *geometry), dy, dw)

    def both(b, x, w, dy, dw):
        y, columns = b.conv(x, w, *geometry)
        b.conv_grad_weight(columns, dy, dw)
        return y

    return {
        "unfold": Operation([x], lambda b, x: b.unfold(x, kernel, *geometry)),
        "conv": Operation([x, w], lambda b, x, w: b.conv(x, w, *geometry)[0]),
        "conv_grad_input": Operation(
            [dy, w], lambda b, dy, w: b.conv_grad_input(dy, w, *geometry, size)
        ),
        "conv_grad_weight": Operation([x, dy, w], weight_gradient),
        "conv_grad_weight, after conv": Operation([x, w, dy, w], both),
    }


CONVOLUTIONS = {
    "odd kernel": convolution((6, 6), (3, 3), (1, 1), (1, 1)),
    "DCGAN": convolution((8, 8), (4, 4), (2, 2), (1, 1), (1, 4)),
    "many channels": convolution((3, 3), (3, 3), (1, 1), (1, 1), (5, 67), 1),
    "a long sum": convolution((12, 12), (2, 2), (1, 1), (0, 0), (1, 2), 3),
    "1x1": convolution((1, 1), (1, 1), (1, 1), (0, 0), (1, 1), 1),
    "1x1 image": convolution((1, 1), (3, 3), (2, 2), (1, 1)),
    "nothing square": convolution((9, 8), (2, 3), (3, 2), (1, 0)),
    "kernel smaller than stride": convolution((7, 8), (2, 1), (3, 2), (0, 0)),
    "a remainder of the stride": convolution((8, 10), (3, 3), (2, 3), (0, 0)),
    "padding beyond the kernel": convolution((3, 3), (2, 1), (2, 1), (3, 2)),
    "no images": convolution((4, 4), (3, 3), (1, 1), (1, 1), n=0),
    "a window of more numbers than a block has threads": convolution(
        (4, 4), (4, 4), (1, 1), (0, 0), (70, 2), 1
    ),
}
LONG = convolution((100, 100), (1, 1), (1, 1), (0, 0), (1, 1), 7)
#: Too large for the emulator's checks. W3 is the DCGAN in tests/benchmarks/workloads.py, here for
#: two images; in the long sum, the parts are longer than the shortest allowed.
UNCHECKED = {
    "W3, 1 to 64 channels": convolution((28, 28), (4, 4), (2, 2), (1, 1), (1, 64)),
    "W3, 64 to 128 channels": convolution((14, 14), (4, 4), (2, 2), (1, 1), (64, 128)),
    "a sum over 70,000 pixels": {"conv_grad_weight": LONG["conv_grad_weight"]},
}


def all_operations():
    """label -> Operation, of one shape each."""
    images = CONVOLUTIONS["odd kernel"]
    return MATRICES["7x5"] | VECTORS["777"] | GUARDS | PRODUCTS["70x37x65"] | images
