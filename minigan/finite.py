"""Is training still finite? Asked of every update, before it changes anything.

On a CPU that is one line (in `Game.update`). Work for a GPU is only queued, and Python runs ahead
of it: to read one number back is to wait until everything queued before it is done, while nothing
new is queued. So the question is asked on the device (`DeviceWatch`): a kernel sets a flag to zero
at the first update that is not finite, every optimizer's kernel looks at that flag and changes
nothing once it is zero, and the host reads it after every `patience` updates.

When something is not finite, and only then, the networks are walked through, layer by layer, to
name the place where it began.
"""

__all__ = [
    "DeviceWatch",
    "NotFinite",
    "TrainingDiverged",
    "first_bad_gradient",
    "set_back",
    "walk_through",
]


def entry(name):
    """For the end of a message: where the page of symptoms says what to do."""
    return f' (what to do: demos/TROUBLE.md, "{name}")'


class TrainingDiverged(ArithmeticError):
    """NaN or infinity in training. Attributes: step, player, layer (where it first appeared)."""

    def __init__(self, step, player, layer):
        super().__init__(
            f"training diverged at step {step}, in the {player}'s step: {layer} is not finite"
            f"{entry('NaN')}"
        )
        self.step, self.player, self.layer = step, player, layer

    def __reduce__(self):
        return TrainingDiverged, (self.step, self.player, self.layer)


class DeviceWatch:
    """On a GPU, a flag that the optimizers' kernels obey, and that the host reads later.

    flag: int32 (2,) on the device: whether all updates so far were finite, and the number of the
    first that was not.
    """

    def __init__(self, backend):
        self.backend = backend
        self.flag = backend.new_flag()
        self._pending = []

    def ask(self, step, player, loss, norm, before):
        """Queue the question for one update: are its loss, its norm and all statistics finite?"""
        number = len(self._pending)
        for statistics in [network.buffers for network, _ in before] or [None]:
            self.backend.finite_guard(loss, norm, self.flag, number, statistics)
        self._pending.append((step, player))

    def keep(self, before):
        """Put running statistics back to what they were before, if the update was refused.

        After every `patience` updates, and not before all is as it was, `look`.
        """
        for network, buffers in before:
            self.backend.set_back(network.buffers, buffers, self.flag)
        if len(self._pending) >= self.backend.patience:
            self.look()

    def look(self):
        """Wait for the device; raise TrainingDiverged for the first update that was not finite."""
        pending, self._pending = self._pending, []
        if pending:
            fine, first = self.backend.to_numpy(self.flag).tolist()
            if not fine:
                self.flag[...] = self.backend.new_flag()
                raise TrainingDiverged(*pending[first], "the loss, gradient or running statistics")


def set_back(before):
    """Give networks the running statistics that they had: pairs of a network and a copy."""
    for network, buffers in before:
        network.buffers[...] = buffers


class NotFinite(ArithmeticError):
    """Something on the way forward is not finite; the message says what."""


def walk_through(network, x, whose):
    """The output for x, as in training; NotFinite names the first array that is not finite.

    The running statistics move: whoever asks has kept them.
    """
    check_all(network, network.named_parameters(), f"{whose}'s parameter")
    check_all(network, network.named_buffers(), f"{whose}'s running statistic")
    for layer, step in zip(network.layers, network.steps, strict=True):
        x, _ = step.forward(x, True)
        if layer.network is not None:  # what joins labels to samples is nobody's layer
            position = layer.network.layers.index(layer)
            what = f"the output of {whose}'s layer"
            check_all(network, {f"{position} ({layer!r})": x}, what)
    check_all(network, network.named_buffers(), f"{whose}'s running statistic")
    return x


def check_all(network, arrays, what):
    """NotFinite for the first of the named arrays that is not finite."""
    for name, array in arrays.items():
        if not network.backend.is_finite(array):
            raise NotFinite(f"{what} {name}")


def first_bad_gradient(network, whose):
    """The first gradient on the way backward that is not finite, or that explodes, or None.

    An exploding one is finite number by number, but the sum of its squares is not.
    """
    finite, gradients = network.backend.is_finite, network.named_gradients()
    for name, array in reversed(gradients.items()):
        if not finite(array):
            return f"the gradient of {whose}'s parameter {name}"
    for name, array in reversed(gradients.items()):
        if not finite((array * array).sum()):
            return f"the norm of the gradient of {whose}'s parameter {name}"
    return None
