"""NVIDIA's compiler takes every kernel, for each kind of GPU, and makes of floats only floats."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from minigan.backend.cuda.launch import kernel_names, source

KERNELS, SOURCE = kernel_names(), source()
#: Turing (the oldest that CUDA 13 knows), Ampere, Hopper.
ARCHITECTURES = ("sm_75", "sm_80", "sm_90")


def names(*types):
    return [f"{kernel}<{t}>" for kernel in KERNELS for t in types]


@pytest.fixture(scope="module")
def machine_code(nvrtc):
    """architecture -> what `compile_cuda` gives for it, all compiled at the same time."""

    def build(architecture):
        return nvrtc.compile_cuda(SOURCE, architecture, names("float", "double"))

    with ThreadPoolExecutor() as pool:
        return dict(zip(ARCHITECTURES, pool.map(build, ARCHITECTURES), strict=True))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_kernel_becomes_machine_code(architecture, machine_code):
    code, symbols = machine_code[architecture]
    assert code.startswith(b"\x7fELF")
    assert len(set(symbols.values())) == 2 * len(KERNELS) >= 40
    assert all(b".text." + symbol.encode() in code for symbol in symbols.values())


def test_float_kernels_hold_no_double_arithmetic(nvrtc):
    ptx, _ = nvrtc.compile_cuda(SOURCE, "compute_75", names("float"))
    text = ptx.decode()
    assert text.count(".entry") == len(KERNELS)
    assert [line for line in text.splitlines() if ".f64" in line] == []


def test_double_arithmetic_would_be_seen(nvrtc):
    """A constant without T(...), and the compiler says nothing."""
    source = SOURCE.replace("T(-2) * y * first", "-2.0 * y * first")
    assert source != SOURCE
    ptx, _ = nvrtc.compile_cuda(source, "compute_75", ["activation_curvature<float>"])
    assert ".f64" in ptx.decode()


def test_errors_come_with_the_log(nvrtc):
    with pytest.raises(nvrtc.CompileError, match=r'kernels.cu\(\d+\): error: .*"undeclared"'):
        nvrtc.compile_cuda(SOURCE + "int f() { return undeclared; }", "sm_80", [])
    with pytest.raises(nvrtc.CompileError, match="gpu-architecture"):
        nvrtc.compile_cuda(SOURCE, "sm_1", [])
