"""Products by cuBLAS: how it is called; the emulator's agrees with the BLAS of Fortran."""

import ctypes
from itertools import product

import numpy as np
import pytest
from devices import make_backend
from scipy.linalg import blas

from minigan.backend.cuda import cublas

SIZES = [(1, 1, 1), (3, 4, 5), (1, 4, 2), (4, 1, 2), (3, 2, 1), (70, 65, 33)]
LAYOUTS = list(product([False, True], repeat=2))


def matrices(m, n, k, dtype, transposed, seed=0):
    """a (m, k) and b (k, n) on the host, each maybe the transpose of what is stored."""
    rng = np.random.default_rng(seed)
    made = []
    for shape, turned in zip([(m, k), (k, n)], transposed, strict=True):
        x = rng.normal(size=shape[:: -1 if turned else 1]).astype(dtype)
        made.append(x.T if turned else x)
    return made


def there(device, x):
    return device.asarray(x) if x.flags.c_contiguous else device.asarray(x.T).T


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("transposed", LAYOUTS)
@pytest.mark.parametrize("sizes", SIZES)
def test_every_layout(sizes, transposed, dtype, device):
    a, b = matrices(*sizes, dtype, transposed)
    tolerance = {"float32": 2e-5, "float64": 1e-12}[dtype]
    found = device.matmul(there(device, a), there(device, b))
    np.testing.assert_allclose(device.to_numpy(found), a @ b, tolerance, tolerance)
    device.add_product(found, there(device, a), there(device, b))
    np.testing.assert_allclose(device.to_numpy(found), 2 * (a @ b), tolerance, 2 * tolerance)


@pytest.mark.parametrize("shape", [(0, 3, 2), (3, 0, 2), (3, 2, 0)])
def test_nothing(shape, device):
    m, n, k = shape
    zeros = (device.xp.zeros(s, "float32") for s in ((m, k), (k, n)))
    assert device.to_numpy(device.matmul(*zeros)).tolist() == np.zeros((m, n)).tolist()


# --- The emulator's cuBLAS -----------------------------------------------------------------------


@pytest.fixture
def library(emulator):
    """Its functions, ready to be called."""
    made = make_backend("emulator").cublas
    made.use_current_stream()
    return made


def gemm(library, emulator, a, b, c, a_is=0, b_is=0, alpha=1.0, beta=0.0, **changed):
    """Status, and c, of matrices as Fortran stores them."""
    number = ctypes.c_float
    a, b, c = (np.asfortranarray(x, "float32") for x in (a, b, c))
    m, n, k = *c.shape, a.shape[0 if a_is else 1]
    stored = [emulator.asarray(x.T.copy()) for x in (a, b, c)]  # row by row, transposed
    given = {
        "handle": library.handle, "a_is": a_is, "b_is": b_is, "m": m, "n": n, "k": k,
        "alpha": ctypes.byref(number(alpha)), "a": stored[0].data.ptr, "lda": a.shape[0],
        "b": stored[1].data.ptr, "ldb": b.shape[0], "beta": ctypes.byref(number(beta)),
        "c": stored[2].data.ptr, "ldc": m,
    } | changed  # fmt: skip
    status = library.library.cublasSgemm_v2(*given.values())
    return status, stored[2].get().T


@pytest.mark.parametrize("a_is, b_is", LAYOUTS)
def test_it_computes_what_fortrans_does(a_is, b_is, library, emulator):
    rng = np.random.default_rng(0)
    shapes = (5, 3) if a_is else (3, 5), (4, 5) if b_is else (5, 4), (3, 4)
    a, b, c = (rng.normal(size=shape).astype("float32") for shape in shapes)
    expected = blas.sgemm(1.5, a, b, 0.5, c, trans_a=a_is, trans_b=b_is)
    status, found = gemm(library, emulator, a, b, c, a_is, b_is, 1.5, 0.5)
    assert status == 0
    np.testing.assert_allclose(found, expected, 1e-5, 1e-5)


def test_a_beta_of_zero_forgets_even_nan(library, emulator):
    status, found = gemm(library, emulator, np.eye(2), np.eye(2), np.full((2, 2), np.nan))
    assert status == 0 and (found == np.eye(2)).all()


@pytest.mark.parametrize(
    "changed", [{"lda": 1}, {"ldb": 1}, {"ldc": 1}, {"handle": 5}, {"k": -1}], ids=str
)
def test_it_refuses(changed, library, emulator):
    status, _ = gemm(library, emulator, np.eye(2), np.eye(2), np.eye(2), **changed)
    assert status == 7


# --- Streams -------------------------------------------------------------------------------------


def test_its_work_goes_to_the_stream_that_is_captured(emulator):
    device, stream = make_backend("emulator"), emulator.cuda.Stream(non_blocking=True)
    a = device.asarray(np.eye(2, dtype="float32"))
    device.matmul(a, a)
    with stream:
        stream.begin_capture()
        found = device.matmul(a, a)
        graph = stream.end_capture()
    assert np.isnan(found.get()).all()
    device.matmul(a, a)
    graph.launch()
    assert (found.get() == np.eye(2)).all() and emulator.machine.graphs == [1]


def forgets_the_stream(self):
    if self.stream is None:
        self.call("cublasSetStream_v2", self.handle, 0)
        self.call("cublasSetWorkspace_v2", self.handle, self.workspace.data.ptr, 1 << 20)
        self.stream = 0


def forgets_the_workspace(self):
    self.call("cublasSetStream_v2", self.handle, self.cupy.cuda.get_current_stream().ptr)


@pytest.mark.parametrize(
    "bug, status",
    [(forgets_the_stream, "MAPPING_ERROR"), (forgets_the_workspace, "INVALID_VALUE")],
    ids=["stream", "workspace"],
)
def test_what_is_forgotten_is_caught(bug, status, emulator, monkeypatch):
    monkeypatch.setattr(cublas.Cublas, "use_current_stream", bug)
    device = make_backend("emulator")
    a = device.asarray(np.eye(2, dtype="float32"))
    with (
        pytest.raises(RuntimeError, match=f"CUBLAS_STATUS_{status}"),
        emulator.cuda.Stream(non_blocking=True),
    ):
        device.matmul(a, a)
