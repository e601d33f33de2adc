"""`Game`: what all games share: batches in, samples out, and updates that are all or nothing."""

import copy
import math
import re

import numpy as np  # for what comes in, which is on the host

from minigan.checks import as_generator
from minigan.finite import DeviceWatch, NotFinite, TrainingDiverged, first_bad_gradient, set_back
from minigan.game_checks import as_samples, check_reach

__all__ = ["Game"]

#: Samples that are generated at once: bounds the memory of `sample`.
CHUNK = 1024


class Game:
    """Networks that are trained against each other, or one alone.

    A game names its `players`: attributes that are networks, each beside its optimizer
    (`generator` and `generator_optimizer`); and its `settings`: what else makes it this game and no
    other. What is saved, copied and compared is read from these lists, and from nowhere else.
    """

    players = ()
    settings = ("objective", "latent", "regularizer", "schedule")
    objective = latent = regularizer = average = None

    def __init__(self, rng, schedule):
        self.rng, self.schedule, self.steps = as_generator(rng), schedule, 0
        self.backend, self.dtype = self.networks[0].backend, self.networks[0].dtype
        self.watch = None if self.backend.patience == 1 else DeviceWatch(self.backend)
        for player in self.players:
            getattr(self, f"{player}_optimizer").guard = self.watch and self.watch.flag

    @property
    def networks(self):
        """The networks of all players."""
        return [getattr(self, player) for player in self.players]

    # Updates -----------------------------------------------------------------------------------

    def update(self, players, gradients, *inputs):
        """One update of the players by the gradients that `gradients(*inputs)` sets; its figures.

        All or nothing: if a loss, a gradient or a running statistic is not finite, or if anything
        is raised on the way, then no optimizer has stepped, and running statistics are what they
        were. Raises TrainingDiverged, naming the place where the first number was not finite (on a
        GPU later: see `finite.py`), and ValueError for a learning rate that is negative, NaN or ∞.
        """
        before = self.statistics()
        optimizers = [getattr(self, f"{player}_optimizer") for player in players]
        try:
            figures = gradients(*inputs)
            if self.backend.ranks is not None:
                figures = self.backend.ranks.average(self, players, figures)
            factor = self.schedule(self.steps)
            spread = sum(abs(net.buffers).sum() for net, _ in before if self.watch is None)
            for player, optimizer in zip(players, optimizers, strict=True):
                optimizer.rate(factor, f" of the {player} at step {self.steps + 1}")
                loss = figures.get(f"{player}_loss", figures.get("generator_loss"))
                norm = figures[f"{player}_gradient_norm"]
                if self.watch is not None:
                    self.watch.ask(self.steps + 1, player, loss, norm, before)
                elif not (math.isfinite(loss) and math.isfinite(norm + spread)):
                    set_back(before)
                    raise TrainingDiverged(self.steps + 1, player, self.first_bad(player, *inputs))
        except BaseException:
            set_back(before)
            raise
        for optimizer in optimizers:
            optimizer.step(factor)
        if self.watch is not None:
            self.watch.keep(before)
        return figures

    def statistics(self):
        """Each network that has running statistics, and a copy of them."""
        networks = (getattr(self, player) for player in self.players)
        return [(network, network.buffers.copy()) for network in networks if network.buffers.size]

    def first_bad(self, player, *inputs):
        """The place of the first number that is not finite: on the way forward, then backward."""
        try:
            self.walk(*inputs)
        except NotFinite as found:
            return str(found)
        place = first_bad_gradient(getattr(self, player), f"the {player}")
        return place or "the loss, the norm of the gradient or a running statistic"

    def walk(self, *inputs):
        """Make the forward passes of a step again, each by `finite.walk_through`."""

    # Batches, noise and samples ----------------------------------------------------------------

    def real(self, batch, shape=None, player=None, what="real samples"):
        """A host batch of samples (N, ...), checked here and once, on the networks' backend.

        shape: of a sample, by default the generator's. player: whose step it is. Raises ValueError
        or TypeError for what is no such batch, and TrainingDiverged for NaN and ∞, before any
        network has seen it.
        """
        if shape is None:
            shape, player = self.generator.output_shape, self.players[0]
            if self.steps == 0:
                check_reach(self.generator, batch, what)
        if type(batch) is not np.ndarray or batch.dtype != self.dtype or batch.shape[1:] != shape:
            batch = as_samples(batch, shape, self.dtype, what)
        if not np.isfinite(batch).all():
            raise TrainingDiverged(self.steps + 1, player, f"the batch of {what}")
        if self.backend.ranks is not None:  # on several, this one's rows
            batch = self.backend.ranks.rows(self, batch)
        return self.backend.asarray(batch)

    def noise(self, n):
        """n latent vectors from the training's generator, on the networks' backend."""
        ranks = self.backend.ranks
        z = self.latent.sample(n if ranks is None else n * ranks.size, self.rng)
        return self.backend.asarray(z if ranks is None else ranks.part(z), self.dtype)

    def asarray(self, x):
        """A host array on the networks' backend, in their dtype."""
        return self.backend.asarray(x, self.dtype)

    def sample(self, n, rng):
        """n samples as a host array (n, ...), from the averaged weights if there are any.

        Evaluation mode; the noise comes from `rng`, so training is not disturbed.
        """
        return self.generate(self.latent.sample(n, as_generator(rng)))

    def generate(self, z):
        """The samples for given latent vectors (n, dimension), like `sample`."""
        network = self.generator if self.average is None else self.average.network
        return self.in_chunks(lambda some: network(self.asarray(z[some])), len(z), network)

    def in_chunks(self, generate, n, network):
        """A host array of n outputs of `network`; generate(slice) gives those of a slice."""
        out = network.backend.xp.empty((n, *network.output_shape), network.dtype)
        for start in range(0, n, CHUNK):
            some = slice(start, start + CHUNK)
            out[some] = generate(some)
        return network.backend.to_numpy(out)

    # What a game consists of -------------------------------------------------------------------

    def parts(self):
        """name -> whatever training changes: what a checkpoint holds."""
        names = [*self.players, *(f"{player}_optimizer" for player in self.players)]
        parts = {name: getattr(self, name) for name in (*names, "average", "rng")}
        for name in self.settings:  # which usually remember nothing
            if hasattr(getattr(self, name), "restore"):
                parts[name] = getattr(self, name)
        return parts

    def description(self):
        """name -> text: what makes it this game; a checkpoint of another game is refused."""
        names = [*self.settings, *(f"{player}_optimizer" for player in self.players)]
        return {"game": type(self).__name__, **{n: as_text(getattr(self, n)) for n in names}}

    def clone(self, dtype=None, backend=None):
        """The same game on copies of its networks, say, in float64, to compute gradients with.

        The copy has no optimizers and no averaged weights, so it cannot train.
        """
        twin = copy.copy(self)
        for player in self.players:
            setattr(twin, player, getattr(self, player).clone(dtype, backend))
            setattr(twin, f"{player}_optimizer", None)
        for name in ("rng", "latent", "regularizer", "schedule"):
            setattr(twin, name, copy.deepcopy(getattr(self, name)))
        twin.average, twin.watch = None, None
        twin.backend, twin.dtype = twin.networks[0].backend, twin.networks[0].dtype
        return twin


def as_text(part):
    """A part of a game as text that is the same in every process: without its place in memory."""
    return re.sub(r" at 0x[0-9a-fA-F]+", "", repr(part))
