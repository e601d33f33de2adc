"""The workloads in NumPy as tutorials write it: the distance that the faster forms cover.

Fresh arrays everywhere, `np.where` masks, im2col by fancy indexing and col2im by `np.add.at`, an
Adam per parameter, parameter gradients of D computed in G's step although nobody uses them.
"""

import minigan_peer
import numpy as np


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def windows(size, kernel=4, stride=2):
    """Row and column indices of every window, (size, size, kernel, kernel)."""
    start = stride * np.arange(size)
    steps = np.arange(kernel)
    rows = start[:, None, None, None] + steps[None, None, :, None]
    columns = start[None, :, None, None] + steps[None, None, None, :]
    return np.broadcast_arrays(rows, columns)


def gather(x, size):
    """(N, H, W, C) -> windows (N, size, size, 16 C), padding 1, kernel 4, stride 2."""
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    rows, columns = windows(size)
    return padded[:, rows, columns].reshape(len(x), size, size, -1)


def scatter(windows_, size):
    """The adjoint of `gather`: (N, size, size, 16 C) -> (N, 2 size, 2 size, C)."""
    n, c = len(windows_), windows_.shape[-1] // 16
    padded = np.zeros((n, 2 * size + 2, 2 * size + 2, c), windows_.dtype)
    rows, columns = windows(size)
    np.add.at(padded, (slice(None), rows, columns), windows_.reshape(n, size, size, 4, 4, c))
    return padded[:, 1:-1, 1:-1]


class Player:
    """A network that keeps its caches in itself; forward and backward by kind of layer."""

    def __init__(self, specs, network, lr=2e-4):
        self.specs, self.lr, self.t = specs, lr, 0
        self.w = {name: w.copy() for name, w in network.named_parameters().items()}
        self.m = {name: np.zeros_like(w) for name, w in self.w.items()}
        self.v = {name: np.zeros_like(w) for name, w in self.w.items()}

    def forward(self, x):
        self.saved = []
        for i, (kind, *_) in enumerate(self.specs):
            x, saved = getattr(self, kind)(i, x)
            self.saved.append(saved)
        return x

    def backward(self, d):
        self.g = {}
        for i in reversed(range(len(self.specs))):
            d = getattr(self, self.specs[i][0] + "_back")(i, d, self.saved[i])
        return d

    def adam(self, gradients):
        self.t += 1
        for name, g in gradients.items():
            self.m[name] = 0.5 * self.m[name] + 0.5 * g
            self.v[name] = 0.999 * self.v[name] + 0.001 * g**2
            mean = self.m[name] / (1 - 0.5**self.t)
            square = self.v[name] / (1 - 0.999**self.t)
            self.w[name] -= self.lr * mean / (np.sqrt(square) + 1e-8)

    def bias(self, i):
        return self.w.get(f"{i}.bias", 0)

    def bias_back(self, i, d):
        if f"{i}.bias" in self.w:
            self.g[f"{i}.bias"] = d.sum(axis=tuple(range(d.ndim - 1)))

    def dense(self, i, x):
        return x @ self.w[f"{i}.weight"] + self.bias(i), x

    def dense_back(self, i, d, x):
        self.bias_back(i, d)
        self.g[f"{i}.weight"] = x.T @ d
        return d @ self.w[f"{i}.weight"].T

    def conv(self, i, x):
        columns, w = gather(x, x.shape[1] // 2), self.w[f"{i}.weight"]
        return columns @ w.reshape(-1, w.shape[-1]) + self.bias(i), columns

    def conv_back(self, i, d, columns):
        self.bias_back(i, d)
        w = self.w[f"{i}.weight"]
        flat = columns.reshape(-1, columns.shape[-1])
        self.g[f"{i}.weight"] = (flat.T @ d.reshape(-1, d.shape[-1])).reshape(w.shape)
        return scatter(d @ w.reshape(-1, w.shape[-1]).T, d.shape[1])

    def convt(self, i, x):
        w = self.w[f"{i}.weight"]
        return scatter(x @ w.reshape(-1, w.shape[-1]).T, x.shape[1]) + self.bias(i), x

    def convt_back(self, i, d, x):
        self.bias_back(i, d)
        columns, w = gather(d, x.shape[1]), self.w[f"{i}.weight"]
        flat = columns.reshape(-1, columns.shape[-1])
        self.g[f"{i}.weight"] = (flat.T @ x.reshape(-1, x.shape[-1])).reshape(w.shape)
        return columns @ w.reshape(-1, w.shape[-1])

    def bn(self, i, x):
        axes = tuple(range(x.ndim - 1))
        inverse = 1 / np.sqrt(x.var(axes) + 1e-5)
        normalized = (x - x.mean(axes)) * inverse
        return self.w[f"{i}.gamma"] * normalized + self.w[f"{i}.beta"], (normalized, inverse)

    def bn_back(self, i, d, saved):
        normalized, inverse = saved
        axes = tuple(range(d.ndim - 1))
        self.g[f"{i}.beta"] = d.sum(axes)
        self.g[f"{i}.gamma"] = (d * normalized).sum(axes)
        inner = d - d.mean(axes) - normalized * (d * normalized).mean(axes)
        return self.w[f"{i}.gamma"] * inverse * inner

    def relu(self, i, x):
        return np.where(x > 0, x, 0), x

    def relu_back(self, i, d, x):
        return np.where(x > 0, d, 0)

    def leaky(self, i, x):
        return np.where(x > 0, x, np.float32(0.2) * x), x

    def leaky_back(self, i, d, x):
        return np.where(x > 0, d, np.float32(0.2) * d)

    def tanh(self, i, x):
        y = np.tanh(x)
        return y, y

    def tanh_back(self, i, d, y):
        return d * (1 - y**2)

    def reshape(self, i, x):
        return x.reshape(len(x), *self.specs[i][1:]), x.shape

    def reshape_back(self, i, d, shape):
        return d.reshape(shape)

    def flatten(self, i, x):
        return x.reshape(len(x), -1), x.shape

    flatten_back = reshape_back


def stepper(workload, batches, flags=()):
    game = minigan_peer.build(workload, batches)
    G = Player(workload.generator, game.generator)
    D = Player(workload.discriminator, game.discriminator)

    def step(i):
        real, z_d, z_g = batches[i % len(batches)]
        fake = G.forward(z_d)
        logits = D.forward(real)
        D.backward((sigmoid(logits) - 1) / len(real))
        of_real = D.g
        logits = D.forward(fake)
        D.backward(sigmoid(logits) / len(real))
        D.adam({name: of_real[name] + g for name, g in D.g.items()})
        logits = D.forward(G.forward(z_g))
        G.backward(D.backward((sigmoid(logits) - 1) / len(real)))
        G.adam(G.g)

    return step
