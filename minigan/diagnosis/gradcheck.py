"""Numerical gradients: is the backward pass really the derivative of the forward pass?

Take a loss L that depends on an array. Change one number by ±h, and see how L changes:

    dL/dx ≈ D(h) = (L(x + h) − L(x − h)) / 2h          (central differences, error O(h²))

and compare with what the backward pass says. For a layer, L = Σ y·R with fixed random R: its
gradient with respect to y is R, so that `backward(R, cache)` must give dL/dx; a constant R, such
as all ones, would let many errors pass. In float64 the two agree to about ten digits; a wrong
formula differs in the first.

`print(gradcheck(network, x))` shows a table. Nothing that is passed in is changed.
"""

import math
from dataclasses import dataclass

import numpy as np

from minigan.checks import as_generator, check_integer, check_number
from minigan.gan import GAN
from minigan.layers import Layer, Sequential
from minigan.objectives import Objective
from minigan.regularizers import Regularizer
from minigan.tables import align

__all__ = ["GradientReport", "GradientRow", "compare_gradients", "gradcheck"]

#: Differences tried in turn until the numerical derivative can be trusted.
STEPS = (1e-4, 1e-5, 1e-6)


@dataclass(frozen=True)
class GradientRow:
    """One array's comparison.

    checked: entries compared. kinks: entries left out because the function has a kink there (the
    two sides have different slopes, so there is no derivative to compare with). At `worst`, the
    index with the largest error, `by_hand` and `numerical` are the two gradients.
    """

    name: str
    shape: tuple
    checked: int
    kinks: int
    worst: tuple
    by_hand: float
    numerical: float
    relative_error: float


@dataclass(frozen=True)
class GradientReport:
    """The comparison of all arrays. `passed`, `worst` (the row), and a table when printed."""

    rows: tuple
    tolerance: float

    @property
    def worst(self):
        """The row with the largest relative error."""
        return max(self.rows, key=lambda row: row.relative_error)

    @property
    def relative_error(self):
        """The largest relative error of all."""
        return self.worst.relative_error

    @property
    def passed(self):
        """Whether every array was compared somewhere and agrees within the tolerance."""
        return all(row.checked and row.relative_error <= self.tolerance for row in self.rows)

    def __str__(self):
        head = ("gradient of", "shape", "checked", "kinks", "worst at", "by hand", "numerical",
                "rel. error", "")  # fmt: skip
        table = [head] + [self._cells(row) for row in self.rows]
        lines = align(table, (0, 1))
        verdict = "every gradient agrees" if self.passed else "WRONG: see the marked rows"
        return "\n".join([*lines, f"{verdict} (tolerance {self.tolerance:g})"])

    def _cells(self, row):
        good = row.checked and row.relative_error <= self.tolerance
        worst = ", ".join(map(str, row.worst))
        return (row.name, str(row.shape), str(row.checked), str(row.kinks), f"[{worst}]",
                f"{row.by_hand:+.8f}", f"{row.numerical:+.8f}", f"{row.relative_error:.1e}",
                "ok" if good else "WRONG")  # fmt: skip


def compare_gradients(loss, arrays, gradients, *, rng=0, tolerance=1e-6, max_entries=64):
    """Compare gradients that were computed by hand with numerical ones.

    loss: a function without arguments that computes a number from the present contents of the
    arrays. arrays: name -> float64 array, changed in place and restored. gradients: the same
    names -> what the backward pass said. max_entries: of larger arrays, that many random entries
    are checked (`rng`). Returns a GradientReport.

    The relative error is |by hand − numerical| / max(|by hand|, |numerical|, floor). The floor
    keeps rounding in entries that should be zero from counting as an error: 1e-3 of the array's
    and 1e-4 of all arrays' largest numerical gradient, and what the rounding of the loss itself
    leaves unresolved, 4 r / h, over the tolerance. The rounding r is eps |L|, or what is measured
    if that is more: a loss may be near zero only because large terms cancel in it.
    """
    rng = as_generator(rng)
    max_entries = check_integer("max_entries", max_entries, 1)
    tolerance = check_number("tolerance", tolerance, 0, 1, low_open=True)
    chosen = {}
    for name, array in arrays.items():
        _check_array(name, array, gradients.get(name))
        indices = np.arange(array.size)
        if array.size > max_entries:
            indices = np.sort(rng.choice(array.size, max_entries, replace=False))
        chosen[name] = indices.tolist()
    rounding = _rounding(loss, [(arrays[name], i) for name in chosen for i in chosen[name]])
    entries = {
        name: [(i, *_derivative(loss, arrays[name], i, tolerance, rounding)) for i in indices]
        for name, indices in chosen.items()
    }
    sizes = {name: max((abs(d) for _, d, ok in found if ok), default=0.0)
             for name, found in entries.items()}  # fmt: skip
    resolution = 4 * rounding / STEPS[0]
    least = max(1e-4 * max(sizes.values(), default=0.0), resolution / tolerance, 1e-12)
    rows = [
        _row(name, arrays[name], gradients[name], found, max(least, 1e-3 * sizes[name]))
        for name, found in entries.items()
    ]
    return GradientReport(tuple(rows), tolerance)


