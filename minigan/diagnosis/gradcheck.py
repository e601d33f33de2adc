"""`gradcheck`: every gradient of a layer, a network, an objective, a penalty or a whole game.

For a layer, L = Σ y·R with fixed random R: its gradient with respect to y is R, so that the
backward pass for dy = R must give dL/dx; a constant R, such as all ones, would let many errors
pass. How a numerical gradient is made, and when it can be trusted: `numerical.py`. The rules that
a layer keeps beside: `contracts.py`.

`print(gradcheck(network, x))` shows a table, and below it what a wrong gradient's numbers tell of
the mistake (`mistakes.py`). Nothing that is passed in is changed.
"""

import copy
from dataclasses import replace

import numpy as np

from minigan.checks import as_generator
from minigan.diagnosis.contracts import broken_rules, differ
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
    options = {"rng": as_generator(rng).spawn(1)[0], "tolerance": tolerance}
    options |= {"max_entries": max_entries, "directions": directions}
    inputs = [x if isinstance(x, Sequential) or _is_labels(x) else _as_input(x) for x in inputs]
    before = copy.deepcopy(inputs)
    if isinstance(target, Layer | Sequential):
        report = _check_network(target, *inputs, train=train, **options)
    elif isinstance(target, Objective):
        report = _check_objective(copy.deepcopy(target), *inputs, **options)
    elif isinstance(target, Regularizer):
        report = _check_regularizer(copy.deepcopy(target), *inputs, **options)
    elif isinstance(target, Game):
        report = _check_game(target.clone(dtype="float64"), *inputs, **options)
    else:
        raise TypeError(
            f"gradcheck: expected a Layer, Sequential, Objective, Regularizer or game, "
            f"got {type(target).__name__}"
        )
    written = [
        f"input {i} is written to"
        for i, (x, kept) in enumerate(zip(inputs, before, strict=True))
        if isinstance(x, np.ndarray) and differ(x, kept)
    ]
    return replace(report, broken=(*report.broken, *written))


def _is_labels(x):
    return np.asarray(x).dtype.kind in "iu" and np.ndim(x) == 1


def _as_input(x):
    x = np.array(x, dtype=np.float64)
    if not np.isfinite(x).all():
        raise ValueError("gradcheck: the input holds values that are not finite")
    return x


def _check_network(target, x, *, rng, train, **options):
    network = _float64(target, x.shape[1:], rng)
    backend, rewind = network.backend, _rewinder([network])
    x = backend.asarray(x)

    def forward():
        rewind()
        return network.forward(x, train=train)

    def numbers():
        y, caches = forward()
        upstream = backend.asarray(rng.standard_normal(y.shape))
        network.zero_gradients()
        network.add_gradients(upstream, caches)
        return compare_gradients(
            lambda: (forward()[0] * upstream).sum(),
            {"x": x, **network.named_parameters()},
            {"x": network.backward(upstream, caches), **network.named_gradients()},
            rng=rng, backend=backend, batch=len(x), **options,
        )  # fmt: skip

    return _with(broken_rules(network, x, train, rng, rewind), numbers, options["tolerance"])


def _with(broken, numbers, tolerance):
    """The report of `numbers`, and the rules that are broken; that alone, where it raises an error.

    For whoever writes to what another pass needs may meet an array that is read-only.
    """
    try:
        report = numbers()
    except ValueError:
        if not broken:
            raise
        report = GradientReport((), tolerance)
    return replace(report, broken=(*broken, *report.broken))


def _float64(target, input_shape, rng):
    """A float64 copy of a network, or a network that holds a copy of one layer."""
    if isinstance(target, Sequential):
        return target.clone(dtype="float64")
    if target.network is not None:
        raise ValueError(f"{target!r} is part of a network: check the network, or a new layer")
    return Sequential([copy.deepcopy(target)], input_shape, rng=rng, dtype="float64")


def _rewinder(networks, *generators):
    """A function that sets all of them back to now, so that every forward pass is the same one.

    Dropout draws its masks again, and `SpectralNorm` starts from the same vectors.
    """
    generators += tuple(part.rng for network in networks for part in network.all_layers.values())
    states = [generator.bit_generator.state for generator in generators]
    buffers = [network.buffers.copy() for network in networks]

    def rewind():
        for generator, state in zip(generators, states, strict=True):
            generator.bit_generator.state = state
        for network, kept in zip(networks, buffers, strict=True):
            network.buffers[...] = kept

    return rewind


def _check_objective(objective, real_logits, fake_logits, **options):
    r, f = map(objective.backend.asarray, (real_logits, fake_logits))
    options |= {"backend": objective.backend, "batch": len(f)}
    _, d_real, d_fake = objective.discriminator(r, f)
    report = compare_gradients(
        lambda: objective.discriminator(r, f)[0],
        {"real_logits (D)": r, "fake_logits (D)": f},
        {"real_logits (D)": d_real, "fake_logits (D)": d_fake},
        **options,
    )
    name, (_, d_fake) = "fake_logits (G)", objective.generator(f, r)
    of_generator = compare_gradients(
        lambda: objective.generator(f, r)[0], {name: f}, {name: d_fake}, **options
    )
    return report + of_generator


def _check_regularizer(regularizer, network, real, fake, *, rng, **options):
    network, drawn = network.clone(dtype="float64"), np.random.default_rng(rng.integers(1 << 31))
    rewind, backend = _rewinder([network], drawn), network.backend
    real, fake = map(backend.asarray, (real, fake))

    def penalty():
        rewind()
        return regularizer.penalize(network, real, fake, drawn)

    network.zero_gradients()
    penalty()
    gradients, once = _named_gradients(network, ""), network.gradients.copy()
    penalty()
    adds = not differ(network.gradients - once, once)
    arrays, options = network.named_parameters(), options | {"rng": rng, "batch": len(real)}
    report = compare_gradients(penalty, arrays, gradients, backend=backend, **options)
    return replace(report, broken=() if adds else ("the penalty does not add to the gradients",))


def _check_game(game, *batch, rng, **options):
    """Each player's complete step: its gradients, and that no other player's are touched."""
    steps = game.gradient_steps(*batch, rng=rng.spawn(1)[0])
    rewind, broken = _rewinder(game.networks, game.rng), []
    for player in game.players:
        network = getattr(game, player)
        x = game.asarray(rng.standard_normal((len(batch[0]), *network.input_shape)))
        found = broken_rules(network, x, True, rng, rewind)
        broken += [f"{player}, {sentence}" for sentence in found]

    def figures(step):
        rewind()
        return step()

    def numbers():
        report, touched = GradientReport((), options["tolerance"]), []
        for step, losses in steps:
            for network in game.networks:
                network.gradients[...] = 1  # what a step must overwrite, or not touch
            figures(step)
            touched += [
                f"the step of {', '.join(losses)} changes gradients of the {player}"
                for player in game.players
                if player not in losses and (getattr(game, player).gradients != 1).any()
            ]
            found = {name: _named_gradients(getattr(game, name), f"{name} ") for name in losses}
            for player, loss in losses.items():
                arrays = getattr(game, player).named_parameters()
                report += compare_gradients(
                    lambda step=step, loss=loss: figures(step)[loss],
                    {f"{player} {name}": w for name, w in arrays.items()},
                    found[player],
                    rng=rng, backend=game.backend, batch=len(batch[0]), **options,
                )  # fmt: skip
        return replace(report, broken=tuple(touched))

    return _with(broken, numbers, options["tolerance"])


def _named_gradients(network, prefix):
    return {prefix + name: g.copy() for name, g in network.named_gradients().items()}
