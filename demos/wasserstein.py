"""How a critic's slope is bounded: clipped weights, a penalty, spectral normalization.

A critic f estimates how far apart two distributions are. If no slope of f is above 1, then
mean f(real) − mean f(fake) is at most the Wasserstein distance W, and equal to W for the best f.
But what keeps the slopes below 1? Three answers, with the same points and the same network:

- clipping: no weight is above c. This bounds the slopes, but nobody knows by how much: the
  estimate is W times an unknown factor. And most weights end at ±c, so that f has a simple shape.
- penalty (WGAN-GP): on the lines between real and fake points, a slope other than 1 costs. The
  estimate comes close to W. It is too large by a factor of about 1 + W / 2λ, since a slope
  slightly above 1 costs almost nothing.
- spectral normalization: each layer's matrix is divided by its largest singular value, so that no
  slope is above 1. But most slopes are far below 1, and the estimate is safe but low.

What to look at in picture.png: above, the critics' heights and level lines. A good critic has
evenly spaced lines on the way from the fakes to the real points. Below: weights, slopes, and the
estimates beside W, which is computed exactly, by the cheapest pairing of the same points. Which
estimate is the distance, and which one is only in proportion to it?

What to try next: CLIP = 0.2, and 0.01: what happens to the estimate, and to the shape?
--data eight-gaussians: where does spectral normalization lose its slope? It takes about 20 s.

Files: picture.png, metrics.json with W, the estimates and the slopes.
"""

import itertools

import numpy as np

from minigan import (
    WGANGP,
    Adam,
    Dense,
    LeakyReLU,
    LinearDecay,
    Sequential,
    SpectralNorm,
    WeightClipping,
    train,
)
from minigan.data import TOYS, Batches, GaussianMixture, toy
from minigan.games.critic import CriticGame, critic_difference
from minigan.metrics import wasserstein_assignment
from minigan.plotting import FAKE, INK, OTHERS, REAL, SIGNED, picture, save_picture, styled
from support.claims import borne_out
from support.demo import start
from support.training import progress

# %% Constants

POINTS, WIDTH, STEPS, QUICK_STEPS, CLIP, WEIGHT = 256, 64, 1200, 30, 0.1, 10.0


def add_options(parser):
    plane = [name for name in TOYS if toy(name).dimension == 2]
    parser.add_argument("--data", choices=plane, default="ring", help="real points (default: ring)")


options, out = start("wasserstein", __doc__, ["picture.png"], add_options)
steps = options.steps or (QUICK_STEPS if options.quick else STEPS)
rng, weight_seed = np.random.default_rng(options.seed), options.seed
real = toy(options.data).sample(POINTS, rng)
fake = GaussianMixture([[0.0, 0.0]], 0.15).sample(POINTS, rng)
exact = wasserstein_assignment(real, fake)

# %% The critics: the same network, bounded in three ways


def network(wrap):
    sizes = [2, WIDTH, WIDTH, WIDTH, 1]
    layers = []
    for inputs, outputs in itertools.pairwise(sizes):
        layers += [wrap(Dense(inputs, outputs)), LeakyReLU()]
    return Sequential(layers[:-1], (2,), rng=weight_seed, backend=options.backend)


free = WeightClipping(1e6)  # no bound: the layers have one of their own
critics = {
    f"clipping, c = {CLIP:g}": (network(lambda layer: layer), WeightClipping(CLIP)),
    f"penalty, λ = {WEIGHT:g}": (network(lambda layer: layer), WGANGP(WEIGHT)),
    "spectral norm": (network(SpectralNorm), free),
}
estimates = {name: [] for name in critics}
stops = np.linspace(0, steps, min(steps, 60) + 1).round().astype(int).tolist()
for name, (f, bound) in critics.items():
    chance = [np.random.default_rng(options.seed + i) for i in range(3)]
    schedule = {"schedule": LinearDecay(steps, hold=0.4)}
    fakes, optimizer = Batches(fake, POINTS, chance[0]), Adam(f, 2e-3, betas=(0.5, 0.9))
    game = CriticGame(
        f, "wasserstein", optimizer, fakes, rng=chance[1], regularizer=bound, **schedule
    )
    estimates[name].append(critic_difference(f, real, fake))
    records = train(game, Batches(real, POINTS, chance[2]), steps)
    for record in progress(records, game, steps, name=name):
        if record.step in stops:
            estimates[name].append(critic_difference(f, real, fake))

# %% Slopes on the lines from fakes to real points, and weights as the critics use them

between = fake + rng.random((POINTS, 1)) * (real - fake)


def slopes(f):
    logits, caches = f.forward(options.backend.asarray(between, f.dtype), train=False)
    ones = options.backend.xp.ones_like(logits)
    gradient = f.backward(ones, caches)
    return np.linalg.norm(options.backend.to_numpy(gradient), axis=1)


