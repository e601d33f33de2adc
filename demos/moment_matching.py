"""Without an adversary: a generator that matches moments, and what the kernel's width decides.

A GAN's discriminator is one way to compare two sets of samples. Another is the maximum mean
discrepancy: if two distributions agree in the mean of each function of a rich family, they are
equal. The family is given by a kernel k, and nothing has to be learned:

    MMD² = E k(x, x') + E k(y, y') − 2 E k(x, y)

One formula, one gradient, one player: no circles, no collapse, a loss that falls (Li, Swersky &
Zemel 2015, arXiv:1502.02761). The price is that the kernel must fit the data. Three generators
with the same start:
- a narrow kernel sees details, but a fake that is far from all data gets no gradient from it;
- a wide kernel sees far, but only the broad shape: fine details look alike to it;
- the sum of many widths does both. In the plane that works. For images, with 784 dimensions, all
  distances are nearly alike, and the comparison itself has to be learned: by a discriminator.

What to look at in picture.png: above, samples at the end, and the push on some of them. Why do
neighbours get the same push from the wide kernel, and not from the narrow one? (A push changes only
over distances as large as the kernel is wide.) Below, MMD² over the steps, each by its own kernel.
Dotted: the MMD² of two real batches, where a perfect generator would be. A loss near this line does
not prove that samples are good: it shows only what the kernel sees. The distance in the captions is
Wasserstein's, beside that of two real sets of the same size.

What to try next: --data swiss-roll, grid; BATCH = 32 (the estimate gets noisy). It takes 20 s.

Files: picture.png, metrics.json with the losses, their floors and the distance to the data.
"""

import numpy as np
from matplotlib.lines import Line2D
from scipy.spatial import cKDTree

from minigan import (
    Adam,
    Dense,
    LinearDecay,
    MomentMatching,
    NormalLatent,
    ReLU,
    Sequential,
    mmd_squared,
    train,
)
from minigan.data import TOYS, Batches, toy
from minigan.metrics import wasserstein_assignment
from minigan.plotting import FAKE, INK, OTHERS, REAL, draw_stretches, picture, save_picture, styled
from support.claims import borne_out
from support.demo import start
from support.training import progress

# %% Constants

BATCH, WIDTH, LATENT, STEPS, QUICK_STEPS = 256, 64, 2, 1000, 10
SAMPLES, PAIRED, ARROWS = 1000, 400, 40  # generated; of them for the distance; with an arrow
KERNELS = {
    "narrow": [0.05],
    "wide": [2.0],
    "five widths": [0.05, 0.125, 0.3, 0.8, 2.0],
}


def add_options(parser):
    plane = [name for name in TOYS if toy(name).dimension == 2]
    parser.add_argument("--data", choices=plane, default="ganlab-disjoint")


options, out = start("moment_matching", __doc__, ["picture.png"], add_options)
steps = options.steps or (QUICK_STEPS if options.quick else STEPS)
data, backend = toy(options.data), options.backend
real = data.sample(SAMPLES, np.random.default_rng(options.seed))
centre, scale = real.mean(axis=0), real.std()
x = (real - centre) / scale  # centred, with a spread of 1: the widths are in these units

# %% Three generators, one kernel each


def generator():
    layers = [Dense(LATENT, WIDTH), ReLU(), Dense(WIDTH, WIDTH), ReLU(), Dense(WIDTH, 2)]
    return Sequential(layers, (LATENT,), rng=options.seed, backend=backend)


def mmd(a, b, widths):
    """MMD² of host arrays and its gradient with respect to b."""
    a, b = (backend.asarray(part, "float32") for part in (a, b))
    value, gradient = mmd_squared(a, b, widths, backend=backend)
    return float(value), backend.to_numpy(gradient)


