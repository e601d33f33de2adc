"""Small things that all demos with a training loop need."""

import numpy as np

__all__ = ["looking_steps", "losses_of"]


def looking_steps(steps, count):
    """The steps after which a picture is due: `count`, evenly spaced, the last one included."""
    return set(np.linspace(0, steps, count + 1).round().astype(int).tolist())


def losses_of(record):
    """D's loss and G's loss; D's is NaN in a game without D."""
    return getattr(record, "discriminator_loss", np.nan), record.generator_loss
