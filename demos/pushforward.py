"""A generator is a map: what becomes of the density when numbers are mapped?

Draw u evenly from (0, 1) and take y = f(u). Where f is steep, neighbours are pulled apart and the
density is low; where f is flat, they pile up: p(y) = Σ p(u) |du/dy| over all u with f(u) = y.

1. identity: nothing happens. 2. y = u²: flat at 0, so that the density is infinite there.
3. the Gaussian's quantile function: the one increasing map that turns even noise into a Gaussian.
4. a generator network that learns a map to the same Gaussian in a GAN, from samples only.

What to look at in picture.png: the maps above, the densities below; samples against the formula.
- The network's map is drawn beside the quantile function. They need not agree: if y = f(u) has the
  right density, then f(1 − u) has it too, and so have many maps that go up and down. The game
  asks for the right density and for nothing else. Which map did this seed find?
- Where the network's map is a bit too flat, its density has a spike: errors that are hard to see
  in the map are easy to see in the density.
- At the ends the true map goes to infinity. A network's map cannot, so its tails are cut off.

What to try next: --seed 1, 2, 3: does the map rise or fall? --data trimodal-1d: where is the map
steep, and why can it not jump? It takes about 15 seconds.

Files: picture.png, metrics.json with the distances between samples and formulas.
"""

import numpy as np
import scipy.stats

from minigan import (
    GAN,
    R1,
    Adam,
    Dense,
    LeakyReLU,
    LinearDecay,
    Sequential,
    Tanh,
    UniformLatent,
    train,
)
from minigan.data import Batches, GaussianMixture, toy
from minigan.density import IDENTITY, NORMAL_QUANTILE, SQUARE, UNIFORM, Pushforward
from minigan.metrics import wasserstein_1d
from minigan.plotting import FAKE, OTHERS, REAL, draw_densities, picture, save_picture, styled
from support.demo import start
from support.training import progress

# %% Constants

STEPS, QUICK_STEPS, BATCH, WIDTH, SAMPLES = 4000, 20, 256, 64, 20000
DATA = {"gaussian": GaussianMixture([[0.0]], 1.0), "trimodal-1d": toy("trimodal-1d")}


def add_options(parser):
    parser.add_argument("--data", choices=sorted(DATA), default="gaussian", help="for the GAN")


options, out = start("pushforward", __doc__, ["picture.png"], add_options)
steps = options.steps or (QUICK_STEPS if options.quick else STEPS)
data_rng, noise_rng, weight_rng, view_rng = np.random.default_rng(options.seed).spawn(4)
data = DATA[options.data]
u = np.linspace(0, 1, 801)[1:-1]

# %% Three maps whose densities can be written down

windows = {"y = u": (-0.25, 1.25), "y = u²": (-0.25, 1.25), "Gaussian quantile function": (-4, 4)}
maps = dict(zip(windows, (IDENTITY, SQUARE, NORMAL_QUANTILE), strict=True))
pushed = {name: Pushforward(f, UNIFORM) for name, f in maps.items()}

# %% A map that is learned: the noise is u, moved to (−1, 1)


def network(activation):
    layers = [Dense(1, WIDTH), activation(), Dense(WIDTH, WIDTH), activation(), Dense(WIDTH, 1)]
    return Sequential(layers, (1,), rng=weight_rng, backend=options.backend)


G, D = network(Tanh), network(LeakyReLU)
players = {"generator_optimizer": Adam(G, 1e-3), "discriminator_optimizer": Adam(D, 1e-3)}
rest = {"regularizer": R1(0.1), "average_decay": 0.998, "schedule": LinearDecay(steps)}
gan = GAN(G, D, "non-saturating", latent=UniformLatent(1), rng=noise_rng, **players, **rest)
for _ in progress(train(gan, Batches(data, BATCH, data_rng), steps), gan, steps):
    pass


def true_map(u):
    """The quantile function: the y below which the share u of the data lies."""
    grid = np.linspace(data.extent[0] - 2, data.extent[1] + 2, 20001)
    weights, means = data.weights[:, None], data.means[:, 0, None]
    below = (weights * scipy.stats.norm.cdf(grid, means, data.sigma)).sum(axis=0)
    return np.interp(u, below, grid)


learned = gan.generate(2 * u[:, None] - 1)[:, 0]
rises = np.corrcoef(u, learned)[0, 1] > 0

# %% How far are samples from the formulas?

samples = {name: model.sample(SAMPLES, view_rng) for name, model in pushed.items()}
exact = {"y = u": u, "y = u²": u**2, "Gaussian quantile function": scipy.stats.norm.ppf(u)}
samples["network"], exact["network"] = gan.sample(SAMPLES, view_rng), true_map(u)
distance = {name: wasserstein_1d(y, exact[name][:, None]) for name, y in samples.items()}

# %% Picture


@styled
def draw(figure):
    above, below = figure.subplots(2, 4)
    for (name, (low, high)), top, bottom in zip(windows.items(), above, below, strict=False):
        y = np.linspace(low, high, 1000)
        top.plot(u, maps[name].forward(u), color=FAKE)
        top.set(title=name, xlabel="u", ylabel="y = f(u)", ylim=(low, high), xlim=(0, 1))
        density = np.exp(pushed[name].log_density(y[:, None]))
        names, height = ("formula", "f(u)"), 1.8 * min(density.max(), 2)
        shown = samples[name][:, 0]
        draw_densities(bottom, y, density, samples=shown, names=names, top=height)
    draw_learned(above[3], below[3])
    for axes, found in zip(below, distance.values(), strict=True):
        axes.set_xlabel(f"y\nWasserstein distance {found:.3f}")


def draw_learned(top, bottom):
    top.plot(u, true_map(u), color=REAL, label="quantile function")
    top.plot(u, learned, color=FAKE, linestyle="--", label=f"network: {'up' if rises else 'down'}")
    if not rises:
        mirrored = {"color": OTHERS[4], "linewidth": 1, "label": "quantile function of 1 − u"}
        top.plot(u, true_map(1 - u), **mirrored)
    low, high = data.means.min() - 4, data.means.max() + 4
    top.set(title="A network's map", xlabel="u", ylabel="y = G(u)", xlim=(0, 1))
    top.set_ylim(low, high + 0.5 * (high - low))
    top.legend(loc="upper center")
    y = np.linspace(low, high, 1000)
    density, shown = data.density(y[:, None]), samples["network"][:, 0]
    height = 2.2 * density.max()
    draw_densities(bottom, y, density, samples=shown, names=("data", "G(u)"), top=height)


figure = picture(14, 7)
draw(figure)
save_picture(figure, out.path("picture.png"))

out.save_metrics(wasserstein=distance, rises=bool(rises), steps=steps)
print("Wasserstein distance between samples and formula:")
for name, far in distance.items():
    print(f"  {name:28}{far:.3f}")
print(f"The network's map goes {'up' if rises else 'down'}. Files: {out.folder}")
