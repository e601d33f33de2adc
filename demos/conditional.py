"""A GAN writes the digit that you ask for: P(x | y) instead of P(x).

The game is the one of mnist.py; the label y is new, and both players see it (Mirza & Osindero
2014, arXiv:1411.1784). G takes it beside its noise, as ten numbers of which one is 1. D sees it
beside the image, as ten further channels of which one is white. So a perfect 3 is a fake, too, if
a 7 was asked for, and G learns to write what is asked for, although it is never told what a digit
is. It takes about three minutes.

What to look at:
- digits.png: a row for each digit, and the same noise in each column. The label says what is
  written, the noise how: slant, width and roundness stay the same down a column.
- confusion.png: what was asked for against what a classifier reads. Which pairs does G mix up?
  Would you mix up the same pairs?
- picture.png and animation.gif: the digits 0 to 9 over the steps of training. Which comes first,
  a clear digit or the right one? (D's loss jumps at every eighth step: only these include R1.)

What to try next:
  --latent 1                almost no noise: ten digits, and how many ways to write them?
  --objective least-squares, --objective hinge: are more digits right with another loss?
  --seed 1                  does each column have the same style as before?

Files: digits.png, confusion.png, picture.png, animation.gif and metrics.json, with the share of
samples that are classified as asked (by chance: 10 %), for each digit and for all together, beside
the classifier's accuracy on real test images.
"""

import numpy as np

from minigan import (
    OBJECTIVES,
    R1,
    Adam,
    BatchNorm,
    ConditionalGAN,
    Conv2d,
    ConvTranspose2d,
    Dense,
    Flatten,
    LeakyReLU,
    LinearDecay,
    NormalLatent,
    ReLU,
    Reshape,
    Sequential,
    Tanh,
    train,
)
from minigan.data import Batches, load_mnist
from minigan.metrics import mnist_classifier
from minigan.plotting import picture, save_picture
from support.demo import start
from support.image_pictures import draw_confusion, save_movie, save_progress, save_rows
from support.options import positive
from support.training import looking_steps, losses_of, progress

# %% Constants

CLASSES, BATCH, CHANNELS = 10, 32, 16  # channels at 14 x 14; twice as many at 7 x 7
AVERAGE = 0.998  # decay of the running average of G's weights, which makes the samples
STEPS, QUICK_STEPS = 8000, 6
ASKED, QUICK_ASKED = 500, 10  # how many of each digit are asked for in the end, and classified
FRAMES, QUICK_FRAMES = 24, 4


def add_options(parser):
    parser.add_argument("--objective", choices=sorted(OBJECTIVES), default="non-saturating")
    parser.add_argument("--latent", type=positive, default=10, help="dimensions (default: 10)")
    parser.add_argument("--data-dir", help="folder that holds the MNIST files")


FILES = ["digits.png", "confusion.png", "picture.png", "animation.gif"]
options, out = start("conditional", __doc__, FILES, add_options)
steps = options.steps or (QUICK_STEPS if options.quick else STEPS)
batch_rng, noise_rng, weight_rng, view_rng = np.random.default_rng(options.seed).spawn(4)

# %% The data: images (N, 28, 28, 1) in [-1, 1] and, this time, their labels

batches = Batches(load_mnist("train", options.data_dir), BATCH, batch_rng)

# %% The networks: each has ten inputs more than in mnist.py

few, many = CHANNELS, 2 * CHANNELS
layers_of_G = [Dense(options.latent + CLASSES, 7 * 7 * many, bias=False), Reshape(7, 7, many)]
layers_of_G += [BatchNorm(many), ReLU()]
layers_of_G += [ConvTranspose2d(many, few, 4, stride=2, padding=1, bias=False)]
layers_of_G += [BatchNorm(few), ReLU()]
layers_of_G += [ConvTranspose2d(few, 1, 4, stride=2, padding=1), Tanh()]
layers_of_D = [Conv2d(1 + CLASSES, few, 4, stride=2, padding=1), LeakyReLU(0.2)]
layers_of_D += [Conv2d(few, many, 4, stride=2, padding=1), LeakyReLU(0.2)]
layers_of_D += [Flatten(), Dense(7 * 7 * many, 128), LeakyReLU(0.2), Dense(128, 1)]

shapes = (options.latent + CLASSES,), (28, 28, 1 + CLASSES)
G = Sequential(layers_of_G, shapes[0], rng=weight_rng, backend=options.backend)
D = Sequential(layers_of_D, shapes[1], rng=weight_rng, backend=options.backend)
gan = ConditionalGAN(
    G,
    D,
    options.objective,
    classes=CLASSES,
    generator_optimizer=Adam(G, 1e-3),
    discriminator_optimizer=Adam(D, 1e-3),
    regularizer=R1(1.0, every=8),  # instead of batch norm in D
    latent=NormalLatent(options.latent),
    rng=noise_rng,
    average_decay=AVERAGE,
    schedule=LinearDecay(steps),  # constant for half of the run, then falling to zero
)
print(f"The generator\n{G}\n\nThe discriminator\n{D}\n")

digits = np.arange(CLASSES)
z = gan.latent.sample(CLASSES, view_rng)  # always the same noise, to see what becomes of it


def write(labels, columns=CLASSES):
    """A row for each label, each column from the same noise."""
    return gan.generate(np.tile(z[:columns], (len(labels), 1)), np.repeat(labels, columns))


def save_digits():
    title = "The same noise down each column"
    save_rows(out.path("digits.png"), looks[-1][1], digits, "asked for", (6.3, 6.3), title)


stops = looking_steps(steps, QUICK_FRAMES if options.quick else FRAMES)
looks, records = [(0, write(digits))], []

# %% Training

for record in progress(train(gan, batches, steps - gan.steps), gan, steps):
    records.append(record)
    if record.step in stops:
        looks.append((record.step, write(digits)))
        save_digits()  # there is something to see as it goes
losses, seconds = losses_of(records), sum(record.seconds for record in records)

# %% Pictures: a row per digit, the digits over the steps, an animation

every_digit = slice(0, None, CLASSES)  # of the images of a look: 0 to 9, all from the first noise
title = "0 to 9 from the same noise, step by step"
tens = [(step, images[every_digit]) for step, images in looks]
save_progress(out.path("picture.png"), tens, losses, title)
save_movie(out.path("animation.gif"), looks, CLASSES, (5, 5.3))

# %% Does G do as it is asked?

print("Asking the classifier ...")
classifier = mnist_classifier()
asked = np.repeat(digits, QUICK_ASKED if options.quick else ASKED)
seen = classifier(gan.sample(asked, view_rng))[0].argmax(axis=1)
confusion = np.zeros((CLASSES, CLASSES))
np.add.at(confusion, (asked, seen), CLASSES / len(asked))
as_asked = np.diag(confusion)

figure = picture(6.3, 5.4)
draw_confusion(figure, confusion, f"Classified as asked: {as_asked.mean():.1%}")
save_picture(figure, out.path("confusion.png"))

out.save_metrics(
    classified_as_asked=as_asked.mean(),
    classified_as_asked_by_digit=as_asked.tolist(),
    classifier_accuracy=classifier.accuracy,
    classifier_digest=classifier.digest,
    discriminator_loss=losses[0, -1],
    generator_loss=losses[1, -1],
    steps=steps,
    seconds=seconds,
    steps_per_second=steps / seconds,
)
print(f"{as_asked.mean():.1%} as asked, {steps} steps in {seconds:.1f} s. Files: {out.folder}")
