"""SGD, RMSProp and Adam on flat vectors, and learning-rate schedules.

`optimizer = Adam(network, lr=1e-3)`, then after each backward pass `optimizer.step()`. An
optimizer changes the parameters of its own network and nothing else: that is how one player of
the game stands still while the other trains.
"""

from minigan.backend import fastest
from minigan.checks import check_integer, check_number
from minigan.layers.layer import fill

__all__ = [
    "OPTIMIZERS",
    "SGD",
    "Adam",
    "ExponentialDecay",
    "LinearDecay",
    "Optimizer",
    "RMSProp",
    "constant",
]


class Optimizer:
    """network: a `Sequential`. lr: the learning rate, > 0.

    `state` maps names to vectors as long as the network's parameters; `steps` counts the updates.
    Both belong into a checkpoint. On several ranks, `mine` may be this one's share of the vectors.
    Subclasses name their `vectors` and write `update`.
    """

    vectors = ()

    def __init__(self, network, lr):
        self.network = network
        self.lr = check_number("lr", lr, 0, float("inf"), low_open=True)
        self.steps, self.ranks = 0, network.backend.ranks
        size, dtype, xp = network.parameters.size, network.dtype, network.backend.xp
        self.mine = slice(None) if self.ranks is None else self.ranks.share(size)
        shape = network.parameters[self.mine].shape
        self.state = {name: xp.zeros(shape, dtype) for name in self.vectors}
        self.largest_rate = float(xp.finfo(dtype).max) ** 0.5
        self.guard = None  # on a GPU, the flag that forbids an update: see `finite.py`
        self._update = fastest(network.backend, self, "update")

    def step(self, factor=1.0):
        """One update of the parameters against the gradients, at `rate(factor)`.

        Raises ValueError, before anything is changed, if that is no learning rate.
        """
        rate = self.rate(factor)
        self.steps += 1
        w, g = self.network.parameters, self.network.gradients
        self._update(w[self.mine], g[self.mine], rate)
        if self.ranks is not None:
            self.ranks.hand_round(w, self.network.backend)

    def rate(self, factor, where=""):
        """lr · factor; ValueError if it is negative, NaN, or so large that w itself may overflow.

        The squares of a gradient that is let through are finite, so it is below √max, the largest
        number being max: a rate below √max keeps their product finite. `where` is for the message.
        """
        rate, largest = self.lr * float(factor), self.largest_rate
        if not 0 <= rate <= largest:
            raise ValueError(f"learning rate{where}: expected 0 to {largest:.1e}, got {rate}")
        return rate

    def update(self, w, g, lr):
        """Change w, in place, against the gradient g; update number `steps`, from 1."""
        raise NotImplementedError(f"{type(self).__name__} has no update(w, g, lr)")

    def settings(self):
        """What makes this optimizer another one, beside its class and its rate."""
        return {}

    def snapshot(self):
        """What a checkpoint holds."""
        vectors = {name: self.network.backend.to_numpy(v) for name, v in self.state.items()}
        if self.ranks is not None:
            size = self.network.parameters.size
            vectors = {name: self.ranks.joined(v, size) for name, v in vectors.items()}
        return {"steps": self.steps, **vectors}

    def restore(self, snapshot):
        """Go back to a `snapshot`."""
        vectors = {name: snapshot[name][self.mine] for name in self.state}
        fill(self.network.backend, self.state, vectors)
        self.steps = check_integer("steps", snapshot["steps"], 0)

    def __repr__(self):
        settings = {"lr": self.lr} | self.settings()
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in settings.items())})"


class SGD(Optimizer):
    """v = μ v + g;  w −= lr · v. Stochastic gradient descent with momentum μ (0: without)."""

    vectors = ("velocity",)

    def __init__(self, network, lr=1e-2, *, momentum=0.0):
        super().__init__(network, lr)
        self.momentum = check_number("momentum", momentum, 0, 1, high_open=True)

    def update(self, w, g, lr):
        v = self.state["velocity"]
        v[...] = self.momentum * v + g
        w -= lr * v

    def settings(self):
        return {"momentum": self.momentum}


