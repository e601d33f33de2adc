"""What a checkpoint carries over, and what it refuses: with a reason, and nothing changed."""

import time
from types import SimpleNamespace

import numpy as np
import pytest

from minigan import (
    SGD,
    Adam,
    BatchNorm,
    CheckpointError,
    Dense,
    LeakyReLU,
    Record,
    RMSProp,
    Sequential,
    TrainingDiverged,
    load_checkpoint,
    save_checkpoint,
    train,
)
from minigan.data import Batches
from minigan.games.critic import CriticGame
from minigan.plotting import Moment
from minigan.runs.archive import open_archive, write_archive


@pytest.fixture
def trained(build_game, tmp_path):
    """A game after two steps, its batches, and its checkpoint."""
    game, batches = build_game("r2")
    list(train(game, batches, 2))
    path = tmp_path / "run.npz"
    save_checkpoint(path, game, batches, configuration={"seed": 3, "layers": (1, 2)})
    return game, batches, path


def refused(numbers, reason, path, game, batches=None, **options):
    before = numbers(game)
    with pytest.raises(CheckpointError, match=reason) as caught:
        load_checkpoint(path, game, batches, **options)
    assert str(path) in str(caught.value)
    assert numbers(game) == before


# Moving ----------------------------------------------------------------------------------------


def test_numpy_opens_it_without_pickle(trained):
    game, _, path = trained
    with np.load(path, allow_pickle=False) as content:
        found = content["state/generator/parameters/0.weight"]
        np.testing.assert_array_equal(found, game.generator.named_parameters()["0.weight"])
        assert {array.dtype.kind for array in content.values()} <= set("fiu")


def test_the_same_state_gives_the_same_bytes(trained, tmp_path, monkeypatch):
    game, batches, path = trained
    monkeypatch.setattr(time, "time", lambda: 1.5e9)  # at any time
    save_checkpoint(tmp_path / "b.npz", game, batches, configuration={"seed": 3, "layers": [1, 2]})
    assert path.read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_from_float32_to_float64_and_back_without_loss(trained, build_game, numbers, tmp_path):
    game, _, path = trained
    wide, wide_batches = build_game("r2", seed=5, dtype="float64")
    load_checkpoint(path, wide, wide_batches)
    assert wide.generator.dtype == np.float64
    np.testing.assert_array_equal(wide.generator.parameters, game.generator.parameters)
    save_checkpoint(tmp_path / "wide.npz", wide, wide_batches)
    narrow, narrow_batches = build_game("r2", seed=6)
    load_checkpoint(tmp_path / "wide.npz", narrow, narrow_batches)
    assert numbers(narrow) == numbers(game)


def test_numbers_too_large_for_the_dtype_are_refused(build_game, numbers, tmp_path):
    game, _ = build_game("r2", dtype="float64")
    game.generator.named_parameters()["3.weight"][0, 0] = 1e300
    save_checkpoint(tmp_path / "run.npz", game)
    game, _ = build_game("r2", seed=5)
    refused(numbers, r"state of generator .*3\.weight: not finite as", tmp_path / "run.npz", game)


def test_history_comes_back(trained):
    game, batches, path = trained
    history = {
        "losses": [(0.5, -1.25), (float("inf"), np.float32(2))],
        "looks": [{"step": np.int64(3), "fake": np.eye(3, dtype="float32").T, "caption": None}],
        "nothing": np.zeros((0, 4)),
        "moment": Moment(3, np.ones((2, 2)), np.zeros((1, 2)), np.eye(3), "eight modes"),
    }
    save_checkpoint(path, game, batches, history=history)
    found = load_checkpoint(path, game, batches)
    assert found["losses"] == [[0.5, -1.25], [float("inf"), 2.0]]
    look = found["looks"][0]
    assert look["step"] == 3 and look["caption"] is None and look["fake"].dtype == np.float32
    np.testing.assert_array_equal(look["fake"], np.eye(3))
    assert found["nothing"].shape == (0, 4)
    moment = Moment(**found["moment"])
    assert (moment.step, moment.caption) == (3, "eight modes")
    np.testing.assert_array_equal(moment.judgement, np.eye(3))


