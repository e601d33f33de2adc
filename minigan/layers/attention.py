"""`SelfAttention`: each pixel of an image asks all pixels, and takes from those that answer."""

from minigan.checks import check_integer
from minigan.layers.initializers import Glorot
from minigan.layers.layer import Layer

__all__ = ["SelfAttention"]


class SelfAttention(Layer):
    """y = x + γ P Wₒ,   P = A V,   A = softmax(S),   S = Q Kᵀ,   [Q K V] = x W

    The M = H W pixels of an image are the rows of a matrix x (M, C). Each asks by its row of Q,
    its query, and answers by its row of K, its key, and its row of V, its value; row m of A (M, M)
    says how much pixel m takes of each pixel's value. W is (C, 3 D), Wₒ (D, C), and D, `inner`, by
    default C / 8. γ (1,) starts at 0: first a network learns from near pixels, by its convolutions.
    Zhang et al. 2019, arXiv:1805.08318, section 3. Upwards, line by line:

        dP = γ dy Wₒᵀ            dWₒ += γ Pᵀ dy,   dγ += Σ dy · P Wₒ
        dA = dP Vᵀ               dV = Aᵀ dP
        dS = A · (dA − Σ A dA)   with the sum over each row
        dQ = dS K                dK = dSᵀ Q
        dx = dy + [dQ dK dV] Wᵀ  dW += xᵀ [dQ dK dV]

    In softmax, Aᵢ = exp Sᵢ / Σⱼ exp Sⱼ, each number depends on its whole row, as the sum does:
    ∂Aᵢ/∂Sⱼ = Aᵢ (1[i = j] − Aⱼ). So dSⱼ = Σᵢ dAᵢ ∂Aᵢ/∂Sⱼ = Aⱼ (dAⱼ − Σᵢ Aᵢ dAᵢ).
    """

    def __init__(self, channels, inner=None):
        self.channels = check_integer("channels", channels, 1)
        self.inner = check_integer("inner", max(1, channels // 8) if inner is None else inner, 1)

    def parameters(self):
        c, d, draw = self.channels, self.inner, Glorot()
        weight = (c, 3 * d), lambda rng: draw(rng, (c, 3 * d), c, d)
        output = (d, c), lambda rng: draw(rng, (d, c), d, c)
        return {"weight": weight, "output": output, "gamma": ((1,), 0)}

    def forward(self, x, train):
        rows = x.reshape(len(x), -1, self.channels)
        q, k, v = self.split(rows @ self.weight)
        s = q @ turned(k)
        a = self.backend.xp.exp(s - s.max(axis=-1, keepdims=True))  # so that nothing overflows
        a /= a.sum(axis=-1, keepdims=True)
        p = a @ v
        return x + self.gamma * (p @ self.output).reshape(x.shape), (rows, q, k, v, a, p)

    def backward(self, dy, cache):
        return dy + (self.to_qkv(dy, cache) @ self.weight.T).reshape(dy.shape)

    def add_gradients(self, dy, cache):
        rows, *_, p = cache
        self.dweight += product(rows, self.to_qkv(dy, cache))
        self.add_output_gradients(dy.reshape(rows.shape), p)

    def to_qkv(self, dy, cache):
        """[dQ dK dV]."""
        rows, q, k, v, a, _ = cache
        dp = self.gamma * dy.reshape(rows.shape) @ self.output.T
        ds = through_softmax(dp @ turned(v), a)
        return self.joined(ds @ k, turned(ds) @ q, turned(a) @ dp)

    def add_output_gradients(self, dy, p):
        self.doutput += self.gamma * product(p, dy)
        self.dgamma += (dy * (p @ self.output)).sum()

    def double_backward(self, u, dy, cache):
        """⟨u, dx⟩ = ⟨u_dy, dy⟩, where u_dy = y′ is how y moves when x moves along u:

        [Q′ K′ V′] = u W,  S′ = Q′ Kᵀ + Q K′ᵀ,  A′ = A · (S′ − Σ A S′),  P′ = A′ V + A V′,
        y′ = u + γ P′ Wₒ. Then ⟨y′, dy⟩ goes upwards through these lines, and through those above.
        """
        rows, q, k, v, a, _ = cache
        u_rows, dy = u.reshape(rows.shape), dy.reshape(rows.shape)
        q1, k1, v1 = self.split(u_rows @ self.weight)
        s1 = q1 @ turned(k) + q @ turned(k1)
        a1 = through_softmax(s1, a)
        p1 = a1 @ v + a @ v1
        self.add_output_gradients(dy, p1)
        dp1 = self.gamma * dy @ self.output.T
        da1 = dp1 @ turned(v)
        ds1 = through_softmax(da1, a)
        da = dp1 @ turned(v1) + da1 * (s1 - along(a, s1)) - s1 * along(a, da1)
        ds = through_softmax(da, a)
        dqkv1 = self.joined(ds1 @ k, turned(ds1) @ q, turned(a) @ dp1)
        dqkv = self.joined(ds @ k + ds1 @ k1, turned(ds) @ q + turned(ds1) @ q1, turned(a1) @ dp1)
        self.dweight += product(u_rows, dqkv1) + product(rows, dqkv)
        u_dy = u + self.gamma * (p1 @ self.output).reshape(u.shape)
        return u_dy, (dqkv @ self.weight.T).reshape(u.shape)

    def split(self, qkv):
        return (qkv[..., i * self.inner : (i + 1) * self.inner] for i in range(3))

    def joined(self, *arrays):
        return self.backend.xp.concatenate(arrays, axis=-1)

    def output_shape(self, input_shape):
        if len(input_shape) != 3 or input_shape[2] != self.channels:
            raise ValueError(f"expected input (H, W, {self.channels}), got {input_shape}")
        return input_shape

    def describe(self):
        return f"{self.channels}, inner {self.inner}"


def through_softmax(da, a):
    """dS = A · (dA − Σ A dA), row by row; also A′ for S′, as the Jacobian is symmetric."""
    return a * (da - along(a, da))


def along(a, b):
    """Σ a b over each row, which stays, with length 1."""
    return (a * b).sum(axis=-1, keepdims=True)


def turned(x):
    """Each sample's matrix, transposed."""
    return x.swapaxes(1, 2)


def product(x, dy):
    """Σₙ xₙᵀ dyₙ."""
    return x.reshape(-1, x.shape[-1]).T.dot(dy.reshape(-1, dy.shape[-1]))
