"""Warnings about training that goes on but no longer leads anywhere.

NaN and infinity stop training (`finite.py`). The warnings here are for training whose numbers are
finite, but that cannot succeed any more. Every game has bad moments, so that each sign below must
hold over three looks in a row before there is a warning.
"""

import statistics
import warnings

from minigan.checks import check_integer
from minigan.finite import entry
from minigan.layers import Sequential

__all__ = ["TrainingWarning", "watched"]

LOOKS = 3  # in a row, before a warning
SAMPLES = 10  # records that are read between two looks: on a GPU, each must be waited for
WON = 0.01  # of the loss of a discriminator that cannot tell: below, it always can
SATURATED = 0.01  # of the derivative of the generator's loss at logit 0
VANISHED, EXPLODED = 1e-3, 1e4  # of a gradient's norm at the beginning


class TrainingWarning(RuntimeWarning):
    """Training goes on, but at least one player learns nothing any more."""


def watched(game, records, every=100, *, silent=False):
    """The `records` of `train(game, ...)`, unchanged; warns once of each of these signs.

    silent: look, but say nothing, as all of several ranks do but the first.

    Each warning names the entry of `demos/TROUBLE.md` that says what to do.

    Looks at the game every so many steps, and compares with the first so many:

    - saturation: D's loss is below 1 % of that of a D that cannot tell (if the objective has such
      a loss), and what is left for G to learn from has vanished: the derivative of G's loss at
      D's logits is below 1 % of that at logit 0, as by design in the minimax game, or the norm of
      G's gradient below 1/1000 of what it was, as where D is flat.
    - dead layers: the gradient of all parameters of a network's first layers is exactly zero, and
      that of a later layer is not. Some layer's units are off for every sample of the batch.
    - explosion: the norm of a player's gradient is above 10,000 times what it was.
    """
    watch = _Watch(game, check_integer("every", every, SAMPLES))
    for record in records:
        signs = list(watch.signs(record))
        for sign in () if silent else signs:
            warnings.warn(sign, TrainingWarning, stacklevel=2)
        yield record


class _Watch:
    def __init__(self, game, every):
        self.game, self.every = game, every
        self.networks = {n: p for n, p in game.parts().items() if isinstance(p, Sequential)}
        self.window, self.first, self.rounds, self.told = {}, None, {}, set()

    def signs(self, record):
        """The messages that are due after this record."""
        if record.step % (self.every // SAMPLES) == 0:
            for name in record.figures():
                self.window.setdefault(name, []).append(getattr(record, name))
        if record.step % self.every or not self.window:
            return
        now = {name: statistics.median(values) for name, values in self.window.items()}
        self.window = {}
        self.first = self.first or now
        found = dict([*self.saturation(now), *self.explosions(now), *self.dead_layers()])
        self.rounds = {sign: self.rounds.get(sign, 0) + 1 for sign in found}
        for sign, rounds in self.rounds.items():
            if rounds >= LOOKS and sign not in self.told:
                self.told.add(sign)
                yield f"step {record.step}: {found[sign]}"

    def saturation(self, now):
        objective = getattr(self.game, "objective", None)
        if objective is None or not {"discriminator_loss", "generator_gradient_norm"} <= set(now):
            return
        undecided, _ = objective.undecided_losses()
        if undecided <= 0 or now["discriminator_loss"] > WON * undecided:
            return
        pairs = ((now["fake_logit"], now["real_logit"]), (0.0, 0.0))
        logits = [[objective.backend.xp.full((1, 1), logit) for logit in pair] for pair in pairs]
        slopes = [abs(float(objective.generator(*pair)[1].sum())) for pair in logits]
        share = self.share(now, "generator_gradient_norm")
        if slopes[0] < SATURATED * slopes[1] or share < VANISHED:
            yield (
                "saturation",
                f"the discriminator is sure everywhere (loss {now['discriminator_loss']:.2g}, "
                f"{undecided:.2g} if it could not tell) and leaves the generator nothing to learn "
                f"from: the slope of its loss is {slopes[0]:.1g} ({slopes[1]:.1g} at logit 0), the "
                f"norm of its gradient {now['generator_gradient_norm']:.1g}"
                f"{entry('The loss of D is 0')}",
            )

    def explosions(self, now):
        for player in ("generator", "discriminator"):
            name = f"{player}_gradient_norm"
            if name in now and (share := self.share(now, name)) > EXPLODED:
                network = self.networks[player]
                gradients = network.named_gradients().items()
                norms = {n: float(network.backend.norm(g.reshape(-1))) for n, g in gradients}
                yield (
                    f"exploding {player}",
                    f"the gradient of the {player} explodes: its norm is {now[name]:.2g}, "
                    f"{share:.1g} times what it was, most of it in {max(norms, key=norms.get)}"
                    f"{entry('NaN')}",
                )

    def share(self, now, name):
        """A figure as a multiple of what it was; 1 where it was zero."""
        return now[name] / self.first[name] if self.first[name] else 1.0

    def dead_layers(self):
        for name, network in self.networks.items():
            gradients = network.named_gradients().items()
            alive = {_layer(n): False for n, _ in gradients}
            alive |= {_layer(n): True for n, gradient in gradients if (gradient != 0).any()}
            positions, first = list(alive), next((i for i in alive if alive[i]), None)
            if first is not None and first != positions[0]:
                last = positions[positions.index(first) - 1]
                yield (
                    f"dead {name}",
                    f"the {name} is dead up to layer {last} ({network.layers[last]!r}): the "
                    f"gradient of all its parameters so far is exactly zero"
                    f"{entry('Nothing changes')}",
                )


def _layer(name):
    """The position of the layer whose parameter has this name."""
    return int(name.partition(".")[0])
