"""The workloads on PyTorch, as people write them ("eager"), and with its known speed-ups.

Flags: freeze (no gradients for D in G's step), fused (fused Adam), cat (real and fake as one
batch, where D has no batch norm), channels_last, one (one thread).
"""

import minigan_peer
import torch
from torch import nn
from torch.nn import functional


class Reshape(nn.Module):
    def __init__(self, h, w, c):
        super().__init__()
        self.shape = c, h, w

    def forward(self, x):
        return x.view(x.shape[0], *self.shape)


def layer(spec):
    kind, *sizes = spec
    builders = {
        "dense": lambda a, b, bias: nn.Linear(a, b, bias=bias),
        "conv": lambda a, b, bias: nn.Conv2d(a, b, 4, 2, 1, bias=bias),
        "convt": lambda a, b, bias: nn.ConvTranspose2d(a, b, 4, 2, 1, bias=bias),
        "bn": nn.BatchNorm2d,
        "reshape": Reshape,
        "flatten": lambda _: nn.Flatten(),
        "relu": nn.ReLU,
        "leaky": lambda: nn.LeakyReLU(0.2),
        "tanh": nn.Tanh,
    }
    return builders[kind](*sizes)


def from_minigan(module, weight, spec, before, after):
    """A minigan weight in PyTorch's layout: channels first, so flattened images are permuted."""
    kind = spec[0]
    w = torch.from_numpy(weight.copy())
    if kind in ("conv", "convt"):  # (Kh, Kw, in, out) as the convolution sees it
        return w.permute(3, 2, 0, 1)
    if kind != "dense":
        return w
    if after and after[0] == "reshape":
        h, width, c = after[1:]
        return w.reshape(-1, h, width, c).permute(3, 1, 2, 0).reshape(-1, w.shape[0])
    if before and before[0] == "flatten":
        c = 128
        return w.reshape(-1, c, w.shape[1]).permute(2, 1, 0).reshape(w.shape[1], -1)
    return w.T


def build_player(specs, network, dtype):
    """A module with the weights of a minigan network; also the map of its named parameters."""
    modules = [layer(spec) for spec in specs]
    names = {"weight": "weight", "bias": "bias", "gamma": "weight", "beta": "bias"}
    pairs = {}
    for name, value in network.named_parameters().items():
        i, kind = name.split(".")
        i = int(i)
        before = specs[i - 1] if i else None
        after = specs[i + 1] if i + 1 < len(specs) else None
        parameter = getattr(modules[i], names[kind])
        convert = (
            (lambda w, m=modules[i], s=specs[i], b=before, a=after: from_minigan(m, w, s, b, a))
            if kind == "weight"
            else (lambda w: torch.from_numpy(w.copy()))
        )
        parameter.data = convert(value).contiguous()
        pairs[name] = parameter, convert
    return nn.Sequential(*modules).to(dtype), pairs


def build(workload, batches, flags, dtype=torch.float32):
    """Both players and their batches, converted, with the weights of the minigan peer."""
    game = minigan_peer.build(workload, batches, str(dtype).split(".")[1])
    G, pairs_g = build_player(workload.generator, game.generator, dtype)
    D, pairs_d = build_player(workload.discriminator, game.discriminator, dtype)
    layout = torch.channels_last if "channels_last" in flags else torch.contiguous_format
    images = len(workload.sample) == 3
    if images:
        G, D = G.to(memory_format=layout), D.to(memory_format=layout)

    batches = [[channels_first(x, dtype, layout) for x in batch] for batch in batches]
    return G, D, batches, pairs_g, pairs_d, game


def channels_first(x, dtype, layout=torch.contiguous_format):
    x = torch.from_numpy(x).to(dtype)
    return x.permute(0, 3, 1, 2).contiguous(memory_format=layout) if x.ndim == 4 else x


def losses(G, D, batch, flags):
    """The two losses, as functions to be called in turn."""
    bce = functional.binary_cross_entropy_with_logits
    one, zero = torch.ones(batch, 1), torch.zeros(batch, 1)
    both = torch.cat([one, zero])

    def discriminator(real, z):
        with torch.no_grad():
            fake = G(z)
        if "cat" in flags:
            return 2 * bce(D(torch.cat([real, fake])), both)
        return bce(D(real), one) + bce(D(fake), zero)

    return discriminator, lambda z: bce(D(G(z)), one)


def critic_loss(D, x, fake, weights, flags):
    """The loss of a WGAN-GP critic; `autograd` differentiates through the gradient."""
    if "cat" in flags:
        logits = D(torch.cat([x, fake]))
        distance = logits[len(x) :].mean() - logits[: len(x)].mean()
    else:
        distance = D(fake).mean() - D(x).mean()
    points = (fake + weights * (x - fake)).requires_grad_(True)
    (gradient,) = torch.autograd.grad(D(points).sum(), points, create_graph=True)
    norms = gradient.flatten(1).norm(2, dim=1)
    return distance + 10 * ((norms - 1) ** 2).mean()


def critic_stepper(workload, batches, flags):
    network = minigan_peer.critic(workload)
    D, _ = build_player(workload.discriminator, network, torch.float32)
    layout = torch.channels_last if "channels_last" in flags else torch.contiguous_format
    if len(workload.sample) == 3:
        D = D.to(memory_format=layout)
    batches = [[channels_first(a, torch.float32, layout) for a in batch] for batch in batches]
    fused = {"fused": True} if "fused" in flags else {}
    optimizer = torch.optim.Adam(D.parameters(), **minigan_peer.RATES, **fused)

    def step(i):
        optimizer.zero_grad(set_to_none=True)
        critic_loss(D, *batches[i % len(batches)], flags).backward()
        optimizer.step()

    return step


def stepper(workload, batches, flags=()):
    torch.set_num_threads(1 if "one" in flags else 2)
    if workload.penalty:
        return critic_stepper(workload, batches, flags)
    G, D, batches, *_ = build(workload, batches, flags)
    kwargs = dict(minigan_peer.RATES, **({"fused": True} if "fused" in flags else {}))
    optimizer_g = torch.optim.Adam(G.parameters(), **kwargs)
    optimizer_d = torch.optim.Adam(D.parameters(), **kwargs)
    discriminator_loss, generator_loss = losses(G, D, workload.batch, flags)

    def step(i):
        real, z_d, z_g = batches[i % len(batches)]
        optimizer_d.zero_grad(set_to_none=True)
        discriminator_loss(real, z_d).backward()
        optimizer_d.step()
        if "freeze" in flags:
            D.requires_grad_(False)
        optimizer_g.zero_grad(set_to_none=True)
        generator_loss(z_g).backward()
        optimizer_g.step()
        if "freeze" in flags:
            D.requires_grad_(True)

    return step
