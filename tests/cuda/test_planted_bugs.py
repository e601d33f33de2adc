"""Bugs planted in `kernels.cu` and in the launches: each must be caught by the check it names.

A test of kernels is worth what it catches. The left column is what is wrong; `caught` is the
emulator's complaint, or VALUES where only a comparison with NumPy can tell.
"""

import re
from typing import NamedTuple

import numpy as np
import pytest
from comparing import TWINS, agree, check, results
from devices import make_backend, orders
from operations import CONVOLUTIONS, GUARDS, LARGE, MATRICES, PRODUCTS, UNCHECKED, VECTORS

from minigan.backend.cuda import convolution, launch

SOURCE = launch.source()
VALUES = None


class Bug(NamedTuple):
    old: str  # what `kernels.cu` says
    new: str  # and what it says with the bug in it
    table: dict
    label: str  # the operation that shows it
    caught: str | None = VALUES


RACE = "data race"
UNWRITTEN = "read of unwritten shared memory|data race"
BOUNDS = "out of bounds"
SMALL, TALL, LONG = MATRICES["7x5"], MATRICES["4200x1"], VECTORS["777"]
IMAGE, STRIDED = CONVOLUTIONS["odd kernel"], CONVOLUTIONS["nothing square"]
TILED, WIDE = PRODUCTS["70x37x65"], LARGE["5x300"]
MANY = CONVOLUTIONS["a window of more numbers than a block has threads"]

