"""Bad input: a clear error each, that names what was wrong, before anything is changed."""

import numpy as np
import pytest

from minigan import (
    GAN,
    SGD,
    WGANGP,
    Adam,
    BatchNorm,
    Conv2d,
    ConvTranspose2d,
    Dense,
    Dropout,
    Flatten,
    He,
    LayerNorm,
    LeakyReLU,
    LinearDecay,
    Minimax,
    Normal,
    NormalLatent,
    Reshape,
    RMSProp,
    Sequential,
    Sigmoid,
    UniformLatent,
    WeightAverage,
    WeightClipping,
    train,
)
from minigan.objectives import get_objective

RNG = np.random.default_rng(0)


def network(layers=None, shape=(2,), **options):
    return Sequential(layers or [Dense(2, 3)], shape, **({"rng": 0, "dtype": "float64"} | options))


def taken():
    layer = Dense(2, 2)
    network([layer])
    return layer


def twice():
    layer = Dense(2, 2)
    return [layer, layer]


NET = network()
DATA = np.ones((4, 2))

# --- Building ------------------------------------------------------------------------------------

BUILDING = {
    # layers: sizes and numbers
    "negative size": (lambda: Dense(2, -1), ValueError, "out_features: .* least 1, got -1"),
    "size zero": (lambda: Dense(0, 2), ValueError, "in_features: expected at least 1"),
    "size 2.0": (lambda: Dense(2.0, 2), TypeError, "in_features: expected an integer"),
    "size True": (lambda: Dense(True, 2), TypeError, "in_features: expected an integer"),
    "size array": (lambda: Dense(np.ones(2), 2), TypeError, "in_features: expected an integer"),
    "kernel 0": (lambda: Conv2d(1, 1, 0), ValueError, "kernel_size: expected at least 1"),
    "kernel triple": (lambda: Conv2d(1, 1, (3, 3, 3)), TypeError, "kernel_size: expected an int"),
    "kernel text": (lambda: Conv2d(1, 1, "33"), TypeError, "kernel_size: expected an integer"),
    "kernel None": (lambda: Conv2d(1, 1, None), TypeError, "kernel_size: expected an integer"),
    "stride 0": (lambda: Conv2d(1, 1, 3, 0), ValueError, "stride: expected at least 1"),
    "padding -1": (lambda: Conv2d(1, 1, 3, 1, (0, -1)), ValueError, "padding: expected at least 0"),
    "channels 0": (lambda: ConvTranspose2d(0, 1, 3), ValueError, "in_channels: expected at"),
    "output_padding": (
        lambda: ConvTranspose2d(1, 1, 3, 2, 1, 2),
        ValueError,
        r"output_padding: expected less than the stride \(2, 2\)",
    ),
    "batch norm 0": (lambda: BatchNorm(0), ValueError, "num_features: expected at least 1"),
    "eps 0": (lambda: BatchNorm(2, eps=0), ValueError, r"eps: expected a number in \(0, 1\]"),
    "momentum 2": (lambda: BatchNorm(2, momentum=2), ValueError, r"momentum: .* \[0, 1\], got 2"),
    "layer norm eps": (lambda: LayerNorm(2, eps=-1), ValueError, "eps"),
    "dropout 1": (lambda: Dropout(1), ValueError, r"rate: expected a number in \[0, 1\)"),
    "dropout NaN": (lambda: Dropout(np.nan), ValueError, "rate"),
    "slope 1": (lambda: LeakyReLU(1), ValueError, "negative_slope"),
    "slope text": (lambda: LeakyReLU("0.2"), TypeError, "negative_slope: expected a number"),
    "reshape 0": (lambda: Reshape(2, 0), ValueError, "shape: expected at least 1"),
    "reshape 1.5": (lambda: Reshape(1.5), TypeError, "shape: expected an integer"),
    "sigma": (lambda: Normal(-1), ValueError, "sigma"),
    "He's slope": (lambda: He(2), ValueError, "slope"),
    # networks
    "no layers": (lambda: Sequential([], (2,), rng=0), ValueError, "layers: expected at least one"),
    "a class": (lambda: network([Dense(2, 2), Dense]), TypeError, "layer 1: expected a Layer"),
    "a function": (lambda: network([np.tanh]), TypeError, "layer 0: expected a Layer, got ufunc"),
    "misfit": (
        lambda: network([Dense(2, 3), LeakyReLU(), Dense(4, 1)]),
        ValueError,
        r"layer 2 \(Dense\(4, 1\)\) does not fit: expected input \(4,\), got \(3,\)",
    ),
    "no image": (lambda: network([Conv2d(1, 1, 3)]), ValueError, r"layer 0 .* \(H, W, 1\), got"),
    "channels": (lambda: network([Conv2d(3, 1, 1)], (5, 5, 1)), ValueError, r"layer 0 .*W, 3\)"),
    "image too small": (
        lambda: network([Conv2d(1, 1, 5)], (4, 6, 1)),
        ValueError,
        r"layer 0 .* an image of \(4, 6\) is smaller than the kernel",
    ),
    "no image left": (
        lambda: network([ConvTranspose2d(1, 1, 1, padding=2)], (3, 3, 1)),
        ValueError,
        r"layer 0 .* padding \(2, 2\) leaves an image of \(-1, -1\)",
    ),
    "reshape misfit": (lambda: network([Reshape(3)]), ValueError, r"layer 0 .* \(2,\) cannot be"),
    "features": (lambda: network([BatchNorm(3)]), ValueError, "layer 0 .* last axis of 3"),
    "no features": (lambda: network([LayerNorm(3)], ()), ValueError, "layer 0 .* last axis of 3"),
    "layer of another": (lambda: network([taken()]), ValueError, "layer 0 .* already part of"),
    "layer twice": (lambda: network(twice()), ValueError, r"layer 1 \(Dense\(2, 2\)\)"),
    "shape 2": (lambda: network(shape=2), TypeError, "input_shape: expected a tuple"),
    "shape 0": (lambda: network([Flatten()], (0,)), ValueError, "input_shape: expected at least 1"),
    "shape text": (lambda: network(shape="22"), TypeError, "input_shape: expected a tuple"),
    "no rng": (lambda: network(rng=None), TypeError, "rng: expected a numpy.random.Generator or a"),
    "seed -1": (lambda: network(rng=-1), TypeError, "rng"),
    "RandomState": (lambda: network(rng="seed"), TypeError, "rng"),
    "dtype int": (lambda: network(dtype="int32"), ValueError, "dtype: expected float32 or float64"),
    "dtype half": (lambda: network(dtype=np.float16), ValueError, "dtype"),
    "dtype unknown": (lambda: network(dtype="float31"), ValueError, "dtype: .* got 'float31'"),
    "dtype None": (lambda: network(dtype=None), ValueError, "dtype: .* got None"),
    "backend": (lambda: network(backend="torch"), ValueError, "backend: .* numpy, .* got 'torch'"),
    # optimizers, schedules, averages, noise, objectives
    "rate 0": (lambda: SGD(NET, 0), ValueError, "lr: expected a number in"),
    "rate inf": (lambda: Adam(NET, np.inf), ValueError, "lr"),
    "rate text": (lambda: RMSProp(NET, "1e-3"), TypeError, "lr: expected a number"),
    "momentum 1": (lambda: SGD(NET, momentum=1), ValueError, "momentum"),
    "alpha 1": (lambda: RMSProp(NET, alpha=1), ValueError, "alpha"),
    "beta 1": (lambda: Adam(NET, betas=(0.5, 1)), ValueError, r"betas\[1\]"),
    "beta -1": (lambda: Adam(NET, betas=(-1, 0)), ValueError, r"betas\[0\]"),
    "eps": (lambda: Adam(NET, eps=0), ValueError, "eps"),
    "no steps": (lambda: LinearDecay(0), ValueError, "steps: expected at least 1"),
    "hold 1": (lambda: LinearDecay(5, 1), ValueError, "hold"),
    "end 2": (lambda: LinearDecay(5, end=2), ValueError, "end"),
    "decay 1": (lambda: WeightAverage(NET, 1), ValueError, "decay"),
    "clipping 0": (lambda: WeightClipping(0), ValueError, "limit"),
    "penalty -1": (lambda: WGANGP(-1), ValueError, "weight"),
    "every 0": (lambda: WGANGP(every=0), ValueError, "every"),
    "latent 0": (lambda: NormalLatent(0), ValueError, "dimension: expected at least 1"),
    "no samples": (lambda: NormalLatent(2).sample(0, RNG), ValueError, "n: expected at least 1"),
    "-1 samples": (lambda: UniformLatent(2).sample(-1, RNG), ValueError, "n: expected at least 1"),
    "noise of None": (lambda: NormalLatent(2).sample(3, None), TypeError, "rng"),
    "objective": (lambda: get_objective("wgan"), ValueError, "unknown objective 'wgan': exp"),
    "objective None": (lambda: get_objective(None), TypeError, "objective: expected a name or"),
    "real label": (lambda: Minimax(real_label=1.5), ValueError, "real_label"),
}  # fmt: skip


