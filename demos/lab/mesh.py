"""G as a warped mesh: where it puts equally probable cells of the noise.

All cells hold the same probability. A cell that ends up small is a region of high density; a cell
that is stretched, as between two modes that a continuous G must connect, is one of low density.
"""

import numpy as np
from scipy.special import ndtri

__all__ = ["latent_mesh", "mesh_cells", "mesh_points"]

#: Cells per side.
CELLS = 24


def latent_mesh(noise, dimension):
    """Corners of a mesh over the noise: (CELLS + 1, ..., dimension), None beyond two dimensions.

    Along each axis the corners are quantiles of the distribution, so every cell is equally
    probable. The outermost cells of a normal distribution would be infinite, so they are cut off:
    half of their probability lies outside.
    """
    if dimension > 2:
        return None
    quantiles = np.linspace(0, 1, CELLS + 1)
    if noise == "normal":
        ticks = ndtri(quantiles.clip(0.5 / CELLS, 1 - 0.5 / CELLS))
    else:
        ticks = 2 * quantiles - 1
    return np.stack(np.meshgrid(*[ticks] * dimension), axis=-1)


def mesh_points(corners, generate):
    """The mesh's image under `generate`, (n, dimension) -> (n, 2), corner by corner."""
    if corners is None:
        return np.empty((0, 2))
    return generate(corners.reshape(-1, corners.shape[-1])).reshape(*corners.shape[:-1], 2)


def mesh_cells(at):
    """The same cell by cell.

    (CELLS², 4, 2) polygons for noise of two dimensions, (CELLS, 2, 2) pieces of a curve for one.
    """
    if len(at) == 0:
        return np.empty((0, 4, 2))
    if at.ndim == 2:
        return np.stack([at[:-1], at[1:]], axis=1)
    cells = np.stack([at[:-1, :-1], at[:-1, 1:], at[1:, 1:], at[1:, :-1]], axis=2)
    return cells.reshape(-1, 4, 2)
