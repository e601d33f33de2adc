"""A GAN learns eight Gaussians on a ring, and you watch.

The generator G turns noise into points of the plane; the discriminator D tells them from real
points, and G learns from D alone where the real ones are. The whole game is in this file: data,
networks, training, picture. It takes about 20 seconds on two cores and needs no download.

What to look at, in picture.png and animation.gif:
- Does G reach all eight modes, or only some, and does it lose some again? What settles it is the
  learning rate, which falls from half-time on.
- The background is D's verdict, and the arrows are the negative gradient of G's loss with
  respect to each generated point: D shows G the way, and nothing else does. (Their lengths
  compare within one moment only.) At the end D is unsure wherever there is anything to judge.
- The losses do not fall to zero, and that is success: the dotted lines are the losses of a D
  that cannot tell real from generated. A D whose loss is zero would have won, and G have lost.

What to try next:
  --seed 1                  the same game with other luck
  --preset sharp            four times as long (45 seconds): what is left between the modes?
  --objective minimax       G's loss as in the theory: do its arrows vanish where D is sure?
  --objective wasserstein   a critic without a sigmoid, its weights clipped
  --regularizer wgan-gp     the same critic, the length of its gradient kept at 1
  --objective moment-matching   no D at all: a fixed kernel compares the samples
  --objective feature-matching  all modes, but blurred: means of features are all that G sees
  --data grid               25 modes: how many are reached, and when?
  --data swiss-roll         no modes, but a thin curve

With --resume, a run that was interrupted goes on where it was. Each objective and each regularizer
comes with settings that work: see demos/support/recipes.py.

Files: picture.png, animation.gif, checkpoint.npz and metrics.json, with the modes captured, the
share of high-quality samples, the reverse KL divergence over the modes and the spread inside them
(see minigan/metrics/modes.py), and the seconds of training.
"""

import numpy as np
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from minigan import (
    GAN,
    OBJECTIVES,
    Dense,
    FeatureMatchingGAN,
    FourierFeatures,
    LeakyReLU,
    LinearDecay,
    MomentMatching,
    ReLU,
    Sequential,
    SpectralNorm,
    UniformLatent,
    train,
    witness,
)
from minigan.data import TOYS, Batches, GaussianMixture, toy
from minigan.metrics import ModeCoverage, mode_coverage
from minigan.plotting import Moment, draw_frame, draw_moments, picture, save_animation, save_picture
from support.demo import start
from support.recipes import RECIPES, find_recipe

# %% Constants

BATCH, WIDTH, LATENT = 256, 128, 2
DEPTH = 2  # hidden layers of D; those of G are the recipe's
WAVES, FINENESS = 16, 1.25  # Fourier features of D: how many, in radians per spread of the data
PRESETS = {"fast": 1, "sharp": 4}  # times as many steps
FEATURES = 5  # of D's layers make the features, in feature matching
KERNELS = (0.02, 0.05, 0.15, 0.5, 1.5)  # their widths, in moment matching
SAMPLES, JUDGED, ARROWS = 2500, 500, 100  # generated; of them with a gradient; with an arrow
GRID = 100  # points of the plane, a side, at which D is asked
FRAMES, QUICK_FRAMES, QUICK_STEPS = 24, 4, 200


def add_options(parser):
    plane = [name for name in TOYS if toy(name).dimension == 2]
    objectives = sorted({recipe.objective for recipe in RECIPES})
    regularizers = sorted({recipe.bounded_by for recipe in RECIPES})
    parser.add_argument("--data", choices=plane, default="ring", help="(default: ring)")
    parser.add_argument("--objective", choices=objectives, help="(default: non-saturating)")
    parser.add_argument("--regularizer", choices=regularizers, help="(default: what works best)")
    parser.add_argument(
        "--preset", choices=["fast", "sharp"], default="fast", help="(default: fast)"
    )
    parser.add_argument("--no-pictures", action="store_true", help="write the metrics alone")


FILES = ["picture.png", "animation.gif", "checkpoint.npz"]
options, out = start("toy", __doc__, FILES, add_options)
try:
    recipe = find_recipe(options.objective, options.regularizer)
except ValueError as error:
    raise SystemExit(f"toy.py: {error}") from None
steps = recipe.steps * PRESETS[options.preset]
steps = options.steps or (QUICK_STEPS if options.quick else steps)
data_rng, noise_rng, weight_rng, view_rng = np.random.default_rng(options.seed).spawn(4)

# %% The data: whatever its place and size, the networks see it centred, with a spread of 1

data = toy(options.data)
real = data.sample(SAMPLES, view_rng)
centre, scale = real.mean(axis=0), real.std()
points = Batches(data, BATCH, data_rng)
batches = ((x - centre) / scale for x in points)

# %% The networks: D ends in a logit, large for real


def hidden_layers(inputs, count, outputs, activation, wrap=lambda dense: dense):
    layers = [wrap(Dense(inputs, WIDTH)), activation()]
    for _ in range(count - 1):
        layers += [wrap(Dense(WIDTH, WIDTH)), activation()]
    return [*layers, wrap(Dense(WIDTH, outputs))]


normalize = {"wrap": SpectralNorm} if recipe.bounded_by == "spectral-norm" else {}
# On bare coordinates, D would see the modes late: they are a hundredth of the ring.
waves = FourierFeatures(2, WAVES, scale=FINENESS)
layers_of_g = hidden_layers(LATENT, recipe.layers, 2, ReLU)
layers_of_d = [waves, *hidden_layers(2 + 2 * WAVES, DEPTH, 1, LeakyReLU, **normalize)]
G = Sequential(layers_of_g, (LATENT,), rng=weight_rng, backend=options.backend)
D = Sequential(layers_of_d, (2,), rng=weight_rng, backend=options.backend)
schedule = LinearDecay(steps, end=recipe.end)  # a learning rate that falls: the players settle
shared = {"latent": UniformLatent(LATENT), "rng": noise_rng, "schedule": schedule}
if recipe.objective == "moment-matching":
    gan = MomentMatching(G, recipe.make_optimizer(G), bandwidths=KERNELS, **shared)
