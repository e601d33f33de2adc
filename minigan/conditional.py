"""Conditional GAN: the same game for P(x | y), with the label y shown to both players.

Mirza & Osindero 2014, arXiv:1411.1784, equation 2. The label enters as a one-hot vector next to
the noise, and next to the sample: as further features, or as further channels, constant over the
image. A network with its label fixed is again a network, so the game itself does not change.
"""

from minigan.backend import get_backend
from minigan.checks import as_generator, check_integer
from minigan.gan import CHUNK, GAN
from minigan.parts import check_pair_of

__all__ = ["ConditionalGAN", "Conditioned"]


class Conditioned:
    """A network for [x, y] as a network for x, with the labels y (N, classes) held fixed.

    Has what a game asks of a network; gradients with respect to y are dropped.
    """

    def __init__(self, network, labels):
        self.network, self.labels = network, labels
        self.backend, self.dtype = network.backend, network.dtype
        self.parameters, self.gradients = network.parameters, network.gradients
        self.buffers = network.buffers
        *axes, channels = network.input_shape
        self.input_shape = (*axes, channels - labels.shape[1])
        self.named_parameters, self.named_gradients = (
            network.named_parameters,
            network.named_gradients,
        )

    def check_batch(self, x, shape, what):
        """As `Sequential.check_batch`; x must also have as many samples as there are labels."""
        self.network.check_batch(x, shape, what)
        _check_count(x, self.labels)

    def join(self, x):
        """[x, y] (N, ..., C + classes): y is repeated over all axes between first and last."""
        y = self.labels.reshape(len(x), *[1] * (x.ndim - 2), -1)
        xp = self.backend.xp
        y = xp.broadcast_to(y, (*x.shape[:-1], y.shape[-1]))
        return xp.concatenate([x, y], axis=-1)

    def part(self, d_joined):
        """The gradient with respect to x of the one with respect to [x, y]."""
        return d_joined if d_joined is None else d_joined[..., : -self.labels.shape[1]]

    def clone(self, dtype):
        network = self.network.clone(dtype=dtype)
        return Conditioned(network, network.backend.asarray(self.labels, network.dtype))

    @property
    def layers(self):
        return self.network.layers

    def activations(self, x):
        return self.network.activations(self.join(x))

    def forward(self, x, train=True, stop=None):
        self.check_batch(x, self.input_shape, "input")
        return self.network.forward(self.join(x), train, stop)

    def backward(self, dy, caches, *args, **kwargs):
        return self.part(self.network.backward(dy, caches, *args, **kwargs))

    def forward_each(self, batches):
        for x in batches:
            self.check_batch(x, self.input_shape, "input")
        return self.network.forward_each([self.join(x) for x in batches])

    def backward_each(self, dys, caches):
        self.network.backward_each(dys, caches)

    def backward_trace(self, dy, caches):
        dx, trace = self.network.backward_trace(dy, caches)
        return self.part(dx), trace

    def double_backward(self, u, trace, caches):
        zeros = self.backend.xp.zeros_like(self.join(u)[..., u.shape[-1] :])
        padded = self.backend.xp.concatenate([u, zeros], axis=-1)
        return self.network.double_backward(padded, trace, caches)


def _check_count(x, labels):
    if len(x) != len(labels):
        raise ValueError(f"labels: expected one a sample, {len(x)}, got {len(labels)}")


class ConditionalGAN(GAN):
    """A `GAN` whose batches are pairs (x, labels), labels integers (N,) below `classes`.

    Labels may be an array or a list. Raises ValueError if they are not one a sample or out of
    range, TypeError if they are not integers, before anything is changed.

    The generator takes latent dimension + classes features, the discriminator sample features
    (or channels) + classes; everything else as in `GAN`.
    """

    def __init__(self, *args, classes, **kwargs):
        self.classes = check_integer("classes", classes, 2)
        super().__init__(*args, **kwargs)

    def step(self, batches):
        """As `GAN.step`, on batches (x, labels)."""
        for _ in range(self.discriminator_steps):
            x, labels = check_pair_of("(x, labels)", next(batches))
            x, labels = self.real(x), self.one_hot(labels)
            figures = self.given(labels).discriminator_step(x)
        return figures | self.given(labels).generator_step(x)

    def given(self, labels):
        """The game for fixed labels (N, classes): an ordinary `GAN` for P(x | labels)."""
        return _GivenLabels(self, labels)

    def one_hot(self, labels):
        """(N, classes) from integers (N,)."""
        host = get_backend("numpy")  # where labels come from, and where looking at them is free
        labels = host.asarray(labels)
        if labels.dtype.kind not in "iu" or labels.ndim != 1:
            raise TypeError(f"labels: expected integers (N,), got {labels.dtype} {labels.shape}")
        if len(labels) and not 0 <= labels.min() <= labels.max() < self.classes:
            raise ValueError(f"labels: expected 0 to {self.classes - 1}")
        return self.asarray(labels[:, None] == host.xp.arange(self.classes))

    def sample(self, labels, rng):
        """One sample for each of the labels (N,), as a host array (N, ...)."""
        return self.generate(self.latent.sample(len(labels), as_generator(rng)), labels)

    def generate(self, z, labels):
        """The samples for given latent vectors (N, dimension) and labels (N,)."""
        network = self.generator if self.average is None else self.average.network
        backend, labels = network.backend, self.one_hot(labels)
        _check_count(z, labels)
        out = backend.xp.empty((len(z), *network.output_shape), network.dtype)
        for start in range(0, len(z), CHUNK):
            part = slice(start, start + CHUNK)
            conditioned = Conditioned(network, labels[part])
            out[part] = conditioned.forward(self.asarray(z[part]), train=False)[0]
        return backend.to_numpy(out)

    def _extra_inputs(self):
        return self.classes


class _GivenLabels(GAN):
    """The view of a `ConditionalGAN` for one batch's labels; shares everything with it."""

    def __init__(self, game, labels):
        self.__dict__.update(game.__dict__)
        self.generator = Conditioned(game.generator, labels)
        self.discriminator = Conditioned(game.discriminator, labels)
