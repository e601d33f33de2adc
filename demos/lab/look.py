"""`look`: what there is to see of an experiment on the plane, as arrays."""

from dataclasses import dataclass

import numpy as np

from lab.mesh import latent_mesh, mesh_points
from support.verdict import plane_points, verdict

__all__ = ["Look", "look"]

#: Points per side of D's verdict.
GRID = 40


@dataclass(frozen=True)
class Look:
    """What there is to see at one moment, in the data's units.

    step: of training. real (n, 2), fake (m, 2): samples. logits (m,): D's, at the fakes. push:
    (m, 2), minus the gradient of G's loss with respect to each fake, times m: one sample's own.
    verdict: (GRID, GRID), what D makes of the plane, from −1 (fake) to 1 (real), the first row at
    the bottom. mesh: the corners of `latent_mesh`, mapped by G: (n, n, 2), (n, 2) for noise of one
    dimension, empty for more than two.
    """

    step: int
    real: np.ndarray
    fake: np.ndarray
    logits: np.ndarray
    push: np.ndarray
    verdict: np.ndarray
    mesh: np.ndarray


def look(experiment, real=None, z=None):
    """What there is to see now, for the experiment's own samples, or for a batch and noise.

    It changes nothing in the game. real: (m, 2), as the networks see it. z: (m, noise_dimension).
    """
    gan, settings = experiment.gan, experiment.settings
    D, to_numpy = gan.discriminator, gan.backend.to_numpy
    own = experiment.to_networks(experiment.real)
    fake = gan.asarray(gan.generate(experiment.z if z is None else z))
    _, d_fake = gan.feedback(fake, own if real is None else real)
    plane = experiment.to_networks(plane_points(experiment.extent, GRID))
    found = verdict(D, plane, own, fake, log_odds=not settings.is_critic)
    corners = latent_mesh(settings.noise, settings.noise_dimension)
    return Look(
        step=experiment.steps,
        real=experiment.real if real is None else experiment.to_data(real),
        fake=experiment.to_data(fake),
        logits=to_numpy(D(fake))[:, 0],
        push=-to_numpy(d_fake) * len(fake),
        verdict=found.reshape(GRID, GRID),
        mesh=mesh_points(corners, experiment.generate),
    )
