"""The rules that every layer keeps, beside having the right gradient. Broken, they harm in silence.

- `backward` gives dx and changes no gradient of a parameter; `add_gradients` adds to them.
- A backward pass changes neither x, nor dy, nor the cache: a second one gives the same.
- A cache belongs to one forward pass: another pass does not change what the first one left.
- dx is an array of its own: neither dy nor a part of the cache (but for layers whose y is x, in
  another shape).
"""

__all__ = ["arrays_in", "broken_rules", "differ"]


def broken_rules(network, x, train, rng, rewind):
    """Sentences on the rules that layers of this network break, or else itself, for x (N, ...).

    rewind: sets running statistics and random generators back before a forward pass.
    """
    rewind()
    found, batch = [], x
    for position, layer in enumerate(network.layers):
        given = x.copy()
        x, _ = layer.step.forward(x.copy(), train)
        broken = _of(layer.step, given, network, train, rng, rewind)
        found += [f"layer {position} ({layer!r}): {sentence}" for sentence in broken]
    return found or [*_of(network, batch, network, train, rng, rewind)]


def _of(part, x, network, train, rng, rewind):
    """Sentences on the rules that a part of the network breaks, a layer's step or all of it."""

    def random(shape):
        return network.backend.asarray(rng.standard_normal(shape), network.dtype)

    def added(add, start):
        network.gradients[...] = start
        result = add(dy, cache)
        return network.gradients - start, result

    rewind()
    x_before = x.copy()
    y, cache = part.forward(x, train)
    y_before, dy = y.copy(), random(y.shape)
    dy_before = dy.copy()
    change, dx = added(part.backward, 1)
    dx_before = dx.copy()
    if change.any():
        yield "backward(dy, cache) changes gradients of parameters: leave that to add_gradients"
    if part is not network:  # which gives what its layers give
        shares = network.backend.xp.shares_memory
        if shares(dx, dy) and not shares(x, y):
            yield "dx is dy itself: return an array of its own"
        if any(shares(dx, array) for array in arrays_in(cache)):
            yield "dx is a part of the cache: return an array of its own"
    once, _ = added(part.add_gradients, 0)
    there = once + (once == 0)  # so that no digit is lost when the same is added again
    again, _ = added(part.add_gradients, there)
    if differ(again, once):
        yield "add_gradients(dy, cache) does not add: it sets, or changes the cache"
    if differ(part.backward(dy, cache), dx_before) or differ(dx, dx_before):
        yield "a second backward pass on the same cache gives another dx"
    both, result = added(part.backpropagate, there)
    if differ(both, again) or differ(result, dx_before):
        yield "backpropagate(dy, cache) differs from add_gradients and backward"
    rewind()
    part.forward(random(x.shape), train)
    if differ(part.backward(dy, cache), dx_before) or differ(added(part.add_gradients, 0)[0], once):
        yield "another forward pass changes the cache of this one"
    for what, now, before in (("dy", dy, dy_before), ("x", x, x_before), ("y", y, y_before)):
        if differ(now, before):
            yield f"{what} is written to"


def differ(a, b):
    """Whether two arrays differ by more than rounding."""
    scale = float(abs(b).max()) if b.size else 0.0
    return a.shape != b.shape or bool((abs(a - b) > 1e-9 * scale).any())


def arrays_in(cache):
    """All arrays in a cache of nested tuples, lists and dicts."""
    if isinstance(cache, dict):
        cache = list(cache.values())
    if isinstance(cache, list | tuple):
        return [array for item in cache for array in arrays_in(item)]
    return [cache] if getattr(cache, "ndim", 0) else []
