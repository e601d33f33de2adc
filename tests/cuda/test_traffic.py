"""Neighbouring threads read neighbouring numbers: how a warp's accesses fall on memory, counted.

Global memory is served in sectors of 32 bytes, shared memory by 32 banks at a time. Both are
counted per warp and instruction, beside the fewest that the same bytes could take: see
emulator/runtime.cpp. A kernel that asks for too many is right, and slow.
"""

from collections import defaultdict

import numpy as np
import pytest
from operations import GUARDS, convolution, matrix, product, vector

from minigan.backend.cuda.launch import OPTIONS, kernel_names, source

IMAGES = convolution((8, 8), (4, 4), (2, 2), (1, 1), (32, 64), 1)
COLUMNS = matrix(300, 64) | vector(777) | IMAGES | {"set_back": GUARDS["set_back, NaN"]}
DIRECT = product(64, 40, 64) | IMAGES
#: Passes per ideal pass, in the worst case: a thread of Philox makes four numbers, and stores them
#: one after another; the guard reads two single numbers.
MOST = defaultdict(lambda: 1.0)
MOST |= {"philox_uniform": 4.0, "philox_normal": 4.0, "finite_guard": 1.15}


def traffic(backend, table, machine):
    """(kernel, whether shared) -> passes per ideal pass, over all operations of the table."""
    machine.traffic, sums = [], defaultdict(lambda: [0, 0])
    for operation in table.values():
        operation.run(backend, *(backend.asarray(a) for a in operation.draw("float32")))
    for kernel, _, shared, passes, ideal in machine.traffic:
        sums[kernel, shared][0] += passes
        sums[kernel, shared][1] += ideal
    return {key: passes / ideal for key, (passes, ideal) in sums.items()}


def test_warps_ask_for_what_memory_gives_at_once(emulated, own_emulated, emulator):
    found = traffic(emulated, COLUMNS, emulator.machine)
    found |= traffic(own_emulated, DIRECT, emulator.machine)
    assert {kernel for kernel, _ in found} == set(kernel_names())
    for (kernel, shared), ratio in found.items():
        assert ratio <= MOST[kernel] + 0.01, (kernel, "shared" if shared else "global", ratio)


STRAIGHT = "FOR_EACH(i, n) dx[i] = first_derivative(function, y[i], slope) * dy[i];"
ACROSS = STRAIGHT.replace(
    "FOR_EACH(i, n) dx",
    "FOR_EACH(k, n)\n    for (int i = k % 32 * (n / 32) + k / 32, once = 1; once--;) dx",
)
SLOW = {
    # what `kernels.cu` says, and what is slow; the operation, whether of shared memory, how slow
    "no room between banks": ("WIDE = SIDE + 2", "WIDE = SIDE", DIRECT["matmul"], True, 1.1),
    "across rows": (
        *("operand.k_is_contiguous ?", "!operand.k_is_contiguous ?", DIRECT["matmul"], False, 2),
    ),
    "every 600th number": (*(STRAIGHT, ACROSS, COLUMNS["activation_gradient, tanh"], False, 7),),
}


@pytest.mark.slow
@pytest.mark.parametrize("title", SLOW)
def test_what_is_slow_is_seen(title, emulator, own_emulated, monkeypatch):
    old, new, operation, shared, ratio = SLOW[title]
    assert old in source()
    names = ["matmul<float>", "activation_gradient<float>"]
    module = emulator.RawModule(
        code=source().replace(old, new), options=OPTIONS, name_expressions=names
    )
    monkeypatch.setattr(own_emulated, "_modules", {np.dtype("float32"): module})
    monkeypatch.setattr(own_emulated, "_functions", {})
    found = traffic(own_emulated, {title: operation}, emulator.machine)
    assert max(value for (_, s), value in found.items() if s == shared) > ratio, found
