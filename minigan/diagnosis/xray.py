"""The X-ray: one batch forward and backward through a network, and what every layer made of it.

    print(xray(network, x))

shows for each layer its output, its parameters, the memory of its cache, how its outputs and
the gradients that reach them are distributed, and whether its backward pass is the derivative of
its forward pass; below, what is wrong, by name: units that are dead, gradients that vanish or
explode on their way, numbers that are not finite.

What a layer does to a gradient is its gain, ‖dx‖ / ‖dy‖. The gradient that reaches the first
layer is the product of all gains, and that is the whole story of vanishing (all gains a bit
below 1) and exploding (a bit above); good initial weights keep them near 1 (Glorot & Bengio
2010, section 4.2.1; He et al. 2015, arXiv:1502.01852, section 2.2).
"""

import math
from dataclasses import dataclass

import numpy as np

from minigan.checks import as_generator, check_integer
from minigan.diagnosis.contracts import arrays_in
from minigan.diagnosis.gradcheck import GradientReport, gradcheck
from minigan.layers import Sequential, SpectralNorm
from minigan.layers.activations import Activation
from minigan.layers.binding import all_parts
from minigan.layers.network import Caches, check_array
from minigan.tables import Table

__all__ = ["LayerXRay", "Statistics", "XRay", "xray"]

#: An activation passes nothing on where f'(x) is below this: off (ReLU) or saturated (tanh).
FLAT = 0.01
#: A unit is judged by at least so many numbers: flat for all of them, it counts as dead.
ENOUGH = 16
#: Dead units are a finding from this share on: with any weights, a few never fire on one batch.
MANY = 1 / 3
#: On its way to the first parameters the gradient may shrink or grow by this factor.
FACTOR = 100
#: The slope of a loss in the network's output, a sample, below which the loss is saturated.
SATURATED = 1e-3
#: Units named in a finding; of more, their number.
NAMED = 5
#: The check's input is scaled to at most this, since the difference of two large losses is
#: nothing but rounding; and right gradients may differ relatively by this.
LARGEST, TOLERANCE = 100, 1e-4


@dataclass(frozen=True)
class Statistics:
    """Of all numbers of an array: mean, standard deviation, share of exact zeros; the norm."""

    mean: float
    std: float
    zeros: float
    norm: float

    @classmethod
    def of(cls, array):
        """The statistics of a host array, computed in float64."""
        a = np.asarray(array, np.float64)
        with np.errstate(invalid="ignore", over="ignore"):
            return cls(*map(float, (a.mean(), a.std(), (a == 0).mean(), np.sqrt((a * a).sum()))))

    @property
    def finite(self):
        """Whether the array held neither NaN nor infinity (nor squares that overflow)."""
        return math.isfinite(self.norm)


@dataclass(frozen=True)
class LayerXRay:
    """What one layer made of the batch.

    position, name: which layer. output_shape: of the batch's output. parameters: how many.
    cache_bytes: memory that its cache keeps alive, an array that an earlier layer's cache holds
    already not counted again. output, gradient: `Statistics` of y and of dL/dy. gain: ‖dx‖ / ‖dy‖.
    flat: share of the outputs at which an activation's derivative is below 0.01 (None for other
    layers). dead: the units (along the last axis) that are flat for the whole batch. update:
    ‖dL/dw‖ / ‖w‖ of the layer's parameters w (None without). check: the numerical check of this
    layer alone, on the input that reached it, scaled down if it is huge (None if not asked for, or
    not finite).
    """

    position: int
    name: str
    output_shape: tuple
    parameters: int
    cache_bytes: int
    output: Statistics
    gradient: Statistics
    gain: float
    flat: float | None
    dead: tuple
    update: float | None
    check: GradientReport | None


@dataclass(frozen=True)
class XRay(Table):
    """The result of `xray`: `layers` (LayerXRay), `loss`, `findings` (sentences). A table when
    printed; `healthy` if there is nothing to find."""

    layers: tuple
    loss: float
    findings: tuple

    @property
    def healthy(self):
        """Whether nothing was found."""
        return not self.findings

    def table(self):
        head = ("", "layer", "output", "parameters", "cache", "mean y", "std y", "zeros", "flat",
                "dead", "std dy", "gain", "|dw|/|w|", "gradient")  # fmt: skip
        cache = _bytes(sum(layer.cache_bytes for layer in self.layers))
        findings = [f"! {finding}" for finding in self.findings] or ["nothing found"]
        below = [f"loss {self.loss:.6g}, caches {cache}", *findings]
        return [head, *map(_cells, self.layers)], (1, 2), below


