"""The gradient checker itself: closed forms, SciPy, kinks, and what it must leave alone.

That it rejects broken backward passes is tested in test_planted_errors.py, that it accepts right
ones in test_false_alarms.py.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import approx_fprime, rosen, rosen_der

from minigan import (
    WGANGP,
    BatchNorm,
    Dense,
    Dropout,
    LeastSquares,
    Minimax,
    ReLU,
    Sequential,
    SpectralNorm,
    Tanh,
    compare_gradients,
    gradcheck,
)

# loss, gradient
FUNCTIONS = {
    "sine": (lambda x: np.sin(x).sum(), np.cos),
    "exponential": (lambda x: np.exp(x).sum(), np.exp),
    "product": (lambda x: x.prod(), lambda x: x.prod() / x),
    "Rosenbrock": (rosen, rosen_der),
    "steep": (lambda x: 1e6 * (x**3).sum(), lambda x: 3e6 * x**2),
    "flat": (lambda x: 1e-6 * (x**3).sum(), lambda x: 3e-6 * x**2),
    "wavy": (lambda x: np.sin(50 * x).sum(), lambda x: 50 * np.cos(50 * x)),
}


def compare(loss, x, gradient, **options):
    return compare_gradients(lambda: loss(x), {"x": x}, {"x": gradient}, **options)


# --- Right and wrong gradients -------------------------------------------------------------------


@pytest.mark.parametrize("name", FUNCTIONS)
@settings(max_examples=10)
@given(seed=st.integers(0, 999))
def test_right_gradients_pass(name, seed):
    loss, gradient = FUNCTIONS[name]
    x = np.random.default_rng(seed).uniform(0.5, 1.5, 4)
    report = compare(loss, x, gradient(x))
    assert report.passed and [row.checked for row in report.rows] == [4, 3], str(report)


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("error", [1e-5, 1e-2, -1.0, 3.0])
def test_wrong_gradients_are_measured(name, error):
    """One entry is off by a factor 1 + error; the report says where, and by how much."""
    loss, gradient = FUNCTIONS[name]
    x = np.array([0.8, 1.1, 1.4])
    by_hand = gradient(x)
    right, by_hand[1] = by_hand[1], by_hand[1] * (1 + error)
    report = compare(loss, x, by_hand)
    assert not report.passed and report.worst.worst == (1,)
    np.testing.assert_allclose(
        report.relative_error, abs(error) / max(1, abs(1 + error)), rtol=1e-3
    )
    np.testing.assert_allclose(report.worst.by_hand, by_hand[1])
    np.testing.assert_allclose(report.worst.numerical, right, rtol=1e-6)


def test_numerical_gradients_are_scipys():
    """The column `numerical`, entry by entry, against `scipy.optimize.approx_fprime`."""
    network = Sequential([Dense(3, 4), Tanh(), Dense(4, 1)], (3,), rng=0, dtype="float64")
    x = np.random.default_rng(0).normal(size=(1, 3))

    def loss(flat):
        return network(flat.reshape(1, 3)).item()

    expected = approx_fprime(x[0], loss, 1e-7)
    for i in range(3):
        wrong = expected.copy()
        wrong[i] += 1  # so that entry i is the one shown
        report = compare(loss, x, wrong.reshape(1, 3))
        assert report.worst.worst == (0, i)
        np.testing.assert_allclose(report.worst.numerical, expected[i], rtol=1e-5)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_gradient_that_is_not_finite_is_wrong(bad):
    x = np.ones(3)
    report = compare(lambda x: x.sum(), x, np.array([1, bad, 1]))
    assert not report.passed and report.relative_error == np.inf and report.worst.worst == (1,)


def test_rounding_in_entries_that_should_be_zero_is_no_error():
    x = np.array([1.0, 2.0])
    assert compare(lambda x: x[0], x, np.array([1, 1e-11])).passed
    assert not compare(lambda x: x[0], x, np.array([1, 1e-8])).passed


@pytest.mark.parametrize("size", [1e4, 1e6, 1e8])
def test_a_loss_that_is_small_because_large_terms_cancel(size):
    """Its rounding is that of the terms: a right gradient passes, a wrong one does not."""
    signs = np.tile([1.0, -1.0], 8)

    def loss(x):
        return ((np.sin(x) + size) * signs).sum()

    x = np.random.default_rng(0).normal(size=16)
    assert abs(loss(x)) < 10
    right = np.cos(x) * signs
    assert compare(loss, x, right).passed
    for wrong in (1.1 * right, -right, right + 0.1):
        report = compare(loss, x, wrong)
        assert report.verdict == "WRONG" and report.rows[0].checked == 16


def test_rounding_hides_no_more_than_it_must():
    """Of an ordinary smooth loss little more than eps |L| / h counts as rounding."""
    x = np.random.default_rng(0).normal(size=16)
    for loss, gradient in (
        (lambda x: np.sin(5 * x).sum() + 20, lambda x: 5 * np.cos(5 * x)),
        (lambda x: np.exp(3 * x).sum(), lambda x: 3 * np.exp(3 * x)),
    ):
        wrong = gradient(x)
        assert compare(loss, x, wrong, tolerance=1e-8).passed
        i = int(np.argmin(abs(abs(wrong) - np.median(abs(wrong)))))
        wrong[i] *= 1 + 1e-7
        report = compare(loss, x, wrong, tolerance=1e-8, directions=0)
        assert not report.passed and report.worst.worst == (i,)


@pytest.mark.parametrize("size", [1e-9, 1e-3, 1e3, 1e9])
def test_the_unit_of_the_loss_does_not_matter(size):
    """Neither to right gradients nor to wrong ones, as no floor is a number of its own."""
    x = np.random.default_rng(0).normal(size=16)
    right = size * np.cos(x)
    assert compare(lambda x: size * np.sin(x).sum(), x, right).passed
    wrong = right.copy()
    wrong[3] *= 1 + 1e-4
    assert not compare(lambda x: size * np.sin(x).sum(), x, wrong).passed


def test_spectral_norm_in_training_where_its_vectors_have_converged():
    """Which they have from the start; not after weights were changed in place."""
    network = Sequential([SpectralNorm(Dense(3, 2)), Tanh()], (3,), rng=0, dtype="float64")
    x = np.random.default_rng(1).normal(size=(4, 3))
    assert gradcheck(network, x).passed
    network.parameters[...] = np.random.default_rng(2).normal(size=network.parameters.shape)
    assert not gradcheck(network, x).passed and gradcheck(network, x, train=False).passed
    for _ in range(300):
        network.forward(x)
    assert gradcheck(network, x).passed


def test_a_point_where_the_gradient_is_zero_is_no_kink():
    x = np.zeros(2)
    assert compare(lambda x: (x**2).sum(), x, 2 * x).passed
    logits = np.array([[1.0], [0.0]])
    assert gradcheck(LeastSquares(), logits, logits).passed


# --- Kinks ---------------------------------------------------------------------------------------


def test_entries_at_a_kink_are_left_out_and_counted():
    x = np.array([0.0, 1.0, -2.0])
    for at_zero in (-1, 0, 1, 7):
        report = compare(lambda x: abs(x).sum(), x, np.array([at_zero, 1, -1]))
        assert report.passed and (report.worst.checked, report.worst.kinks) == (2, 1)
    assert not compare(lambda x: abs(x).sum(), x, np.array([0, 1, 1])).passed


def test_a_smaller_difference_steps_around_a_kink():
    x = np.array([3e-5, -3e-5])
    report = compare(lambda x: abs(x).sum(), x, np.array([1.0, -1.0]))
    assert report.passed and report.worst.checked == 2


def test_a_kink_is_told_by_what_is_left_of_the_bend():
    """However small its share of the slope; a bend of the same size that is smooth is no kink."""
    for jump in (1.0, 0.1, 1e-3, 1e-5):
        x = np.array([0.0, 1.0])
        report = compare(lambda x, jump=jump: (x + jump * abs(x)).sum(), x, np.array([1, 1 + jump]))
        assert report.passed and (report.rows[0].checked, report.rows[0].kinks) == (1, 1)
        for width in (1e-2, 1e-3):
            smooth = compare(
                lambda x, jump=jump, width=width: (x + jump * np.hypot(x, width)).sum(),
                x,
                1 + jump * x / np.hypot(x, width),
            )
            assert smooth.passed and smooth.rows[0].kinks == 0, str(smooth)


def test_kinks_at_most_places_hide_nothing_at_the_others():
    """Nor do they in another array: a kink's jump does not count as rounding."""
    rng = np.random.default_rng(0)
    x, w = np.zeros(40), rng.normal(size=30)
    x[:4] = rng.normal(size=4)
    arrays = {"x": x, "w": w}

    def check(error_x, error_w):
        gradients = {"x": np.sign(x), "w": np.cos(w)}
        gradients["x"][2] *= 1 + error_x
        gradients["w"][5] *= 1 + error_w
        loss = lambda: abs(x).sum() + np.sin(w).sum()  # noqa: E731
        report = compare_gradients(loss, arrays, gradients)
        return {row.name for row in report.rows if row.verdict(1e-6) == "WRONG"}, report

    wrong, report = check(0, 0)
    assert not wrong and report.rows[0].kinks == 36 and report.passed
    assert check(1e-4, 0)[0] == {"x"}
    assert check(0, 1e-4)[0] == {"w"}


