"""What makes a game this one and no other: its description, and checkpoints that go by it."""

import inspect
import json
import os
import re
import subprocess
import sys

import numpy as np
import pytest

from minigan import (
    DRAGAN,
    GAN,
    OBJECTIVES,
    R1,
    R2,
    SGD,
    WGANGP,
    Adam,
    CheckpointError,
    ConditionalGAN,
    CycleGAN,
    Dense,
    ExponentialDecay,
    FeatureMatchingGAN,
    LeakyReLU,
    LinearDecay,
    Minimax,
    MomentMatching,
    NormalLatent,
    OneSidedPenalty,
    RMSProp,
    Sequential,
    Session,
    Tanh,
    UniformLatent,
    WeightClipping,
    load_checkpoint,
    save_checkpoint,
    train,
)
from minigan.games.critic import CriticGame
from minigan.latent import LATENTS
from minigan.optimizers import OPTIMIZERS, constant

# Games that differ in one thing ------------------------------------------------------------------


def network(inputs, outputs, seed):
    layers = [Dense(inputs, 4), LeakyReLU(), Dense(4, 4), Tanh(), Dense(4, outputs)]
    return Sequential(layers, (inputs,), rng=seed)


def gan(kind=GAN, objective="minimax", G=Adam, D=Adam, **options):
    extra = options.get("classes", 0)
    generator, discriminator = network(3 + extra, 2, 1), network(2 + extra, 1, 2)
    options = {"latent": NormalLatent(3), "rng": 0, "regularizer": R1(2)} | options
    options |= {"generator_optimizer": G(generator), "discriminator_optimizer": D(discriminator)}
    return kind(generator, discriminator, objective, **options)


def moment_matching(**options):
    G = network(3, 2, 1)
    options = {"bandwidths": [1.0], "latent": NormalLatent(3), "rng": 0} | options
    return MomentMatching(G, Adam(G), **options)


def cycle(objective="least-squares", optimizer=Adam, **options):
    networks = [network(2, outputs, seed) for seed, outputs in enumerate((2, 2, 1, 1))]
    optimizers = [optimizer(network) for network in networks]
    return CycleGAN(*networks, objective, optimizers=optimizers, **options)


def critic(**options):
    D = network(2, 1, 0)
    return CriticGame(D, "minimax", Adam(D), Fakes(), **({"rng": 0} | options))


class Fakes:
    """Fakes that can be resumed."""

    drawn = 0

    def __iter__(self):
        return self

    def __next__(self):
        self.drawn += 1
        return batch(self.drawn)

    def state(self):
        return {"drawn": self.drawn}

    def restore(self, state):
        self.drawn = state["drawn"]


def with_(optimizer, **options):
    return lambda network: optimizer(network, **options)


def ramp(step):
    """A schedule that is a function."""
    return min(1.0, (step + 1) / 5)


# name in the description -> one game, and another
PAIRS = {
    "objective": (gan, lambda: gan(objective="non-saturating")),
    "objective: its setting": (gan, lambda: gan(objective=Minimax(real_label=0.9))),
    "latent": (gan, lambda: gan(latent=UniformLatent(3))),
    "regularizer": (gan, lambda: gan(regularizer=R1(3))),
    "regularizer: another": (gan, lambda: gan(regularizer=R2(2))),
    "regularizer: lazy": (gan, lambda: gan(regularizer=R1(2, every=2))),
    "regularizer: none": (gan, lambda: gan(regularizer=None)),
    "schedule": (gan, lambda: gan(schedule=LinearDecay(10))),
    "schedule: longer": (
        lambda: gan(schedule=LinearDecay(10)),
        lambda: gan(schedule=LinearDecay(20)),
    ),
    "schedule: held": (
        lambda: gan(schedule=LinearDecay(10)),
        lambda: gan(schedule=LinearDecay(10, hold=0.2)),
    ),
    "schedule: a function": (gan, lambda: gan(schedule=ramp)),
    "discriminator_steps": (gan, lambda: gan(discriminator_steps=2)),
    "average_decay": (lambda: gan(average_decay=0.9), lambda: gan(average_decay=0.99)),
    "generator_optimizer: rate": (gan, lambda: gan(G=with_(Adam, lr=1e-3))),
    "generator_optimizer: betas": (gan, lambda: gan(G=with_(Adam, betas=(0.9, 0.999)))),
    "discriminator_optimizer: betas": (gan, lambda: gan(D=with_(Adam, betas=(0.5, 0.9)))),
    "discriminator_optimizer: eps": (gan, lambda: gan(D=with_(Adam, eps=1e-6))),
    "discriminator_optimizer: momentum": (
        lambda: gan(D=SGD),
        lambda: gan(D=with_(SGD, momentum=0.5)),
    ),
    "discriminator_optimizer: alpha": (
        lambda: gan(D=RMSProp),
        lambda: gan(D=with_(RMSProp, alpha=0.9)),
    ),
    "game": (gan, lambda: gan(FeatureMatchingGAN, layer=2)),
    "layer": (
        lambda: gan(FeatureMatchingGAN, layer=2),
        lambda: gan(FeatureMatchingGAN, layer=4),
    ),
    "bandwidths": (moment_matching, lambda: moment_matching(bandwidths=[1.0, 2.0])),
    "unbiased": (moment_matching, lambda: moment_matching(unbiased=True)),
    "cycle_weight": (cycle, lambda: cycle(cycle_weight=5)),
    "a_to_b_optimizer": (cycle, lambda: cycle(optimizer=with_(Adam, lr=1e-3))),
}


