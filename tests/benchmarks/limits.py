"""What limits a step: `python tests/benchmarks/limits.py`.

The floor of a step is the time that its matrix products would take at this machine's best
sgemm rate, plus the time to move the optimizers' vectors once at its best copying rate. Printed
are each workload's floor, minigan's time as a multiple of it, the time by layer and method on one
thread and on all, beside PyTorch's by operation if it is installed, and how the step grows with
the batch, the width and the size of images. (Timed one by one, gradients of dense layers are added
to zeros, where a step otherwise writes them: W2 takes 8 % longer for it.)
"""

import argparse
import collections
import dataclasses
import importlib.util
import os
import statistics
import time

import minigan_peer
import numpy as np
import workloads
from threadpoolctl import threadpool_limits
from workloads import WORKLOADS


def best_rates(seconds=1.0):
    """(floating-point operations per second of sgemm, bytes per second of copying), at best."""
    a = np.ones((1536, 1536), np.float32)
    source, target = np.ones(1 << 24, np.float32), np.empty(1 << 24, np.float32)
    product = _best(lambda: np.matmul(a, a, out=np.empty_like(a)), seconds)
    copy = _best(lambda: np.copyto(target, source), seconds)
    return 2 * 1536**3 / product, 2 * source.nbytes / copy


def _best(work, seconds):
    times, deadline = [], time.perf_counter() + seconds
    while time.perf_counter() < deadline:
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def operations(specs, batch, shape):
    """Floating-point operations of one product with every weight, for a batch: one pass.

    A forward pass, a pass back to the input, and one to the weights each cost this once.
    """
    total, size = [], shape[0]
    for kind, *sizes in specs:
        if kind == "dense":
            total.append(2 * batch * sizes[0] * sizes[1])
        elif kind == "reshape":
            size = sizes[0]
        elif kind in ("conv", "convt"):
            small = size // 2 if kind == "conv" else size
            size = size // 2 if kind == "conv" else size * 2
            total.append(2 * batch * small**2 * 16 * sizes[0] * sizes[1])
    return total


def step_operations(workload):
    """Floating-point operations of the products that a step cannot do without."""
    D = operations(workload.discriminator, workload.batch, workload.sample)
    if workload.penalty:  # two plain passes; then up, down, up again with the weights
        return 2 * (3 * sum(D) - D[0]) + 2 * sum(D) + 2 * sum(D)
    G = operations(workload.generator, workload.batch, (1,))
    discriminator_step = sum(G) + 2 * (3 * sum(D) - D[0])
    return discriminator_step + sum(G) + 2 * sum(D) + 2 * sum(G) - G[0]


def floor(workload, rates):
    """(operations, bytes, seconds) that a step needs at least."""
    game = minigan_peer.build(workload, workloads.batches(workload))
    networks = [game.discriminator] + ([] if workload.penalty else [game.generator])
    moved = sum(7 * network.parameters.nbytes for network in networks)  # g, m, v, w in; m, v, w out
    needed = step_operations(workload)
    return needed, moved, needed / rates[0] + moved / rates[1]


def step_time(workload, seconds=1.5, flags=()):
    """Median seconds of a step of minigan."""
    step = minigan_peer.stepper(workload, workloads.batches(workload), flags)
    for i in range(3):
        step(i)
    times, deadline = [], time.perf_counter() + seconds
    while time.perf_counter() < deadline or len(times) < 3:
        start = time.perf_counter()
        step(len(times))
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def by_method(workload, steps=20, flags=()):
    """ "<layer>.<method>" or an optimizer -> (calls, ms) in a step; and the whole step, in ms.

    Of each call the shortest of all steps counts, so that another program hardly shows.
    """
    threadpool_limits(os.cpu_count())  # an earlier one may have had one thread
    networks, optimizers, step = minigan_peer.parts(workload, workloads.batches(workload), flags)
    times = collections.defaultdict(list)

    def timed(name, original):
        def call(*args):
            start = time.perf_counter()
            result = original(*args)
            times[name].append(time.perf_counter() - start)
            return result

        return call

    for network in networks:
        for layer, run in zip(network.layers, network.steps, strict=True):
            for method, original in list(vars(run).items()):  # none of them calls another
                setattr(run, method, timed(f"{layer!r}.{method}", original))
    for optimizer in optimizers:
        size = f"{optimizer.network.parameters.size:,} parameters"
        optimizer.step = timed(f"{type(optimizer).__name__}, {size}", optimizer.step)
    whole = timed("step", step)
    for i in range(steps):
        whole(i)
    total = 1e3 * min(times.pop("step"))
    found = {}
    for name, spent in times.items():
        calls = len(spent) // steps
        shortest = np.reshape(spent, (steps, calls)).min(axis=0)
        found[name] = calls, 1e3 * shortest.sum()
    found["everything else"] = 1, total - sum(ms for _, ms in found.values())
    return dict(sorted(found.items(), key=lambda item: -item[1][1])), total


