"""The emulator: what is right runs, and what is wrong is named, in every order of threads.

`mistakes.cu` holds the kernels.
"""

from pathlib import Path

import numpy as np
import pytest

F, I = np.float32, np.int32
SOURCE = Path(__file__).with_name("mistakes.cu").read_text(encoding="utf-8")
OPTIONS = ("-std=c++17",)
X = np.arange(1, 257, dtype=F)
SHORT = np.arange(1, 201, dtype=F)
WARP = np.arange(1, 33, dtype=F)
LONG = np.arange(1, 1001, dtype=F)
WHOLE = np.arange(1, 1025, dtype=F)


def like(x):
    return np.full_like(x, np.nan)


# kernel: grid, block, arguments (arrays or scalars), the last array's value afterwards,
# and what the emulator says about the wrong form
MISTAKES = {
    "no_barrier": (1, 256, [X], X[::-1], "data race|unwritten shared memory"),
    "buffer_used_again": (1, 256, [X], X[::-1], "data race"),
    "early_return": (1, 256, [SHORT, I(200)], SHORT[::-1], "56 of 256 threads returned before"),
    "barrier_in_a_branch": (1, 256, [X], X[::-1], "divergent barrier"),
    "deadlock": (1, 256, [X], X + 1, "deadlock"),
    "no_bound": (4, 256, [LONG, I(1000)], 2 * LONG, "read out of bounds: 4 bytes, 4|out of bounds"),
    "left_neighbour": (
        *(4, 256, [LONG, like(LONG), I(1000)], LONG - 1),
        "read out of bounds: 4 bytes, 4 bytes before argument 0",
    ),
    "shared_too_small": (1, 256, [X], X[::-1], r"out of bounds: .* past the end of shared tile"),
    "unwritten_shared": (
        *(1, 256, [SHORT, I(200)], np.where(np.arange(200) < 56, 0, SHORT[::-1] + 56)),
        "read of unwritten shared memory: shared tile",
    ),
    "sum": (4, 256, [LONG, np.zeros(1, F), I(1000)], [500500], "data race"),
    "no_warp_barrier": (1, 256, [X], X[np.arange(256) ^ 1], "data race|unwritten shared memory"),
    "warp_barrier_for_block": (1, 256, [X], X + 3, "data race: write of shared first.*read by"),
    "not_in_the_mask": (1, 64, [X[:64]], X[:64] + 1, "lane is not in its own mask 0000ffff"),
    "set_while_adding": (1, 256, [X, np.zeros(1, F)], [X.sum()], "data race"),
    "two_writers": (4, 256, [LONG, like(LONG), I(1000)], LONG, "data race: write of argument 1"),
    "last_block": (
        *(4, 256, [WHOLE, like(WHOLE), np.zeros(1, np.uint32), like(LONG[:1])], [WHOLE.sum()]),
        "data race: read of argument 1",
    ),
    "other_block": (4, 256, [LONG, I(1000)], LONG + 1, "data race"),
    "half_a_mask": (1, 32, [WARP, like(WARP[:1])], [528], "lane is not in its own mask 0000ffff"),
    "shuffle_in_a_branch": (
        *(1, 32, [WARP, like(WARP)], WARP + (np.arange(32) ^ 2) + 1),
        "deadlock|divergent barrier",
    ),
    "overflow": (1, 32, [like(WARP), I(1 << 17)], [2.0**34] * 32, "signed integer overflow"),
    "misaligned": (1, 2, [np.zeros(16, F)], [0, 1, 0, 0, 0, 1, 0, 0] + [0] * 8, "misaligned"),
}
NAMES = [f"{name}<{wrong}>" for name in MISTAKES for wrong in ("true", "false")]
orders = pytest.mark.parametrize("order", [0, 1, 7], ids=["rising", "falling", "shuffled"])


@pytest.fixture(scope="module")
def module(emulator):
    names = [*NAMES, "warp_intrinsics", "returned_lanes", "places"]
    return emulator.RawModule(code=SOURCE, options=OPTIONS, name_expressions=names)


def run(emulator, function, grid, block, arguments):
    """Launch, and the last array's value."""
    on_device = [emulator.asarray(a) if isinstance(a, np.ndarray) else a for a in arguments]
    function((grid,), (block,), tuple(on_device))
    return [a.get() for a in on_device if isinstance(a, emulator.ndarray)][-1]


