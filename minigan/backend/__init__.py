"""Where arrays live: the few operations that are worth a kernel, and which machine runs them.

`get_backend("numpy")` gives the CPU; networks take a backend, or its name, when they are built.
`python -m minigan.backend` prints what was found on this machine.
"""

from minigan.backend.numpy_backend import NumpyBackend

__all__ = ["BACKENDS", "BackendUnavailable", "NumpyBackend", "get_backend", "why"]

BACKENDS = ("numpy", "cupy", "auto")

_NUMPY = NumpyBackend()


class BackendUnavailable(RuntimeError):
    """The backend that was asked for cannot run on this machine; the message says why."""


def why():
    """Why `auto` chooses as it does on this machine, in words."""
    return "numpy: this version of minigan has no GPU backend yet, so everything runs on the CPU"


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
    if backend == "cupy":
        raise BackendUnavailable(f'backend "cupy" cannot be used: {why()}')
    return _NUMPY
