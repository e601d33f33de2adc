"""A GAN learns eight Gaussians on a ring, and you watch.

The generator G turns noise into points of the plane. The discriminator D learns to tell these
points from real ones, and G learns only from D where the real ones are. It takes 10 to 30 seconds
on one core and needs no download. How one step of the game goes stands in minigan/gan.py.

What to look at, in picture.png and animation.gif:
- Does G reach all eight modes, or only some? Does it lose some again? The dashed line is where it
  lost most of what it had reached: do the losses tell? From half-time on the learning rate falls,
  and the game settles.
- The background is D's verdict. The arrows are the negative gradient of G's loss with respect to
  each generated point: D shows G the way, and nothing else does. (Compare their lengths within
  one picture only.) At the end D is unsure wherever there are points, real or generated: it
  can no longer tell them apart.
- The losses do not fall to zero, and that is a success. The dotted lines are the losses of a D
  that cannot tell real from generated. If D's loss were zero, D would have won and G lost.

What to try next:
  --seed 1                  the same game with other random numbers
  --preset sharp            twice as long, a slow G, noise in 60 pieces: what is left between modes?
  --objective minimax       G's loss as in the theory: do its arrows vanish where D is sure?
  --objective wasserstein   a critic without a sigmoid, its weights clipped
  --regularizer wgan-gp     the same critic, the length of its gradient kept at 1
  --objective moment-matching   no D at all: a fixed kernel compares the samples
  --objective feature-matching  all modes, but blurred: G sees only the means of D's features
  --data grid               25 modes: how many are reached, and when?
  --data swiss-roll         no modes, but a thin curve
  --data points.csv         your own: two numbers per line

With --resume, an interrupted run goes on from its last checkpoint. Each objective and each
regularizer comes with settings that work: see demos/support/recipes.py.

Files: picture.png, animation.gif, checkpoint.npz and metrics.json, with the seconds of training
and how well the samples cover the modes (see minigan/metrics/modes.py). "High quality" is the share
of samples within three standard deviations of a mode: of real points, 99 %.
"""

import numpy as np

from minigan import GAN, FourierFeatures, LeakyReLU, ReLU, Sequential, train
from minigan.data import Batches
from minigan.plotting import draw_frame, draw_moments, picture, save_animation, save_picture
from support.demo import start
from support.looks import Observer, coverage_figures, quiet, relapse, restored
from support.own_data import PLANE, plane_data
from support.recipes import PRESETS, RECIPES, find_recipe
from support.toy_variants import VARIANTS, dense_layers
from support.training import looking_steps, losses_of, progress, records_of, shown_losses

# %% Constants

BATCH, WIDTH = 256, 128
DEPTH = 2  # hidden layers of D; those of G are the recipe's
WAVES, FINENESS = 16, 1.25  # Fourier features of D: how many, in radians per spread of the data
SAMPLES, FRAMES, QUICK_FRAMES, QUICK_STEPS = 2500, 24, 4, 200
WEIGHED = 20_000  # samples, by D, to find how often to draw each piece of the noise


def add_options(parser):
    objectives = sorted({recipe.objective for recipe in RECIPES})
    regularizers = sorted({recipe.bounded_by for recipe in RECIPES})
    names = f"{', '.join(PLANE)}; your own: a .csv or .npy file, or module:name"
    parser.add_argument("--data", default="ring", help=f"(default: ring; others: {names})")
    parser.add_argument("--objective", choices=objectives, help="(default: non-saturating)")
    parser.add_argument("--regularizer", choices=regularizers, help="(default: what works best)")
    parser.add_argument("--preset", choices=PRESETS, default=PRESETS[0], help="(default: fast)")
    parser.add_argument("--no-pictures", action="store_true", help="write only the metrics")


def check(options):
    find_recipe(options.objective, options.regularizer, options.preset)
    plane_data(options.data)


FILES = ["picture.png", "animation.gif", "checkpoint.npz"]
options, out = start("toy", __doc__, FILES, add_options, check)
recipe = find_recipe(options.objective, options.regularizer, options.preset)
steps = options.steps or (QUICK_STEPS if options.quick else recipe.steps)
data_rng, noise_rng, weight_rng, view_rng = np.random.default_rng(options.seed).spawn(4)

# %% The data: whatever their place and size, the networks see them centred, with a spread of 1

