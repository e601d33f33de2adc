"""A GAN learns to write digits from 60,000 examples (MNIST).

The game is the one of toy.py; the networks are new. There are five models. (Times are those
of one core of a Sapphire Rapids Xeon; a core of Zen 5 takes less than half of them. Why the models
are set as they are: demos/support/image_models.py.)

- dcgan-r1 (the default; a quarter of an hour): convolutions, a penalty on D's slope at real
  images, noise in twenty pieces, many small steps.
- dcgan (6 minutes): the paper's networks, with a quarter of the channels. G unfolds 100 numbers
  into an image by transposed convolutions; D folds images up by strided ones.
- mlp (3 minutes): dense layers only.
- wgan-gp (12 minutes): dcgan-r1's networks and noise, and D is a critic: it gives each image a
  height instead of log odds.
- gmmn (5 minutes): no D at all. A fixed kernel compares whole batches, pixel by pixel, and dense
  layers learn to make the difference small.

What to look at:
- picture.png and animation.gif: the same noise over the steps of training. First blobs, then
  strokes, then digits. When does a point of noise "decide" on its digit? (With dcgan-r1, D's loss
  jumps at every eighth step: only these include R1.)
- walk.png: from one point of noise to another. If digits change smoothly into each other, G has
  learnt more than to repeat the examples. A walk keeps to where the noise is: straight lines
  through a cube, arcs of great circles for normal noise. But from piece to piece it goes through
  the gap between them. What is drawn there, where G was never trained?
- samples.png: are all ten digits there, or are some missing (mode collapse)? Why are gmmn's broken
  and full of specks? Measured pixel by pixel, a few specks are a smaller error than a stroke
  that lies one pixel off. A D learns that real digits have no specks.
- The losses in picture.png. Only gmmn's simply falls: it is no game. Do any of the others tell
  how good the digits are?
- pieces.png (noise in pieces): digits from each piece, and its share of the samples. G sees no
  labels; yet most pieces have become one digit, or one way to write it. In training all are drawn
  equally often, so that three pieces of ones make too many ones; G cannot mend that, but D
  notices. So in the end D is asked how much more likely the digits of a piece are among real ones.

What to try next:
  --model mlp               where do its digits look different, and why?
  --model dcgan --objective wasserstein   a critic with clipped weights; compare the losses
  --model wgan-gp --objective non-saturating   is it the objective that helps, or the penalty?
  --latent normal           noise in one piece: what lies between the digits now?
  --spread 0.6              less noise for the samples: clearer digits, less variety
  --data fashion-mnist --data-dir FOLDER   shirts and shoes, from idx files that you have
  --processes 2             half of each batch in each of two processes: needs mpi4py and an MPI,
                            pip install 'minigan[mpi]'; see ranks.py
  --samples 10000           also write so many samples to samples.npy (float32 in [-1, 1],
                            shape (N, 28, 28, 1)), to measure them

The samples are drawn again and again as they get better. With --resume, an interrupted run goes on
from its last checkpoint.

The examples are looked for in --data-dir, in the folder that MINIGAN_DATA names, and in the cache,
to which they are otherwise downloaded. Files: picture.png, samples.png, walk.png, pieces.png,
animation.gif, checkpoint.npz, generator.npz (for `minigan.load`), metrics.json, and samples.npy if
asked for. At the end, the classifier that comes with the package judges 10,000 samples; what real
images score, demos/RESULTS.md says.
"""

import itertools

import numpy as np

from minigan import (
    GAN,
    OBJECTIVES,
    BatchNorm,
    Conv2d,
    ConvTranspose2d,
    Dense,
    Flatten,
    He,
    LeakyReLU,
    MomentMatching,
    Normal,
    ReLU,
    Reshape,
    Sequential,
    Tanh,
    save,
    train,
)
from minigan.data import Batches, load_mnist
from minigan.files import replacing
from minigan.latent import LATENTS
from minigan.metrics import image_scores, mnist_classifier
from support.demo import start
from support.image_models import KERNELS, MODELS
from support.image_pictures import (
    save_images,
    save_movie,
    save_progress,
    save_rows,
)
from support.options import count, number
from support.training import looking_steps, losses_of, progress, records_of
from support.walks import between