def xray(network, x, loss=None, *, train=True, check=True, max_entries=8, rng=0):
    """Run a batch forward and backward through `network`, and look at every layer.

    network: `Sequential`. x: a batch (N, *input_shape), host or backend array. loss: a function
    y -> (L, dL/dy), for example `NonSaturating().generator` for a discriminator, and the same
    through the discriminator for a generator:

        def loss(fake):
            logits, caches = D.forward(fake)
            value, d_logits = objective.generator(logits)
            return value, D.backward(d_logits, caches)

    If not given, L = Σ y·R / N with normal R. train: as in `forward`. check: compare each layer's
    gradients with numerical ones, in float64, at `max_entries` entries of each array (cost grows
    with the batch; a spectral norm is checked as in evaluation, with the singular vectors that
    its backward pass takes for constants). rng: for R and the entries to check.

    Works on a copy: parameters, gradients, running statistics and random streams stay as they
    are. Returns an `XRay`. Raises TypeError if network is no Sequential, ValueError for a batch
    or a gradient dL/dy of the wrong shape.
    """
    if not isinstance(network, Sequential):
        raise TypeError(f"xray: expected a Sequential, got {type(network).__name__}")
    rng, max_entries = as_generator(rng).spawn(1)[0], check_integer("max_entries", max_entries, 1)
    options = {"max_entries": max_entries, "tolerance": TOLERANCE, "rng": rng} if check else None
    twin = network.clone()
    x = twin.backend.asarray(x, twin.dtype)
    check_array(twin, x, "x", twin.input_shape)
    arrays, caches, seen, layers = [x], Caches(), set(), []
    with np.errstate(invalid="ignore", over="ignore"):
        for layer in twin.layers:
            y, cache = layer.step.forward(arrays[-1], train)
            arrays.append(y)
            caches.append(cache)
        caches.count = len(y)
        value, dy = _loss(loss, y, twin, rng)
        dx, trace = twin.backward_trace(dy, caches)
        twin.zero_gradients()
        twin.add_gradients(dy, caches)
    gradients = [dx, *trace]
    for i in range(len(twin.layers)):
        x, y = arrays[i : i + 2]
        report = options and _report(network, i, _host(twin, x), _host(twin, y), train, options)
        layers.append(_look(twin, i, y, gradients[i : i + 2], caches[i], seen, report))
    value = float(value)
    return XRay(tuple(layers), value, tuple(_findings(layers, value, len(arrays[0]))))


def _loss(loss, y, network, rng):
    """L and dL/dy."""
    if loss is not None:
        return loss(y)
    dy = network.backend.asarray(rng.standard_normal(y.shape) / len(y), network.dtype)
    return (y * dy).sum(), dy


def _report(network, i, x, y, train, options):
    """gradcheck of a float64 network of layer i alone; None where numbers are not finite."""
    if not (Statistics.of(x).finite and Statistics.of(y).finite):
        return None
    layer = network.layers[i]
    alone = Sequential([layer.unbound()], network.shapes[i], rng=0, dtype="float64",
                       backend=network.backend)  # fmt: skip
    for part, copied in zip(_with_parts(layer), _with_parts(alone.layers[0]), strict=True):
        for name, view in part.views.items():
            copied.views[name][...] = view.astype("float64")
    train = train and not isinstance(layer, SpectralNorm)
    return gradcheck(alone, x / max(1, abs(x).max() / LARGEST), train=train, **options)


# What there is to see at one layer --------------------------------------------------------------


def _look(network, i, y, gradients, cache, seen, report):
    layer = network.layers[i]
    dx, dy = (Statistics.of(_host(network, gradient)) for gradient in gradients)
    flat, dead = _flatness(network, layer, y, cache)
    weights, updates = (
        [
            Statistics.of(_host(network, part.views[d + name]))
            for part in _with_parts(layer)
            for name in part.parameters()
        ]
        for d in ("", "d")
    )
    size = math.hypot(*(w.norm for w in weights))
    return LayerXRay(
        position=i,
        name=repr(layer),
        output_shape=tuple(y.shape),
        parameters=sum(
            math.prod(shape)
            for part in _with_parts(layer)
            for shape, _ in part.parameters().values()
        ),
        cache_bytes=_new_bytes(cache, seen),
        output=Statistics.of(_host(network, y)),
        gradient=dy,
        gain=dx.norm / dy.norm if dy.norm else math.nan,
        flat=flat,
        dead=dead,
        update=math.hypot(*(g.norm for g in updates)) / size if size else None,
        check=report,
    )


