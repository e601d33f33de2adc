"""The layers that PyTorch has, too: the same values, gradients and second derivatives.

Skipped where PyTorch is not installed. Its images are (N, C, H, W).
"""

import numpy as np
import pytest

from minigan import (
    AvgPool2d,
    BatchNorm,
    Block,
    Conv2d,
    Dense,
    GlobalSumPool,
    InstanceNorm,
    LayerNorm,
    Residual,
    SelfAttention,
    Tanh,
    Upsample,
)

torch = pytest.importorskip("torch")
nn = torch.nn.functional
RNG = np.random.default_rng


def with_affine(y, gamma, beta):
    return y * gamma[:, None, None] + beta[:, None, None]


def attention(x, weight, output, gamma):
    q, k, v = (x.flatten(2).transpose(1, 2) @ weight).chunk(3, dim=-1)
    # PyTorch's own, without its scaling by 1 / √D
    p = nn.scaled_dot_product_attention(q, k, v, scale=1.0)
    return x + gamma * (p @ output).transpose(1, 2).reshape(x.shape)


def kernel(weight):
    return weight.permute(3, 2, 0, 1)


def residual(x, w0, b0, w1, b1, w2, b2):
    path = nn.conv2d(nn.conv2d(x, kernel(w0), b0, padding=1).tanh(), kernel(w1), b1, padding=1)
    return path + nn.conv2d(x, kernel(w2), b2)


CASES = {
    "Upsample": (lambda: Upsample(3), lambda x: torch.nn.Upsample(scale_factor=3)(x)),
    "AvgPool2d": (lambda: AvgPool2d(2), lambda x: torch.nn.AvgPool2d(2)(x)),
    "GlobalSumPool": (GlobalSumPool, lambda x: x.sum(dim=(2, 3))),
    "BatchNorm": (
        lambda: BatchNorm(8),
        lambda x, g, b: nn.batch_norm(x, None, None, g, b, training=True),
    ),
    "BatchNorm, not affine": (
        lambda: BatchNorm(8, affine=False),
        lambda x: torch.nn.BatchNorm2d(8, affine=False, dtype=torch.float64)(x),
    ),
    "LayerNorm": (
        lambda: LayerNorm(8),
        lambda x, g, b: with_affine(nn.layer_norm(x, x.shape[1:]), g, b),
    ),
    "InstanceNorm": (
        lambda: InstanceNorm(8),
        lambda x, g, b: nn.instance_norm(x, weight=g, bias=b),
    ),
    "InstanceNorm, not affine": (
        lambda: InstanceNorm(8, affine=False),
        lambda x: torch.nn.InstanceNorm2d(8)(x),
    ),
    "SelfAttention": (lambda: SelfAttention(8), attention),
    "Residual": (
        lambda: Residual([Conv2d(8, 3, 3, 1, 1), Tanh(), Conv2d(3, 4, 3, 1, 1)], [Conv2d(8, 4, 1)]),
        residual,
    ),
    "Block": (
        lambda: Block([Tanh(), GlobalSumPool(), Dense(8, 2), Tanh()]),
        lambda x, w, b: (x.tanh().sum(dim=(2, 3)) @ w + b).tanh(),
    ),
}


def channels_last(x):
    return x.detach().numpy().transpose(0, *range(2, x.ndim), 1)


def channels_first(x):
    return torch.tensor(x.transpose(0, x.ndim - 1, *range(1, x.ndim - 1)))


@pytest.mark.parametrize("name", CASES)
def test_as_in_pytorch(name, randomized):
    """y; dx and the parameters' gradients; for u, the gradients of ⟨u, dx⟩."""
    make, theirs = CASES[name]
    network = randomized([make()], (4, 6, 8))
    rng = RNG(1)
    x = rng.normal(size=(3, 4, 6, 8))
    y, caches = network.forward(x)
    dy, u = rng.normal(size=y.shape), rng.normal(size=x.shape)
    parameters = [torch.tensor(w, requires_grad=True) for w in network.named_parameters().values()]
    x_there = channels_first(x).requires_grad_()
    dy_there = channels_first(dy).requires_grad_()
    y_there = theirs(x_there, *parameters)
    np.testing.assert_allclose(y, channels_last(y_there), rtol=1e-9, atol=1e-11)
    inputs = [x_there, *parameters]
    dx_there, *gradients = torch.autograd.grad(y_there, inputs, dy_there, create_graph=True)
    dx, trace = network.backward_trace(dy, caches)
    network.set_gradients(dy, caches)
    np.testing.assert_allclose(dx, channels_last(dx_there), rtol=1e-9, atol=1e-11)
    for ours, other in zip(network.named_gradients().values(), gradients, strict=True):
        np.testing.assert_allclose(ours, other.detach().numpy(), rtol=1e-9, atol=1e-11)
    if "BatchNorm" in name:
        return
    phi = (dx_there * channels_first(u)).sum()
    wanted = [dy_there, x_there, *parameters]
    u_dy_there, u_x_there, *seconds = torch.autograd.grad(phi, wanted, allow_unused=True)
    network.zero_gradients()
    u_dy, u_x = network[0].step.double_backward(u, trace[0], caches[0])
    np.testing.assert_allclose(u_dy, channels_last(u_dy_there), rtol=1e-9, atol=1e-11)
    if u_x is not None:
        np.testing.assert_allclose(u_x, channels_last(u_x_there), rtol=1e-9, atol=1e-11)
    else:
        assert u_x_there is None or not u_x_there.any()
    for ours, other in zip(network.named_gradients().values(), seconds, strict=True):
        other = 0 if other is None else other.numpy()
        np.testing.assert_allclose(ours, other, rtol=1e-9, atol=1e-11)
