"""Whether the GPU works here: found out by trying it, and told in words."""

import os
from functools import cache

import numpy as np

from minigan.backend.cuda.backend import CupyBackend, load_cupy

__all__ = ["find_gpu"]

#: Volta, the first whose warps may diverge, which is what `__shfl_down_sync` was made for.
OLDEST = (7, 0)
#: Turing: CUDA 13 no longer compiles for anything older.
OLDEST_OF_CUDA_13 = (7, 5)
INSTALL = (
    "for an NVIDIA GPU, pip install 'cupy-cuda13x[ctk]' (driver 580 or newer) or "
    "'cupy-cuda12x[ctk]' (driver 525 or newer)"
)
FULL = (
    "its memory is full: nvidia-smi shows who uses it; end what you do not need, or choose another "
    "GPU by CUDA_VISIBLE_DEVICES"
)
BUSY = (
    "another program has it for itself: nvidia-smi shows which; wait for it, or choose another "
    "GPU by CUDA_VISIBLE_DEVICES"
)

#: What errors say, in lower case and without spaces, where a GPU is full, busy or not to be seen.
FULL_SIGNS = ("outofmemory", "memoryallocation", "alloc_failed")
BUSY_SIGNS = ("devicesunavailable", "busyorunavailable", "inexclusive")
HIDDEN_SIGNS = ("nodevice", "nocuda-capabledevice", "numberofdevicesis0", "invaliddevice")


@cache
def find_gpu():
    """A CupyBackend that works, or None; and what was found, in a sentence.

    Every step that can fail is tried, down to a kernel of ours and a product by cuBLAS, whose
    results must be right. Whatever goes wrong on the way is the reason, and never an error.
    """
    try:
        cupy = load_cupy()
    except (Exception, SystemExit) as error:
        if isinstance(error, ModuleNotFoundError) and error.name == "cupy":
            return None, f"CuPy is not installed: {INSTALL}"
        return None, f"CuPy is installed but cannot be imported ({_brief(error)}): {INSTALL}"
    if not all(hasattr(cupy, name) for name in ("__version__", "cuda", "ndarray")):
        return None, f"{_place(cupy)} is found in place of CuPy: remove or rename it; {INSTALL}"
    version = f"CuPy {cupy.__version__}"
    try:
        gpu, capability, cuda = _device(cupy.cuda.runtime)
    except Exception as error:
        return None, (
            f"{version} is installed but finds no GPU that it can use ({_brief(error)}): "
            f"{_advice(error)}"
        )
    shown = f"{gpu} (compute capability {'.'.join(map(str, capability))})"
    if capability < OLDEST:
        return None, f"the {shown} is too old: minigan's kernels need 7.0 or newer"
    if cuda >= 13000 and capability < OLDEST_OF_CUDA_13:
        return None, (
            f"the {shown} is too old for CUDA 13, which needs 7.5 or newer: pip uninstall "
            f"cupy-cuda13x, pip install 'cupy-cuda12x[ctk]'"
        )
    try:
        backend = CupyBackend()
        right = _tried(backend)
    except Exception as error:
        return None, (
            f"a first kernel failed on the {shown}, {version} ({_brief(error)}): {_advice(error)}"
        )
    if not right:
        return None, f"a first kernel gave wrong numbers on the {shown}, {version}"
    return backend, f"{shown}, {version}"


def _device(runtime):
    """Name and compute capability of the current device, and CUDA's version (13000 is 13.0)."""
    if runtime.getDeviceCount() == 0:
        raise RuntimeError("the number of devices is 0")
    found = runtime.getDeviceProperties(runtime.getDevice())
    capability = found["major"], found["minor"]
    return found["name"].decode(), capability, runtime.runtimeGetVersion()


def _tried(backend):
    """Whether leaky ReLU of a product and a bias comes out right; small numbers, so exactly."""
    x, bias = np.array([[-2, 1], [3, -4]], "float32"), np.array([-1, 2], "float32")
    on_device = backend.asarray(x)
    product = backend.matmul(on_device, on_device)
    y = backend.bias_activation(product, backend.asarray(bias), "leaky_relu", 0.25)
    z = x @ x + bias
    return np.array_equal(backend.to_numpy(y), np.maximum(z, z / 4))


def _place(module):
    """Where a module that is not CuPy comes from: a file, or a folder without one."""
    file = getattr(module, "__file__", None)
    return file or "the folder " + ", ".join(getattr(module, "__path__", ["cupy"]))


def _advice(error):
    """What to do about an error of a GPU."""
    text = "".join(f"{type(e).__name__}{e}" for e in (error, error.__cause__) if e)
    text = "".join(text.lower().split())
    if any(sign in text for sign in FULL_SIGNS):
        return FULL
    if any(sign in text for sign in BUSY_SIGNS):
        return BUSY
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None and any(sign in text for sign in HIDDEN_SIGNS):
        return f"the environment variable CUDA_VISIBLE_DEVICES={visible!r} hides it: unset it"
    return f"check with nvidia-smi that there is one and that its driver is new enough; {INSTALL}"


def _brief(error):
    """What kind of error, and its first line."""
    error = error.__cause__ or error  # CuPy wraps a failed import in a page of advice
    first = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
    return f"{type(error).__name__}: {first[:200]}" if first else type(error).__name__
