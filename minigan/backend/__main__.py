"""`python -m minigan.backend`: what was found on this machine, and what `auto` makes of it."""

import platform

import numpy

from minigan.backend import get_backend, why
from minigan.backend.blas import describe_blas

if __name__ == "__main__":
    print(f"Python {platform.python_version()}, NumPy {numpy.__version__}")
    print(f"NumPy's products: {describe_blas()}")
    print(f"auto chooses {get_backend('auto').name}")
    print(why())
