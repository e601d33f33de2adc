"""What is said of a run of toy.py: where it lost most, and whether the losses showed it."""

import numpy as np

from support.looks import quiet, relapse


def test_the_largest_fall_below_the_best_so_far():
    good = [0.0, 0.5, 0.9, 0.6, 0.95, 0.1, 0.9]
    assert relapse([(step, 1.0, share) for step, share in enumerate(good)]) == 5


def test_small_falls_and_no_modes_are_no_relapse():
    assert relapse([(0, 0.0, 0.5), (1, 0.0, 0.35), (2, 1.0, 0.9)]) is None
    assert relapse([]) is None


def test_losses_are_quiet_where_they_stay_as_they_were():
    losses = np.full(1000, 1.386)
    assert quiet(losses, 500)
    losses[490:510] = 3.0
    assert not quiet(losses, 500) and quiet(losses, 50)
