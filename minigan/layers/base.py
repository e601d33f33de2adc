"""`Layer`: forward and backward of one step. `Sequential`: the chain rule and nothing else.

A layer's `forward(x, train)` returns its output and a cache: whatever its backward pass needs to
remember. The cache is returned, never kept in the layer, so that any number of forward passes
can be open at once and their backward passes run in any order. `backward(dy, cache)` takes the
gradient of a loss with respect to the output, adds to the gradients of the layer's parameters,
and returns the gradient with respect to the input.
"""

import copy
import math

from minigan.backend import get_backend
from minigan.checks import as_generator, check_dtype, check_shape

__all__ = ["Layer", "NoDoubleBackward", "Sequential"]


class NoDoubleBackward(ValueError):
    """A layer without a second derivative stands in a network that needs one."""


class Layer:
    """One step of a network. Subclasses write `forward` and, directly below it, `backward`.

    A layer is only a description until a `Sequential` binds it: then its parameters and their
    gradients (`weight` and `dweight`, …) are views into the network's flat vectors.
    """

    network = None
    #: Whether each sample's output and gradient depend on that sample alone, and nothing is
    #: remembered of it: then it does not matter which samples share a batch.
    samplewise = False

    def output_shape(self, input_shape):
        """The shape of one output sample; ValueError if an input of this shape does not fit."""
        return input_shape

    def parameters(self):
        """name -> (shape, initial), for what training changes.

        initial: a number, or a function of a generator that draws an array of that shape.
        """
        return {}

    def buffers(self):
        """The same for what is kept but not trained."""
        return {}

    def forward(self, x, train):
        """y, cache."""
        raise NotImplementedError

    def backward(self, dy, cache, parameter_gradients=True, input_gradient=True, accumulate=True):
        """dx; adds (+=) to the parameters' gradients, or sets them if not `accumulate`.

        Whoever needs only one of the two says so and does not pay for the other: without
        `input_gradient` the returned value means nothing and may be None.
        """
        raise NotImplementedError

    def double_backward(self, u, dy, cache):
        """The backward pass of the backward pass: u_dy, u_x.

        `backward` computed dx from dy and the cached x. Given u, the gradient of some loss with
        respect to that dx, this adds the loss's parameter gradients and returns its gradients
        with respect to dy (u pushed forward through the layer's Jacobian) and to x (None where
        it is zero: dx of a linear or piecewise linear layer does not depend on x).
        """
        raise NoDoubleBackward(self.why_no_double_backward())

    def why_no_double_backward(self):
        """Why the method is missing, for the error message."""
        return f"{self!r} has no double_backward"

    def unbound(self):
        """A layer with the same arguments that is part of no network yet."""
        layer = copy.copy(self)
        layer.network = None
        return layer

    def describe(self):
        """The layer's arguments as shown in a network's table."""
        return ""

    def __repr__(self):
        return f"{type(self).__name__}({self.describe()})"


class Caches(list):
    """What a network's forward pass remembers: a cache a layer, and how many `outputs` it made."""

    outputs = 0


