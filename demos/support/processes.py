"""A demo on several processes, the "ranks" of `minigan/ranks.py`: started by it, or by mpiexec."""

import builtins
import os
import shutil
import sys
from pathlib import Path

from minigan.ranks import LAUNCHED, RanksError

__all__ = ["only_the_first", "start_again"]


def start_again(processes):
    """Run this demo again, as so many processes, in the place of this one; unless they are.

    Raises RanksError where there is no mpiexec to start them, and in a notebook.
    """
    if processes == 1 or any(name in os.environ for name in LAUNCHED):
        return
    if hasattr(builtins, "__IPYTHON__"):
        raise RanksError("--processes: a notebook is one process; expected a terminal")
    beside_python = str(Path(sys.executable).parent)  # where pip puts it
    mpiexec = shutil.which("mpiexec", path=os.pathsep.join([beside_python, os.environ["PATH"]]))
    if mpiexec is None:
        raise RanksError("--processes needs an MPI: pip install 'minigan[mpi]'")
    sys.stdout.flush()
    program = [mpiexec, "-n", str(processes), sys.executable, *sys.orig_argv[1:]]
    os.execv(mpiexec, program)


def only_the_first(ranks):
    """End all processes but the first, which has pictures to draw."""
    if ranks is not None and ranks.rank > 0:
        raise SystemExit
