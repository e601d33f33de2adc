"""Conditional GAN: the same game for P(x | y), with the label y shown to both players.

Mirza & Osindero 2014, arXiv:1411.1784, equation 2. The label enters as a one-hot vector next to
the noise, and next to the sample: as further features, or as further channels, constant over the
image. A network with its label fixed is again a network, so the game itself does not change.
"""

import copy

from minigan.backend import get_backend
from minigan.checks import as_generator, check_integer
from minigan.game_checks import check_pair_of
from minigan.gan import GAN
from minigan.layers import Chain, Layer
from minigan.layers.network import Step

__all__ = ["ConditionalGAN", "Conditioned"]


class Append(Layer):
    """x (N, ..., C) -> [x, y] (N, ..., C + classes), the labels y (N, classes) held fixed.

    y is repeated over all axes between the first and the last. dx is dy without its last channels.
    """

    def __init__(self, labels):
        self.labels = labels

    def forward(self, x, train):
        check_one_each(x, self.labels)
        return self.joined(x, self.labels), None

    def backward(self, dy, cache):
        return dy[..., : -self.labels.shape[1]].copy()

    def double_backward(self, u, dy, cache):
        return self.joined(u, 0 * self.labels), None

    def joined(self, x, y):
        xp = self.backend.xp
        y = y.reshape(len(x), *[1] * (x.ndim - 2), -1)
        return xp.concatenate([x, xp.broadcast_to(y, (*x.shape[:-1], y.shape[-1]))], axis=-1)


def check_one_each(samples, labels):
    """ValueError unless there are as many labels as samples."""
    if len(labels) != len(samples):
        raise ValueError(f"labels: expected one per sample, {len(samples)}, got {len(labels)}")


class Conditioned(Chain):
    """A network for [x, y] as a network for x, with the labels y (N, classes) held fixed.

    The numbers are those of the network; gradients with respect to y are dropped.
    """

    def __init__(self, network, labels):
        first = Append(labels)
        first.backend, first.rng = network.backend, network.layers[0].rng
        first.step = Step(first, network.backend)
        *axes, channels = network.input_shape
        super().__init__(
            [first, *network.layers],
            [first.step, *network.steps],
            ((*axes, channels - labels.shape[1]), *network.shapes),
            network.backend,
            network.dtype,
        )
        self.network, self.labels, self.buffers = network, labels, network.buffers
        self.all_layers = network.all_layers
        self.parameters, self.gradients = network.parameters, network.gradients
        self.named_parameters = network.named_parameters
        self.named_gradients = network.named_gradients
        self.named_buffers = network.named_buffers

    def clone(self, dtype=None, backend=None):
        """The same, on a copy of the network."""
        network = self.network.clone(dtype, backend)
        labels = self.backend.to_numpy(self.labels)
        return Conditioned(network, network.backend.asarray(labels, network.dtype))


class ConditionalGAN(GAN):
    """A `GAN` whose batches are pairs (x, labels), labels integers (N,) below `classes`.

    Labels may be an array or a list. Raises ValueError if they are not one per sample or out of
    range, TypeError if they are not integers, before anything is changed.

    The generator takes latent dimension + classes features, the discriminator sample features
    (or channels) + classes; everything else as in `GAN`.
    """

    settings = (*GAN.settings, "classes")

    def __init__(self, *args, classes, **kwargs):
        self.classes = check_integer("classes", classes, 2)
        super().__init__(*args, **kwargs)

    def step(self, batches):
        """As `GAN.step`, on batches (x, labels)."""
        for _ in range(self.discriminator_steps):
            x, labels = check_pair_of("(x, labels)", next(batches))
            x, labels = self.real(x), self.one_hot(labels)
            if self.backend.ranks is not None:
                labels = self.backend.ranks.part(labels)
            check_one_each(x, labels)
            game = self.given(labels)
            figures = game.discriminator_step(x)
        return figures | game.generator_step(x)

    def given(self, labels):
        """This game for fixed labels (N, classes): a game for P(x | labels)."""
        game = copy.copy(self)
        game.generator = Conditioned(self.generator, labels)
        game.discriminator = Conditioned(self.discriminator, labels)
        game.labels = labels
        return game

    def one_hot(self, labels):
        """(N, classes) from integers (N,)."""
        host = get_backend("numpy").xp  # where labels come from, and where looking at them is free
        labels = host.asarray(labels)
        if labels.dtype.kind not in "iu" or labels.ndim != 1:
            raise TypeError(f"labels: expected integers (N,), got {labels.dtype} {labels.shape}")
        if len(labels) and not 0 <= labels.min() <= labels.max() < self.classes:
            raise ValueError(f"labels: expected 0 to {self.classes - 1}")
        return self.asarray(labels[:, None] == host.arange(self.classes))

    def sample(self, labels, rng):
        """One sample for each of the labels (N,), as a host array (N, ...)."""
        return self.generate(
            self.latent.sample(len(self.one_hot(labels)), as_generator(rng)), labels
        )

    def generate(self, z, labels):
        """The samples for given latent vectors (N, dimension) and labels (N,)."""
        network = self.generator if self.average is None else self.average.network
        labels = self.one_hot(labels)
        check_one_each(z, labels)
        return self.in_chunks(
            lambda some: Conditioned(network, labels[some]).forward(self.asarray(z[some]), False)[
                0
            ],
            len(z),
            network,
        )

    def gradient_steps(self, x, labels=None, *, rng):
        game = self if labels is None else self.given(self.one_hot(labels))
        return GAN.gradient_steps(game, x, rng=rng)

    def _extra_inputs(self):
        return self.classes
