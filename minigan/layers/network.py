"""`Chain`: the chain rule, and nothing else.

    y = fₙ(… f₂(f₁(x)))        dx = J₁ᵀ J₂ᵀ … Jₙᵀ dy

Forward from left to right, each layer leaving a cache; backward from right to left, each layer
turning the gradient with respect to its output into the one with respect to its input, which is
the output of the layer before. `Sequential` (`sequential.py`) is a chain that owns its numbers.
"""

from minigan.backend import fastest
from minigan.layers.layer import Layer

__all__ = ["Caches", "Chain", "Step", "check_array"]


class Step:
    """One layer as a network runs it: its methods, or the backend's faster forms of them."""

    def __init__(self, layer, backend):
        self.forward = fastest(backend, layer, "forward")
        self.backward = fastest(backend, layer, "backward")
        self.add_gradients = fastest(backend, layer, "add_gradients")
        self.double_backward = fastest(backend, layer, "double_backward")
        both = fastest(backend, layer, "backpropagate")
        if both is not None:
            self.backpropagate = both
        elif type(layer).add_gradients is Layer.add_gradients:  # it has no parameters
            self.backpropagate = self.backward

    def backpropagate(self, dy, cache):
        """Both: add to the gradients of the parameters, and return dx.

        A form, or a layer with a method of this name, does so where both share work.
        """
        self.add_gradients(dy, cache)
        return self.backward(dy, cache)


class Caches(list):
    """What a forward pass remembers: one cache per layer, and the `count` of its outputs, N."""

    count = None


class Chain:
    """Layers one after another.

    layers: bound layers. steps: the same, as this backend runs them. shapes: of a sample, before
    the first layer and after each. gradients: the vector that holds those of all parameters.
    """

    gradients = None

    def __init__(self, layers, steps, shapes, backend, dtype):
        self.layers, self.steps, self.shapes = layers, steps, shapes
        self.input_shape, self.output_shape = shapes[0], shapes[-1]
        self.backend, self.dtype = backend, dtype

    def zero_gradients(self):
        """Set every gradient to zero. Backward passes add: forget this, and steps add up too."""
        self.gradients.fill(0)

    def forward(self, x, train=True):
        """y (N, *output_shape) for x (N, *input_shape), and the caches of all layers.

        train: whether batch norm takes the statistics of the batch, and dropout drops. Caches may
        hold y, so that (on a CPU) it is read-only; of x they hold a copy.
        """
        check_array(self, x, "x", self.input_shape)
        x, caches = x.copy(), Caches()
        for step in self.steps:
            x, cache = step.forward(x, train)
            caches.append(cache)
        caches.count = len(x)
        return self.backend.freeze(x), caches

    def backward(self, dy, caches):
        """dx (N, *input_shape) for dy (N, *output_shape). Touches no parameter's gradient."""
        check_array(self, dy, "dy", self.output_shape, caches.count)
        for step, cache in zip(reversed(self.steps), reversed(caches), strict=True):
            dy = step.backward(dy, cache)
        return dy

    def add_gradients(self, dy, caches):
        """Add to the gradients of all parameters, for dy (N, *output_shape).

        The same way back; at its end, nobody needs the gradient with respect to the input.
        """
        check_array(self, dy, "dy", self.output_shape, caches.count)
        for step, cache in zip(self.steps[:0:-1], caches[:0:-1], strict=True):
            dy = step.backpropagate(dy, cache)
        self.steps[0].add_gradients(dy, caches[0])

    def set_gradients(self, dy, caches):
        """As `add_gradients`, from zero: whatever the gradients have been."""
        self.gradients.fill(0)
        self.add_gradients(dy, caches)

    def backpropagate(self, dy, caches):
        """Both at once: adds to the gradients, and returns dx."""
        check_array(self, dy, "dy", self.output_shape, caches.count)
        for step, cache in zip(reversed(self.steps), reversed(caches), strict=True):
            dy = step.backpropagate(dy, cache)
        return dy

    # The second derivative ---------------------------------------------------------------------

    def backward_trace(self, dy, caches):
        """dx, and the trace: the dy that reached each layer, in the order of the layers."""
        check_array(self, dy, "dy", self.output_shape, caches.count)
        trace = []
        for step, cache in zip(reversed(self.steps), reversed(caches), strict=True):
            trace.append(dy)
            dy = step.backward(dy, cache)
        return dy, trace[::-1]

    def double_backward(self, u, trace, caches):
        """Add to the gradients those of a loss on dx, for u = d loss / d dx; return u_dy.

        `dx, trace = backward_trace(dy, caches)` went from the output to the input, so its backward
        pass goes from the input to the output: u (N, *input_shape) becomes, layer by layer, u_dy,
        the gradient with respect to the dy that the trace holds, and has its shape. A layer whose
        dx also depends on its input x (through the f'(x) of a smooth activation) gives a u_x, too:
        an ordinary gradient with respect to x, which goes down in an ordinary backward pass.
        """
        check_array(self, u, "u", self.input_shape)
        curvatures = []
        for step, dy, cache in zip(self.steps, trace, caches, strict=True):  # up
            u, u_x = step.double_backward(u, dy, cache)
            curvatures.append(u_x)
        dx = None
        for step, cache, u_x in zip(
            self.steps[:0:-1], caches[:0:-1], curvatures[:0:-1], strict=True
        ):  # down, as in `add_gradients`
            dx = added(None if dx is None else step.backpropagate(dx, cache), u_x)
        if dx is not None:
            self.steps[0].add_gradients(dx, caches[0])
        return u


def added(a, b):
    """a + b, where None stands for zero."""
    return b if a is None else a if b is None else a + b


def check_array(chain, x, what, shape, count=None):
    """Raise unless x is an array (N, *shape), N > 0, of the network's backend and dtype.

    count: the N that it must have.
    """
    if not isinstance(x, chain.backend.xp.ndarray):
        chain.backend.check(x, what)
    if x.shape[1:] != shape or len(x.shape) != len(shape) + 1 or count not in (None, len(x)):
        wanted = ", ".join(map(str, ("N" if count is None else count, *shape)))
        raise ValueError(f"{what}: expected shape ({wanted}), got {x.shape}")
    if x.dtype != chain.dtype:
        raise TypeError(f"{what}: expected {chain.dtype} as the network's numbers, got {x.dtype}")
    if len(x) == 0:
        raise ValueError(f"{what}: expected at least one sample, the batch is empty")
