"""Starting a demo again as several processes."""

import builtins
import sys

import pytest

from minigan.ranks import LAUNCHED, RanksError
from support import processes


@pytest.fixture
def replaced(monkeypatch):
    """What this process would be replaced by."""
    for name in LAUNCHED:
        monkeypatch.delenv(name, raising=False)
    programs = []
    monkeypatch.setattr(processes.os, "execv", lambda path, program: programs.append(program))
    monkeypatch.setattr(processes.shutil, "which", lambda name, path: f"/there/{name}")
    return programs


def test_the_same_program_starts_again(replaced, monkeypatch):
    monkeypatch.setattr(sys, "orig_argv", ["python3", "-u", "toy.py", "--seed", "1"])
    processes.start_again(3)
    command = ["/there/mpiexec", "-n", "3", sys.executable, "-u", "toy.py", "--seed", "1"]
    assert replaced == [command]


def test_one_process_is_enough_for_one(replaced, monkeypatch):
    processes.start_again(1)
    monkeypatch.setenv("PMI_RANK", "0")  # it has been started so
    processes.start_again(3)
    assert replaced == []


def test_where_it_cannot_be(replaced, monkeypatch):
    monkeypatch.setattr(processes.shutil, "which", lambda name, path: None)
    with pytest.raises(RanksError, match=r"--processes needs an MPI: pip install 'minigan\[mpi\]'"):
        processes.start_again(2)
    monkeypatch.setattr(builtins, "__IPYTHON__", True, raising=False)
    with pytest.raises(RanksError, match="a notebook is one process"):
        processes.start_again(2)


def test_all_but_the_first_end():
    class Second:
        rank = 1

    processes.only_the_first(None)
    with pytest.raises(SystemExit):
        processes.only_the_first(Second)