def weights(f):
    """All weights; of a spectrally normalized layer, divided by its largest singular value."""
    found = []
    for layer in f.layers:
        if "weight" in layer.parameters():
            w = options.backend.to_numpy(layer.weight)
            normalized = isinstance(layer, SpectralNorm)
            found.append((w / np.linalg.norm(w, 2) if normalized else w).ravel())
    return np.concatenate(found)


steepness = {name: slopes(f) for name, (f, _) in critics.items()}
at_limit = float((abs(weights(critics[f"clipping, c = {CLIP:g}"][0])) > 0.99 * CLIP).mean())
for name in critics:
    last, slope = estimates[name][-1], steepness[name].mean()
    print(f"{name:20} estimate {last:.4f}, exact {exact:.4f}, mean slope {slope:.3f}")
clipped, penalized, normalized = (found[-1] / exact for found in estimates.values())
claims = borne_out(
    {
        "With clipped weights, the estimate is W times some factor": not 0.5 < clipped < 2,
        "With the penalty, it comes close to W": 0.95 < penalized < 1.1,
        "With spectral norms, it is below W": normalized < 1,
        "Most of the clipped weights are at ±c": at_limit > 0.5,
    }
)

# %% Picture


@styled
def draw(figure):
    above, below = figure.subfigures(2, 1, height_ratios=[1.15, 1])
    for axes, (name, (f, _)) in zip(above.subplots(1, 3), critics.items(), strict=True):
        draw_critic(axes, name, f)
    handles, labels = above.axes[0].get_legend_handles_labels()
    above.legend(handles, labels, loc="outside upper center", ncols=2, handletextpad=0)
    left, middle, right = below.subplots(1, 3)
    looks = zip((INK, OTHERS[0], OTHERS[3]), ("-", "--", "-."), strict=True)
    for name, (colour, line) in zip(critics, looks, strict=True):
        look = {"color": colour, "linestyle": line, "linewidth": 1.6}
        bins = np.linspace(-0.6, 0.6, 61)
        short = name.split(",")[0]
        left.stairs(np.histogram(weights(critics[name][0]), bins)[0], bins, label=short, **look)
        bins = np.geomspace(0.1, 20, 61)
        middle.stairs(np.histogram(steepness[name], bins)[0], bins, **look)
        right.plot(stops, np.maximum(estimates[name], 1e-4), **look)
    left.set(title=f"{at_limit:.2%} of the clipped\nweights are at ±c", xlabel="weight")
    left.set(yscale="log", ylabel="number", ylim=(0.7, 3e5))
    left.legend(loc="upper left")
    middle.axvline(1, color="gray", linestyle=":")
    middle.set(title="Slopes, from fake to real", xlabel="slope of the critic", ylabel="number")
    middle.set(xscale="log", xlim=(0.1, 20), xticks=[0.1, 1, 10], xticklabels=["0.1", "1", "10"])
    right.axhline(exact, color=REAL, linewidth=4, alpha=0.5, label=f"W = {exact:.3f}")
    right.set(title="Estimates of W", xlabel="step", ylabel="distance", yscale="log")
    right.set(xlim=(0, steps), ylim=(exact / 1e1, exact * 1e2))
    right.legend(loc="upper right")


def draw_critic(axes, name, f):
    reach = 1.25 * abs(real).max()
    line = np.linspace(-reach, reach, 120)
    plane = np.stack(np.meshgrid(line, line), axis=2).reshape(-1, 2)
    heights = options.backend.to_numpy(f(options.backend.asarray(plane, f.dtype))).reshape(120, 120)
    heights = heights - heights.mean()
    limit = abs(heights).max()
    axes.contourf(line, line, heights, 15, cmap=SIGNED, vmin=-1.8 * limit, vmax=1.8 * limit)
    axes.contour(line, line, heights, 15, colors="gray", linewidths=0.6, linestyles="solid")
    axes.scatter(*real.T, s=7, color=REAL, label="real")
    axes.scatter(*fake.T, s=7, color=FAKE, label="fake")
    axes.set(title=name, aspect="equal", xlim=(-reach, reach), ylim=(-reach, reach))
    axes.set(xticks=[-1, 0, 1], yticks=[-1, 0, 1])
    axes.set_xlabel(f"estimate {estimates[name][-1]:.3f}\nexact: {exact:.3f}")


figure = picture(8, 6.4)
draw(figure)
save_picture(figure, out.path("picture.png"))

out.save_metrics(
    steps=steps,
    exact=exact,
    estimates={name: found[-1] for name, found in estimates.items()},
    mean_slope={name: float(found.mean()) for name, found in steepness.items()},
    clipped_at_the_limit=at_limit,
    claims=claims,
)
print(f"Files: {out.folder}")
