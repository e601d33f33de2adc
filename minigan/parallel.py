"""`ShardedGAN`: a step's gradients computed on parts of the batch at once, one thread each.

NumPy runs everything but matrix products on one core. Here each thread takes an equal shard of
the batch through both passes, with its products on one core too, and the shards' gradients are
averaged at the end: a mean over the batch is the mean of its shards' means.

The result is that of `GAN` up to rounding, batch norm included: its statistics are sums over the
batch, and the shards add up their sums where the layer needs them (`ShardBackend`). The shards
are added in a fixed order, so the same seed still gives the same bits. Worth it for images,
where elementwise work and copies are half of a step; not for small networks.
"""

import copy
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from threadpoolctl import ThreadpoolController

from minigan.backend import NumpyBackend
from minigan.checks import check_integer
from minigan.gan import GAN

__all__ = ["ShardedGAN"]


class ShardedGAN(GAN):
    """A `GAN` with `shards` threads; every batch size must be a multiple of `shards`.

    Takes the arguments of `GAN`, networks on the numpy backend.
    """

    def __init__(self, *args, shards=2, **kwargs):
        super().__init__(*args, **kwargs)
        if self.generator.backend.name != "numpy":
            raise ValueError(f"shards are for the numpy backend, not {self.generator.backend!r}")
        self.shards = check_integer("shards", shards, 1)
        self._team = _Team(self.shards)
        self._replicas = [self._replica(rank) for rank in range(self.shards)]
        self._threads = ThreadPoolExecutor(self.shards)
        self._blas = ThreadpoolController()

    def discriminator_gradients(self, x, z):
        """As `GAN.discriminator_gradients`, on all shards at once."""
        return self._on_shards("discriminator", x, z)

    def generator_gradients(self, x, z):
        """As `GAN.generator_gradients`, on all shards at once."""
        return self._on_shards("generator", x, z)

    def parts(self):
        """As `GAN.parts`, and what the shards have of their own."""
        return super().parts() | {"shards": _ShardStates(self, self._replicas)}

    def clone(self, dtype):
        """The same game, unsharded, on copies of both networks: see `GAN.clone`."""
        twin = super().clone(dtype)
        twin.__class__ = GAN
        return twin

    def _replica(self, rank):
        """What a shard has of its own: networks on this game's parameters, gradients, and rng."""
        backend, shared = ShardBackend(self._team, rank), rank == 0
        return {
            "generator": self.generator.replica(backend, shared_buffers=shared),
            "discriminator": self.discriminator.replica(backend, shared_buffers=shared),
            "rng": self.rng.spawn(1)[0],
        }

    def _on_shards(self, player, x, z):
        replicas = self._replicas
        parts = zip(replicas, self._split(x, "samples"), self._split(z, "noise"), strict=True)
        with self._blas.limit(limits=1, user_api="blas"):
            jobs = [self._threads.submit(self._guarded, player, *part) for part in parts]
            results = [job.exception() or job.result() for job in jobs]
        self._team.raise_first(results)
        network = getattr(self, player)
        total = network.gradients
        np.copyto(total, replicas[0][player].gradients)
        for replica in replicas[1:]:
            total += replica[player].gradients
        total /= self.shards
        figures = {name: sum(r[name] for r in results) / self.shards for name in results[0]}
        return figures | {f"{player}_gradient_norm": network.backend.norm(total)}

    def _guarded(self, player, replica, x, z):
        """One shard's step of `GAN`, with this game's settings as they are now."""
        try:
            game = copy.copy(self)
            game.__dict__.update(replica)
            return getattr(GAN, f"{player}_gradients")(game, x, z)
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


class _ShardStates:
    """The shards' part of a checkpoint: the generators of their noise; all else is the game's."""

    def __init__(self, game, replicas):
        self.game, self.replicas = game, replicas

    def state(self):
        return {"generators": [rng.bit_generator.state for rng in self._generators()]}

    def restore(self, state):
        for rng, of_rng in zip(self._generators(), state["generators"], strict=True):
            rng.bit_generator.state = of_rng
        for replica in self.replicas:
            for player in ("generator", "discriminator"):
                replica[player].buffers[...] = getattr(self.game, player).buffers

    def _generators(self):
        for replica in self.replicas:
            yield replica["rng"]
            for player in ("generator", "discriminator"):
                yield from (layer.rng for layer in replica[player].layers)


class ShardBackend(NumpyBackend):
    """The NumPy backend of one shard: sums over the batch are sums over all shards."""

    def __init__(self, team, rank):
        super().__init__()
        self.team, self.rank = team, rank

    def batch_total(self, local):
        return self.team.sum(self.rank, local)


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
