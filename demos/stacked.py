"""Three digits at once, 1,000 modes: which of them does a generator miss? (Stacked MNIST.)

Three random digits of MNIST lie one upon the other as the red, the green and the blue channel of
one image. So there are 1,000 modes, 000 to 999, all about equally likely, and a classifier of
digits, asked three times, tells which mode a sample is of. On the plane a lost mode can be seen;
among images it has to be counted. The noise is in pieces, three times over: a choice among a
hundred, as if for each digit; nobody tells G to use them so. Four games with the same G, which
differ in D alone:

- no cure: batch norm in D, as in a DCGAN;
- packing: D judges two images side by side (PacGAN: Lin et al. 2018, arXiv:1712.04086);
- minibatch deviation: D is also told how much the images of its batch differ (Karras et al. 2018,
  arXiv:1710.10196);
- R1: no batch norm in D, but a penalty on its slope at real images, as in mnist.py.

What to look at:
- The printed table, by the protocol of VEEGAN and PacGAN: of 26,000 samples, how many of the 1,000
  modes are there, and the divergence KL(p ‖ uniform) of the shares p of the modes, in nats. The
  row of real images says what can be reached: 26 samples per mode are never spread quite evenly.
- A mode counts as soon as a single sample is taken for it, so that wrong digits reach modes, too.
  "Sure" is the share of samples of which the classifier is, with 90 % for each of the digits. Is
  the game with the most modes also the one with the clearest digits?
- picture.png: samples of each game. Do you find a digit that comes again and again?

What to try next:
  --games "no cure" R1      two of them only
  --games R1 --steps 20000  five times as long: are the digits clear, and are all modes there?
  --seed 1                  does each cure help again?

It takes about eight minutes on one core. What three seeds gave: RESULTS.md. Files: picture.png and
metrics.json.
"""

import numpy as np

from minigan import (
    GAN,
    R1,
    Adam,
    BatchNorm,
    Conv2d,
    ConvTranspose2d,
    Dense,
    Flatten,
    He,
    LeakyReLU,
    LinearDecay,
    MinibatchStd,
    MixtureLatent,
    Pack,
    ReLU,
    Reshape,
    Sequential,
    Tanh,
    train,
)
from minigan.data import load_mnist
from minigan.metrics import divergences, mnist_classifier
from minigan.plotting import picture, save_picture, show_rows, styled
from support.demo import start
from support.training import progress

# %% Constants

STEPS, QUICK_STEPS, BATCH = 4000, 4, 32
LATENT = MixtureLatent(330, 100, choices=3)  # 30 normal dimensions, and a piece for each digit
LR, BETAS, AVERAGE = 2e-3, (0.5, 0.99), 0.999
SAMPLES, QUICK_SAMPLES, SHOWN = 26_000, 200, 14
SURE = 0.9
GAMES = "no cure", "packing", "minibatch deviation", "R1"


def add_options(parser):
    parser.add_argument("--games", nargs="+", choices=GAMES, default=GAMES, help="(default: all)")
    parser.add_argument("--data-dir", help="folder that holds the MNIST files")


options, out = start("stacked", __doc__, ["picture.png"], add_options)
steps = options.steps or (QUICK_STEPS if options.quick else STEPS)
samples = QUICK_SAMPLES if options.quick else SAMPLES

# %% The data: (N, 28, 28, 3), each channel a digit of its own

digits, _ = load_mnist("train", options.data_dir)


def stacks(n, rng):
    """n images of three random digits each."""
    rows = rng.integers(len(digits), size=(3, n))
    return np.concatenate([digits[row] for row in rows], axis=-1)


# %% How many modes? A classifier of digits reads each channel

classifier = mnist_classifier()