# fmt: off
BUGS = {
    # one thread, one number
    "loop one too far": Bug(
        "i < (n);", "i <= (n);", SMALL, "activation_gradient, tanh", f"read {BOUNDS}"),
    "loop without its stride": Bug(
        "i += blockDim.x * gridDim.x)", "i += (n))", LONG, "sgd"),
    "every second number twice": Bug(
        "y[i] = value_of(", "y[i & ~1] = value_of(", SMALL, "bias_activation, tanh",
        f"{RACE}: write of argument 2"),
    "row for column": Bug(
        "bias[i % channels]", "bias[i / channels]", SMALL, "bias_activation, tanh", BOUNDS),
    "dy for y": Bug(
        "first_derivative(function, y[i], slope)", "first_derivative(function, dy[i], slope)",
        SMALL, "activation_gradient, tanh"),
    "f'' without f'": Bug(
        "return T(-2) * y * first;", "return T(-2) * y;", SMALL, "activation_curvature, tanh"),
    "slope forgotten": Bug(
        "return y > T(0) ? T(1) : slope;", "return y > T(0) ? T(1) : T(0);",
        SMALL, "activation_gradient, leaky_relu"),
    "sigmoid of the absolute value": Bug(
        "(x < T(0) ? small : T(1))", "T(1)", SMALL, "logistic_loss"),
    # state in place
    "velocity not stored": Bug("velocity[i] = v;", "", LONG, "sgd"),
    "uphill": Bug("w[i] -= lr * (g", "w[i] += lr * (g", LONG, "rmsprop"),
    "mean of g for mean of g²": Bug(
        "beta2 * square[i] + rest2 * (g[i] * g[i])", "beta2 * square[i] + rest2 * g[i]",
        LONG, "adam"),
    "sum for mean": Bug("rest1 * g[i]", "g[i]", LONG, "adam"),
    "one mean for the other": Bug("rest2 * (g", "rest1 * (g", LONG, "adam"),
    "guard ignored": Bug(
        "T rest2, T eps) {\n  if (!*guard) return;", "T rest2, T eps) {",
        LONG, "adam, not finite"),
    "guard forgets the first": Bug(
        " || !flag[0]) return;", ") return;", GUARDS, "finite_guard, nan 2.5 nan"),
    "guard sets the flag again": Bug(
        " || doubt == T(0) || !flag[0]) return;\n  flag[0] = 0;",
        ") return;\n  flag[0] = doubt == T(0);", GUARDS, "finite_guard, 0.5 2.5 1.0"),
    "guard without the number": Bug(
        "flag[1] = number;", "", GUARDS, "finite_guard, nan 2.5 1.0"),
    "guard looks at the loss alone": Bug(
        " + (*norm - *norm)", "", GUARDS, "finite_guard, 0.5 inf 1.0"),
    "guard looks at the first statistics alone": Bug(
        "for (int i = threadIdx.x; i < n; i += THREADS) doubt",
        "if (int i = threadIdx.x; i < n) doubt",
        GUARDS, "set_back, ∞ in the second round"),
    "always set back": Bug("if (*guard) return;", "", GUARDS, "set_back, finite"),
    # random numbers
    "nine rounds": Bug("round < 10", "round < 9", LONG, "random_uniform"),
    "end of the array forgotten": Bug(
        "j < COUNT && i * COUNT + j < n", "j < COUNT", LONG, "random_uniform",
        f"write {BOUNDS}"),
    "low word for high word": Bug("(unsigned)(q >> 32)", "(unsigned)q", LONG, "random_normal"),
    # sums
    "no barrier before the sum across warps": Bug(
        "__syncthreads();  // what the other", "// what the other", SMALL, "sum_rows", UNWRITTEN),
    "no barrier before shared memory is used again": Bug(
        "__syncthreads();  // all have read: the next call", "// all have read: the next call",
        SMALL, "batch_norm_gradient", RACE),
    "barrier in a branch": Bug(
        "  if (!sum_of_grid(sums, tile, columns, width, partial, arrived)) return;\n"
        "  if (tile.owns_sum(width)) {\n    T* target",
        "  if (tile.inside && !sum_of_grid(sums, tile, columns, width, partial, arrived)) return;\n"
        "  if (tile.owns_sum(width)) {\n    T* target",
        SMALL, "sum_rows", "deadlock|divergent barrier"),
    "mask of half a warp": Bug(
        "0xffffffffu", "0x0000ffffu", SMALL, "sum_rows", "lane is not in its own mask"),
    "half of a warp lost": Bug(
        "distance = WARP / 2", "distance = WARP / 4", TALL, "sum_rows"),
    "one warp lost": Bug(
        "w < THREADS / WARP; ++w", "w < THREADS / WARP - 1; ++w", TALL, "sum_rows"),
    "one warp too many": Bug(
        "w < THREADS / WARP; ++w", "w <= THREADS / WARP; ++w", SMALL, "sum_rows", BOUNDS),
    "shared memory too small": Bug(
        "of_warp[THREADS / WARP][WARP]", "of_warp[THREADS / WARP - 1][WARP]",
        SMALL, "sum_rows", BOUNDS),
    "shared memory partly written": Bug(
        "if (lane < width) of_warp", "if (lane < width - 1) of_warp",
        SMALL, "sum_rows", UNWRITTEN),
    "rows counted twice": Bug(
        "step = gridDim.y * (THREADS / width);", "step = THREADS / width;", TALL, "sum_rows"),
    "blocks write to one number": Bug(
        "partial[(blockIdx.y * COUNT + k) * columns + tile.column] = sums[k];",
        "partial[k * columns + tile.column] = sums[k];", TALL, "sum_rows", RACE),
    "no barrier before a block is counted": Bug(
        "__syncthreads();  // all threads of this block have written", "", TALL, "sum_rows", RACE),
    "no fence before a block is counted": Bug(
        "    __threadfence();\n    last =", "    last =", TALL, "sum_rows", RACE),
    "no fence after a block is counted": Bug(
        "    __threadfence();  // what", "    // what", TALL, "sum_rows", RACE),
    "every block adds up": Bug(
        "if (!comes_last(arrived)) return false;", "comes_last(arrived);", TALL, "sum_rows", RACE),
    "the last block but one adds up": Bug(
        "== gridDim.y - 1;", "== gridDim.y - 2;", TALL, "sum_rows", RACE),
    "two partial sums of three": Bug(
        "part < (int)gridDim.y", "part < 2", LARGE["9000x1"], "sum_rows"),
    "scale forgotten": Bug(": scale * sums[0];", ": sums[0];", SMALL, "mean"),
    "norm without its root": Bug("*out = sqrt(sums[0]);", "*out = sums[0];", LONG, "norm"),
    "loss without its mean": Bug(
        "sums[0] / T(rows) +", "sums[0] +", SMALL, "logistic_loss"),
    "gradient of the real ones for the fakes": Bug(
        "/ T(others);\n  }", "/ T(rows);\n  }", SMALL, "logistic_loss, two terms"),
    "all threads write the sum": Bug(
        "return inside && (int)threadIdx.x < width;", "return inside;", SMALL, "sum_rows", RACE),
    # batch normalization
    "variance without the mean": Bug(
        "sums[0] += difference * difference;", "sums[0] += x[r * columns] * x[r * columns];",
        SMALL, "batch_norm"),
    "sum of squares for variance": Bug(
        "var = square[c] / count,", "var = square[c],", SMALL, "batch_norm"),
    "eps forgotten": Bug("sqrt(var + eps)", "sqrt(var)", SMALL, "batch_norm"),
    "the batch's variance for the estimate": Bug(
        "var * (count / (count - T(1)))", "var", SMALL, "batch_norm"),
    "batch norm forgets its activation": Bug(
        "y[r * columns + c] = value_of(function, ", "y[r * columns + c] = value_of(0, ",
        SMALL, "batch_norm"),
    "statistics by the second row too": Bug(
        "if (tile.row == 0) {", "if (tile.row <= 1) {", SMALL, "batch_norm", RACE),
    "statistics by the first block alone": Bug(
        "if (tile.row == 0) {", "if (tile.row == 0 && !blockIdx.x) {", WIDE, "batch_norm"),
    "gradient of γ by every row": Bug(
        "if (add && tile.row == 0)", "if (add)",
        SMALL, "batch_norm_gradient, of γ and β too", RACE),
    "gradient of γ unasked": Bug(
        "if (add && tile.row == 0)", "if (tile.row == 0)", SMALL, "batch_norm_gradient"),
    "mean of dy forgotten": Bug(
        "(dy[i] - mean_dy - centred", "(dy[i] - centred", SMALL, "batch_norm_gradient"),
    # images
    "bottom of the image": Bug(
        "h >= 0 && h < g.H && w", "h >= 0 && w", IMAGE, "unfold", f"read {BOUNDS}"),
    "right side of the image": Bug(
        "w >= 0 && w < g.W", "w >= 0", IMAGE, "unfold", f"read {BOUNDS}"),
    "windows by the first blocks alone": Bug(
        "if (!tile.inside) return;\n  typename",
        "if (!tile.inside || blockIdx.x) return;\n  typename",
        MANY, "unfold"),
    "fold beyond the last window": Bug(
        "if (oh >= OH) continue;", "", IMAGE, "conv_grad_input", f"read {BOUNDS}"),
    "fold by the height's stride": Bug(
        "first_kw = (w + Pw) % Sw, last_ow = (w + Pw) / Sw",
        "first_kw = (w + Pw) % Sh, last_ow = (w + Pw) / Sh",
        STRIDED, "conv_grad_input"),
    # products
    "no barrier before the tiles are read": Bug(
        "__syncthreads();  // the tiles are complete", "", TILED, "matmul", UNWRITTEN),
    "no barrier before the next tiles": Bug(
        "__syncthreads();  // all have read: the tiles", "// the tiles", TILED, "matmul", RACE),
    "tile not filled": Bug(
        "e < LOADS; ++e)\n      tile", "e < LOADS - 1; ++e)\n      tile",
        TILED, "matmul", UNWRITTEN),
    "rows of the first step for all": Bug(
        "rows[e] = operand.row(first_row + row(e));", "rows[e] = operand.row(first_row + row(0));",
        TILED, "matmul"),
    "beyond the edge of the product": Bug(
        "if (row >= M || column >= N) continue;", "", TILED, "matmul", f"{BOUNDS}|{RACE}"),
    "accumulate forgotten": Bug(
        "accumulate ? *target + own.sums[i][j] : own.sums[i][j]", "own.sums[i][j]",
        TILED, "add_product"),
    "beyond the edge of an operand": Bug(
        "return row.inside && column.inside ? data[", "return row.inside ? data[",
        TILED, "matmul", f"read {BOUNDS}"),
    # convolutions
    "chunks write over each other": Bug(
        "dw[(blockIdx.z * size + row) * O + o]", "dw[row * O + o]",
        CONVOLUTIONS["a long sum"], "conv_grad_weight", RACE),
    "negative remainder": Bug(
        "h = ((phase - P) % S + S) % S;", "h = (phase - P) % S;",
        STRIDED, "conv_grad_input", BOUNDS),
    "phase beyond the last window": Bug(
        "oh >= 0 && oh < OH && ow", "oh >= 0 && ow", IMAGE, "conv_grad_input", BOUNDS),
    "kernel not flipped by phases": Bug(
        "int kh = vertical.kernel + k / O / horizontal.taps * Sh;",
        "int kh = vertical.kernel + (vertical.taps - 1 - k / O / horizontal.taps) * Sh;",
        CONVOLUTIONS["DCGAN"], "conv_grad_input"),
}
# fmt: on


