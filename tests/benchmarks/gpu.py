"""minigan on a GPU: `python tests/benchmarks/gpu.py track` and `... time`; see gpu.sh.

track: the losses of 1,000 steps on the GPU beside those of NumPy, from the same seed and batches.
time: milliseconds per step, beside PyTorch on the same GPU and beside the floor; "queued" is the
time in which Python queues a step: where it equals the step's, Python is the limit. All in plain
float32: PyTorch's default for convolutions, TF32, is faster and less exact, and is switched off.
"""

import argparse
import statistics
import sys
import time

import limits
import minigan_peer
import numpy as np
from workloads import WORKLOADS, batches

import minigan as mg
from minigan.backend import CupyBackend, get_backend, why
from minigan.data import Batches, toy

STEPS, EXACT = 1000, 20  # of training; of them, steps in which rounding has not grown yet


# %% Do the losses track NumPy's?


def rectangles(n, rng):
    """n images (28, 28, 1) in [-1, 1] of one bright rectangle each."""
    y, x = np.mgrid[:28, :28]
    top, left = rng.integers(0, 18, (2, n, 1, 1))
    height, width = rng.integers(4, 11, (2, n, 1, 1))
    inside = (y >= top) & (y < top + height) & (x >= left) & (x < left + width)
    return np.where(inside, 1, -1)[..., None].astype("float32")


def losses(workload, backend):
    """Both players' losses (steps, 2) of the game of a workload, on real data."""
    rng = np.random.default_rng(0)
    real = Batches(toy("ring"), workload.batch, rng)
    if len(workload.sample) == 3:
        real = (rectangles(workload.batch, rng) for _ in range(STEPS))
    game = minigan_peer.build(workload, batches(workload), backend=backend)
    game.latent = mg.NormalLatent(workload.latent)
    records = list(mg.train(game, real, STEPS))
    return np.array([(r.discriminator_loss, r.generator_loss) for r in records])


def track():
    good = True
    for name in ("W1", "W3"):
        found = {b: losses(WORKLOADS[name], b) for b in ("numpy", "cupy")}
        early = np.abs(found["cupy"] - found["numpy"])[:EXACT].max()
        good &= bool(early < 1e-3) and all(np.isfinite(x).all() for x in found.values())
        print(f"\n{name}: largest difference of a loss in the first {EXACT} steps {early:.1e}")
        for first, last in ((0, EXACT), (EXACT, 100), (100, 300), (300, STEPS)):
            means = (f"{b} D {x[0]:.4f} G {x[1]:.4f}" for b, y in found.items()
                     for x in [y[first:last].mean(axis=0)])  # fmt: skip
            print(f"  mean of steps {first + 1} to {last}: {', '.join(means)}")
    return good


# %% How long does a step take?


def milliseconds(step, wait, seconds=1.0):
    """(ms per step, ms in which Python queues a step), medians over ten rounds."""
    for i in range(10):
        step(i)
    wait()
    start = time.perf_counter()
    step(0)
    wait()
    count = max(3, int(seconds / 10 / (time.perf_counter() - start)))
    whole, queued = [], []
    for _ in range(10):
        start = time.perf_counter()
        for i in range(count):
            step(i)
        queued.append(time.perf_counter() - start)
        wait()
        whole.append(time.perf_counter() - start)
    return tuple(1e3 * statistics.median(times) / count for times in (whole, queued))


def minigan_step(workload, backend):
    on_gpu = [[backend.asarray(a) for a in batch] for batch in batches(workload)]
    if workload.penalty:  # the weights of the penalty are random numbers of the host
        on_gpu = [(*a, w) for a, (*_, w) in zip(([*b[:2]] for b in on_gpu), batches(workload),
                                                strict=True)]  # fmt: skip
    return minigan_peer.stepper(workload, on_gpu, backend=backend)


def graph_step(workload, backend):
    """As `train` makes a step with CUDA graphs; the batch is on the GPU already."""
    on_gpu = [[backend.asarray(a) for a in batch] for batch in batches(workload)]
    game = minigan_peer.build(workload, on_gpu, backend=backend)
    game.real = lambda batch: batch
    step = backend.stepper(game)
    return lambda i: step(iter([on_gpu[i % len(on_gpu)][0]]))


