"""What the networks learn from: toy distributions, MNIST, and batches of either.

`distributions` says what a distribution is, `toy` builds the usual ones by name, `mnist` loads
the digits and sets like them, `batches` feeds the training loop.
"""

from minigan.data.batches import Batches
from minigan.data.distributions import Distribution, GaussianMixture
from minigan.data.mnist import MnistError, load_mnist
from minigan.data.toy import TOYS, toy

__all__ = [
    "TOYS",
    "Batches",
    "Distribution",
    "GaussianMixture",
    "MnistError",
    "load_mnist",
    "toy",
]
