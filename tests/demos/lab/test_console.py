"""Tests of one page's game, by its commands and the messages it gives, without a server."""

import json

import numpy as np
import pytest

from lab.console import COMMANDS, Console
from lab.messages import as_json, options, packed, thinned
from lab.settings import Settings

SMALL = Settings(generator_width=8, discriminator_width=8, batch=16)


@pytest.fixture
def console():
    return Console(SMALL)


def told(console):
    """What the page is told, as it arrives there: by kind."""
    return {m["kind"]: m for m in json.loads(as_json(console.messages()))}


def parameters(console):
    gan = console.experiment.gan
    return gan.generator.parameters.copy(), gan.discriminator.parameters.copy()


def unpacked(array):
    import base64

    whole = np.frombuffer(base64.b64decode(array["data"]), f"<i{array['bits'] // 8}")
    return whole.reshape(array["shape"]) * array["scale"]


def test_a_page_is_told_of_a_game_once_and_then_of_changes_alone(console):
    first = told(console)
    assert set(first) == {"game", "frame"} and first["game"]["settings"]["data"] == "ring"
    assert console.messages() == []
    console.command({"do": "step"})
    assert set(told(console)) == {"frame"}


def test_steps_of_both_and_of_one(console):
    G, D = parameters(console)
    console.command({"do": "step", "player": "D"})
    assert (parameters(console)[0] == G).all() and (parameters(console)[1] != D).any()
    console.command({"do": "step", "player": "G"})
    console.command({"do": "step"})
    frame = told(console)["frame"]
    assert frame["step"] == 2 and [row[0] for row in frame["rows"]["losses"]] == [1, 2]
    console.command({"do": "step"})
    assert [row[0] for row in told(console)["frame"]["rows"]["losses"]] == [3]  # new ones alone


def test_play_trains_and_pause_does_not(console):
    assert console.work(0.01) == 0
    console.command({"do": "play"})
    assert console.work(0.05) == console.experiment.steps > 0
    console.command({"do": "pause"})
    assert console.work(0.01) == 0


def test_speed(console):
    console.command({"do": "pace", "speed": 1})
    console.command({"do": "play"})
    assert console.work(0.05) == 1


def test_slow_motion_and_what_finishes_it(console):
    titles = []
    for _ in range(12):
        console.command({"do": "slow"})
        stage = told(console)["frame"].get("stage")
        titles.append(stage and stage["title"])
    assert titles[0] == "D's step: a batch of real samples" and titles[10].startswith("G's step: G")
    assert titles[11] is None and console.experiment.steps == 1
    console.command({"do": "slow"})
    console.command({"do": "step"})
    assert console.experiment.steps == 3  # the step taken apart, then one more


def test_learning_rates_change_in_the_middle_and_other_settings_restart(console):
    console.command({"do": "step"})
    game = console.experiment
    console.command({"do": "set", "settings": {"generator_lr": 0.25, "discriminator_steps": 3}})
    assert console.experiment is game and game.gan.generator_optimizer.lr == 0.25
    changed = told(console)["game"]
    assert changed["number"] == 1 and "generator_lr=0.25" in changed["link"]
    with pytest.raises(ValueError, match="expected some of generator_lr"):
        console.command({"do": "set", "settings": {"data": "moons"}})
    console.command({"do": "new", "settings": {"data": "moons"}})
    assert console.experiment is not game
    new = told(console)["game"]
    assert new["number"] == 2 and new["undo"] and new["settings"]["generator_lr"] == 0.25


def test_undo_gives_the_game_back_as_it_was(console):
    with pytest.raises(ValueError, match="no game was replaced"):
        console.command({"do": "undo"})
    console.command({"do": "step"})
    game, before = console.experiment, parameters(console)
    console.command({"do": "again"})
    assert console.experiment.steps == 0
    console.command({"do": "undo"})
    assert console.experiment is game and game.steps == 1
    np.testing.assert_array_equal(np.concatenate(before), np.concatenate(parameters(console)))
    assert [row[0] for row in told(console)["frame"]["rows"]["losses"]] == [1]


def test_scenes_and_links(console):
    console.command({"do": "new", "scene": "well"})
    assert told(console)["game"]["link"] == "scene=well"
    whole = {"data": "moons", "batch": "32"}
    console.command({"do": "new", "settings": whole, "whole": True})
    assert console.experiment.settings == Settings(data="moons", batch=32)


def test_a_head_start_is_the_same_game_without_pictures():
    ahead, plain = (Console(Settings(head_start=n, batch=16)) for n in (5, 0))
    assert told(ahead)["frame"]["waiting"] == 5
    while ahead.waiting:
        ahead.work(0.01)
    for _ in range(5):
        plain.command({"do": "step"})
    assert ahead.experiment.steps == 5 and not ahead.playing
    np.testing.assert_array_equal(*map(np.concatenate, map(parameters, (ahead, plain))))


