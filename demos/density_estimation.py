"""From a coin to a GAN: six ways to learn a distribution, on the same 1,000 numbers.

Each way answers a weakness of the one before it (read minigan/density/ in the same order):

1. a coin: is x above zero? One parameter, its best value, and how sure one can be of it;
2. a Gaussian: the likelihood is largest at the data's mean and variance. But it has one bump only;
3. a mixture of Gaussians, by EM: it fits if the number of bumps is known;
4. a Parzen window: it assumes no shape, but everything depends on one bandwidth;
5. nearest neighbours: the bandwidth follows the data, but the area under the curve is not 1;
6. a GAN: no density at all, only samples, and so no likelihood to maximise. Instead, a second
   network judges the samples.

What to look at in picture.png: "log-likelihood" is the mean log-density of points that no method
has learned from, in nats. More is better, and on average nothing beats the true density. W is the
Wasserstein distance between 2,000 samples and as many such points; less is better. Both are means
over 20 sets of points, with their standard errors: differences as small as these are chance. Which
methods have both figures, and what would be needed to compute the missing ones? The nearest
neighbours beat the true density: where is the trick? (Look at the area under their curve.)

What to try next: --points 50, and --points 20000: which methods need many, and which cannot use
them? Change k, or the number of components, below. It takes about 15 seconds.

Files: picture.png, metrics.json with all figures.
"""

import numpy as np

from minigan import (
    GAN,
    R1,
    Adam,
    Dense,
    FourierFeatures,
    LeakyReLU,
    LinearDecay,
    NormalLatent,
    Sequential,
    Tanh,
    train,
)
from minigan.data import Batches, toy
from minigan.density import (
    Bernoulli,
    EMMixture,
    Gaussian,
    NearestNeighbours,
    ParzenWindow,
    best_bandwidth,
    leave_one_out,
)
from minigan.metrics import wasserstein_1d
from minigan.plotting import FAKE, INK, draw_densities, minus, picture, save_picture, styled
from support.claims import borne_out
from support.demo import start
from support.options import positive
from support.training import progress

# %% Constants and data

STEPS, QUICK_STEPS, BATCH, WIDTH, HELD_OUT, SETS, COMPONENTS = 4000, 20, 256, 64, 2000, 20, 3


def add_options(parser):
    parser.add_argument("--points", type=positive, default=1000, help="to learn from (1000)")


def check(options):
    if options.points < COMPONENTS:
        raise ValueError(f"--points: expected at least {COMPONENTS}, got {options.points}")


options, out = start("density_estimation", __doc__, ["picture.png"], add_options, check)
data_rng, fit_rng, batch_rng, noise_rng, weight_rng, view_rng = np.random.default_rng(
    options.seed
).spawn(6)
data = toy("trimodal-1d")
x = data.sample(options.points, data_rng)
held_out = [data.sample(HELD_OUT, data_rng) for _ in range(SETS)]
line = np.linspace(*data.extent, 1001)[:, None]

# %% What came before GANs

coin = Bernoulli().fit((x > 0).astype(float))
bandwidths = np.geomspace(0.01, 2, 30)
bandwidth = best_bandwidth(bandwidths, leave_one_out(x, bandwidths))
k = max(2, round(len(x) ** 0.5))
models = {
    "Gaussian": Gaussian().fit(x),
    f"mixture of {COMPONENTS} Gaussians": EMMixture(COMPONENTS).fit(x, fit_rng),
    f"Parzen window, h = {bandwidth:.2f}": ParzenWindow(bandwidth).fit(x),
    f"{k} nearest neighbours": NearestNeighbours(k).fit(x),
}

# %% A GAN

steps = options.steps or (QUICK_STEPS if options.quick else STEPS)


def network(waves, activation):
    """Waves in front: so G's map can bend, and D can see bends, where the data want them."""
    layers = [FourierFeatures(1, waves), Dense(1 + 2 * waves, WIDTH), activation()]
    layers += [Dense(WIDTH, WIDTH), activation(), Dense(WIDTH, 1)]
    return Sequential(layers, (1,), rng=weight_rng, backend=options.backend)


G, D = network(8, Tanh), network(4, LeakyReLU)
adam = [Adam(network, 1e-3, betas=(0.5, 0.99)) for network in (G, D)]
players = {"generator_optimizer": adam[0], "discriminator_optimizer": adam[1]}
chance = {"latent": NormalLatent(1), "rng": noise_rng}
rest = {"regularizer": R1(0.1, every=4), "average_decay": 0.998, "schedule": LinearDecay(steps)}
gan = GAN(G, D, "non-saturating", **players, **chance, **rest)
for _ in progress(train(gan, Batches(x, min(BATCH, len(x)), batch_rng), steps), gan, steps):
    pass

