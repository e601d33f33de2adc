#!/usr/bin/env bash
# All that only a GPU can tell, in under 9 minutes: `tests/benchmarks/gpu.sh [folder for the log]`.
# Needs minigan[gpu,test] for the Python named in PYTHON (default: python3); compute-sanitizer and a
# PyTorch with CUDA if they are there. Goes on after a failure; the last line says what failed.
set -uo pipefail
cd "$(dirname "$0")/../.."
log=${1:-out/gpu}
mkdir -p "$log"
exec > >(tee "$log/gpu.log") 2>&1
python=${PYTHON:-python3}
export PYTHONPATH="$PWD${PYTHONPATH:+:$PYTHONPATH}" PYTHONUNBUFFERED=1
export MINIGAN_GPU=1 # tests/cuda then runs on the GPU, or fails
options=(-p no:cacheprovider --no-cov -q)
# memcheck sees what CuPy asks the driver for: without the pool, each array by itself
unpooled='import sys, cupy, pytest; cupy.cuda.set_allocator(None); sys.exit(pytest.main(sys.argv[1:]))'
failed=()

part() { # part NAME SECONDS COMMAND...
    echo "== $1 ($(date -u +%FT%TZ))"
    timeout "$2" "${@:3}" || failed+=("$1")
}

nvidia-smi --query-gpu=name,driver_version,clocks.sm,memory.total --format=csv,noheader
part "a GPU that works" 30 "$python" -c \
    'from minigan.backend import get_backend, why; get_backend("cupy"); print(why())'
part "kernels, forms, gradients, training" 120 "$python" -m pytest "${options[@]}" tests/cuda -k gpu
if command -v compute-sanitizer >/dev/null; then
    for tool in memcheck racecheck; do
        part "$tool" 70 compute-sanitizer --tool "$tool" --error-exitcode 1 \
            "$python" -c "$unpooled" "${options[@]}" tests/cuda/test_kernels.py -k "gpu and float32"
    done
else
    echo "compute-sanitizer is not installed: memory and races not checked on the GPU"
fi
part "toy demo" 40 "$python" demos/toy.py --backend cupy --steps 1000 --out "$log/toy"
part "losses beside NumPy's" 100 "$python" tests/benchmarks/gpu.py track
part "step times" 100 "$python" tests/benchmarks/gpu.py time
echo "== failed: ${failed[*]:-nothing}"
[ ${#failed[@]} -eq 0 ]
