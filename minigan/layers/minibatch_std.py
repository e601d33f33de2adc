"""`MinibatchStd`: shows a discriminator how much the samples of a batch differ."""

from minigan.checks import check_number
from minigan.layers.layer import Layer

__all__ = ["MinibatchStd"]


class MinibatchStd(Layer):
    """(N, ..., C) -> (N, ..., C + 1): one more channel that holds one number, the batch's spread.

        s = mean_j σ_j,    σ_j = √(mean_n (x_nj − μ_j)² + eps)

    with μ_j and σ_j over the batch, for each of the J numbers of a sample (Karras et al. 2018,
    arXiv:1710.10196, section 3). Fakes that are too alike give themselves away by a small s, so
    that mode collapse is punished, as with `Pack`. In the backward pass, s has come from every
    sample: with ds the sum of dy's last channel over the whole batch,

        dx_nj = dy_nj + ds / (J N) · (x_nj − μ_j) / σ_j

    As in batch norm's training mode, real and fake samples must be separate batches. The same in
    training and evaluation: a logit means something only beside the batch that it came with.
    """

    def __init__(self, *, eps=1e-8):
        self.eps = check_number("eps", eps, 0, 1, low_open=True)

    def forward(self, x, train):
        """y = [x, s]."""
        total, xp = self.backend.batch_total, self.backend.xp
        count = total(len(x))
        centred = x - total(x.sum(axis=0)) / count
        sigma = (total((centred * centred).sum(axis=0)) / count + self.eps) ** 0.5
        s = xp.zeros_like(x[..., :1]) + sigma.mean()
        return xp.concatenate([x, s], axis=-1), (centred, sigma, count)

    def backward(self, dy, cache):
        """dx = dy + ds / (J N) · (x − μ) / σ."""
        centred, sigma, count = cache
        ds = self.backend.batch_total(dy[..., -1].sum())
        return dy[..., :-1] + centred * (ds / (sigma.size * count) / sigma)

    def why_no_double_backward(self):
        return (
            f"{self!r} cannot stand under a gradient penalty: the penalty takes each sample's "
            "gradient by itself, and here it depends on all the others; use Pack"
        )

    def output_shape(self, input_shape):
        if not input_shape:
            raise ValueError("expected at least one axis beside the batch")
        return (*input_shape[:-1], input_shape[-1] + 1)
