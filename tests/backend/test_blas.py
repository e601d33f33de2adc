"""Tests of what is said about NumPy's BLAS."""

import numpy as np

from minigan.backend import blas

OPENBLAS = {
    "user_api": "blas",
    "internal_api": "openblas",
    "version": "0.3.31",
    "num_threads": 2,
    "architecture": "Haswell",
    "filepath": "/lib/numpy.libs/libscipy_openblas64_.so",
}
OF_SCIPY = OPENBLAS | {"version": "0.3.30", "filepath": "/lib/scipy.libs/libscipy_openblas.so"}


def test_what_is_loaded(monkeypatch):
    monkeypatch.setattr(
        blas, "threadpool_info", lambda: [{"user_api": "openmp"}, OF_SCIPY, OPENBLAS]
    )
    monkeypatch.delenv("OPENBLAS_CORETYPE", raising=False)
    assert blas.describe_blas() == "openblas 0.3.31, Haswell kernels, 2 threads"
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Haswell")
    described = "openblas 0.3.31, Haswell kernels (set by OPENBLAS_CORETYPE), 2 threads"
    assert blas.describe_blas() == described


def test_on_this_machine():
    np.ones((2, 2)) @ np.ones((2, 2))
    assert blas.describe_blas()


def test_no_blas(monkeypatch):
    monkeypatch.setattr(blas, "threadpool_info", lambda: [])
    assert blas.describe_blas() == "an unknown BLAS"
