"""Whole games on the GPU's backend: NumPy's numbers, the same bits every time, and no waiting."""

import numpy as np
import pytest
from devices import make_backend, orders
from games import GAMES, batches, dcgan, networks

from minigan import Dropout, Sequential, TrainingDiverged, get_backend, train
from minigan.runs.checkpoint import load_checkpoint, save_checkpoint

STEPS = 3


def networks_of(game):
    return {player: getattr(game, player) for player in game.players}


def trained(name, backend, dtype, steps=STEPS):
    """The game after some steps of training, and what it holds and reported, on the host."""
    game = GAMES[name](backend, dtype)
    records = list(train(game, batches(name, game), steps))
    numbers = {}
    for which, network in networks_of(game).items():
        for vector in ("parameters", "gradients", "buffers"):
            numbers[f"{which} {vector}"] = backend.to_numpy(getattr(network, vector))
    if getattr(game, "average", None):
        numbers["average"] = backend.to_numpy(game.average.network.parameters)
    for which in ("generator_loss", "generator_gradient_norm"):
        numbers[which] = np.array([getattr(r, which) for r in records if which in r._figures])
    return game, numbers


@pytest.mark.parametrize("name", GAMES)
def test_training_is_numpys_to_rounding(name, device):
    start = GAMES[name](get_backend("numpy"), "float64")
    _, expected = trained(name, get_backend("numpy"), "float64")
    _, found = trained(name, device, "float64")
    assert expected.keys() == found.keys()
    for key, value in expected.items():
        np.testing.assert_allclose(found[key], value, rtol=1e-7, atol=1e-9, err_msg=key)
    for which, network in networks_of(start).items():  # it was not for want of training
        assert abs(expected[f"{which} parameters"] - network.parameters).max() > 1e-4


@pytest.mark.parametrize("name", ["SGD", "WGAN-GP"])
def test_our_own_products_and_convolutions_train_alike(name, own_kernels):
    _, expected = trained(name, get_backend("numpy"), "float64", steps=2)
    _, found = trained(name, own_kernels, "float64", steps=2)
    for key, value in expected.items():
        np.testing.assert_allclose(found[key], value, rtol=1e-7, atol=1e-9, err_msg=key)


@pytest.mark.parametrize("name", ["DCGAN", "SGD"])
def test_float32_stays_float32_and_close(name, device):
    _, expected = trained(name, get_backend("numpy"), "float64")
    game, found = trained(name, device, "float32")
    for which, network in networks_of(game).items():
        assert network.parameters.dtype == network.buffers.dtype == np.float32
        key = f"{which} parameters"
        np.testing.assert_allclose(found[key], expected[key], atol=2e-3, err_msg=key)


@pytest.mark.parametrize("name", ["DCGAN", "WGAN-GP"])
def test_the_same_seed_gives_the_same_bits_in_every_order_of_threads(name, device):
    runs = [trained(name, device, "float32", steps=2)[1] for _ in orders(device)]
    for other in runs[1:]:
        assert all(runs[0][key].tobytes() == other[key].tobytes() for key in other)


# --- The host does not wait ----------------------------------------------------------------------


@pytest.mark.parametrize("name", GAMES)
def test_no_step_waits_for_the_device(name, emulator):
    """The host reads nothing until it looks whether all was finite, in the end and once."""
    backend = make_backend("emulator", patience=1000)
    game = GAMES[name](backend, "float32")
    data, reads = batches(name, game), emulator.machine.host_reads
    assert len(networks_of(game)) >= 1
    emulator.machine.launches.clear()
    reads.clear()
    steps = train(game, data, 3)
    records = [next(steps) for _ in range(3)]
    assert reads == []
    assert len(emulator.machine.launches) > 3 * 10
    assert list(steps) == []
    assert len(reads) == 1
    assert np.isfinite(records[-1].generator_loss) and len(reads) == 2


def test_patience_bounds_how_long_nobody_looks(emulator):
    backend = make_backend("emulator", patience=4)  # two updates per step
    game = GAMES["dense"](backend, "float32")
    steps, reads = train(game, batches("dense", game), 6), emulator.machine.host_reads
    seen = []
    reads.clear()
    for _ in steps:
        seen.append(len(reads))
    assert seen == [0, 1, 1, 2, 2, 3]


def contents(game):
    """All that an update changes, on the host."""
    networks = networks_of(game) | ({"average": game.average.network} if game.average else {})
    held = {name: network.parameters for name, network in networks.items()}
    held |= {f"{name}'s statistics": network.buffers for name, network in networks.items()}
    for player in game.players:
        state = getattr(game, f"{player}_optimizer").state
        held |= {f"{player}'s {name}": vector for name, vector in state.items()}
    return {name: game.backend.to_numpy(vector) for name, vector in held.items()}


@pytest.mark.parametrize("patience", [2, 3, 1000])
@pytest.mark.parametrize("name", GAMES)
def test_what_diverged_is_named_later_and_has_changed_nothing(name, patience, emulator):
    """The update that was the first bad one, however many have been queued since."""
    game = GAMES[name](make_backend("emulator", patience=patience), "float64")
    data, player = batches(name, game), game.players[-1]
    list(train(game, data, 1))
    weight = getattr(game, player).layers[0].weight
    number = float(weight[0, 0])
    weight[0, 0] = np.nan
    good = contents(game)
    with pytest.raises(TrainingDiverged) as raised:
        list(train(game, data, 3))
    first = "critic_b" if name == "CycleGAN" else game.players[0]
    assert (raised.value.step, raised.value.player) == (2, first)
    assert raised.value.layer == "the loss, gradient or running statistics"
    found = contents(game)
    for what, numbers in good.items():
        np.testing.assert_array_equal(found[what], numbers, err_msg=what)
    weight[0, 0] = number  # and it goes on from there
    records = list(train(game, data, 2))
    assert np.isfinite(records[-1].generator_loss)
    for what, numbers in contents(game).items():
        assert np.isfinite(numbers).all(), what
        if what in game.players:
            assert (numbers != good[what]).any(), what


