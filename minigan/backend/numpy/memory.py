"""Keep freed memory: two settings of the C library that save a fifth to a third of a step.

A layer's output is a fresh array. glibc takes a large one from the system and gives it back when it
is freed, so that every step pays for the same pages again: the system has to find them and fill
them with zeros. With these two thresholds glibc keeps up to KEPT bytes of freed memory for the
next array. It is asked once, when the first backend "numpy" is made. The setting is for the whole
process; MINIGAN_KEEP_MEMORY=0 in the environment leaves the process alone. Elsewhere (macOS,
Windows, musl) nothing is done, and arrays cost what they cost there.
"""

import ctypes
import os
import sys

__all__ = ["keep_freed_memory"]

#: Bytes of freed memory that a process keeps at most.
KEPT = 512 << 20
#: Arrays below this size come from memory that can be kept; older glibc allow 32 MiB at most.
LARGEST, LARGEST_OF_OLD = 1 << 30, 32 << 20

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of malloc.h


def keep_freed_memory():
    """Ask glibc to keep freed memory; whether it will. Both settings, as one alone is slower."""
    if not sys.platform.startswith("linux") or os.environ.get("MINIGAN_KEEP_MEMORY") == "0":
        return False
    try:
        libc = ctypes.CDLL(None)
        libc.gnu_get_libc_version  # noqa: B018  (musl has a mallopt that does nothing)
        mallopt = libc.mallopt
    except (OSError, AttributeError):
        return False
    mapped = mallopt(M_MMAP_THRESHOLD, LARGEST) or mallopt(M_MMAP_THRESHOLD, LARGEST_OF_OLD)
    return bool(mapped and mallopt(M_TRIM_THRESHOLD, KEPT))