# %% How good are they?


def mean_and_error(values):
    """The mean of independent values, and its standard error."""
    return float(np.mean(values)), float(np.std(values, ddof=1) / len(values) ** 0.5)


def scores(model):
    """Log-likelihood per held-out point, area, W to the held-out points: what the model has."""
    found = {}
    if hasattr(model, "log_density"):
        means = [model.log_density(points).mean() for points in held_out]
        found["log_likelihood"] = mean_and_error(means)
        found["area"] = float(np.trapezoid(np.exp(model.log_density(line)), line[:, 0]))
    if hasattr(model, "sample"):
        found["wasserstein"] = mean_and_error(
            [wasserstein_1d(model.sample(HELD_OUT, view_rng), points) for points in held_out]
        )
    return found


def caption(found):
    """The figures that a model has, a line each."""
    lines = []
    if "log_likelihood" in found:
        mean, error = found["log_likelihood"]
        lines.append(f"log-likelihood {minus(f'{mean:.3f}')} ± {error:.3f}")
    if "wasserstein" in found:
        mean, error = found["wasserstein"]
        lines.append(f"W {mean:.3f} ± {error:.3f}")
    elif "area" in found:
        lines.append(f"area {found['area']:.3f}")
    return "\n".join(lines)


found = {name: scores(model) for name, model in {"truth": data, **models, "GAN": gan}.items()}
for name, figures in found.items():
    print(f"{name:25} {caption(figures).replace(chr(10), ', ')}")
best = found["truth"]
honest = [figures for name, figures in found.items() if name.startswith(("Gauss", "mix", "Parzen"))]
claims = borne_out(
    {
        "No method with an area of 1 beats the truth by more than twice the standard error": all(
            figures["log_likelihood"][0] < best["log_likelihood"][0] + 2 * best["log_likelihood"][1]
            and figures["wasserstein"][0] > best["wasserstein"][0] - 2 * best["wasserstein"][1]
            for figures in honest
        ),
        "The nearest neighbours beat it, with an area above 1": any(
            figures["area"] > 1.05 and figures["log_likelihood"] > best["log_likelihood"]
            for name, figures in found.items()
            if "neighbours" in name
        ),
    }
)

# %% Picture


@styled
def draw(figure):
    panels = figure.subplots(2, 3).ravel()
    draw_coin(panels[0])
    for i, (name, model) in enumerate({**models, "GAN": gan}.items(), 2):
        density = np.exp(model.log_density(line)) if hasattr(model, "log_density") else None
        samples = model.sample(20000, view_rng)[:, 0] if density is None else None
        axes, top = panels[i - 1], 0.7
        if samples is not None:  # room for the highest bar
            top = max(top, 1.5 * np.histogram(samples, 80, data.extent, density=True)[0].max())
        draw_densities(axes, line[:, 0], data.density(line), density, samples=samples, top=top)
        axes.set_title(f"{i}. {name[0].upper() + name[1:]}")
        axes.set_xlabel(caption(found[name]))
        axes.set(ylabel="density" if i == 4 else "", xticks=[-4, 0, 4])
        if axes.get_legend() and 2 < i < 6:
            axes.get_legend().remove()
    figure.suptitle(
        f"{len(x):,} points; the truth: {caption(found['truth']).replace(chr(10), ', ')}"
    )
    figure.supxlabel(
        "W: Wasserstein's distance between samples and new points of the data", size=10
    )


def draw_coin(axes):
    """The coin's likelihood, relative to its largest value, with the standard error."""
    p = np.linspace(max(0, coin.p - 0.15), min(1, coin.p + 0.15), 400)
    likelihood = np.exp(coin.log_likelihood(p) - coin.log_likelihood(coin.p))
    axes.plot(p, likelihood, color=FAKE, label="likelihood")
    axes.axvline(coin.p, color=INK, linestyle=":", linewidth=1.5, label="largest")
    axes.axvspan(coin.p - coin.standard_error, coin.p + coin.standard_error, color=FAKE, alpha=0.2)
    axes.set(xlabel="p(x > 0)", ylabel="relative likelihood", ylim=(0, 1.6), xlim=(p[0], p[-1]))
    axes.set_title(f"1. Coin: {coin.p:.3f} ± {coin.standard_error:.3f}")
    axes.legend(loc="upper left", handlelength=1, borderaxespad=0)


figure = picture(8, 6.2)
draw(figure)
save_picture(figure, out.path("picture.png"))

out.save_metrics(
    p=coin.p,
    standard_error=coin.standard_error,
    bandwidth=float(bandwidth),
    steps=steps,
    models=found,
    claims=claims,
)
print(f"Files: {out.folder}")
