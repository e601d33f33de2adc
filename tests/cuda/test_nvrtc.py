"""NVIDIA's compiler takes every kernel, for each kind of GPU, and makes of floats only floats."""

import re
from concurrent.futures import ThreadPoolExecutor

import pytest
import sass

from minigan.backend.cuda.launch import THREADS, kernel_names, source

KERNELS, SOURCE = kernel_names(), source()
#: Turing (the oldest that CUDA 13 knows), Ampere, Hopper.
ARCHITECTURES = ("sm_75", "sm_80", "sm_90")


def names(*types):
    return [f"{kernel}<{t}>" for kernel in KERNELS for t in types]


@pytest.fixture(scope="module")
def machine_code(nvrtc):
    """architecture -> what `compile_cuda` gives for it, all compiled at the same time."""

    def build(architecture):
        options = *nvrtc.OPTIONS, "--ptxas-options=-v"  # tells what each kernel takes
        return nvrtc.compile_cuda(SOURCE, architecture, names("float", "double"), options)

    with ThreadPoolExecutor() as pool:
        return dict(zip(ARCHITECTURES, pool.map(build, ARCHITECTURES), strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_kernel_becomes_machine_code(architecture, machine_code):
    code, symbols, _ = machine_code[architecture]
    assert code.startswith(b"\x7fELF")
    assert len(set(symbols.values())) == 2 * len(KERNELS) >= 40
    assert all(b".text." + symbol.encode() in code for symbol in symbols.values())


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_no_kernel_takes_more_registers_than_there_are(architecture, machine_code):
    """Nothing is kept in memory instead; two blocks fit on a multiprocessor with its 65,536."""
    log = machine_code[architecture].log
    spilled = re.findall(r"(\d+) bytes stack frame, (\d+) bytes spill stores", log)
    registers = [int(n) for n in re.findall(r"Used (\d+) registers", log)]
    assert len(spilled) == len(registers) == 2 * len(KERNELS)
    assert set(spilled) == {("0", "0")}
    assert 2 * THREADS * max(registers) <= 65_536


def test_float_kernels_hold_no_double_arithmetic(nvrtc):
    ptx, *_ = nvrtc.compile_cuda(SOURCE, "compute_75", names("float"))
    text = ptx.decode()
    assert text.count(".entry") == len(KERNELS)
    assert [line for line in text.splitlines() if ".f64" in line] == []


def test_double_arithmetic_would_be_seen(nvrtc):
    """A constant without T(...), and the compiler says nothing."""
    source = SOURCE.replace("T(-2) * y * first", "-2.0 * y * first")
    assert source != SOURCE
    ptx, *_ = nvrtc.compile_cuda(source, "compute_75", ["activation_curvature<float>"])
    assert ".f64" in ptx.decode()


#: The factors of 1 − n · 2⁻²⁴ and 1 − n · 2⁻⁵³ with a minus in front: both products are exact.
EXACT = {"float": "0fB3800000", "double": "0dBCA0000000000000"}


def fused(nvrtc, source, number):
    """The fused multiply-adds in `philox_normal`."""
    ptx, *_ = nvrtc.compile_cuda(source, "compute_75", [f"philox_normal<{number}>"])
    return [line for line in ptx.decode().splitlines() if "fma." in line]


@pytest.mark.parametrize("number", EXACT)
def test_normal_numbers_are_rounded_as_on_the_host(number, nvrtc):
    """No multiply-add is fused, but for those that round once either way."""
    found = fused(nvrtc, SOURCE, number)
    assert found and all(EXACT[number] in line for line in found)
    source = SOURCE.replace("{ return __fmul_rn(a, b); }", "{ return a * b; }")
    source = source.replace("{ return __dmul_rn(a, b); }", "{ return a * b; }")
    assert not all(EXACT[number] in line for line in fused(nvrtc, source, number))


def test_no_argument_claims_to_be_the_only_one():
    """`y` of bias_activation may be `x`: the compiler must not take them for different arrays."""
    assert "restrict" not in SOURCE


def test_errors_come_with_the_log(nvrtc):
    with pytest.raises(nvrtc.CompileError, match=r'kernels.cu\(\d+\): error: .*"undeclared"'):
        nvrtc.compile_cuda(SOURCE + "int f() { return undeclared; }", "sm_80", [])
    with pytest.raises(nvrtc.CompileError, match="gpu-architecture"):
        nvrtc.compile_cuda(SOURCE, "sm_1", [])


# --- Machine code --------------------------------------------------------------------------------

#: At least so much of a product's loop is multiply-adds; the rest finds numbers and fetches them.
MULTIPLY_ADDS = {"matmul": 0.5, "conv": 0.36, "conv_grad_weight": 0.36, "conv_grad_input": 0.24}


@pytest.fixture(scope="module")
def loops(machine_code):
    """kernel<type> -> how often each instruction stands in each of its loops, on Hopper."""
    if sass.disassembler() is None:
        pytest.skip("nvdisasm is not installed: pip install nvidia-cuda-nvdisasm")
    code, symbols, _ = machine_code["sm_90"]
    kernels = sass.disassembled(code)
    return lambda name: sass.loops(kernels[symbols[name]])


@pytest.mark.parametrize("kernel", MULTIPLY_ADDS)
def test_loops_of_products_are_mostly_products(kernel, loops):
    inner = [loop for loop, is_inner in loops(f"{kernel}<float>") if is_inner]
    longest = max(inner, key=lambda loop: loop.total())
    assert longest["FFMA"] == 256  # DEPTH · EACH²
    assert longest["FFMA"] >= MULTIPLY_ADDS[kernel] * longest.total()


@pytest.mark.parametrize(
    "kernel, most", [("fold", 2), ("batch_norm_center", 0), ("batch_norm_gradient", 0)]
)
def test_few_divisions_per_number(kernel, most, loops):
    """Of integers and of floats; each begins with a reciprocal, MUFU."""
    found = loops(f"{kernel}<float>")
    outer = max((loop for loop, _ in found), key=lambda loop: loop.total())
    assert outer["FADD"] and outer["MUFU"] <= most, outer
    assert any(loop["MUFU"] for loop, _ in loops("rmsprop<float>"))  # which divides each one
