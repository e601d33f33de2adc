"""Every operation on the GPU's arrays, kernel by kernel, against its twin in plain NumPy."""

import numpy as np
import pytest
from comparing import TOLERANCE, TWINS, agree, check, on_host, results
from operations import (
    CONVOLUTIONS,
    GUARDS,
    LARGE,
    MATRICES,
    NORMS,
    PRODUCTS,
    UNCHECKED,
    VECTORS,
    Operation,
    vector,
)

from minigan.backend.cuda import launch

dtypes = pytest.mark.parametrize("dtype", TOLERANCE)


@dtypes
@pytest.mark.parametrize("shape", MATRICES)
def test_on_matrices(shape, dtype, device):
    check(device, MATRICES[shape], dtype)


@dtypes
@pytest.mark.parametrize("size", VECTORS)
def test_on_vectors(size, dtype, device):
    check(device, VECTORS[size], dtype)


@dtypes
def test_finite_guard(dtype, device):
    check(device, GUARDS, dtype)


def test_single_numbers_share_arrays_and_stay(emulated):
    """A figure that is kept takes 4 bytes, not the 512 of an array of its own."""
    x = [emulated.asarray(np.full(3, i, "float32")) for i in range(launch.NUMBERS + 1)]
    norms = [emulated.norm(a) for a in x]
    np.testing.assert_allclose([float(n) for n in norms], np.sqrt(3) * np.arange(len(x)), 1e-6)
    assert len({id(n._host.base) for n in norms}) <= 3


@dtypes
def test_norms_by_several_blocks(dtype, device):
    check(device, NORMS, dtype)


@dtypes
@pytest.mark.parametrize("shape", PRODUCTS)
def test_products(shape, dtype, device, own_kernels):
    check(device, PRODUCTS[shape], dtype)
    check(own_kernels, PRODUCTS[shape], dtype)


@dtypes
@pytest.mark.parametrize("case", CONVOLUTIONS)
def test_convolutions(case, dtype, device, own_kernels):
    check(device, CONVOLUTIONS[case], dtype)
    check(own_kernels, CONVOLUTIONS[case], dtype)


@dtypes
@pytest.mark.parametrize("case", LARGE)
def test_more_than_one_of_everything(case, dtype, device, own_kernels):
    check(device, LARGE[case], dtype)
    check(own_kernels, LARGE[case], dtype)


@pytest.mark.slow
@pytest.mark.parametrize("case", UNCHECKED)
def test_shapes_of_a_real_network(case, device, own_kernels, emulator):
    """Without the emulator's checks, which the small shapes have passed: for the numbers alone."""
    emulator.machine.checks = False
    for backend in (device, own_kernels):
        for label, operation in UNCHECKED[case].items():
            expected, found = (results(b, operation, "float32") for b in (TWINS, backend))
            agree(expected, found, TOLERANCE["float32"], label)


def test_the_rows_of_a_product_may_be_many():
    """A grid has 2³¹ − 1 blocks along x, and 65,535 along y and z."""
    assert launch.product_grid(10**7, 65) == (156_250, 2)


@dtypes
def test_a_grid_smaller_than_the_array(dtype, device, monkeypatch):
    """The grid-stride loop goes round more than once."""
    monkeypatch.setattr(launch, "MOST_BLOCKS", 2)
    check(device, MATRICES["37x33"] | VECTORS["777"] | vector(1500), dtype)


@dtypes
def test_numbers_that_are_none(dtype, device):
    """NaN, infinities, zeros of both signs and numbers near the ends of the range."""
    tiny, huge = np.finfo(dtype).smallest_subnormal, np.finfo(dtype).max
    special = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, tiny, -tiny, huge, -huge, 88, -104])
    table = {
        label: Operation([lambda rng: special] * len(operation.inputs), operation.run)
        for label, operation in MATRICES["1x1"].items()
        if label.startswith(("bias_activation", "is_finite"))
    }
    with np.errstate(all="ignore"):
        check(device, table, dtype)


@dtypes
def test_random_numbers_have_the_same_bits(dtype, device):
    for n in (1, 2, 3, 4, 5, 1023):
        for key in (0, 1, (1 << 64) - 1, 0x299F31D0A4093822):
            for kind in ("random_uniform", "random_normal"):
                here = getattr(TWINS, kind)((n,), dtype, key)
                there = device.to_numpy(getattr(device, kind)((n,), dtype, key))
                assert here.tobytes() == there.tobytes(), (kind, n, key)


def test_philox_gives_the_published_numbers(device):
    """Random123's known answer for counter 0 and key 0 (tests/kat_vectors, philox4x32 10)."""
    words = np.array([0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8], np.uint32)
    found = device.to_numpy(device.random_uniform((4,), "float32", 0))
    np.testing.assert_array_equal(found, (words >> 8) * np.float32(2.0**-24))


def transposed(backend, a):
    return backend.asarray(a.T.copy()).T


def every_second(backend, a):
    return backend.asarray(np.repeat(a, 2, axis=-1))[..., ::2]


def backwards(backend, a):
    return backend.asarray(a[::-1].copy())[::-1]


@dtypes
def test_vectors_may_begin_anywhere(dtype, device):
    """A layer's parameters stand somewhere in the network's vector: at no multiple of anything."""
    for label, operation in vector(8).items():
        expected = results(TWINS, operation, dtype)
        arrays = [
            device.asarray(np.append(np.ones(1, dtype), a))[1:] if a.ndim else device.asarray(a)
            for a in operation.draw(dtype)
        ]
        returned = operation.run(device, *arrays)
        found = [on_host(device, x) for x in (returned, *arrays)]
        agree(expected, found, TOLERANCE[dtype], label)


#: Of operations that also write to some of their arrays: how many they only read.
ONLY_READ = {"batch_norm": 3, "batch_norm_gradient, of γ and β too": 4}


@dtypes
@pytest.mark.parametrize("layout", [transposed, every_second, backwards])
def test_views_give_the_same_numbers(layout, dtype, device, own_kernels):
    """Whatever its strides, an array is read for what it is."""
    tables = (
        (device, MATRICES["7x5"] | CONVOLUTIONS["DCGAN"]),
        (own_kernels, CONVOLUTIONS["DCGAN"]),
    )
    for backend, table in tables:
        for label, operation in table.items():
            if label.startswith(("add_", "conv_grad_weight")) or label.endswith(("place", "out")):
                continue  # written in place: must be contiguous, see test_arguments.py
            arrays, read = operation.draw(dtype), ONLY_READ.get(label)
            views = [layout(backend, a) for a in arrays[:read]]
            written = [] if read is None else map(backend.asarray, arrays[read:])
            returned = operation.run(backend, *views, *written)
            expected = results(backend, operation, dtype)
            found = returned if isinstance(returned, tuple) else [returned]
            for a, b in zip(expected, found, strict=False):
                np.testing.assert_array_equal(a, on_host(backend, b))
