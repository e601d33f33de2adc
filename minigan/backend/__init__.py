"""Where arrays live, and the faster forms of what the pages say.

A layer, an optimizer or an objective is a page: plain array code on `backend.xp`, which is NumPy or
CuPy. That page runs everywhere, and is the reference. A backend may bring a faster form of one of
its methods, in `backend.forms`: a table by class and method, which is asked once, when a network,
an optimizer or an objective is built (`fastest`). Where one form does the forward passes of two
neighbouring layers, it stands in `backend.pairs` (`join`).

    "reference"   NumPy and an empty table: every page as it is written
    "numpy"       NumPy and the forms in `numpy/`, each with what it saves
    "cupy"        an NVIDIA GPU through CuPy and the kernels in `cuda/kernels.cu`
    "auto"        the GPU if it truly works here, else "numpy"

`python -m minigan.backend` prints what was found on this machine.
"""

from functools import cache, partial

from minigan.backend.cuda import CupyBackend, find_gpu
from minigan.backend.numpy import NumpyBackend

__all__ = [
    "BACKENDS",
    "BackendUnavailable",
    "CupyBackend",
    "NumpyBackend",
    "draw_part",
    "fastest",
    "get_backend",
    "join",
    "why",
]

BACKENDS = ("reference", "numpy", "cupy", "auto")


class BackendUnavailable(RuntimeError):
    """The backend that was asked for cannot run on this machine; the message says why."""


def fastest(backend, part, method):
    """A method of `part`, bound to it: the backend's faster form, or the page's own (or None).

    Forms are for the very class that they were written for. A subclass, whose page may say
    something else, runs its own methods.
    """
    form = backend.forms.get(path_of(part), {}).get(method)
    return getattr(part, method, None) if form is None else partial(form, part)


def path_of(part):
    """The path of its class, under which a backend's tables have its forms."""
    return f"{type(part).__module__}.{type(part).__qualname__}"


def join(backend, first, second):
    """The forward methods of two neighbouring layers, where the backend does both at once, or None.

    The first then returns what the second one would, which hands it on.
    """
    forms = backend.pairs.get((path_of(first), path_of(second)))
    return forms and (partial(forms[0], first, second), partial(forms[1], second))


def draw_part(backend, draw, shape):
    """draw(shape), shape[0] samples; on several ranks, of what draws the whole batch, its part."""
    if backend.ranks is None:
        return backend.drawn(draw, shape)
    return backend.ranks.part(draw((backend.ranks.size * shape[0], *shape[1:])))


def why():
    """Why `auto` chooses as it does on this machine, in words."""
    backend, found = find_gpu()
    return f"numpy: {found}" if backend is None else f"cupy: {found}"


def get_backend(backend="auto"):
    """The backend of that name (one of `BACKENDS`), or the object itself.

    Raises BackendUnavailable if it cannot run here, ValueError for an unknown name.
    """
    if not isinstance(backend, str):
        if not hasattr(backend, "xp"):
            raise TypeError(f"backend: expected a name or a backend object, got {backend!r}")
        return backend
    if backend not in BACKENDS:
        raise ValueError(f"backend: expected one of {', '.join(BACKENDS)}, got {backend!r}")
    if backend in ("reference", "numpy"):
        return _host(backend)
    gpu, found = find_gpu()
    if gpu is not None:
        return gpu
    if backend == "cupy":
        raise BackendUnavailable(f'backend "cupy" cannot be used: {found}')
    return _host("numpy")


@cache
def _host(name):
    return NumpyBackend(name)