@pytest.mark.parametrize("saved", [True, False])
def test_the_game_alone_without_batches(saved, build_game, numbers, tmp_path):
    game, batches = build_game("conditional")
    list(train(game, batches, 2))
    save_checkpoint(tmp_path / "run.npz", game, batches if saved else None)
    other, _ = build_game("conditional", seed=5)
    load_checkpoint(tmp_path / "run.npz", other)
    assert numbers(other) == numbers(game)


@pytest.mark.parametrize("generator", [np.random.MT19937, np.random.Philox, np.random.SFC64])
def test_any_bit_generator(generator, build_game, tmp_path):
    game, batches = build_game("minimax")
    game.rng = np.random.Generator(generator(1))
    list(train(game, batches, 1))
    save_checkpoint(tmp_path / "run.npz", game, batches)
    expected = game.rng.random(3)
    load_checkpoint(tmp_path / "run.npz", game, batches)
    np.testing.assert_array_equal(game.rng.random(3), expected)


# What cannot be saved --------------------------------------------------------------------------


def test_nan_is_not_saved_and_the_last_good_one_kept(trained, numbers):
    game, batches, path = trained
    before = path.read_bytes()
    game.average.network.named_parameters()["0.bias"][2] = np.nan
    with pytest.raises(CheckpointError, match=r"not saved: average/network/parameters/0\.bias"):
        save_checkpoint(path, game, batches)
    assert path.read_bytes() == before


def test_updates_that_nobody_has_looked_at_are_looked_at_first(trained):
    """On a GPU, an update that was not finite is noticed late: never in a checkpoint."""
    game, batches, path = trained
    before = path.read_bytes()

    def look():
        raise TrainingDiverged(3, "generator", "the loss")

    game.watch = SimpleNamespace(look=look)
    with pytest.raises(TrainingDiverged, match="step 3"):
        save_checkpoint(path, game, batches)
    assert path.read_bytes() == before


def test_records_of_a_history(trained):
    game, batches, path = trained
    history = {"records": list(train(game, batches, 2))}
    save_checkpoint(path, game, batches, history=history)
    found = load_checkpoint(path, game, batches)["records"]
    assert [repr(Record(**record)) for record in found] == [repr(r) for r in history["records"]]
    assert found[1]["seconds"] == history["records"][1].seconds > 0


UNFIT = {
    "a generator of batches": ({"batches": iter([])}, TypeError, "batches: expected something"),
    "a set": ({"history": {"a": {1}}}, TypeError, "history/a: a set cannot be part"),
    "objects": ({"history": {"a": np.array([None])}}, TypeError, "history/a: an array of object"),
    "slash": ({"history": {"a/b": 1}}, ValueError, "a key must be text without a slash"),
    "number as key": ({"configuration": {1: 2}}, ValueError, "a key must be text"),
    "array": ({"configuration": {"a": np.eye(2)}}, TypeError, "configuration/a: an array"),
}


@pytest.mark.parametrize("name", UNFIT)
def test_what_cannot_be_part_of_a_checkpoint(name, trained):
    game, _, path = trained
    arguments, error, message = UNFIT[name]
    before = path.read_bytes()
    with pytest.raises(error, match=message):
        save_checkpoint(path, game, **arguments)
    assert path.read_bytes() == before and len(list(path.parent.iterdir())) == 1


def test_fakes_that_cannot_be_resumed_are_named(build_game, tmp_path):
    game, batches = build_game("critic")
    D = game.discriminator
    game = CriticGame(D, "minimax", Adam(D), iter([]), rng=0)
    with pytest.raises(TypeError, match="fakes: expected something with state"):
        save_checkpoint(tmp_path / "run.npz", game, batches)


# Other games -----------------------------------------------------------------------------------


def dense(outputs=1, width=7, activation=LeakyReLU, inputs=2, more=()):
    layers = [Dense(inputs, width), BatchNorm(width), activation(), Dense(width, outputs), *more]
    return Sequential(layers, (inputs,), rng=0)


