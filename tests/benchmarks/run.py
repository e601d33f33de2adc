"""Time minigan beside its peers: `python tests/benchmarks/run.py [--workloads W1 W3] [--rounds 7]`.

Every contender lives in a process of its own and works only while it is asked to; the contenders
take turns, A B C A B C, so that a busy machine slows them all alike. Printed are medians over
all steps and ratios of medians, minigan / peer: below 1, minigan is faster. The ratio beside
"minigan, no penalty" (W4 only) is what a gradient penalty costs: at most 3.5 plain critic steps.
"""

import argparse
import importlib
import importlib.metadata
import importlib.util
import json
import multiprocessing
import os
import pathlib
import platform
import resource
import statistics
import sys
import time

CONTENDERS = {
    "minigan": ("minigan_peer", ()),
    "minigan, one thread": ("minigan_peer", ("one",)),
    "minigan, two ranks": ("ranks_peer", (2,)),
    "minigan, no penalty": ("minigan_peer", ("plain",)),
    "naive NumPy": ("naive_peer", ()),
    "torch eager": ("torch_peer", ()),
    "torch best": ("torch_peer", ("freeze", "fused", "cat")),
    "torch best, channels last": ("torch_peer", ("freeze", "fused", "channels_last")),
    "torch best, one thread": ("torch_peer", ("freeze", "fused", "cat", "one")),
    "JAX": ("jax_peer", ()),
    "JAX, ten steps per call": ("jax_peer", ("ten",)),
    "JAX, one thread": ("jax_peer", ("one",)),
    "JAX, ten per call, one thread": ("jax_peer", ("ten", "one")),
}
#: What a contender may need that is not here: its module, and what it imports.
OPTIONAL = {"torch_peer": "torch", "jax_peer": "jax"}


def contend(pipe, module, workload_name, flags):
    """A contender's process: build, then time steps for as long as each request says."""
    start = time.perf_counter()
    sys.path[:0] = [str(pathlib.Path(__file__).parent), str(pathlib.Path(__file__).parents[2])]
    peer = importlib.import_module(module)
    workloads = importlib.import_module("workloads")
    workload = workloads.WORKLOADS[workload_name]
    flags = flags if workload_name[:2] != "W3" else [f for f in flags if f != "cat"]
    step = peer.stepper(workload, workloads.batches(workload), flags)
    step(0)
    pipe.send(time.perf_counter() - start)
    count, each = 1, 10 if "ten" in flags else 1
    while (seconds := pipe.recv()) > 0:
        times, deadline = [], time.perf_counter() + seconds
        while time.perf_counter() < deadline or len(times) < 3:
            begin = time.perf_counter()
            step(count)
            times.append((time.perf_counter() - begin) / each)
            count += 1
        pipe.send(times[1:])  # the first step after a pause finds cold caches
    pipe.send(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def measure(workload, names, rounds, seconds):
    """name -> {"ms": median step, "p10", "p90", "first_s", "peak_mib"}; turns alternate."""
    context = multiprocessing.get_context("spawn")
    pipes, processes, first, times = {}, {}, {}, {name: [] for name in names}
    for name in names:
        module, flags = CONTENDERS[name]
        if module == "ranks_peer":
            pipes[name], processes[name] = importlib.import_module(module).start(*flags, workload)
        else:
            pipes[name], theirs = context.Pipe()
            arguments = theirs, module, workload, flags
            processes[name] = context.Process(target=contend, args=arguments, daemon=True)
            processes[name].start()
        first[name] = pipes[name].recv()
    for turn in range(rounds + 1):
        for name in names:
            pipes[name].send(seconds)
            found = pipes[name].recv()
            if turn:  # the first round warms up
                times[name] += found
    results = {}
    for name in names:
        pipes[name].send(0)
        ordered = sorted(1e3 * t for t in times[name])
        results[name] = {
            "ms": statistics.median(ordered),
            "p10": ordered[len(ordered) // 10],
            "p90": ordered[len(ordered) * 9 // 10],
            "first_s": first[name],
            "peak_mib": pipes[name].recv(),
        }
        if hasattr(processes[name], "join"):
            processes[name].join()
        else:
            processes[name].wait()  # of mpiexec
    return results


def takes_part(name, workload):
    """Naive NumPy knows whole games alone; only a critic's step has a penalty to omit.

    Inside a loop, XLA computes convolutions on one core, and slowly: ten steps of W3 take 12 s.
    """
    module, flags = CONTENDERS[name]
    if "ten" in flags and len(workload.sample) == 3:
        return False
    if workload.penalty:
        return module != "naive_peer"
    return "plain" not in flags


def machine():
    """What the figures were measured on."""
    describe_blas = importlib.import_module("minigan.backend.blas").describe_blas
    versions = {}
    for package in ("numpy", "torch", "jax"):
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = "not installed"
    return {"processor": platform.machine(), "cores": os.cpu_count(),
            "python": platform.python_version(), **versions, "blas": describe_blas()}  # fmt: skip


def choose_kernels(name):
    """Have every contender's OpenBLAS take these kernels; by None those that it takes by itself.

    Before NumPy is loaded. An OPENBLAS_CORETYPE from outside would hold NumPy to an older CPU's
    instructions, and leave PyTorch, whose convolutions are not OpenBLAS's, all of this one's.
    """
    inherited = os.environ.pop("OPENBLAS_CORETYPE", None)
    if name is not None:
        os.environ["OPENBLAS_CORETYPE"] = name
    elif inherited:
        print(f"OPENBLAS_CORETYPE={inherited} is not used here; --kernels {inherited} would")


def main():
    sys.path[:0] = [str(pathlib.Path(__file__).parent), str(pathlib.Path(__file__).parents[2])]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workloads", nargs="+", metavar="NAME", help="(default: all)")
    parser.add_argument("--contenders", nargs="+", default=list(CONTENDERS), choices=CONTENDERS)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=1.0, help="of each turn")
    parser.add_argument("--kernels", help="of OpenBLAS, like Haswell (default: its own choice)")
    parser.add_argument("--json", help="also write the figures to this file")
    args = parser.parse_args()
    choose_kernels(args.kernels)
    workloads = importlib.import_module("workloads").WORKLOADS
    if unknown := set(args.workloads or ()) - set(workloads):
        parser.error(f"unknown workloads {sorted(unknown)}: expected some of {list(workloads)}")
    missing = [peer for peer, needs in OPTIONAL.items() if importlib.util.find_spec(needs) is None]
    if importlib.import_module("ranks_peer").mpiexec() is None:
        missing.append("ranks_peer")
    args.contenders = [name for name in args.contenders if CONTENDERS[name][0] not in missing]
    everything = {"machine": machine()}
    print(everything["machine"])
    for workload in args.workloads or workloads:
        names = [name for name in args.contenders if takes_part(name, workloads[workload])]
        results = measure(workload, names, args.rounds, args.seconds)
        everything[workload] = results
        print(f"\n{workload:32} {'ms':>8} {'p10':>8} {'p90':>8} {'MiB':>6} {'first s':>8}  ratio")
        for name, r in results.items():
            ratio = results.get("minigan", r)["ms"] / r["ms"]
            print(f"  {name:30} {r['ms']:8.3f} {r['p10']:8.3f} {r['p90']:8.3f} "
                  f"{r['peak_mib']:6.0f} {r['first_s']:8.2f}  {ratio:.2f}", flush=True)  # fmt: skip
    if args.json:
        pathlib.Path(args.json).write_text(json.dumps(everything, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
