"""`SelfAttention`: each pixel of an image asks all pixels, and takes from those that answer."""

from minigan.checks import check_integer
from minigan.layers.convolution import check_image, rows
from minigan.layers.initializers import Glorot
from minigan.layers.layer import Layer

__all__ = ["SelfAttention"]


class SelfAttention(Layer):
    """y = x + γ P Wₒ,   P = A V,   A = softmax(S),   S = Q Kᵀ,   [Q K V] = x W

    The M = H W pixels of an image are the rows of a matrix x (M, C). Each asks by its row of Q and
    answers by its rows of K and V: queries, keys and values, each (M, D), D = C / 8. Row m of A
    (M, M) says how much pixel m takes of each pixel's value. W is (C, 3 D), Wₒ (D, C). γ (1,)
    starts at 0: at first, convolutions learn alone. Zhang et al. 2019, arXiv:1805.08318, section 3.

        dP = γ dy Wₒᵀ            dWₒ += γ Pᵀ dy,   dγ += Σ dy · P Wₒ
        dA = dP Vᵀ               dV = Aᵀ dP
        dS = A · (dA − Σ A dA)   with the sum over each row
        dQ = dS K                dK = dSᵀ Q
        dx = dy + [dQ dK dV] Wᵀ  dW += xᵀ [dQ dK dV]

    In softmax, Aᵢ = exp Sᵢ / Σⱼ exp Sⱼ, each number depends on its whole row, as the sum does:
    ∂Aᵢ/∂Sⱼ = Aᵢ (1[i = j] − Aⱼ). So dSⱼ = Σᵢ dAᵢ ∂Aᵢ/∂Sⱼ = Aⱼ (dAⱼ − Σᵢ Aᵢ dAᵢ).
    """

    def __init__(self, channels):
        self.channels = check_integer("channels", channels, 1)

    def parameters(self):
        c, d, draw = self.channels, max(1, self.channels // 8), Glorot()
        weight = (c, 3 * d), lambda rng: draw(rng, (c, 3 * d), c, d)
        output = (d, c), lambda rng: draw(rng, (d, c), d, c)
        return {"weight": weight, "output": output, "gamma": ((1,), 0)}

    def forward(self, x, train):
        matrix = x.reshape(len(x), -1, self.channels)
        q, k, v = self.backend.xp.split(matrix @ self.weight, 3, axis=-1)
        s = q @ turned(k)
        a = self.backend.xp.exp(s - s.max(axis=-1, keepdims=True))  # so that nothing overflows
        a /= row_sums(a)
        p = a @ v
        return x + self.gamma * (p @ self.output).reshape(x.shape), (matrix, q, k, v, a, p)

    def backward(self, dy, cache):
        return dy + (self.to_qkv(dy, cache) @ self.weight.T).reshape(dy.shape)

    def add_gradients(self, dy, cache):
        matrix, *_, p = cache
        self.dweight += rows(matrix).T.dot(rows(self.to_qkv(dy, cache)))
        self.add_output_gradients(dy.reshape(matrix.shape), p)

    def to_qkv(self, dy, cache):
        """[dQ dK dV]."""
        matrix, q, k, v, a, _ = cache
        dp = self.gamma * dy.reshape(matrix.shape) @ self.output.T
        ds = through_softmax(dp @ turned(v), a)
        return self.joined(ds @ k, turned(ds) @ q, turned(a) @ dp)

    def add_output_gradients(self, dy, p):
        self.doutput += self.gamma * rows(p).T.dot(rows(dy))
        self.dgamma += (dy * (p @ self.output)).sum()

    def double_backward(self, u, dy, cache):
        """⟨u, dx⟩ = ⟨u_dy, dy⟩, where u_dy = y′ = u + γ P′ Wₒ is how y moves when x moves along u:

        [Q′ K′ V′] = u W,  S′ = Q′ Kᵀ + Q K′ᵀ,  A′ = A · (S′ − Σ A S′),  P′ = A′ V + A V′. Then
        ⟨y′, dy⟩ goes upwards through these lines, and through those of the forward pass.
        """
        matrix, q, k, v, a, _ = cache
        along, dy = u.reshape(matrix.shape), dy.reshape(matrix.shape)
        q1, k1, v1 = self.backend.xp.split(along @ self.weight, 3, axis=-1)
        s1 = q1 @ turned(k) + q @ turned(k1)
        a1 = through_softmax(s1, a)
        p1 = a1 @ v + a @ v1
        self.add_output_gradients(dy, p1)
        dp1 = self.gamma * dy @ self.output.T
        da1 = dp1 @ turned(v)
        ds1 = through_softmax(da1, a)
        da = dp1 @ turned(v1) + da1 * (s1 - row_sums(a * s1)) - s1 * row_sums(a * da1)
        ds = through_softmax(da, a)
        dqkv1 = self.joined(ds1 @ k, turned(ds1) @ q, turned(a) @ dp1)
        dqkv = self.joined(ds @ k + ds1 @ k1, turned(ds) @ q + turned(ds1) @ q1, turned(a1) @ dp1)
        self.dweight += rows(along).T.dot(rows(dqkv1)) + rows(matrix).T.dot(rows(dqkv))
        u_dy = u + self.gamma * (p1 @ self.output).reshape(u.shape)
        return u_dy, (dqkv @ self.weight.T).reshape(u.shape)

    def joined(self, *arrays):
        return self.backend.xp.concatenate(arrays, axis=-1)

    def output_shape(self, input_shape):
        return check_image(input_shape, self.channels)

    def describe(self):
        return str(self.channels)


def through_softmax(da, a):
    """dS = A · (dA − Σ A dA); also A′ for S′, as the Jacobian is symmetric."""
    return a * (da - row_sums(a * da))


def row_sums(x):
    return x.sum(axis=-1, keepdims=True)


def turned(x):
    return x.transpose(0, 2, 1)
