"""The emulator's streams, graphs and pools."""

import numpy as np
import pytest

SOURCE = """
template <typename T>
__global__ void scale(T* x, int n, T factor) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) x[i] *= factor;
}
"""


@pytest.fixture(scope="module")
def scale(emulator):
    module = emulator.RawModule(
        code=SOURCE, options=("-std=c++17",), name_expressions=["scale<float>"]
    )
    kernel = module.get_function("scale<float>")
    return lambda x, factor: kernel((1,), (32,), (x, np.int32(x.size), np.float32(factor)))


def captured(emulator, function, pool=None):
    """The graph of a function without arguments, and what the function returned."""
    stream = emulator.cuda.Stream(non_blocking=True)
    with stream, emulator.cuda.using_allocator((pool or emulator.cuda.MemoryPool()).malloc):
        stream.begin_capture()
        try:
            result = function()
        finally:
            graph = stream.end_capture()
    return graph, result


def numbers(*values):
    return np.array(values, "float32")


def test_what_is_captured_does_not_run_and_what_is_launched_runs_again(emulator, scale):
    x, pool = emulator.asarray(numbers(1, 2, 3)), emulator.cuda.MemoryPool()

    def work():
        y = x + 1  # an operation on arrays,
        scale(y, 10)  # a kernel,
        y[0] = 7  # a change of one number
        return y * 2

    graph, y = captured(emulator, work, pool)
    assert emulator.machine.launches == [] and np.isnan(y.get()).all()
    assert (x.get() == [1, 2, 3]).all()
    for host in (numbers(1, 2, 3), numbers(4, 5, 6)):
        x[...] = emulator.asarray(host)
        graph.launch()
        assert (y.get() == [14, 20 * (host[1] + 1), 20 * (host[2] + 1)]).all()
    assert [name for name, _, _ in emulator.machine.launches] == ["scale<float>"] * 2
    assert emulator.machine.graphs == [4, 4]


def test_a_number_of_the_host_is_baked_and_a_view_is_no_node(emulator):
    x, factor, pool = emulator.asarray(np.zeros((2, 3), "float32")), 2.0, emulator.cuda.MemoryPool()

    def work():
        return x.T[1] + factor

    graph, y = captured(emulator, work, pool)
    factor = 5.0
    graph.launch()
    assert (y.get() == [2, 2]).all() and emulator.machine.graphs == [1]


def test_one_number_of_an_array_is_a_view(emulator):
    x = emulator.asarray(numbers(1, 2))
    x[1][...] = 5
    assert x.tolist() == [1, 5]


REFUSED = {
    "a copy from the host": lambda xp, x: xp.asarray([1.0]),
    "set": lambda xp, x: x.set(np.zeros(9, "float32")),
    "a list as an index": lambda xp, x: x[[0, 1]],
    "many arrays joined": lambda xp, x: xp.concatenate([x] * 9),
    "get": lambda xp, x: x.get(),
    "float": lambda xp, x: float(x.sum()),
    "int": lambda xp, x: int(x.sum()),
    "a condition": lambda xp, x: bool((x > 0).all()),
    "item": lambda xp, x: x[0].item(),
    "tolist": lambda xp, x: x.tolist(),
    "text": lambda xp, x: f"{x}",
    "a mask": lambda xp, x: x[x > 0],
    "waiting": lambda xp, x: xp.cuda.get_current_stream().synchronize(),
    "a matrix product": lambda xp, x: x.reshape(3, 3).dot(x.reshape(3, 3)),
    "@": lambda xp, x: x.reshape(3, 3) @ x.reshape(3, 3),
    "einsum": lambda xp, x: xp.einsum("i,j->ij", x, x),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_cupy_refuses_is_refused(what, emulator):
    x = emulator.asarray(np.arange(9, dtype="float32"))
    REFUSED[what](emulator, x)
    with pytest.raises(RuntimeError, match="captur"):
        captured(emulator, lambda: REFUSED[what](emulator, x))
    REFUSED[what](emulator, x)  # it is over


def test_what_cupy_takes_is_taken(emulator):
    """Up to eight arrays are joined by copies; the product of two vectors is no call of cuBLAS."""
    x, pool = emulator.asarray(numbers(1, 2)), emulator.cuda.MemoryPool()
    graph, (joined, product) = captured(
        emulator, lambda: (emulator.concatenate([x] * 8), x.dot(x)), pool
    )
    graph.launch()
    assert joined.tolist() == [1, 2] * 8 and product.tolist() == 5


def test_the_default_stream_cannot_be_captured(emulator):
    with pytest.raises(RuntimeError, match="default"):
        emulator.cuda.Stream.null.begin_capture()
    with pytest.raises(RuntimeError, match="not capturing"):
        emulator.cuda.Stream(non_blocking=True).end_capture()


# --- Memory --------------------------------------------------------------------------------------


def test_freed_memory_goes_to_the_next_array_with_poison_in_it(emulator):
    x = emulator.asarray(np.arange(1000, dtype="float32"))
    address, view = x._host.ctypes.data, x[10:]
    del x
    other = emulator.empty(1000, "float32")
    assert other._host.ctypes.data != address and view[0].item() == 10
    del view
    again = emulator.empty((10, 100), "float32")
    assert again._host.ctypes.data == address and np.isnan(again.get()).all()


def test_temporaries_of_a_graph_that_went_to_others(emulator):
    x, shared = emulator.asarray(np.ones(1000, "float32")), emulator.cuda.MemoryPool()
    graph, y = captured(emulator, lambda: (x + 1) * 2, shared)
    graph.launch()
    assert (y.get() == 4).all()
    with emulator.cuda.using_allocator(shared.malloc):
        mine = emulator.asarray(np.zeros(1000, "float32"))
    with pytest.raises(emulator.EmulatorError, match="given to others"):
        graph.launch()
    emulator.machine.checks = False  # as on a GPU
    graph.launch()
    assert (mine.get() == 2).all()


def test_a_graph_whose_pool_is_gone(emulator):
    x = emulator.asarray(np.ones(1000, "float32"))
    graph, y = captured(emulator, lambda: x + 1)
    graph.launch()  # y holds on to it
    del y
    with pytest.raises(emulator.EmulatorError, match="pool is gone"):
        graph.launch()
