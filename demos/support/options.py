"""The command line of a demo: its parser, its kinds of numbers, and where a notebook has none."""

import argparse
import builtins
import math
import os
import sys

__all__ = ["Parser", "above_zero", "arguments", "count", "number", "positive", "show_what_can_be"]


class Parser(argparse.ArgumentParser):
    """A parser that refuses in two lines: how to get help, and what was wrong."""

    def __init__(self, name, lesson):
        super().__init__(
            f"{name}.py", description=lesson, formatter_class=argparse.RawDescriptionHelpFormatter
        )

    def error(self, message):
        self.exit(2, f"All options: {self.prog} --help\n{self.prog}: error: {message}\n")


def count(text):
    """A whole number of at least 0, for argparse."""
    return _whole(text, 0)


def positive(text):
    """A whole number of at least 1, for argparse."""
    return _whole(text, 1)


def _whole(text, least):
    try:
        value = int(text)
    except ValueError:
        value = None
    if value is None or value < least:
        raise argparse.ArgumentTypeError(
            f"expected a whole number of at least {least}, in digits, got {text}"
        )
    return value


def number(text):
    """A number of at least 0, for argparse."""
    return _number(text, "of at least 0", lambda value: value >= 0)


def above_zero(text):
    """A number above 0, for argparse."""
    return _number(text, "above 0", lambda value: value > 0)


def _number(text, expected, holds):
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and holds(value)):
        raise argparse.ArgumentTypeError(f"expected a number {expected}, got {text}")
    return value


def arguments():
    """What was typed behind the demo's name.

    In a notebook, and at IPython's prompt, these may be the kernel's own, which are none of ours.
    But `%run demos/toy.py --quick` gives a demo its own there, and so does `sys.argv = [...]`.
    """
    given = sys.argv[1:]
    running = getattr(sys.modules["__main__"], "__file__", None)  # a script, or a file of cells
    started = sys.orig_argv[len(sys.orig_argv) - len(given) :]
    of_kernel = hasattr(builtins, "__IPYTHON__") and given == started and sys.argv[0] != running
    return [] if of_kernel else given


#: How streams treat what they cannot show; the second is that of the locale "C".
STOPS = ("strict", "surrogateescape")


def show_what_can_be():
    """From here on, what a terminal or pipe cannot show is shown as "?", instead of an error.

    That is, if its encoding is not UTF-8. Where there is no console at all (pythonw on Windows),
    nothing is shown.
    """
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))
        elif getattr(stream, "errors", None) in STOPS and hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
