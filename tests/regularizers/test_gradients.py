"""The penalties' gradients against central differences of their values."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from minigan import (
    DRAGAN,
    R1,
    R2,
    WGANGP,
    Conv2d,
    ConvTranspose2d,
    Dense,
    Flatten,
    LayerNorm,
    OneSidedPenalty,
    Pack,
    SpectralNorm,
    Tanh,
    compare_gradients,
    gradcheck,
)


def check_along_directions(penalty, network, real, fake):
    """All parameters moved at once, along each of two random directions."""
    rng, w = np.random.default_rng(5), network.parameters
    start, directions = w.copy(), rng.normal(size=(2, w.size))
    network.zero_gradients()
    penalty.penalize(network, real, fake, np.random.default_rng(6))
    slopes, moved = directions @ network.gradients, np.zeros(2)

    def value():
        w[...] = start + moved @ directions
        return penalty.penalize(network, real, fake, np.random.default_rng(6))

    report = compare_gradients(value, {"moved": moved}, {"moved": slopes})
    assert report.passed and report.relative_error < 1e-6, str(report)
    assert report.rows[0].checked == 2 and slopes.all()  # a penalty of zero would prove nothing


def test_gradient(kind, activation, penalty, critic, batches):
    network = critic(*kind(activation))
    check_along_directions(penalty(3.0), network, *batches(network.input_shape))


@st.composite
def random_critic(draw, activation):
    """Layers of random sizes: two affine ones, LayerNorm or not, and smooth or kinked between."""
    kind, sizes = draw(st.sampled_from(["dense", "convolutional", "transposed"])), st.integers(1, 4)
    a, b, c = draw(sizes), draw(st.integers(2, 4)), draw(sizes)
    norm = [LayerNorm(b, eps=0.1)] * draw(st.integers(0, 1))
    if kind == "dense":
        return [Dense(a, b), *norm, activation(), Dense(b, c), activation()], (a,)
    size = draw(st.tuples(st.integers(2, 4), st.integers(2, 4)))
    kernel, stride = draw(st.tuples(st.integers(1, 2), st.integers(1, 2))), draw(st.integers(1, 2))
    make = Conv2d if kind == "convolutional" else ConvTranspose2d
    first = make(a, b, kernel, stride, bias=draw(st.booleans()))
    return [first, *norm, activation(), Flatten()], (*size, a)


@settings(max_examples=6)
@given(data=st.data())
def test_gradient_for_random_critics(activation, critic, batches, data):
    layers, shape = data.draw(random_critic(activation))
    network = critic(layers, shape, data.draw(st.integers(0, 99)))
    penalty = data.draw(st.sampled_from([WGANGP, OneSidedPenalty, DRAGAN, R1, R2]))(5.0)
    x = batches(shape, data.draw(st.integers(1, 5)), seed=data.draw(st.integers(0, 99)))
    report = gradcheck(penalty, network, *x, max_entries=3)
    assert report.passed and report.relative_error < 1e-6, str(report)


def test_gradient_of_packed_samples(penalty, randomized, batches):
    network = randomized([Pack(2), Dense(4, 5), Tanh(), Dense(5, 1)], (2,))
    network.layers[-1].weight *= 4  # slopes above 1
    report = gradcheck(penalty(3.0), network, *batches((2,)), max_entries=4)
    assert report.passed and report.relative_error < 1e-6, str(report)


def test_gradient_through_spectral_norm(randomized, batches):
    """With converged vectors: before that, σ's gradient leaves out their movement."""
    layers = [SpectralNorm(Dense(3, 6)), Tanh(), SpectralNorm(Dense(6, 1))]
    network = randomized(layers, (3,))
    for _ in range(300):
        network.forward(np.ones((2, 3)))
    report = gradcheck(WGANGP(3.0), network, *batches((3,)))
    assert report.passed, str(report)


def test_in_a_game(penalty, game, batches):
    """The discriminator's loss holds the penalty, and its gradients are those of the loss."""
    layers = [Dense(3, 5), LayerNorm(5), Tanh(), Dense(5, 4), Tanh(), Dense(4, 1)]
    made = game(layers, (3,), penalty(3.0), "wasserstein")
    report = gradcheck(made, batches((3,))[0], max_entries=3)
    assert report.passed and report.relative_error < 1e-6, str(report)