@pytest.mark.parametrize("player", ["generator", "discriminator"])
def test_a_running_statistic_alone_is_reason_enough(player, emulator):
    """Losses and gradients, which use those of the batch, are all finite."""
    game = GAMES["DCGAN"](make_backend("emulator", patience=1000), "float64")
    data = batches("DCGAN", game)
    list(train(game, data, 1))
    getattr(game, player).buffers[-1] = np.inf
    good = contents(game)
    with pytest.raises(TrainingDiverged, match="step 2, in the discriminator's step"):
        list(train(game, data, 2))
    for what, numbers in contents(game).items():
        np.testing.assert_array_equal(numbers, good[what], err_msg=what)


@pytest.mark.parametrize("patience", [2, 1000])
def test_the_second_player_of_a_step_is_named_too(patience, emulator):
    """D's update is made, G's is refused: the first bad update is number 1, not 0."""
    game = GAMES["dense"](make_backend("emulator", patience=patience), "float64")
    data = batches("dense", game)
    list(train(game, data, 1))
    good = contents(game)
    game.feedback = lambda fake, x: (fake.sum() * np.nan, fake)
    with pytest.raises(TrainingDiverged, match="step 2, in the generator's step"):
        list(train(game, data, 1))
    found = contents(game)
    assert (found["discriminator"] != good["discriminator"]).any()
    for what in ("generator", "average", "generator's mean"):
        np.testing.assert_array_equal(found[what], good[what], err_msg=what)


def test_a_figure_that_is_asked_for_shows_at_once_that_training_has_diverged(emulator):
    game = GAMES["dense"](make_backend("emulator", patience=1000), "float64")
    data = batches("dense", game)
    record = next(train(game, data, 1))
    assert np.isfinite(record.generator_loss)
    game.generator.layers[-1].bias[0] = np.nan
    steps = train(game, data, 5)
    record = next(steps)
    with pytest.raises(TrainingDiverged, match="step 2, in the discriminator's step"):
        record.discriminator_loss  # noqa: B018


# --- Between backends ----------------------------------------------------------------------------


def test_a_network_moves_there_and_back(device):
    here, _ = networks(dcgan, "numpy", "float32")
    there = here.clone(backend=device)
    back = there.clone(backend="numpy")
    assert device.to_numpy(there.parameters).tobytes() == here.parameters.tobytes()
    assert back.parameters.tobytes() == here.parameters.tobytes()
    z = np.random.default_rng(0).normal(size=(4, 3)).astype("float32")
    found = device.to_numpy(there(device.asarray(z)))
    np.testing.assert_allclose(found, here(z), atol=1e-5)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_dropout_drops_the_same_numbers_everywhere(dtype, device, emulator):
    """From a key per pass, which is all that comes from the host."""
    masks, x = [], np.ones((7, 33), dtype)
    for backend in (get_backend("numpy"), get_backend("reference"), device):
        network = Sequential([Dropout(0.3)], (33,), rng=5, dtype=dtype, backend=backend)
        on_backend = backend.asarray(x)
        emulator.machine.operations.clear()
        emulator.machine.host_reads.clear()
        passes = [network.forward(on_backend)[0] for _ in range(2)]
        assert emulator.machine.host_reads == []
        masks.append([backend.to_numpy(y) for y in passes])
    assert emulator.machine.operations.count("philox_uniform") == 2 * (device.xp is emulator)
    assert (masks[0][0] != masks[0][1]).any()
    for other in masks[1:]:
        np.testing.assert_array_equal(masks[0], other)


@pytest.mark.parametrize("name", ["dense", "DCGAN", "CycleGAN"])
@pytest.mark.parametrize("to_device", [True, False], ids=["to the GPU", "from the GPU"])
def test_a_checkpoint_moves_between_backends(name, to_device, device, tmp_path):
    """Two steps on one backend and two on the other are four on either, to rounding."""
    here, there = (get_backend("numpy"), device)[:: 1 if to_device else -1]
    _, expected = trained(name, here, "float64", steps=4)
    first, second = (GAMES[name](backend, "float64") for backend in (here, there))
    data = batches(name, first)
    list(train(first, data, 2))
    save_checkpoint(tmp_path / "run.npz", first)
    load_checkpoint(tmp_path / "run.npz", second)
    list(train(second, data, 2))
    for which, network in networks_of(second).items():
        found = there.to_numpy(network.parameters)
        np.testing.assert_allclose(found, expected[f"{which} parameters"], rtol=1e-7, atol=1e-9)


def test_the_other_backends_arrays_are_refused_with_what_to_do(device):
    here, _ = networks(dcgan, "numpy", "float32")
    there, _ = networks(dcgan, device, "float32")
    z = np.zeros((4, 3), "float32")
    with pytest.raises(TypeError, match=r"cupy backend, got numpy\.ndarray; convert it with"):
        there.forward(z)
    with pytest.raises(TypeError, match=r"numpy backend, got .*\.ndarray; convert it with"):
        here.forward(device.asarray(z))
