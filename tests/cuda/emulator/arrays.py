"""A device array: a NumPy array behind a wrapper that refuses what CuPy refuses.

What works here must work on a GPU, so that this offers less than NumPy does: only functions and
methods that CuPy has too, no mixing with NumPy arrays, no silent conversion to one.
"""

import functools
import operator
from types import SimpleNamespace

import numpy as np

from .machine import machine
from .memory import allocate
from .streams import capturing, operate, refuse

__all__ = ["asarray", "asnumpy", "empty", "empty_like", "lifted", "ndarray"]

#: Methods that both have, of those that are needed, each with the keywords that CuPy's takes.
METHODS = {
    "all": "axis out keepdims",
    "any": "axis out keepdims",
    "astype": "order casting subok copy",
    "clip": "min max out",
    "copy": "order",
    "dot": "out",
    "max": "axis out keepdims",
    "mean": "axis dtype out keepdims",
    "min": "axis out keepdims",
    "ravel": "order",
    "reshape": "order",
    "std": "axis dtype out ddof keepdims",
    "sum": "axis dtype out keepdims",
    "transpose": "",
}


def unwrap(x):
    """The NumPy arrays within arguments; TypeError for a NumPy array among them."""
    if isinstance(x, ndarray):
        return x._host
    if isinstance(x, np.ndarray):
        raise TypeError(f"Unsupported type {type(x)}: a NumPy array among device arrays")
    if isinstance(x, list | tuple):
        return type(x)(map(unwrap, x))
    return x


def wrap(result):
    """Device arrays for the NumPy arrays in a result; CuPy's reductions give 0-d arrays too."""
    if isinstance(result, np.ndarray | np.generic):
        return ndarray(np.asarray(result))
    if isinstance(result, list | tuple):
        return type(result)(map(wrap, result))
    return result


def lifted(function, keywords=None):
    """A NumPy function, or a method of NumPy arrays, for device arrays."""

    def call(*args, **kwargs):
        if keywords is not None and not kwargs.keys() <= set(keywords):
            raise TypeError(f"CuPy's {function.__name__} takes {keywords}, got {list(kwargs)}")
        out = kwargs.get("out")
        args, kwargs = unwrap(args), {k: unwrap(v) for k, v in kwargs.items()}
        refuse_in_a_graph(function.__name__, args)
        result = operate(function, args, kwargs, kwargs.get("out"))
        return out if isinstance(out, ndarray) else wrap(result)

    return call


def refuse_in_a_graph(name, args):
    """What CuPy cannot do while a stream is captured: cuBLAS, and copies of addresses."""
    if capturing() is None:
        return
    if name in ("dot", "matmul", "einsum") and not all(np.ndim(x) == 1 for x in args):
        raise NotImplementedError(
            "calling cuBLAS API during stream capture is currently unsupported"
        )
    if name == "concatenate" and len(args[0]) > 8:  # of so many, CuPy makes a table
        refuse("H2D transfers are disallowed")


