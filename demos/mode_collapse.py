"""Mode collapse: seen, measured, and cured.

There are eight modes on a ring. The generator starts as a small spot on one of them. This
discriminator sees very sharply: its first layer turns a point into waves, so fine that points a
quarter of the ring's radius apart have nothing in common (`FourierFeatures`). So it learns each
mode by itself, and between the modes its verdict says nothing about where they are. G's fakes on
their mode are good, and the slope of D around them is all that G knows. Nothing tells G that there
are seven more modes: it stays. Each cure changes one thing only:

- noise on all that D sees, real and fake, which fades while they play ("instance noise", Sønderby
  et al. 2017, arXiv:1610.04490). Through the noise D sees no details, but from afar where the real
  points are, and G spreads. When the noise is gone, D sees sharply, and the fakes become good;
- a D that sees far: the same layers, without the waves in front of them. What it learns at one
  place changes its verdict everywhere.

What to look at in picture.png: above, the game without a cure at four moments. The background is
D's verdict: orange where it is for fakes, blue where it misses them. Where do all the orange points
go? Below, the cured games at the end, and how many modes each game has reached over the steps. A
mode counts as reached if it has at least 2 % of the samples; a fair share would be 12.5 %. "Good"
is the share of samples within 3 standard deviations of a mode: of real points, 99 %.

What to try next: --seed 1; FINENESS = 2: how many modes now? regularizer=R1(0.02, every=4), which
forbids D to be steep at the real points, brings back most modes. Or put Pack(2) in front of D, so
that it judges two samples at a time (PacGAN), which shows it when all are alike. It takes about
half a minute.

Files: picture.png, metrics.json with the modes and the good samples of all games.
"""

import numpy as np

from minigan import (
    GAN,
    Adam,
    Dense,
    FourierFeatures,
    Layer,
    LeakyReLU,
    LinearDecay,
    NormalLatent,
    ReLU,
    Sequential,
    train,
)
from minigan.data import Batches, GaussianMixture, toy
from minigan.metrics import mode_coverage
from minigan.plotting import FAKE, INK, JUDGEMENT, OTHERS, REAL, picture, save_picture, styled
from support.claims import borne_out
from support.demo import start
from support.training import progress
from support.verdict import plane_points, verdict

# %% Constants

BATCH, WIDTH, SAMPLES, STEPS, QUICK_STEPS, LOOKS = 128, 64, 2500, 4000, 16, 40
LR, BETAS, SIGMA, REACHED = 1e-3, (0.5, 0.99), 0.07, 0.02
WAVES, FINENESS, SPOT = 32, 5.0, 0.05  # of D: how many, in radians per unit; of G: its first width
NOISE, FADED = 0.5, 0.95  # its width at first; the share of the run after which it is gone
GAMES = {"no cure": (WAVES, 0), "fading noise": (WAVES, NOISE), "D sees far": (0, 0)}
WINDOW, GRID = (-1.5, 1.5, -1.5, 1.5), 80

options, out = start("mode_collapse", __doc__, ["picture.png"])
steps = options.steps or (QUICK_STEPS if options.quick else STEPS)
data = GaussianMixture(toy("ring").means, SIGMA)

# %% Each game from the same start, with the same data and noise


def dense(inputs, outputs, hidden, activation):
    layers = []
    for _ in range(hidden):
        layers += [Dense(inputs, WIDTH), activation()]
        inputs = WIDTH
    return [*layers, Dense(inputs, outputs)]


def generator(rng):
    G = Sequential(dense(2, 2, 3, ReLU), (2,), rng=rng, backend=options.backend)
    G.layers[-1].weight[...] *= SPOT
    G.layers[-1].bias[...] = options.backend.asarray(data.means[0], G.dtype)
    return G


class FadingNoise(Layer):
    """y = x + σ · normal noise; the game makes σ smaller from step to step. dx = dy."""

    def __init__(self, sigma, rng):
        self.sigma, self.rng = sigma, rng

    def forward(self, x, train):
        noise = self.rng.standard_normal(x.shape) if train else np.zeros(x.shape)
        return x + self.backend.asarray(self.sigma * noise, x.dtype), None

    def backward(self, dy, cache):
        return dy.copy()


def discriminator(waves, noise, rng):
    layers = [noise] if noise.sigma else []
    layers += [FourierFeatures(2, waves, scale=FINENESS)] if waves else []
    layers += dense(2 + 2 * waves, 1, 2, LeakyReLU)
    return Sequential(layers, (2,), rng=rng, backend=options.backend)


