"""A generator does nothing until it is asked, and in silence: this says so."""

import warnings
import weakref

__all__ = ["warn_unless"]


def warn_unless(asked, records):
    """The records themselves; should they go while `asked` is still empty, there is a warning.

    As for a coroutine that was never awaited. It costs a step nothing.
    """
    weakref.finalize(records, _warn, asked)
    return records


def _warn(asked):
    if not asked:
        message = "train(...) has trained nothing: it runs in a loop, `for record in train(...)`"
        warnings.warn(message, RuntimeWarning, stacklevel=3)  # past `weakref`
