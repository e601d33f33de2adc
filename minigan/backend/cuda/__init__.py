"""An NVIDIA GPU: the kernels (`kernels.cu`, a course in itself), launches, forms made of them."""

from minigan.backend.cuda.backend import CupyBackend
from minigan.backend.cuda.detect import find_gpu

__all__ = ["CupyBackend", "find_gpu"]
