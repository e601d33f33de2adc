"""An NVIDIA GPU: launches, the kernels (`kernels.cu`, a course in itself), and forms made of them."""

from minigan.backend.cuda.backend import CupyBackend
from minigan.backend.cuda.detect import find_gpu

__all__ = ["CupyBackend", "find_gpu"]
