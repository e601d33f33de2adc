"""`Layer`: one step of a network, forward and backward.

`forward(x, train)` returns the output y and a cache: whatever the backward pass needs to remember.
The cache is returned, never kept in the layer, so that any number of forward passes can be open at
once and their backward passes run in any order. `backward(dy, cache)` takes the gradient of a loss
with respect to y and returns the one with respect to x. A layer with parameters also has
`add_gradients(dy, cache)`, which adds to their gradients. A player that stands still (D, while the
gradient flows through it into G) then simply does not ask for the second.

Products are written x.dot(w): for a matrix of one column, x @ w is five times slower in NumPy.
"""

import copy

__all__ = ["Bound", "Layer", "NoDoubleBackward", "assign", "fill"]


class NoDoubleBackward(ValueError):
    """A layer without a second derivative stands in a network that needs one."""


class Bound:
    """Whose numbers live in a network's flat vectors: `views` maps names to them.

    An assignment copies into the view, so that the vector and whoever holds it (the optimizer, an
    average, a checkpoint) go on together with the name.
    """

    views = {}  # noqa: RUF012  (never written to: what is bound has a dict of its own)

    def __setattr__(self, name, value):
        view = self.views.get(name)
        if view is None:
            object.__setattr__(self, name, value)
        elif value is not view:  # it is after `layer.dweight += …`, which has changed it in place
            assign(view, value, self.backend, f"{type(self).__name__}.{name}")
            self.written(name)

    def written(self, name):
        """Called after an assignment."""

    def bind_views(self, views):
        """Take these views as attributes."""
        self.__dict__.update(views)
        self.views = views


class Layer(Bound):
    """One step of a network. Subclasses write `forward` and, directly below it, `backward`.

    A layer is only a description until a network binds it: then its parameters and their gradients
    (`weight` and `dweight`, …) are views into the network's flat vectors, `backend.xp` is NumPy or
    CuPy, `rng` is a random generator of its own, and `step` its methods as the network runs them.
    """

    network = backend = rng = step = None

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

    def derive(self):
        """Compute what buffers hold of the weights; asked when weights are made or assigned."""

    def written(self, name):
        if name in self.parameters():
            self.derive()

    def forward(self, x, train):
        """y, cache. Neither x nor what an earlier pass has returned may be written to."""
        raise NotImplementedError(f"{type(self).__name__} has no forward(x, train)")

    def backward(self, dy, cache):
        """dx, for the gradient dy with respect to the output; neither dy nor cache is changed."""
        raise NotImplementedError(f"{type(self).__name__} has no backward(dy, cache)")

    def add_gradients(self, dy, cache):
        """Add (+=) to the gradients of the parameters; without parameters, there is nothing to do.

        They add up, as several batches, real and fake, make one gradient.
        """

    def double_backward(self, u, dy, cache):
        """The backward pass of the backward pass: u_dy, u_x.

        `backward` computed dx from dy and from what the cache holds of x. Given u, the gradient of
        some loss with respect to that dx (u has the shape of x), this adds the loss's parameter
        gradients and returns its gradients with respect to dy (shape of y; it is u pushed forward
        through the layer's Jacobian) and to x (shape of x; None where it is zero, as dx of a linear
        or piecewise linear layer does not depend on x).
        """
        raise NoDoubleBackward(self.why_no_double_backward())

    def why_no_double_backward(self):
        """Why the method is missing, for the error message."""
        return f"{self!r} has no double_backward"

    def parts(self):
        """name -> layer, for attributes that are layers, or lists of layers."""
        named = dict(vars(self))
        for name, value in vars(self).items():
            if type(value) in (list, tuple):
                named |= {f"{name}.{i}": part for i, part in enumerate(value)}
        return {name: value for name, value in named.items() if isinstance(value, Layer)}

    def inside(self):
        """All layers that this one is built around: they belong to its network, too."""
        return [p for part in Layer.parts(self).values() for p in (part, *part.inside())]

    def unbound(self):
        """A layer with the same arguments that is part of no network yet."""
        return copy.deepcopy(self)

    def describe(self):
        """The layer's arguments as shown in a network's table; by default, the layers inside."""
        return ", ".join(map(repr, self.parts().values()))

    def __repr__(self):
        return f"{type(self).__name__}({self.describe()})"

    def __getstate__(self):
        """What a copy is made of: the arguments, and nothing that belongs to the network."""
        left_out = {"network", "backend", "rng", "step", "views", *self.views}
        return {name: value for name, value in self.__dict__.items() if name not in left_out}


def assign(view, value, backend, what):
    """Copy an array of the same shape and dtype into `view`; ValueError or TypeError for others."""
    backend.check(value, what)
    if value.dtype != view.dtype:
        raise TypeError(f"{what}: expected {view.dtype}, got {value.dtype}")
    if value.shape != view.shape:
        raise ValueError(f"{what}: expected shape {view.shape}, got {value.shape}")
    view[...] = value


def fill(backend, targets, arrays):
    """Copy host arrays into arrays of the same names, in the targets' dtype, or ValueError."""
    for name, target in targets.items():
        array = arrays[name]
        if array.shape != target.shape or array.dtype.kind != "f":
            raise ValueError(
                f"{name}: expected floating-point numbers {target.shape}, "
                f"got {array.dtype} {array.shape}"
            )
        if not (abs(array) <= backend.xp.finfo(target.dtype).max).all():
            raise ValueError(f"{name}: not finite as {target.dtype}")
        target[...] = backend.asarray(array, target.dtype)
