"""Batch normalization, faster: sums as products, and factors gathered per feature. 10 % of W3."""

import numpy as np

from minigan.backend.numpy.convolution import sum_rows

__all__ = ["BATCH_NORM"]

#: Rows that are added up in float32: of millions, the sum would lose its digits.
PART = 1 << 14


def batch_norm_forward(layer, x, train):
    """In training: μ, σ², then x̂ and y in place of fresh arrays."""
    if not train:
        return type(layer).forward(layer, x, train)
    total, rows = layer.backend.batch_total, x.reshape(-1, x.shape[-1])
    count = total(len(rows))
    mean = (total(sums(rows)) / count).astype(x.dtype)
    normalized = rows - mean
    for _ in range(3):  # a constant feature takes all three, where products round after each term
        both = np.stack([sums(normalized, normalized), sums(normalized)])
        var, rest = total(both) / count  # and what rounding has left of the mean
        if not (abs(rest) > 1e-6 * np.sqrt(var + layer.eps)).any():
            break
        rest = rest.astype(x.dtype)
        normalized -= rest
        mean = mean + rest
    var = var.astype(x.dtype)
    layer.remember(mean, var, count)
    sigma = np.sqrt(var + layer.eps)
    normalized *= 1 / sigma
    y = normalized * layer.gamma
    y += layer.beta
    return y.reshape(x.shape), (normalized.reshape(x.shape), sigma, True)


def sums(rows, others=None):
    """Σ a, or Σ a·b, over the rows of a and b (M, C): (C,) float64, of parts in their own dtype."""
    total = 0.0
    for start in range(0, len(rows), PART):
        part = rows[start : start + PART]
        if others is None:
            found = sum_rows(part)
        else:
            found = np.einsum("mc,mc->c", part, others[start : start + PART])
        total = total + found.astype("float64")
    return total


def batch_norm_sums(dy, normalized):
    """Σ dy and Σ dy·x̂ over all axes but the last, which dx, dγ and dβ all need."""
    rows, others = (a.reshape(-1, a.shape[-1]) for a in (dy, normalized))
    return sums(rows).astype(dy.dtype), sums(rows, others).astype(dy.dtype)


def batch_norm_dx(layer, dy, cache, sum_dy, sum_product):
    """γ/σ · (dy − mean(dy) − x̂ · mean(dy·x̂)), the sums given."""
    normalized, sigma, _ = cache
    total = layer.backend.batch_total
    count = total(dy.size // dy.shape[-1])
    mean_dy, mean_product = total(np.stack([sum_dy, sum_product])) / count
    dx = normalized * -mean_product
    dx += dy
    dx -= mean_dy
    dx *= layer.gamma / sigma
    return dx


def batch_norm_backward(layer, dy, cache):
    if not cache[-1]:
        return type(layer).backward(layer, dy, cache)
    return batch_norm_dx(layer, dy, cache, *batch_norm_sums(dy, cache[0]))


def batch_norm_add_gradients(layer, dy, cache):
    sum_dy, sum_product = batch_norm_sums(dy, cache[0])
    layer.dbeta += sum_dy
    layer.dgamma += sum_product


def batch_norm_backpropagate(layer, dy, cache):
    """Both at once: the sums are taken once."""
    sum_dy, sum_product = batch_norm_sums(dy, cache[0])
    layer.dbeta += sum_dy
    layer.dgamma += sum_product
    if not cache[-1]:
        return type(layer).backward(layer, dy, cache)
    return batch_norm_dx(layer, dy, cache, sum_dy, sum_product)


BATCH_NORM = {
    "forward": batch_norm_forward,
    "backward": batch_norm_backward,
    "add_gradients": batch_norm_add_gradients,
    "backpropagate": batch_norm_backpropagate,
}