class RMSProp(Optimizer):
    """s = α s + (1 − α) g²;  w −= lr · g / (√s + eps).

    Each parameter's step is measured in units of its gradient's usual size (Tieleman & Hinton
    2012, lecture 6.5). WGAN's choice: without momentum, its critic was steadier.
    """

    vectors = ("square",)

    def __init__(self, network, lr=5e-5, *, alpha=0.99, eps=1e-8):
        super().__init__(network, lr)
        self.alpha = check_number("alpha", alpha, 0, 1, high_open=True)
        self.eps = check_number("eps", eps, 0, 1, low_open=True)

    def update(self, w, g, lr):
        s = self.state["square"]
        s[...] = self.alpha * s + (1 - self.alpha) * g * g
        w -= lr * g / (s**0.5 + self.eps)

    def settings(self):
        return {"alpha": self.alpha, "eps": self.eps}


class Adam(Optimizer):
    """m = β₁ m + (1 − β₁) g;  v = β₂ v + (1 − β₂) g²;  w −= lr · m̂ / (√v̂ + eps).

    m̂ = m / (1 − β₁ᵗ) and v̂ = v / (1 − β₂ᵗ), at update t = 1, 2, …, undo the bias towards the zeros
    that m and v start from. Kingma & Ba 2015, arXiv:1412.6980, algorithm 1. β₁ = 0.5 is the GAN
    default (Radford et al. 2015): the other player moves, so that old gradients mislead.
    m is `state["mean"]`, v is `state["square"]`.
    """

    vectors = ("mean", "square")

    def __init__(self, network, lr=2e-4, *, betas=(0.5, 0.999), eps=1e-8):
        super().__init__(network, lr)
        beta1, beta2 = betas
        self.beta1 = check_number("betas[0]", beta1, 0, 1, high_open=True)
        self.beta2 = check_number("betas[1]", beta2, 0, 1, high_open=True)
        self.eps = check_number("eps", eps, 0, 1, low_open=True)

    def update(self, w, g, lr):
        m, v, t = self.state["mean"], self.state["square"], self.steps
        m[...] = self.beta1 * m + (1 - self.beta1) * g
        v[...] = self.beta2 * v + (1 - self.beta2) * g * g
        m_hat = m / (1 - self.beta1**t)
        v_hat = v / (1 - self.beta2**t)
        w -= lr * m_hat / (v_hat**0.5 + self.eps)

    def settings(self):
        return {"betas": (self.beta1, self.beta2), "eps": self.eps}


OPTIMIZERS = {"sgd": SGD, "rmsprop": RMSProp, "adam": Adam}


def constant(step):
    """A schedule: the factor on the learning rate is 1 at every step."""
    return 1.0


class Decay:
    """A schedule: 1 for the first `hold` of `steps`, then falling to `end` at the end, and there.

    Subclasses say how: `factor(left)` for the share of the fall that is still to come, in [0, 1].
    """

    def __init__(self, steps, hold=0.5, end=0.0):
        self.steps = check_integer("steps", steps, 1)
        self.hold = check_number("hold", hold, 0, 1, high_open=True)
        self.end = check_number("end", end, 0, 1)

    def __call__(self, step):
        """The factor at `step` (0 is the first)."""
        return self.factor(min(1.0, max(0.0, (1 - step / self.steps) / (1 - self.hold))))

    def __repr__(self):
        name = type(self).__name__
        return f"{name}({self.steps}, hold={self.hold:g}, end={self.end:g})"


class LinearDecay(Decay):
    """A schedule: 1 for the first `hold` of `steps`, then falling linearly to `end` at the end.

    The two players circle around their equilibrium; smaller steps let them settle into it.
    """

    def factor(self, left):
        """end + (1 − end) · left."""
        return self.end + (1 - self.end) * left


class ExponentialDecay(Decay):
    """A schedule: 1 for the first `hold` of `steps`, then falling by an equal share each step.

    It is below √end for half of the fall: time for what only small steps can learn.
    """

    def __init__(self, steps, hold=0.5, end=0.01):
        super().__init__(steps, hold, end)
        check_number("end", end, 0, 1, low_open=True)

    def factor(self, left):
        """end ^ (1 − left)."""
        return self.end ** (1 - left)