# %% Constants

AVERAGE = 0.999  # decay of the running average of G's weights, which makes the samples
FRAMES, QUICK_FRAMES = 24, 4
JUDGED, QUICK_JUDGED = 10_000, 100  # samples, by the classifier of digits
WEIGHED, QUICK_WEIGHED = 10_000, 500  # samples, by D, to find how often to draw each piece


def add_options(parser):
    parser.add_argument("--model", choices=sorted(MODELS), default="dcgan-r1", help="see above")
    parser.add_argument("--objective", choices=sorted(OBJECTIVES), help="(default: the model's)")
    parser.add_argument("--latent", choices=sorted(LATENTS), help="(default: the model's)")
    parser.add_argument("--spread", type=number, default=1.0, help="of the samples' noise (1)")
    parser.add_argument("--samples", type=count, default=0, help="how many to write (default: 0)")
    parser.add_argument(
        "--data",
        default="mnist",
        metavar="NAME",
        help="mnist (the default), or another set of idx files of its form, whose files you have: "
        "fashion-mnist, emnist-letters, qmnist, or any name",
    )
    parser.add_argument(
        "--data-dir", help="folder that holds the files, or has a sub-folder NAME that does"
    )


def check(options):
    chosen = MODELS[options.model]
    chosen.recipe_for(options.objective)
    try:
        chosen.make_latent(options.latent)
    except ValueError as error:
        raise ValueError(f"--latent {options.latent}: of this model's noise, {error}") from None


FILES = ["picture.png", "samples.png", "walk.png", "pieces.png", "animation.gif", "generator.npz"]
options, out = start(
    "mnist", __doc__, [*FILES, "samples.npy", "checkpoint.npz"], add_options, check
)
model = MODELS[options.model]  # its recipe, batch and noise
recipe = model.recipe_for(options.objective)
latent = model.make_latent(options.latent)
steps = options.steps or (model.quick_steps if options.quick else recipe.steps)
batch_rng, noise_rng, weight_rng, view_rng = np.random.default_rng(options.seed).spawn(4)

# %% The data: images (N, 28, 28, 1), -1 is background and 1 is ink; the labels are not needed

images, _ = load_mnist("train", options.data_dir, name=options.data)
batches = Batches(images, model.batch, batch_rng)

# %% The networks

few, many = model.channels  # at 14 x 14 and at 7 x 7


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
print(f"The generator\n{G}\n")
if layers_of_D is not None:
    D = Sequential(layers_of_D, (28, 28, 1), rng=weight_rng, backend=options.backend)
    print(f"The discriminator\n{D}\n")

# %% The game, and what is remembered of it

shared = {"latent": latent, "rng": noise_rng, "schedule": recipe.schedule(steps)}
if layers_of_D is None:
    optimizer = recipe.make_optimizer(G, "generator")
    gan = MomentMatching(G, optimizer, bandwidths=KERNELS, **shared)
else:
    players = recipe.players(G, D, steps)
    gan = GAN(G, D, recipe.objective, average_decay=AVERAGE, **players, **shared)


def noise(n):
    """The training's noise, but narrower by --spread: less variety, more clarity.

    (The "truncation trick": Brock et al. 2019, arXiv:1809.11096.)
    """
    z = latent.sample(n, view_rng)
    z[:, : latent.continuous] *= options.spread
    return z


z = noise(100)  # always the same noise, to see what becomes of it
stops = looking_steps(steps, QUICK_FRAMES if options.quick else FRAMES)
history = {"looks": [(0, gan.generate(z))], "records": []}
session = out.session(gan, batches, history, steps)  # with --resume, all three as they were
looks, records = history["looks"], records_of(history)

# %% Training


