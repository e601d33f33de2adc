"""One rank fails in the middle of a step: all end in time, and the last checkpoint is whole."""

import pytest

from minigan.runs.archive import open_archive

pytestmark = pytest.mark.slow

FAULTS = ["killed", "raises", "exits", "signal", "disk"]


@pytest.fixture(scope="module")
def ended(start_ranks, outcome, tmp_path_factory):
    """fault -> status, output, errors, and the step of the checkpoint that is there."""
    folder = tmp_path_factory.mktemp("faults")
    running = {fault: start_ranks(2, "faults.py", fault, folder) for fault in FAULTS}
    found = {}
    for fault, process in running.items():
        outcomes = outcome(process)
        with open_archive(folder / f"{fault}.npz") as archive:
            found[fault] = *outcomes, archive.header["steps"]
    assert {path.name for path in folder.iterdir()} == {f"{fault}.npz" for fault in FAULTS}
    return found


@pytest.mark.parametrize("fault", ["killed", "raises", "exits"])
def test_all_end_and_the_last_checkpoint_is_whole(fault, ended):
    status, out, _, steps = ended[fault]
    assert status != 0 and "is at step" not in out
    assert steps == 4


def test_the_error_is_told(ended):
    _, _, errors, _ = ended["raises"]
    assert "ArithmeticError: this was rank 1's own error" in errors
    assert "rank 0 ends, as rank 1 has ended: ArithmeticError: this was rank 1's own" in errors
    assert "The last good checkpoint: step 4" in errors


def test_a_rank_that_leaves_early_is_missed(ended):
    assert "rank 1 ends, as rank 0 has ended: without an error" in ended["exits"][2]


def test_a_signal_to_one_stops_all_after_the_same_step(ended):
    status, out, errors, steps = ended["signal"]
    assert status != 0 and "is at step" not in out  # 143; MPICH makes 15 of it
    assert steps == 5 and errors.count("Stopped after step 5. Saved: step 5") == 1


def test_a_full_disk_is_told_once_and_training_goes_on(ended):
    status, out, errors, steps = ended["disk"]
    assert status == 0 and steps == 8
    assert "rank 0 is at step 8" in out and "rank 1 is at step 8" in out
    assert errors.count("No checkpoint of step 4: [Errno 28]") == 1
