"""Batches: what is in them, and that a restored iterator goes on as if never stopped."""

import json
from itertools import islice

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minigan.data.batches import Batches
from minigan.data.toy import toy

EXAMPLES = settings(derandomize=True, deadline=None, max_examples=30)
IMAGES = np.random.default_rng(0).normal(size=(10, 4, 4, 1))
LABELS = np.arange(10, dtype=np.uint8)


def make(source=None, batch_size=3, seed=0, **options):
    source = IMAGES if source is None else source
    return Batches(source, batch_size, np.random.default_rng(seed), **options)


def rows(n):
    """(n, 1) floats that say which row they are."""
    return np.arange(n, dtype=np.float64)[:, None]


# --- Content ------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64", np.float32])
def test_distribution_gives_fresh_samples(dtype):
    batches = make(toy("ring"), 5, dtype=dtype)
    first, second = next(batches), next(batches)
    rng = np.random.default_rng(0)
    for batch in (first, second):
        assert batch.dtype == dtype and batch.flags.c_contiguous
        assert np.array_equal(batch, toy("ring").sample(5, rng).astype(dtype))
    assert not np.isin(first, second).any()


@EXAMPLES
@given(st.integers(1, 30), st.data())
def test_every_epoch_is_a_new_permutation(n, data):
    batch_size = data.draw(st.integers(1, n))
    batches = make(rows(n), batch_size)
    per_epoch = n // batch_size
    seen = []
    for _ in range(3):
        epoch = np.concatenate(list(islice(batches, per_epoch)))
        assert epoch.shape == (per_epoch * batch_size, 1)  # the short remainder is dropped
        assert len(np.unique(epoch)) == len(epoch)  # and nothing comes twice
        assert np.isin(epoch, rows(n)).all()
        seen.append(epoch)
    if per_epoch * batch_size > 10:
        assert not np.array_equal(seen[0], seen[1]) and not np.array_equal(seen[1], seen[2])


def test_in_the_long_run_every_row_comes_equally_often():
    batches = make(rows(10), 4)  # 2 rows are dropped in each epoch, others each time
    counts = np.bincount(np.concatenate(list(islice(batches, 2000))).ravel().astype(int))
    # 1,000 epochs, each row in 4 of 5 of them: a binomial.
    assert (np.abs(counts - 800) < 5 * np.sqrt(1000 * 0.8 * 0.2)).all()


@pytest.mark.parametrize("kind", [tuple, list])
def test_tuple_keeps_rows_together(kind):
    batches = make(kind([IMAGES, LABELS]), 4)
    for images, labels in islice(batches, 6):
        assert images.dtype == np.float32 and labels.dtype == np.uint8
        assert images.shape == (4, 4, 4, 1) and labels.shape == (4,)
        assert np.array_equal(images, IMAGES[labels].astype(np.float32))
    (only,) = next(make((IMAGES,)))
    assert only.shape == (3, 4, 4, 1)


