"""Mode collapse: seen, measured, and cured.

There are eight modes on a ring. The generator finds one of them, D learns that samples there are
fakes, the generator moves on to the next mode, and so on. Each single fake fools D for a while,
and nothing tells G that all its fakes are alike. To make this happen, G learns faster than D, and
both have much momentum. Each cure changes one thing only:

- packing: D judges three samples at a time (PacGAN: Lin et al. 2018, arXiv:1712.04086). Three
  fakes from the same mode are easy to recognise;
- minibatch standard deviation: D is told how much the samples of its batch differ (Karras et al.
  2018, arXiv:1710.10196), and so can reject a batch of samples that are all alike;
- R1: D must not be steep at the real samples (Mescheder et al. 2018, arXiv:1801.04406). Then it
  cannot turn against one mode from one step to the next, and G need not leave.

What to look at in picture.png: above, the game without a cure at four moments: where do all the
orange points go? Below, the cured games at the end, and how many modes each game has captured
over the steps. The reverse KL divergence says how evenly: 0 if all eight modes have equally many
samples, log 8 = 2.08 if one mode has them all.

What to try next: --seed 1; give D the rate of G (RATES) or less momentum (BETAS): two more cures.
It takes about half a minute.

Files: picture.png, metrics.json with the coverage of all games.
"""

import numpy as np

from minigan import (
    GAN,
    R1,
    Adam,
    Dense,
    LeakyReLU,
    LinearDecay,
    MinibatchStd,
    NormalLatent,
    Pack,
    ReLU,
    Sequential,
    train,
)
from minigan.data import Batches, GaussianMixture, toy
from minigan.metrics import mode_coverage
from minigan.plotting import FAKE, INK, OTHERS, REAL, picture, save_picture, styled
from support.demo import start
from support.training import progress

# %% Constants

BATCH, WIDTH, SAMPLES, STEPS, QUICK_STEPS = 255, 128, 2500, 2400, 16
RATES, BETAS, SIGMA, LOOKS = (1e-3, 3e-4), (0.9, 0.999), 0.05, 40  # rates of G and of D
GAMES = {  # inputs of D's first dense layer, the layers before it, what is added to D's loss
    "no cure": (2, list, None),
    "packs of three": (6, lambda: [Pack(3)], None),
    "minibatch std": (3, lambda: [MinibatchStd()], None),
    "R1": (2, list, R1(0.3)),
}

options, out = start("mode_collapse", __doc__, ["picture.png"])
steps = options.steps or (QUICK_STEPS if options.quick else STEPS)
data = GaussianMixture(toy("ring").means, SIGMA)

# %% Each game from the same start, with the same data and noise


def network(inputs, outputs, activation, rng, front=list):
    layers = [Dense(inputs, WIDTH), activation(), Dense(WIDTH, WIDTH), activation()]
    layers = [*front(), *layers, Dense(WIDTH, outputs)]
    return Sequential(layers, (2,), rng=rng, backend=options.backend)


def play(name, seen, front, regularizer):
    """(step, samples, coverage) at about 40 moments."""
    data_rng, noise_rng, g_rng, d_rng, view_rng = np.random.default_rng(options.seed).spawn(5)
    G, D = network(2, 2, ReLU, g_rng), network(seen, 1, LeakyReLU, d_rng, front)
    players = {
        "generator_optimizer": Adam(G, RATES[0], betas=BETAS),
        "discriminator_optimizer": Adam(D, RATES[1], betas=BETAS),
    }
    chance = {"latent": NormalLatent(2), "rng": noise_rng}
    rest = {"regularizer": regularizer, "schedule": LinearDecay(steps)}
    gan = GAN(G, D, "non-saturating", **players, **chance, **rest)
    z, looks = gan.latent.sample(SAMPLES, view_rng), []
    records = train(gan, Batches(data, BATCH, data_rng), steps)
    for record in progress(records, gan, steps, name=name):
        if record.step % max(1, steps // LOOKS) == 0:
            samples = gan.generate(z)
            looks.append((record.step, samples, mode_coverage(samples, data.means, SIGMA)))
    return looks


games = {name: play(name, *cure) for name, cure in GAMES.items()}
for name, looks in games.items():
    c = looks[-1][2]
    print(f"{name:20} {c.modes}/{c.modes_total} modes, reverse KL {c.reverse_kl:.2f}")

# %% Picture


def draw_samples(axes, look, title):
    _, samples, c = look
    axes.scatter(*data.means.T, s=160, facecolors="none", edgecolors=REAL, label="modes")
    axes.scatter(*samples.T, s=3, color=FAKE, linewidths=0, label="generated")
    axes.set(title=title, xlim=(-1.6, 1.6), ylim=(-1.6, 1.6), aspect="equal", xticks=[], yticks=[])
    axes.set_xlabel(f"{c.modes}/{c.modes_total} modes, reverse KL {c.reverse_kl:.2f}")
    axes.spines[:].set_visible(True)


@styled
def draw(figure):
    above, below = figure.subfigures(2, 1)
    sick = games["no cure"]
    chosen = [sick[round((len(sick) - 1) * part)] for part in (0.25, 0.5, 0.75, 1)]
    for axes, look in zip(above.subplots(1, 4), chosen, strict=True):
        draw_samples(axes, look, f"No cure, step {look[0]:,}")
    above.axes[0].legend(loc="upper left", markerscale=1)
    *panels, curves = below.subplots(1, 4, width_ratios=[1, 1, 1, 1.7])
    for axes, name in zip(panels, list(games)[1:], strict=True):
        draw_samples(axes, games[name][-1], name[0].upper() + name[1:])
    for (name, looks), colour, line in zip(
        games.items(), (INK, *OTHERS), ("-", "--", ":", "-."), strict=False
    ):
        at, modes = [look[0] for look in looks], [look[2].modes for look in looks]
        curves.plot(at, modes, color=colour, linestyle=line, label=name)
    curves.set(title="Captured modes", xlabel="step", ylabel="modes", xlim=(0, steps), ylim=(0, 12))
    curves.legend(loc="upper left", ncols=2)


figure = picture(13, 7.4)
draw(figure)
save_picture(figure, out.path("picture.png"))

coverage = {name: looks[-1][2] for name, looks in games.items()}
late = {name: [look[2].modes for look in looks[len(looks) // 2 :]] for name, looks in games.items()}
out.save_metrics(
    steps=steps,
    modes={name: c.modes for name, c in coverage.items()},
    reverse_kl={name: min(c.reverse_kl, 1e9) for name, c in coverage.items()},
    mean_modes_in_second_half={name: float(np.mean(modes)) for name, modes in late.items()},
)
print(f"Files: {out.folder}")
