"""demos/QUESTIONS.md: each row's figure is computed here, and each row's line is where it says.

python tests/test_questions.py      after the code has moved: writes the lines' numbers anew
"""

import re
import warnings
from pathlib import Path

import numpy as np
import pytest

from minigan import (
    GAN,
    SGD,
    Adam,
    BatchNorm,
    ConvTranspose2d,
    Dense,
    LeakyReLU,
    Minimax,
    NonSaturating,
    ReLU,
    Sequential,
    UniformLatent,
    Wasserstein,
)
from minigan.data import toy
from minigan.diagnosis.gradcheck import gradcheck
from minigan.layers.activations import sigmoid, softplus
from minigan.metrics import mode_coverage, wasserstein_1d
from minigan.regularizers import WGANGP

PAGE = Path(__file__).resolve().parents[1] / "demos" / "QUESTIONS.md"
LINE = re.compile(r"\[`([^`]+)`\]\((\.\./minigan/[\w/]+\.py)#L(\d+)\)")  # code, file, number
#: The pages themselves, not the faster forms of some of their methods.
F64 = {"rng": 0, "dtype": "float64", "backend": "reference"}


def toy_game(objective):
    G = Sequential([Dense(2, 32), ReLU(), Dense(32, 2)], (2,), **F64)
    D = Sequential([Dense(2, 32), LeakyReLU(), Dense(32, 1)], (2,), **F64)
    players = {"generator_optimizer": Adam(G), "discriminator_optimizer": Adam(D)}
    return GAN(G, D, objective, latent=UniformLatent(2), rng=0, **players)


def batch(n):
    rng = np.random.default_rng(0)
    return toy("ring").sample(n, rng), rng.uniform(-1, 1, (n, 2))


# --- The numbers ---------------------------------------------------------------------------------


def d_stands_still():
    """D, and D alone, goes 1,000 steps down G's loss."""
    game = toy_game("non-saturating")
    G, D = game.generator, game.discriminator
    fake, _ = G.forward(batch(256)[1])
    adam, losses = Adam(D, 1e-2), []
    for _ in range(1000):
        logits, caches = D.forward(fake)
        loss, d_logits = game.objective.generator(logits)
        D.set_gradients(d_logits, caches)
        adam.step()
        losses.append(loss)
    assert losses[-1] < 1e-3
    return f"from {losses[0]:.1f} to below 0.001"


def g_is_a_constant():
    """The gradients that D's loss and G's own, minimax, give G: one is minus the other."""
    game = toy_game("minimax")
    G, D = game.generator, game.discriminator
    x, z = batch(64)
    fake, cache_G = G.forward(z)
    logits, cache_D = D.forward(fake)
    gradients = []
    for d_logits in (
        game.objective.discriminator(D.forward(x)[0], logits)[2],
        game.objective.generator(logits)[1],
    ):
        G.set_gradients(D.backward(d_logits, cache_D), cache_G)
        gradients.append(G.gradients.copy())
    of_d, of_g = gradients
    assert np.linalg.norm(of_g) > 1e-3
    return f"a sum of {np.linalg.norm(of_d + of_g):.0f}"


def sign_of_the_critic():
    """A critic of slope 1 between points around −2 and around 2."""
    x = np.linspace(-1, 1, 101)[:, None]
    real, fake = 2 + x, -2 + x
    loss = Wasserstein().discriminator(real, fake)[0]
    assert wasserstein_1d(real, fake) == pytest.approx(-loss)
    return f"a loss of −{-loss:.0f}"


def real_labels():
    """A fake at logit −10: D is sure."""
    logit = np.array([[-10.0]])
    slopes = [game().generator(logit)[1][0, 0] for game in (NonSaturating, Minimax)]
    return f"{slopes[0] / slopes[1]:,.0f} times"


def loss_of_d_is_zero():
    """D as sure of fakes as of real samples, so that its loss is 0.001."""
    logit = np.full((1, 1), -np.log(np.expm1(0.0005)))
    loss = Minimax().discriminator(logit, -logit)[0]
    slope = abs(Minimax().generator(-logit)[1][0, 0])
    undecided = abs(Minimax().generator(0 * logit)[1][0, 0])
    assert loss == pytest.approx(0.001)
    return f"a thousandth ({slope:.4f} in place of {undecided})"


def mode_collapse():
    """All samples from one of eight modes, and there as they should be."""
    ring, rng = toy("ring"), np.random.default_rng(0)
    found = mode_coverage(
        ring.means[0] + ring.sigma * rng.standard_normal((2500, 2)), ring.means, ring.sigma
    )
    assert found.modes == 1
    return f"{100 * found.high_quality:.0f} % of high quality, and {found.reverse_kl:.2f} nats"


def log_of_zero():
    """Single precision, log(1 − σ(x)) as it is written and as it is computed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        for x in np.arange(1, 100, dtype=np.float32)[:, None]:
            if np.log(1 - sigmoid(np, x))[0] == -np.inf:
                break
    assert softplus(np, x)[0] == x[0]  # finite, and right to the last digit
    return f"From a logit of {x[0]:.0f} on"


def mixed_batches():
    """Real numbers around 1, fakes around −1: the fakes' mean behind batch norm."""
    rng = np.random.default_rng(0)
    x = np.concatenate([s * np.ones(5000) + 0.5 * rng.standard_normal(5000) for s in (1, -1)])
    D = Sequential([BatchNorm(1)], (1,), **F64)
    mixed, alone = D.forward(x[:, None])[0][5000:], D.forward(x[5000:, None])[0]
    return f"{mixed.mean():.1f} in a mixed batch, {abs(alone.mean()):.0f}".replace("-", "−")


