"""The X-ray: its figures against plain NumPy, its findings on networks that are ill on purpose."""

import math
from dataclasses import replace

import numpy as np
import pytest

from minigan import (
    GAN,
    SGD,
    BatchNorm,
    Conv2d,
    ConvTranspose2d,
    Dense,
    Dropout,
    Flatten,
    LayerNorm,
    LeakyReLU,
    MinibatchStd,
    Minimax,
    NonSaturating,
    Normal,
    NormalLatent,
    Pack,
    ReLU,
    Reshape,
    Sequential,
    Sigmoid,
    Softplus,
    SpectralNorm,
    Tanh,
    xray,
)

X = np.random.default_rng(1).standard_normal((32, 6))


def network(*layers, inputs=6, **options):
    return Sequential(list(layers), (inputs,), rng=0, **options)


def stack(activation, depth, width=6, **init):
    layers = [part for _ in range(depth) for part in (Dense(width, width, **init), activation())]
    return network(*layers, Dense(width, 1))


# --- The figures ---------------------------------------------------------------------------------


def test_the_figures_are_those_of_a_plain_forward_and_backward_pass():
    net = network(Dense(6, 5), Tanh(), Dense(5, 4), ReLU(), Dense(4, 1), dtype="float64")
    objective = NonSaturating()
    report = xray(net, X, objective.generator)

    y, caches = net.forward(X)
    loss, dy = objective.generator(y)
    net.add_gradients(dy, caches)
    outputs = [net[: i + 1].forward(X)[0] for i in range(5)]
    gradients = [dy]
    for layer, cache in zip(net.layers[:0:-1], caches[:0:-1], strict=True):
        gradients.insert(0, layer.backward(gradients[0], cache))
    dx = net.layers[0].backward(gradients[0], caches[0])

    assert report.loss == pytest.approx(float(loss))
    before = [dx, *gradients[:-1]]
    for layer, y, dy, dx in zip(report.layers, outputs, gradients, before, strict=True):
        for found, a in ((layer.output, y), (layer.gradient, dy)):
            expected = (a.mean(), a.std(), np.count_nonzero(a == 0) / a.size, np.linalg.norm(a))
            assert (found.mean, found.std, found.zeros, found.norm) == pytest.approx(expected)
        assert layer.gain == pytest.approx(np.linalg.norm(dx) / np.linalg.norm(dy))
        assert layer.output_shape == y.shape
    weights, grads = net.named_parameters(), net.named_gradients()
    for i in (0, 2, 4):
        norms = [
            math.hypot(*(np.linalg.norm(a[f"{i}.{name}"]) for name in ("weight", "bias")))
            for a in (grads, weights)
        ]
        assert report.layers[i].update == pytest.approx(norms[0] / norms[1])
    assert [layer.parameters for layer in report.layers] == [35, 0, 24, 0, 5]
    assert report.layers[1].update is None
    assert report.layers[3].flat == (outputs[3] == 0).mean() > 0
    assert report.layers[0].flat is None


def test_a_generator_through_its_discriminator():
    """The loss of the docstring gives the gradients of the game's own step."""
    G, D = (
        network(Dense(6, 5), Tanh(), Dense(5, 3)),
        network(Dense(3, 4), Tanh(), Dense(4, 1), inputs=3),
    )
    objective = NonSaturating()

    def loss(fake):
        logits, caches = D.forward(fake)
        value, d_logits = objective.generator(logits)
        return value, D.backward(d_logits, caches)

    players = {"generator_optimizer": SGD(G), "discriminator_optimizer": SGD(D)}
    gan = GAN(G, D, objective, latent=NormalLatent(6), rng=0, **players)
    z = X.astype("float32")
    figures = gan.generator_gradients(np.zeros((32, 3), "float32"), z)
    report = xray(G, z, loss)
    assert report.loss == pytest.approx(float(figures["generator_loss"]))
    total = math.hypot(
        *(
            layer.update * np.linalg.norm(G.parameters[start:stop])
            for layer, (start, stop) in ((report.layers[0], (0, 35)), (report.layers[2], (35, 53)))
        )
    )
    assert total == pytest.approx(float(figures["generator_gradient_norm"]), rel=1e-5)


def test_saturated_is_where_the_slope_is_small():
    net = network(Dense(6, 6, bias=False), Tanh(), Dense(6, 6, bias=False), Sigmoid())
    net.layers[0].weight[...] = np.diag([0.0, 9, 9, 9, 0, 0])
    net.layers[2].weight[...] = np.diag([30.0, 0, 0, 0, 0, 0])
    x = np.ones((20, 6))
    tanh, sigmoid = xray(net, x).layers[1::2]
    assert (tanh.flat, tanh.dead, tanh.output.zeros) == (0.5, (1, 2, 3), 0.5)
    assert sigmoid.dead == () and sigmoid.flat == 0  # tanh(0) = 0 goes in, and not 1
    net.layers[0].weight[0, 0] = 5
    assert xray(net, x).layers[3].dead == (0,)
    assert xray(net, x[:15]).layers[3].dead == ()  # too few to judge by