@pytest.mark.parametrize(
    "source",
    [
        np.asfortranarray(IMAGES),
        IMAGES[:, ::-1, ::2],
        IMAGES.transpose(0, 2, 1, 3),
        IMAGES.astype(">f4"),
    ],
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_batches_are_contiguous_and_the_callers(source, dtype):
    before = source.copy()
    batches = make(source, 10, dtype=dtype)
    batch = next(batches)
    assert isinstance(batch, np.ndarray) and batch.flags.c_contiguous and batch.flags.writeable
    assert batch.dtype == np.dtype(dtype) and batch.dtype.isnative
    order = next(make(rows(10), 10)).ravel().astype(int)  # the same seed, the same order
    assert np.array_equal(batch, source[order].astype(dtype))
    batch[:] = 7
    assert np.array_equal(source, before)
    assert not (next(batches) == 7).any()


def test_a_seed_is_a_generator():
    np.testing.assert_array_equal(next(Batches(IMAGES, 3, 0)), next(make(IMAGES)))


def test_same_seed_same_bits():
    first, again, other = make(), make(), make(seed=1)
    a, b, c = (np.stack(list(islice(batches, 7))) for batches in (first, again, other))
    assert np.array_equal(a, b) and not np.array_equal(a, c)


def test_is_an_iterator():
    batches = make()
    assert iter(batches) is batches


# --- State --------------------------------------------------------------------------------------


@pytest.mark.parametrize("source", [toy("moons"), rows(10), (rows(10), LABELS)], ids=type)
@pytest.mark.parametrize("taken", [0, 1, 3, 5])
def test_restore_continues_bit_for_bit(source, taken):
    batches = make(source)
    list(islice(batches, taken))
    state = batches.state()
    expected = list(islice(batches, 8))

    text = json.dumps({**state, "permutation": state["permutation"].tolist()})
    elsewhere = make(source, seed=99)
    next(elsewhere)
    for target, saved in ((batches, state), (elsewhere, json.loads(text))):
        target.restore(saved)
        for batch, wanted in zip(islice(target, 8), expected, strict=True):
            for array, original in zip(batch, wanted, strict=True):
                assert np.array_equal(array, original)


def test_state_does_not_change_with_later_batches():
    batches = make(rows(10), 4)
    next(batches)
    state = batches.state()
    before = json.dumps(state, default=np.ndarray.tolist)
    list(islice(batches, 5))
    assert json.dumps(state, default=np.ndarray.tolist) == before
    batches.restore(state)
    list(islice(batches, 5))
    assert json.dumps(state, default=np.ndarray.tolist) == before


@pytest.mark.parametrize(
    "change, message",
    [
        (dict(batch_size=4), "expected batches of 3, got 4"),
        (dict(permutation=np.arange(9)), "expected a permutation of 10 rows"),
        (dict(permutation=np.zeros(10, int)), "expected a permutation of 10 rows"),
        (dict(permutation=np.arange(10)[None]), "expected a permutation of 10 rows"),
        (dict(position=11), "position 11 is outside"),
        (dict(position=-1), "position -1 is outside"),
        (dict(permutation=[], position=3), "position 3 is outside its 0 rows"),
        (dict(rng=np.random.MT19937(0).state), "not that of a PCG64"),
        (dict(rng={"bit_generator": "PCG64"}), "not that of a PCG64"),
        (dict(rng={"bit_generator": "PCG64", "state": {"state": 1, "inc": 3}}), "PCG64"),
        (dict(rng=None), "not that of a PCG64"),
    ],
)
def test_restore_refuses_and_changes_nothing(change, message):
    batches, undisturbed = make(), make()
    next(batches), next(undisturbed)
    with pytest.raises(ValueError, match=message):
        batches.restore({**make(seed=5).state(), **change})
    for batch, expected in zip(islice(batches, 7), islice(undisturbed, 7), strict=True):
        assert np.array_equal(batch, expected)


def test_restore_refuses_half_of_a_generators_state():
    # NumPy's setter for Philox writes one part before it finds another missing.
    batches = Batches(rows(10), 3, np.random.Generator(np.random.Philox(0)))
    undisturbed = Batches(rows(10), 3, np.random.Generator(np.random.Philox(0)))
    state = Batches(rows(10), 3, np.random.Generator(np.random.Philox(5))).state()
    del state["rng"]["buffer_pos"]
    with pytest.raises(ValueError, match="not that of a Philox"):
        batches.restore(state)
    for batch, expected in zip(islice(batches, 7), islice(undisturbed, 7), strict=True):
        assert np.array_equal(batch, expected)


def test_restore_names_what_is_missing():
    state = make().state()
    del state["rng"], state["position"]
    with pytest.raises(ValueError, match="lacks position, rng"):
        make().restore(state)


def test_restore_refuses_a_permutation_for_a_distribution():
    state = make(batch_size=3)
    next(state)
    with pytest.raises(ValueError, match="expected a permutation of 0 rows"):
        make(toy("ring"), 3).restore(state.state())


# --- Refusals -----------------------------------------------------------------------------------

NAN = np.where(np.arange(10) == 4, np.nan, 1.0)[:, None]


@pytest.mark.parametrize(
    "source, message",
    [
        (NAN, "NaN or infinity"),
        (np.where(rows(10) == 3, np.inf, 1), "NaN or infinity"),
        (1e300 * (1 + rows(10)), "NaN or infinity .float32"),
        ((IMAGES, NAN), "NaN or infinity"),
        (np.empty((0, 2)), "at least one row"),
        (np.empty((10, 0)), "at least one row"),
        ((), r"at least one row, got shapes \[\]"),
        (np.array(3.0), "at least one row"),
        ((IMAGES, LABELS[:9]), r"one length, got \[10, 9\]"),
        (np.zeros((10, 28, 28, 1), np.uint8), "floating-point values, got uint8"),
        ((np.zeros((10, 28, 28, 1), np.uint8), LABELS), "scale pixels to floats"),
        (LABELS, "integers are only taken as labels"),
        ((IMAGES, LABELS.astype(str)), r"labels: expected whole numbers \(N,\), got <U"),
        ((IMAGES, LABELS.astype(float)), r"labels: expected whole .* labels.astype\(int\)"),
        ((IMAGES, LABELS > 3), "labels: expected whole numbers .* got bool"),
        ((IMAGES, LABELS.astype(object)), "labels: expected whole numbers .* got object"),
        ((IMAGES, LABELS[:, None]), "integers are only taken as labels"),
        (np.zeros((10, 2), bool), "got bool"),
        (np.zeros((10, 2), complex), "got complex128"),
        (np.zeros(10), r"x\[:, None\]"),
        (rows(2), "batch_size: expected at most 2, the rows of the source, got 3"),
    ],
)
def test_refuses_source(source, message):
    with pytest.raises(ValueError, match=message):
        make(source)


@pytest.mark.parametrize("source", ["ring", None, 3, [[1.0, 2.0], [3.0, 4.0]], toy, iter([])])
def test_refuses_what_is_not_a_source(source):
    with pytest.raises(
        TypeError, match="source: expected a Distribution, a NumPy array or a tuple"
    ):
        Batches(source, 1, np.random.default_rng(0))


def test_refuses_batch_size_rng_and_dtype():
    rng = np.random.default_rng(0)
    for batch_size in (0, -3):
        with pytest.raises(ValueError, match="batch_size: expected at least 1"):
            Batches(IMAGES, batch_size, rng)
    for batch_size in (2.0, True, None):
        with pytest.raises(TypeError, match="batch_size: expected an integer"):
            Batches(IMAGES, batch_size, rng)
    for wrong in (None, -1, True, np.random.RandomState(0)):
        with pytest.raises(TypeError, match=r"rng: expected a numpy\.random\.Generator or a seed"):
            Batches(IMAGES, 2, wrong)
    for dtype in ("uint8", "float16", None):
        with pytest.raises(ValueError, match="dtype: expected float32 or float64"):
            Batches(IMAGES, 2, rng, dtype=dtype)
