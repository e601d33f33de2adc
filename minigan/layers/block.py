"""More than a chain: layers as one layer (`Block`), and two paths that meet (`Residual`)."""

from minigan.layers.binding import all_parts, check_are_layers, shapes_through
from minigan.layers.layer import Layer
from minigan.layers.network import Chain, Step, added

__all__ = ["Block", "Residual"]


class Block(Layer):
    """Layers one after another, as one layer: the chain rule, as in `network.py`.

    layers: a list of unbound layers; or a network (or `network[:k]`), of which the block is a copy
    that starts with its numbers. Its layers belong to the network that the block is bound in, and
    their faster forms run there. A layer of your own may hold blocks, and call the methods below.
    """

    def __init__(self, layers):
        self.given = _numbers(layers) if isinstance(layers, Chain) else {}
        if isinstance(layers, Chain):
            layers = [layer.unbound() for layer in layers.layers]
        self.layers, self.steps = list(layers), []
        check_are_layers(self.layers)

    def forward(self, x, train):
        caches = []
        for step in self.steps:
            x, cache = step.forward(x, train)
            caches.append(cache)
        return x, caches

    def backward(self, dy, caches):
        for step, cache in zip(reversed(self.steps), reversed(caches), strict=True):
            dy = step.backward(dy, cache)
        return dy

    def add_gradients(self, dy, caches):
        self.backpropagate(dy, caches)

    def backpropagate(self, dy, caches):
        for step, cache in zip(reversed(self.steps), reversed(caches), strict=True):
            dy = step.backpropagate(dy, cache)
        return dy

    def double_backward(self, u, dy, caches):
        """As `Chain.double_backward`: up with u, then down with what each layer injects.

        Here, the way down goes on to the block's input.
        """
        trace = []
        for step, cache in zip(reversed(self.steps), reversed(caches), strict=True):
            trace.append(dy)
            dy = step.backward(dy, cache)
        injected, u_x = [], None
        for step, dy, cache in zip(self.steps, reversed(trace), caches, strict=True):  # up
            u, share = step.double_backward(u, dy, cache)
            injected.append(share)
        for step, cache, share in zip(
            reversed(self.steps), reversed(caches), reversed(injected), strict=True
        ):  # down
            u_x = added(None if u_x is None else step.backpropagate(u_x, cache), share)
        return u, u_x

    def parts(self):
        return {str(i): layer for i, layer in enumerate(self.layers)}

    def bind_views(self, views):
        super().bind_views(views)
        self.steps = [Step(layer, self.backend) for layer in self.layers]

    def output_shape(self, input_shape):
        return shapes_through(self.layers, input_shape)[-1]

    def describe(self):
        return ", ".join(map(repr, self.layers))

    def __getstate__(self):
        return super().__getstate__() | {"steps": []}


class Residual(Layer):
    """y = f(x) + s(x)      f: `layers`, s: the `shortcut`, without layers the identity, s(x) = x

    dx = f's dx + s's dx

    x goes two ways, so that a change of x changes y by both: gradients add where paths meet. With
    s(x) = x, dx holds dy itself: however small the gradients inside f, none vanishes on its way
    through many such layers. Where f changes the shape, s has to change it, too, such as by a
    convolution of kernel 1 (a projection). He et al. 2016, arXiv:1512.03385, equations 1 and 2;
    put ReLU and norms inside f, in front of its products (arXiv:1603.05027).

    layers, shortcut: lists of unbound layers. Their parameters are called "residual.0.weight", ...,
    and "shortcut.0.weight", ... Raises ValueError if the paths end in different shapes.
    """

    def __init__(self, layers, shortcut=()):
        self.residual, self.shortcut = Block(layers), Block(shortcut)

    def forward(self, x, train):
        y, cache = self.residual.forward(x, train)
        straight, cache_of_shortcut = self.shortcut.forward(x, train)
        return y + straight, (cache, cache_of_shortcut)

    def backward(self, dy, cache):
        return self.residual.backward(dy, cache[0]) + self.shortcut.backward(dy, cache[1])

    def add_gradients(self, dy, cache):
        self.residual.add_gradients(dy, cache[0])
        self.shortcut.add_gradients(dy, cache[1])

    def backpropagate(self, dy, cache):
        return self.residual.backpropagate(dy, cache[0]) + self.shortcut.backpropagate(dy, cache[1])

    def double_backward(self, u, dy, cache):
        """dx is a sum, and so are its gradients: each path's, added."""
        u_dy, u_x = self.residual.double_backward(u, dy, cache[0])
        straight, u_x_of_shortcut = self.shortcut.double_backward(u, dy, cache[1])
        return u_dy + straight, added(u_x, u_x_of_shortcut)

    def output_shape(self, input_shape):
        shape, straight = (
            path.output_shape(input_shape) for path in (self.residual, self.shortcut)
        )
        if shape != straight:
            raise ValueError(
                f"the residual path ends in {shape}, the shortcut in {straight}: they cannot be "
                "added; give the shortcut a layer that projects, such as a convolution of kernel 1"
            )
        return shape

    def describe(self):
        shortcut = f"; shortcut {self.shortcut.describe()}" if self.shortcut.layers else ""
        return self.residual.describe() + shortcut


def _numbers(chain):
    """The numbers of a bound chain's layers as host arrays, by the names that a block has."""
    return {
        f"{path}.{name}": chain.backend.to_numpy(layer.views[name]).copy()
        for path, layer in all_parts(dict(enumerate(chain.layers))).items()
        for name in (layer.parameters() | layer.buffers())
    }
