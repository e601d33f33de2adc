"""Adam: its text, its names, its state and its code are one, and its faster form is the same."""

import numpy as np
import pytest

from minigan import Adam, Dense, Sequential
from minigan.backend.numpy.forms import BLOCK

BETAS = [(0.5, 0.999), (0.9, 0.999), (0.0, 0.9), (0.5, 0.0), (0.0, 0.0), (0.99, 0.5)]
betas_of_all_kinds = pytest.mark.parametrize("betas", BETAS, ids=str)


def adam(size, backend, dtype="float64", **options):
    """An Adam for one vector of that size."""
    layers = [Dense(1, size, bias=False)]
    return Adam(Sequential(layers, (1,), rng=0, dtype=dtype, backend=backend), **options)


def gradients(steps, size, dtype="float64"):
    rng = np.random.default_rng(1)
    return (rng.normal(size=size).astype(dtype) * 10.0 ** rng.integers(-3, 3) for _ in range(steps))


@pytest.mark.parametrize("backend", ["reference", "numpy"])
def test_the_state_is_the_papers_m_and_v(backend):
    """After one step with g = 1: m = 1 − β₁ = 0.5 and v = 1 − β₂ = 0.001."""
    optimizer = adam(3, backend, betas=(0.5, 0.999))
    optimizer.network.gradients[...] = 1
    optimizer.step()
    np.testing.assert_allclose(optimizer.state["mean"], 0.5, rtol=1e-15)
    np.testing.assert_allclose(optimizer.state["square"], 0.001, rtol=1e-12)
    optimizer.network.gradients[...] = -3
    optimizer.step()
    np.testing.assert_allclose(optimizer.state["mean"], 0.5 * 0.5 - 0.5 * 3, rtol=1e-15)
    np.testing.assert_allclose(optimizer.state["square"], 0.999 * 0.001 + 0.001 * 9, rtol=1e-12)


@betas_of_all_kinds
@pytest.mark.parametrize("eps", [1e-8, 0.1])
def test_the_page_is_algorithm_1(betas, eps):
    """Kingma & Ba 2015, algorithm 1, line by line, for forty steps of changing rates."""
    alpha, (beta1, beta2) = 0.01, betas
    optimizer = adam(7, "reference", lr=alpha, betas=betas, eps=eps)
    assert not optimizer.network.backend.forms
    theta, m, v = optimizer.network.parameters.copy(), 0, 0
    for t, g in enumerate(gradients(40, 7), start=1):
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        m_hat, v_hat = m / (1 - beta1**t), v / (1 - beta2**t)
        theta = theta - alpha / t * m_hat / (np.sqrt(v_hat) + eps)
        optimizer.network.gradients[...] = g
        optimizer.step(1 / t)
    np.testing.assert_allclose(optimizer.network.parameters, theta, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(optimizer.state["mean"], m, rtol=1e-12)
    np.testing.assert_allclose(optimizer.state["square"], v, rtol=1e-12)


@betas_of_all_kinds
@pytest.mark.parametrize("size", [1, 1000, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK, 3 * BLOCK + 5])
def test_the_form_is_the_page(size, betas):
    page, form = (adam(size, backend, lr=0.01, betas=betas) for backend in ("reference", "numpy"))
    assert form._update.func.__name__ == "adam_update"
    for g in gradients(12, size):
        for optimizer in (page, form):
            optimizer.network.gradients[...] = g
            optimizer.step()
    weights = (optimizer.network.parameters for optimizer in (form, page))
    np.testing.assert_allclose(*weights, rtol=1e-12, atol=1e-14)
    for name, vector in page.state.items():
        np.testing.assert_allclose(form.state[name], vector, rtol=1e-12, err_msg=name)


@pytest.mark.parametrize("betas", BETAS[:3], ids=str)
def test_the_form_is_the_page_in_float32(betas):
    page, form = (
        adam(BLOCK + 9, backend, "float32", lr=0.01, betas=betas)
        for backend in ("reference", "numpy")
    )
    for g in gradients(200, BLOCK + 9, "float32"):
        for optimizer in (page, form):
            optimizer.network.gradients[...] = g
            optimizer.step()
    moved = abs(page.network.parameters).max()
    difference = abs(form.network.parameters - page.network.parameters).max()
    assert difference < 200 * np.finfo("float32").eps * moved
    assert form.network.parameters.dtype == page.network.parameters.dtype == np.float32
