"""The rules that every layer keeps, beside having the right gradient. Broken, they harm in silence.

- `backward` gives dx and changes no gradient of a parameter; `add_gradients` adds to them.
- A backward pass changes neither x, nor dy, nor the cache: a second one gives the same.
- A cache belongs to one forward pass: another pass does not change what the first one left.
- dx is an array of its own: neither dy nor a part of the cache (but for layers whose y is x, in
  another shape).
"""

import numpy as np

__all__ = ["broken_rules"]


def broken_rules(network, x, train, rng, rewind):
    """Sentences on the rules that layers of this network break, for a batch x (N, ...).

    rewind: sets running statistics and random generators back before a forward pass.
    """
    found, arrays = [], []
    rewind()
    for layer, step in zip(network.layers, network.steps, strict=True):
        y, _ = step.forward(x, train)
        arrays.append((layer, step, x, y.shape))
        x = y
    for position, (layer, step, x, shape) in enumerate(arrays):
        dy = network.backend.asarray(rng.standard_normal(shape), network.dtype)
        for sentence in _of_layer(network, step, x, dy, train, rewind):
            found.append(f"layer {position} ({layer!r}): {sentence}")
    return found


def _of_layer(network, step, x, dy, train, rewind):
    shared = network.backend.xp.shares_memory
    x_before, dy_before = x.copy(), dy.copy()
    rewind()
    y, cache = step.forward(x, train)
    y_before = y.copy()
    rewind()
    step.forward(x[::-1].copy(), train)  # must not reach the first pass's cache
    network.gradients[...] = dirt = network.backend.asarray(_dirt(network), network.dtype)
    dx = step.backward(dy, cache)
    dx_before = dx.copy()
    if _differ(network.gradients, dirt):
        yield "backward(dy, cache) changes gradients of parameters: leave that to add_gradients"
    if shared(dx, dy) and not shared(x, y):
        yield "dx is dy itself: return an array of its own"
    if any(shared(dx, part) for part in _arrays(cache)):
        yield "dx is a part of the cache: return an array of its own"
    network.gradients[...] = 0
    step.add_gradients(dy, cache)
    once = network.gradients.copy()
    network.gradients[...] = dirt
    step.add_gradients(dy, cache)
    if _differ(network.gradients - dirt, once):
        yield "add_gradients(dy, cache) does not add: it sets, or changes the cache"
    if _differ(step.backward(dy, cache), dx_before) or _differ(dx, dx_before):
        yield "a second backward pass on the same cache gives another dx"
    network.gradients[...] = dirt
    both = step.backpropagate(dy, cache)
    if _differ(both, dx_before) or _differ(network.gradients - dirt, once):
        yield "backpropagate(dy, cache) differs from add_gradients and backward"
    if _differ(dy, dy_before):
        yield "dy is written to"
    if _differ(x, x_before):
        yield "the input x is written to"
    if _differ(y, y_before):
        yield "a later pass writes to the output y"


def _dirt(network):
    """What gradients hold before a pass that must only add to them."""
    return 1 + np.arange(network.gradients.size) % 7


def _differ(a, b):
    """Whether two arrays differ by more than rounding."""
    scale = float(abs(b).max()) if b.size else 0.0
    return a.shape != b.shape or bool((abs(a - b) > 1e-9 * (scale + 10)).any())


def _arrays(cache):
    """All arrays in a cache of nested tuples, lists and dicts, but for single numbers."""
    if isinstance(cache, dict):
        cache = list(cache.values())
    if isinstance(cache, list | tuple):
        return [array for item in cache for array in _arrays(item)]
    return [cache] if getattr(cache, "ndim", 0) > 0 else []
