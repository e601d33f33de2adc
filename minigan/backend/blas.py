"""What NumPy's matrix products run on, and whether this CPU could do better."""

from pathlib import Path

from threadpoolctl import threadpool_info

__all__ = ["blas_advice", "describe_blas"]

#: OpenBLAS's names for its kernels without AVX-512.
NARROW = {"Haswell", "Zen", "Sandybridge", "Nehalem", "Prescott", "Core2", "Barcelona"}

ADVICE = (
    "this CPU has AVX-512, which OpenBLAS does not know of: set OPENBLAS_CORETYPE=SkylakeX in the "
    "environment before Python starts, and matrix products become up to twice as fast"
)


def blas_advice():
    """What would make NumPy's products about twice as fast on this CPU; None if all is well."""
    return _advice_for(_first_blas())


def describe_blas():
    """The library under NumPy's products in a sentence; with advice where it is half as fast."""
    first = _first_blas()
    if first is None:
        return "an unknown BLAS"
    advice = _advice_for(first)
    kernels, threads = first.get("architecture", "unknown"), first["num_threads"]
    text = f"{first['internal_api']} {first['version']}, {kernels} kernels, {threads} threads"
    return f"{text}; {advice}" if advice else text


def _advice_for(blas):
    narrow = blas is not None and blas.get("architecture") in NARROW
    return ADVICE if narrow and "avx512f" in _cpu_flags() else None


def _first_blas():
    """NumPy's own, as it is loaded before any other."""
    return next((lib for lib in threadpool_info() if lib["user_api"] == "blas"), None)


def _cpu_flags():
    """What Linux says that the CPU can do; elsewhere nothing."""
    try:
        return Path("/proc/cpuinfo").read_text("utf-8").split()
    except OSError:
        return []
