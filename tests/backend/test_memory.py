"""`keep_freed_memory`: what is asked of the C library (here a fake), and what it answers."""

import ctypes
import subprocess
import sys

import pytest

from minigan.backend.numpy.memory import keep_freed_memory

TRIM, MAP = -1, -3  # M_TRIM_THRESHOLD and M_MMAP_THRESHOLD of glibc's malloc.h
MIB = 1 << 20


class FakeLibrary:
    """A C library whose `mallopt` says yes to all but what it is told to refuse."""

    def __init__(self, refused=()):
        self.refused, self.calls = refused, []

    def gnu_get_libc_version(self):
        """Only glibc has this."""

    def mallopt(self, setting, value):
        self.calls.append((setting, value))
        return int((setting, value) not in self.refused)


class Musl:
    """Has a `mallopt` that does nothing, and says that it has."""

    def __init__(self):
        self.calls = []

    def mallopt(self, setting, value):
        self.calls.append((setting, value))
        return 1


class NoMallopt:
    """glibc's name, without the function: as other C libraries on Linux."""

    calls = ()

    def gnu_get_libc_version(self):
        """As in `FakeLibrary`."""


@pytest.fixture
def machine(monkeypatch):
    """machine(library, platform="linux"): a process with this C library; returns the library."""
    monkeypatch.delenv("MINIGAN_KEEP_MEMORY", raising=False)

    def build(library, platform="linux"):
        monkeypatch.setattr(sys, "platform", platform)
        monkeypatch.setattr(ctypes, "CDLL", lambda name: library)
        return library

    return build


def test_both_settings_are_asked_for(machine):
    libc = machine(FakeLibrary())
    assert keep_freed_memory() is True
    assert libc.calls == [(MAP, 1024 * MIB), (TRIM, 512 * MIB)]


def test_an_older_library_gets_the_most_that_it_takes(machine):
    libc = machine(FakeLibrary(refused=[(MAP, 1024 * MIB)]))
    assert keep_freed_memory() is True
    assert libc.calls == [(MAP, 1024 * MIB), (MAP, 32 * MIB), (TRIM, 512 * MIB)]


def test_one_setting_alone_is_not_made(machine):
    libc = machine(FakeLibrary(refused=[(MAP, 1024 * MIB), (MAP, 32 * MIB)]))
    assert keep_freed_memory() is False
    assert [setting for setting, _ in libc.calls] == [MAP, MAP]


def test_what_the_second_call_says_is_told(machine):
    libc = machine(FakeLibrary(refused=[(TRIM, 512 * MIB)]))
    assert keep_freed_memory() is False
    assert len(libc.calls) == 2


def test_it_can_be_told_to_leave_the_process_alone(machine, monkeypatch):
    libc = machine(FakeLibrary())
    monkeypatch.setenv("MINIGAN_KEEP_MEMORY", "0")
    assert keep_freed_memory() is False and libc.calls == []
    monkeypatch.setenv("MINIGAN_KEEP_MEMORY", "1")
    assert keep_freed_memory() is True and len(libc.calls) == 2


@pytest.mark.parametrize("platform", ["darwin", "win32", "freebsd14"])
def test_elsewhere_nothing_is_done(platform, machine):
    libc = machine(FakeLibrary(), platform)
    assert keep_freed_memory() is False and libc.calls == []


@pytest.mark.parametrize("library", [Musl, NoMallopt])
def test_without_glibc_nothing_is_done(library, machine):
    libc = machine(library())
    assert keep_freed_memory() is False and not libc.calls


def test_a_process_without_a_library_to_ask(machine, monkeypatch):
    machine(None)

    def fails(name):
        raise OSError("Dynamic loading not supported")

    monkeypatch.setattr(ctypes, "CDLL", fails)
    assert keep_freed_memory() is False


COUNT = """
from minigan.backend.numpy import backend
calls = []
backend.keep_freed_memory = lambda: calls.append(1)
{}
print(len(calls))
"""


@pytest.mark.parametrize(
    "code, calls",
    [
        ("import minigan", 0),
        ("from minigan import get_backend; get_backend('reference')", 0),
        ("from minigan import get_backend; get_backend('numpy'); get_backend('numpy')", 1),
        ("from minigan.backend import NumpyBackend; NumpyBackend(); NumpyBackend()", 1),
    ],
)
def test_it_is_asked_once_when_forms_are_wanted(code, calls):
    """In a process of its own each, as this one has asked already."""
    command = [sys.executable, "-c", COUNT.format(code)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(calls)
