"""The faster forms of this backend: what runs in the place of a page, and what it saves.

A form takes the part (a layer, an optimizer) where a method takes `self`, and gives the same
numbers up to rounding. It is here because it saves 3 % or more of a training step on one of the
workloads of `tests/benchmarks`; the comment above it says how much. Tests find every form in
`FORMS` and compare it with its page.
"""

import numpy as np

from minigan.backend.numpy.convolution import CONVOLUTION, TRANSPOSED_CONVOLUTION
from minigan.backend.numpy.normalization import BATCH_NORM

__all__ = ["FORMS"]


# Sums of rows as products: 4 % of W1.
def dense_add_gradients(layer, dy, x):
    """dW += xᵀ dy;  db += 1ᵀ dy."""
    dweight = layer.dweight
    dweight += x.T.dot(dy)
    if layer.has_bias:
        dbias = layer.dbias
        dbias += np.ones(len(dy), dy.dtype).dot(dy)


# Products written where they would be added to zeros: 8 % of W2.
def set_gradients(network, dy, caches):
    """Set the gradients of all parameters, layer by layer on the way back."""
    if dy.shape != (caches.count, *network.output_shape) or dy.dtype != network.dtype:
        network.add_gradients(dy, caches)  # which refuses it
    first = network.steps[0]
    layers = zip(network.layers, network.steps, network.layer_gradients, caches, strict=True)
    for layer, step, gradients, cache in reversed(list(layers)):
        if getattr(step.add_gradients, "func", None) is dense_add_gradients:
            np.dot(cache.T, dy, out=layer.dweight)
            if layer.has_bias:
                np.dot(np.ones(len(dy), dy.dtype), dy, out=layer.dbias)
            dy = None if step is first else step.backward(dy, cache)
            continue
        for gradient in gradients:
            gradient.fill(0)
        dy = step.add_gradients(dy, cache) if step is first else step.backpropagate(dy, cache)


# --- Activations in vectorized operations, which a maximum with a single number is not: 9 % of W1,
# 6 % of its wide networks, 10 % of W4 ------------------------------------------------------------


def relu_forward(layer, x, train):
    y = x.clip(0, np.inf)
    return y, y


def leaky_relu_backward(layer, dy, y):
    """dy · f', with f' = s + (1 − s) · (1 where y > 0, else 0)."""
    dx = (y > 0).astype(dy.dtype)
    dx *= 1 - layer.negative_slope
    dx += layer.negative_slope
    dx *= dy
    return dx


def leaky_relu_double_backward(layer, u, dy, y):
    return leaky_relu_backward(layer, u, y), None


# --- Adam in blocks that stay in the cache: half of W2 --------------------------------------------

#: Elements of a block: its five arrays then fit the L2 cache together.
BLOCK = 1 << 16


def adam_update(optimizer, w, g, lr):
    """As the page, with the corrections of m̂ and v̂ in two numbers:

    m̂ / (√v̂ + eps) = c m / (√v + e),   e = eps √k,  c = √k / (1 − β₁ᵗ),  k = 1 − β₂ᵗ
    """
    beta1, beta2, t = optimizer.beta1, optimizer.beta2, optimizer.steps
    root = (1 - beta2**t) ** 0.5
    scale, eps = lr * root / (1 - beta1**t), optimizer.eps * root
    vectors = w, g, optimizer.state["mean"], optimizer.state["square"]
    scratch = np.empty(min(BLOCK, w.size), w.dtype)
    for start in range(0, vectors[0].size, BLOCK):
        w, g, m, v = (vector[start : start + BLOCK] for vector in vectors)
        step = scratch[: w.size]
        if beta1 == 0.5:  # the GAN default, and one pass less
            np.add(m, g, out=m)
            np.multiply(m, 0.5, out=m)
        else:
            np.multiply(g, 1 - beta1, out=step)
            np.multiply(m, beta1, out=m)
            np.add(m, step, out=m)
        np.multiply(g, (1 - beta2) ** 0.5, out=step)
        np.multiply(step, step, out=step)
        np.multiply(v, beta2, out=v)
        np.add(v, step, out=v)
        np.sqrt(v, out=step)
        np.add(step, eps, out=step)
        np.divide(m, step, out=step)
        np.multiply(step, scale, out=step)
        np.subtract(w, step, out=w)


#: class -> method -> form
FORMS = {
    "minigan.layers.sequential.Sequential": {"set_gradients": set_gradients},
    "minigan.layers.dense.Dense": {"add_gradients": dense_add_gradients},
    "minigan.layers.convolution.Conv2d": CONVOLUTION,
    "minigan.layers.convolution.ConvTranspose2d": TRANSPOSED_CONVOLUTION,
    "minigan.layers.normalization.BatchNorm": BATCH_NORM,
    "minigan.layers.activations.ReLU": {"forward": relu_forward},
    "minigan.layers.activations.LeakyReLU": {
        "backward": leaky_relu_backward,
        "double_backward": leaky_relu_double_backward,
    },
    "minigan.optimizers.Adam": {"update": adam_update},
}