def _check_array(name, array, gradient):
    if array.dtype != np.float64:
        raise TypeError(f"{name}: numerical gradients need float64, got {array.dtype}")
    if gradient is None or gradient.shape != array.shape:
        found = None if gradient is None else gradient.shape
        raise ValueError(f"{name}: expected a gradient of shape {array.shape}, got {found}")


def _rounding(loss, entries):
    """How far rounding moves the loss: eps |L|, or what a look at three entries finds.

    Over points 1e-6 apart any smooth loss is a cubic, whose fourth difference is zero. What is
    left are the rounding errors of five values, √70 of one on average (after Moré & Wild 2011,
    "Estimating computational noise"); a kink may meet one of the three, not the median.
    """
    middle = float(loss())
    found = []
    for array, position in entries[:: max(1, len(entries) // 3)][:3]:
        at, x = _along(loss, array, position)
        far, near = (at(x + d) + at(x - d) for d in (2e-6, 1e-6))
        at(x)
        found.append(abs(far - 4 * near + 6 * middle) / math.sqrt(70))
    measured = sorted(found)[len(found) // 2] if found else 0.0
    return max(np.finfo(float).eps * abs(middle), measured)


def _along(loss, array, position):
    """The loss as a function of one entry, array.flat[position], and the entry's value."""
    index = np.unravel_index(position, array.shape)

    def at(value):
        array[index] = value
        return float(loss())

    return at, array[index].item()


def _derivative(loss, array, position, tolerance, rounding):
    """(dL / d array.flat[position], whether it can be trusted).

    Central differences D at h, h/2 and h/4 give two estimates of the derivative with error O(h⁴)
    (Richardson: (4 D(h/2) − D(h)) / 3). They must agree, and so must the slopes to the left and
    to the right; otherwise a kink lies close by, and a smaller h may step around it. The
    judgement never looks at the gradient that was computed by hand.
    """
    at, x = _along(loss, array, position)
    middle = at(x)
    for h in STEPS:
        sides = [(at(x + d), at(x - d), d) for d in (h, h / 2, h / 4)]
        wide, half, narrow = ((right - left) / (2 * d) for right, left, d in sides)
        estimate, closer = (4 * half - wide) / 3, (4 * narrow - half) / 3
        right, left, _ = sides[0]
        bend = (right - 2 * middle + left) / h
        noise = 16 * (rounding + np.finfo(float).eps) / h
        scale = max(abs(wide), abs(narrow))
        trusted = abs(estimate - closer) <= 0.1 * tolerance * scale + noise and (
            abs(bend) <= 0.1 * scale + 10 * h
        )
        if trusted:
            break
    at(x)
    return estimate, trusted


def _row(name, array, gradient, found, floor):
    worst, checked, kinks = (-1.0, 0, math.nan, math.nan), 0, 0
    for position, numerical, trusted in found:
        if not trusted:
            kinks += 1
            continue
        checked += 1
        by_hand = gradient[np.unravel_index(position, array.shape)].item()
        error = abs(by_hand - numerical) / max(abs(by_hand), abs(numerical), floor)
        error = math.inf if math.isnan(error) else error
        worst = max(worst, (error, position, by_hand, numerical))
    error, position, by_hand, numerical = worst
    index = tuple(int(i) for i in np.unravel_index(position, array.shape))
    return GradientRow(name, array.shape, checked, kinks, index, by_hand, numerical,
                       max(error, 0.0))  # fmt: skip


def gradcheck(target, *inputs, rng=0, train=True, tolerance=1e-6, max_entries=64):
    """Check every gradient of `target`, which decides what `inputs` are:

    Layer or Sequential   x (N, ...): dx and the gradient of every parameter, for a random
                          upstream gradient; `train` chooses the mode
    Objective             real_logits, fake_logits (N, 1): both players' losses
    Regularizer           discriminator, real, fake (N, ...): the gradient of its penalty
    GAN                   x (N, ...), a batch of real samples: the complete step of both players,
                          the generator's gradients through the discriminator included

    Inputs are converted to float64, and networks are checked as float64 copies. Returns a
    GradientReport. `rng` (a generator or a seed) draws the upstream gradient, the noise and the
    entries to check. Raises TypeError for other targets, ValueError for inputs that do not fit.

    A `SpectralNorm` layer's gradient in training mode is exact only once its power iteration has
    converged (its docstring says why): let it see some hundred batches first, or take train=False.
    """
    # a stream of its own: seeded like the input, the upstream gradient would equal the input
    rng = as_generator(rng).spawn(1)[0]
    options = {"rng": rng, "tolerance": tolerance, "max_entries": max_entries}
    inputs = [x if isinstance(x, Sequential) else _as_input(x) for x in inputs]
    if isinstance(target, Layer | Sequential):
        return _check_network(target, *inputs, train=train, **options)
    if isinstance(target, Objective):
        return _check_objective(target, *inputs, **options)
    if isinstance(target, Regularizer):
        return _check_regularizer(target, *inputs, **options)
    if isinstance(target, GAN):
        return _check_game(target, *inputs, **options)
    raise TypeError(
        f"gradcheck: expected a Layer, Sequential, Objective, Regularizer or GAN, "
        f"got {type(target).__name__}"
    )


def _as_input(x):
    x = np.array(x, dtype=np.float64)
    if not np.isfinite(x).all():
        raise ValueError("gradcheck: the input holds values that are not finite")
    return x


def _check_network(target, x, *, rng, train, **options):
    network = _float64(target, x.shape[1:], rng)
    backend = network.backend
    x = backend.asarray(x)
    rewind = _rewinder(network)

    def forward():
        rewind()
        return network.forward(x, train=train)

    y, caches = forward()
    upstream = backend.asarray(rng.standard_normal(y.shape))
    network.zero_gradients()
    dx = network.backpropagate(upstream, caches)
    arrays = {"x": x, **network.named_parameters()}
    gradients = {"x": dx, **network.named_gradients()}
    return compare_gradients(
        lambda: (forward()[0] * upstream).sum(), arrays, gradients, rng=rng, **options
    )


def _float64(target, input_shape, rng):
    """A float64 copy of a network, or a network that holds a copy of one layer."""
    if isinstance(target, Sequential):
        return target.clone(dtype="float64")
    if target.network is not None:
        raise ValueError(f"{target!r} is part of a network: check the network, or a new layer")
    return Sequential([target.unbound()], input_shape, rng=rng, dtype="float64")


def _rewinder(*networks):
    """A function that sets networks back to now, so that every forward pass is the same one.

    Dropout draws its masks again, and `SpectralNorm` starts from the same vectors.
    """
    layers = [layer for network in networks for layer in network.layers]
    states = [layer.rng.bit_generator.state for layer in layers]
    buffers = [network.buffers.copy() for network in networks]

    def rewind():
        for layer, state in zip(layers, states, strict=True):
            layer.rng.bit_generator.state = state
        for network, kept in zip(networks, buffers, strict=True):
            network.buffers[...] = kept

    return rewind


def _check_objective(objective, real_logits, fake_logits, *, rng, **options):
    real_logits, fake_logits = map(objective.backend.asarray, (real_logits, fake_logits))
    _, d_real, d_fake = objective.discriminator(real_logits, fake_logits)
    report_d = compare_gradients(
        lambda: objective.discriminator(real_logits, fake_logits)[0],
        {"real_logits (D)": real_logits, "fake_logits (D)": fake_logits},
        {"real_logits (D)": d_real, "fake_logits (D)": d_fake},
        rng=rng,
        **options,
    )
    _, d_fake = objective.generator(fake_logits)
    report_g = compare_gradients(
        lambda: objective.generator(fake_logits)[0],
        {"fake_logits (G)": fake_logits},
        {"fake_logits (G)": d_fake},
        rng=rng,
        **options,
    )
    return GradientReport(report_d.rows + report_g.rows, report_d.tolerance)


def _check_game(gan, x, *, rng, **options):
    gan = gan.clone(dtype="float64")
    x = gan.asarray(x)
    z = gan.asarray(gan.latent.sample(len(x), rng))
    seed, rewind = int(rng.integers(1 << 31)), _rewinder(gan.generator, gan.discriminator)

    def figures(step):
        rewind()
        gan.rng = np.random.default_rng(seed)  # a penalty's random numbers: the same every time
        return step(x, z)

    rows = ()
    for player in ("discriminator", "generator"):
        network, step = getattr(gan, player), getattr(gan, f"{player}_gradients")
        figures(step)
        report = compare_gradients(
            lambda step=step, loss=f"{player}_loss": figures(step)[loss],
            {f"{player} {name}": w for name, w in network.named_parameters().items()},
            {f"{player} {name}": g.copy() for name, g in network.named_gradients().items()},
            rng=rng,
            **options,
        )
        rows += report.rows
    return GradientReport(rows, report.tolerance)


def _check_regularizer(regularizer, network, real, fake, *, rng, **options):
    network = network.clone(dtype="float64")
    real, fake = map(network.backend.asarray, (real, fake))
    seed, rewind = int(rng.integers(1 << 31)), _rewinder(network)

    def penalty():
        rewind()
        return regularizer.penalize(network, real, fake, np.random.default_rng(seed))

    network.zero_gradients()
    penalty()
    gradients = {name: g.copy() for name, g in network.named_gradients().items()}
    return compare_gradients(penalty, network.named_parameters(), gradients, rng=rng, **options)
