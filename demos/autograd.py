"""The same network in minigan and in PyTorch: backward passes by hand beside autograd's.

One generator, one critic; the same weights, the same batch, in float64. PyTorch records what is
computed and derives its own gradients; minigan's were derived by people and written down. They
have to agree, and they do, to the last digits. It takes a few seconds; nothing is trained. It
needs PyTorch (`pip install torch`), which nothing else here does.

What to look at:
- The table: for every gradient, the largest difference, as a share of the largest number. About
  1e-15 is rounding: both add the same numbers in another order.
- The last rows are the gradient of a gradient, WGAN-GP's penalty: autograd needs create_graph=True,
  minigan `double_backward`. Which of the biases has no part in it, and why?
- picture.png: each dot is one number of a gradient, by hand and by autograd.

What to try next: change one sign in minigan/layers/normalization.py: which rows are wrong then?
Put a layer of your own into both networks.

Weights go to PyTorch and back by `to_torch` and `from_torch` below: see PYTORCH.md for the layouts.
Files: picture.png and metrics.json.
"""

import sys

import numpy as np

from minigan import (
    WGANGP,
    BatchNorm,
    Conv2d,
    ConvTranspose2d,
    Dense,
    Flatten,
    LeakyReLU,
    Reshape,
    Sequential,
    Tanh,
)
from minigan.plotting import INK, OTHERS, picture, save_picture, styled
from support.demo import start

options, out = start("autograd", __doc__, ["picture.png"])
try:
    import torch
    from torch import nn
except ImportError:
    sys.exit("autograd.py compares with PyTorch, which is not installed here: pip install torch")

# %% To PyTorch and back

RENAMED = {"gamma": "weight", "beta": "bias"}


def to_torch(network):
    """The numbers of a minigan network as a state_dict for the same layers in nn.Sequential."""
    state, axes = {}, {1: (0,), 2: (1, 0), 4: (3, 2, 0, 1)}
    for name, array in (network.named_parameters() | network.named_buffers()).items():
        position, kind = name.split(".")
        array = network.backend.to_numpy(array).transpose(axes[array.ndim]).copy()
        state[f"{position}.{RENAMED.get(kind, kind)}"] = torch.from_numpy(array)
    return state


def from_torch(network, state):
    """Copy a state_dict of the same layers in nn.Sequential into a minigan network."""
    axes = {1: (0,), 2: (1, 0), 4: (2, 3, 1, 0)}
    for name, view in (network.named_parameters() | network.named_buffers()).items():
        position, kind = name.split(".")
        array = state[f"{position}.{RENAMED.get(kind, kind)}"].detach().cpu().numpy()
        view[...] = network.backend.asarray(array.transpose(axes[view.ndim]), network.dtype)
    network.derive()


# %% The same networks twice: channels stand last in minigan, behind the batch in PyTorch


class ChannelsFirst(nn.Module):
    def forward(self, x):
        return x.permute(0, 3, 1, 2)


class ChannelsLast(nn.Module):
    def forward(self, x):
        return x.permute(0, 2, 3, 1)


rng = np.random.default_rng(options.seed)
layers = [Dense(5, 3 * 3 * 4), Reshape(3, 3, 4), BatchNorm(4), LeakyReLU(0.2)]
layers += [ConvTranspose2d(4, 2, 4, stride=2, padding=1), Tanh()]
G = Sequential(layers, (5,), rng=rng, dtype="float64")
layers = [Conv2d(2, 4, 4, stride=2, padding=1), LeakyReLU(0.2), Flatten(), Dense(36, 6)]
D = Sequential([*layers, Tanh(), Dense(6, 1)], (6, 6, 2), rng=rng, dtype="float64")
for network in (G, D):  # no number is 0 or 1: a term that is forgotten is to be seen
    network.parameters[...] = rng.normal(0, 0.4, network.parameters.shape)

unfolded = nn.Sequential(nn.Unflatten(1, (3, 3, 4)), ChannelsFirst())
torch_layers = [nn.Linear(5, 36), unfolded, nn.BatchNorm2d(4), nn.LeakyReLU(0.2)]
torch_layers += [nn.ConvTranspose2d(4, 2, 4, stride=2, padding=1), nn.Tanh(), ChannelsLast()]
torch_G = nn.Sequential(*torch_layers).double()
flattened = nn.Sequential(ChannelsLast(), nn.Flatten())
torch_layers = [nn.Conv2d(2, 4, 4, stride=2, padding=1), nn.LeakyReLU(0.2), flattened]
torch_layers += [nn.Linear(36, 6), nn.Tanh(), nn.Linear(6, 1)]
torch_D = nn.Sequential(*torch_layers).double()
for network, twin in ((G, torch_G), (D, torch_D)):
    twin.load_state_dict(to_torch(network), strict=False)  # num_batches_tracked is PyTorch's own

