"""Small things that all demos with a training loop need."""

import numpy as np
from tqdm import tqdm

from minigan import Record
from support.processes import only_the_first

__all__ = ["looking_steps", "losses_of", "progress", "records_of", "shown_losses"]

#: A figure is read from a GPU at every so many steps: it would be waited for each time.
READ = 10


def looking_steps(steps, count):
    """The steps after which to look: step 0 and `count` more, evenly spaced up to the last."""
    return set(np.linspace(0, steps, count + 1).round().astype(int).tolist())


def progress(records, game, steps, show=None, name=None):
    """The records of training up to so many steps, with a progress bar beside them.

    show: record -> text for the bar (None: the losses). It is called at every tenth step and at
    the last. name: of the game, where a demo plays several. Of several processes, the first alone
    has a bar, and goes on behind the loop.
    """
    show, ranks = show or shown_losses, game.backend.ranks
    quiet = ranks is not None and ranks.rank > 0
    with tqdm(desc=name, initial=game.steps, total=steps, unit="step", disable=quiet) as bar:
        for record in records:
            yield record
            if record.step % READ == 0 or record.step == steps:
                bar.set_postfix_str(show(record), refresh=False)
            bar.update()
    only_the_first(ranks)


def shown_losses(record):
    """The losses of a record as text: of D, of G, of both."""
    names = ("D", "discriminator_loss"), ("G", "generator_loss")
    shown = [(who, getattr(record, name)) for who, name in names if name in record.figures()]
    return "losses: " + ", ".join(f"{who} {loss:.3f}" for who, loss in shown)


def records_of(history):
    """The records in a history; from a checkpoint they come as dicts."""
    history["records"] = [r if isinstance(r, Record) else Record(**r) for r in history["records"]]
    return history["records"]


def losses_of(records):
    """D's losses (NaN in a game without D) and G's losses, (2, steps)."""
    return np.array([_losses(record) for record in records]).T


def _losses(record):
    return getattr(record, "discriminator_loss", np.nan), record.generator_loss
