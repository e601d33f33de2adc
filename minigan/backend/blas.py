"""What NumPy's matrix products run on, and whether this CPU could do better."""

from pathlib import Path

from threadpoolctl import threadpool_info

__all__ = ["describe_blas"]

#: OpenBLAS's names for its kernels without AVX-512.
NARROW = {"Haswell", "Zen", "Sandybridge", "Nehalem", "Prescott", "Core2", "Barcelona"}

ADVICE = (
    "this CPU has AVX-512, which OpenBLAS does not know of: set OPENBLAS_CORETYPE=SkylakeX in the "
    "environment before Python starts, and matrix products become up to twice as fast"
)


def describe_blas():
    """The library under NumPy's products in a sentence; with advice where it is half as fast."""
    blas = [library for library in threadpool_info() if library["user_api"] == "blas"]
    if not blas:
        return "an unknown BLAS"
    first = blas[0]  # NumPy's own: it is loaded before any other
    kernels, threads = first.get("architecture", "unknown"), first["num_threads"]
    text = f"{first['internal_api']} {first['version']}, {kernels} kernels, {threads} threads"
    return f"{text}; {ADVICE}" if kernels in NARROW and "avx512f" in _cpu_flags() else text


def _cpu_flags():
    """What Linux says that the CPU can do; elsewhere nothing."""
    try:
        return Path("/proc/cpuinfo").read_text("utf-8").split()
    except OSError:
        return []