def batch(seed):
    return np.random.default_rng(seed).normal(size=(6, 2)).astype("float32")


def play(game, steps=2, first=0):
    batches = (batch(seed) for seed in range(first, 100))
    if isinstance(game, CycleGAN):
        batches = ((x, x[::-1].copy()) for x in batches)
    if isinstance(game, ConditionalGAN):
        batches = ((x, np.arange(6) % game.classes) for x in batches)
    list(train(game, batches, steps))


@pytest.mark.parametrize("case", PAIRS)
def test_another_game_is_refused_by_its_first_difference(case, numbers, tmp_path):
    name = case.partition(":")[0]
    one, other = (make() for make in PAIRS[case])
    play(one)
    save_checkpoint(tmp_path / "run.npz", one)
    before = numbers(other)
    texts = [game.description()[name] for game in (one, other)]
    assert texts[0] != texts[1]
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(tmp_path / "run.npz", other)
    assert caught.value.reason == (
        f"of another game: {name}: {texts[0]} in the checkpoint, {texts[1]} here "
        f"(to load it all the same: changed=({name!r},))"
    )
    assert numbers(other) == before


@pytest.mark.parametrize("case", PAIRS)
def test_on_purpose_it_is_loaded(case, numbers, tmp_path):
    """Then it goes on with all that was learnt; and its own checkpoints are of the new game."""
    one, other = (make() for make in PAIRS[case])
    play(one)
    save_checkpoint(tmp_path / "run.npz", one)
    changed = [n for n, text in one.description().items() if other.description().get(n) != text]
    changed += set(other.description()) - set(one.description())
    load_checkpoint(tmp_path / "run.npz", other, changed=tuple(changed))
    assert numbers(other) == numbers(one)
    play(other, 1)
    save_checkpoint(tmp_path / "other.npz", other)
    again = PAIRS[case][1]()
    load_checkpoint(tmp_path / "other.npz", again)
    assert numbers(again) == numbers(other)


def test_only_what_is_named_may_differ(numbers, tmp_path):
    one, other = gan(), gan(objective="hinge", schedule=LinearDecay(10))
    save_checkpoint(tmp_path / "run.npz", one)
    before = numbers(other)
    with pytest.raises(CheckpointError, match=r"another game: objective: Minimax\(\) in"):
        load_checkpoint(tmp_path / "run.npz", other, changed=("schedule",))
    assert numbers(other) == before


@pytest.mark.parametrize("changed", [("scheduel",), ("seed", "rng"), "schedule"], ids=str)
def test_names_of_nothing(changed, numbers, tmp_path):
    game = gan()
    save_checkpoint(tmp_path / "run.npz", game, configuration={"seed": 3})
    before = numbers(game)
    with pytest.raises(ValueError, match=r"changed: expected names among game, objective, .*seed"):
        load_checkpoint(tmp_path / "run.npz", game, changed=changed)
    assert numbers(game) == before


@pytest.mark.parametrize("changed", [("generator",), ("average",), ("discriminator_optimizer",)])
def test_no_name_makes_fit_what_does_not_fit(changed, tmp_path):
    """Networks, averages and optimizers of another kind have other numbers."""
    save_checkpoint(tmp_path / "run.npz", gan())
    other = gan(average_decay=0.9, D=SGD)
    with pytest.raises((CheckpointError, ValueError), match=r"architecture|changed: expected"):
        load_checkpoint(tmp_path / "run.npz", other, changed=changed)