def one_norm_per_sample():
    """A critic of slope 1 everywhere, on 64 samples: the penalty, and with one norm for all."""
    D = Sequential([Dense(2, 1)], (2,), **F64)
    D.parameters = np.array([0.6, 0.8, 0])
    x, logits = batch(64)[0], np.ones((64, 1))
    gradient = D.backward(logits, D.forward(x)[1])
    right = WGANGP(1).penalize(D, x, x, np.random.default_rng(0))
    return f"{(np.linalg.norm(gradient) - 1) ** 2:.0f}, where {abs(right):.0f} is right"


def batch_norm_in_a_critic():
    """Of the gradient of one sample's logit in a batch of 8: the share at the seven others."""
    layers = [Dense(2, 32), BatchNorm(32), LeakyReLU(), Dense(32, 1)]
    D = Sequential(layers, (2,), **F64)
    gradient = D.backward(np.eye(8, 1), D.forward(batch(8)[0])[1])
    norms = np.linalg.norm(gradient, axis=1)
    assert 0.2 < norms[1:].sum() / norms.sum() < 0.95
    return f"{100 * norms[1:].sum() / norms.sum():.0f} %"


def checkerboards():
    """Kernel 3, stride 2, all weights 1: how many stamps meet in a pixel inside."""
    counts = {}
    for kernel in (3, 4):
        net = Sequential([ConvTranspose2d(1, 1, kernel, stride=2, bias=False)], (9, 9, 1), **F64)
        net.parameters = np.ones(kernel**2)
        inside = net(np.ones((1, 9, 9, 1)))[0, 4:-4, 4:-4, 0]
        counts[kernel] = inside.min(), inside.max()
    assert counts[4] == (4, 4)
    return f"{counts[3][0]:.0f} to {counts[3][1]:.0f} stamps"


def steps_without_zeroing():
    """Ten steps of SGD on a constant slope, with and without zeroing."""
    ways = []
    for zeroing in (True, False):
        net = Sequential([Dense(1, 1, bias=False)], (1,), **F64)
        start, sgd = net.parameters.copy(), SGD(net, 0.1)
        for _ in range(10):
            if zeroing:
                net.zero_gradients()
            y, caches = net.forward(np.ones((1, 1)))
            net.add_gradients(np.ones_like(y), caches)
            sgd.step()
        ways.append((start - net.parameters)[0])
    return f"{ways[1] / ways[0]:.1f} times as far"


def no_mean():
    r = np.zeros((256, 1))
    objective = Minimax()
    terms, means = objective.discriminator_terms(r, r), objective.discriminator(r, r)
    return f"{(terms[2] / means[1])[0, 0]:.0f} times"


class Forgetful(Dense):
    """Keeps its output instead of its input."""

    def forward(self, x, train):
        y, _ = super().forward(x, train)
        return y, y


def another_input():
    """How far the weight's gradient is from the right one, and from where gradcheck sees it."""
    x, dy = np.random.default_rng(0).standard_normal((2, 3, 4))
    gradients = []
    for layer in (Dense(4, 4), Forgetful(4, 4)):
        net = Sequential([layer], (4,), **F64)
        assert gradcheck(net, x).passed == (type(layer) is Dense)
        net.set_gradients(dy, net.forward(x)[1])
        gradients.append(net.layers[0].dweight)
    right, wrong = gradients
    return f"off by {np.linalg.norm(wrong - right) / np.linalg.norm(right):.2f} times its length"


def mean_for_the_bias():
    net = Sequential([Dense(1, 1)], (1,), **F64)
    dy = np.ones((256, 1))
    net.set_gradients(dy, net.forward(dy)[1])
    return f"{net.layers[0].dbias[0] / dy.mean():.0f} times"


# --- The page ------------------------------------------------------------------------------------

FIGURES = [
    d_stands_still,
    g_is_a_constant,
    sign_of_the_critic,
    real_labels,
    loss_of_d_is_zero,
    mode_collapse,
    log_of_zero,
    mixed_batches,
    one_norm_per_sample,
    batch_norm_in_a_critic,
    checkerboards,
    steps_without_zeroing,
    no_mean,
    another_input,
    mean_for_the_bias,
]


def rows():
    """The cells of each row: number, question, answer, what a mistake costs, line."""
    lines = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line[:1] == "|"]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[2:]]


def number_of(code, file):
    """The number of the one line in the file that holds this code."""
    lines = (PAGE.parent / file).read_text(encoding="utf-8").splitlines()
    found = [i for i, line in enumerate(lines, 1) if line.strip() == code]
    assert len(found) == 1, f"{file} has {len(found)} lines {code!r}"
    return found[0]


def with_numbers(text):
    """The page with the numbers that the lines have today."""
    return LINE.sub(lambda m: f"[`{m[1]}`]({m[2]}#L{number_of(m[1], m[2])})", text)


def test_fifteen_questions_are_answered():
    assert [number for number, *_ in rows()] == [str(k) for k in range(1, 16)]
    for _, question, answer, cost, line in rows():
        assert question.endswith("?") or question.startswith("Backprop: ")
        assert 2 <= answer.count(".") and cost and LINE.fullmatch(line), question


@pytest.mark.parametrize("row", range(15), ids=[figure.__name__ for figure in FIGURES])
def test_what_a_mistake_costs(row):
    assert f"**{FIGURES[row]()}**" in rows()[row][3]


def test_the_lines_are_where_the_page_says():
    text = PAGE.read_text(encoding="utf-8")
    assert text.count("#L") == len(LINE.findall(text)) >= 15
    assert text == with_numbers(text), "python tests/test_questions.py writes the numbers anew"


if __name__ == "__main__":
    PAGE.write_text(with_numbers(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