# %% One backward pass through both players: the gradient of a sum of D(G(z)), weighted by v

z, v = rng.standard_normal((7, 5)), rng.standard_normal((7, 1))
by_hand, by_autograd = {}, {}

fake, cache_G = G.forward(z)
logits, cache_D = D.forward(fake)
D.set_gradients(v, cache_D)
d_fake = D.backward(v, cache_D)
G.set_gradients(d_fake, cache_G)
by_hand |= {"D(G(z))": logits, "dz": G.backward(d_fake, cache_G)}
by_hand |= {f"G {name}": gradient.copy() for name, gradient in G.named_gradients().items()}
by_hand |= {f"D {name}": gradient.copy() for name, gradient in D.named_gradients().items()}

torch_z = torch.from_numpy(z).requires_grad_()
torch_fake = torch_G(torch_z)
torch_logits = torch_D(torch_fake.permute(0, 3, 1, 2))
(torch_logits * torch.from_numpy(v)).sum().backward()
by_autograd |= {"D(G(z))": torch_logits, "dz": torch_z.grad}


def gradients_of(network, twin, prefix):
    """PyTorch's gradients by minigan's names, in minigan's layout: `from_torch` of them."""
    copy = network.clone()
    gradients = {name: p.grad for name, p in twin.named_parameters()}
    from_torch(copy, gradients | {n: b for n, b in twin.named_buffers() if b.ndim})
    return {f"{prefix} {name}": view for name, view in copy.named_parameters().items()}


by_autograd |= gradients_of(G, torch_G, "G") | gradients_of(D, torch_D, "D")

# %% The gradient of a gradient: WGAN-GP's penalty on the points themselves

points = rng.standard_normal((7, 6, 6, 2))
D.zero_gradients()
penalty = WGANGP(10).add_penalty(D, points)
by_hand |= {"penalty": np.array(penalty)}
by_hand |= {f"penalty, D {name}": g.copy() for name, g in D.named_gradients().items()}

torch_D.zero_grad()
x = torch.from_numpy(points).requires_grad_()
(slope,) = torch.autograd.grad(torch_D(x.permute(0, 3, 1, 2)).sum(), x, create_graph=True)
torch_penalty = 10 * ((slope.flatten(1).norm(dim=1) - 1) ** 2).mean()
torch_penalty.backward()
for parameter in torch_D.parameters():
    if parameter.grad is None:  # the last bias: D's slope does not depend on it
        parameter.grad = torch.zeros_like(parameter)
by_autograd |= {"penalty": torch_penalty} | gradients_of(D, torch_D, "penalty, D")

# %% The table, and the picture

errors = {}
print(f"{'':26}{'shape':16}largest difference / largest number")
for name, mine in by_hand.items():
    theirs = by_autograd[name]
    theirs = theirs.detach().numpy() if torch.is_tensor(theirs) else theirs
    largest = abs(theirs).max()
    errors[name] = float(abs(mine - theirs).max() / (largest + (largest == 0)))
    print(f"{name:26}{mine.shape!s:16}{errors[name]:.1e}")


@styled
def draw(figure):
    left, right = figure.subplots(1, 2, width_ratios=[1, 1.1])
    kinds = {"penalty, ": ("of the penalty", 11), "D ": ("of D", 7), "G ": ("of G", 3)}
    for (kind, (label, size)), colour in zip(kinds.items(), OTHERS[2::-1], strict=True):
        names = [name for name in by_hand if name.startswith(kind)]
        dots = [np.concatenate([x[n].ravel() for n in names]) for x in (by_autograd, by_hand)]
        left.plot(*dots, "o", color=colour, markersize=size, markeredgewidth=0, label=label)
    left.set(xlabel="autograd", ylabel="by hand", title="Every number\nof every gradient")
    left.legend(markerscale=1)
    right.barh(list(errors), np.maximum(list(errors.values()), 1e-18), color=OTHERS[4])
    right.set(xscale="log", xlim=(1e-18, 1e-13), title="Largest difference,\nrelative")
    for place, error in enumerate(errors.values()):
        if error == 0:  # no bar, on such an axis
            right.text(1.3e-18, place, "none: both are 0", va="center")
    right.axvline(2**-52, color=INK, linestyle=":")
    right.set_xlabel("dotted: float64's precision, 2⁻⁵²")
    right.invert_yaxis()


figure = picture(8, 5.6)
draw(figure)
save_picture(figure, out.path("picture.png"))
out.save_metrics(errors=errors, largest=max(errors.values()))
print(f"The largest: {max(errors.values()):.1e}. Files: {out.folder}")
