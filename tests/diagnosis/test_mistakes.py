"""gradcheck says which mistake explains a wrong gradient, and is silent about all others."""

import numpy as np
import pytest

from minigan import GAN, SGD, Dense, Minimax, NormalLatent, Sequential, Tanh, gradcheck
from minigan.diagnosis.mistakes import causes_of_ratio

N = 8
X = np.random.default_rng(0).normal(size=(N, 3))
FACTORS = {
    "the sign is wrong": -1,
    "8 times too large, the batch size: is a mean missing?": N,
    "8 times too small, the batch size: is there a 1/N too many?": 1 / N,
    "the sign is wrong, and it is 8 times too large, the batch size: is a mean missing?": -N,
    "twice too large: is something counted twice, or a 1/2 missing?": 2,
    "half of what it should be: is a factor 2 missing?": 0.5,
    "it is zero: nothing arrives here": 0,
    "1.3 times what it should be, everywhere": 1.3,
}


class Broken(Dense):
    """dx and dW are what `dx` and `dw` make of the right ones."""

    def __init__(self, size, dx=lambda a: a, dw=lambda a: a):
        super().__init__(size, size)
        self.wrong_dx, self.wrong_dw = dx, dw

    def backward(self, dy, x):
        return self.wrong_dx(super().backward(dy, x))

    def add_gradients(self, dy, x):
        before = self.dweight.copy()
        super().add_gradients(dy, x)
        self.dweight = before + self.wrong_dw(self.dweight - before)


def check(layer, x=X):
    """The sentences on the gradients of a layer, above a tanh; one line per sentence is printed."""
    network = Sequential([layer, Tanh()], x.shape[1:], rng=0, dtype="float64")
    report = gradcheck(network, x)
    lines = str(report).splitlines()
    assert lines[len(lines) - 1 - len(report.likely) : -1] == list(report.likely)
    return report.likely


def test_silent_where_all_is_right():
    assert check(Dense(3, 3)) == ()


@pytest.mark.parametrize("sentence", FACTORS)
def test_factors(sentence):
    def scaled(a):
        return FACTORS[sentence] * a

    assert check(Broken(3, dx=scaled)) == (f"x: {sentence}",)
    assert check(Broken(3, dw=scaled)) == (f"0.weight: {sentence}",)


def test_factors_of_large_arrays():
    """Of which not every entry is compared; the directions are to agree."""
    x = np.random.default_rng(0).normal(size=(N, 20))
    assert check(Broken(20, dw=lambda a: -a), x) == ("0.weight: the sign is wrong",)

    def half_of_them(a):
        return a * np.where(np.arange(20) < 10, -1, 1)

    assert check(Broken(20, dw=half_of_them), x) == ()


def test_two_samples_leave_two_causes():
    (sentence,) = check(Broken(3, dw=lambda a: 2 * a), X[:2])
    assert "the batch size" in sentence and ", or: twice too large" in sentence


def test_transposed():
    assert check(Broken(3, dw=lambda a: a.T)) == ("0.weight: it is transposed",)


@pytest.mark.parametrize("seed", range(20))
def test_other_errors_are_not_named(seed):
    rng = np.random.default_rng(seed)
    noise, some = rng.normal(size=(3, 3)), rng.normal(size=(1, 3))
    for wrong in (
        lambda a: a + 0.1 * noise,
        lambda a: a * some,
        lambda a: np.roll(a, 1, axis=-1),
        lambda a: a * abs(a),
    ):
        assert check(Broken(3, dw=wrong)) == ()
    assert check(Broken(3, dx=lambda a: a * some)) == ()


def test_objectives_and_games():
    class Summed(Minimax):
        def discriminator(self, r, f):
            loss, d_real, d_fake = super().discriminator(r, f)
            return loss, d_real, len(f) * d_fake

    report = gradcheck(Summed(), X[:, :1], X[:, 1:2])
    assert report.likely == (f"fake_logits (D): {list(FACTORS)[1]}",)

    class Uphill(GAN):
        def feedback(self, fake, x):
            loss, d_fake = super().feedback(fake, x)
            return loss, -d_fake

    G, D = (Sequential([Dense(3, n)], (3,), rng=0) for n in (3, 1))
    game = Uphill(G, D, "minimax", generator_optimizer=SGD(G), discriminator_optimizer=SGD(D),
                  latent=NormalLatent(3), rng=0)  # fmt: skip
    assert gradcheck(game, X).likely == (
        "generator 0.weight: the sign is wrong",
        "generator 0.bias: the sign is wrong",
    )


def test_a_single_number_has_no_factor_of_its_own():
    assert causes_of_ratio(1.3, 8, known=True) == {} and causes_of_ratio(8, 8, known=True)
