"""How layers become a network: one vector holds all parameters, and each layer has a view of it."""

import math

from minigan.layers.layer import Layer
from minigan.layers.network import Chain
from minigan.trial import got

__all__ = ["all_parts", "bind", "check_layers", "shapes_through"]

NETWORK = "is a network of its own: inside another, write Block([...])"


def check_layers(layers, input_shape):
    """The shapes of a sample, before the first layer and after each.

    Raises TypeError or ValueError, naming the layer, for what is no layer, does not fit, would not
    be trained, or has a place in a network already (also inside another layer).
    """
    if not layers:
        raise ValueError("layers: expected at least one")
    shapes, seen = shapes_through(layers, input_shape), []
    for i, layer in enumerate(layers):
        for part in (layer, *layer.inside()):
            if part.network is not None or any(part is other for other in seen):
                raise ValueError(f"layer {i} ({layer!r}): {part!r} is already part of a network")
            seen.append(part)
            for name, value in vars(part).items():
                if isinstance(value, Chain):
                    raise TypeError(f"layer {i} ({layer!r}): its {name} {NETWORK}")
            if type(part).add_gradients is Layer.add_gradients:
                if any(p.parameters() for p in (part, *part.inside())):
                    lacks = "has parameters, but no add_gradients(dy, cache)"
                    raise TypeError(f"layer {i} ({part!r}) {lacks}")
    return shapes


def shapes_through(layers, input_shape):
    """The shapes of a sample, before the first of these layers and after each."""
    shapes = [input_shape]
    for i, layer in enumerate(layers):
        if not isinstance(layer, Layer):
            hint = f", which {NETWORK}" if isinstance(layer, Chain) else ""
            found = got(layer) if isinstance(layer, type) else type(layer).__name__
            raise TypeError(f"layer {i}: expected a Layer, got {found}{hint}")
        try:
            shapes.append(tuple(layer.output_shape(shapes[-1])))
        except ValueError as error:
            raise ValueError(f"layer {i} ({layer!r}) does not fit: {error}") from None
    return tuple(shapes)


def all_parts(named, prefix=""):
    """path -> layer: the named layers and all their parts, each before those inside it."""
    found = {}
    for name, layer in named.items():
        path = f"{prefix}{name}"
        found |= {path: layer} | all_parts(layer.parts(), f"{path}.")
    return found


def bind(network, layers):
    """Give every layer its views and its place in `network`.

    Returns the layers and all their parts by their paths ("3", "3.residual.0"); and, for
    "parameters", "gradients" and "buffers", the vector, of zeros, and its named views.
    """
    parts = all_parts({str(i): layer for i, layer in enumerate(layers)})
    trained = {path: part.parameters() for path, part in parts.items()}
    kept = {path: part.buffers() for path, part in parts.items()}
    kinds = ("parameters", trained, ""), ("gradients", trained, "d"), ("buffers", kept, "")
    views = {path: {} for path in parts}
    vectors = {kind: _vector(network, specs, views, prefix) for kind, specs, prefix in kinds}
    for layer in layers:
        for part in (layer, *layer.inside()):
            part.network, part.backend = network, network.backend
    for path, part in parts.items():
        part.bind_views(views[path])
    return parts, vectors


def _vector(network, specs, views, prefix):
    """One vector for all of the specs (path -> name -> shape, initial), and its named views."""
    size = sum(math.prod(shape) for spec in specs.values() for shape, _ in spec.values())
    vector, named, start = network.backend.xp.zeros(size, network.dtype), {}, 0
    for path, spec in specs.items():
        for name, (shape, _) in spec.items():
            stop = start + math.prod(shape)
            named[f"{path}.{name}"] = views[path][prefix + name] = vector[start:stop].reshape(shape)
            start = stop
    return vector, named