real_distance = wasserstein_assignment(x[:PAIRED], x[PAIRED : 2 * PAIRED])
found = {}
for name, widths in KERNELS.items():
    batch_rng, noise_rng, view_rng = np.random.default_rng(options.seed).spawn(3)
    batches = ((part - centre) / scale for part in Batches(data, BATCH, batch_rng, "float64"))
    G = generator()
    chance = {"latent": NormalLatent(LATENT), "rng": noise_rng, "schedule": LinearDecay(steps)}
    game = MomentMatching(G, Adam(G, 3e-3, betas=(0.9, 0.999)), bandwidths=widths, **chance)
    records = progress(train(game, batches, steps), game, steps, name=f"kernel {name}")
    losses = [record.generator_loss for record in records]
    y = game.sample(SAMPLES, view_rng).astype(float)
    found[name] = {
        "samples": y,
        "losses": losses,
        "push": -mmd(x, y, widths)[1],
        "floor": np.mean([mmd(x[:BATCH], x[k : k + BATCH], widths)[0] for k in (256, 512)]),
        "wasserstein": wasserstein_assignment(x[:PAIRED], y[:PAIRED]),
    }
    print(f"kernel {name}: MMD² {losses[-1]:.5f}, W {found[name]['wasserstein']:.3f}")

# %% How alike are the pushes on neighbours?


def likeness(y, push):
    """The mean cosine between the push on a sample and that on its neighbour 0.3 away, or less."""
    unit = push / np.maximum(np.linalg.norm(push, axis=1, keepdims=True), 1e-12)
    i, j = cKDTree(y).query_pairs(0.3, output_type="ndarray").T
    return float((unit[i] * unit[j]).sum(axis=1).mean())


for result in found.values():
    result["likeness"] = likeness(result["samples"], result["push"])
narrow, wide, several = found.values()
claims = borne_out(
    {
        "The wide kernel pushes neighbours alike, the narrow one does not": wide["likeness"]
        > 0.7
        > narrow["likeness"],
        "With several widths, the samples come closest to the data": several["wasserstein"]
        < min(wide["wasserstein"], narrow["wasserstein"]),
    }
)

# %% Picture


@styled
def draw(figure):
    above, below = figure.subfigures(2, 1, height_ratios=[1.7, 1])
    panels, curves = above.subplots(1, len(found), sharey=True), below.subplots(1, 3, sharey=True)
    for axes, curve, (name, result) in zip(panels, curves, found.items(), strict=True):
        widths = KERNELS[name]
        y, push = result["samples"], result["push"][:ARROWS]
        axes.scatter(*x.T, s=5, color=REAL, alpha=0.4, linewidths=0, label="real")
        axes.scatter(*y.T, s=5, color=FAKE, linewidths=0, label="generated")
        length = np.linalg.norm(push, axis=1, keepdims=True)
        arrows = push / max(np.quantile(length, 0.9), 1e-12) * 0.45
        arrows /= np.maximum(1, np.linalg.norm(arrows, axis=1, keepdims=True) / 0.45)
        look = {"angles": "xy", "scale_units": "xy", "scale": 1, "color": INK, "width": 0.008}
        axes.quiver(*y[:ARROWS].T, *arrows.T, **look, zorder=3)
        between = f"{widths[0]:g}" + (f" to {widths[-1]:g}" if len(widths) > 1 else "")
        axes.set(title=f"{name}\n({between})", xlim=(-2.5, 2.5), ylim=(-2.5, 2.5), aspect="equal")
        axes.set_xlabel(f"distance to data: {result['wasserstein']:.2f}")
        draw_stretches(curve, result["losses"], OTHERS[0], label="MMD²")
        curve.axhline(result["floor"], color=INK, linestyle=":", label="two real batches")
        curve.set(yscale="log")
        curve.locator_params(axis="x", nbins=3)
    curves[0].set_ylabel("MMD²")
    curves[0].legend(loc="upper right")
    handles, labels = panels[0].get_legend_handles_labels()
    handles.append(Line2D([], [], linestyle="", marker=r"$\rightarrow$", color=INK, markersize=5))
    labels.append("push on a sample")
    title = f"Kernels and their widths. Among real samples, the distance is {real_distance:.2f}."
    above.suptitle(title)
    above.legend(handles, labels, loc="outside lower center", ncols=3, handletextpad=0.3)


figure = picture(8, 6.2)
draw(figure)
save_picture(figure, out.path("picture.png"))

figures = ("floor", "likeness", "wasserstein")
out.save_metrics(
    steps=steps,
    wasserstein_among_data=real_distance,
    claims=claims,
    loss={name: result["losses"][-1] for name, result in found.items()},
    **{key: {name: float(result[key]) for name, result in found.items()} for key in figures},
)
print(f"Files: {out.folder}")