def test_no_derivative_here_is_neither_ok_nor_wrong():
    x, w = np.zeros(3), np.ones(2)
    alone = compare(lambda x: abs(x).sum(), x, x)
    assert alone.verdict == "no derivative here" and not alone.passed
    assert alone.unchecked == ("x",) and {row.checked for row in alone.rows} == {0}
    assert {row.verdict(1e-6) for row in alone.rows} == {"no derivative here"}
    assert "WRONG" not in str(alone) and "ok" not in str(alone).split()
    assert "nan" not in str(alone)

    for by_hand, verdict in ((w, "ok"), (2 * w, "WRONG")):
        loss, gradients = lambda: abs(x).sum() + w.sum(), {"x": x, "w": by_hand}
        report = compare_gradients(loss, {"x": x, "w": w}, gradients)
        assert report.verdict == verdict and report.unchecked == ("x",)
        assert report.passed == (verdict == "ok")
        assert str(report).count("no derivative here") == 2 + (verdict == "ok")
    assert "no error found, but no derivative here for x (" in str(
        compare_gradients(loss, {"x": x, "w": w}, {"x": x, "w": w})
    )


# --- Which entries -------------------------------------------------------------------------------


def test_of_larger_arrays_random_entries_are_checked():
    x = np.random.default_rng(0).normal(size=(20, 30))
    report = compare(lambda x: (x**2).sum(), x, 2 * x, max_entries=50)
    assert report.rows[0].checked == 50 and report.passed
    assert compare(lambda x: (x**2).sum(), x, 2 * x, max_entries=600).rows[0].checked == 600
    wrong = [
        compare(lambda x: (x**2).sum(), x, x, max_entries=1, rng=i).rows[0].worst for i in range(9)
    ]
    assert len(set(wrong)) > 1
    assert wrong[3] == compare(lambda x: (x**2).sum(), x, x, max_entries=1, rng=3).rows[0].worst


