"""`Ranks`: processes that train one game together, each on its part of every batch.

    mpiexec -n 4 python program.py          # four processes, "ranks", on one machine or on many
    backend = on_ranks("numpy")             # in the program: for the networks, and that is all

A mean over the batch is the mean of its parts' means, and so is its gradient. That is all there is
to it: each rank computes the gradient of its part, one sum adds up the flat vectors, and every rank
takes the same step. So n ranks with N / n samples each are one process with N, up to rounding.

    g = 1/n Σ_r g_r                         one sum of one vector: `Ranks.average`

Three things must not be forgotten. What a layer takes over the batch is over the whole batch: its
sums are `backend.batch_total`, as in batch norm. Random numbers are drawn for the whole batch, of
which each rank keeps its part: each draws from the same generators, and so they stay equal. And
the update itself is work for all: see `Ranks.share`.

The sums are MPI's (mpi4py): the same ranks and the same seed give the same bits. A rank that ends
early says so, and the others end, too. A clone is outside: it adds nothing up. On a GPU (one rank
per GPU) vectors go through the host; this has not yet run on one.
"""

import atexit
import os
import sys
import time
import zlib

import numpy as np
from threadpoolctl import threadpool_info, threadpool_limits

from minigan.backend import get_backend

__all__ = ["Ranks", "RanksError", "on_ranks"]

#: Set by a launcher: of MPICH, Intel MPI and Slurm, of PMIx, of Open MPI.
LAUNCHED = ("PMI_RANK", "PMIX_RANK", "OMPI_COMM_WORLD_RANK")

#: Numbers that are added up while waiting politely; more are worth all of the core.
SMALL = 4096

#: Seconds to wait without sleeping: then the core is worth more to others than to this rank.
SHORT = 1e-4

#: Bytes of a message from rank to rank.
LINE = 1000

#: Seconds that a rank gives the others to notice that one has ended.
GRACE = 2.0


class RanksError(RuntimeError):
    """The ranks cannot go on together: one has ended, they are not equal, a batch has no parts."""


def on_ranks(backend="auto"):
    """The backend for one of several ranks, if a launcher has started several; else as it is.

    On GPUs, each rank of a machine takes one. Raises RanksError without mpi4py.
    """
    backend = get_backend(backend)
    if not any(name in os.environ for name in LAUNCHED):
        return backend
    ranks = Ranks()
    if backend.name == "cupy":
        backend.xp.cuda.Device(ranks.neighbour % backend.xp.cuda.runtime.getDeviceCount()).use()
    return backend.with_ranks(ranks) if ranks.size > 1 else backend


