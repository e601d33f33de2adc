"""How the tests of ranks start them."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def start_ranks():
    """start_ranks(count, program, *arguments): the `Popen` of mpiexec; skips without an MPI."""
    pytest.importorskip("mpi4py", reason="needs mpi4py: pip install 'minigan[mpi]'")
    beside = str(Path(sys.executable).parent)
    mpiexec = shutil.which("mpiexec", path=os.pathsep.join([beside, os.environ["PATH"]]))
    if mpiexec is None:
        pytest.skip("needs an mpiexec: pip install 'minigan[mpi]'")
    started = []

    def start(count, program, *arguments):
        paths = [str(HERE.parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])]
        process = subprocess.Popen(
            [mpiexec, "-n", str(count), sys.executable, str(HERE / program), *map(str, arguments)],
            env=os.environ | {"OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(paths)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture(scope="session")
def outcome():
    """outcome(process): its status, its output and its errors, in time."""

    def wait(process, seconds=60):
        out, errors = process.communicate(timeout=seconds)
        return process.returncode, out, errors

    return wait
