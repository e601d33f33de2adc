"""Tests of what is said about NumPy's BLAS, on simulated machines."""

import numpy as np
import pytest

from minigan.backend import blas

OPENBLAS = {
    "user_api": "blas", "internal_api": "openblas", "version": "0.3.31", "num_threads": 2,
}  # fmt: skip


def describe(monkeypatch, architecture, flags):
    library = OPENBLAS | {"architecture": architecture}
    monkeypatch.setattr(blas, "threadpool_info", lambda: [{"user_api": "openmp"}, library])
    monkeypatch.setattr(blas, "_cpu_flags", lambda: flags)
    return blas.describe_blas()


@pytest.mark.parametrize(
    "architecture, flags, advised",
    [
        ("Haswell", ["avx2", "avx512f"], True),  # Zen 5 with OpenBLAS 0.3.31
        ("Haswell", ["avx2"], False),
        ("SkylakeX", ["avx2", "avx512f"], False),
        ("Cooperlake", ["avx2", "avx512f"], False),
    ],
)
def test_advice_only_where_it_helps(architecture, flags, advised, monkeypatch):
    text = describe(monkeypatch, architecture, flags)
    assert text.startswith(f"openblas 0.3.31, {architecture} kernels, 2 threads")
    assert ("OPENBLAS_CORETYPE" in text) == advised


def test_on_this_machine():
    np.ones((2, 2)) @ np.ones((2, 2))
    assert blas.describe_blas()
    assert isinstance(blas._cpu_flags(), list)


def test_no_blas_and_no_proc(monkeypatch):
    monkeypatch.setattr(blas, "threadpool_info", lambda: [])
    assert blas.describe_blas() == "an unknown BLAS"

    class Nowhere:
        def __init__(self, path):
            pass

        def read_text(self, encoding):
            raise FileNotFoundError

    monkeypatch.setattr(blas, "Path", Nowhere)
    assert blas._cpu_flags() == []
