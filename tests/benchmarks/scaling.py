"""How ranks scale: `python tests/benchmarks/scaling.py [--workload W3]`.

Measured here: steps of one process over batches, steps of two ranks, sums of small and of large
vectors between two ranks. Fitted to that, a model of a step of n ranks with a batch of N:

    T(n) = a + c N / n + u P / m + k · t₀ · log₂ n + 2 V (n − 1) / n / B        m: shares, n or 1

a, c: what a step costs at least, and per sample (processor time of one core). u: the update, per
parameter P. k: the sums per step (counted), t₀: the time of a small one between two ranks. V: the
bytes of gradients, B: the bytes per second of a large sum (which needs a calm machine). Beyond the
two ranks measured, the model is no measurement: it takes cores as equal, with memory of their own,
and of a network what `NETWORK` assumes.
"""

import argparse
import dataclasses
import json
import math
import os
import pathlib
import subprocess
import sys
import time

import numpy as np
import ranks_peer

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1]))

#: Between machines, assumed: seconds of a small message, bytes per second (25 Gbit/s).
NETWORK = 30e-6, 25e9 / 8

CORES = 8  # of each machine
LARGE = 1 << 16  # numbers of a large sum: few enough to be added up between two interruptions


def best(action, seconds):
    """The shortest processor time of an action in so many seconds: what takes one core alone."""
    times, deadline = [], time.perf_counter() + seconds
    while len(times) < 3 or time.perf_counter() < deadline:
        begin = time.process_time()
        action()
        times.append(time.process_time() - begin)
    return min(times)


def alone(workload, seconds):
    """batch -> seconds of a step, on one core; and of the update alone, per parameter."""
    import minigan_peer
    import workloads
    from threadpoolctl import threadpool_limits

    found = {}
    with threadpool_limits(1):
        for part in (1, 2, 4, 8):
            smaller = dataclasses.replace(workload, batch=workload.batch // part)
            step = minigan_peer.stepper(smaller, workloads.batches(smaller))
            step(0)
            found[smaller.batch] = best(lambda step=step: step(1), seconds)
        game = minigan_peer.build(workload, workloads.batches(workload))
        update = best(game.discriminator_optimizer.step, seconds / 4)
    return found, update / game.discriminator.parameters.size


def on_ranks(workload, seconds):
    """What the first of several ranks measures: a step, its sums, a small sum, a large one."""
    import minigan_peer
    import workloads

    from minigan.backend import get_backend
    from minigan.ranks import Ranks

    ranks = Ranks()
    backend, count = get_backend("numpy").with_ranks(ranks), []
    step = minigan_peer.stepper(workload, workloads.batches(workload), backend=backend)
    wait = ranks._wait
    ranks._wait = lambda request: (count.append(1), wait(request))
    step(0)
    count.clear()
    step(1)
    sums, ranks._wait = len(count), wait
    found = {"sums": sums, "step": min(ranks_peer.steps_of(step, ranks, seconds))}
    busy, steps = time.process_time(), ranks_peer.steps_of(step, ranks, seconds)
    found["processor"] = (time.process_time() - busy) / (len(steps) + 1)
    for name, vector in (("small", np.ones(64)), ("large", np.ones(LARGE, "float32"))):
        times = ranks_peer.steps_of(lambda _, v=vector: ranks.total(v), ranks, seconds / 4)
        found[name] = min(times)
    return ranks.rank, found


def model(found, parameters, batch, ranks, machines=1, share_from=1 << 16):
    """Seconds of a step: see above."""
    a, c = found["fixed"], found["sample"]
    update = found["update"] * parameters
    a, shares = a - update, ranks if parameters >= share_from else 1
    latency, rate = found["small"], found["rate"]
    if machines > 1:
        latency, rate = latency + NETWORK[0], min(rate, NETWORK[1])
    sums = found["sums"] * latency * math.log2(ranks) if ranks > 1 else 0
    moved = 2 * 4 * parameters * (ranks - 1) / ranks / rate
    return a + c * batch / ranks + update / shares + sums + moved


def fit(times, update, pair):
    """a and c by least squares; B from the large sum of two: 2 V (n − 1) / n is V."""
    batches = np.array(list(times), float)
    system = np.stack([np.ones_like(batches), batches], axis=1)
    (fixed, sample), *_ = np.linalg.lstsq(system, np.array(list(times.values())), rcond=None)
    rate = 4 * LARGE / max(pair["large"] - pair["small"], 1e-9)
    return {"fixed": float(fixed), "sample": float(sample), "update": update, "rate": rate, **pair}


def table(found, workload, parameters):
    """Lines: ranks, machines, steps per second of one batch for all, and samples with one each."""
    one = model(found, parameters, workload.batch, 1)
    print("ranks machines | strong: steps/s  speed-up  sums' part | weak: samples/s  efficiency")
    for ranks in (1, 2, 4, 8, 16, 32, 64):
        machines = max(1, ranks // CORES)
        strong = model(found, parameters, workload.batch, ranks, machines)
        weak = model(found, parameters, workload.batch * ranks, ranks, machines)
        silent = {**found, "sums": 0, "rate": math.inf}
        part = 1 - model(silent, parameters, workload.batch, ranks) / strong
        print(f"{ranks:5} {machines:8} | {1 / strong:15.1f} {one / strong:9.2f} {part:11.0%} | "
              f"{workload.batch * ranks / weak:15.0f} {one / weak:11.0%}")  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workload", default="W3")
    parser.add_argument("--seconds", type=float, default=4.0, help="of each measurement")
    parser.add_argument("--rate", type=float, help="B, measured before (default: measured now)")
    parser.add_argument("--ranks", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    from workloads import WORKLOADS

    workload = WORKLOADS[args.workload]
    if args.ranks:
        rank, found = on_ranks(workload, args.seconds)
        if rank == 0:
            print(json.dumps(found))
        return
    times, update = alone(workload, args.seconds)
    program = [ranks_peer.mpiexec(), "-n", "2", sys.executable, __file__, "--ranks"]
    program += ["--workload", args.workload, "--seconds", str(args.seconds)]
    pair = json.loads(subprocess.run(program, stdout=subprocess.PIPE, check=True).stdout)
    import minigan_peer
    import workloads

    networks = minigan_peer.build(workload, workloads.batches(workload)).networks
    parameters = sum(network.parameters.size for network in networks)
    found = fit(times, update, pair)
    found["rate"] = args.rate or found["rate"]
    print(f"{args.workload}, {parameters:,} parameters; load {os.getloadavg()[0]:.1f}")
    print("measured on one core: " + ", ".join(f"{n}: {1e3 * t:.1f} ms" for n, t in times.items()))
    fitted = ", ".join(f"{name} {value:.3g}" for name, value in found.items())
    print(f"measured on two ranks and fitted: {fitted}")
    one, two = (1e3 * model(found, parameters, workload.batch, ranks) for ranks in (1, 2))
    print(f"one rank: {1e3 * times[workload.batch]:.1f} ms measured, {one:.1f} by the model")
    print(f"two ranks: {1e3 * pair['step']:.1f} ms measured, {1e3 * pair['processor']:.1f} ms of "
          f"each one's processor, {two:.1f} by the model")  # fmt: skip
    table(found, workload, parameters)


if __name__ == "__main__":
    main()
