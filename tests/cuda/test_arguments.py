"""A wrong array never reaches a kernel: wrong backend, dtype, shape or layout.

A kernel would take it for something else and say nothing. The emulator's log tells what ran.
"""

import itertools

import numpy as np
import pytest
from operations import all_operations

from minigan.backend.cuda import launch

OPERATIONS = {
    label: operation
    for label, operation in all_operations().items()
    # launch nothing, or nothing of the arrays that they are given, or something else first
    if not label.startswith(("random_", "is_finite", "finite_guard", "set_back"))
    and not label.endswith("finite")
}

WRONG = {
    "a NumPy array": lambda backend, a: a,
    "the other float": lambda backend, a: backend.asarray(a, "float64"),
    "integers": lambda backend, a: backend.xp.zeros(a.shape, "int32"),
    "too short": lambda backend, a: backend.asarray(a[..., :-1].copy()),
}
#: What is not wrong: all of the arrays may be of the other kind, or that one may be shorter.
FINE = {
    ("matmul", 1),
    ("matmul, transposed", 0),
    ("conv", 1),
    ("logistic_loss, two terms", 0),
    ("logistic_loss, two terms", 1),
    ("conv_grad_weight, after conv", 1),
}


def is_wrong(label, position, wrong):
    if wrong in ("the other float", "too short") and len(OPERATIONS[label].inputs) == 1:
        return False
    return not (wrong == "too short" and (label, position) in FINE)


def contents(arrays):
    return [np.asarray(getattr(a, "_host", a)).tobytes() for a in arrays]


@pytest.fixture(params=["columns", "direct"])
def backend(request, emulated, own_emulated):
    return {"columns": emulated, "direct": own_emulated}[request.param]


@pytest.mark.parametrize("label", OPERATIONS)
def test_a_wrong_array_is_refused_before_any_kernel_runs(label, backend, emulator):
    operation = OPERATIONS[label]
    host = operation.draw("float32")
    for wrong, position in itertools.product(WRONG, range(len(host))):
        if not is_wrong(label, position, wrong):
            continue
        arrays = [backend.asarray(a) for a in host]
        arrays[position] = WRONG[wrong](backend, host[position])
        before = contents(arrays)
        emulator.machine.launches.clear()
        with pytest.raises((TypeError, ValueError), match=r": expected .*, got "):
            operation.run(backend, *arrays)
        assert contents(arrays) == before
        if not label.startswith("conv_grad_weight"):  # there, columns are made first
            assert emulator.machine.launches == [], (wrong, position)


#: label -> positions of the arrays that are written in place
WRITTEN = {
    "add_sum": [0],
    "sum_rows, out": [1],
    "matmul, out": [2],
    "batch_norm": [3, 4],
    "batch_norm_gradient, of γ and β too": [4, 5],
    "add_product": [0],
    "add_product, transposed": [0],
    "bias_activation, tanh, out": [2],
    "bias_activation, tanh, in place": [0],
    "conv_grad_weight": [2],
    "sgd": [0, 2],
    "rmsprop": [0, 2],
    "adam": [0, 2, 3],
    "interpolate": [0],
}


@pytest.mark.parametrize("label", WRITTEN)
def test_what_is_written_in_place_must_be_contiguous(label, backend):
    operation = OPERATIONS[label]
    host = operation.draw("float32")
    for position in WRITTEN[label]:
        arrays = [backend.asarray(a) for a in host]
        wide = backend.asarray(np.repeat(host[position], 2, axis=-1))
        arrays[position] = wide[..., ::2]
        before = contents(arrays)
        with pytest.raises(ValueError, match=": expected a C-contiguous array"):
            operation.run(backend, *arrays)
        assert contents(arrays) == before


def test_another_gpus_array_is_refused(emulated, monkeypatch):
    x = emulated.xp.zeros((2, 3), "float32")
    monkeypatch.setattr(emulated, "device", 1)
    with pytest.raises(TypeError, match="expected an array on GPU 1, got one on GPU 0"):
        emulated.sum_rows(x)


def test_sizes_beyond_32_bits_are_refused(emulated, monkeypatch):
    monkeypatch.setattr(launch, "LIMIT", 5)
    with pytest.raises(ValueError, match="x: expected at most 5 numbers in one array, got 6"):
        emulated.sum_rows(emulated.xp.zeros((2, 3), "float32"))


@pytest.mark.parametrize("label", all_operations())
def test_no_kernel_gets_an_array_beyond_the_limit(label, backend, monkeypatch):
    """Neither an input nor a result, nor what is made on the way: its indices would wrap."""
    operation = all_operations()[label]
    sizes, original = [], launch.Launching._launch

    def recorded(self, name, dtype, grid, *arguments):
        arrays = (a for a in arguments if isinstance(a, self.xp.ndarray))
        sizes.extend(a.size for a in arrays if a.dtype != "uint32")  # no counters
        original(self, name, dtype, grid, *arguments)

    def run():
        sizes.clear()
        operation.run(backend, *(backend.asarray(a) for a in operation.draw("float32")))

    monkeypatch.setattr(launch.Launching, "_launch", recorded)
    run()
    largest = max(sizes, default=0)
    if largest == 0:
        return  # no kernel of ours: cuBLAS counts by itself
    monkeypatch.setattr(launch, "LIMIT", largest)
    run()
    monkeypatch.setattr(launch, "LIMIT", largest - 1)
    with pytest.raises(ValueError, match=rf": expected at most {largest - 1} numbers in one array"):
        run()
    assert max(sizes, default=0) < largest


def test_the_limit_leaves_room_for_a_stride():
    """A grid-stride loop adds one stride to the last index, and looks at the bound afterwards."""
    assert launch.LIMIT + launch.THREADS * launch.MOST_BLOCKS <= 2**31 - 1


def test_every_number_has_the_exact_type(emulated, emulator):
    """Python's floats and integers become float32 and int32, whatever the kernel would take."""
    ran = set()
    for dtype in ("float32", "float64"):
        for operation in all_operations().values():
            operation.run(emulated, *(emulated.asarray(a) for a in operation.draw(dtype)))
    ran = {name for name, _, _ in emulator.machine.launches}
    own = {"matmul", "conv", "conv_grad_input", "conv_grad_weight"}
    names = set(launch.kernel_names()) - own
    assert ran == {f"{name}<{number}>" for name in names for number in ("float", "double")}
