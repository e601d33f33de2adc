"""Small things that all demos with a training loop need."""

import numpy as np

__all__ = ["looking_steps", "losses_of"]


def looking_steps(steps, count):
    """The steps after which to look: step 0 and `count` more, evenly spaced up to the last."""
    return set(np.linspace(0, steps, count + 1).round().astype(int).tolist())


def losses_of(record):
    """D's loss (NaN in a game without D) and G's loss."""
    return getattr(record, "discriminator_loss", np.nan), record.generator_loss