data = plane_data(options.data)
real = data.sample(SAMPLES, view_rng)
centre, scale = real.mean(axis=0), real.std()
points = Batches(data, BATCH, data_rng)
batches = map(lambda x: (x - centre) / scale, points)

# %% The networks: D ends in a logit, large for real

latent = recipe.make_latent()
layers_of_G = dense_layers(latent.dimension, WIDTH, recipe.layers, 2, ReLU)
# From bare coordinates D would see the modes late, for they are small beside the ring.
waves = FourierFeatures(2, WAVES, scale=FINENESS)
layers_of_D = [waves, *dense_layers(2 + 2 * WAVES, WIDTH, DEPTH, 1, LeakyReLU, recipe.bounded_by)]
G = Sequential(layers_of_G, (latent.dimension,), rng=weight_rng, backend=options.backend)
D = Sequential(layers_of_D, (2,), rng=weight_rng, backend=options.backend)
print(f"The generator\n{G}\n\nThe discriminator\n{D}\n")

# %% The game, and what is remembered of it

shared = {"latent": latent, "rng": noise_rng, "schedule": recipe.schedule(steps)}
if recipe.objective in VARIANTS:
    gan = VARIANTS[recipe.objective](recipe, G, D, steps, **shared)
else:
    gan = GAN(G, D, recipe.objective, **recipe.players(G, D, steps), **shared)

z = gan.latent.sample(SAMPLES, view_rng)  # always the same noise, so that the points move
observer = Observer(gan, recipe, data, real, centre, scale, z)
stops = looking_steps(steps, QUICK_FRAMES if options.quick else FRAMES)
history = {"looks": [observer.look(0)], "records": []}
session = out.session(gan, points, history, steps)  # with --resume, all three as they were
looks = history["looks"] = restored(history["looks"])
records = records_of(history)

# %% Training


def show(record):
    return f"{shown_losses(record)}; {looks[-1][0].caption}"


run = session.run(train(gan, batches, steps - gan.steps))
for record in progress(run, gan, steps, show):
    records.append(record)
    if record.step in stops:
        looks.append(observer.look(record.step))
losses, seconds = losses_of(records), sum(record.seconds for record in records)

# %% Noise in pieces: a piece that has become a mode stays it, but D knows which come too often

if latent.components and observer.log_odds:
    weighed = latent.sample(WEIGHED, view_rng)
    latent = latent.reweighted(weighed, gan.judge(gan.generate(weighed)))
    observer.z = latent.sample(SAMPLES, view_rng)
    looks[-1] = observer.look(steps)

# %% Picture, animation, metrics

moments = [moment for moment, _ in looks]
shares = [(m.step, c.modes / c.modes_total, c.high_quality) for m, c in looks if c]
scene = {"extent": data.extent, "real": real, "losses": losses}
if observer.log_odds:  # the losses, in nats, of a D that answers 1/2 (logit 0) to everything
    scene |= {"balance": gan.objective.undecided_losses(), "unit": "nats"}
if not options.no_pictures:
    print("Drawing ...")
    figure, notes = picture(8, 6), None
    chosen = [round((len(moments) - 1) * part) for part in (1 / 12, 1 / 4, 1 / 2, 1)]
    worst = relapse(shares)
    if worst is not None:
        chosen = sorted({*chosen[:2], worst, chosen[-1]})
        step, _, good = shares[worst]
        title = "Losses: nothing to see there" if quiet(losses[0], step) else "Losses"
        notes = (step, title, f"At the dashed line: {good:.0%} high quality")
    draw_moments(figure, [moments[i] for i in chosen], shares=shares, notes=notes, **scene)
    save_picture(figure, out.path("picture.png"))
    figure, path = picture(8, 4), out.path("animation.gif")
    save_animation(figure, path, lambda moment: draw_frame(figure, moment, **scene), moments)

out.save_metrics(
    objective=recipe.objective,
    regularizer=recipe.bounded_by,
    **coverage_figures(looks[-1][1]),
    coverage=[list(row) for row in shares],
    discriminator_loss=losses[0, -1],
    generator_loss=losses[1, -1],
    steps=steps,
    seconds=seconds,
    steps_per_second=steps / seconds,
)
print(f"{moments[-1].caption or 'Done'}, {steps} steps in {seconds:.1f} s. Files: {out.folder}")