def _with_parts(layer):
    """The layer, and all that have numbers of their own inside it."""
    return all_parts({"": layer}).values()


def _flatness(network, layer, y, cache):
    """The share of outputs where the activation is flat, and the units that are so everywhere."""
    if not isinstance(layer, Activation):
        return None, ()
    slope = _host(network, layer.backward(network.backend.xp.ones_like(y), cache))
    flat = (slope < FLAT).reshape(-1, slope.shape[-1])
    dead = np.flatnonzero(flat.all(axis=0)) if len(flat) >= ENOUGH else []
    return float(flat.mean()), tuple(map(int, dead))


def _new_bytes(cache, seen):
    """Bytes of the arrays in a cache whose memory is not in `seen` yet."""
    total = 0
    for array in arrays_in(cache):
        owner = array
        while getattr(owner, "base", None) is not None:
            owner = owner.base
        total += 0 if id(owner) in seen else array.nbytes
        seen.add(id(owner))
    return total


def _host(network, array):
    return network.backend.to_numpy(array)


# The table and the findings ---------------------------------------------------------------------


def _findings(layers, loss, samples):
    """What is wrong, as sentences, in the order of the layers."""
    if not math.isfinite(loss):
        yield f"the loss is {loss}"
    broken = [layer for layer in layers if not layer.output.finite]
    if broken:
        yield f"the output of {_title(broken[0])} is not finite; all after it may follow from that"
    for layer in layers:
        if layer.check is not None and layer.check.verdict == "WRONG":
            for sentence in layer.check.broken:
                yield f"broken rule: {_title(layer)}: {sentence.partition('): ')[2]}"
            row = layer.check.worst
            if row and row.verdict(TOLERANCE) == "WRONG":
                name = row.name.removeprefix("0.")
                yield (
                    f"wrong gradient: {_title(layer)}, of {name}: {row.by_hand:+.6g} by hand, "
                    f"{row.numerical:+.6g} numerically"
                )
        if len(layer.dead) >= MANY * layer.output_shape[-1]:
            units = ", ".join(map(str, layer.dead[:NAMED]))
            more = ", ..." if len(layer.dead) > NAMED else ""
            yield (
                f"dead units: {_title(layer)}, {len(layer.dead)} of {layer.output_shape[-1]} pass "
                f"no gradient for any sample ({units}{more})"
            )
    yield from _flow(layers, samples)


def _flow(layers, samples):
    """How the gradient fares on its way from the loss to the first parameters."""
    end = layers[-1].gradient
    first = next((k for k, layer in enumerate(layers) if layer.parameters), 0)
    start = layers[first].gradient
    on_the_way = layers[first + 1 :]
    if not (end.finite and start.finite):
        bad = next(layer for layer in reversed(layers) if not layer.gradient.finite)
        yield f"the gradient at the output of {_title(bad)} is not finite"
        return
    slope = end.norm * math.sqrt(samples)  # of the loss, per sample: dy holds the mean's 1/N
    if slope < SATURATED:
        yield f"the loss is saturated: its slope in the network's output is {slope:.2g} per sample"
    if end.norm == 0 or not on_the_way:
        return
    factor = start.norm / end.norm
    if factor < 1 / FACTOR:
        worst = min(on_the_way, key=lambda layer: layer.gain if layer.gain >= 0 else math.inf)
        yield _journey("vanishing", factor, layers[first], worst)
    elif factor > FACTOR:
        worst = max(on_the_way, key=lambda layer: layer.gain)
        yield _journey("exploding", factor, layers[first], worst)


def _journey(what, factor, first, worst):
    return (
        f"{what} gradient: times {factor:.2g} on its way to {_title(first)} "
        f"(most at {_title(worst)}: times {worst.gain:.2g})"
    )


def _title(layer):
    return f"layer {layer.position}, {layer.name}"


def _cells(layer):
    y, dy, check = layer.output, layer.gradient, layer.check
    return (
        str(layer.position), layer.name, str(layer.output_shape), f"{layer.parameters:,}",
        _bytes(layer.cache_bytes), f"{y.mean:+.2g}", f"{y.std:.2g}", f"{y.zeros:.0%}",
        "" if layer.flat is None else f"{layer.flat:.0%}", str(len(layer.dead) or ""),
        f"{dy.std:.2g}", f"{layer.gain:.2g}",
        "" if layer.update is None else f"{layer.update:.2g}",
        "-" if check is None else check.verdict,
    )  # fmt: skip


def _bytes(count):
    """2048 as "2.0 kB": thousands of bytes, as units of the SI have it."""
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} B" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"
