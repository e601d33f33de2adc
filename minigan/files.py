"""Files that are either whole or not there: written under a temporary name, then renamed.

Whoever is killed, runs out of disk or loses power while writing leaves the old file as it was;
at worst a temporary file stays behind, which `remove_stale` knows by its name.
"""

import contextlib
import errno
import glob
import os
import time
import uuid
from pathlib import Path

__all__ = ["FileError", "chunks", "expanded", "remove_stale", "replacing"]

TEMPORARY = "minigan-part"

#: How a file system says that it cannot do what is asked, not that it failed (CIFS, FUSE, ...).
UNSUPPORTED = (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP)

CHUNK = 1 << 20


class FileError(ValueError):
    """A file whose content cannot be used: `path` says which, `reason` says why."""

    def __init__(self, path, reason):
        super().__init__(path, reason)
        self.path, self.reason = path, reason

    def __str__(self):
        return f"{self.path}: {self.reason}"


def chunks(stream, count):
    """The next `count` bytes of a stream in pieces of at most 1 MiB; fewer where it ends."""
    while count > 0 and (chunk := stream.read(min(CHUNK, count))):
        count -= len(chunk)
        yield chunk


def expanded(path):
    """`path` as a `Path`, with ~ or ~user at its start replaced by that home folder.

    A shell does so only at the start of a word, so `--out=~/x` comes as it was typed. As in a
    shell, ~user stays as it is where there is no such user. Raises FileNotFoundError where ~ is
    asked for and this user has no home folder, as in some containers.
    """
    found = Path(os.path.expanduser(path))
    if found.parts[:1] == ("~",):
        raise FileNotFoundError(
            f"{path}: this user has no home folder: set the environment variable "
            f"{'USERPROFILE' if os.name == 'nt' else 'HOME'}, or write the path without ~"
        )
    return found


@contextlib.contextmanager
def replacing(path):
    """A temporary name beside `path`; renamed to `path` at the end, removed after an error.

    So whoever looks at `path` finds the old file or the whole new one, never half of it. The new
    content is on the disk before its name is; where the file system can promise that, this holds
    after a power failure, too. The file's permissions are those of any new file (see umask).
    """
    path = expanded(path)
    # The same suffix as `path`, by which some writers tell the format.
    temporary = path.parent / f".{path.stem}.{uuid.uuid4().hex}.{TEMPORARY}{path.suffix}"
    open(temporary, "x").close()  # not by `tempfile`, whose files are for their owner alone
    try:
        yield str(temporary)
        _synchronise(temporary, os.O_RDWR)
        os.replace(temporary, path)
    except BaseException:  # KeyboardInterrupt too
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
    if os.name == "posix":  # Windows cannot open a folder
        with contextlib.suppress(OSError):  # the file is whole and in its place: nothing failed
            _synchronise(path.parent, os.O_RDONLY)


def remove_stale(path, seconds=0):
    """Remove what processes that were killed in `replacing(path)` left, and nothing else.

    seconds: only what nobody has written to for so long. Without it, only for a file that no
    other process writes at the moment: it would lose its temporary file.
    """
    path = expanded(path)
    pattern = f".{glob.escape(path.stem)}.*.{TEMPORARY}{glob.escape(path.suffix)}"
    for stale in path.parent.glob(pattern):
        with contextlib.suppress(OSError):  # not ours to remove: it is in nobody's way
            if not seconds or time.time() - stale.stat().st_mtime > seconds:
                stale.unlink()


def _synchronise(path, flags):
    """Wait until a file, or a folder's names, are on the disk, if its file system can do that."""
    handle = os.open(path, flags)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in UNSUPPORTED:
            raise  # the disk is full or broken: the content is lost
    finally:
        os.close(handle)