def test_memory_is_counted_once():
    """Dense keeps its input, tanh its output: which the next Dense has for its input; windows."""
    net = network(Dense(6, 5), Tanh(), Dense(5, 4), Flatten(), Tanh(), Dense(4, 1))
    found = [layer.cache_bytes for layer in xray(net, X).layers]
    assert found == [32 * 6 * 4, 32 * 5 * 4, 0, 0, 32 * 4 * 4, 0]
    conv = Sequential([Conv2d(1, 2, 3), Flatten()], (5, 5, 1), rng=0, dtype="float64")
    columns = 7 * 3 * 3 * 9
    assert xray(conv, np.ones((7, 5, 5, 1))).layers[0].cache_bytes == 8 * columns


def test_nothing_changes():
    layers = [Dense(6, 5), BatchNorm(5), Dropout(0.5), SpectralNorm(Dense(5, 4)), Tanh()]
    net, other = network(*layers), network(*(layer.unbound() for layer in layers))
    clean = str(xray(net, X))
    net.gradients[...] = 3
    assert str(xray(net, X)) == clean
    assert (net.gradients == 3).all()
    assert np.array_equal(net.parameters, other.parameters)
    assert np.array_equal(net.buffers, other.buffers)
    x = X.astype(np.float32)
    assert np.array_equal(net.forward(x)[0], other.forward(x)[0])  # dropout's masks included


def test_the_same_seed_gives_the_same_figures():
    net = stack(Tanh, 2)
    assert str(xray(net, X, rng=3)) == str(xray(net, X, rng=3)) != str(xray(net, X, rng=4))


# --- The numerical check -------------------------------------------------------------------------


def test_every_kind_of_layer_passes():
    layers = [
        Dense(6, 8),
        LayerNorm(8),
        Softplus(),
        SpectralNorm(Dense(8, 8)),
        LeakyReLU(),
        Dropout(),
    ]
    layers += [
        Reshape(2, 2, 2),
        ConvTranspose2d(2, 3, 4, stride=2, padding=1),
        BatchNorm(3),
        Tanh(),
    ]
    layers += [Conv2d(3, 2, 3), ReLU(), Flatten(), Pack(2), MinibatchStd(), Dense(17, 1)]
    for train in (True, False):
        report = xray(network(*layers), X, train=train)
        assert [layer.check.passed for layer in report.layers] == [True] * 16, report
        assert report.layers[-1].output_shape == (16, 1)
        layers = [layer.unbound() for layer in layers]


def test_large_outputs_are_no_wrong_gradients():
    report = xray(stack(ReLU, 5, init=Normal(30)), 100 * X)
    assert report.layers[-1].output.std > 1e5
    assert all(layer.check.passed for layer in report.layers)


class Forgetful(Tanh):
    def backward(self, dy, y):
        return dy * (1 - y)  # the square is missing


class Biased(Dense):
    def add_gradients(self, dy, x):
        super().add_gradients(dy, x)
        self.dbias -= dy.sum(axis=0) / 2


class Flipped(Dense):
    def backward(self, dy, x):
        return -super().backward(dy, x)


@pytest.mark.parametrize(
    "wrong, of", [(Forgetful(), "x"), (Biased(6, 6), "bias"), (Flipped(6, 6), "x")]
)
def test_the_wrong_layer_is_named_and_no_other(wrong, of):
    net = network(Dense(6, 6), Tanh(), wrong, Dense(6, 6), Tanh(), Dense(6, 1))
    report = xray(net, X)
    assert [layer.check.passed for layer in report.layers] == [True] * 2 + [False] + [True] * 3
    (finding,) = report.findings
    assert finding.startswith(f"wrong gradient: layer 2, {wrong!r}, of {of}: ")
    assert str(report).count("WRONG") == 1 and not report.healthy


class Setting(Dense):
    def add_gradients(self, dy, x):
        self.dweight[...], self.dbias[...] = x.T.dot(dy), dy.sum(axis=0)


def test_a_layer_that_breaks_a_rule_is_named():
    report = xray(network(Dense(6, 6), Tanh(), Setting(6, 6), Tanh(), Dense(6, 1)), X)
    (finding,) = report.findings
    assert finding.startswith("broken rule: layer 2, Setting(6, 6): add_gradients(dy, cache) does")
    assert str(report).count("WRONG") == 1 and not report.healthy


def test_no_derivative_here_is_no_finding():
    """An input that is exactly at the kink of every unit."""
    report = xray(network(ReLU()), np.zeros((3, 6)))
    assert report.healthy and report.layers[0].check.verdict == "no derivative here"
    assert "no derivative here" in str(report)


def test_without_the_check():
    report = xray(network(Forgetful(), Dense(6, 1)), X, check=False)
    assert report.healthy and [layer.check for layer in report.layers] == [None, None]
    assert "nothing found" in str(report)


