"""`Sequential`: a chain that owns its numbers. How it is built, copied and shown."""

import copy
import math
from functools import partial
from itertools import pairwise

from minigan.backend import fastest, get_backend, join
from minigan.checks import as_generator, check_dtype, check_shape
from minigan.layers.binding import bind, check_layers
from minigan.layers.layer import Bound, Layer, NoDoubleBackward, fill
from minigan.layers.network import Chain, Step
from minigan.tables import Table
from minigan.trial import try_layers

__all__ = ["Sequential"]


class Sequential(Chain, Bound, Table):
    """Layers one after another: forward left to right, backward right to left (`network.py`).

    layers: a list of unbound layers. input_shape: the shape of one sample, without the batch.
    rng: a `numpy.random.Generator` (or a seed) that draws the initial weights. dtype: "float32"
    or "float64". backend: "numpy", "reference", "cupy", "auto", or a backend object.

    All parameters are views into one contiguous vector `parameters`, their gradients into
    `gradients`, running statistics into `buffers`: an optimizer step, an average of weights or a
    checkpoint is one operation on one vector. Assigning to one of the three, or to a layer's
    `weight`, copies into the vector. Copies (`copy.deepcopy`, pickle, `clone`) are networks of
    their own. `print(network)` shows a table; `network[:k]` is the chain of the first k layers.

    Raises ValueError or TypeError, naming the layer, if the layers do not fit each other, or if one
    of your own does not do what `Layer` says.
    """

    def __init__(self, layers, input_shape, *, rng, dtype="float32", backend="numpy"):
        layers, rng = list(layers), as_generator(rng)
        self._build(layers, check_shape("input_shape", input_shape), check_dtype(dtype), backend)
        rngs = rng.spawn(len(self.all_layers))
        for layer, of_layer in zip(self.all_layers.values(), rngs, strict=True):
            layer.rng = of_layer  # a stream of its own, so that layers stay independent
            for name, (_, initial) in (layer.parameters() | layer.buffers()).items():
                value = initial(layer.rng) if callable(initial) else initial
                layer.views[name][...] = self.backend.asarray(value, self.dtype)
        self.derive()
        try_layers(self)

    def _build(self, layers, input_shape, dtype, backend):
        backend, shapes = get_backend(backend), check_layers(layers, input_shape)
        super().__init__(layers, [], shapes, backend, dtype)
        self.all_layers, vectors = bind(self, layers)
        self.named = {kind: named for kind, (_, named) in vectors.items()}
        self.bind_views({kind: vector for kind, (vector, _) in vectors.items()})
        named = self.named["gradients"].items()
        self.layer_gradients = [  # of each layer, with all that is inside it
            [view for name, view in named if name.startswith(f"{i}.")] for i in range(len(layers))
        ]
        for layer in self.all_layers.values():
            layer.step = Step(layer, backend)
        self.steps = neighbours(layers, backend)
        self.set_gradients = fastest(backend, self, "set_gradients")

    def __call__(self, x):
        """The output alone, in evaluation mode; an array of the caller's own."""
        return self.backend.thaw(self.forward(x, train=False)[0])

    def __getitem__(self, some):
        """A layer (an integer), or the chain of some (a slice), with this network's numbers."""
        if not isinstance(some, slice):
            return self.layers[some]
        start, stop, step = some.indices(len(self.layers))
        if start >= stop or step != 1:
            raise ValueError(f"expected a slice of at least one layer, in order, got {some}")
        shapes = self.shapes[start : stop + 1]
        steps = neighbours(self.layers[some], self.backend)
        return Chain(self.layers[some], steps, shapes, self.backend, self.dtype)

    def derive(self):
        """What layers compute of their weights, as for a spectral norm: of the present ones."""
        for layer in self.all_layers.values():
            layer.derive()

    def written(self, name):
        if name == "parameters":
            self.derive()

    def named_parameters(self):
        """name -> view into `parameters`, in order: "0.weight", inside "3.residual.0.weight"."""
        return dict(self.named["parameters"])

    def named_gradients(self):
        """name -> view into `gradients`, with the names of `named_parameters`."""
        return dict(self.named["gradients"])

    def named_buffers(self):
        """name -> view into `buffers` (the running statistics of batch norm)."""
        return dict(self.named["buffers"])

    # Copies ------------------------------------------------------------------------------------

    def clone(self, dtype=None, backend=None):
        """A network of its own with the same layers and numbers, in another dtype or backend.

        It is of no `Ranks`.
        """
        state = copy.deepcopy(self.__getstate__())
        state["dtype"] = self.dtype if dtype is None else check_dtype(dtype)
        state["backend"] = self.backend.with_ranks(None) if backend is None else backend
        twin = object.__new__(type(self))
        twin.__setstate__(state)
        return twin

    def __getstate__(self):
        """What copy and pickle take: the layers, unbound, and the numbers as host arrays."""
        return {
            "layers": [layer.unbound() for layer in self.layers],
            "input_shape": self.input_shape,
            "dtype": self.dtype,
            "backend": self.backend,
            "numbers": {kind: self.backend.to_numpy(view) for kind, view in self.views.items()},
            "rngs": [copy.deepcopy(layer.rng) for layer in self.all_layers.values()],
        }

    def __setstate__(self, state):
        self._build(*(state[name] for name in ("layers", "input_shape", "dtype", "backend")))
        for kind, numbers in state["numbers"].items():
            self.views[kind][...] = self.backend.asarray(numbers, self.dtype)
        for layer, rng in zip(self.all_layers.values(), state["rngs"], strict=True):
            layer.rng = rng

    # Checkpoints -------------------------------------------------------------------------------

    def structure(self):
        """What another network has to be for this one's numbers, as text."""
        layers = zip(self.layers, self.shapes[1:], strict=True)
        table = {f"layer {i}": f"{layer!r} -> {shape}" for i, (layer, shape) in enumerate(layers)}
        return {"input": str(self.input_shape)} | table

    def state(self):
        """What training changes: host arrays by name, and the layers' random generators."""
        to_numpy = self.backend.to_numpy
        return {
            "parameters": {name: to_numpy(v) for name, v in self.named["parameters"].items()},
            "buffers": {name: to_numpy(v) for name, v in self.named["buffers"].items()},
            "generators": [layer.rng.bit_generator.state for layer in self.all_layers.values()],
        }

    def restore(self, state):
        """Go back to a `state`; an error may leave it half done."""
        fill(self.backend, self.named["parameters"], state["parameters"])
        fill(self.backend, self.named["buffers"], state["buffers"])
        for layer, of_layer in zip(self.all_layers.values(), state["generators"], strict=True):
            layer.rng.bit_generator.state = of_layer

    # Questions ---------------------------------------------------------------------------------

    def check_double_backward(self):
        """Raise NoDoubleBackward, naming the layer, unless every layer has `double_backward`."""
        for path, layer in self.all_layers.items():
            if type(layer).double_backward is Layer.double_backward:
                raise NoDoubleBackward(f"layer {path}: {layer.why_no_double_backward()}")

    def forms(self):
        """ "<position>.<method>" -> the name of the faster form that runs in its place."""
        steps = {path: layer.step for path, layer in self.all_layers.items()}
        steps |= {str(i): step for i, step in enumerate(self.steps)}
        return {
            f"{path}.{method}": run.func.__name__
            for path, step in steps.items()
            for method, run in vars(step).items()
            if isinstance(run, partial)
        }

    def table(self):
        rows = [("", "layer", "output", "parameters"), ("", "input", str(self.input_shape), "")]
        shapes = dict(zip(map(id, self.layers), map(str, self.shapes[1:]), strict=True))
        for path, layer in self.all_layers.items():
            count = sum(math.prod(s) for s, _ in layer.parameters().values())
            name = type(layer).__name__ if layer.parts() else repr(layer)
            rows.append((path, name, shapes.get(id(layer), ""), f"{count:,}" if count else ""))
        rows.append(("", "total", "", f"{self.parameters.size:,}"))
        return rows, (1, 2), [f"{self.dtype} on {self.backend.name}"]

    def __repr__(self):
        return f"Sequential({self.layers!r}, input_shape={self.input_shape})"


def neighbours(layers, backend):
    """The steps of layers one after another: the layers' own, but where the backend joins two."""
    steps = [layer.step for layer in layers]
    for i, (first, second) in enumerate(pairwise(layers)):
        joined = join(backend, first, second)
        if joined is not None:
            steps[i], steps[i + 1] = copy.copy(first.step), copy.copy(second.step)
            steps[i].forward, steps[i + 1].forward = joined
    return steps