def test_a_configuration_has_the_same_way(numbers, tmp_path):
    game = gan()
    save_checkpoint(tmp_path / "run.npz", game, configuration={"steps": 10, "data": {"n": 3}})
    longer = {"steps": 20, "data": {"n": 3}}
    way = r"steps: 10 in the checkpoint, 20 here \(.* changed=\('steps',\)\)"
    with pytest.raises(CheckpointError, match=f"another configuration: {way}"):
        load_checkpoint(tmp_path / "run.npz", game, configuration=longer)
    load_checkpoint(tmp_path / "run.npz", game, configuration=longer, changed=("steps",))
    way = r"data, n: 3 in the checkpoint, 4 here \(.* changed=\('data',\)\)"
    with pytest.raises(CheckpointError, match=way):
        load_checkpoint(tmp_path / "run.npz", game, configuration={"steps": 10, "data": {"n": 4}})


def test_a_session_goes_on_for_longer(numbers, tmp_path):
    def session(steps, changed=()):
        game, options = gan(schedule=LinearDecay(steps)), {"configuration": {"steps": steps}}
        return Session(tmp_path / "run.npz", game, changed=changed, **options)

    first = session(3)
    play(first.game, 3)
    first.save()
    with pytest.raises(CheckpointError, match=r"changed=\('steps',\)"):
        session(6).resume()
    with pytest.raises(CheckpointError, match=r"changed=\('schedule',\)"):
        session(6, ("steps",)).resume()
    second = session(6, ("steps", "schedule"))
    assert second.resume() and numbers(second.game) == numbers(first.game)
    second.save()
    third = session(6)
    assert third.resume() and third.game.steps == 3


# The description itself ---------------------------------------------------------------------------

EVERY_GAME = {
    GAN: gan,
    ConditionalGAN: lambda: gan(ConditionalGAN, classes=3),
    FeatureMatchingGAN: lambda: gan(FeatureMatchingGAN, layer=2),
    MomentMatching: moment_matching,
    CycleGAN: cycle,
    CriticGame: critic,
}


@pytest.mark.parametrize("kind", EVERY_GAME)
def test_each_argument_of_a_game_is_part_of_it(kind):
    """Networks, random generators and fakes are saved; all else is in the description."""
    game = EVERY_GAME[kind]()
    builders = [part.__init__ for part in kind.__mro__ if "__init__" in vars(part)]
    names = {name for build in builders[:-2] for name in inspect.signature(build).parameters}
    known = {"self", "args", "kwargs", *game.parts(), *game.description()}
    assert names - known <= {"optimizer", "optimizers"}  # in the description, by their players
    assert {f"{player}_optimizer" for player in game.players} <= {*game.description()}
    assert {*game.players, "rng"} <= {*game.parts()}


def variants(make, **arguments):
    """make(**arguments), and for each argument that is a number the same with another one."""
    yield make(**arguments)
    for name, value in arguments.items():
        if isinstance(value, tuple):
            for i in range(len(value)):
                yield make(**arguments | {name: (*value[:i], value[i] / 2, *value[i + 1 :])})
        else:
            yield make(
                **arguments | {name: value + 1 if isinstance(value, int) else value / 2 or 0.5}
            )


def numeric_defaults(make, **first):
    """The arguments of a class by their defaults, but for where its arrays live."""
    found = dict(first)
    for name, parameter in inspect.signature(make).parameters.items():
        if name not in ("backend", "dtype", "network", "self") and name not in first:
            found[name] = parameter.default
    return found


PARTS = [
    *LATENTS.values(),
    *(WeightClipping, R1, R2, WGANGP, OneSidedPenalty, DRAGAN, LinearDecay, ExponentialDecay),
    *OBJECTIVES.values(),
    *OPTIMIZERS.values(),
]


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.__name__)
def test_each_number_of_a_part_shows(part):
    first = {"dimension": 60} if part in LATENTS.values() else {}
    if part in (LinearDecay, ExponentialDecay):
        first = {"steps": 10, "end": 0.5}
    arguments = numeric_defaults(part, **first)
    others = {
        "schedule": [ExponentialDecay(10, end=end) for end in (0.1, 0.2)],
        "weights": [range(1, 21), range(2, 22)],
    }
    others = {name: values for name, values in others.items() if name in arguments}
    for name in others:
        del arguments[name]  # no number
    assert all(isinstance(value, (int, float, tuple)) for value in arguments.values())
    net = network(2, 1, 0)
    make = (lambda **a: part(net, **a)) if part in OPTIMIZERS.values() else part
    texts = [repr(variant) for variant in variants(make, **arguments)]
    for name, values in others.items():
        texts += [repr(part(**first, **{name: value})) for value in values]
    assert len(set(texts)) == len(texts), texts


