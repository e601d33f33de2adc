"""SGD, RMSProp and Adam: each update is one operation on a network's flat vectors.

`optimizer = Adam(network, lr=1e-3)`, then after each backward pass `optimizer.step()`. An
optimizer changes the parameters of its own network and nothing else: that is how one player of
the game stands still while the other trains. The formulas stand in the backend, which has them
as one kernel each.
"""

from minigan.checks import check_number

__all__ = ["OPTIMIZERS", "SGD", "Adam", "Optimizer", "RMSProp"]


class Optimizer:
    """network: a `Sequential`. lr: the learning rate, > 0.

    `state` maps names to vectors as long as the network's parameters; `steps` counts the
    updates. Both belong into a checkpoint.
    """

    vectors = ()

    def __init__(self, network, lr):
        self.network = network
        self.lr = check_number("lr", lr, 0, float("inf"), low_open=True)
        self.steps = 0
        shape, dtype = network.parameters.shape, network.dtype
        self.state = {name: network.backend.xp.zeros(shape, dtype) for name in self.vectors}

    def step(self, factor=1.0, guard=None):
        """One update of `network.parameters` against `network.gradients`, at rate lr · factor.

        guard: a flag of `Watch.guard`; where it is not set, no vector is changed.
        """
        self.steps += 1
        network = self.network
        self.update(network.backend, network.parameters, network.gradients, self.lr * factor, guard)

    def update(self, backend, parameters, gradients, lr, guard):
        raise NotImplementedError


class SGD(Optimizer):
    """v = μ v + g;  w −= lr · v. Stochastic gradient descent with momentum μ (0: without)."""

    vectors = ("velocity",)

    def __init__(self, network, lr=1e-2, *, momentum=0.0):
        super().__init__(network, lr)
        self.momentum = check_number("momentum", momentum, 0, 1, high_open=True)

    def update(self, backend, parameters, gradients, lr, guard):
        backend.sgd(parameters, gradients, self.state["velocity"], lr, self.momentum, guard)


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

    def update(self, backend, parameters, gradients, lr, guard):
        constants = lr, self.alpha, self.eps
        backend.rmsprop(parameters, gradients, self.state["square"], *constants, guard)


class Adam(Optimizer):
    """m = β₁ m + (1 − β₁) g;  v = β₂ v + (1 − β₂) g²;  w −= lr · m̂ / (√v̂ + eps).

    m̂ = m / (1 − β₁ᵗ) and v̂ = v / (1 − β₂ᵗ) undo the bias towards the zeros that m and v start
    from. Kingma & Ba 2015, arXiv:1412.6980, algorithm 1. β₁ = 0.5 is the GAN default (Radford et
    al. 2015): the other player moves, so that old gradients mislead.
    """

    vectors = ("mean", "square")

    def __init__(self, network, lr=2e-4, *, betas=(0.5, 0.999), eps=1e-8):
        super().__init__(network, lr)
        beta1, beta2 = betas
        self.beta1 = check_number("betas[0]", beta1, 0, 1, high_open=True)
        self.beta2 = check_number("betas[1]", beta2, 0, 1, high_open=True)
        self.eps = check_number("eps", eps, 0, 1, low_open=True)

    def update(self, backend, parameters, gradients, lr, guard):
        mean, square = self.state["mean"], self.state["square"]
        constants = self.beta1, self.beta2, self.eps, self.steps
        backend.adam(parameters, gradients, mean, square, lr, *constants, guard)


OPTIMIZERS = {"sgd": SGD, "rmsprop": RMSProp, "adam": Adam}
