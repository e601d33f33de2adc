"""A GAN learns to write digits from 60,000 examples (MNIST).

The game is the one of toy.py; new are the networks. Five models, by name:

- dcgan-r1 (the default; six minutes on two cores) is made to draw as well as it can in that
  time: small networks and many steps; no batch norm in D, whose slope at real images is punished
  instead (R1); a large learning rate; noise in twenty pieces, since no digit lies half-way from a
  3 to a 7; and samples from a little less noise than the training's.
  By results.py, 10,000 samples then scored 9.49, with a Fréchet distance of 1.10 (real test images:
  9.82 and 0.18).
- dcgan (2 minutes): the networks and settings of Radford et al. 2015 (arXiv:1511.06434), in a
  quarter of the width: G unfolds 100 numbers into an image by transposed convolutions, D folds
  images up by strided ones, batch norm keeps both in step, all weights start from N(0, 0.02).
- mlp (80 seconds): dense layers alone.
- wgan-gp (5 minutes): the networks and the noise of dcgan-r1, but D is a critic, whose answer is a
  height instead of log odds; it is to slope by 1 on the ways from generated digits to real ones
  (Gulrajani et al. 2017, arXiv:1704.00028). The paper trains it five times for each step of G;
  within these minutes once is better, as G then has more steps.
- gmmn (2 minutes): no D at all. A fixed kernel compares whole batches, pixel by pixel, and dense
  layers learn to make its verdict small (Li et al. 2015, arXiv:1502.02761).

What to look at:
- picture.png and animation.gif: the same noise over the steps of training. First blobs, then
  strokes, then digits. When does a point of noise "decide" on its digit? (With dcgan-r1, D's loss
  jumps at every eighth step, when it holds R1.)
- walk.png: from one point of noise to another. If digits change smoothly into each other, G has
  learnt more than to repeat the examples. Noise from a cube is walked along straight lines,
  normal noise, whose points all lie near a sphere, along great circles, and from piece to piece
  straight through the gap. What is drawn there, where G was never trained?
- samples.png: are all ten digits there? Which one is missing has collapsed. Why are gmmn's broken
  and full of specks? To a distance between pixels, a few specks are less than a stroke that lies
  one pixel off; a D learns that real digits have none.
- The losses in picture.png. Only gmmn's just falls: it is no game. Which of the others tell how
  good the digits are?
- pieces.png (noise in pieces): digits from each piece. Nobody told G what a digit is, and it sees
  no labels; yet most pieces have become one digit, or one way to write it.

What to try next:
  --model mlp               where do its digits look different, and why?
  --model dcgan --objective wasserstein   a critic with clipped weights; compare the losses
  --model wgan-gp --objective non-saturating   is it the objective that helps, or the penalty?
  --latent normal           noise in one piece: what lies between the digits now?
  --spread 0.6              narrower noise for the samples: clearer digits, less variety
  --samples 10000           also write so many samples to samples.npy (float32 in [-1, 1],
                            shape (N, 28, 28, 1)), to measure them

With --resume, a run that was interrupted goes on where it was.

The examples are looked for in --data-dir, in the folder that MINIGAN_DATA names, or in the cache,
to which they are downloaded. Files: picture.png, samples.png, walk.png, pieces.png,
animation.gif, checkpoint.npz, metrics.json, and samples.npy if asked for.
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from tqdm import tqdm

from minigan import (
    GAN,
    OBJECTIVES,
    R1,
    WGANGP,
    Adam,
    BatchNorm,
    Conv2d,
    ConvTranspose2d,
    Dense,
    Flatten,
    He,
    LeakyReLU,
    LinearDecay,
    MomentMatching,
    Normal,
    Record,
    ReLU,
    Reshape,
    RMSProp,
    Sequential,
    Tanh,
    UniformLatent,
    WeightClipping,
    train,
)
from minigan.data import Batches, load_mnist
from minigan.latent import LATENTS
from minigan.parallel import ShardedGAN
from minigan.plotting import (
    draw_images,
    draw_progress,
    picture,
    replacing,
    save_animation,
    save_picture,
)
from minigan.regularizers import Regularizer
from support.demo import count, start

# %% Constants

AVERAGE = 0.999  # decay of the running average of G's weights, which makes the samples
FRAMES, QUICK_FRAMES = 24, 4


@dataclass(frozen=True)
class Recipe:
    """How both players are trained, and what constrains D."""

    optimizer: Callable
    lr: float
    discriminator_steps: int = 1  # for each step of G
    regularizer: Regularizer | None = None


@dataclass(frozen=True)
class Settings:
    """What belongs to a model.

    spread: of the samples' noise, as a share of the training's. objective: unless another is asked
    for; None: there is no D. recipe: for any objective; None: RECIPES has one for each.
    """

    batch: int
    dimension: int  # of the noise
    latent: str
    spread: float
    steps: int
    quick_steps: int
    objective: str | None = "non-saturating"
    recipe: Recipe | None = None


RECIPES = {  # that work, for the models without one of their own
    "wasserstein": Recipe(RMSProp, 5e-5, 5, WeightClipping(0.01)),
    "others": Recipe(Adam, 2e-4),
}
WITH_R1 = Recipe(Adam, 1e-3, 1, R1(1.0, every=8))
WITH_GP = Recipe(partial(Adam, betas=(0.5, 0.9)), 1e-3, 1, WGANGP(10, every=4))
MODELS = {
    "mlp": Settings(64, 100, "uniform", 1.0, 12000, 40),
    "dcgan": Settings(64, 100, "uniform", 1.0, 5000, 6),
    "dcgan-r1": Settings(32, 52, "mixture", 0.8, 18000, 6, recipe=WITH_R1),
    "wgan-gp": Settings(32, 52, "mixture", 0.8, 15000, 6, "wasserstein", WITH_GP),
    "gmmn": Settings(250, 10, "uniform", 1.0, 16000, 6, None, Recipe(Adam, 2e-3)),
}

# Widths of gmmn's kernel, a sum of Gaussians. Li et al. write exp(-d^2 / 2 s), s = 2, 5, ... 80, so
# that s is a squared width; and pixels in [-1, 1] instead of [0, 1] double all distances d.
KERNELS = [2 * s**0.5 for s in (2, 5, 10, 20, 40, 80)]


def add_options(parser):
    parser.add_argument("--model", choices=sorted(MODELS), default="dcgan-r1", help="see above")
    parser.add_argument("--objective", choices=sorted(OBJECTIVES), help="(default: the model's)")
    parser.add_argument("--latent", choices=sorted(LATENTS), help="(default: the model's)")
    parser.add_argument("--spread", type=float, help="of the samples' noise (default: the model's)")
    parser.add_argument("--samples", type=count, default=0, help="how many to write (default: 0)")
    parser.add_argument("--data-dir", help="folder that holds the MNIST files")


FILES = ["picture.png", "samples.png", "walk.png", "pieces.png", "animation.gif", "samples.npy"]
FILES += ["checkpoint.npz"]
options, out = start("mnist", __doc__, FILES, add_options)
settings = MODELS[options.model]
if options.objective and settings.objective is None:
    problem = f"{options.model} has no discriminator to train for {options.objective!r}"
    raise SystemExit(f"mnist.py: {problem}: leave --objective out")
objective = options.objective or settings.objective
recipe = settings.recipe or RECIPES.get(objective, RECIPES["others"])
latent = LATENTS[options.latent or settings.latent](settings.dimension)
spread = settings.spread if options.spread is None else options.spread
steps = options.steps or (settings.quick_steps if options.quick else settings.steps)
batch_rng, noise_rng, weight_rng, view_rng = np.random.default_rng(options.seed).spawn(4)

# %% The data: images (N, 28, 28, 1), -1 is background and 1 is ink; nobody needs the labels

images, _ = load_mnist("train", options.data_dir)
batches = Batches(images, settings.batch, batch_rng)

# %% The networks

few, many = 32, 64  # channels at 14 x 14 and at 7 x 7 (Radford et al.: 128 and up)


def mlp():
    generator = [Dense(latent.dimension, 256), ReLU(), Dense(256, 512), ReLU()]
    generator += [Dense(512, 784), Tanh(), Reshape(28, 28, 1)]
    discriminator = [Flatten(), Dense(784, 512), LeakyReLU(0.2)]
    discriminator += [Dense(512, 256), LeakyReLU(0.2), Dense(256, 1)]
    return generator, discriminator


def unfold(init):
    # Noise -> 7 x 7 -> 14 x 14 -> 28 x 28. No bias where batch norm brings one.
    layers = [Dense(latent.dimension, 7 * 7 * many, bias=False, init=init), Reshape(7, 7, many)]
    layers += [BatchNorm(many), ReLU()]
    layers += [ConvTranspose2d(many, few, 4, stride=2, padding=1, bias=False, init=init)]
    layers += [BatchNorm(few), ReLU()]
    return [*layers, ConvTranspose2d(few, 1, 4, stride=2, padding=1, init=init), Tanh()]


def dcgan():
    init = Normal(0.02)
    discriminator = [Conv2d(1, few, 4, stride=2, padding=1, init=init), LeakyReLU(0.2)]
    discriminator += [Conv2d(few, many, 4, stride=2, padding=1, bias=False, init=init)]
    discriminator += [BatchNorm(many), LeakyReLU(0.2)]
    discriminator += [Flatten(), Dense(7 * 7 * many, 1, init=init)]
    return unfold(init), discriminator


def dcgan_r1():
    discriminator = [Conv2d(1, few, 4, stride=2, padding=1), LeakyReLU(0.2)]
    discriminator += [Conv2d(few, many, 4, stride=2, padding=1), LeakyReLU(0.2)]
    discriminator += [Flatten(), Dense(7 * 7 * many, 256), LeakyReLU(0.2), Dense(256, 1)]
    return unfold(He()), discriminator


def gmmn():
    generator = [Dense(latent.dimension, 256, bias=False), BatchNorm(256), ReLU()]
    generator += [Dense(256, 512, bias=False), BatchNorm(512), ReLU()]
    return [*generator, Dense(512, 784), Tanh(), Reshape(28, 28, 1)], None


NETWORKS = {"mlp": mlp, "dcgan": dcgan, "dcgan-r1": dcgan_r1, "wgan-gp": dcgan_r1, "gmmn": gmmn}
layers_of_G, layers_of_D = NETWORKS[options.model]()
G = Sequential(layers_of_G, (latent.dimension,), rng=weight_rng, backend=options.backend)
schedule = LinearDecay(steps)  # constant for half of the run, then falling to zero
shared = {"latent": latent, "rng": noise_rng, "schedule": schedule}
print(f"The generator\n{G}\n")
if layers_of_D is None:
    gan = MomentMatching(G, recipe.optimizer(G, recipe.lr), bandwidths=KERNELS, **shared)
else:
    D = Sequential(layers_of_D, (28, 28, 1), rng=weight_rng, backend=options.backend)
    print(f"The discriminator\n{D}\n")
    # Images are worth two threads, with half of each batch each; a GPU has threads of its own.
    game = GAN if options.model == "mlp" or options.backend.name != "numpy" else ShardedGAN
    gan = game(
        G,
        D,
        objective,
        generator_optimizer=recipe.optimizer(G, recipe.lr),
        discriminator_optimizer=recipe.optimizer(D, recipe.lr),
        discriminator_steps=recipe.discriminator_steps,
        regularizer=recipe.regularizer,
        average_decay=AVERAGE,
        **shared,
    )

# %% Training

normal = latent.dimension - latent.components  # the dimensions before the choice of a piece


def noise(n):
    """What samples are made from: the training's noise, narrower by `spread` (the "truncation
    trick", Brock et al. 2019, arXiv:1809.11096: variety is traded for clarity)."""
    z = latent.sample(n, view_rng)
    z[:, :normal] *= spread
    return z


