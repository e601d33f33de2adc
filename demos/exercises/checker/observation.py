"""What is looked at when a layer runs: its output, its gradients, and what it should leave alone.

A layer that keeps its cache to itself, or writes to what it was given, works in a small test and
fails in a game, where real and fake pass one after another. So each observation of a gradient has
a second forward pass between the first and its backward pass, and looks at x and dy afterwards.
"""

import numpy as np

import minigan

__all__ = ["bound", "layer_parts", "returned", "rounded"]

VALUE_TWISTS = {
    "x in float32": "x is rounded to float32 in between",
    "first": "only the first sample of the batch arrives here",
    "last": "only the last sample of the batch arrives here",
}
GRADIENT_TWISTS = VALUE_TWISTS | {
    "stale": "it uses the cache of a later forward pass: the cache is what forward returns, with "
    "arrays of its own, and nothing is kept in the layer (self.x = …)",
    "dy in float32": "dy is rounded to float32 in between",
    "set": "it sets the gradient (=) instead of adding to it (+=)",
}


def bound(layers, draw, shape):
    """A network of these layers with random numbers in float64, on the plain backend."""
    network = minigan.Sequential(layers, shape, rng=0, dtype="float64", backend="reference")
    network.parameters[...] = draw.rng.normal(0, 0.7, network.parameters.shape)
    return network


def layer_parts(exercise, name, build, parameters=(), shown=None):
    """The parts `forward`, `backward` and, with parameters, `add_gradients` of a layer.

    build(its, draw): the layer, or a network, and a batch x for it. parameters: the names of the
    gradients in the layer; "gradients" for all of them, as one vector.
    """
    shown = shown or {}

    def prepare(its, draw, twist):
        layer, x = build(its, draw)
        whole = isinstance(layer, minigan.Sequential)
        network = layer if whole else bound([layer], draw, x.shape[1:])
        return network, layer, rounded(x, twist == "x in float32")

    def open_pass(its, draw, twist):
        """Two forward passes; the network, the layer, dy for the first, and its cache."""
        network, layer, x = prepare(its, draw, twist)
        y, cache = returned(layer.forward(x.copy(), True), "y, cache")
        _, later = layer.forward(draw.normal(*x.shape), True)
        dy = rounded(draw.normal(*y.shape), twist == "dy in float32")
        return network, layer, chosen(dy, twist), later if twist == "stale" else cache

    def gradients_of(network, layer):
        if parameters == "gradients":
            return {"gradients": network.gradients.copy()}
        return {what: getattr(layer, what).copy() for what in parameters}

    def forward(its, draw, twist):
        _, layer, x = prepare(its, draw, twist)
        given = x.copy()
        y, _ = returned(layer.forward(given, True), "y, cache")
        return {"y": chosen(y, twist), "x afterwards": given}

    def backward(its, draw, twist):
        network, layer, dy, cache = open_pass(its, draw, twist)
        before = network.gradients[...] = draw.normal(network.gradients.size)
        given = dy.copy()
        seen = {"dx": np.copy(layer.backward(given, cache)), "dy afterwards": given}
        seen["dx, a second time"] = layer.backward(dy.copy(), cache)
        change = network.gradients - before
        return seen | ({"parameters' gradients afterwards": change} if change.size else {})

    def add_gradients(its, draw, twist):
        network, layer, dy, cache = open_pass(its, draw, twist)
        given, before = dy.copy(), draw.normal(network.gradients.size)
        network.zero_gradients()
        layer.add_gradients(given, cache)
        seen = gradients_of(network, layer) | {"dy afterwards": given}
        network.gradients[...] = before * (twist != "set")
        layer.add_gradients(dy.copy(), cache)
        again = gradients_of(network, layer)
        return seen | {f"{what}, added to others": array for what, array in again.items()}

    methods = [("forward", forward, VALUE_TWISTS), ("backward", backward, GRADIENT_TWISTS)]
    if parameters:
        methods += [("add_gradients", add_gradients, GRADIENT_TWISTS)]
    return [
        exercise.part(
            f"{name}.{method}",
            observe,
            twists=twists,
            needs=() if method == "forward" else (f"{name}.forward",),
            shown=shown.get(method),
        )
        for method, observe, twists in methods
    ]


def returned(values, names):
    """What a piece has returned; TypeError unless it has as many values as there are names."""
    expected = names.split(", ")
    several = isinstance(values, tuple | list)
    if not several or len(values) != len(expected) or values[0] is None:
        got = f"{len(values)} values" if several else type(values).__name__
        raise TypeError(f"expected {names} to be returned, got {got}")
    return values


def rounded(x, yes):
    """x, rounded to float32 if so."""
    return x.astype(np.float32).astype(np.float64) if yes else x


def chosen(dy, twist):
    """A copy of dy in which only the first or last sample is not zero, if that is the twist."""
    kept = {"first": slice(1), "last": slice(-1, None)}.get(twist, slice(None))
    some = np.zeros_like(dy)
    some[kept] = dy[kept]
    return some