@pytest.mark.parametrize("shape", [(40, 40), (100, 100), (5, 5, 40, 10)])
def test_one_wrong_entry_of_thousands_is_found(shape):
    """A wrong sign, and a tenth too much: in every run, and the array is named."""
    x, other = np.random.default_rng(0).normal(size=shape), np.ones(3)
    for seed in range(20):
        rng = np.random.default_rng(seed)
        x[...] = rng.normal(size=shape)
        wrong = np.cos(x)
        wrong.reshape(-1)[rng.integers(x.size)] *= rng.choice([-1, 1.1])
        arrays = {"x": x, "other": other}
        report = compare_gradients(
            lambda: np.sin(x).sum() + (other**2).sum(),
            arrays,
            {"x": wrong, "other": 2 * other},
            rng=seed,
            max_entries=8,
        )
        assert not report.passed
        assert {row.name for row in report.rows if row.verdict(1e-6) == "WRONG"} == {"x"}


def test_without_directions():
    x = np.random.default_rng(0).normal(size=(20, 30))
    report = compare(lambda x: (x**2).sum(), x, 2 * x, directions=0)
    (row,) = report.rows
    assert report.passed and not row.directions and row.checked == 64


def test_arrays_are_restored_to_the_bit_in_any_layout():
    base = np.random.default_rng(0).normal(size=(6, 8))
    before = base.copy()
    for x in (base, base.T, base[::2, 1::3], np.asfortranarray(base)):
        assert compare(lambda x: np.sin(x).sum(), x, np.cos(x)).passed
        np.testing.assert_array_equal(base, before)


# --- Targets -------------------------------------------------------------------------------------


def test_nothing_that_is_passed_in_is_changed(dense_gan, snapshot):
    layers = [Dense(3, 4), BatchNorm(4), Dropout(0.5)]
    network = Sequential(layers, (3,), rng=0)  # float32: a float64 copy is checked
    network.gradients[...] = 5
    x = np.random.default_rng(1).normal(size=(5, 3))
    x.flags.writeable = False
    vectors = [network.parameters, network.gradients, network.buffers]
    before = [vector.copy() for vector in vectors]
    state = layers[2].rng.bit_generator.state
    assert gradcheck(network, x, rng=2).passed
    for vector, copied in zip(vectors, before, strict=True):
        np.testing.assert_array_equal(vector, copied)
    assert layers[2].rng.bit_generator.state == state

    gan, layer = dense_gan(dtype="float32"), BatchNorm(3)
    found = snapshot(gan)
    assert gradcheck(gan, x[:, :2], rng=2, max_entries=4).passed
    assert snapshot(gan) == found
    assert gradcheck(layer, x, rng=2).passed and layer.network is None


@pytest.mark.parametrize("backend", ["reference", "numpy"])
def test_gradients_that_are_there_already_do_not_count(backend):
    network = Sequential([Dense(3, 4), Tanh()], (3,), rng=0, dtype="float64", backend=backend)
    x = np.random.default_rng(1).normal(size=(5, 3))
    clean = gradcheck(network, x)
    network.gradients[...] = 5
    assert gradcheck(network, x) == clean