@pytest.mark.parametrize("name", BUILDING)
def test_building(name):
    call, error, message = BUILDING[name]
    with pytest.raises(error, match=message):
        call()


# --- Arrays that do not fit ----------------------------------------------------------------------

ARRAYS = {
    "a list": ([[1.0, 2.0]], TypeError, "expected a numpy.ndarray .* convert it with"),
    "a vector": (np.ones(2), ValueError, r"expected shape \(N, 2\), got \(2,\)"),
    "too wide": (np.ones((4, 3)), ValueError, r"expected shape \(N, 2\), got \(4, 3\)"),
    "too many axes": (np.ones((4, 2, 1)), ValueError, r"\(N, 2\), got \(4, 2, 1\)"),
    "integers": (np.ones((4, 2), int), TypeError, "expected float64 as .*, got int64"),
    "float32": (np.ones((4, 2), "float32"), TypeError, "expected float64 as .*, got float32"),
    "complex": (np.ones((4, 2), complex), TypeError, "expected float64 as .*, got complex128"),
    "empty": (np.ones((0, 2)), ValueError, "expected at least one sample, the batch is empty"),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_forward_and_backward_check_their_arrays(name):
    bad, error, message = ARRAYS[name]
    net = network([Dense(2, 2), BatchNorm(2)])
    _, caches = net.forward(DATA)
    before = net.buffers.copy(), net.gradients.copy()
    with pytest.raises(error, match=f"^x: .*{message}"):
        net.forward(bad)
    with pytest.raises(error, match=f"^x: .*{message}"):
        net(bad)
    of_output = r"expected shape \(4, 2\), got"
    for way_back in (net.backward, net.add_gradients, net.backpropagate, net.backward_trace):
        with pytest.raises(error, match=f"^dy: .*{message if error is TypeError else of_output}"):
            way_back(bad, caches)
    np.testing.assert_array_equal(net.buffers, before[0])
    np.testing.assert_array_equal(net.gradients, before[1])


MAKE = {"Dense": lambda: Dense(4, 4), "LeakyReLU": LeakyReLU, "BatchNorm": lambda: BatchNorm(4)}


@pytest.mark.parametrize("make", MAKE.values(), ids=MAKE)
@pytest.mark.parametrize("n, other", [(4, 1), (4, 2), (4, 8), (1, 4)])
def test_upstream_gradients_of_another_batch_are_refused(make, n, other):
    """(1, C) against (N, C) would broadcast; so would some products, without an error."""
    net = network([make()], (4,))
    _, caches = net.forward(np.ones((n, 4)), train=n > 1)
    for way_back in (net.backward, net.add_gradients, net.backpropagate, net.backward_trace):
        with pytest.raises(ValueError, match=rf"dy: expected shape \({n}, 4\), got \({other}, 4\)"):
            way_back(np.ones((other, 4)), caches)
    assert not net.gradients.any()


LOGITS = {
    "(n,)": (np.ones(4), ValueError, r"expected shape \(N, 1\) with N > 0, got \(4,\)"),
    "(n, 2)": (np.ones((4, 2)), ValueError, r"expected shape \(N, 1\) with N > 0, got \(4, 2\)"),
    "(1, n)": (np.ones((1, 4)), ValueError, r"expected shape \(N, 1\) with N > 0, got \(1, 4\)"),
    "none": (np.ones((0, 1)), ValueError, r"expected shape \(N, 1\) with N > 0, got \(0, 1\)"),
    "integers": (np.ones((4, 1), int), TypeError, "expected floating-point logits, got int64"),
    "a list": ([[1.0]], TypeError, r"expected a numpy\.ndarray"),
}


@pytest.mark.parametrize("name", LOGITS)
@pytest.mark.parametrize("objective", ["minimax", "wasserstein", "hinge", "least-squares"])
def test_logits_have_one_shape(name, objective):
    """Bug 12: (n,) against (n, 1) would broadcast to (n, n) without an error."""
    bad, error, message = LOGITS[name]
    objective, good = get_objective(objective), np.ones((4, 1))
    with pytest.raises(error, match=f"real_logits: {message}"):
        objective.discriminator(bad, good)
    with pytest.raises(error, match=f"fake_logits: {message}"):
        objective.discriminator(good, bad)
    with pytest.raises(error, match=f"fake_logits: {message}"):
        objective.generator(bad)


# --- Games whose parts do not fit ----------------------------------------------------------------


def parts(**changes):
    """The arguments of a GAN that would be fine but for the changes."""
    G = changes.pop("generator", None) or network([Dense(3, 2)], (3,))
    D = changes.pop("discriminator", None) or network([Dense(2, 1)])
    defaults = {
        "generator": G,
        "discriminator": D,
        "objective": "minimax",
        "generator_optimizer": SGD(G),
        "discriminator_optimizer": SGD(D),
        "latent": NormalLatent(3),
        "rng": 0,
    }
    return defaults | changes


def same_network():
    both = network([Dense(1, 1)], (1,))
    return parts(generator=both, discriminator=both, latent=NormalLatent(1))


GAMES = {
    "noise": (lambda: parts(latent=NormalLatent(4)), ValueError, r"generator takes \(3,\)"),
    "samples": (
        lambda: parts(discriminator=network([Dense(4, 1)], (4,))),
        ValueError,
        r"discriminator takes \(4,\)",
    ),
    "logits": (
        lambda: parts(discriminator=network([Dense(2, 2)])),
        ValueError,
        r"discriminator must end in \(1,\), not \(2,\)",
    ),
    "sigmoid": (
        lambda: parts(discriminator=network([Dense(2, 1), Sigmoid()])),
        ValueError,
        "ends in a Sigmoid, but objectives take logits",
    ),
    "sigmoid behind a change of shape": (
        lambda: parts(discriminator=network([Dense(2, 1), Sigmoid(), Reshape(1, 1), Flatten()])),
        ValueError,
        "ends in a Sigmoid, but objectives take logits",
    ),
    "no generator": (
        lambda: parts(generator_optimizer=None) | {"generator": [Dense(3, 2)]},
        TypeError,
        r"generator: expected a Sequential, got \[Dense\(3, 2\)\]",
    ),
    "no discriminator": (
        lambda: parts(discriminator_optimizer=None) | {"discriminator": Dense(2, 1)},
        TypeError,
        r"discriminator: expected a Sequential, got Dense\(2, 1\)",
    ),
    "dtypes": (
        lambda: parts(discriminator=network([Dense(2, 1)], dtype="float32")),
        ValueError,
        "dtypes differ: generator float64, discriminator float32",
    ),
    "G's optimizer": (
        lambda: parts(generator_optimizer=SGD(NET)),
        ValueError,
        "generator_optimizer has another network",
    ),
    "D's optimizer": (
        lambda: parts(discriminator_optimizer=SGD(NET)),
        ValueError,
        "discriminator_optimizer has another network",
    ),
    "no constraint": (
        lambda: parts(objective="wasserstein"),
        ValueError,
        r"Wasserstein\(\) has no minimum without a Lipschitz constraint: pass regularizer=",
    ),
    "batch norm under a penalty": (
        lambda: parts(
            discriminator=network([BatchNorm(2), Dense(2, 1)]),
            objective="wasserstein",
            regularizer=WGANGP(),
        ),
        ValueError,
        r"layer 0: BatchNorm\(2\) cannot stand under a gradient penalty",
    ),
    "one network for both": (same_network, ValueError, "are the same network"),
    "objective": (lambda: parts(objective="gan"), ValueError, "unknown objective 'gan'"),
    "no rng": (lambda: parts(rng=None), TypeError, "rng"),
    "no steps": (lambda: parts(discriminator_steps=0), ValueError, "discriminator_steps"),
    "half steps": (lambda: parts(discriminator_steps=1.5), TypeError, "discriminator_steps"),
    "decay": (lambda: parts(average_decay=1), ValueError, "decay"),
    "latent": (lambda: parts(latent=3), TypeError, "latent"),
    "no latent": (lambda: parts(latent=None), TypeError, "latent: expected a distribution"),
    "optimizer": (lambda: parts(generator_optimizer=None), TypeError, "generator_optimizer"),
    "regularizer": (lambda: parts(regularizer="clip"), TypeError, "regularizer"),
    "schedule": (lambda: parts(schedule=0.5), TypeError, "schedule"),
}


@pytest.mark.parametrize("name", GAMES)
def test_games(name):
    make, error, message = GAMES[name]
    arguments = make()
    with pytest.raises(error, match=message):
        GAN(**arguments)


@pytest.mark.parametrize("name", ARRAYS)
def test_a_refused_batch_changes_nothing(name, dense_gan, snapshot):
    """Not the noise's generator either, nor the running statistics of the generator."""
    bad, error, message = ARRAYS[name]
    gan = dense_gan()
    gan.discriminator_step(DATA)
    before = snapshot(gan)
    with pytest.raises(error, match=message):
        gan.discriminator_step(bad)
    assert snapshot(gan) == before


def test_sampling(dense_gan, snapshot):
    gan = dense_gan()
    before = snapshot(gan)
    for call, error, message in (
        (lambda: gan.sample(0, 0), ValueError, "n: expected at least 1"),
        (lambda: gan.sample(2.5, 0), TypeError, "n: expected an integer"),
        (lambda: gan.sample(3, None), TypeError, "rng"),
        (lambda: gan.generate(np.ones((3, 5))), ValueError, r"expected shape \(N, 3\)"),
        (lambda: gan.generate(np.ones(3)), ValueError, r"expected shape \(N, 3\)"),
    ):
        with pytest.raises(error, match=message):
            call()
    assert snapshot(gan) == before


@pytest.mark.parametrize("steps, error", [(-1, ValueError), (1.5, TypeError), (None, TypeError)])
def test_training_for_an_impossible_number_of_steps(steps, error, dense_gan):
    with pytest.raises(error, match="steps"):
        next(train(dense_gan(), [DATA], steps))
