"""`gradcheck`: every gradient of a layer, a network, an objective, a penalty or a whole game.

For a layer, L = Σ y·R with fixed random R: its gradient with respect to y is R, so that the
backward pass for dy = R must give dL/dx; a constant R, such as all ones, would let many errors
pass. How a numerical gradient is made, and when it can be trusted: `numerical.py`. The rules that
a layer keeps beside: `contracts.py`.

`print(gradcheck(network, x))` shows a table. Nothing that is passed in is changed.
"""

from dataclasses import replace

import numpy as np

from minigan.checks import as_generator
from minigan.diagnosis.contracts import broken_rules
from minigan.diagnosis.numerical import GradientReport, GradientRow, compare_gradients
from minigan.game import Game
from minigan.layers import Layer, Sequential
from minigan.objectives import Objective
from minigan.regularizers import Regularizer

__all__ = ["GradientReport", "GradientRow", "compare_gradients", "gradcheck"]


def gradcheck(target, *inputs, rng=0, train=True, tolerance=1e-6, max_entries=64, directions=3):
    """Check every gradient of `target`, which decides what `inputs` are:

    Layer or Sequential   x (N, ...): dx and the gradient of every parameter, for a random
                          upstream gradient; `train` chooses the mode
    Objective             real_logits, fake_logits (N, 1): both players' losses
    Regularizer           discriminator, real, fake (N, ...): the gradient of its penalty
    a game                a batch: x (N, ...) for a GAN, x and labels for a ConditionalGAN, a and b
                          for a CycleGAN, x and fakes for a CriticGame: the complete step of each
                          player, in a GAN the generator's gradients through the discriminator

    Inputs are converted to float64, and networks are checked as float64 copies. Returns a
    GradientReport. `rng` (a generator or a seed) draws the upstream gradient, the noise and the
    entries to check. Raises TypeError for other targets, ValueError for inputs that do not fit.

    A `SpectralNorm` layer's gradient in training mode is exact only once its power iteration has
    converged (its docstring says why): let it see some hundred batches first, or take train=False.
    """
    # a stream of its own: seeded like the input, the upstream gradient would equal the input
    rng = as_generator(rng).spawn(1)[0]
    options = {"rng": rng, "tolerance": tolerance, "max_entries": max_entries}
    options["directions"] = directions
    inputs = [x if isinstance(x, Sequential) or _is_labels(x) else _as_input(x) for x in inputs]
    if isinstance(target, Layer | Sequential):
        return _check_network(target, *inputs, train=train, **options)
    if isinstance(target, Objective):
        return _check_objective(target, *inputs, **options)
    if isinstance(target, Regularizer):
        return _check_regularizer(target, *inputs, **options)
    if isinstance(target, Game):
        return _check_game(target, *inputs, **options)
    raise TypeError(
        f"gradcheck: expected a Layer, Sequential, Objective, Regularizer or game, "
        f"got {type(target).__name__}"
    )


def _is_labels(x):
    return np.asarray(x).dtype.kind in "iu" and np.ndim(x) == 1


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

    broken = broken_rules(network, x, train, rng.spawn(1)[0], rewind)
    y, caches = forward()
    upstream = backend.asarray(rng.standard_normal(y.shape))
    network.zero_gradients()
    network.add_gradients(upstream, caches)
    arrays = {"x": x, **network.named_parameters()}
    gradients = {"x": network.backward(upstream, caches), **network.named_gradients()}
    report = compare_gradients(
        lambda: (forward()[0] * upstream).sum(),
        arrays,
        gradients,
        rng=rng,
        backend=backend,
        **options,
    )
    return replace(report, broken=tuple(broken))


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
        backend=objective.backend,
        **options,
    )
    _, d_fake = objective.generator(fake_logits)
    report_g = compare_gradients(
        lambda: objective.generator(fake_logits)[0],
        {"fake_logits (G)": fake_logits},
        {"fake_logits (G)": d_fake},
        rng=rng,
        backend=objective.backend,
        **options,
    )
    return GradientReport(report_d.rows + report_g.rows, report_d.tolerance)


def _check_game(game, *batch, rng, **options):
    """Each player's complete step: its gradients, and that no other player's are touched."""
    twin = game.clone(dtype="float64")
    steps = twin.gradient_steps(*batch, rng=rng.spawn(1)[0])
    seed, rewind = int(rng.integers(1 << 31)), _rewinder(*twin.networks)

    def figures(step):
        rewind()
        twin.rng = np.random.default_rng(seed)  # a penalty's random numbers: the same every time
        return step()

    rows, broken = (), []
    for step, losses in steps:
        for network in twin.networks:
            network.gradients[...] = 1  # what a step must overwrite, or not touch
        figures(step)
        for player in twin.players:
            if player not in losses and (getattr(twin, player).gradients != 1).any():
                broken.append(f"the step of {', '.join(losses)} changes gradients of the {player}")
        found = {player: _named_gradients(twin, player) for player in losses}
        for player, loss in losses.items():
            report = compare_gradients(
                lambda step=step, loss=loss: figures(step)[loss],
                {f"{player} {n}": w for n, w in getattr(twin, player).named_parameters().items()},
                found[player],
                rng=rng,
                backend=twin.backend,
                **options,
            )
            rows += report.rows
    return GradientReport(rows, report.tolerance, tuple(broken))


def _named_gradients(game, player):
    return {f"{player} {n}": g.copy() for n, g in getattr(game, player).named_gradients().items()}


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
    options["backend"] = network.backend
    return compare_gradients(penalty, network.named_parameters(), gradients, rng=rng, **options)
