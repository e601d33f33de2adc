"""More than a chain: layers as one layer (`Block`), and two paths that meet (`Residual`)."""

from minigan.layers.binding import shapes_through
from minigan.layers.layer import Layer
from minigan.layers.network import added

__all__ = ["Block", "Residual"]


class Block(Layer):
    """A list of unbound layers, one after another, as one layer: the chain rule, as in `Chain`."""

    def __init__(self, layers):
        self.layers = list(layers)

    def forward(self, x, train):
        caches = []
        for layer in self.layers:
            x, cache = layer.step.forward(x, train)
            caches.append(cache)
        return x, caches

    def backward(self, dy, caches):
        for layer, cache in zip(reversed(self.layers), reversed(caches), strict=True):
            dy = layer.step.backward(dy, cache)
        return dy

    def add_gradients(self, dy, caches):
        self.backpropagate(dy, caches)

    def backpropagate(self, dy, caches):
        for layer, cache in zip(reversed(self.layers), reversed(caches), strict=True):
            dy = layer.step.backpropagate(dy, cache)
        return dy

    def double_backward(self, u, dy, caches):
        """As `Chain.double_backward`, but that the way down goes on, to the block's own x."""
        links, trace, curvatures, u_x = list(zip(self.layers, caches, strict=True)), [], [], None
        for layer, cache in reversed(links):
            trace.append(dy)
            dy = layer.step.backward(dy, cache)
        for layer, cache in links:  # up
            u, curvature = layer.step.double_backward(u, trace.pop(), cache)
            curvatures.append(curvature)
        for layer, cache in reversed(links):  # down
            down = None if u_x is None else layer.step.backpropagate(u_x, cache)
            u_x = added(down, curvatures.pop())
        return u, u_x

    def parts(self):
        return {str(i): layer for i, layer in enumerate(self.layers)}

    def output_shape(self, input_shape):
        return shapes_through(self.layers, input_shape)[-1]


class Residual(Layer):
    """y = f(x) + s(x)      f: `layers`, s: the `shortcut`, which is the identity without layers

    dx = f's dx + s's dx

    x goes two ways, and a change of x changes y by both: gradients add where paths meet. With
    s(x) = x, dx holds dy itself, so that through many such layers, no gradient vanishes. Where f
    changes the shape, s projects: a convolution of kernel 1. He et al. 2016, arXiv:1512.03385.
    """

    def __init__(self, layers, shortcut=()):
        self.residual, self.shortcut = Block(layers), Block(shortcut)

    @property
    def layers(self):
        """Those of the residual path."""
        return self.residual.layers

    def forward(self, x, train):
        y, cache = self.residual.forward(x, train)
        straight, of_shortcut = self.shortcut.forward(x, train)
        return y + straight, (cache, of_shortcut)

    def backward(self, dy, cache):
        return self.residual.backward(dy, cache[0]) + self.shortcut.backward(dy, cache[1])

    def add_gradients(self, dy, cache):
        self.backpropagate(dy, cache)

    def backpropagate(self, dy, cache):
        return self.residual.backpropagate(dy, cache[0]) + self.shortcut.backpropagate(dy, cache[1])

    def double_backward(self, u, dy, cache):
        """dx is a sum, and so are its gradients."""
        u_dy, u_x = self.residual.double_backward(u, dy, cache[0])
        straight, of_shortcut = self.shortcut.double_backward(u, dy, cache[1])
        return u_dy + straight, added(u_x, of_shortcut)

    def output_shape(self, input_shape):
        shape, straight = (p.output_shape(input_shape) for p in (self.residual, self.shortcut))
        if shape != straight:
            raise ValueError(f"the paths end in {shape} and {straight}: let the shortcut project")
        return shape
