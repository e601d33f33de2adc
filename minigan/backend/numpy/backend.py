"""`NumpyBackend`: arrays on the CPU."""

from functools import cache

import numpy as np

from minigan.backend.numpy.forms import FORMS
from minigan.backend.numpy.memory import keep_freed_memory
from minigan.backend.philox import normal, uniform

__all__ = ["NumpyBackend"]


class NumpyBackend:
    """name: "numpy", with the faster forms, or "reference", without any. ranks: see `ranks.py`."""

    xp = np
    #: After how many updates `finite.py` looks whether training is still finite: every one.
    patience = 1
    #: No form of two neighbours.
    pairs = {}  # noqa: RUF012  (never written to)

    def __init__(self, name="numpy", ranks=None):
        self.name, self.ranks = name, ranks
        self.forms = FORMS if name == "numpy" else {}
        if self.forms:
            _keep_freed_memory_once()

    def __repr__(self):
        return f"NumpyBackend({self.name!r})"

    def __deepcopy__(self, memo):
        return self  # it stands for the CPU, of which there is no copy

    def __reduce__(self):
        from minigan.backend import get_backend  # the same object again, wherever it is unpickled

        return get_backend, (self.name,)

    def asarray(self, x, dtype=None):
        """`x` as an array of this backend (copied only if it must be)."""
        return np.asarray(x, dtype)

    def to_numpy(self, x):
        """An array of this backend as a `numpy.ndarray`."""
        self.check(x)
        return x

    def freeze(self, x):
        """`x`, which nobody may write to from now on."""
        x.flags.writeable = False
        return x

    def thaw(self, x):
        """`x`, which may be written to again."""
        x.flags.writeable = True
        return x

    def check(self, x, what="array"):
        """Raise TypeError unless `x` is an array of this backend."""
        if not isinstance(x, np.ndarray):
            raise TypeError(
                f"{what}: expected a numpy.ndarray for the {self.name} backend, got "
                f"{type(x).__module__}.{type(x).__name__}; convert it with backend.asarray(...)"
            )

    def batch_total(self, part):
        """A sum over the batch from its part here: all of it, but on several ranks."""
        return part if self.ranks is None else self.ranks.total(part)

    def batch_gather(self, part):
        """The whole batch (N, ...) from its part here, on several ranks."""
        return self.ranks.gather(part)

    def with_ranks(self, ranks):
        """This backend for one of several `Ranks`; by None for a process of its own."""
        return self if ranks is self.ranks else NumpyBackend(self.name, ranks)

    def is_finite(self, x):
        """Whether every number of x is finite (on all ranks)."""
        found = bool(np.isfinite(x).all())
        return found if self.ranks is None else not self.ranks.largest(not found)

    def mean(self, x):
        """Σ x / N of x (N, 1)."""
        return x.sum() / len(x)

    def norm(self, x):
        """√(Σ x²) of a vector x (n,)."""
        return x.dot(x) ** 0.5

    def drawn(self, draw, shape):
        """draw(shape), random numbers of a generator."""
        return draw(shape)

    def stepper(self, game):
        """The function that makes a step of the game: its own."""
        return game.step

    def random_uniform(self, shape, dtype, key):
        """U[0, 1), a function of the key (an integer below 2⁶⁴) and nothing else: see philox.py."""
        return uniform(shape, dtype, key)

    def random_normal(self, shape, dtype, key):
        """N(0, 1), likewise."""
        return normal(shape, dtype, key)


@cache
def _keep_freed_memory_once():
    keep_freed_memory()
