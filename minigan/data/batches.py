"""Endless batches for the training loop, from a distribution or from arrays.

    for x in Batches(toy("ring"), 256, rng): ...                  # fresh samples for ever
    for x, y in Batches((images, labels), 64, rng): ...           # epoch after epoch

A run can be saved and resumed at any batch: a checkpoint keeps `state()`, and after
`restore(state)` the same batches follow, bit for bit.
"""

import copy

import numpy as np

from minigan.checks import as_generator, check_dtype, check_integer
from minigan.data.distributions import Distribution
from minigan.trial import got, try_distribution

__all__ = ["Batches"]


class Batches:
    """An iterator over batches that never ends.

    source: a `Distribution`, from which every batch is a fresh sample; an array; or a tuple or
    list of arrays of one length N, whose batches are tuples with the same rows of each. Arrays
    hold finite floating-point numbers, (N, features) or (N, H, W, C); in a tuple, integer labels
    (N,) are allowed too. Each epoch visits the rows in a new random order. Rows that are left at
    its end and do not fill a batch are dropped: in a shorter batch each sample would weigh more.
    batch_size: from 1 to N. rng: a seed, or a `numpy.random.Generator` that nothing else uses, so
    that the batches depend only on its seed; `rng.spawn(1)[0]` makes one. `restore` sets it back.

    A batch is a new C-contiguous host array (batch_size, ...) of `dtype`, float32 or float64;
    labels keep their integer type. Other arguments raise TypeError or ValueError.
    """

    def __init__(self, source, batch_size, rng, dtype="float32"):
        self.batch_size = check_integer("batch_size", batch_size, 1)
        self.rng, self.dtype = as_generator(rng), check_dtype(dtype)
        self._in_tuple = isinstance(source, (tuple, list))
        self._distribution, self._arrays = None, ()
        if isinstance(source, Distribution):
            try_distribution(source)
            self._distribution = source
        else:
            self._arrays = self._prepare(tuple(source) if self._in_tuple else (source,))
        # The current epoch's order of the rows, and how many of them are used up. No epoch has
        # begun: the first batch finds too few rows left and draws the first permutation.
        self._permutation, self._position = np.empty(0, dtype=np.int64), 0

    def __iter__(self):
        return self

    def __next__(self):
        if self._distribution is not None:
            x = self._distribution.draw(self.batch_size, self.rng)
            return np.ascontiguousarray(x, dtype=self.dtype)
        if self._position + self.batch_size > len(self._permutation):
            self._permutation, self._position = self.rng.permutation(self._rows), 0
        rows = self._permutation[self._position : self._position + self.batch_size]
        self._position += self.batch_size
        batch = tuple(np.take(array, rows, axis=0) for array in self._arrays)
        return batch if self._in_tuple else batch[0]

    def state(self):
        """Where the iterator stands: a dict that no later batch changes.

        "rng": the state of the generator, a dict of numbers and strings (for NumPy's default
        generator); "batch_size" and "position": int; "permutation": int64, the order of the rows
        in the current epoch (empty before the first batch, and always for a distribution).
        """
        return {
            "rng": copy.deepcopy(self.rng.bit_generator.state),
            "batch_size": self.batch_size,
            "permutation": self._permutation.copy(),
            "position": self._position,
        }

    def restore(self, state):
        """Go back to where `state` was taken, from this source or an equal one.

        ValueError, and nothing changes, if the state does not fit these batches.
        """
        missing = {"rng", "batch_size", "permutation", "position"} - set(state)
        if missing:
            raise ValueError(f"state: it lacks {', '.join(sorted(missing))}")
        if state["batch_size"] != self.batch_size:
            found = state["batch_size"]
            raise ValueError(f"state: expected batches of {self.batch_size}, got {found}")
        permutation, position = np.array(state["permutation"]), int(state["position"])
        rows = np.arange(self._rows)
        if permutation.size and not np.array_equal(np.sort(permutation), rows):
            shape = permutation.shape
            raise ValueError(f"state: expected a permutation of {len(rows)} rows, got {shape}")
        if not 0 <= position <= permutation.size:
            raise ValueError(f"state: position {position} is outside its {permutation.size} rows")
        before = self.rng.bit_generator.state
        try:
            self.rng.bit_generator.state = state["rng"]
        except (KeyError, OverflowError, TypeError, ValueError) as error:
            self.rng.bit_generator.state = before  # NumPy may have set a part of it
            kind = type(self.rng.bit_generator).__name__
            raise ValueError(f"state: its rng is not that of a {kind}: {error!r}") from error
        self._permutation, self._position = permutation.astype(np.int64).ravel(), position

    @property
    def _rows(self):
        return len(self._arrays[0]) if self._arrays else 0

    def _prepare(self, arrays):
        """The arrays, checked and cast once, so that a batch only has to pick its rows."""
        for array in arrays:
            if not isinstance(array, np.ndarray):
                raise TypeError(
                    "source: expected a Distribution, a NumPy array or a tuple of NumPy arrays, "
                    f"got {got(array) if isinstance(array, type) else type(array).__name__}"
                )
        shapes = [array.shape for array in arrays]
        if not arrays or () in shapes or 0 in (array.size for array in arrays):
            raise ValueError(f"source: expected at least one row, got shapes {shapes}")
        lengths = [shape[0] for shape in shapes]
        if len(set(lengths)) > 1:
            raise ValueError(f"source: expected arrays of one length, got {lengths}")
        if self.batch_size > lengths[0]:
            expected = f"at most {lengths[0]}, the rows of the source"
            raise ValueError(f"batch_size: expected {expected}, got {self.batch_size}")
        return tuple(self._prepare_one(array) for array in arrays)

    def _prepare_one(self, array):
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
                f"source: expected floating-point values, got {array.dtype} of shape {array.shape}:"
                " scale pixels to floats first (integers are only taken as labels (N,) in a tuple)"
            )
        if array.ndim < 2:
            raise ValueError(
                f"source: expected shape (N, features) or (N, H, W, C), got {array.shape}: write "
                "x[:, None] for one feature"
            )
        with np.errstate(over="ignore"):  # the check below names the overflow
            array = np.ascontiguousarray(array, dtype=self.dtype)
        if not np.isfinite(array).all():
            raise ValueError(f"source: expected finite values, got NaN or infinity ({self.dtype})")
        return array
