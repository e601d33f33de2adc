"""What becomes of training that is killed, of broken files, and of threads.

    python tests/benchmarks/faults.py kill --count 50       about two minutes
    python tests/benchmarks/faults.py fuzz --count 100000   some minutes
    python tests/benchmarks/faults.py threads

kill: short training runs in processes of their own, each killed at a random moment and
resumed; the final parameters must be those of the uninterrupted run, bit for bit. fuzz: mutated
idx, gzip and checkpoint files; each must be read or refused with the loader's own error. threads:
how far training with one and with two threads of the BLAS library differ. The test suite runs the
same functions with smaller numbers.
"""

import argparse
import collections
import gzip
import hashlib
import os
import random
import struct
import subprocess
import sys
import tempfile
import time
import tracemalloc
import zlib
from pathlib import Path

import numpy as np

from minigan import (
    GAN,
    Adam,
    BatchNorm,
    CheckpointError,
    Dense,
    Dropout,
    LeakyReLU,
    NormalLatent,
    Sequential,
    load_checkpoint,
    save_checkpoint,
    train,
)
from minigan.data import Batches
from minigan.data.idx import IdxError, encode_idx, read_idx
from minigan.runs.session import Session

# Killed and resumed ----------------------------------------------------------------------------

STEPS, EVERY = 60, 2  # saved so often that many kills hit a checkpoint being written


def small_game():
    """A game in which everything that can be forgotten would be seen, and its batches."""
    data, weights, noise = np.random.default_rng(1).spawn(3)
    layers = [Dense(3, 32), BatchNorm(32), LeakyReLU(), Dropout(0.2), Dense(32, 2)]
    G = Sequential(layers, (3,), rng=weights)
    D = Sequential([Dense(2, 32), LeakyReLU(), Dropout(0.2), Dense(32, 1)], (2,), rng=weights)
    optimizers = {"generator_optimizer": Adam(G), "discriminator_optimizer": Adam(D)}
    options = {"latent": NormalLatent(3), "rng": noise, "average_decay": 0.9}
    game = GAN(G, D, "non-saturating", **optimizers, **options)
    return game, Batches(np.random.default_rng(2).normal(size=(100, 2)), 16, data)


def victim(folder, pause):
    """Train to the end, from wherever the checkpoint in `folder` is; leave the digest there."""
    game, batches = small_game()
    history = {"losses": []}
    session = Session(Path(folder, "run.npz"), game, batches, every=EVERY, history=history)
    session.resume()
    print("ready", flush=True)
    for record in session.run(train(game, batches, STEPS - game.steps)):
        history["losses"].append(record.generator_loss)
        time.sleep(pause)
    digest = hashlib.sha256(repr(history).encode())
    for vector in ("parameters", "buffers"):
        for network in (game.generator, game.discriminator, game.average.network):
            digest.update(getattr(network, vector).tobytes())
    Path(folder, "digest").write_text(digest.hexdigest(), encoding="utf-8")


def kill(count, seed=0, pause=0.002):
    """Kill `count` times: final digests of the killed runs, that of an uninterrupted one, and
    how many kills left a temporary file.

    After each kill the next process resumes, until one finishes; then a new run begins. Raises
    AssertionError if a temporary file survives the next start.
    """
    rng, digests, killed, written = random.Random(seed), set(), 0, 0
    with tempfile.TemporaryDirectory() as place:
        whole = Path(place, "whole")
        whole.mkdir()
        with start(whole, pause) as process:
            assert process.wait() == 0
        while killed < count:
            folder, stale = Path(tempfile.mkdtemp(dir=place)), []
            while not (folder / "digest").exists():
                with start(folder, pause) as process:
                    process.stdout.readline()  # "ready": the start, which cleans up, is over
                    assert not any(path.exists() for path in stale), stale
                    try:
                        most = 1.2 * STEPS * (pause + 0.004)
                        process.wait(rng.uniform(0, most) if killed < count else None)
                    except subprocess.TimeoutExpired:
                        process.kill()
                        killed += 1
                stale = list(folder.glob(".*"))
                written += len(stale)
            digests.add((folder / "digest").read_text(encoding="utf-8"))
            assert {path.name for path in folder.iterdir()} == {"run.npz", "digest"}
        return digests, (whole / "digest").read_text(encoding="utf-8"), written