def torch_step(workload, compiled):
    import torch
    import torch_peer

    torch.set_default_device("cpu")
    torch.backends.cudnn.allow_tf32 = False
    if workload.penalty:
        return _torch_critic_step(workload, torch, torch_peer)
    G, D, data, *_ = torch_peer.build(workload, batches(workload), ())
    G, D, data = G.cuda(), D.cuda(), [[a.cuda() for a in batch] for batch in data]
    torch.set_default_device("cuda")
    optimizer_g, optimizer_d = (
        torch.optim.Adam(network.parameters(), fused=True, **minigan_peer.RATES)
        for network in (G, D)
    )
    loss_d, loss_g = torch_peer.losses(G, D, workload.batch, ())
    if compiled:
        loss_d, loss_g = torch.compile(loss_d), torch.compile(loss_g)

    def step(i):
        real, z_d, z_g = data[i % len(data)]
        optimizer_d.zero_grad(set_to_none=True)
        loss_d(real, z_d).backward()
        optimizer_d.step()
        D.requires_grad_(False)
        optimizer_g.zero_grad(set_to_none=True)
        loss_g(z_g).backward()
        optimizer_g.step()
        D.requires_grad_(True)

    return step


def _torch_critic_step(workload, torch, torch_peer):
    D, _ = torch_peer.build_player(
        workload.discriminator, minigan_peer.critic(workload), torch.float32
    )
    D = D.cuda()
    data = [[torch_peer.channels_first(a, torch.float32).cuda() for a in batch]
            for batch in batches(workload)]  # fmt: skip
    optimizer = torch.optim.Adam(D.parameters(), fused=True, **minigan_peer.RATES)

    def step(i):
        optimizer.zero_grad(set_to_none=True)
        torch_peer.critic_loss(D, *data[i % len(data)], ()).backward()
        optimizer.step()

    return step


def rates(xp, wait):
    """(floating-point operations per second of sgemm, bytes per second of copying) on the GPU."""
    a, source = xp.ones((8192, 8192), "float32"), xp.ones(1 << 28, "float32")
    product = milliseconds(lambda i: xp.dot(a, a), wait)[0] / 1e3
    copy = milliseconds(lambda i: source.copy(), wait)[0] / 1e3
    return 2 * 8192**3 / product, 2 * source.nbytes / copy


def measure(names):
    xp = get_backend("cupy").xp
    wait = xp.cuda.Device().synchronize
    best = rates(xp, wait)
    print(f"sgemm {best[0] / 1e12:.1f} TFLOP/s, copying {best[1] / 1e12:.2f} TB/s")
    contenders = {
        "minigan": lambda w: minigan_step(w, get_backend("cupy")),
        "minigan, direct": lambda w: minigan_step(w, CupyBackend(convolutions="direct")),
        "graphs": lambda w: graph_step(w, get_backend("cupy")),
        "graphs, direct": lambda w: graph_step(w, CupyBackend(convolutions="direct")),
        "torch eager": lambda w: torch_step(w, False),
        "torch compiled": lambda w: torch_step(w, True),
    }
    for name in names:
        workload = WORKLOADS[name]
        floor = 1e3 * limits.floor(workload, best)[2]
        print(f"\n{name:20} {'ms':>8} {'queued':>8}   floor {floor:.3f} ms")
        for contender, build in contenders.items():
            if workload.penalty and contender.startswith(("torch compiled", "graphs")):
                continue  # torch.compile cannot differentiate twice; the critic's step is no game's
            try:
                ms, queued = milliseconds(build(workload), wait)
                print(f"  {contender:18} {ms:8.3f} {queued:8.3f}", flush=True)
            except Exception as error:  # PyTorch without CUDA, say: the others still run
                print(f"  {contender:18} {type(error).__name__}: {str(error).splitlines()[:1]}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["track", "time"])
    parser.add_argument("--workloads", nargs="+", default=["W1", "W1-wide", "W2", "W3", "W3-128",
                        "W4-mlp", "W4-conv"], choices=WORKLOADS)  # fmt: skip
    options = parser.parse_args()
    print(why())
    if options.what == "time":
        measure(options.workloads)
    elif not track():
        sys.exit("the losses do not track NumPy's")
