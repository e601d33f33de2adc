"""`WeightAverage`: a running average of a network's weights over the steps of training."""

from minigan.checks import check_number

__all__ = ["WeightAverage"]


class WeightAverage:
    """An exponential moving average of a network's parameters, as a network of its own.

        w̄ ← w̄ + a (w − w̄),   a = (1 − d) / (1 − dᵗ)   at update t = 1, 2, …

    The denominator removes the start: w̄ after t updates is the average of exactly the t
    networks seen, with weights that fall by `decay` d per step into the past. Two players that
    circle an equilibrium are, on average, in its middle (Yazıcı et al. 2019, arXiv:1806.04498).
    Running statistics of batch norm are averaged alike.
    """

    def __init__(self, network, decay):
        self.decay = check_number("decay", decay, 0, 1, high_open=True)
        self.source = network
        self.network = network.clone()
        self.updates = 0

    def update(self, guard=None):
        """Take the source's present weights into the average; guard: as in `Optimizer.step`."""
        self.updates += 1
        rate = (1 - self.decay) / (1 - self.decay**self.updates)
        backend = self.source.backend
        backend.interpolate(self.network.parameters, self.source.parameters, rate, guard)
        backend.interpolate(self.network.buffers, self.source.buffers, rate, guard)
