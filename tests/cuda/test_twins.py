"""Every operation has a twin in NumPy and a test, and every kernel names its page."""

import inspect
import re

import numpy as np
import pytest
from comparing import TWINS
from operations import all_operations
from twins import Twins

from minigan import averaging, layers, objectives, optimizers
from minigan.backend import CupyBackend, NumpyBackend, philox
from minigan.backend.cuda import convolution as cuda_convolution
from minigan.backend.cuda import launch
from minigan.backend.cuda.launch import kernel_names, source
from minigan.finite import DeviceWatch
from minigan.layers import activations, convolution

#: Compared elsewhere: in this file, or as a part of other operations.
WITHOUT_INPUTS = {"asarray", "columns_of", "new_flag"}
#: No operations on arrays: `NumpyBackend` has them, too.
OF_ALL_BACKENDS = {
    "batch_gather",
    "batch_total",
    "check",
    "drawn",
    "freeze",
    "stepper",
    "thaw",
    "to_numpy",
    "with_ranks",
}


def operations(cls):
    return {
        name: member
        for name, member in inspect.getmembers(cls, callable)
        if not name.startswith("_")
    }


def test_each_operation_has_a_twin_and_each_twin_an_operation():
    assert set(operations(Twins)) == set(operations(CupyBackend)) - OF_ALL_BACKENDS


def test_a_gpu_has_whatever_a_cpu_has(emulated):
    def names(backend):
        return {name for name in dir(backend) if not name.startswith("_")}

    assert names(NumpyBackend()) <= names(emulated)
    for name, operation in operations(NumpyBackend).items():
        assert inspect.signature(operation) == inspect.signature(operations(CupyBackend)[name])


@pytest.mark.parametrize("name", operations(Twins))
def test_the_same_signature(name):
    twin, operation = operations(Twins)[name], operations(CupyBackend)[name]
    assert inspect.signature(twin) == inspect.signature(operation)


@pytest.mark.parametrize("name", operations(CupyBackend))
def test_every_operation_says_what_it_does(name):
    assert inspect.getdoc(operations(CupyBackend)[name])


def test_every_operation_is_compared():
    compared = {label.split(",")[0] for label in all_operations()}
    assert compared | WITHOUT_INPUTS == set(operations(Twins))


# --- The names above the kernels -----------------------------------------------------------------

PAGES = {"philox": philox, "DeviceWatch": DeviceWatch, "NumpyBackend": NumpyBackend} | {
    name: thing
    for module in (averaging, layers, activations, convolution, objectives, optimizers)
    for name, thing in vars(module).items()
}
KERNEL = re.compile(r"((?:^//.*\n)+)template <typename T>\n__global__ void (\w+)\(", re.MULTILINE)


def test_each_kernel_is_found_with_its_comment():
    assert tuple(name for _, name in KERNEL.findall(source())) == kernel_names()


@pytest.mark.parametrize("comment, kernel", KERNEL.findall(source()))
def test_the_page_that_a_kernel_names_exists(comment, kernel):
    """The comment begins with the page: "// Adam.update: …"; it is code, and not `Layer`'s stub."""
    page, *methods = re.match(r"// ([\w.]+)[:,]", comment)[1].split(".")
    found = PAGES[page]
    for method in methods:
        found = getattr(found, method)
        assert found is not getattr(layers.Layer, method, None), f"{page} has no {method}"
    assert inspect.isfunction(found)


def test_both_sides_count_alike():
    """Sizes that the launches and the kernels share, each written down twice."""
    shared = {"THREADS": launch.THREADS, "SIDE": launch.SIDE, "DEPTH": cuda_convolution.DEPTH}
    for name, value in shared.items():
        assert re.search(rf"constexpr int .*\b{name} = {value}\b", source()), name


# --- Arrays --------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32"])
def test_arrays_go_there_and_back(dtype, device):
    host = np.zeros((2, 3), dtype) + np.arange(3, dtype=dtype)
    there = device.asarray(host)
    assert isinstance(there, device.xp.ndarray) and there.dtype == dtype
    assert device.asarray(there) is there
    assert device.asarray(host, "float64").dtype == "float64"
    back = device.to_numpy(there)
    assert back.dtype == dtype and (back == host).all()
    assert device.batch_total(there) is there


class Two:
    """Two ranks with equal parts, in the place of `Ranks`."""

    def total(self, part):
        return 2 * part

    def gather(self, part):
        return np.concatenate([part, part])

    def largest(self, number):
        return int(number)


def test_the_sums_of_ranks_go_through_the_host(device):
    on_ranks, part = device.with_ranks(Two()), device.asarray(np.arange(6.0).reshape(2, 3))
    assert on_ranks.batch_total(4) == 8
    for found, expected in (
        (on_ranks.batch_total(part), 2 * np.arange(6.0).reshape(2, 3)),
        (on_ranks.batch_gather(part), np.arange(6.0).reshape(2, 3)[[0, 1, 0, 1]]),
    ):
        assert isinstance(found, device.xp.ndarray)
        np.testing.assert_array_equal(device.to_numpy(found), expected)
    assert on_ranks.is_finite(part) and not on_ranks.is_finite(device.asarray([np.nan]))
    assert on_ranks.with_ranks(None).ranks is None and device.with_ranks(None) is device


def test_batch_norm_on_ranks_is_that_of_the_whole_batch(device):
    """Two ranks with equal parts: statistics as of one part, of twice as many values."""
    rng, two, shape = np.random.default_rng(0), device.with_ranks(Two()), (6, 5)
    x, dy, ones = rng.normal(size=shape), rng.normal(size=shape), np.ones(5)
    running, gradients = [np.zeros(5), np.ones(5)], [np.zeros(5), np.zeros(5)]
    here = [device.asarray(a) for a in (x, ones, ones, *running)]
    y, centred, inverse = two.batch_norm(*here, 1e-3, 0.3, "identity")
    numbers = np.concatenate([x, x]), ones, ones, *running
    expected = TWINS.batch_norm(*numbers, 1e-3, 0.3, "identity")
    for found, whole in zip((y, centred), expected, strict=False):
        np.testing.assert_allclose(device.to_numpy(found), whole[:6], atol=1e-12)
    for found, whole in zip((inverse, *here[-2:]), (expected[2], *running), strict=True):
        np.testing.assert_allclose(device.to_numpy(found), whole, atol=1e-12)
    there = [device.asarray(g) for g in gradients]
    dx = two.batch_norm_gradient(device.asarray(dy), centred, inverse, here[1], there)
    part = TWINS.batch_norm_gradient(dy, expected[1][:6], expected[2], ones, gradients)
    for found, whole in zip((dx, *there), (part, *gradients), strict=True):
        np.testing.assert_allclose(device.to_numpy(found), whole, atol=1e-12)


def test_a_new_flag_says_that_all_is_fine(device):
    flag, twin = device.to_numpy(device.new_flag()), TWINS.new_flag()
    assert (flag.dtype, flag.tolist()) == (twin.dtype, twin.tolist())