@pytest.mark.parametrize("player, position", [("G", 0), ("G", 1), ("D", 4)])
def test_a_layer_under_the_magnifying_glass(console, player, position):
    console.command({"do": "magnify", "player": player, "position": position})
    layer = told(console)["layer"]
    gan = console.experiment.gan
    network = gan.generator if player == "G" else gan.discriminator
    kinds = {k.split(".")[1] for k in network.named_parameters() if k[0] == str(position)}
    assert kinds <= set(layer["arrays"]) and len(layer["arrays"]) == 2 + 2 * len(kinds)
    if kinds:
        weight = network.named_parameters()[f"{position}.weight"]
        found = layer["arrays"]["weight"]
        np.testing.assert_allclose(unpacked(found["map"]), weight, atol=abs(weight).max() / 3e4)
        assert sum(found["counts"]) == weight.size
        assert found["mean"] == pytest.approx(weight.mean(), abs=1e-6)
    console.command({"do": "magnify"})
    assert "layer" not in told(console)


def test_gradients_of_a_layer_are_those_of_the_loss():
    """G's last bias moves all fakes: its gradient is that of G's loss, numerically."""
    from lab.inspection import magnified, passes

    experiment = Console(SMALL).experiment
    array = magnified(experiment, "G", 4)["arrays"]["gradient of the bias"]["map"]
    network, z, _ = passes(experiment, "G")
    twin = experiment.gan.clone("float64")
    fake = twin.asarray(network(z))
    for k in range(2):
        moved = [fake.copy(), fake.copy()]
        moved[0][:, k] += 1e-5
        moved[1][:, k] -= 1e-5
        up, down = (float(twin.feedback(m, None)[0]) for m in moved)
        assert array[0, k] == pytest.approx((up - down) / 2e-5, rel=1e-3)


def test_the_flow_names_dead_units():
    console = Console(SMALL)
    console.experiment.gan.generator.named_parameters()["0.bias"][...] = -1e3
    flow = told(console)["frame"]["flow"]
    assert flow["G"]["layers"][1]["dead"] == 8
    assert any("dead units" in finding for finding in flow["G"]["findings"])


def test_divergence_stops_the_game_with_a_sentence(console):
    console.command({"do": "play"})
    console.experiment.gan.generator.parameters[:] = np.nan
    console.work(0.05)
    frame = told(console)["frame"]
    assert not frame["playing"] and "diverged" in frame["message"] and "Undo" in frame["message"]


def test_diverged_during_a_head_start(console):
    console.command({"do": "new", "settings": {"head_start": 100}})
    console.experiment.gan.generator.parameters[:] = np.nan
    console.work(0.05)
    assert not console.busy


@pytest.mark.parametrize(
    "message",
    [
        None, 3, [], {}, {"do": None}, {"do": "__init__"}, {"do": "work"}, {"do": ["play"]},
        {"do": "step", "player": "X"}, {"do": "step", "player": ["D"]},
        {"do": "pace", "speed": 1e9}, {"do": "pace", "speed": True}, {"do": "pace", "speed": {}},
        {"do": "new"},
        {"do": "new", "settings": 3}, {"do": "new", "scene": 3}, {"do": "new", "scene": ["well"]},
        {"do": "new", "settings": {"generator_layers": 10**9}},
        {"do": "new", "settings": {"batch": None}}, {"do": "set"}, {"do": "set", "settings": []},
        {"do": "set", "settings": {"generator_lr": "x"}}, {"do": "magnify", "player": "G"},
        {"do": "set", "settings": {"generator_lr": 1e300}}, {"do": "magnify", "player": ["G"]},
        {"do": "magnify", "player": "G", "position": 99},
        {"do": "magnify", "player": "G", "position": -1},
        {"do": "magnify", "player": "D", "position": True},
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused_and_changes_nothing(console, message):
    game, before = console.experiment, parameters(console)
    with pytest.raises(ValueError, match=r"expected|no layer"):
        console.command(message)
    assert console.experiment is game and game.settings == SMALL and not console.playing
    np.testing.assert_array_equal(np.concatenate(before), np.concatenate(parameters(console)))


def test_only_commands_can_be_called():
    assert set(COMMANDS) == {
        "play", "pause", "step", "slow", "set", "pace", "new", "again", "undo", "magnify"
    }  # fmt: skip


@pytest.mark.parametrize("bits", [8, 16])
def test_packed_arrays_are_finer_than_a_pixel(bits):
    array = np.random.default_rng(0).normal(size=(7, 5))
    found = unpacked(packed(array, bits))
    assert np.abs(found - array).max() <= abs(array).max() / (2**bits - 2) * 1.001
    broken = unpacked(packed([np.nan, np.inf, -np.inf, 1.0], bits))
    assert broken[0] == 0 and broken[1] == -broken[2] > 1e29


def test_messages_are_json_without_nan(console):
    console.command({"do": "step", "player": "G"})  # D's loss is not known yet
    text = as_json(console.messages())
    assert "NaN" not in text and "Infinity" not in text
    assert json.loads(text)[1]["rows"]["losses"] == [[1, None, pytest.approx(0.7, abs=0.3)]]
    json.loads(as_json(options()))


def test_rows_are_thinned_to_their_last():
    rows = [(i, 2 * i, 3 * i) for i in range(1001)]
    found = thinned(rows)
    assert len(found) <= 200 and found[-1] == [1000, 2000, 3000]
    assert thinned([]) == [] and thinned(rows[:2]) == [[0, 0, 0], [1, 2, 3]]
