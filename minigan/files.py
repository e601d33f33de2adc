"""Files that are either whole or not there: written under a temporary name, then renamed.

Whoever is killed, runs out of disk or loses power while writing leaves the old file as it was;
at worst a temporary file stays behind, which `remove_stale` knows by its name.
"""

import contextlib
import glob
import os
import tempfile
from pathlib import Path

__all__ = ["remove_stale", "replacing"]

TEMPORARY = "minigan-part"


@contextlib.contextmanager
def replacing(path):
    """A temporary name beside `path`; renamed to `path` at the end, removed after an error.

    So whoever looks at `path` finds the old file or the whole new one, never half of it: also
    after a power failure, since the new content is on the disk before its name is.
    """
    path = Path(path)
    # The same suffix as `path`, by which some writers tell the format.
    handle, temporary = tempfile.mkstemp(
        f".{TEMPORARY}{path.suffix}", f".{path.stem}.", path.parent
    )
    os.close(handle)
    try:
        yield temporary
        _synchronise(temporary, os.O_RDWR)
        os.chmod(temporary, 0o644)  # mkstemp's files are for their owner alone
        os.replace(temporary, path)
    except BaseException:  # KeyboardInterrupt too
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
    if os.name == "posix":  # elsewhere, folders cannot be opened
        _synchronise(path.parent, os.O_RDONLY)


def remove_stale(path):
    """Remove what processes that were killed in `replacing(path)` left, and nothing else.

    Only for a file that no other process writes at the moment: it would lose its temporary file.
    """
    path = Path(path)
    pattern = f".{glob.escape(path.stem)}.*.{TEMPORARY}{glob.escape(path.suffix)}"
    for stale in path.parent.glob(pattern):
        with contextlib.suppress(OSError):  # not ours to remove: it is in nobody's way
            stale.unlink()


def _synchronise(path, mode):
    """Wait until the file or folder is on the disk."""
    handle = os.open(path, mode)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