class Ranks:
    """One rank among `size`, number `rank`, and what it does together with the others.

    Whatever is said here to be done together waits until all ranks do it, in the same order. comm:
    an mpi4py communicator, by default of all processes. share_from: networks of at least so many
    parameters share the update (`share`). On one machine, ranks divide the cores for NumPy's
    products among them.
    """

    def __init__(self, comm=None, *, share_from=1 << 16):
        try:
            from mpi4py import MPI
        except ImportError:
            raise RanksError("several ranks need mpi4py: pip install 'minigan[mpi]'") from None
        self.MPI, comm = MPI, MPI.COMM_WORLD if comm is None else comm
        self.comm, self._door = comm.Dup(), comm.Dup()
        self.rank, self.size, self.share_from = comm.rank, comm.size, share_from
        machine = comm.Split_type(MPI.COMM_TYPE_SHARED)
        self.neighbour = machine.rank
        cores = max(1, (os.cpu_count() or 1) // machine.size)
        if any(blas["num_threads"] > cores for blas in threadpool_info()):
            threadpool_limits(cores)
        self._compared, self._failed = None, False
        atexit.register(self._leave)

    def __deepcopy__(self, memo):
        return self

    # The batch: parts and sums --------------------------------------------------------------------

    def part(self, whole):
        """This rank's rows of a whole batch (N, ...), which all ranks have: (N / n, ...).

        Raises RanksError if n does not divide N.
        """
        count, rest = divmod(len(whole), self.size)
        if rest:
            raise RanksError(
                f"batch: expected a multiple of {self.size}, the number of ranks, got {len(whole)}"
            )
        return whole[self.rank * count : (self.rank + 1) * count]

    def total(self, part):
        """The sum of all ranks' arrays, the same bits on all. All counts are equal: times n."""
        if isinstance(part, int):
            return part * self.size
        part = np.asarray(part, order="C")
        return self._sum(part, np.empty_like(part))[()]

    def gather(self, part):
        """The whole batch (N, ...) from all ranks' parts (N / n, ...)."""
        part = np.ascontiguousarray(part)
        whole = np.empty((self.size * len(part), *part.shape[1:]), part.dtype)
        self._meet()
        self.comm.Allgather(part, whole)
        return whole

    def _sum(self, part, total):
        if part.size <= SMALL:
            self._wait(self.comm.Iallreduce(part, total))
        else:
            self._meet()
            self.comm.Allreduce(part, total)
        return total

    # The update -----------------------------------------------------------------------------------

    def average(self, game, players, figures):
        """Set the gradients of players, and return the figures, of the whole batch.

        Both are means of the parts' own; but a norm is that of the mean gradient.
        """
        norms = [f"{player}_gradient_norm" for player in players]
        for player, norm in zip(players, norms, strict=True):
            figures[norm] = self._average_gradients(getattr(game, player))
        means = self.total(np.array([float(value) for value in figures.values()])) / self.size
        means[[name in norms for name in figures]] **= 0.5
        return dict(zip(figures, game.backend.asarray(means, game.dtype), strict=True))

    def _average_gradients(self, network):
        """g = 1/n Σ g_r, or this rank's share of it; and a number whose mean over ranks is ‖g‖²."""
        gradients, mine = network.gradients, self.share(network.gradients.size)
        part = network.backend.to_numpy(gradients)
        if mine == slice(None):
            total = self._sum(part, np.empty_like(part))
        else:
            total = np.empty(mine.stop - mine.start, part.dtype)
            self._meet()
            self.comm.Reduce_scatter(part, total, self._counts(part.size))
        g = gradients[mine]
        network.backend.xp.multiply(network.backend.asarray(total), 1 / self.size, out=g)
        return g.dot(g) * (1 if mine == slice(None) else self.size)

    def share(self, size):
        """The slice of a network's vectors that this rank updates: a share, or all of a small one.

        If every rank updated all parameters, all would do the same work. So each adds up its share
        of the gradient alone (Reduce_scatter), updates that share, and hands it round (Allgather):
        together no more to send than one Allreduce, and 1/n of the optimizer's work and memory
        (ZeRO, stage 1: Rajbhandari et al. 2020, arXiv:1910.02054). For small networks, one sum more
        takes longer than the update.
        """
        if size < self.share_from:
            return slice(None)
        return slice(size * self.rank // self.size, size * (self.rank + 1) // self.size)

    def hand_round(self, vector, backend):
        """Give all ranks this rank's share of a vector, and take theirs."""
        if self.share(vector.size) != slice(None):
            joined = self.joined(backend.to_numpy(vector), vector.size)
            if joined is not vector:
                vector[...] = backend.asarray(joined)

    def joined(self, vector, size):
        """A host vector of that size from the ranks' shares, of which `vector` holds this one's."""
        mine = self.share(size)
        if mine == slice(None):
            return vector
        joined = vector if vector.size == size else np.empty(size, vector.dtype)
        if joined is not vector:
            joined[mine] = vector
        self._meet()
        self.comm.Allgatherv(self.MPI.IN_PLACE, [joined, self._counts(size)])
        return joined

    def _counts(self, size):
        ends = [size * rank // self.size for rank in range(self.size + 1)]
        return np.diff(ends).tolist()

    # Agreement ------------------------------------------------------------------------------------

    def rows(self, game, batch):
        """`part`, of a game's batch; the first time, the ranks compare games and batches."""
        if self._compared is not game:
            self.compare(game)
            self.agree("the first batch", batch)
            self._compared = game
        return self.part(batch)

    def compare(self, game):
        """Raise RanksError, on all ranks, unless all have the same game, with the same numbers."""
        for name, text in game.description().items():
            self.agree(name, text)
        self.agree("the number of steps", game.steps)
        for name, part in game.parts().items():
            if isinstance(part, np.random.Generator):
                self.agree(name, part.bit_generator.state)
            elif hasattr(part, "state") and callable(part.state):  # not an optimizer's share
                self.agree(name, part.state())

    def agree(self, name, value):
        """Raise RanksError, on all ranks with one message, unless all bring the same value."""
        told = f" {value!r}"[:150] if isinstance(value, (str, int)) else ""
        text = f"{checksum(value):08x}{name}{told}".encode()[:LINE].ljust(LINE)
        everybody = np.empty((self.size, LINE), "u1")
        self._wait(self.comm.Iallgather(np.frombuffer(text, "u1"), everybody))
        first, *others = (row.tobytes().decode(errors="replace").rstrip() for row in everybody)
        for rank, theirs in enumerate(others, 1):
            if theirs != first:
                raise RanksError(
                    f"ranks differ: {first[8:]} on rank 0, "
                    f"{'another' if theirs[8:] == first[8:] else theirs[8:]} on rank {rank}"
                )

    def largest(self, number):
        """The largest of the ranks' integers."""
        found = np.empty(1, int)
        self._wait(self.comm.Iallreduce(np.array([int(number)]), found, self.MPI.MAX))
        return int(found[0])

    def on_first(self, action):
        """What `action()` returns on rank 0, where alone it is done; its error is raised on all."""
        outcome = None
        if self.rank == 0:
            try:
                outcome = action(), None
            except Exception as error:
                outcome = None, error
        self._meet()
        result, error = self.comm.bcast(outcome)
        if error is not None:
            raise error
        return result

    # Waiting, and the end -------------------------------------------------------------------------

    def _meet(self):
        """Wait until all ranks are here."""
        self._wait(self.comm.Ibarrier())

    def _wait(self, request):
        """Wait for the others, leaving the core to them; RanksError if one of them has ended."""
        began, gone = time.monotonic(), None
        while not request.Test():
            waited = time.monotonic() - began
            if waited < SHORT:
                give_way()
                continue
            time.sleep(SHORT)
            if gone is None and self._door.Iprobe():
                gone = waited
            elif gone is not None and waited > gone + GRACE / 2:  # it has not been just too quick
                self._failed = True
                raise RanksError(f"rank {self.rank} ends, as {self._news()}")

    def _news(self):
        """What a rank that has ended said at the door."""
        status, text = self.MPI.Status(), bytearray(LINE)
        self._door.Recv([text, self.MPI.BYTE], status=status)
        return f"rank {status.source} has ended: {text.rstrip(bytes(1)).decode(errors='replace')}"

    def _leave(self):
        """At the end of the program: tell the others and wait for them; after an error, end all."""
        error = getattr(sys, "last_value", None)
        news = "without an error" if error is None else f"{type(error).__name__}: {error}"
        others = [rank for rank in range(self.size) if rank != self.rank]
        farewells = [self._door.Isend(news.encode()[:LINE], rank) for rank in others]
        began, hurry = time.monotonic(), self._failed or error is not None
        while others and not (hurry and time.monotonic() - began > GRACE):
            time.sleep(0.01)  # the first rank may still draw pictures
            others = [rank for rank in others if not self._door.Iprobe(rank)]
        if others or self._failed:  # somebody is waiting for what will never come
            self.comm.Abort(1)
        self.MPI.Request.Waitall(farewells)


def checksum(value):
    """One number (CRC-32) for arrays, text and numbers, in dicts, lists and tuples."""
    if isinstance(value, np.ndarray):
        return zlib.crc32(np.ascontiguousarray(value), zlib.crc32(str(value.dtype).encode()))
    if isinstance(value, dict):
        value = list(value.items())
    if isinstance(value, (list, tuple)):
        return zlib.crc32(b"".join(b"%d," % checksum(item) for item in value))
    return zlib.crc32(repr(value).encode())


def give_way():
    """Let another process of this core run, if there is one."""
    getattr(os, "sched_yield", time.monotonic)()