class Sequential:
    """Layers one after another: forward left to right, backward right to left.

    layers: a list of unbound layers. input_shape: the shape of one sample, without the batch.
    rng: a `numpy.random.Generator` (or a seed) that draws the initial weights. dtype: "float32"
    or "float64". backend: "numpy", "cupy", "auto", or a backend object.

    All parameters are views into one contiguous vector `parameters`, their gradients into
    `gradients`, running statistics into `buffers`: an optimizer step, an average of weights or a
    checkpoint is one operation on one vector. `print(network)` shows a table.

    Raises ValueError, naming the layer, if the layers do not fit each other.
    """

    def __init__(self, layers, input_shape, *, rng, dtype="float32", backend="numpy"):
        self.layers = list(layers)
        self.backend = get_backend(backend)
        self.dtype = check_dtype(dtype)
        self.input_shape = check_shape("input_shape", input_shape)
        self.shapes = self._check_shapes()
        self.output_shape = self.shapes[-1]
        self._bind(as_generator(rng))

    # The chain rule ----------------------------------------------------------------------------

    def forward(self, x, train=True, stop=None):
        """y (N, *output_shape) for x (N, *input_shape), and the caches of all layers.

        train: whether batch norm uses the batch's statistics and dropout drops. stop: run only
        the layers before this position; `backward` then goes back from there.
        """
        self.check_batch(x, self.input_shape, "input")
        caches = Caches()
        for layer in self.layers[:stop]:
            x, cache = layer.forward(x, train)
            caches.append(cache)
        caches.outputs = len(x)
        return x, caches

    def activations(self, x):
        """Position, layer and output of every layer in turn, for x (N, *input_shape)."""
        for position, layer in enumerate(self.layers):
            x, _ = layer.forward(x, True)
            yield position, layer, x

    def backward(self, dy, caches, parameter_gradients=True, input_gradient=True, accumulate=True):
        """dx (N, *input_shape) for dy (N, *output_shape); adds to `gradients`.

        The chain rule: each layer turns the gradient with respect to its output into the one
        with respect to its input, which is the output of the layer before. Without `accumulate`,
        the gradients of the layers passed are set instead of added to: cheaper than zeroing.
        """
        layers = self.layers[: len(caches)]
        self.check_gradient(dy, caches)
        for layer, cache in zip(layers[:0:-1], caches[:0:-1], strict=True):
            dy = layer.backward(dy, cache, parameter_gradients, True, accumulate)
        return layers[0].backward(dy, caches[0], parameter_gradients, input_gradient, accumulate)

    def backward_trace(self, dy, caches):
        """dx, and the trace that `double_backward` needs: the dy that reached each layer.

        Touches no parameter gradients.
        """
        self.check_gradient(dy, caches)
        trace = []
        for layer, cache in zip(reversed(self.layers), reversed(caches), strict=True):
            trace.append(dy)
            dy = layer.backward(dy, cache, parameter_gradients=False)
        return dy, trace[::-1]

    def double_backward(self, u, trace, caches):
        """Add to `gradients` those of a loss on dx, for u = d loss / d dx; return u_dy.

        `dx, trace = backward_trace(dy, caches)` went from the output to the input, so its
        backward pass goes from the input to the output: u becomes the gradient with respect to
        the dy of each layer in turn. What it meets on the way that depends on a layer's input
        (the f'(x) of a smooth activation) is an ordinary gradient with respect to that input,
        and goes down again in an ordinary backward pass, each layer's share injected on the way.
        """
        self.check_batch(u, self.input_shape, "u")
        injections = []
        for layer, dy, cache in zip(self.layers, trace, caches, strict=True):
            u, u_x = layer.double_backward(u, dy, cache)
            injections.append(u_x)
        dy = None
        steps = zip(self.layers, caches, injections, strict=True)
        for i, (layer, cache, u_x) in reversed(list(enumerate(steps))):
            if dy is not None:
                needed = i > 0  # the input of the network is nobody's output
                dy = layer.backward(dy, cache, input_gradient=needed)
            if u_x is not None:
                dy = u_x if dy is None else dy + u_x
        return u

    # Several batches at once -------------------------------------------------------------------

    def forward_each(self, batches):
        """The outputs for several batches of which none may see another, and all their caches.

        One forward pass for each; but where all layers are `samplewise`, one for all together,
        which makes the same numbers, up to rounding, from fewer and larger operations: it saves a
        tenth of the step of a small network.
        """
        for x in batches:
            self.check_batch(x, self.input_shape, "input")
        if not all(layer.samplewise for layer in self.layers):
            outputs, caches = zip(*(self.forward(x) for x in batches), strict=True)
            return outputs, caches
        joint, cache = self.forward(self.backend.xp.concatenate(batches))
        outputs, start = [], 0
        for x in batches:
            outputs.append(joint[start : start + len(x)])
            start += len(x)
        return outputs, [cache]

    def backward_each(self, dys, caches):
        """Set `gradients` to the sum of those for the dy of each batch of `forward_each`."""
        if len(caches) < len(dys):  # all went together
            dys = [self.backend.xp.concatenate(dys)]
        for i, (dy, cache) in enumerate(zip(dys, caches, strict=True)):
            self.backward(dy, cache, input_gradient=False, accumulate=i > 0)

    def __call__(self, x):
        """The output alone, in evaluation mode."""
        return self.forward(x, train=False)[0]

    def clone(self, dtype=None, backend=None):
        """A network of its own with the same layers and numbers, in another dtype or backend."""
        layers = [layer.unbound() for layer in self.layers]
        twin = Sequential(
            layers,
            self.input_shape,
            rng=0,
            dtype=self.dtype if dtype is None else dtype,
            backend=self.backend if backend is None else backend,
        )
        for vector in ("parameters", "buffers"):
            numbers = self.backend.to_numpy(getattr(self, vector))
            getattr(twin, vector)[...] = twin.backend.asarray(numbers, twin.dtype)
        for layer, original in zip(twin.layers, self.layers, strict=True):
            layer.rng = copy.deepcopy(original.rng)
        return twin

    def replica(self, backend, shared_buffers):
        """A network on the same parameters with gradients of its own, for another thread."""
        twin = copy.copy(self)
        twin.backend = backend
        twin.layers = [layer.unbound() for layer in self.layers]
        for layer in twin.layers:
            layer.network, layer.backend, layer.rng = twin, backend, layer.rng.spawn(1)[0]
        specs = [(i, layer, layer.parameters()) for i, layer in enumerate(twin.layers)]
        twin.gradients, twin._gradients = twin._views(specs, "d")
        if not shared_buffers:
            stats = [(i, layer, layer.buffers()) for i, layer in enumerate(twin.layers)]
            twin.buffers, twin._buffers = twin._views(stats, "")
            twin.buffers[...] = self.buffers
        return twin

    def check_double_backward(self):
        """Raise NoDoubleBackward, naming the layer, unless every layer has `double_backward`."""
        for i, layer in enumerate(self.layers):
            if type(layer).double_backward is Layer.double_backward:
                raise NoDoubleBackward(f"layer {i}: {layer.why_no_double_backward()}")

    def zero_gradients(self):
        """Set every gradient to zero. Backward passes add: forget this, and steps add up too."""
        self.gradients.fill(0)

    # Parameters --------------------------------------------------------------------------------

    def named_parameters(self):
        """name -> view into `parameters`, in order; names are "<position>.<name>"."""
        return dict(self._parameters)

    def named_gradients(self):
        """name -> view into `gradients`, with the names of `named_parameters`."""
        return dict(self._gradients)

    def named_buffers(self):
        """name -> view into `buffers` (the running statistics of batch norm)."""
        return dict(self._buffers)

    def _bind(self, rng):
        for position, layer in enumerate(self.layers):
            if layer.network is not None or layer in self.layers[:position]:
                raise ValueError(f"layer {position} ({layer!r}) is already part of a network")
        specs = [(i, layer, layer.parameters()) for i, layer in enumerate(self.layers)]
        stats = [(i, layer, layer.buffers()) for i, layer in enumerate(self.layers)]
        self.parameters, self._parameters = self._views(specs, "")
        self.gradients, self._gradients = self._views(specs, "d")
        self.buffers, self._buffers = self._views(stats, "")
        for layer in self.layers:
            layer.network, layer.backend = self, self.backend
            layer.rng = rng.spawn(1)[0]  # a stream of its own, so that layers stay independent
        for views, described in ((self._parameters, specs), (self._buffers, stats)):
            for i, layer, spec in described:
                for name, (_, initial) in spec.items():
                    value = initial(layer.rng) if callable(initial) else initial
                    views[f"{i}.{name}"][...] = self.backend.asarray(value, self.dtype)

    def _views(self, specs, prefix):
        """One flat vector of zeros, and its named views, set as attributes of the layers."""
        sizes = [math.prod(shape) for _, _, spec in specs for shape, _ in spec.values()]
        vector, views, start = self.backend.xp.zeros(sum(sizes), self.dtype), {}, 0
        for i, layer, spec in specs:
            for name, (shape, _) in spec.items():
                stop = start + math.prod(shape)
                views[f"{i}.{name}"] = vector[start:stop].reshape(shape)
                setattr(layer, prefix + name, views[f"{i}.{name}"])
                start = stop
        return vector, views

    # Shapes ------------------------------------------------------------------------------------

    def _check_shapes(self):
        if not self.layers:
            raise ValueError("Sequential needs at least one layer")
        shapes = [self.input_shape]
        for i, layer in enumerate(self.layers):
            if not isinstance(layer, Layer):
                raise TypeError(f"layer {i}: expected a Layer, got {type(layer).__name__}")
            try:
                shapes.append(layer.output_shape(shapes[-1]))
            except ValueError as error:
                raise ValueError(f"layer {i} ({layer!r}) does not fit: {error}") from None
        return shapes

    def check_batch(self, x, shape, what):
        """Raise unless x is a batch (N, *shape) of this network's backend and dtype."""
        self.backend.check(x, what)
        if x.shape[1:] != shape or x.ndim != len(shape) + 1:
            wanted = ", ".join(map(str, ("N", *shape)))
            raise ValueError(f"{what}: expected shape ({wanted}), got {x.shape}")
        if x.dtype != self.dtype:
            raise TypeError(f"{what}: this network works in {self.dtype}, got {x.dtype}")
        if x.shape[0] == 0:
            raise ValueError(f"{what}: the batch is empty")

    def check_gradient(self, dy, caches):
        """Raise unless dy has the shape of the output that left these caches."""
        self.check_batch(dy, self.shapes[len(caches)], "dy")
        if len(dy) != caches.outputs:
            raise ValueError(f"dy: expected a batch of {caches.outputs}, got {len(dy)}")

    def __str__(self):
        rows = [("", "layer", "output", "parameters"), ("", "input", str(self.input_shape), "")]
        for i, (layer, shape) in enumerate(zip(self.layers, self.shapes[1:], strict=True)):
            count = sum(math.prod(s) for s, _ in layer.parameters().values())
            rows.append((str(i), repr(layer), str(shape), f"{count:,}" if count else ""))
        rows.append(("", "total", "", f"{self.parameters.size:,}"))
        widths = [max(len(row[k]) for row in rows) for k in range(4)]
        lines = [
            f"{a:>{widths[0]}}  {b:<{widths[1]}}  {c:<{widths[2]}}  {d:>{widths[3]}}"
            for a, b, c, d in rows
        ]
        return "\n".join([*lines, f"{self.dtype} on {self.backend.name}"])

    def __repr__(self):
        return f"Sequential({self.layers!r}, input_shape={self.input_shape})"
