"""A generator is a map: what becomes of the density when numbers are mapped?

Draw u evenly from (0, 1) and take y = f(u). Where f is steep, neighbours are pulled apart and the
density is low; where f is flat, they pile up: p(y) = Σ p(u) |du/dy| over all u with f(u) = y.

1. y = u²: flat at 0, so that the density is infinite there.
2. the Gaussian's quantile function: the one increasing map that turns even noise into a Gaussian.
3. a generator network that learns a map to the same Gaussian from samples only.

What to look at in picture.png: the maps above, the densities below; samples against the formula.
- The network's samples are right. Its map is drawn beside the quantile function: do they agree?
  They need not: if y = f(u) has the right density, then f(1 − u) has it too, and so have many maps
  that go up and down. The data ask for the right density and for nothing else.
- Where a map turns round it is flat, and density piles up. Where does this map turn, and why there?
- At the ends the quantile function goes to infinity. A network's map cannot, so its tails are cut
  off.

(The network learns by moment matching, lesson 9, which is the simplest game: it has one player. Its
first layer gives it waves, so that its map can bend where it has to.)

What to try next: --seed 1, 2, 3: another map each time? FINENESS = 0.5: fewer turns.
--data trimodal-1d: where is the map steep, and why can it not jump? It takes about 15 seconds.

Files: picture.png, metrics.json with the distances between samples and formulas.
"""

import numpy as np
import scipy.stats

from minigan import (
    Adam,
    Dense,
    FourierFeatures,
    LinearDecay,
    MomentMatching,
    Sequential,
    Tanh,
    UniformLatent,
    train,
)
from minigan.data import Batches, GaussianMixture, toy
from minigan.density import NORMAL_QUANTILE, SQUARE, UNIFORM, Pushforward
from minigan.metrics import wasserstein_1d
from minigan.plotting import FAKE, REAL, draw_densities, picture, save_picture, styled
from support.claims import borne_out
from support.demo import start
from support.training import progress

# %% Constants

STEPS, QUICK_STEPS, BATCH, WIDTH, SAMPLES = 2500, 20, 256, 64, 20000
WAVES, FINENESS = 8, 3.0  # of G's first layer: how many, in radians per unit
KERNELS = (0.1, 0.3, 1.0, 3.0)  # their widths
DATA = {"gaussian": GaussianMixture([[0.0]], 1.0), "trimodal-1d": toy("trimodal-1d")}


def add_options(parser):
    parser.add_argument("--data", choices=sorted(DATA), default="gaussian", help="for the network")


options, out = start("pushforward", __doc__, ["picture.png"], add_options)
steps = options.steps or (QUICK_STEPS if options.quick else STEPS)
data_rng, noise_rng, weight_rng, view_rng = np.random.default_rng(options.seed).spawn(4)
data = DATA[options.data]
u = np.linspace(0, 1, 801)[1:-1]

# %% Two maps whose densities can be written down

windows = {"y = u²": (-0.25, 1.25), "Gaussian quantile function": (-4, 4)}
maps = dict(zip(windows, (SQUARE, NORMAL_QUANTILE), strict=True))
pushed = {name: Pushforward(f, UNIFORM) for name, f in maps.items()}

# %% A map that is learned: the noise is u, moved to (−1, 1)

layers = [FourierFeatures(1, WAVES, scale=FINENESS), Dense(1 + 2 * WAVES, WIDTH), Tanh()]
layers += [Dense(WIDTH, WIDTH), Tanh(), Dense(WIDTH, 1)]
G = Sequential(layers, (1,), rng=weight_rng, backend=options.backend)
chance = {"latent": UniformLatent(1), "rng": noise_rng}
game = MomentMatching(G, Adam(G, 2e-3), bandwidths=KERNELS, schedule=LinearDecay(steps), **chance)
for _ in progress(train(game, Batches(data, BATCH, data_rng), steps), game, steps):
    pass


def true_map(u):
    """The quantile function: the y below which the share u of the data lies."""
    grid = np.linspace(data.extent[0] - 2, data.extent[1] + 2, 20001)
    weights, means = data.weights[:, None], data.means[:, 0, None]
    below = (weights * scipy.stats.norm.cdf(grid, means, data.sigma)).sum(axis=0)
    return np.interp(u, below, grid)


learned = game.generate(2 * u[:, None] - 1)[:, 0]
turns = int((np.diff(np.sign(np.diff(learned))) != 0).sum())
apart = float(min(abs(learned - true_map(v)).mean() for v in (u, 1 - u)))

# %% How far are samples from the formulas?

samples = {name: model.sample(SAMPLES, view_rng) for name, model in pushed.items()}
exact = {"y = u²": u**2, "Gaussian quantile function": scipy.stats.norm.ppf(u)}
samples["network"], exact["network"] = game.sample(SAMPLES, view_rng), true_map(u)
distance = {name: wasserstein_1d(y, exact[name][:, None]) for name, y in samples.items()}
print("Wasserstein distance between samples and formula:")
for name, far in distance.items():
    print(f"  {name:28}{far:.3f}")
print(f"The network's map turns {turns} times. From the quantile function, up or down, it is")
print(f"{apart:.2f} away on average.")
right, another = (
    distance["network"] < 0.05 * np.std(exact["network"]),
    apart > 5 * distance["network"],
)
claims = borne_out({"The samples are right": right, "The map is another one": another})

# %% Picture


@styled
def draw(figure):
    above, below = figure.subplots(2, 3)
    for (name, (low, high)), top, bottom in zip(windows.items(), above, below, strict=False):
        y = np.linspace(low, high, 1000)
        top.plot(u, maps[name].forward(u), color=FAKE)
        top.set(title=name, xlabel="u", ylabel="y = f(u)", ylim=(low, high), xlim=(0, 1))
        density = np.exp(pushed[name].log_density(y[:, None]))
        names, height = ("formula", "f(u)"), 1.7 * min(density.max(), 2)
        shown = samples[name][:, 0]
        draw_densities(bottom, y, density, samples=shown, names=names, top=height)
    draw_learned(above[2], below[2])
    for axes, found in zip(below, distance.values(), strict=True):
        axes.set_xlabel(f"y\nWasserstein distance {found:.3f}")


def draw_learned(top, bottom):
    top.plot(u, true_map(u), color=REAL, label="quantile function", linewidth=1)
    top.plot(u, learned, color=FAKE, label="the network")
    low, high = data.means.min() - 4, data.means.max() + 4
    top.set(
        title=f"A network's map: {turns} turn{'s' * (turns != 1)}",
        xlabel="u",
        ylabel="y = G(u)",
        xlim=(0, 1),
    )
    top.set_ylim(low, high + 0.4 * (high - low))
    top.legend(loc="upper center")
    y = np.linspace(low, high, 1000)
    density, shown = data.density(y[:, None]), samples["network"][:, 0]
    draw_densities(
        bottom, y, density, samples=shown, names=("data", "G(u)"), top=1.7 * density.max()
    )


figure = picture(8, 5.2)
draw(figure)
save_picture(figure, out.path("picture.png"))

out.save_metrics(wasserstein=distance, turns=turns, apart=apart, steps=steps, claims=claims)
print(f"Files: {out.folder}")