def losses_of(record):
    """Of D (NaN where there is none) and of G."""
    return getattr(record, "discriminator_loss", np.nan), record.generator_loss


z = noise(100)  # always the same noise, to see what becomes of it
frames = QUICK_FRAMES if options.quick else FRAMES
stops = set(np.linspace(0, steps, frames + 1).round().astype(int).tolist())
history = {"looks": [(0, gan.generate(z))], "records": []}
session = out.session(gan, batches, history)
looks, records = history["looks"], [Record(**record) for record in history["records"]]
history["records"] = records  # to be read later: a GPU then never waits for us to look
run = session.run(train(gan, batches, steps - gan.steps))
for record in (bar := tqdm(run, initial=gan.steps, total=steps, unit="step")):
    records.append(record)
    if record.step in stops:
        looks.append((record.step, gan.generate(z)))
    if record.step % 10 == 0:
        bar.set_postfix_str("losses: D {:.3f}, G {:.3f}".format(*losses_of(record)))
losses = np.array([losses_of(record) for record in records]).T  # (2, steps)
seconds = sum(record.seconds for record in records)

# %% Pictures: ten points of noise over the steps, samples, an animation

rows = sorted({round((len(looks) - 1) * part) for part in (1 / 24, 1 / 8, 1 / 4, 1 / 2, 1)})
curves = {"losses": losses}
if objective and gan.objective.log_odds:  # the losses of a D that answers 1/2
    curves |= {"balance": gan.objective.undecided_losses(), "unit": "nats"}

