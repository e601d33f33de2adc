"""n ranks with N / n samples each are one process with N: `equal.py`, played once by four ranks."""

import importlib.util
import json
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow


def load(name):
    """A module beside this file, which is no package."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


games = load("games")


@pytest.fixture(scope="module")
def found(start_ranks, outcome, tmp_path_factory):
    folder = tmp_path_factory.mktemp("ranks")
    status, _, errors = outcome(start_ranks(4, "equal.py", folder / "found.json", folder), 600)
    assert status == 0, errors
    return json.loads((folder / "found.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("size", [1, 2, 3, 4])
@pytest.mark.parametrize("kind", games.GAMES)
def test_every_game_learns_what_one_process_learns(kind, size, found):
    """Weights, statistics, averages and all figures of ten steps, in float64."""
    assert found[f"{kind}, {size}, {size == 4}"] < 1e-9


@pytest.mark.parametrize("kind", games.LOSSES)
def test_every_objective_and_regularizer(kind, found):
    assert found[f"{kind}, 3, True"] < 1e-9


@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_a_shared_update_is_the_whole_one(size, found):
    assert found[f"cycle, {size}, True"] < 1e-9 and found[f"cycle, {size}, False"] < 1e-9


def test_same_ranks_same_bits(found):
    assert found["same bits, 3, True"] and found["same bits, 3, False"]


def test_a_run_goes_on_with_another_number_of_ranks(found):
    """Four ranks, three, two and one, two steps each time: as one process from the start."""
    assert found["resumed"] < 1e-9


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("seed", "RanksError: ranks differ: discriminator on rank 0, another on rank 1"),
        ("game", "RanksError: ranks differ: game 'GAN' on rank 0, game 'CriticGame' on rank 1"),
        ("rate", "RanksError: ranks differ: generator_optimizer 'Adam(lr=0.0002"),
        ("data", "RanksError: ranks differ: the first batch on rank 0, another on rank 1"),
        ("23", "RanksError: batch: expected a multiple of 3, the number of ranks, got 23"),
        ("NaN", "TrainingDiverged: training diverged at step 1, in the discriminator's step"),
        ("1e200", "TrainingDiverged: training diverged at step 1, in the discriminator's step"),
        ("schedule", "ValueError: learning rate of the discriminator at step 1"),
    ],
)
def test_all_refuse_with_one_message(what, message, found):
    told = found["refused"][what]
    assert len(told) == 3 and len(set(told)) == 1
    assert told[0].startswith(message)


def test_what_is_refused_changes_nothing(found):
    assert found["unchanged"] == [True, True, True]


def test_a_checkpoint_that_cannot_be_written_is_an_error_on_all(found):
    assert found["unwritable"] == ["FileNotFoundError"] * 3 and found["kept"]


def test_a_clone_is_of_no_ranks(found):
    assert found["clone"] > 0