def of(make_gan, D, **options):
    return make_gan(dense(2, inputs=3), D, "minimax", **options)


OTHERS = {
    "width": (
        lambda make: of(make, dense(width=8)),
        r"another architecture: discriminator, layer 0: Dense\(2, 7\) -> \(7,\) in the checkpoint, "
        r"Dense\(2, 8\) -> \(8,\) here",
    ),
    "activation": (
        lambda make: of(make, dense(activation=lambda: LeakyReLU(0.3))),
        r"discriminator, layer 2: LeakyReLU\(0\.2\) .*, LeakyReLU\(0\.3\)",
    ),
    "one layer more": (
        lambda make: of(make, dense(more=[Dense(1, 1)])),
        r"discriminator, layer 4: nothing in the checkpoint, Dense\(1, 1\)",
    ),
    "optimizer": (
        lambda make: of(make, dense(), optimizer=RMSProp),
        "discriminator_optimizer: Adam in the checkpoint, RMSProp here",
    ),
    "an average": (
        lambda make: of(make, dense(), average_decay=0.5),
        "average: nothing in the checkpoint, {.*} here",
    ),
    "random generator": (
        lambda make: of(make, dense(), rng=np.random.Generator(np.random.Philox(0))),
        "rng: PCG64 in the checkpoint, Philox here",
    ),
}


@pytest.mark.parametrize("name", OTHERS)
def test_another_architecture_is_named_by_its_first_difference(name, make_gan, numbers, tmp_path):
    make, reason = OTHERS[name]
    save_checkpoint(tmp_path / "run.npz", of(make_gan, dense()))
    refused(numbers, reason, tmp_path / "run.npz", make(make_gan))


def test_batches_that_were_not_saved_are_missed(make_gan, numbers, tmp_path):
    game = of(make_gan, dense())
    save_checkpoint(tmp_path / "run.npz", game)
    batches = Batches(np.zeros((4, 2)), 4, np.random.default_rng(0))
    refused(numbers, "batches: nothing in the checkpoint", tmp_path / "run.npz", game, batches)


def test_another_kind_of_game(trained, build_game, numbers):
    for kind in ("cycle", "moment matching", "noisy"):
        other, batches = build_game(kind)
        refused(numbers, "another architecture: ", trained[2], other, batches)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [({"seed": 4}, "configuration: seed: 3 in the checkpoint, 4 here"),
     ({"steps": 9}, "configuration: steps: nothing in the checkpoint, 9 here"),
     ({"layers": [1, 3]}, r"layers: \[1, 2\] in the checkpoint, \[1, 3\]")],
)  # fmt: skip
def test_another_configuration(trained, numbers, changes, reason):
    game, batches, path = trained
    mine = {"seed": 3, "layers": (1, 2)}
    load_checkpoint(path, game, batches, configuration=mine)
    refused(numbers, reason, path, game, batches, configuration=mine | changes)


def test_other_batches_undo_what_was_restored_before_them(trained, build_game, numbers):
    _, _, path = trained
    other, _ = build_game("r2", seed=5)
    data = np.zeros((20, 2))
    for batches, reason in (
        (Batches(data, 5, np.random.default_rng(0)), "expected batches of 5, got 6"),
        (Batches(data[:9], 6, np.random.default_rng(0)), "expected a permutation of 9 rows"),
    ):
        before = batches.state()
        refused(numbers, f"the state of batches does not fit: .*{reason}", path, other, batches)
        assert str(batches.state()) == str(before)


def test_an_interruption_while_loading_leaves_the_game_as_it_was(trained, build_game, numbers):
    class Interrupted:
        def state(self):
            return {}

        def restore(self, state):
            if not self.asked:
                self.asked = True
                raise KeyboardInterrupt

        asked = False

    game, _, path = trained
    save_checkpoint(path, game, Interrupted())
    other, _ = build_game("r2", seed=5)
    before = numbers(other)
    with pytest.raises(KeyboardInterrupt):
        load_checkpoint(path, other, Interrupted())
    assert numbers(other) == before


