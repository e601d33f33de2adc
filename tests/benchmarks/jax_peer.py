"""The workloads on JAX (CPU): one compiled function makes the whole step, in place of its state.

Flags: ten (ten steps per call, by `lax.scan`), one (one core: XLA takes a thread per core).

A transposed convolution is written as a product and the sum of its overlapping blocks, with its
backward pass given: XLA's own weight gradient of `lax.conv_transpose` takes four times as long.
"""

import os

import jax
import jax.numpy as jnp
import minigan_peer
import numpy as np
from jax import lax
from jax.nn import softplus

TEN = 10
NUMBERS = "NHWC", "HWIO", "NHWC"


def stepper(workload, batches, flags=()):
    """step(i): one step, or with the flag ten those from i on; it waits for the result."""
    if "one" in flags:
        os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])
    one_step, state = build(workload, batches, np.float32)
    batches = [tuple(map(jnp.asarray, batch)) for batch in batches]
    if "ten" not in flags:
        run, inputs = jax.jit(one_step, donate_argnums=0), batches
    else:
        stacked = jax.tree.map(lambda *arrays: jnp.stack(arrays), *batches)
        chosen = np.arange(TEN) % len(batches)
        inputs = [jax.tree.map(lambda a: a[chosen], stacked)]
        run = jax.jit(lambda state, many: lax.scan(one_step, state, many), donate_argnums=0)

    def step(i):
        nonlocal state
        state, losses = run(state, inputs[i % len(inputs)])
        jax.block_until_ready((state, losses))

    return step


def build(workload, batches, dtype):
    """(state, batch) -> (state, losses), and the first state, with the weights of minigan's."""

    def player(network, specs):
        weights = [{} for _ in specs]
        for name, value in network.named_parameters().items():
            i, kind = name.split(".")
            weights[int(i)][kind] = jnp.array(value, dtype)
        zeros = jax.tree.map(jnp.zeros_like, weights)
        running = [
            {"mean": np.zeros(s[1], dtype), "var": np.ones(s[1], dtype)} if s[0] == "bn" else {}
            for s in specs
        ]
        return weights, zeros, jax.tree.map(lambda z: z.copy(), zeros), running

    count = jnp.zeros((), dtype)
    if workload.penalty:
        critic = minigan_peer.critic(workload, np.dtype(dtype).name)
        return critic_step(workload), (player(critic, workload.discriminator), count)
    game = minigan_peer.build(workload, batches, np.dtype(dtype).name)
    generator = player(game.generator, workload.generator)
    discriminator = player(game.discriminator, workload.discriminator)
    return gan_step(workload), (generator, discriminator, count)


# Steps -------------------------------------------------------------------------------------------


def gan_step(workload):
    G, D = workload.generator, workload.discriminator
    together = all(spec[0] != "bn" for spec in D)  # real and fake, where no layer makes them meet

    def discriminator_loss(w, running, real, fake):
        if together:
            logits, running = forward(D, w, running, jnp.concatenate([real, fake]))
            real_logits, fake_logits = jnp.split(logits, 2)
        else:
            real_logits, running = forward(D, w, running, real)
            fake_logits, running = forward(D, w, running, fake)
        return softplus(-real_logits).mean() + softplus(fake_logits).mean(), running

    def generator_loss(w, running, w_d, running_d, z):
        fake, running = forward(G, w, running, z)
        logits, running_d = forward(D, w_d, running_d, fake)
        return softplus(-logits).mean(), (running, running_d)

    def step(state, batch):
        (w_g, m_g, v_g, running_g), (w_d, m_d, v_d, running_d), t = state
        real, z_d, z_g = batch
        fake, running_g = forward(G, w_g, running_g, z_d)
        with_gradient = jax.value_and_grad(discriminator_loss, has_aux=True)
        (loss_d, running_d), g = with_gradient(w_d, running_d, real, fake)
        w_d, m_d, v_d = adam(w_d, g, m_d, v_d, t + 1)
        with_gradient = jax.value_and_grad(generator_loss, has_aux=True)
        (loss_g, (running_g, running_d)), g = with_gradient(w_g, running_g, w_d, running_d, z_g)
        w_g, m_g, v_g = adam(w_g, g, m_g, v_g, t + 1)
        state = (w_g, m_g, v_g, running_g), (w_d, m_d, v_d, running_d), t + 1
        return state, (loss_d, loss_g)

    return step


