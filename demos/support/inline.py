"""Pictures of a lesson inside its notebook."""

import sys
from pathlib import Path

__all__ = ["show_pictures"]


def show_pictures(folder):
    """From now on, below each cell of a notebook: the pictures that it has written to `folder`.

    In plain Python, nothing. Called again, as when the cell runs again, it goes on.
    """
    if "IPython" not in sys.modules or (shell := sys.modules["IPython"].get_ipython()) is None:
        return
    from IPython.display import Image, display

    def written():
        paths = [*Path(folder).glob("*.png"), *Path(folder).glob("*.gif")]
        return {path: path.stat().st_mtime_ns for path in paths}

    def show(*_):
        before, show.seen = show.seen, written()
        for path, when in sorted(show.seen.items(), key=lambda item: item[1]):
            if before.get(path) != when:
                display(Image(filename=path))

    show.seen = written()
    for earlier in [f for f in shell.events.callbacks["post_run_cell"] if f.__module__ == __name__]:
        shell.events.unregister("post_run_cell", earlier)
    shell.events.register("post_run_cell", show)