class Planted:
    """A part of a module in place of a whole one."""

    def __init__(self, module, namespace):
        self.module, self.namespace = module, namespace

    def get_function(self, name):
        return self.module.get_function(f"{self.namespace}::{name}")


def options(bug):
    """The backend that runs the changed line: the second half of the file stands in for cuBLAS."""
    own = SOURCE.index(bug.old) > SOURCE.index("// ---- 7. A matrix product")
    return {"products": "tiled", "convolutions": "direct"} if own else {}


@pytest.fixture(scope="module")
def module(emulator):
    """All the wrong sources in one, each in a namespace of its own: compiled in one go."""
    macros = "".join(f"#undef {name}\n" for name in re.findall(r"#define (\w+)", SOURCE))
    parts, names = [], []
    for number, bug in enumerate(BUGS.values()):
        source = SOURCE.replace(bug.old, bug.new)
        parts.append(f"namespace bug{number} {{\n{source}\n}}\n{macros}")
        backend, operation = make_backend("emulator", **options(bug)), bug.table[bug.label]
        emulator.machine.launches.clear()
        results(backend, operation, "float32")
        launched = {name for name, _, _ in emulator.machine.launches}
        names += [f"bug{number}::{name}" for name in sorted(launched)]
    return emulator.RawModule(
        code="\n".join(parts), options=("-std=c++17",), name_expressions=names
    )


