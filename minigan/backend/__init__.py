"""Where arrays live: the few operations that are worth a kernel, and which machine runs them.

`get_backend("numpy")` gives the CPU, `get_backend("cupy")` an NVIDIA GPU, and "auto" the GPU if it
truly works here; networks take a backend, or its name, when they are built. `numpy_backend.py` has
every operation in plain NumPy, `cupy_backend.py` the same operations through the kernels of
`kernels.cu`. `python -m minigan.backend` prints what was found on this machine.
"""

from minigan.backend.cupy_backend import CupyBackend
from minigan.backend.detect import find_gpu
from minigan.backend.numpy_backend import NumpyBackend

__all__ = ["BACKENDS", "BackendUnavailable", "CupyBackend", "NumpyBackend", "get_backend", "why"]

BACKENDS = ("numpy", "cupy", "auto")

_NUMPY = NumpyBackend()


class BackendUnavailable(RuntimeError):
    """The backend that was asked for cannot run on this machine; the message says why."""


def why():
    """Why `auto` chooses as it does on this machine, in words."""
    backend, found = find_gpu()
    return f"numpy: {found}" if backend is None else f"cupy: {found}"


def get_backend(backend="auto"):
    """The backend of that name ("numpy", "cupy", "auto"), or the object itself.

    Raises BackendUnavailable if it cannot run here, ValueError for an unknown name.
    """
    if not isinstance(backend, str):
        if not hasattr(backend, "xp"):
            raise TypeError(f"backend: expected a name or a backend object, got {backend!r}")
        return backend
    if backend not in BACKENDS:
        raise ValueError(f"unknown backend {backend!r}: expected one of {', '.join(BACKENDS)}")
    if backend == "numpy":
        return _NUMPY
    gpu, found = find_gpu()
    if gpu is not None:
        return gpu
    if backend == "cupy":
        raise BackendUnavailable(f'backend "cupy" cannot be used: {found}')
    return _NUMPY
