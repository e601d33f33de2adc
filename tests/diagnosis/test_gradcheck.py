"""The gradient checker itself: closed forms, SciPy, kinks, and what it must leave alone.

That it rejects broken backward passes is tested in tests/test_mutants.py.
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
    assert report.passed and report.worst.checked == 4, str(report)


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
        assert not report.passed and report.worst.checked == 16


def test_rounding_is_measured_and_no_more_than_that():
    """Of an ordinary smooth loss little more than eps |L| is taken for rounding."""
    x = np.random.default_rng(0).normal(size=16)
    for loss in (lambda: np.sin(50 * x).sum() + 20, lambda: np.exp(3 * x).sum()):
        entries = [(x, i) for i in range(16)]
        eps = np.finfo(float).eps * abs(loss())
        assert eps <= _rounding(loss, entries) < 4 * eps


def test_spectral_norm_in_training_once_its_vectors_have_converged():
    network = Sequential([SpectralNorm(Dense(3, 2)), Tanh()], (3,), rng=0, dtype="float64")
    x = np.random.default_rng(1).normal(size=(4, 3))
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


def test_nothing_but_kinks_is_no_success():
    x = np.zeros(3)
    report = compare(lambda x: abs(x).sum(), x, x)
    assert not report.passed and report.worst.checked == 0 and "WRONG" in str(report)


# --- Which entries -------------------------------------------------------------------------------


def test_of_larger_arrays_random_entries_are_checked():
    x = np.random.default_rng(0).normal(size=(20, 30))
    report = compare(lambda x: (x**2).sum(), x, 2 * x, max_entries=50)
    assert report.worst.checked == 50 and report.passed
    assert compare(lambda x: (x**2).sum(), x, 2 * x, max_entries=600).worst.checked == 600
    wrong = [
        compare(lambda x: (x**2).sum(), x, x, max_entries=1, rng=i).worst.worst for i in range(9)
    ]
    assert len(set(wrong)) > 1
    assert wrong[3] == compare(lambda x: (x**2).sum(), x, x, max_entries=1, rng=3).worst.worst


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
    assert [(row.name, row.shape, row.checked) for row in report.rows] == [
        ("x", (5, 3), 15), ("0.weight", (3, 2), 6), ("0.bias", (2,), 2),
    ]  # fmt: skip
    assert report.tolerance == 1e-3 and report.relative_error < 1e-9


def test_a_penalty():
    D = Sequential([Dense(2, 4), Tanh(), Dense(4, 1)], (2,), rng=0)
    real, fake = np.random.default_rng(1).normal(size=(2, 5, 2))
    report = gradcheck(WGANGP(), D, real, fake)
    assert report.passed
    assert [row.name for row in report.rows] == list(D.named_parameters())


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
    assert len(lines) == 5 and lines[-1].startswith("every gradient agrees (tolerance 1e-06)")
    assert lines[1].split()[0] == "x" and lines[2].split()[0] == "0.weight"
    assert all(line.endswith("ok") for line in lines[1:-1])
    wrong = str(compare(lambda x: x.sum(), x, 2 * np.ones_like(x))).splitlines()
    assert wrong[1].endswith("WRONG") and wrong[-1].startswith("WRONG: see the marked rows")
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
