"""A walk from one point of the noise to another that stays where the noise is dense."""

import numpy as np

from minigan import UniformLatent

__all__ = ["between"]


def between(latent, a, b, t):
    """The point at t in [0, 1] on the way from a to b, both samples of `latent`, (dimension,).

    For noise from a cube, a straight line. For normal noise, whose points all lie near a sphere,
    an arc of a great circle (Shoemake 1985, "slerp"). From piece to piece, straight again.
    """
    straight = (1 - t) * a + t * b
    if isinstance(latent, UniformLatent):
        return straight
    a, b = a[: latent.continuous], b[: latent.continuous]
    angle = np.arccos(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))
    arc = (np.sin((1 - t) * angle) * a + np.sin(t * angle) * b) / np.sin(angle)
    return np.concatenate([arc, straight[latent.continuous :]])
