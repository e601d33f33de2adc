"""D's verdict on the plane: the background of the pictures of toy.py and of the lab."""

import numpy as np

__all__ = ["plane_points", "scaled", "verdict"]


def plane_points(extent, n):
    """A grid of n × n points over the window (xmin, xmax, ymin, ymax), (n², 2), from the bottom."""
    x, y = np.linspace(*extent[:2], n), np.linspace(*extent[2:], n)
    return np.stack(np.meshgrid(x, y), axis=2).reshape(-1, 2)


def verdict(D, points, real, fake, log_odds):
    """What D makes of points (N, 2), (N, 1): from −1 (fake) over 0 (cannot tell) to 1 (real).

    points, real and fake are arrays of D's backend, the result is on the host. Where the logit
    means log odds (see `Objective`), the verdict is 2 D(x) − 1, with D(x) = σ(logit). Other
    logits, such as the heights of a critic, have no zero of their own: zero is then the middle
    between the mean of the real samples and the mean of the fakes.
    """
    logits = D.backend.to_numpy(D(points))
    if log_odds:
        return np.tanh(logits / 2)
    return scaled(logits - float(D(real).mean() + D(fake).mean()) / 2)


def scaled(heights):
    """Divided by the largest absolute value, so that all are between −1 and 1."""
    return heights / max(np.abs(heights).max(), 1e-12)
