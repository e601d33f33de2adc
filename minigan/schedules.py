"""Learning-rate schedules: the factor on an optimizer's rate at each step of training."""

from minigan.checks import check_integer, check_number

__all__ = ["LinearDecay", "constant"]


def constant(step):
    """1 at every step."""
    return 1.0


class LinearDecay:
    """1 for the first `hold` of `steps`, then falling linearly to `end` at the end.

    The two players circle around their equilibrium; smaller steps let them settle into it.
    """

    def __init__(self, steps, hold=0.5, end=0.0):
        self.steps = check_integer("steps", steps, 1)
        self.hold = check_number("hold", hold, 0, 1, high_open=True)
        self.end = check_number("end", end, 0, 1)

    def __call__(self, step):
        """The factor at `step` (0 is the first)."""
        left = min(1.0, max(0.0, (1 - step / self.steps) / (1 - self.hold)))
        return self.end + (1 - self.end) * left

    def __repr__(self):
        return f"LinearDecay({self.steps}, hold={self.hold:g}, end={self.end:g})"