def critic_step(workload):
    def D(w, x):
        return forward(workload.discriminator, w, [{}] * len(w), x)[0]

    def loss(w, x, fake, weights):
        real_logits, fake_logits = jnp.split(D(w, jnp.concatenate([x, fake])), 2)
        slopes = jax.grad(lambda points: D(w, points).sum())(fake + weights * (x - fake))
        norms = jnp.sqrt((slopes.reshape(len(x), -1) ** 2).sum(1))
        return fake_logits.mean() - real_logits.mean() + 10 * ((norms - 1) ** 2).mean()

    def step(state, batch):
        (w, m, v, running), t = state
        value, g = jax.value_and_grad(loss)(w, *batch)
        return ((*adam(w, g, m, v, t + 1), running), t + 1), (value,)

    return step


def adam(w, g, m, v, t):
    lr, (b1, b2) = minigan_peer.RATES["lr"], minigan_peer.RATES["betas"]
    m = jax.tree.map(lambda m, g: b1 * m + (1 - b1) * g, m, g)
    v = jax.tree.map(lambda v, g: b2 * v + (1 - b2) * g * g, v, g)
    size = lr / (1 - b1**t)
    w = jax.tree.map(lambda w, m, v: w - size * m / (jnp.sqrt(v / (1 - b2**t)) + 1e-8), w, m, v)
    return w, m, v


# Networks ----------------------------------------------------------------------------------------


def forward(specs, weights, running, x):
    """A network's output in training, and its running statistics from then on."""
    after = []
    for (kind, *sizes), w, statistics in zip(specs, weights, running, strict=True):
        if kind == "dense":
            x = x @ w["weight"]
        elif kind == "conv":
            x = convolution(x, w["weight"])
        elif kind == "convt":
            x = transposed_convolution(x, w["weight"])
        elif kind == "bn":
            axes, m = tuple(range(x.ndim - 1)), x.size // x.shape[-1]
            mean, square = x.mean(axes), (x * x).mean(axes)
            var = jnp.maximum(square - mean * mean, 0)
            x = (x - mean) * (lax.rsqrt(var + 1e-5) * w["gamma"]) + w["beta"]
            mean, var = lax.stop_gradient((mean, var * (m / (m - 1))))
            statistics = {
                "mean": 0.9 * statistics["mean"] + 0.1 * mean,
                "var": 0.9 * statistics["var"] + 0.1 * var,
            }
        elif kind in ("reshape", "flatten"):
            x = x.reshape(len(x), *(sizes if kind == "reshape" else (-1,)))
        else:
            x = {
                "relu": lambda x: jnp.maximum(x, 0),
                "leaky": lambda x: jnp.where(x > 0, x, 0.2 * x),
                "tanh": jnp.tanh,
            }[kind](x)
        x = x + w["bias"] if "bias" in w else x
        after.append(statistics)
    return x, after


def lax_convolution(x, w):
    return lax.conv_general_dilated(x, w, (2, 2), ((1, 1), (1, 1)), dimension_numbers=NUMBERS)


@jax.custom_vjp
def convolution(x, w):
    """4 × 4, stride 2, padding 1; w (4, 4, in, out)."""
    return lax_convolution(x, w)


@jax.custom_vjp
def transposed_convolution(x, w):
    """The adjoint of `convolution`, w (4, 4, out, in): a product, and sums of 2 × 2 blocks."""
    n, height, width, channels = x.shape
    blocks = w.reshape(2, 2, 2, 2, -1, channels).transpose(0, 2, 1, 3, 4, 5)
    parts = (x.reshape(-1, channels) @ blocks.reshape(-1, channels).T).reshape(
        n, height, width, 2, 2, -1
    )
    total = sum(
        jnp.pad(parts[:, :, :, i, j], ((0, 0), (i, 1 - i), (j, 1 - j), (0, 0)))
        for i in (0, 1)
        for j in (0, 1)
    )
    total = total.reshape(n, height + 1, width + 1, 2, 2, -1).transpose(0, 1, 3, 2, 4, 5)
    return total.reshape(n, 2 * height + 2, 2 * width + 2, -1)[:, 1:-1, 1:-1]


def weight_gradient(x, w, dy):
    return jax.vjp(lambda w: lax_convolution(x, w), w)[1](dy)[0]


convolution.defvjp(
    lambda x, w: (convolution(x, w), (x, w)),
    lambda cache, dy: (
        transposed_convolution(dy, cache[1]),
        weight_gradient(*cache, dy),
    ),
)
transposed_convolution.defvjp(
    lambda x, w: (transposed_convolution(x, w), (x, w)),
    lambda cache, dy: (convolution(dy, cache[1]), weight_gradient(dy, cache[1], cache[0])),
)