def save_samples(step, images):
    save_images(out.path("samples.png"), images, 10, (6, 6.3), f"Samples after {step:,} steps")


run = session.run(train(gan, batches, steps - gan.steps))
for record in progress(run, gan, steps):
    records.append(record)
    if record.step in stops:
        looks.append((record.step, gan.generate(z)))
        save_samples(*looks[-1])  # there is something to see as it goes
losses, seconds = losses_of(records), sum(record.seconds for record in records)

# %% Noise in pieces: what has become a 1 stays a 1, but D knows which pieces come too often

if latent.components and layers_of_D and gan.objective.log_odds:
    weighed = noise(QUICK_WEIGHED if options.quick else WEIGHED)
    logits = gan.judge(gan.generate(weighed))
    latent = latent.reweighted(weighed, logits)  # from here on; training had equal shares

# %% Pictures: ten points of noise over the steps, samples, an animation

title = "The same noise, step by step"
curves = {}
if layers_of_D and gan.objective.log_odds:  # the losses of a D that answers 1/2
    curves = {"balance": gan.objective.undecided_losses(), "unit": "nats"}
if options.model == "dcgan-r1":
    curves["note"] = "mean, and range; D's grey band is wide, as R1 is added at every 8th step"
tens = [(step, images[:10]) for step, images in looks]
save_progress(out.path("picture.png"), tens, losses, title, **curves)
save_samples(*looks[-1])
save_movie(out.path("animation.gif"), [(step, x[:36]) for step, x in looks], 6, (4, 4.3))

# %% A walk through the latent space; and noise in pieces: what has become of each?

title = "Walks from noise to noise, each row from left to right"
ends = itertools.pairwise(z[:9])
walks = [between(latent, a, b, t) for a, b in ends for t in np.linspace(0, 1, 12)]
save_images(out.path("walk.png"), gan.generate(np.array(walks)), 12, (8, 5.8), title)

if latent.components:
    title, size = "A row for each piece of the noise", (6.3, 0.46 * latent.components + 0.4)
    rows_of_pieces = np.repeat(np.eye(latent.components), 12, axis=0)
    pieces = noise(len(rows_of_pieces))
    pieces[:, latent.continuous :] = latent.scale * rows_of_pieces
    labels = [f"{share:.1%}" for share in latent.weights[0]]
    save_rows(
        out.path("pieces.png"), gan.generate(pieces), labels, "share of the samples", size, title
    )

# %% The generator, samples, what the classifier of digits thinks of them, metrics

network = G if gan.average is None else gan.average.network
save(
    network,
    out.path("generator.npz"),
    notes={
        "latent": options.latent or model.latent,
        "pieces": latent.components,
        "weights": latent.weights.tolist() if latent.components else None,
        "spread": options.spread,
        "steps": steps,
    },
)
if options.samples:
    samples = gan.generate(noise(options.samples))
    with replacing(out.path("samples.npy")) as temporary:
        np.save(temporary, samples)

judgement = {}
if options.data == "mnist":  # the classifier knows digits alone
    print("Asking the classifier ...")
    judged, classifier = QUICK_JUDGED if options.quick else JUDGED, mnist_classifier()
    _, real_features = classifier(images[: 5 * judged] if options.quick else images)
    scores = image_scores(gan.generate(noise(judged)), real_features, classifier)
    judgement = vars(scores) | {"classifier": classifier.digest}

out.save_metrics(
    objective=recipe.objective,
    latent=repr(latent),
    spread=options.spread,
    discriminator_loss=losses[0, -1],
    generator_loss=losses[1, -1],
    steps=steps,
    seconds=seconds,
    steps_per_second=steps / seconds,
    **judgement,
)
if judgement:
    print(f"Score {scores.score:.2f}, Fréchet distance {scores.frechet:.2f}, ", end="")
    print(
        f"precision {scores.precision:.3f}, recall {scores.recall:.3f}, by {classifier.digest[:8]}."
    )
print(f"{steps} steps in {seconds:.1f} s. Files: {out.folder}")