@pytest.fixture(autouse=True)
def _small_grids(monkeypatch):
    monkeypatch.setattr(launch, "MOST_BLOCKS", 2)


@pytest.mark.slow
@pytest.mark.parametrize("title", BUGS)
def test_it_is_caught(title, module, emulator):
    bug, number = BUGS[title], list(BUGS).index(title)
    backend, operation = make_backend("emulator", **options(bug)), bug.table[bug.label]
    check(backend, {bug.label: operation}, "float32")
    backend._modules = {np.dtype("float32"): Planted(module, f"bug{number}")}
    backend._functions = {}
    if bug.caught is VALUES:
        with pytest.raises(AssertionError):
            check(backend, {bug.label: operation}, "float32")
        return
    for _ in orders(backend):
        backend._counters = {}  # a launch that fails leaves them anyhow
        with pytest.raises(emulator.EmulatorError, match=bug.caught):
            results(backend, operation, "float32")


def test_each_bug_changes_one_place():
    for title, bug in BUGS.items():
        assert SOURCE.count(bug.old) == 1, title


# --- Launches ------------------------------------------------------------------------------------

_launch = launch.Launching._launch


def no_exact_types(self, name, dtype, grid, *arguments):
    self._function(name, dtype)(grid, (launch.THREADS,), arguments)


def long_integers(self, name, dtype, grid, *arguments):
    _launch(self, name, dtype, grid, *(np.int64(a) if isinstance(a, int) else a for a in arguments))


