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
    # NumPy's own comes first, as it is loaded before any other.
    first = next((lib for lib in threadpool_info() if lib["user_api"] == "blas"), None)
    if first is None:
        return "an unknown BLAS"
    kernels, threads = first.get("architecture", "unknown"), first["num_threads"]
    by_hand = " (set by OPENBLAS_CORETYPE)" if os.environ.get("OPENBLAS_CORETYPE") else ""
    library = f"{first['internal_api']} {first['version']}"
    return f"{library}, {kernels} kernels{by_hand}, {threads} threads"