def play(name, waves, sigma):
    """(step, samples, coverage, verdict of D) at about 40 moments."""
    chance = np.random.default_rng(options.seed).spawn(6)
    data_rng, noise_rng, g_rng, d_rng, view_rng, fading_rng = chance
    noise = FadingNoise(sigma, fading_rng)
    G, D = generator(g_rng), discriminator(waves, noise, d_rng)
    gan = GAN(
        G,
        D,
        "non-saturating",
        latent=NormalLatent(2),
        rng=noise_rng,
        generator_optimizer=Adam(G, LR, betas=BETAS),
        discriminator_optimizer=Adam(D, LR, betas=BETAS),
        schedule=LinearDecay(steps),
    )
    z, points = gan.latent.sample(SAMPLES, view_rng), gan.asarray(plane_points(WINDOW, GRID))

    def look():
        samples = gan.generate(z)
        seen = verdict(D, points, None, None, log_odds=True).reshape(GRID, GRID)
        return gan.steps, samples, mode_coverage(samples, data.means, SIGMA), seen

    looks, records = [look()], train(gan, Batches(data, BATCH, data_rng), steps)
    for record in progress(records, gan, steps, name=name):
        noise.sigma = sigma * max(0.0, 1 - record.step / (FADED * steps))
        if record.step % max(1, steps // LOOKS) == 0:
            looks.append(look())
    return looks


def reached(coverage):
    """How many modes have at least 2 % of the samples."""
    return sum(count >= REACHED * SAMPLES for count in coverage.counts)


games = {name: play(name, *game) for name, game in GAMES.items()}
ends = {name: looks[-1][2] for name, looks in games.items()}
modes = {name: reached(c) for name, c in ends.items()}
good = {name: c.high_quality for name, c in ends.items()}
print("game          modes reached    good samples")
for name in games:
    print(f"{name:14} {modes[name]:6} of {len(data.means)} {good[name]:14.0%}")

# %% What this lesson claims: its pictures say it only if it is so

sick, *cures = games
collapsed = modes[sick] <= len(data.means) / 2 and good[sick] > 0.8
cured = {name: modes[name] == len(data.means) and good[name] > 0.8 for name in cures}
claims = borne_out(
    {
        f"{sick}: few modes, yet the fakes are good": collapsed,
        **{f"{name}: all modes, and the fakes are good": held for name, held in cured.items()},
    }
)

# %% Picture


def draw_samples(axes, look, title):
    _, samples, c, seen = look
    axes.imshow(seen, JUDGEMENT, extent=WINDOW, origin="lower", vmin=-1, vmax=1)
    axes.scatter(*data.means.T, s=60, facecolors="none", edgecolors=REAL, label="modes")
    axes.scatter(*samples.T, s=2.5, color=FAKE, linewidths=0, label="generated")
    axes.set(title=title, xlim=WINDOW[:2], ylim=WINDOW[2:], aspect="equal", xticks=[], yticks=[])
    axes.set_xlabel(f"{reached(c)} of {c.modes_total} modes\n{c.high_quality:.0%} good")
    axes.spines[:].set_visible(True)


@styled
def draw(figure):
    above, below = figure.subfigures(2, 1)
    looks = games[sick]
    chosen = [looks[0], looks[1], looks[len(looks) // 2], looks[-1]]
    for axes, look in zip(above.subplots(1, 4), chosen, strict=True):
        draw_samples(axes, look, f"step {look[0]:,}")
    above.axes[0].legend(loc="center", markerscale=2, handletextpad=0)
    end = f"{good[sick]:.0%} of the fakes are good, on {modes[sick]} of {len(data.means)} modes"
    above.suptitle(f"No cure: at the end {end}")
    above.supxlabel("background: D's verdict, orange for fake, blue for real", size=10)
    *panels, curves = below.subplots(1, 3, width_ratios=[1, 1, 2.1])
    for axes, name in zip(panels, cures, strict=True):
        draw_samples(axes, games[name][-1], name)
    for name, colour, line in zip(
        games, (INK, OTHERS[0], OTHERS[3]), ("-", "--", "-."), strict=False
    ):
        at, counts = [look[0] for look in games[name]], [reached(look[2]) for look in games[name]]
        curves.plot(at, counts, color=colour, linestyle=line, label=name)
    curves.set(title="Modes reached", xlabel="step", xlim=(0, steps), ylim=(0, 11))
    curves.legend(loc="upper left", ncols=3, columnspacing=1)
    reach = f"all {len(data.means)} modes, " if all(cured.values()) else ""
    shares = " and ".join(f"{good[name]:.0%}" for name in cures)
    below.suptitle(f"Cures: {reach}{shares} good")


figure = picture(8, 6.6)
draw(figure)
save_picture(figure, out.path("picture.png"))

out.save_metrics(
    steps=steps,
    modes=modes,
    high_quality=good,
    reverse_kl={name: min(c.reverse_kl, 1e9) for name, c in ends.items()},
    looks=[[reached(c), c.high_quality] for _, _, c, _ in games[sick]],
    claims=claims,
)
print(f"Files: {out.folder}")
