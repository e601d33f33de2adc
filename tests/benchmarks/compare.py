"""Do the peers do the same work? Gradients of minigan against PyTorch's and JAX's, in float64."""

import importlib.util

import minigan_peer
import numpy as np
import torch
import torch_peer
from workloads import WORKLOADS, batches


def largest_difference(workload):
    """The largest relative difference over all gradients of both players' steps."""
    data = batches(workload, 1)
    if workload.penalty:
        return _critic_difference(workload, data)
    G, D, converted, pairs_g, pairs_d, game = torch_peer.build(workload, data, (), torch.float64)
    torch.set_default_dtype(torch.float64)
    discriminator_loss, generator_loss = torch_peer.losses(G, D, workload.batch, ())
    real, z_d, z_g = converted[0]
    x, noise_d, noise_g = (a.astype(np.float64) for a in data[0])
    worst = 0.0
    discriminator_loss(real, z_d).backward()
    game.discriminator_gradients(x, noise_d)
    worst = max(worst, _difference(game.discriminator, pairs_d))
    G.zero_grad()
    generator_loss(z_g).backward()
    game.generator_gradients(x, noise_g)
    return max(worst, _difference(game.generator, pairs_g))


def _critic_difference(workload, data):
    network = minigan_peer.critic(workload, "float64")
    D, pairs = torch_peer.build_player(workload.discriminator, network, torch.float64)
    torch_batch = [torch_peer.channels_first(a, torch.float64) for a in data[0]]
    torch_peer.critic_loss(D, *torch_batch, ()).backward()
    x, fake, _ = (a.astype(np.float64) for a in data[0])
    minigan_peer.critic_gradients(network, x, fake, minigan_peer.FixedWeights(data))
    return _difference(network, pairs)


def _difference(network, pairs):
    worst = 0.0
    for name, gradient in network.named_gradients().items():
        parameter, convert = pairs[name]
        theirs, mine = parameter.grad, convert(gradient)
        if theirs is None:  # the penalty does not know the last bias
            theirs = torch.zeros_like(mine)
        worst = max(worst, ((mine - theirs).abs().max() / theirs.abs().max()).item())
    return worst


def jax_difference(workload):
    """The same of JAX's, after a whole step, when Adam's mean is (1 − β₁) g."""
    import jax
    import jax_peer

    jax.config.update("jax_enable_x64", True)
    data = batches(workload, 1)
    batch = [a.astype(np.float64) for a in data[0]]
    step, state = jax_peer.build(workload, data, np.float64)
    state, _ = jax.jit(step)(state, tuple(batch))
    beta1 = minigan_peer.RATES["betas"][0]
    players = [player for player in state if isinstance(player, tuple)]
    if workload.penalty:
        networks = [minigan_peer.critic(workload, "float64")]
        weights = minigan_peer.FixedWeights([batch])
        minigan_peer.critic_gradients(networks[0], *batch[:2], weights)
    else:
        game = minigan_peer.build(workload, [batch], "float64")
        game.discriminator_step(batch[0])
        game.generator_step(batch[0])
        networks = [game.generator, game.discriminator]
    worst = 0.0
    for network, (_, means, *_) in zip(networks, players, strict=True):
        for name, mine in network.named_gradients().items():
            i, kind = name.split(".")
            theirs = np.asarray(means[int(i)][kind]) / (1 - beta1)
            largest = np.abs(theirs).max()  # 0 for the last bias of a critic
            worst = max(worst, np.abs(mine - theirs).max() / (largest or 1))
    return worst


if __name__ == "__main__":
    differences = {"PyTorch": largest_difference}
    if importlib.util.find_spec("jax"):
        differences["JAX"] = jax_difference
    for name, workload in WORKLOADS.items():
        found = ", ".join(f"{peer} {of(workload):.1e}" for peer, of in differences.items())
        print(f"{name}: largest relative difference of gradients from those of {found}", flush=True)