def test_same_seed_same_report(dense_gan):
    gan, x = dense_gan(), np.random.default_rng(1).normal(size=(5, 2))
    reports = [gradcheck(gan, x, rng=seed, max_entries=3) for seed in (0, 0, 1)]
    assert reports[0] == reports[1] != reports[2]


def test_rows_and_tolerance():
    x = np.random.default_rng(1).normal(size=(5, 3))
    report = gradcheck(Dense(3, 2), x, tolerance=1e-3)
    assert [(row.name, row.shape, row.directions, row.checked) for row in report.rows] == [
        ("x", (5, 3), False, 15), ("x", (5, 3), True, 3),
        ("0.weight", (3, 2), False, 6), ("0.weight", (3, 2), True, 3),
        ("0.bias", (2,), False, 2), ("0.bias", (2,), True, 3),
    ]  # fmt: skip
    assert report.tolerance == 1e-3 and report.relative_error < 1e-9


def test_a_penalty():
    D = Sequential([Dense(2, 4), Tanh(), Dense(4, 1)], (2,), rng=0)
    real, fake = np.random.default_rng(1).normal(size=(2, 5, 2))
    report = gradcheck(WGANGP(), D, real, fake)
    assert report.passed
    assert [row.name for row in report.rows[::2]] == list(D.named_parameters())


def test_the_upstream_gradient_is_not_the_input(monkeypatch):
    """The usual x = default_rng(0).normal(...) must not meet itself as the upstream gradient:

    with dy = x, a ReLU that takes its mask from dy would pass.
    """
    monkeypatch.setattr(ReLU, "backward", lambda self, dy, y: dy * (dy > 0))
    x = np.random.default_rng(0).standard_normal((6, 3))
    assert not gradcheck(ReLU(), x).passed


def test_table():
    x = np.random.default_rng(1).normal(size=(4, 2))
    lines = str(gradcheck(Dense(2, 1), x)).splitlines()
    assert lines[0].split()[:3] == ["gradient", "of", "shape"]
    assert len(lines) == 8 and lines[-1].startswith("every gradient agrees (tolerance 1e-06)")
    assert [line.split()[0] for line in lines[1:4]] == ["x", "x", "0.weight"]
    assert [line.count("all at once") for line in lines[1:-1]] == [0, 1] * 3
    assert all(line.endswith("ok") for line in lines[1:-1])
    wrong = str(compare(lambda x: x.sum(), x, 2 * np.ones_like(x))).splitlines()
    assert wrong[1].endswith("WRONG") and wrong[-1].startswith("WRONG: see what is marked")
    assert "+2.00000000" in wrong[1] and "+1.00000000" in wrong[1] and "5.0e-01" in wrong[1]


# --- Refused -------------------------------------------------------------------------------------


def bound_layer():
    layer = Dense(2, 1)
    Sequential([layer], (2,), rng=0)
    return layer


X, ONE = np.ones((3, 2)), np.ones(2)
REFUSED = {
    "no target": (lambda: gradcheck(np.sin, X), TypeError, "expected a Layer, Sequential, Obj"),
    "a layer of a network": (lambda: gradcheck(bound_layer(), X), ValueError, "part of a network"),
    "NaN": (lambda: gradcheck(Tanh(), X * np.nan), ValueError, "not finite"),
    "text": (lambda: gradcheck(Tanh(), "abc"), ValueError, "could not convert"),
    "misfit": (lambda: gradcheck(Dense(3, 1), X), ValueError, r"expected input \(3,\)"),
    "logits": (lambda: gradcheck(Minimax(), X, X), ValueError, r"expected shape \(N, 1\)"),
    "rng": (lambda: gradcheck(Tanh(), X, rng=None), TypeError, "rng"),
    "tolerance": (lambda: gradcheck(Tanh(), X, tolerance=0), ValueError, "tolerance"),
    "directions": (lambda: gradcheck(Tanh(), X, directions=-1), ValueError, "directions"),
    "entries": (lambda: gradcheck(Tanh(), X, max_entries=0), ValueError, "max_entries"),
    "float32": (lambda: compare(np.sum, ONE.astype("f4"), ONE), TypeError, "x: numerical grad"),
    "gradient's shape": (lambda: compare(np.sum, ONE, np.ones(3)), ValueError, r"x: expected a gr"),
    "no gradient": (
        lambda: compare_gradients(ONE.sum, {"x": ONE}, {}),
        ValueError,
        r"x: expected a gradient of shape \(2,\)",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_refuses(name):
    call, error, message = REFUSED[name]
    with pytest.raises(error, match=message):
        call()
