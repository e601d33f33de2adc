"""What NumPy's matrix products run on."""

import os

from threadpoolctl import threadpool_info

__all__ = ["describe_blas"]


def describe_blas():
    """The library under NumPy's products in a sentence.

    OpenBLAS has kernels for every generation of CPUs and takes the newest that run. The variable
    OPENBLAS_CORETYPE chooses others by hand (Haswell's, say, so that machines of different age
    compute the same bits); whoever compares speeds should know.
    """
    found = [lib for lib in threadpool_info() if lib["user_api"] == "blas"]
    if not found:
        return "an unknown BLAS"
    first = next((lib for lib in found if "numpy" in lib["filepath"]), found[0])  # not SciPy's
    kernels, threads = first.get("architecture", "unknown"), first["num_threads"]
    by_hand = " (set by OPENBLAS_CORETYPE)" if os.environ.get("OPENBLAS_CORETYPE") else ""
    library = f"{first['internal_api']} {first['version']}"
    plural = "" if threads == 1 else "s"
    return f"{library}, {kernels} kernels{by_hand}, {threads} thread{plural}"