# Headers that lie, in files that are whole -----------------------------------------------------


def forge(path, change):
    """Write the checkpoint anew with another header, or other arrays."""
    with open_archive(path) as archive:
        header = archive.header
        arrays = {name: archive.read(name) for name in archive.shapes}
    write_archive(path, change(header, arrays) or header, arrays)  # None: as it was


def put(*place, value):
    """A change of the header: `value` at that place."""

    def change(header, arrays):
        for key in place[:-1]:
            header = header[key]
        header[place[-1]] = value

    return change


def array(name, change):
    return lambda header, arrays: arrays.update({name: change(arrays[name])})


WEIGHT = "state/generator/parameters/0.weight"
LIES = {
    "newer version": (put("version", value=3), "a newer minigan: its format is 3, this one reads"),
    "older version": (put("version", value=1), "an older minigan: its format is 1, this one reads"),
    "version 0": (put("version", value=0), "malformed: version: expected at least 1"),
    "version text": (put("version", value="1"), "malformed: version: expected an integer"),
    "format": (put("format", value="other"), "not a checkpoint of minigan"),
    "a list": (lambda header, arrays: [header], "not a checkpoint of minigan"),
    "no state": (lambda header, arrays: {**header, "state": []}, "malformed"),
    "state of nobody": (put("state", value={}), "malformed"),
    "state text": (put("state", "generator", value="x"), "state of generator does not fit"),
    "steps -1": (put("steps", value=-1), "steps: expected at least 0"),
    "steps 1.5": (put("steps", value=1.5), "steps: expected an integer"),
    "optimizer's steps": (
        put("state", "generator_optimizer", "steps", value=None),
        "state of generator_optimizer does not fit",
    ),
    "updates": (put("state", "average", "updates", value=True), "state of average does not fit"),
    "rng": (put("state", "rng", "state", value={"state": -1, "inc": 0}), "state of rng does not"),
    "rng of another kind": (put("state", "rng", "bit_generator", value="MT19937"), "state of rng"),
    "too few generators": (put("state", "generator", "generators", value=[]), "state of generator"),
    "structure": (put("structure", value=[1]), "malformed"),
    "other shape": (array(WEIGHT, lambda a: a.T.copy()), r"0\.weight: expected .* \(3, 7\), got"),
    "flat": (array(WEIGHT, np.ravel), r"expected floating-.* \(3, 7\), got float32 \(21"),
    "integers": (array(WEIGHT, lambda a: a.astype("i4")), r"expected .*, got int32 \(3, 7\)"),
    "NaN": (array(WEIGHT, lambda a: a * np.nan), r"0\.weight: not finite as float32"),
    "missing array": (lambda header, arrays: arrays.pop(WEIGHT)[:0].any(), "does not fit"),
    "permutation": (
        array("state/batches/permutation", lambda a: a * 0),
        "the state of batches does not fit",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", LIES)
def test_a_header_that_lies_changes_nothing(name, trained, build_game, numbers):
    _, _, path = trained
    change, reason = LIES[name]
    forge(path, change)
    game, batches = build_game("r2", seed=5)
    before = str(batches.state())
    refused(numbers, reason, path, game, batches)
    assert str(batches.state()) == before


def test_momentum_is_carried_over(make_gan, numbers, tmp_path):
    """SGD's velocity, which the games above leave at zero momentum."""
    games = []
    for _ in range(2):
        G, D = dense(2, inputs=3), dense()
        optimizers = {"generator_optimizer": SGD(G, momentum=0.9)}
        optimizers["discriminator_optimizer"] = SGD(D, momentum=0.9)
        games.append(make_gan(G, D, "minimax", rng=np.random.default_rng(0), **optimizers))
    x = np.random.default_rng(0).normal(size=(5, 6, 2))
    list(train(games[0], x[:2], 2))
    save_checkpoint(tmp_path / "run.npz", games[0])
    load_checkpoint(tmp_path / "run.npz", games[1])
    for game in games:
        list(train(game, x[2:], 3))
    assert numbers(games[0]) == numbers(games[1])