def start(folder, pause):
    command = [sys.executable, __file__, "victim", str(folder), str(pause)]
    root = str(Path(__file__).resolve().parents[2])
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": root}
    return subprocess.Popen(command, stdout=subprocess.PIPE, env=environment)


# Broken files ----------------------------------------------------------------------------------

INTERESTING = [b"\0", b"\xff", b"\xff" * 4, b"\x7f\xff\xff\xff", b"\0" * 8, b"\xff" * 8, b"PK\1\2"]
MAX_BYTES = 1 << 22  # that the idx loader may believe a header


def mutate(content, rng):
    """One to four changes: bits, numbers, pieces removed, doubled or moved, truncation."""
    content = bytearray(content)
    for _ in range(rng.choice([1, 1, 2, 4])):
        i, j = (rng.randrange(len(content) + 1) for _ in range(2))
        i = rng.choice([i, min(i, 40), len(content) - min(i, 120)])  # headers, and directories
        piece = bytes(content[min(i, j) : max(i, j)][:300])
        kind = rng.randrange(8)
        if kind < 3 and content:
            content[min(i, len(content) - 1)] ^= 1 << rng.randrange(8)
        elif kind == 3:
            value = rng.choice(INTERESTING)
            content[i : i + len(value)] = value
        elif kind == 4:
            content[i : i + rng.randrange(1, 20)] = b""
        elif kind == 5:
            content[i:i] = piece
        elif kind == 6:
            content[i : i + len(piece)] = piece
        else:
            del content[i:]
    return bytes(content)


def seal(content):
    """With the right checksum at its end, so that what lies behind it is met, too."""
    body = content[:-64]
    return body + hashlib.sha256(body).hexdigest().encode()


def mend(content):
    """A zip archive with every member's own checksum right."""
    content, at = bytearray(content), 0
    while (at := content.find(b"PK\1\2", at)) >= 0:
        fields = content[at : at + 46]
        if len(fields) == 46:
            size, name, offset = (
                struct.unpack_from(form, fields, place)[0]
                for form, place in (("<I", 24), ("<H", 28), ("<I", 42))
            )
            extra = struct.unpack_from("<H", content[offset : offset + 30].ljust(30), 28)[0]
            begin = offset + 30 + name + extra
            content[at + 16 : at + 20] = struct.pack(
                "<I", zlib.crc32(content[begin : begin + size])
            )
        at += 4
    return bytes(content)


def fuzz(count, seed=0, folder=None):
    """`count` mutated files; how often each kind was read and refused, and the largest peak.

    Whatever is raised beside the loaders' own errors is not caught. The peak is the most bytes
    that Python and NumPy allocated while reading one file, for one file in twenty.
    """
    rng, found, peak = random.Random(seed), collections.Counter(), 0
    with tempfile.TemporaryDirectory(dir=folder) as place:
        path = Path(place, "file")
        game, batches = small_game()
        list(train(game, batches, 2))
        save_checkpoint(path, game, batches, history={"losses": [1.5, np.eye(2)]})
        checkpoint, idx = path.read_bytes(), real_idx()
        before = game.generator.parameters.tobytes(), game.rng.bit_generator.state
        kinds = {
            "idx": lambda: mutate(idx, rng),
            "idx.gz": lambda: mutate(gzip.compress(idx, 1), rng),
            "idx in good gzip": lambda: gzip.compress(mutate(idx, rng), 1),
            "checkpoint": lambda: mutate(checkpoint, rng),
            "checkpoint, sealed": lambda: seal(mutate(checkpoint, rng)),
            "checkpoint, mended": lambda: seal(mend(mutate(checkpoint, rng))),
        }
        for i in range(count):
            kind = rng.choice(list(kinds))
            content = kinds[kind]()
            path.write_bytes(content)
            measure = i % 20 == 0
            if measure:
                tracemalloc.start()
            try:
                if kind.startswith("idx"):
                    array = read_idx(path, max_bytes=MAX_BYTES)
                    assert array.nbytes <= MAX_BYTES
                else:
                    load_checkpoint(path, game, batches)
                    assert kind != "checkpoint" or content == checkpoint, "a change was not seen"
                found[kind, "read"] += 1
            except (IdxError, CheckpointError):
                found[kind, "refused"] += 1
                if not kind.startswith("idx"):
                    now = game.generator.parameters.tobytes(), game.rng.bit_generator.state
                    assert now == before, "a checkpoint that was refused has changed the game"
            finally:
                if measure:
                    peak = max(peak, tracemalloc.get_traced_memory()[1])
                    tracemalloc.stop()
            if not kind.startswith("idx"):
                before = game.generator.parameters.tobytes(), game.rng.bit_generator.state
    return found, peak


