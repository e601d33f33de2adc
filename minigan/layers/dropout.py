"""`Dropout`: removes some numbers, at random."""

from minigan.backend import draw_part
from minigan.backend.philox import draw_key
from minigan.checks import check_number
from minigan.layers.layer import Layer

__all__ = ["Dropout"]


class Dropout(Layer):
    """y = x · m / (1 − p), each m independently 0 with probability p, else 1; y = x in evaluation.

    dx = dy · m / (1 − p), with the mask of the forward pass. The division keeps the expected value,
    so that evaluation needs no correction ("inverted" dropout). Srivastava et al. 2014, section 4.
    The masks come from a generator that the network's seed determines: it gives one key per pass,
    and the numbers are made where the network is (`backend/philox.py`), the same for every dtype.
    """

    def __init__(self, rate=0.5):
        self.rate = check_number("rate", rate, 0, 1, high_open=True)

    def forward(self, x, train):
        if not train:
            return x, None
        keep = draw_part(self.backend, self.uniform, x.shape) >= self.rate
        mask = self.backend.asarray(keep, x.dtype) / (1 - self.rate)
        return x * mask, mask

    def backward(self, dy, mask):
        return dy if mask is None else dy * mask

    def uniform(self, shape):
        """U[0, 1), float32, whatever the network's dtype."""
        return self.backend.random_uniform(shape, "float32", draw_key(self.rng))

    def why_no_double_backward(self):
        return (
            f"{self!r} cannot stand under a gradient penalty: every pass through it is another "
            "network, so that the penalty would constrain none of them"
        )

    def describe(self):
        return f"{self.rate:g}"
