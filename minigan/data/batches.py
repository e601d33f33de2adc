"""Endless batches for the training loop, from a distribution or from arrays.

    for x in Batches(toy("ring"), 256, rng): ...                  # fresh samples for ever
    for x, y in Batches((images, labels), 64, rng): ...           # epoch after epoch

A run can be saved and resumed at any batch: `state` is what a checkpoint must hold, and after
`restore` the same batches follow bit for bit.
"""

import copy

import numpy as np

from minigan.data.distributions import Distribution

__all__ = ["Batches"]


class Batches:
    """An iterator over batches that never ends.

    From a `Distribution`, every batch is a fresh sample. From arrays, every epoch goes through a
    new random permutation of the rows; what is left over at its end, fewer rows than a batch, is
    dropped. So every batch has exactly `batch_size` rows (a short last batch would change what
    a mean over the batch weighs, and batch norm's statistics with it).

    Parameters
    ----------
    source : Distribution, array or tuple (or list) of arrays
        Floating-point arrays (N, ...) with at least two axes: (N, features) or (N, H, W, C). In
        a tuple, all of the same length N, also integer labels (N,). Values must be finite.
    batch_size : int
        At least 1, and at most N.
    rng : numpy.random.Generator
        Used by nobody else, so that the order of the batches depends on nothing but its seed:
        `rng.spawn(1)[0]` makes one. `restore` sets it back.
    dtype : floating-point dtype
        Of what is yielded. Labels keep their integer type.

    Yields
    ------
    A new, C-contiguous host array (batch_size, ...); for a tuple of arrays, a tuple of them, the
    same rows of each.
    """

    def __init__(self, source, batch_size: int, rng: np.random.Generator, dtype="float32"):
        if isinstance(batch_size, bool) or not isinstance(batch_size, (int, np.integer)):
            raise TypeError(f"batch_size must be an integer, got {batch_size!r}")
        if batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, got {batch_size}")
        if not isinstance(rng, np.random.Generator):
            raise TypeError(f"rng must be a numpy.random.Generator, got {type(rng).__name__}")
        self.dtype = np.dtype(dtype)
        if self.dtype.kind != "f":
            raise ValueError(f"dtype must be a floating-point type, got {self.dtype}")
        self.batch_size = int(batch_size)
        self.rng = rng

        self._in_tuple = isinstance(source, (tuple, list))
        if isinstance(source, Distribution):
            self._distribution, self._arrays = source, ()
        else:
            arrays = tuple(source) if self._in_tuple else (source,)
            self._distribution, self._arrays = None, self._prepare(arrays)
        # The current epoch's order of the rows and how many of them are used up. No epoch has
        # begun: the first batch finds too few rows left and draws the first permutation.
        self._permutation = np.empty(0, dtype=np.int64)
        self._position = 0

    def __iter__(self) -> "Batches":
        return self

    def __next__(self):
        if self._distribution is not None:
            x = self._distribution.sample(self.batch_size, self.rng)
            return np.ascontiguousarray(x, dtype=self.dtype)
        if self._position + self.batch_size > len(self._permutation):
            self._permutation = self.rng.permutation(self._rows)
            self._position = 0
        rows = self._permutation[self._position : self._position + self.batch_size]
        self._position += self.batch_size
        batch = tuple(np.take(array, rows, axis=0) for array in self._arrays)
        return batch if self._in_tuple else batch[0]

    def state(self) -> dict:
        """Where the iterator stands, as a dict that owns its values and that no later batch
        changes.

        "rng": the state of the random generator, a dict of numbers and strings (for NumPy's
        default generator); "batch_size" and "position": int; "permutation": int64 array, the
        order of the rows in the current epoch (empty before the first batch, and always for a
        distribution).
        """
        return {
            "rng": copy.deepcopy(self.rng.bit_generator.state),
            "batch_size": self.batch_size,
            "permutation": self._permutation.copy(),
            "position": self._position,
        }

    def restore(self, state: dict) -> None:
        """Go back to where `state` was taken, from this source or an equal one.

        Raises ValueError, and changes nothing, if the state is not one of these batches.
        """
        missing = {"rng", "batch_size", "permutation", "position"} - set(state)
        if missing:
            raise ValueError(f"the state of the batches lacks {', '.join(sorted(missing))}")
        if state["batch_size"] != self.batch_size:
            raise ValueError(
                f"the state is of batches of {state['batch_size']}, these are of {self.batch_size}"
            )
        permutation = np.array(state["permutation"])
        if permutation.size == 0:
            permutation = np.empty(0, dtype=np.int64)
        elif not np.array_equal(np.sort(permutation), np.arange(self._rows)):
            raise ValueError(
                f"the state's permutation, of shape {permutation.shape}, is not one of this "
                f"source's {self._rows} rows"
            )
        position = int(state["position"])
        if not 0 <= position <= len(permutation):
            raise ValueError(
                f"the state's position {position} is outside its {len(permutation)} rows"
            )
        before = self.rng.bit_generator.state
        try:
            self.rng.bit_generator.state = state["rng"]
        except (KeyError, OverflowError, TypeError, ValueError) as error:
            self.rng.bit_generator.state = before  # NumPy may have set a part of it
            kind = type(self.rng.bit_generator).__name__
            raise ValueError(f"the state's rng is not that of a {kind}: {error!r}") from error
        self._permutation, self._position = permutation.astype(np.int64), position

    @property
    def _rows(self) -> int:
        return len(self._arrays[0]) if self._arrays else 0

    def _prepare(self, arrays: tuple) -> tuple:
        """Check the arrays and cast them, once, so that a batch is nothing but its rows."""
        if not arrays:
            raise ValueError("batches need at least one array, got an empty tuple")
        for array in arrays:
            if not isinstance(array, np.ndarray):
                raise TypeError(
                    "batches are made from a Distribution, a NumPy array or a tuple of NumPy "
                    f"arrays, got {type(array).__name__}"
                )
        lengths = [array.shape[0] if array.ndim else 0 for array in arrays]
        if len(set(lengths)) > 1:
            raise ValueError(f"the arrays must have the same length, got {lengths}")
        if any(array.size == 0 or array.ndim == 0 for array in arrays):
            raise ValueError(f"the source is empty: shapes {[array.shape for array in arrays]}")
        if self.batch_size > lengths[0]:
            raise ValueError(f"batch_size {self.batch_size} is more than the {lengths[0]} rows")
        return tuple(self._prepare_one(array) for array in arrays)

    def _prepare_one(self, array: np.ndarray) -> np.ndarray:
        if array.dtype.kind in "iu" and array.ndim == 1 and self._in_tuple:
            return array  # labels
        if array.ndim == 1 and self._in_tuple:
            raise ValueError(
                f"labels: expected whole numbers (N,), got {array.dtype}: for text or booleans, "
                "np.unique(labels, return_inverse=True)[1] numbers them; for floats, "
                "labels.astype(int) (numbers that are no labels come as (N, features))"
            )
        if array.dtype.kind != "f":
            raise ValueError(
                f"expected floating-point values, got {array.dtype} of shape {array.shape}: scale "
                "pixels to floats first (integers are only taken as labels (N,) in a tuple)"
            )
        if array.ndim < 2:
            raise ValueError(
                f"expected shape (N, features) or (N, H, W, C), got {array.shape}: write "
                "x[:, None] for one feature"
            )
        with np.errstate(over="ignore"):  # the check below names the overflow
            array = np.ascontiguousarray(array, dtype=self.dtype)
        if not np.isfinite(array).all():
            raise ValueError(f"the source holds NaN or infinity (as {self.dtype})")
        return array