# --- Findings ------------------------------------------------------------------------------------


def test_healthy():
    report = xray(stack(Tanh, 4), X)
    assert report.healthy and report.findings == ()


def test_vanishing():
    (finding,) = xray(stack(Sigmoid, 6), X).findings
    assert finding.startswith("vanishing gradient: times 0.00") and "Sigmoid()" in finding


def test_exploding():
    report = xray(stack(LeakyReLU, 5, init=Normal(3)), X)
    (finding,) = report.findings
    assert finding.startswith("exploding gradient") and "on its way to layer 0, Dense" in finding
    factor = report.layers[0].gradient.norm / report.layers[-1].gradient.norm
    assert f"times {factor:.2g} on" in finding
    gains = [layer.gain for layer in report.layers[1:]]
    worst = 1 + int(np.argmax(gains))
    assert f"most at layer {worst}, " in finding


def test_dead_units():
    net = stack(ReLU, 2)
    net.layers[0].bias[[1, 4]] = -100
    report = xray(net, X)
    assert set(report.layers[1].dead) >= {1, 4}
    assert any("dead units: layer 1, ReLU(), 2 of 6" in finding for finding in report.findings)
    assert "(1, 4)" in report.findings[0]
    net.layers[0].bias[...] = -100
    report = xray(net, X)
    assert "(0, 1, 2, 3, 4, ...)" in report.findings[0]
    assert any(finding.startswith("vanishing gradient: times 0 on") for finding in report.findings)


def test_a_few_units_that_rest_are_no_finding():
    net = stack(ReLU, 1)
    net.layers[0].bias[3] = -100
    report = xray(net, X)
    assert report.layers[1].dead == (3,) and report.healthy


@pytest.mark.parametrize("samples", [20, 320])
def test_the_slope_of_a_loss_is_one_samples(samples):
    """However many samples share the mean's 1/N."""
    report = xray(stack(Tanh, 1), np.ones((samples, 6)), lambda y: (0.0, y * 0 + 2e-4 / len(y)))
    assert report.findings[0].endswith("is 0.0002 per sample")


def test_a_saturated_loss():
    D = stack(Tanh, 1)
    D.layers[-1].bias[...] = -20  # sure that all are fake
    (finding,) = xray(D, X, Minimax().generator).findings
    assert finding.startswith("the loss is saturated") and "per sample" in finding
    assert xray(D, X, NonSaturating().generator).healthy


def test_a_loss_without_any_gradient():
    report = xray(stack(Tanh, 1), X, lambda y: (0.0, np.zeros_like(y)))
    assert len(report.findings) == 1 and "is 0 per sample" in report.findings[0]
    assert math.isnan(report.layers[0].gain)


def test_what_is_not_finite_is_named_where_it_began():
    net = stack(Tanh, 3)
    net.layers[2].bias[0] = np.nan
    report = xray(net, X)
    assert report.findings[0] == "the loss is nan"
    assert "layer 2, Dense(6, 6) is not finite" in report.findings[1]
    assert report.findings[2].startswith("the gradient at the output of layer 4")
    assert report.layers[0].check.passed and report.layers[3].check is None


# --- The table, and what is refused --------------------------------------------------------------


def test_the_table():
    net = network(Dense(6, 300), ReLU(), Dense(300, 1))
    table = str(xray(net, np.tile(X, (32, 1)))).splitlines()
    assert len(table) == 1 + 3 + 1 + 1
    assert len({len(line.rstrip()) for line in table[1:4]}) == 1  # the columns stand
    assert "(1024, 300)" in table[2] and "1.2 MB" in table[2] and "2,100" in table[1]
    assert table[4].startswith("loss ") and table[4].endswith("caches 1.3 MB")


@pytest.mark.parametrize(
    "count, shown", [(999, "999 B"), (2048, "2.0 kB"), (5e6, "5.0 MB"), (3.2e9, "3.2 GB")]
)
def test_memory_has_a_unit(count, shown):
    report = xray(network(Dense(6, 1)), X, check=False)
    layers = (replace(report.layers[0], cache_bytes=count),)
    table = str(replace(report, layers=layers))
    assert f"caches {shown}" in table and table.count(shown) == 2


def test_what_is_refused():
    net = stack(Tanh, 1)
    with pytest.raises(TypeError, match="expected a Sequential, got Dense"):
        xray(Dense(2, 2), X)
    with pytest.raises(ValueError, match=r"x: expected shape \(N, 6\), got \(32, 5\)"):
        xray(net, X[:, :5])
    with pytest.raises(ValueError, match=r"dy: expected shape \(32, 1\), got \(32,\)"):
        xray(net, X, lambda y: (0.0, y[:, 0]))
    with pytest.raises(ValueError, match=r"dy: expected shape \(32, 1\), got \(3, 1\)"):
        xray(net, X, lambda y: (0.0, y[:3]))
    with pytest.raises(ValueError, match="max_entries"):
        xray(net, X, max_entries=0)
