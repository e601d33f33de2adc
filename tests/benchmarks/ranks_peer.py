"""minigan on several ranks: a contender of `run.py`, which starts it by mpiexec.

    mpiexec -n 2 python ranks_peer.py ADDRESS WORKLOAD

The first rank is asked and answers; the others do as many steps as it does.
"""

import importlib.util
import os
import pathlib
import shutil
import subprocess
import sys
import time
from multiprocessing.connection import Client, Listener

HERE = pathlib.Path(__file__).parent


def mpiexec():
    """The path of mpiexec, beside Python or elsewhere, or None if there is none (or no mpi4py)."""
    places = [str(pathlib.Path(sys.executable).parent), os.environ["PATH"]]
    found = shutil.which("mpiexec", path=os.pathsep.join(places))
    return found if importlib.util.find_spec("mpi4py") else None


def start(count, workload):
    """(a connection to the first of so many ranks, their process)."""
    with Listener(("127.0.0.1", 0), authkey=b"ranks") as listener:
        port = str(listener.address[1])
        program = [mpiexec(), "-n", str(count), sys.executable, __file__, port, workload]
        process = subprocess.Popen(program)
        return listener.accept(), process


def steps_of(step, ranks, seconds):
    """The times of steps for so many seconds, which the first rank measures."""
    times, deadline = [], time.perf_counter() + seconds
    while ranks.largest(ranks.rank == 0 and (time.perf_counter() < deadline or len(times) < 3)):
        begin = time.perf_counter()
        step(len(times))
        times.append(time.perf_counter() - begin)
    return times[1:]


def main(port, workload):
    begin = time.perf_counter()
    sys.path[:0] = [str(HERE), str(HERE.parents[1])]
    import minigan_peer
    from workloads import WORKLOADS, batches

    from minigan.backend import get_backend
    from minigan.ranks import Ranks

    ranks = Ranks()
    backend = get_backend("numpy").with_ranks(ranks)
    pipe = Client(("127.0.0.1", int(port)), authkey=b"ranks") if ranks.rank == 0 else None
    step = minigan_peer.stepper(
        WORKLOADS[workload], batches(WORKLOADS[workload]), (), backend=backend
    )
    step(0)
    if pipe:
        pipe.send(time.perf_counter() - begin)
    while seconds := ranks.largest(pipe.recv() * 1000 if pipe else 0) / 1000:
        times = steps_of(step, ranks, seconds)
        if pipe:
            pipe.send(times)
    if pipe:
        import resource  # not on Windows

        pipe.send(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


if __name__ == "__main__":
    main(*sys.argv[1:])