else:
    matching = recipe.objective == "feature-matching"
    kind, extra = (FeatureMatchingGAN, {"layer": FEATURES}) if matching else (GAN, {})
    gan = kind(
        G,
        D,
        "non-saturating" if matching else recipe.objective,
        generator_optimizer=recipe.make_optimizer(G),
        discriminator_optimizer=recipe.make_optimizer(D),
        discriminator_steps=recipe.discriminator_steps,
        regularizer=recipe.regularizer,
        **shared,
        **extra,
    )
print(f"The generator\n{G}\n\nThe discriminator\n{D}\n")

# %% What there is to see at one moment

z = shared["latent"].sample(SAMPLES, view_rng)  # always the same noise, so that the points move
x, y = np.linspace(*data.extent[:2], GRID), np.linspace(*data.extent[2:], GRID)
real_batch = gan.asarray((real[:JUDGED] - centre) / scale)
plane = gan.asarray((np.stack(np.meshgrid(x, y), axis=2).reshape(-1, 2) - centre) / scale)
has_modes = isinstance(data, GaussianMixture) and np.ndim(data.sigma) == 0  # all of one size
log_odds = recipe.objective in OBJECTIVES and gan.objective.log_odds  # logit 0: D cannot tell
to_numpy = options.backend.to_numpy


def verdict(fake):
    """What D makes of the plane, from -1 (fake) over 0 (cannot tell) to 1 (real)."""
    if recipe.objective == "moment-matching":
        heights = to_numpy(witness(plane, real_batch, fake, KERNELS, backend=options.backend))
    elif log_odds:
        return np.tanh(to_numpy(D(plane)) / 2).reshape(GRID, GRID)  # = 2 D(x) - 1
    else:  # other logits have another zero: take the middle between real and generated samples
        heights = to_numpy(D(plane)) - float(D(real_batch).mean() + D(fake).mean()) / 2
    return (heights / np.abs(heights).max()).reshape(GRID, GRID)


def look(step):
    """The moment at this step, and how the samples cover the modes (None if there are none)."""
    fake = gan.generate(z)
    on_device = gan.asarray(fake[:JUDGED])
    _, d_fake = gan.feedback(on_device, real_batch)
    arrows, background = -to_numpy(d_fake[:ARROWS]), verdict(on_device)
    fake = fake * scale + centre
    if not has_modes:
        return Moment(step, fake, arrows, background), None
    c = mode_coverage(fake, data.means, data.sigma)
    caption = f"{c.modes}/{c.modes_total} modes, {c.high_quality:.0%} high quality"
    return Moment(step, fake, arrows, background, caption), c


# %% Training

frames = QUICK_FRAMES if options.quick else FRAMES
stops = set(np.linspace(0, steps, frames + 1).round().astype(int).tolist())
history = {"looks": [look(0)], "losses": [], "seconds": 0.0}
session = out.session(gan, points, history)
if gan.steps:  # resumed: a checkpoint holds plain dicts
    history["looks"] = [(Moment(**m), c and ModeCoverage(**c)) for m, c in history["looks"]]
looks, losses = history["looks"], history["losses"]
records = session.run(train(gan, batches, steps - gan.steps))
bar = tqdm(records, initial=gan.steps, total=steps, unit="step")
with threadpool_limits(1):  # a second core costs these small matrices more than it helps
    for record in bar:
        # Moment matching has no D.
        losses.append((getattr(record, "discriminator_loss", np.nan), record.generator_loss))
        history["seconds"] += record.seconds
        if record.step in stops:
            looks.append(look(record.step))
            caption = looks[-1][0].caption
            bar.set_postfix_str(f"losses: D {losses[-1][0]:.3f}, G {losses[-1][1]:.3f}; {caption}")

# %% Picture, animation, metrics

losses, seconds = np.array(losses).T, history["seconds"]  # (2, steps)
scene = {"extent": data.extent, "real": real, "losses": losses}
if log_odds:  # the losses, in nats, of a D that answers 1/2 (logit 0) to everything
    scene |= {"balance": gan.objective.undecided_losses(), "unit": "nats"}
moments = [moment for moment, _ in looks]
shares = [(m.step, c.modes / c.modes_total, c.high_quality) for m, c in looks if c]


def draw_pictures():
    figure = picture(13, 7)
    chosen = [moments[round((len(moments) - 1) * part)] for part in (1 / 12, 1 / 4, 1 / 2, 1)]
    draw_moments(figure, chosen, shares=shares, **scene)
    save_picture(figure, out.path("picture.png"))

    figure = picture(8, 4)
    path = out.path("animation.gif")
    save_animation(figure, path, lambda moment: draw_frame(figure, moment, **scene), moments)


if not options.no_pictures:
    print("Drawing ...")
    draw_pictures()

c = looks[-1][1]
out.save_metrics(
    objective=recipe.objective,
    regularizer=recipe.bounded_by,
    modes=c and c.modes,
    modes_total=c and c.modes_total,
    high_quality=c and c.high_quality,
    reverse_kl=c and c.reverse_kl,
    spread=c and c.spread,
    discriminator_loss=losses[0, -1],
    generator_loss=losses[1, -1],
    steps=steps,
    seconds=seconds,
    steps_per_second=steps / seconds,
)
print(f"{moments[-1].caption or 'Done'}, {steps} steps in {seconds:.1f} s. Files: {out.folder}")