def of_torch(workload, steps=20):
    """The operations of PyTorch's best variant -> (calls, ms of a processor) in a step."""
    import torch
    import torch_peer

    flags = ("freeze", "fused", *(["cat"] if workload.name[:2] != "W3" else []))
    step = torch_peer.stepper(workload, workloads.batches(workload), flags)
    for i in range(3):
        step(i)
    with torch.profiler.profile() as profile:
        for i in range(steps):
            step(i)
    found = {e.key: (e.count // steps, e.self_cpu_time_total / 1e3 / steps)
             for e in profile.key_averages()}  # fmt: skip
    return dict(sorted(found.items(), key=lambda item: -item[1][1]))


def print_time(name, found, total):
    print(f"\n{name}: {total:.2f} ms")
    for what, (calls, ms) in found.items():
        if ms >= 0.02 * total:
            print(f"  {calls:3} x {what:60} {ms:8.3f} ms {ms / total:4.0%}")


def scaled_mlp(width):
    G, D = [2, width, width, 2], [2, width, width, 1]
    leaky, relu = workloads.LEAKY, workloads.RELU
    return workloads.Workload(
        f"width {width}", 256, workloads.mlp(G, relu), workloads.mlp(D, leaky), 2, (2,)
    )


def scaled_images(size):
    """W3 for images of size × size, a multiple of 4."""
    q = size // 4
    G = [("dense", 100, q * q * 128, False), ("reshape", q, q, 128), *workloads.DCGAN_G[2:]]
    D = [*workloads.DCGAN_D[:5], ("flatten", q * q * 128), ("dense", q * q * 128, 1, True)]
    return workloads.Workload(f"images {size} x {size}", 64, G, D, 100, (size, size, 1))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=1.5, help="of each measurement")
    args = parser.parse_args()
    rates = best_rates()
    print(f"sgemm {rates[0] / 1e9:.0f} GFLOP/s, copying {rates[1] / 1e9:.1f} GB/s")
    print("\nworkload       GFLOP      MB  floor ms     step ms  multiple")
    for name, workload in WORKLOADS.items():
        needed, moved, seconds = floor(workload, rates)
        found = step_time(workload, args.seconds)
        print(f"{name:12} {needed / 1e9:7.2f} {moved / 1e6:7.1f} {1e3 * seconds:9.2f} "
              f"{1e3 * found:11.2f} {found / seconds:9.1f}")  # fmt: skip
    for name, workload in WORKLOADS.items():
        for threads, flags in (("one thread", ["one"]), ("all threads", [])):
            print_time(f"{name}, {threads}", *by_method(workload, flags=flags))
        if importlib.util.find_spec("torch"):
            found = of_torch(workload)
            print_time(f"{name}, PyTorch", found, sum(ms for _, ms in found.values()))
    print("\ngrowth (ms per step; in brackets per sample, or per unit)")
    for batch in (64, 128, 256, 512, 1024):
        workload = dataclasses.replace(WORKLOADS["W3"], batch=batch)
        found = 1e3 * step_time(workload, args.seconds)
        bound = 1e3 * floor(workload, rates)[2]
        times = f"{found:8.1f} ({found / batch:.2f}), {found / bound:.1f} x floor"
        print(f"W3, batch {batch:5}: {times}", flush=True)
    for width in (64, 128, 256, 512):
        found = 1e3 * step_time(scaled_mlp(width), args.seconds)
        print(f"W1, width {width:5}: {found:8.2f} ({found / width**2 * 1e3:.3f} µs / width²)")
    for size in (16, 28, 56):
        found = 1e3 * step_time(scaled_images(size), args.seconds)
        print(f"W3, {size} x {size}: {found:8.1f} ({found / size**2 * 1e3:.1f} µs / pixel)")


if __name__ == "__main__":
    main()