def test_it_is_plain_text_without_places_in_memory():
    class Silent:
        def __call__(self, step):
            return 1.0

    schedules = [constant, ramp, lambda step: 1.0, Silent(), LinearDecay(3).__call__]
    for game in [gan(schedule=s) for s in schedules] + [make() for make in EVERY_GAME.values()]:
        text = json.dumps(game.description())
        assert not re.search("0x[0-9a-f]{4}", text), text
    twins = [gan(schedule=Silent()).description() for _ in range(2)]
    assert twins[0] == twins[1]
    assert gan(schedule=ramp).description() != gan().description()


def test_another_process_says_the_same():
    path = os.pathsep.join(sys.path)
    environment = os.environ | {"PYTHONHASHSEED": "1", "PYTHONPATH": path}
    command = [sys.executable, __file__]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found == {kind.__name__: make().description() for kind, make in EVERY_GAME.items()}


# Parts that remember ------------------------------------------------------------------------------


class Remembers:
    """How often it was asked; with what a checkpoint asks for."""

    asked = 0

    def state(self):
        return {"asked": self.asked}

    def restore(self, state):
        self.asked = state["asked"]


class Tiring(Remembers):
    """A schedule that falls with every question."""

    def __call__(self, step):
        self.asked += 1
        return 1 / self.asked

    def __repr__(self):
        return "Tiring()"


class Drifting(Remembers, NormalLatent):
    """Noise around a centre that moves."""

    def draw(self, shape, rng):
        self.asked += 1
        return super().draw(shape, rng) + 0.1 * self.asked


class Growing(Remembers, R1):
    """A penalty that becomes heavier."""

    def penalize(self, *args):
        self.asked += 1
        self.weight = 1.0 + self.asked
        return super().penalize(*args)

    def __repr__(self):
        return "Growing()"


REMEMBERING = {
    "gan": lambda: gan(latent=Drifting(3), schedule=Tiring(), regularizer=Growing()),
    "conditional": lambda: gan(
        ConditionalGAN, classes=3, latent=Drifting(3), schedule=Tiring(), regularizer=Growing()
    ),
    "feature matching": lambda: gan(
        FeatureMatchingGAN, layer=2, latent=Drifting(3), schedule=Tiring(), regularizer=Growing()
    ),
    "moment matching": lambda: moment_matching(latent=Drifting(3), schedule=Tiring()),
    "cycle": lambda: cycle(schedule=Tiring(), regularizer=Growing()),
    "critic": lambda: critic(schedule=Tiring(), regularizer=Growing()),
}


@pytest.mark.parametrize("kind", REMEMBERING)
def test_what_the_parts_remember_is_resumed(kind, numbers, tmp_path):
    make = REMEMBERING[kind]
    whole, first, second = make(), make(), make()
    play(whole, 5)
    play(first, 3)
    save_checkpoint(tmp_path / "run.npz", first)
    load_checkpoint(tmp_path / "run.npz", second)
    play(second, 2, first=3)
    assert numbers(second) == numbers(whole)
    for name in ("latent", "schedule", "regularizer"):
        parts = [getattr(game, name, None) for game in (whole, second)]
        if isinstance(parts[0], Remembers):
            assert parts[0].asked == parts[1].asked > 0


def test_a_setting_that_has_changed_starts_anew(tmp_path):
    first = gan(latent=Drifting(3), schedule=Tiring(), regularizer=Growing())
    play(first, 3)
    save_checkpoint(tmp_path / "run.npz", first)
    for schedule in (LinearDecay(10), Tiring()):
        second = gan(latent=Drifting(3), schedule=schedule, regularizer=Growing())
        load_checkpoint(tmp_path / "run.npz", second, changed=("schedule",))
        assert second.latent.asked == first.latent.asked == 6
        assert getattr(schedule, "asked", 0) == 0
    load_checkpoint(tmp_path / "run.npz", second)
    assert second.schedule.asked == 6


if __name__ == "__main__":
    print(json.dumps({kind.__name__: make().description() for kind, make in EVERY_GAME.items()}))