def real_idx():
    """The labels of MNIST's test images if they are here, else as many of our own."""
    folder = os.environ.get("MINIGAN_DATA")
    paths = Path(folder).glob("**/t10k-labels*idx1-ubyte.gz") if folder else ()
    for path in paths:
        return gzip.decompress(path.read_bytes())
    return encode_idx(np.random.default_rng(0).integers(0, 10, 10_000).astype(np.uint8))


# Threads ---------------------------------------------------------------------------------------


def threads():
    """The largest relative difference of parameters after training with 1 and with 2 threads."""
    from threadpoolctl import threadpool_limits

    for width, steps in ((32, 100), (256, 100), (512, 100)):
        parameters = []
        for number in (1, 1, 2, 2):
            rng = np.random.default_rng(0)
            G = Sequential([Dense(64, width), LeakyReLU(), Dense(width, 64)], (64,), rng=rng)
            D = Sequential([Dense(64, width), LeakyReLU(), Dense(width, 1)], (64,), rng=rng)
            optimizers = {"generator_optimizer": Adam(G), "discriminator_optimizer": Adam(D)}
            game = GAN(G, D, "non-saturating", latent=NormalLatent(64), rng=rng, **optimizers)
            with threadpool_limits(number):
                x = np.random.default_rng(1).normal(size=(256, 64))
                list(train(game, [x] * steps, steps))
            parameters.append(np.concatenate([G.parameters, D.parameters]))
        same = [np.array_equal(*pair) for pair in (parameters[:2], parameters[2:])]
        difference = np.abs(parameters[2] - parameters[0]).max() / np.abs(parameters[0]).max()
        print(f"width {width}, {steps} steps: the same bits with one thread twice: {same[0]}, with")
        print(f"  two twice: {same[1]}; one against two: {difference:.1e} of the largest parameter")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("work", choices=["kill", "fuzz", "threads"])
    parser.add_argument("--count", type=int, help="(default: 50 kills, 100,000 files)")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    began = time.perf_counter()
    if args.work == "kill":
        count = args.count or 50
        digests, expected, written = kill(count, args.seed)
        verdict = "as uninterrupted" if digests == {expected} else "DIFFERENT"
        print(f"{count} kills, {written} of them in a write: final parameters {verdict}")
    elif args.work == "fuzz":
        found, peak = fuzz(args.count or 100_000, args.seed)
        for (kind, end), number in sorted(found.items()):
            print(f"{kind:20} {end:8} {number:7,}")
        import resource  # which Windows does not have

        resident = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(
            f"peak while reading a file {peak / 2**20:.2f} MiB, of the process {resident:.0f} MiB"
        )
    else:
        threads()
    print(f"{time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    if sys.argv[1:2] == ["victim"]:
        victim(sys.argv[2], float(sys.argv[3]))
    else:
        main()