def coverage(images):
    """The modes that are there, of 1,000, their KL from uniform, and the share of sure samples."""
    answers = [classifier(images[..., channel : channel + 1])[0] for channel in range(3)]
    hundreds, tens, ones = (answer.argmax(axis=1) for answer in answers)
    counts = np.bincount(100 * hundreds + 10 * tens + ones, minlength=1000)
    kl = divergences(counts / len(images), np.full(1000, 1 / 1000)).kl
    sure = np.min([answer.max(axis=1) for answer in answers], axis=0) > SURE
    return {"modes": int((counts > 0).sum()), "kl": kl, "sure": float(sure.mean())}


# %% The networks: one G, and a D for each game


def generator():
    layers = [Dense(LATENT.dimension, 7 * 7 * 64, bias=False, init=He()), Reshape(7, 7, 64)]
    layers += [BatchNorm(64), ReLU()]
    layers += [ConvTranspose2d(64, 32, 4, stride=2, padding=1, bias=False, init=He())]
    layers += [BatchNorm(32), ReLU()]
    return [*layers, ConvTranspose2d(32, 3, 4, stride=2, padding=1, init=He()), Tanh()]


def discriminator(game):
    pack, bounded, spread = game == "packing", game == "R1", game == "minibatch deviation"
    layers = [Pack(2)] if pack else []
    layers += [Conv2d(6 if pack else 3, 32, 4, stride=2, padding=1), LeakyReLU(0.2)]
    layers += [Conv2d(32, 64, 4, stride=2, padding=1, bias=bounded)]
    layers += [LeakyReLU(0.2)] if bounded else [BatchNorm(64), LeakyReLU(0.2)]
    layers += [MinibatchStd()] if spread else []
    return [
        *layers,
        Flatten(),
        Dense(7 * 7 * (65 if spread else 64), 256),
        LeakyReLU(0.2),
        Dense(256, 1),
    ]


# %% Each game from the same start, with the same data and noise


def play(game):
    """The game, trained, and the seconds that it took."""
    batch_rng, noise_rng, g_rng, d_rng = np.random.default_rng(options.seed).spawn(4)
    G = Sequential(generator(), (LATENT.dimension,), rng=g_rng, backend=options.backend)
    D = Sequential(discriminator(game), (28, 28, 3), rng=d_rng, backend=options.backend)
    gan = GAN(
        G,
        D,
        "non-saturating",
        latent=LATENT,
        rng=noise_rng,
        generator_optimizer=Adam(G, LR, betas=BETAS),
        discriminator_optimizer=Adam(D, LR, betas=BETAS),
        regularizer=R1(1.0, every=8) if game == "R1" else None,
        schedule=LinearDecay(steps),
        average_decay=AVERAGE,
    )
    batches = (stacks(BATCH, batch_rng) for _ in range(steps))
    records = list(progress(train(gan, batches, steps), gan, steps, name=game))
    return gan, sum(record.seconds for record in records)


view_rng = np.random.default_rng(options.seed).spawn(5)[4]
real = stacks(samples, view_rng)
sheets, found = {"real": real[:SHOWN]}, {"real": coverage(real)}
for game in options.games:
    gan, seconds = play(game)
    fakes = gan.sample(samples, view_rng)
    sheets[game], found[game] = fakes[:SHOWN], coverage(fakes) | {"seconds": seconds}

# %% The picture and the table


@styled
def draw(figure):
    labels = [f"{name}: {row['modes']:,} modes" for name, row in found.items()]
    show_rows(figure.subplots(), np.stack(list(sheets.values())), labels)
    figure.suptitle(f"Three digits at once, after {steps:,} steps", weight="bold")


figure = picture(8, 0.9 + 0.45 * len(found))
draw(figure)
save_picture(figure, out.path("picture.png"))

print(f"{'':20}{'modes':>7}{'KL':>8}{'sure':>7}{'seconds':>9}")
for name, row in found.items():
    took = f"{row['seconds']:9.0f}" if "seconds" in row else ""
    print(f"{name:20}{row['modes']:7}{row['kl']:8.3f}{row['sure']:7.1%}{took}")
out.save_metrics(steps=steps, games=found, classifier=classifier.digest)
print(f"Files: {out.folder}")
