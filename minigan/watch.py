"""Whether training is still finite, asked without making a GPU wait for the answer.

Work for a GPU is only queued, and Python runs ahead of it. To read one number back is to wait until
everything queued before it is done, while nothing new is queued: a wait in every step would cost
more than the step's own arithmetic. So the question is asked on the device, and what depends on the
answer is done there too: `Watch.guard` queues the question and gives a flag, and an optimizer that
is handed this flag changes nothing where it is not set. Flags are chained: after the first that is
not set, none is. The host reads them later, all at once, and then reports the first that failed,
while the parameters still are what they were before it.

On the NumPy backend, later is at once: its `patience` is 1.
"""

from minigan.backend import get_backend
from minigan.divergence import TrainingDiverged

__all__ = ["Watch", "finite_on_host"]


class Watch:
    """The updates of one game that nobody has looked at yet."""

    def __init__(self, backend):
        self.backend = backend
        self._pending = []

    def guard(self, loss, norm, diverged):
        """A flag for an update: whether `loss` and `norm` are finite, and all before them were.

        diverged: a function that makes the error to raise if they are not. It is kept, with all
        that it refers to, until the host looks: after `backend.patience` updates.
        """
        before = self._pending[-1][0] if self._pending else None
        flag = self.backend.finite_guard(loss, norm, before)
        self._pending.append((flag, diverged))
        if len(self._pending) >= self.backend.patience:
            self.look()
        return flag

    def look(self):
        """Wait for the device; raise the error of the first update that was not finite, if any."""
        pending, self._pending = self._pending, []
        if pending:
            flags, errors = zip(*pending, strict=True)
            for fine, diverged in zip(self.backend.read_flags(flags), errors, strict=True):
                if not fine:
                    raise diverged()


def finite_on_host(batch, dtype, step, player, what):
    """A host array in that dtype, ready for a backend; TrainingDiverged if it is not finite.

    Looked at before it enters anything, as running statistics would remember it, and on the host,
    where it still is.
    """
    host = get_backend("numpy")
    batch = host.asarray(batch, dtype)
    if not host.is_finite(batch):
        raise TrainingDiverged(step, player, what)
    return batch
