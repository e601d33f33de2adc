"""`ShardedGAN`: a step's gradients computed on parts of the batch at once, one thread each.

NumPy runs everything but matrix products on one core. Here each thread takes an equal shard of
the batch through both passes, with its products on one core too, and the shards' gradients are
averaged at the end: a mean over the batch is the mean of its shards' means.

The result is that of `GAN` up to rounding, batch norm included: its statistics are sums over the
batch, and the shards add up their sums where the layer needs them (`ShardBackend`). The shards
are added in a fixed order, so the same seed still gives the same bits. Worth it for images,
where elementwise work and copies are half of a step; not for small networks.
"""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context

from threadpoolctl import ThreadpoolController

from minigan.backend import NumpyBackend
from minigan.checks import check_integer
from minigan.gan import GAN, norm

__all__ = ["ShardedGAN"]


class ShardedGAN(GAN):
    """A `GAN` with `shards` threads; every batch size must be a multiple of `shards`.

    Takes the arguments of `GAN`, networks on the numpy backend. Each shard is a game of its own, on
    copies of both networks, which take this game's numbers before every step.
    """

    settings = (*GAN.settings, "shards")

    def __init__(self, *args, shards=2, **kwargs):
        super().__init__(*args, **kwargs)
        if self.generator.backend.name != "numpy":
            raise ValueError(f"shards are for the numpy backend, not {self.generator.backend!r}")
        self.shards = check_integer("shards", shards, 1)
        self._team = _Team(self.shards)
        self._games = [self._shard(rank) for rank in range(self.shards)]
        self._threads = ThreadPoolExecutor(self.shards)
        self._blas = ThreadpoolController()

    def discriminator_gradients(self, x, z):
        """As `GAN.discriminator_gradients`, on all shards at once."""
        if self._games is None:  # a shard itself, or a clone
            return super().discriminator_gradients(x, z)
        return self._on_shards("discriminator", x, z)

    def generator_gradients(self, x, z):
        """As `GAN.generator_gradients`, on all shards at once."""
        if self._games is None:
            return super().generator_gradients(x, z)
        return self._on_shards("generator", x, z)

    def parts(self):
        """As `GAN.parts`, and the random generators of the shards."""
        return super().parts() | {"shards": _ShardGenerators(self._games)}

    def clone(self, dtype=None, backend=None):
        """The same game, unsharded, on copies of both networks: see `Game.clone`."""
        twin = super().clone(dtype, backend)
        twin._games = None
        return twin

    def _shard(self, rank):
        """This game on copies of both networks, with random generators of their own."""
        shard = self.clone(backend=ShardBackend(self._team, rank))
        shard.rng = self.rng.spawn(1)[0]
        for network, copied in zip(self.networks, shard.networks, strict=True):
            layers = network.all_layers.values()
            for layer, twin in zip(layers, copied.all_layers.values(), strict=True):
                twin.rng = layer.rng.spawn(1)[0]
        return shard

    def _on_shards(self, player, x, z):
        parts = zip(self._games, self._split(x, "samples"), self._split(z, "noise"), strict=True)
        with self._blas.limit(limits=1, user_api="blas"):
            jobs = [
                # in the caller's context: what NumPy is to say of an overflow is part of it
                self._threads.submit(copy_context().run, self._guarded, player, *part)
                for part in parts
            ]
            results = [job.exception() or job.result() for job in jobs]
        self._team.raise_first(results)
        network, *shards = (getattr(game, player) for game in (self, *self._games))
        network.gradients = sum(shard.gradients for shard in shards) / self.shards
        for mine, of_first in zip(self.networks, self._games[0].networks, strict=True):
            mine.buffers = of_first.buffers
        figures = {name: sum(r[name] for r in results) / self.shards for name in results[0]}
        return figures | {f"{player}_gradient_norm": norm(network.gradients)}

    def _guarded(self, player, shard, x, z):
        """One shard's gradients, with this game's numbers and settings as they are now."""
        try:
            for mine, copied in zip(self.networks, shard.networks, strict=True):
                copied.parameters, copied.buffers = mine.parameters, mine.buffers
            shard.steps, shard.objective = self.steps, self.objective
            shard.regularizer = self.regularizer
            return getattr(shard, f"{player}_gradients")(x, z)
        except BaseException:
            self._team.barrier.abort()  # whoever waits for this shard must not wait for ever
            raise

    def _split(self, array, what):
        n, rest = divmod(len(array), self.shards)
        if rest:
            raise ValueError(
                f"{what}: a batch of {len(array)} cannot be cut into {self.shards} equal shards"
            )
        return [array[i * n : (i + 1) * n] for i in range(self.shards)]


class _ShardGenerators:
    """The shards' part of a checkpoint: the generators of their noise; all else is the game's."""

    def __init__(self, games):
        self.games = games

    def state(self):
        return {"generators": [rng.bit_generator.state for rng in self._generators()]}

    def restore(self, state):
        for rng, of_rng in zip(self._generators(), state["generators"], strict=True):
            rng.bit_generator.state = of_rng

    def _generators(self):
        for game in self.games:
            yield game.rng
            for network in game.networks:
                yield from (layer.rng for layer in network.all_layers.values())


class ShardBackend(NumpyBackend):
    """The NumPy backend of one shard: sums over the batch are sums over all shards."""

    def __init__(self, team, rank):
        super().__init__()
        self.team, self.rank = team, rank

    def batch_total(self, part):
        return self.team.sum(self.rank, part)


class _Team:
    """Threads that add up arrays: each brings its own and leaves with the sum."""

    def __init__(self, size):
        self.barrier = threading.Barrier(size)
        self.slots = [None] * size

    def sum(self, rank, array):
        """The sum of all ranks' arrays, in the order of ranks."""
        self.slots[rank] = array
        self.barrier.wait()  # all arrays are there
        total = sum(self.slots[1:], start=self.slots[0])
        self.barrier.wait()  # all sums are made: the slots may be written again
        return total

    def raise_first(self, results):
        """Raise the error that a shard ended with, if any; not the ones that it caused."""
        errors = [r for r in results if isinstance(r, BaseException)]
        if errors:
            self.barrier.reset()
            own = [e for e in errors if not isinstance(e, threading.BrokenBarrierError)]
            raise own[0] if own else errors[0]
