"""Signals that ask a program to stop, kept waiting until nothing is left half done."""

import contextlib
import signal
import threading

__all__ = ["noted"]


@contextlib.contextmanager
def noted(*names):
    """Signals of these names do not act but are added to a list, which is given.

    A second one acts at once. Signals that are ignored (as in the background of a shell, or under
    nohup) stay so. Python lets only the main thread set handlers; in others nothing is changed.
    """
    received, before = [], {}

    def note(number, frame):
        received.append(number)
        set_back()

    def set_back():
        while before:
            signal.signal(*before.popitem())

    if threading.current_thread() is threading.main_thread():
        for name in names:
            number = getattr(signal, name, None)  # Windows has no SIGHUP
            handler = signal.SIG_IGN if number is None else signal.getsignal(number)
            if handler not in (signal.SIG_IGN, None):
                before[number] = handler
                signal.signal(number, note)
    try:
        yield received
    finally:
        set_back()
