"""A GAN learns to write digits from 60,000 examples (MNIST).

The game is the one of toy.py; new are the networks. --model mlp uses dense layers alone, --model
dcgan the convolutions of Radford et al. 2015 (arXiv:1511.06434): G unfolds 100 numbers into an
image by transposed convolutions, D folds images up by strided ones, batch norm keeps both in
step, and all weights start from N(0, 0.02). On two cores dcgan takes about 8 minutes, and mlp 3.

What to look at:
- picture.png and animation.gif: the same noise over the steps of training. First blobs, then
  strokes, then digits. When does a point of noise "decide" on its digit?
- walk.png: from one point of noise to another. If digits change smoothly into each other, G has
  learnt more than to repeat the examples. Noise from a cube is walked along straight lines; with
  --latent normal, whose points all lie near a sphere, along great circles.
- samples.png: are all ten digits there? Which one is missing has collapsed.

What to try next:
  --model mlp               where do its digits look different, and why?
  --objective wasserstein   a critic with clipped weights; compare the losses
  --latent normal           does the shape of the noise matter?
  --samples 10000           also write so many samples to samples.npy (float32 in [-1, 1],
                            shape (N, 28, 28, 1)), to measure them

With --resume, a run that was interrupted goes on where it was.

The examples are looked for in --data-dir, in the folder that MINIGAN_DATA names, or in the cache,
to which they are downloaded. Files: picture.png, samples.png, walk.png, animation.gif,
checkpoint.npz, metrics.json, and samples.npy if asked for.
"""

import itertools

import numpy as np
from tqdm import tqdm

from minigan import (
    GAN,
    OBJECTIVES,
    Adam,
    BatchNorm,
    Conv2d,
    ConvTranspose2d,
    Dense,
    Flatten,
    LeakyReLU,
    LinearDecay,
    Normal,
    ReLU,
    Reshape,
    RMSProp,
    Sequential,
    Tanh,
    WeightClipping,
    train,
)
from minigan.data import Batches, load_mnist
from minigan.demo import count, start
from minigan.latent import LATENTS
from minigan.plotting import (
    draw_images,
    draw_progress,
    picture,
    replacing,
    save_animation,
    save_picture,
)

# %% Constants

BATCH, LATENT = 64, 100
CHANNELS = 32  # of images of 14 x 14; twice as many at 7 x 7 (the paper: 128 and up)
AVERAGE = 0.999  # decay of the running average of G's weights, which makes the samples
STEPS, QUICK_STEPS = {"mlp": 12000, "dcgan": 5000}, {"mlp": 40, "dcgan": 6}
FRAMES, QUICK_FRAMES = 24, 4

# What works: optimizer, learning rate, steps of D for each of G, how D is constrained
RECIPES = {
    "minimax": (Adam, 2e-4, 1, None),
    "non-saturating": (Adam, 2e-4, 1, None),
    "wasserstein": (RMSProp, 5e-5, 5, WeightClipping(0.01)),
}


def add_options(parser):
    parser.add_argument("--model", choices=sorted(STEPS), default="dcgan", help="(default: dcgan)")
    parser.add_argument("--objective", choices=sorted(OBJECTIVES), default="non-saturating")
    parser.add_argument("--latent", choices=sorted(LATENTS), default="uniform")
    parser.add_argument("--samples", type=count, default=0, help="how many to write (default: 0)")
    parser.add_argument("--data-dir", help="folder that holds the MNIST files")


FILES = ["picture.png", "samples.png", "walk.png", "animation.gif", "samples.npy"]
FILES += ["checkpoint.npz"]
options, out = start("mnist", __doc__, FILES, add_options)
recipe = RECIPES.get(options.objective, RECIPES["non-saturating"])
optimizer, lr, discriminator_steps, constraint = recipe
steps = options.steps or (QUICK_STEPS if options.quick else STEPS)[options.model]
batch_rng, noise_rng, weight_rng, view_rng = np.random.default_rng(options.seed).spawn(4)

# %% The data: images (N, 28, 28, 1), -1 is background and 1 is ink; nobody needs the labels

images, _ = load_mnist("train", options.data_dir)
batches = Batches(images, BATCH, batch_rng)

# %% The networks


def mlp():
    generator = [Dense(LATENT, 256), ReLU(), Dense(256, 512), ReLU()]
    generator += [Dense(512, 784), Tanh(), Reshape(28, 28, 1)]
    discriminator = [Flatten(), Dense(784, 512), LeakyReLU(0.2)]
    discriminator += [Dense(512, 256), LeakyReLU(0.2), Dense(256, 1)]
    return generator, discriminator