class ndarray(np.lib.mixins.NDArrayOperatorsMixin):
    """Stands in for `cupy.ndarray`."""

    __slots__ = ("_host",)
    __hash__ = None

    def __init__(self, host):
        self._host = host

    shape = property(lambda self: self._host.shape)
    dtype = property(lambda self: self._host.dtype)
    ndim = property(lambda self: self._host.ndim)
    size = property(lambda self: self._host.size)
    nbytes = property(lambda self: self._host.nbytes)
    itemsize = property(lambda self: self._host.itemsize)
    strides = property(lambda self: self._host.strides)
    flags = property(lambda self: self._host.flags)
    T = property(lambda self: ndarray(self._host.T))
    device = property(lambda self: SimpleNamespace(id=0))
    data = property(lambda self: SimpleNamespace(ptr=self._host.ctypes.data))

    def __getattr__(self, name):
        if name not in METHODS:
            raise AttributeError(f"the emulated array has no {name!r}; has CuPy's? Then add it")
        return functools.partial(lifted(getattr(np.ndarray, name), METHODS[name].split()), self)

    def __len__(self):
        return len(self._host)

    def __iter__(self):
        return (self[i] for i in range(len(self)))

    def __getitem__(self, index):
        index = unwrap(index)
        parts = index if isinstance(index, tuple) else (index,)
        if any(isinstance(i, np.ndarray) and i.dtype == bool for i in parts):
            refuse("D2H transfers are disallowed")
            machine.log_host_read("x[mask]")  # how many are there? The shape has to be known
        if any(isinstance(i, list) for i in parts):
            refuse("H2D transfers are disallowed")
        if len(parts) == self.ndim and all(isinstance(i, int) for i in parts):
            index = (*parts, ...)  # one number, too, is a view
        return wrap(operate(operator.getitem, (self._host, index), {}))

    def __setitem__(self, index, value):
        operate(operator.setitem, (self._host, unwrap(index), unwrap(value)), {}, self._host)

    def fill(self, value):
        operate(np.ndarray.fill, (self._host, unwrap(value)), {}, self._host)

    def set(self, host):
        """Copy a NumPy array of the same shape and dtype to the device."""
        refuse("H2D transfers are disallowed")
        if self.shape != host.shape or self.dtype != host.dtype:
            raise ValueError(f"expected {self.dtype} {self.shape}, got {host.dtype} {host.shape}")
        machine.operations.append("copy")
        self._host[...] = host

    # NumPy's ufuncs and operators ----------------------------------------------------------------

    __array_priority__ = 100

    def __array_ufunc__(self, ufunc, method, *inputs, out=(), **kwargs):
        if any(not isinstance(o, ndarray) for o in out):
            raise TypeError("a device array cannot be written into a NumPy array")
        if out:
            kwargs["out"] = unwrap(out)
        inputs = unwrap(inputs)
        refuse_in_a_graph(ufunc.__name__, inputs)
        target = kwargs["out"][0] if out else None
        function = ufunc if method == "__call__" else getattr(ufunc, method)
        result = operate(function, inputs, kwargs, target)
        return out[0] if out else wrap(result)

    def __array__(self, *args, **kwargs):
        raise TypeError("Implicit conversion to a NumPy array is not allowed: use x.get()")

    # What makes the host wait for the device -----------------------------------------------------

    def _read(self, what, convert):
        refuse("D2H transfers are disallowed")
        machine.log_host_read(what)
        return convert(self._host)

    def get(self):
        return self._read("x.get()", np.copy)

    def item(self, *args):
        return self._read("x.item()", lambda host: host.item(*args))

    def tolist(self):
        return self._read("x.tolist()", np.ndarray.tolist)

    def __float__(self):
        return self._read("float(x)", float)

    def __int__(self):
        return self._read("int(x)", int)

    def __index__(self):
        return self._read("index(x)", lambda host: host.__index__())

    def __bool__(self):
        return self._read("bool(x)", bool)

    def __repr__(self):
        return self._read("repr(x)", lambda host: repr(host).replace("array", "device_array", 1))

    def __format__(self, spec):
        return self._read("format(x)", lambda host: format(host.item() if spec else host, spec))


# Making arrays -----------------------------------------------------------------------------------


def asarray(a, dtype=None):
    """`a`, a device array or anything on the host, as a device array."""
    if isinstance(a, ndarray):
        return a if dtype is None or a.dtype == dtype else a.astype(dtype)
    refuse("H2D transfers are disallowed")
    host = np.array(a, dtype, order="C")
    there = allocate(host.shape, host.dtype)
    there[...] = host
    machine.operations.append("copy")
    return ndarray(there)


def asnumpy(a):
    """A copy on the host."""
    return a.get() if isinstance(a, ndarray) else np.asarray(a)


def empty(shape, dtype=float):
    """Poisoned memory: all bytes 255, which is NaN, so that what nobody writes is seen."""
    return ndarray(allocate(shape, dtype))


def empty_like(a, dtype=None):
    return empty(a.shape, a.dtype if dtype is None else dtype)
