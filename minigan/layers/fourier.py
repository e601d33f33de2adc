"""`FourierFeatures`: waves of the input beside the input, for functions that change fast."""

from minigan.checks import check_integer, check_number
from minigan.layers.layer import Layer

__all__ = ["FourierFeatures"]


class FourierFeatures(Layer):
    """y = [x, cos x Ω, sin x Ω], x (N, in_features) -> y (N, in_features + 2 · frequencies).

    Ω (in_features, frequencies) is drawn once, every entry from N(0, scale²), in radians per unit
    of x, and never trained: a buffer. Two inputs then have the inner product

        Σ_k cos(x·ω_k) cos(x'·ω_k) + sin(x·ω_k) sin(x'·ω_k) = Σ_k cos((x − x')·ω_k)

    whose expectation is frequencies · exp(−scale² ‖x − x'‖² / 2): points further apart than
    1 / scale look different (Rahimi & Recht 2007, section 3). On the bare coordinates, a network
    of dense layers learns slow functions first and fine detail late or never; on these features,
    detail of that size is as easy (Tancik et al. 2020, arXiv:2006.10739, section 4, whose
    frequencies are in cycles: 2π B = Ω). So a discriminator sees modes that are small beside the
    gaps between them; too large a scale, and it learns the samples by heart.

        dx = dy_x + r Ωᵀ,   r = dy_sin · cos(x Ω) − dy_cos · sin(x Ω)
    """

    def __init__(self, in_features, frequencies, *, scale=1.0):
        self.in_features = check_integer("in_features", in_features, 1)
        self.frequencies = check_integer("frequencies", frequencies, 1)
        self.scale = check_number("scale", scale, 0, float("inf"), low_open=True)

    def buffers(self):
        shape = self.in_features, self.frequencies
        return {"omega": (shape, lambda rng: rng.normal(0, self.scale, shape))}

    def forward(self, x, train):
        """y = [x, cos x Ω, sin x Ω]."""
        xp, phase = self.backend.xp, x.dot(self.omega)
        cos, sin = xp.cos(phase), xp.sin(phase)
        return xp.concatenate([x, cos, sin], axis=1), (cos, sin)

    def backward(self, dy, cache):
        """dx = dy_x + (dy_sin · cos − dy_cos · sin) Ωᵀ."""
        cos, sin = cache
        dy_x, dy_cos, dy_sin = self._split(dy)
        return dy_x + (dy_sin * cos - dy_cos * sin).dot(self.omega.T)

    def double_backward(self, u, dy, cache):
        """u_dy = [u, −t · sin, t · cos];  u_x = −(t · (dy_cos · cos + dy_sin · sin)) Ωᵀ;  t = u Ω.

        For ⟨u, dx⟩ = ⟨u, dy_x⟩ + ⟨t, r⟩, and the derivative of r with respect to x Ω is
        −(dy_cos · cos + dy_sin · sin).
        """
        cos, sin = cache
        _, dy_cos, dy_sin = self._split(dy)
        t = u.dot(self.omega)
        u_dy = self.backend.xp.concatenate([u, -t * sin, t * cos], axis=1)
        return u_dy, (-t * (dy_cos * cos + dy_sin * sin)).dot(self.omega.T)

    def _split(self, dy):
        """The parts of y's gradient that belong to x, to the cosines and to the sines."""
        first, second = self.in_features, self.in_features + self.frequencies
        return dy[:, :first], dy[:, first:second], dy[:, second:]

    def output_shape(self, input_shape):
        if input_shape != (self.in_features,):
            raise ValueError(f"expected input ({self.in_features},), got {input_shape}")
        return (self.in_features + 2 * self.frequencies,)

    def describe(self):
        return f"{self.in_features}, {self.frequencies}, scale {self.scale:g}"