def dcgan():
    few, many, init = CHANNELS, 2 * CHANNELS, Normal(0.02)
    # 100 -> 7 x 7 -> 14 x 14 -> 28 x 28, and back. No bias where batch norm brings one.
    generator = [Dense(LATENT, 7 * 7 * many, bias=False, init=init), Reshape(7, 7, many)]
    generator += [BatchNorm(many), ReLU()]
    generator += [ConvTranspose2d(many, few, 4, stride=2, padding=1, bias=False, init=init)]
    generator += [BatchNorm(few), ReLU()]
    generator += [ConvTranspose2d(few, 1, 4, stride=2, padding=1, init=init), Tanh()]
    discriminator = [Conv2d(1, few, 4, stride=2, padding=1, init=init), LeakyReLU(0.2)]
    discriminator += [Conv2d(few, many, 4, stride=2, padding=1, bias=False, init=init)]
    discriminator += [BatchNorm(many), LeakyReLU(0.2)]
    discriminator += [Flatten(), Dense(7 * 7 * many, 1, init=init)]
    return generator, discriminator


layers_of_G, layers_of_D = {"mlp": mlp, "dcgan": dcgan}[options.model]()
G = Sequential(layers_of_G, (LATENT,), rng=weight_rng, backend=options.backend)
D = Sequential(layers_of_D, (28, 28, 1), rng=weight_rng, backend=options.backend)
gan = GAN(
    G,
    D,
    options.objective,
    generator_optimizer=optimizer(G, lr),
    discriminator_optimizer=optimizer(D, lr),
    discriminator_steps=discriminator_steps,
    regularizer=constraint,
    latent=LATENTS[options.latent](LATENT),
    rng=noise_rng,
    average_decay=AVERAGE,
    schedule=LinearDecay(steps),  # constant for half of the run, then falling to zero
)
print(f"The generator\n{G}\n\nThe discriminator\n{D}\n")

# %% Training

z = gan.latent.sample(100, view_rng)  # always the same noise, to see what becomes of it
frames = QUICK_FRAMES if options.quick else FRAMES
stops = set(np.linspace(0, steps, frames + 1).round().astype(int).tolist())
history = {"looks": [(0, gan.generate(z))], "losses": [], "seconds": 0.0}
session = out.session(gan, batches, history)
looks, losses = history["looks"], history["losses"]
records = session.run(train(gan, batches, steps - gan.steps))
for record in (bar := tqdm(records, initial=gan.steps, total=steps, unit="step")):
    losses.append((record.discriminator_loss, record.generator_loss))
    history["seconds"] += record.seconds
    if record.step in stops:
        looks.append((record.step, gan.generate(z)))
    if record.step % 10 == 0:
        bar.set_postfix_str(f"losses: D {losses[-1][0]:.3f}, G {losses[-1][1]:.3f}")
losses, seconds = np.array(losses).T, history["seconds"]  # (2, steps)

# %% Pictures: ten points of noise over the steps, samples, an animation

rows = sorted({round((len(looks) - 1) * part) for part in (1 / 24, 1 / 8, 1 / 4, 1 / 2, 1)})
curves = {"losses": losses}
if options.objective in ("minimax", "non-saturating"):  # the losses of a D that answers 1/2
    zero = gan.asarray(np.zeros((1, 1)))
    even = gan.objective.discriminator(zero, zero)[0], gan.objective.generator(zero)[0]
    curves |= {"balance": [float(loss) for loss in even], "unit": "nats"}

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
    if options.latent == "uniform":
        return (1 - t) * a + t * b
    angle = np.arccos(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))
    return (np.sin((1 - t) * angle) * a + np.sin(t * angle) * b) / np.sin(angle)


walks = [between(a, b, t) for a, b in itertools.pairwise(z[:9]) for t in np.linspace(0, 1, 12)]
figure = picture(8, 5.8)
title = "Walks from noise to noise, each row from left to right"
draw_images(figure, gan.generate(np.array(walks)), 12, title)
save_picture(figure, out.path("walk.png"))

# %% Samples and metrics

if options.samples:
    samples = gan.sample(options.samples, view_rng)
    with replacing(out.path("samples.npy")) as temporary:
        np.save(temporary, samples)

out.save_metrics(
    discriminator_loss=losses[0, -1],
    generator_loss=losses[1, -1],
    steps=steps,
    seconds=seconds,
    steps_per_second=steps / seconds,
)
print(f"{steps} steps in {seconds:.1f} s. Files: {out.folder}")
