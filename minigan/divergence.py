"""`TrainingDiverged`, and the search for where the first bad number came from.

One number a step, the norm of the gradient, tells whether anything went wrong; only then are
the networks walked through, layer by layer, to name the place.
"""

__all__ = ["TrainingDiverged", "first_bad_gradient", "first_bad_output", "gradient_diverged"]


class TrainingDiverged(ArithmeticError):
    """NaN or infinity in training. Attributes: step, player, layer (where it first appeared)."""

    def __init__(self, step, player, layer):
        super().__init__(
            f"training diverged at step {step}, in the {player}'s step: {layer} is not finite"
        )
        self.step, self.player, self.layer = step, player, layer


def first_bad_output(network, x, whose):
    """x -> (place or None, output): the first array on the way forward that is not finite."""
    finite = network.backend.is_finite
    for name, array in network.named_parameters().items():
        if not finite(array):
            return f"{whose}'s parameter {name}", x
    for position, layer, x in network.activations(x):  # noqa: B020
        if not finite(x):
            return f"the output of {whose}'s layer {position} ({layer!r})", x
    return None, x


def first_bad_gradient(network, whose):
    """The first gradient on the way backward that is not finite, or that explodes, or None.

    An exploding one is finite number by number, but the sum of its squares is not.
    """
    backend, gradients = network.backend, network.named_gradients()
    for name, array in reversed(gradients.items()):
        if not backend.is_finite(array):
            return f"the gradient of {whose}'s parameter {name}"
    for name, array in reversed(gradients.items()):
        if not backend.is_finite(backend.norm(array.reshape(-1))):
            return f"the norm of the gradient of {whose}'s parameter {name}"
    return None


def gradient_diverged(step, player, network):
    """A function that makes the error to raise if this network's gradient is not finite."""

    def diverged():
        place = first_bad_gradient(network, f"the {player}") or "the norm of the gradient"
        return TrainingDiverged(step, player, place)

    return diverged
