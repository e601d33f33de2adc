"""How layers become a network: one vector holds all parameters, and each layer has a view of it."""

import math

from minigan.layers.layer import Layer
from minigan.trial import got

__all__ = ["bind", "check_layers"]


def check_layers(layers, input_shape):
    """The shapes of a sample, before the first layer and after each.

    Raises TypeError or ValueError, naming the layer, for what is no layer, does not fit, or has a
    place in a network already (also inside another layer, as in `SpectralNorm`).
    """
    if not layers:
        raise ValueError("layers: expected at least one")
    shapes, seen = [input_shape], []
    for i, layer in enumerate(layers):
        if not isinstance(layer, Layer):
            found = got(layer) if isinstance(layer, type) else type(layer).__name__
            raise TypeError(f"layer {i}: expected a Layer, got {found}")
        for part in (layer, *layer.inside()):
            if part.network is not None or any(part is other for other in seen):
                raise ValueError(f"layer {i} ({layer!r}): {part!r} is already part of a network")
            seen.append(part)
        if layer.parameters() and type(layer).add_gradients is Layer.add_gradients:
            raise TypeError(
                f"layer {i} ({layer!r}) has parameters, but no add_gradients(dy, cache)"
            )
        try:
            shapes.append(tuple(layer.output_shape(shapes[-1])))
        except ValueError as error:
            raise ValueError(f"layer {i} ({layer!r}) does not fit: {error}") from None
    return tuple(shapes)


def bind(network, layers):
    """Give every layer its views and its place in `network`.

    Returns for "parameters", "gradients" and "buffers" the vector, of zeros, and its named views.
    """
    specs = [(layer.parameters(), layer.buffers()) for layer in layers]
    views = [{} for _ in layers]
    parameters = _vector(network, [spec for spec, _ in specs], views, "")
    gradients = _vector(network, [spec for spec, _ in specs], views, "d")
    buffers = _vector(network, [spec for _, spec in specs], views, "")
    for layer, of_layer in zip(layers, views, strict=True):
        for part in (layer, *layer.inside()):
            part.network, part.backend = network, network.backend
        layer.bind_views(of_layer)
    return {"parameters": parameters, "gradients": gradients, "buffers": buffers}


def _vector(network, specs, views, prefix):
    """One vector for all of the specs (name -> shape, initial), and its views by their names."""
    size = sum(math.prod(shape) for spec in specs for shape, _ in spec.values())
    vector, named, start = network.backend.xp.zeros(size, network.dtype), {}, 0
    for i, spec in enumerate(specs):
        for name, (shape, _) in spec.items():
            stop = start + math.prod(shape)
            named[f"{i}.{name}"] = views[i][prefix + name] = vector[start:stop].reshape(shape)
            start = stop
    return vector, named
