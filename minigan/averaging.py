"""`WeightAverage`: the average of a generator's weights over training, which draws its samples."""

from minigan.backend import fastest
from minigan.checks import check_integer, check_number

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
        self.source, self._average = network, network.clone()
        self.updates = 0
        self.guard = None  # as an optimizer's
        self._interpolate = fastest(network.backend, self, "interpolate")

    @property
    def network(self):
        """The average; before the first update, the source as it is."""
        if not self.updates:
            self._average.parameters, self._average.buffers = (
                self.source.parameters,
                self.source.buffers,
            )
        return self._average

    def update(self):
        """Take the source's present weights into the average."""
        self.updates += 1
        rate = (1 - self.decay) / (1 - self.decay**self.updates)
        self._interpolate(self.network.parameters, self.source.parameters, rate)
        self._interpolate(self.network.buffers, self.source.buffers, rate)

    def interpolate(self, average, w, rate):
        """w̄ += rate · (w − w̄), in place."""
        average += rate * (w - average)

    def structure(self):
        return self.network.structure()

    def state(self):
        return {"updates": self.updates, "network": self.network.state()}

    def restore(self, state):
        self.updates = check_integer("updates", state["updates"], 0)
        self.network.restore(state["network"])