def an_argument_forgotten(self, name, dtype, grid, *arguments):
    _launch(self, name, dtype, grid, *arguments[:-1])


def large_blocks(self, name, dtype, grid, *arguments):
    function = self._function(name, dtype)
    self._function = lambda *_: lambda grid, block, args: function(grid, (512,), args)
    try:
        _launch(self, name, dtype, grid, *arguments)
    finally:
        del self._function


def views_are_read(self, what, x, dtype, shape):
    self._expect(what, x, dtype, shape)
    return x


def any_dtype_is_read(self, what, x, dtype, shape):
    return x


def not_from_zero(self, count):
    return self.xp.ones(count, "uint32")


def columns_rounded_down(self, name, dtype, grid, *arguments):
    _launch(self, name, dtype, (max(1, grid[0] - 1), *grid[1:]), *arguments)


def contiguous(backend, host):
    return [backend.asarray(a) for a in host]


def transposed(backend, host):
    return [backend.asarray(a.T.copy()).T for a in host]


def first_is_double(backend, host):
    return [backend.asarray(host[0], "float64"), *map(backend.asarray, host[1:])]


WRONG_TYPE = r"got \w+ .*, the kernel takes"
GRADIENT, SUMS = SMALL["activation_gradient, leaky_relu"], MATRICES["140x40"]["sum_rows"]
LAUNCHES = {
    # method, the broken one; an operation and how its arrays are made; the emulator's complaint
    "Python's floats": ("_launch", no_exact_types, GRADIENT, contiguous, WRONG_TYPE),
    "int64 for int": ("_launch", long_integers, GRADIENT, contiguous, WRONG_TYPE),
    "an argument forgotten": (
        *("_launch", an_argument_forgotten, GRADIENT, contiguous),
        "takes 6 arguments, got 5",
    ),
    "blocks of 512": ("_launch", large_blocks, SUMS, contiguous, BOUNDS),
    "a transposed view": ("_read", views_are_read, GRADIENT, transposed, "not C-contiguous"),
    "another dtype": (
        *("_read", any_dtype_is_read, GRADIENT, first_is_double),
        "array of float64 for a pointer to f4",
    ),
    "columns rounded down": ("_launch", columns_rounded_down, SUMS, contiguous, VALUES),
    "counters that are not zero": (
        "_block_counters",
        not_from_zero,
        TALL["sum_rows"],
        contiguous,
        RACE,
    ),
}


@pytest.mark.parametrize("title", LAUNCHES)
def test_a_wrong_launch_is_caught(title, emulated, emulator, monkeypatch):
    method, broken, operation, make, caught = LAUNCHES[title]
    check(emulated, {title: operation}, "float32")
    monkeypatch.setattr(launch.Launching, method, broken)
    if caught is VALUES:
        with pytest.raises(AssertionError):
            check(emulated, {title: operation}, "float32")
        return
    with pytest.raises(emulator.EmulatorError, match=caught):
        operation.run(emulated, *make(emulated, operation.draw("float32")))


@pytest.mark.slow
def test_a_part_that_is_no_multiple_of_the_depth_is_caught(own_emulated, emulator, monkeypatch):
    """One order of threads, and no checks: it is a large sum, see `UNCHECKED`."""
    emulator.machine.checks = False
    operation = UNCHECKED["a sum over 70,000 pixels"]["conv_grad_weight"]
    expected = results(TWINS, operation, "float32")
    agree(expected, results(own_emulated, operation, "float32"), 2e-5, "right")
    monkeypatch.setattr(convolution, "DEPTH", 1)
    with pytest.raises(AssertionError, match="wrong"):
        agree(expected, results(own_emulated, operation, "float32"), 2e-5, "wrong")


def test_a_double_constant_does_not_compile(emulator):
    source = SOURCE.replace("T(-2) * y * first", "-2.0 * y * first")
    assert source != SOURCE
    module = emulator.RawModule(
        code=source, options=("-std=c++17",), name_expressions=["activation_curvature<float>"]
    )
    with pytest.raises(emulator.CompileException, match="double"):
        module.compile()