@orders
@pytest.mark.parametrize("name", MISTAKES)
def test_the_right_kernel_runs_and_the_wrong_one_is_caught(name, order, emulator, module):
    *launch, expected, complaint = MISTAKES[name]
    emulator.machine.order = order
    right = run(emulator, module.get_function(f"{name}<false>"), *launch)
    np.testing.assert_array_equal(right, np.asarray(expected, F))
    with pytest.raises(emulator.EmulatorError, match=complaint):
        run(emulator, module.get_function(f"{name}<true>"), *launch)


def test_an_error_names_thread_block_and_line(emulator, module):
    with pytest.raises(emulator.EmulatorError) as caught:
        run(emulator, module.get_function("no_bound<true>"), *MISTAKES["no_bound"][:3])
    line = next(i for i, text in enumerate(SOURCE.splitlines(), 1) if "x[i] *= 2.0f" in text)
    message = str(caught.value)
    assert message.startswith(
        "no_bound<true>: read out of bounds: 4 bytes, 4 bytes past the end of"
    )
    assert "argument 0 (1000,) of 4000 bytes" in message
    assert "by thread (232, 0, 0) of block (3, 0, 0)" in message
    assert f"line {line}: if (wrong || i < n) x[i] *= 2.0f;" in message


@orders
def test_warp_intrinsics(order, emulator, module):
    x = np.random.default_rng(0).integers(-9, 9, 64).astype(I)
    emulator.machine.order = order
    y = run(emulator, module.get_function("warp_intrinsics"), 1, 64, [x, np.zeros(640, I)])
    lane, warp = np.arange(64) % 32, np.arange(64) // 32 * 32

    def at(source):
        return x[warp + source]

    inside = lane % 16 + 3 < 16
    expected = [
        at(np.full(64, 5)),
        at(lane // 8 * 8 + (lane + 1) % 8),
        at(np.where(lane >= 3, lane - 3, lane)),
        at(np.where(inside, (lane + 3) % 32, lane)),
        at(lane ^ 9),
        np.repeat([(1 << np.arange(32))[half > 0].sum() for half in (x[:32], x[32:])], 32),
        np.repeat([7 in x[:32], 7 in x[32:]], 32),
        np.ones(64),
        at(np.where(lane % 2, lane ^ 2, np.where(lane >= 2, lane - 2, lane))),
        at(np.minimum(lane + 1, 31)),
    ]
    np.testing.assert_array_equal(y.reshape(10, 64), np.array(expected).astype(I))


@orders
def test_a_lane_that_has_returned_has_nothing_to_give(order, emulator, module):
    emulator.machine.order = order
    y = run(emulator, module.get_function("returned_lanes"), 1, 32, [WARP, like(WARP[:16])])
    np.testing.assert_array_equal(y, [13, 14, 15, 16, *[np.nan] * 12])


@orders
def test_threads_know_their_places_and_share_memory_by_size(order, emulator, module):
    emulator.machine.order = order
    y, kernel = emulator.empty(2 * 3 * 2 * 60, I), module.get_function("places")
    kernel((2, 3, 2), (5, 4, 3), (y,), shared_mem=240)
    expected = np.arange(720).reshape(12, 60)[:, ::-1].ravel()
    np.testing.assert_array_equal(y.get(), expected)
    assert emulator.machine.launches == [("places", (2, 3, 2), (5, 4, 3))]
    with pytest.raises(emulator.EmulatorError, match="past the end of dynamic shared memory"):
        kernel((2, 3, 2), (5, 4, 3), (y,), shared_mem=236)


def test_a_kernel_has_its_own_shared_memory_and_no_other(module):
    module.compile()
    shared = module._compiled.shared
    assert [(r.name, r.bytes) for r in shared["no_barrier<true>"]] == [(b"shared tile", 1024)]
    assert [r.bytes for r in shared["shared_too_small<true>"]] == [1020]
    assert shared["no_bound<true>"] == []


# --- Launches ------------------------------------------------------------------------------------

RIGHT = {"grid": (4,), "block": (256,), "x": LONG, "y": like(LONG), "n": I(1000)}
WRONG_LAUNCHES = {
    "int64 for int": ({"n": np.int64(1000)}, "argument 2: got int64 .*, the kernel takes i4"),
    "a Python int, which is 8 bytes": ({"n": 1000}, "got int .int64., the kernel takes i4"),
    "a float for int": ({"n": 1000.0}, "got float .float64., the kernel takes i4"),
    "None": ({"n": None}, "got NoneType"),
    "double array for float*": ({"x": LONG.astype(float)}, "array of float64 for a pointer to f4"),
    "int array for float*": ({"y": LONG.astype(I)}, "array of int32 for a pointer to f4"),
    "n beyond the array": ({"n": I(1001)}, "out of bounds"),
    "output too small": ({"y": like(LONG[1:])}, "write out of bounds: 4 bytes, 4 bytes past"),
    "block of 2048": ({"block": (2048,)}, "CUDA_ERROR_INVALID_VALUE"),
    "a deep block": ({"block": (1, 1, 128)}, "CUDA_ERROR_INVALID_VALUE"),
    "a grid of 70,000 rows": ({"grid": (1, 70_000)}, "CUDA_ERROR_INVALID_VALUE"),
    "60 KB of shared memory": ({"shared_mem": 60_000}, "CUDA_ERROR_INVALID_VALUE"),
    "float grid": ({"grid": (1000 / 256,)}, "grid must be a tuple of integers"),
    "number for a grid": ({"grid": 4}, "grid must be a tuple of integers"),
    "too few arguments": ({"n": ...}, "takes 3 arguments, got 2"),
}


@pytest.fixture
def launch(emulator, module):
    def launch(shared_mem=0, **changes):
        values = RIGHT | changes
        grid, block, *arguments = values.values()
        on_device = [emulator.asarray(a) if isinstance(a, np.ndarray) else a for a in arguments]
        given = tuple(a for a in on_device if a is not ...)
        module.get_function("two_writers<false>")(grid, block, given, shared_mem=shared_mem)
        return on_device[1].get()

    return launch


def test_the_launch_that_is_right(launch):
    np.testing.assert_array_equal(launch(), LONG)
    np.testing.assert_array_equal(launch(grid=(np.int64(4), 1), block=(256, 1, 1)), LONG)


@pytest.mark.parametrize("change, complaint", WRONG_LAUNCHES.values(), ids=WRONG_LAUNCHES)
def test_wrong_launches(change, complaint, launch, emulator):
    with pytest.raises((emulator.EmulatorError, TypeError), match=complaint):
        launch(**change)


def test_host_arrays_and_views_with_gaps(emulator, module):
    x, kernel = emulator.asarray(LONG.reshape(10, 100)), module.get_function("two_writers<false>")

    def launch(x):
        kernel((1,), (256,), (x, emulator.empty(1000, F), I(100)))

    launch(x[3:])  # contiguous rows
    for view in (x.T, x[:, ::2], x[:, :50]):
        with pytest.raises(emulator.EmulatorError, match="argument 0: not C-contiguous"):
            launch(view)
    with pytest.raises(TypeError, match="argument 0: expected a device array, got ndarray"):
        launch(LONG)


# --- Compilation ---------------------------------------------------------------------------------

WRONG_SOURCES = {
    "a double constant in a float kernel": ("x[i] *= 2.0f", "x[i] *= 2.1", "double"),
    "a missing semicolon": ("x[i] *= 2.0f;", "x[i] *= 2.0f", "expected"),
    "an undeclared name": ("x[i] *= 2.0f", "x[i] *= two", "two"),
}


@pytest.mark.parametrize("old, new, complaint", WRONG_SOURCES.values(), ids=WRONG_SOURCES)
def test_what_does_not_compile(old, new, complaint, emulator):
    assert SOURCE.count(old) == 1
    source = SOURCE.replace(old, new)
    module = emulator.RawModule(code=source, options=OPTIONS, name_expressions=["no_bound<false>"])
    with pytest.raises(emulator.CompileException, match=f"kernels.cu:[0-9:]+ error: .*{complaint}"):
        module.compile()


def test_unknown_kernels_and_a_missing_option(emulator, module):
    with pytest.raises(emulator.EmulatorError, match=r"NOT_FOUND.*no_bound<maybe>"):
        module.get_function("no_bound<maybe>")
    with pytest.raises(emulator.EmulatorError, match="-std=c"):
        emulator.RawModule(code=SOURCE, name_expressions=["places"])
