"""One network in one file: its layers, their arguments and their numbers, and nothing else.

    save(G, "digits.npz")                        # or gan.average.network: the averaged weights
    G = load("digits.npz")
    images = G(z)

The file is an archive (`archive.py`), and `numpy.load` opens it, too: one array for each name in
`named_parameters` and `named_buffers`, such as "0.weight". Its header is JSON, where a layer is
written as the name of its class and the arguments of its constructor:

    {"Conv2d": {"in_channels": 1, "out_channels": 32, "kernel_size": [4, 4], ...}}

`load` knows minigan's layers by their names and calls nothing else; whatever the file holds, none
of it is run. Initializers are left out, as the file has the numbers.
"""

import inspect
import reprlib

import numpy as np

from minigan import layers
from minigan.checks import check_dtype, check_shape
from minigan.layers import Block, Layer, Sequential
from minigan.layers.binding import all_parts, check_layers
from minigan.layers.layer import fill
from minigan.runs.archive import CheckpointError, open_archive, write_archive

__all__ = ["load", "read_network", "save"]

FORMAT, VERSION = "minigan network", 1
LONGEST, MOST = 1 << 20, 1000  # of a header: its bytes, and the layers that it describes

LAYERS = {n: kind for n, kind in vars(layers).items() if inspect.isclass(kind)}
LAYERS = {n: kind for n, kind in LAYERS.items() if issubclass(kind, Layer) and kind is not Layer}


def save(network, path, *, dtype=None, notes=None):
    """Write a `Sequential` to the npz file `path`, for `load`.

    dtype: in which the numbers are written, by default the network's; "float16" takes half the
    room and keeps three digits. notes: a dict of text and numbers, kept beside the network.

    Raises TypeError for a layer that is not minigan's, CheckpointError if a number is not finite
    in that dtype, OSError if the file cannot be written. After each, an earlier file is as it was.
    """
    if not isinstance(network, Sequential):
        raise TypeError(f"network: expected a Sequential, got {type(network).__name__}")
    dtype = network.dtype if dtype is None else np.dtype(dtype)
    if dtype.kind != "f":
        raise ValueError(f"dtype: expected floating-point numbers, got {dtype}")
    header = {
        "format": FORMAT,
        "version": VERSION,
        "dtype": str(network.dtype),
        "input_shape": network.input_shape,
        "layers": [_to_json(layer) for layer in network.layers],
        "notes": notes or {},
    }
    arrays = {}
    for name, view in (network.named_parameters() | network.named_buffers()).items():
        with np.errstate(over="ignore"):
            arrays[name] = network.backend.to_numpy(view).astype(dtype)
        if not np.isfinite(arrays[name]).all():
            raise CheckpointError(path, f"not saved: {name} is not finite as {dtype}")
    write_archive(path, header, arrays)


def load(path, *, backend="numpy", rng=0):
    """The network in the file `path`, that `save` has written.

    rng: for layers that draw in training, such as `Dropout`. Raises CheckpointError, with the path
    and the reason in one sentence, for a file that is damaged or holds no network of minigan,
    before memory for a network is taken; OSError if it cannot be read.
    """
    return read_network(path, backend=backend, rng=rng)[0]


def read_network(path, *, backend="numpy", rng=0):
    """The network in the file `path`, as by `load`, and the notes beside it."""
    with open_archive(path, LONGEST) as archive:
        header = archive.header
        if not isinstance(header, dict) or header.get("format") != FORMAT:
            raise CheckpointError(path, "holds no network of minigan")
        if header["version"] != VERSION:
            text = f"its format is {header['version']!r}, this minigan reads {VERSION}"
            raise CheckpointError(path, text)
        chain = _Reader(MOST).layers(header["layers"])
        shape = check_shape("input_shape", header["input_shape"])
        dtype = check_dtype(header["dtype"])
        check_layers(chain, shape)
        _check_arrays(path, chain, archive.shapes)
        numbers = {name: archive.read(name) for name in archive.shapes}
        network = Sequential(chain, shape, rng=rng, dtype=dtype, backend=backend)
        fill(network.backend, network.named_parameters() | network.named_buffers(), numbers)
        if any(array.dtype != dtype for array in numbers.values()):
            network.derive()  # of the weights as they were rounded
        return network, dict(header["notes"])


# Layers as JSON: a dict of one key is a layer, a list is a tuple ---------------------------------


def _to_json(value):
    if isinstance(value, Layer):
        kind = type(value).__name__
        if LAYERS.get(kind) is not type(value):
            raise TypeError(f"{value!r}: expected a layer of minigan, got one of its own class")
        return {kind: {n: _to_json(argument) for n, argument in _arguments(value).items()}}
    return [_to_json(item) for item in value] if isinstance(value, (list, tuple)) else value


def _arguments(layer):
    """name -> what the constructor was given: each argument is an attribute of its name."""
    names = [name for name in inspect.signature(type(layer)).parameters if name != "init"]
    found = {n: layer.has_bias if n == "bias" else getattr(layer, n) for n in names}
    return {n: v.layers if isinstance(v, Block) else v for n, v in found.items()}


class _Reader:
    """From JSON back to layers, no more than `left` of them."""

    def __init__(self, left):
        self.left = left

    def layers(self, values):
        if not isinstance(values, list):
            raise TypeError(f"layers: expected a list, got {type(values).__name__}")
        return [self.layer(value) for value in values]

    def layer(self, value):
        self.left -= 1
        if self.left < 0:
            raise ValueError(f"expected at most {MOST} layers")
        name = next(iter(value)) if isinstance(value, dict) and len(value) == 1 else None
        if name not in LAYERS or not isinstance(value[name], dict):
            raise ValueError(
                f"expected a layer of minigan and its arguments, got {reprlib.repr(value)}"
            )
        return _construct(LAYERS[name], {n: self.argument(v) for n, v in value[name].items()})

    def argument(self, value):
        if isinstance(value, dict):
            return self.layer(value)
        return tuple(map(self.argument, value)) if isinstance(value, list) else value


def _construct(kind, arguments):
    """A layer of that class; TypeError or ValueError for arguments that it does not take."""
    star = inspect.Parameter.VAR_POSITIONAL
    spread = [n for n, p in inspect.signature(kind).parameters.items() if p.kind is star]
    return kind(*(arguments.pop(spread[0]) if spread else ()), **arguments)


def _check_arrays(path, chain, shapes):
    """Raise CheckpointError unless the file has the arrays of these layers, and no others."""
    wanted = {}
    for place, layer in all_parts({str(i): layer for i, layer in enumerate(chain)}).items():
        specs = layer.parameters() | layer.buffers()
        wanted |= {f"{place}.{name}": shape for name, (shape, _) in specs.items()}
    for name in [*wanted, *shapes]:
        if wanted.get(name) != shapes.get(name):
            text = f"{name}: expected {wanted.get(name)}, got {shapes.get(name)}"
            raise CheckpointError(path, text)
