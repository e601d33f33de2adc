"""NumPy: the backend itself, and its faster forms."""

from minigan.backend.numpy.backend import NumpyBackend

__all__ = ["NumpyBackend"]
