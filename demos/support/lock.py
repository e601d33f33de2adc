"""A folder for one run at a time.

The lock is the operating system's: it ends with the process that holds it, also if that is killed.
Where a file system has no locks, there is none, and nothing is said.
"""

import contextlib
import os
import weakref

__all__ = ["FolderTaken", "lock"]

#: The locks that this process holds, by the folder.
_held = weakref.WeakValueDictionary()


class FolderTaken(Exception):
    """Another process holds the folder."""


class Lock:
    """An open file; closed when nobody needs the lock any more."""

    def __init__(self, folder):
        with contextlib.suppress(OSError, ImportError):  # no locks here
            handle, acquire = _on_windows(folder) if os.name == "nt" else _on_posix(folder)
            weakref.finalize(self, os.close, handle)
            try:
                acquire()
            except (BlockingIOError, PermissionError):  # the second on Windows
                raise FolderTaken(folder) from None


def _on_posix(folder):
    import fcntl

    handle = os.open(folder, os.O_RDONLY)  # the folder itself: nothing is left behind in it
    return handle, lambda: fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _on_windows(folder):
    import msvcrt

    handle = os.open(os.path.join(folder, ".running"), os.O_RDWR | os.O_CREAT)
    return handle, lambda: msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)


def lock(folder):
    """(a lock of that folder, whether this process has held it already).

    It is held until the last reference to it is gone. Raises FolderTaken if another process holds
    it.
    """
    name = os.path.realpath(folder)
    held = _held.get(name)
    if held is not None:
        return held, True
    _held[name] = fresh = Lock(name)
    return fresh, False