figure = picture(13, 4.4)
title = "The same noise, step by step"
history = np.stack([looks[row][1][:10] for row in rows])
draw_progress(figure, [looks[row][0] for row in rows], history, title=title, **curves)
save_picture(figure, out.path("picture.png"))

figure = picture(6, 6.3)
draw_images(figure, looks[-1][1], 10, f"Samples after {steps:,} steps")
save_picture(figure, out.path("samples.png"))


def draw(look):
    draw_images(figure, look[1][:36], 6, f"step {look[0]:,}")


figure = picture(4, 4.3)
save_animation(figure, out.path("animation.gif"), draw, looks)

# %% A walk through the latent space


def between(a, b, t):
    """The point at t in [0, 1] on the way from a to b, where the noise is dense."""
    straight = (1 - t) * a + t * b
    if isinstance(latent, UniformLatent):
        return straight
    a, b = a[:normal], b[:normal]
    angle = np.arccos(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))
    arc = (np.sin((1 - t) * angle) * a + np.sin(t * angle) * b) / np.sin(angle)
    return np.concatenate([arc, straight[normal:]])


walks = [between(a, b, t) for a, b in itertools.pairwise(z[:9]) for t in np.linspace(0, 1, 12)]
figure = picture(8, 5.8)
title = "Walks from noise to noise, each row from left to right"
draw_images(figure, gan.generate(np.array(walks)), 12, title)
save_picture(figure, out.path("walk.png"))

# %% Noise in pieces: what has become of each?

if latent.components:
    rows_of_pieces = np.repeat(np.eye(latent.components), 12, axis=0)
    pieces = noise(len(rows_of_pieces))
    pieces[:, normal:] = rows_of_pieces * pieces[:, normal:].max()
    figure = picture(6, 0.5 * latent.components + 0.4)
    draw_images(figure, gan.generate(pieces), 12, "A row for each piece of the noise")
    save_picture(figure, out.path("pieces.png"))

# %% Samples and metrics

if options.samples:
    samples = gan.generate(noise(options.samples))
    with replacing(out.path("samples.npy")) as temporary:
        np.save(temporary, samples)

out.save_metrics(
    objective=objective,
    latent=repr(latent),
    spread=spread,
    discriminator_loss=losses[0, -1],
    generator_loss=losses[1, -1],
    steps=steps,
    seconds=seconds,
    steps_per_second=steps / seconds,
)
print(f"{steps} steps in {seconds:.1f} s. Files: {out.folder}")
