"""A GAN learns eight Gaussians on a ring, and you watch.

The generator G turns noise into points of the plane; the discriminator D tells them from real
points, and G learns from D alone where the real ones are. The whole game is in this file: data,
networks, training, picture. It takes about 15 seconds on two cores and needs no download.

What to look at, in picture.png and animation.gif:
- Does G reach all eight modes, or only some? It rarely covers them evenly before half-time.
- The background is D's verdict, and the arrows are the negative gradient of G's loss with
  respect to each generated point: D shows G the way, and nothing else does.
- The losses do not fall to zero, and that is success: the dotted lines are the losses of a D
  that cannot tell real from generated. A D whose loss is zero would have won, and G have lost.

What to try next:
  --seed 1                  the same game with other luck
  --objective minimax       G's loss as in the theory: do its arrows vanish where D is sure?
  --objective wasserstein   a critic without a sigmoid, its weights clipped
  --data grid               25 modes: how many are reached, and when? (A minute and a half)
  --data swiss-roll         no modes, but a thin curve

With --resume, a run that was interrupted goes on where it was.

Files: picture.png, animation.gif, checkpoint.npz and metrics.json, with the modes captured, the
share of high-quality samples and the reverse KL divergence over the modes (see
minigan/metrics/modes.py), and the seconds of training.
"""

import numpy as np
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from minigan import (
    GAN,
    OBJECTIVES,
    R1,
    Adam,
    Dense,
    LeakyReLU,
    LinearDecay,
    NormalLatent,
    ReLU,
    RMSProp,
    Sequential,
    WeightClipping,
    train,
)
from minigan.data import TOYS, Batches, GaussianMixture, toy
from minigan.demo import start
from minigan.metrics import ModeCoverage, mode_coverage
from minigan.plotting import Moment, draw_frame, draw_moments, picture, save_animation, save_picture

# %% Constants

BATCH, WIDTH, LATENT = 256, 128, 2
DEPTH, MODES_25 = 2, ("grid", "twenty-five-gaussians")  # which need a layer and steps more
AVERAGE = 0.998  # decay of the running average of G's weights, which makes the samples
SAMPLES, ARROWS, GRID = 2500, 100, 100  # generated; of them with an arrow; D's verdict, a side
FRAMES, QUICK_FRAMES, QUICK_STEPS = 24, 4, 200

# What works: optimizer, learning rate, steps of D for each of G, what keeps D in bounds, steps
RECIPES = {
    "minimax": (Adam, 1e-3, 1, None, 6000),
    "non-saturating": (Adam, 1e-3, 1, None, 6000),
    "maximum-likelihood": (Adam, 1e-3, 1, R1(0.1), 6000),
    "absolute-error": (Adam, 1e-3, 1, R1(0.1), 6000),
    "least-squares": (Adam, 1e-3, 1, R1(0.03), 6000),
    "hinge": (Adam, 1e-3, 1, R1(0.03), 6000),
    "wasserstein": (RMSProp, 1e-3, 5, WeightClipping(0.3), 3000),
}
DEFAULT = "non-saturating"


def add_options(parser):
    plane = [name for name in TOYS if toy(name).dimension == 2]
    parser.add_argument("--data", choices=plane, default="ring", help="(default: ring)")
    parser.add_argument("--objective", choices=sorted(OBJECTIVES), default=DEFAULT)


FILES = ["picture.png", "animation.gif", "checkpoint.npz"]
options, out = start("toy", __doc__, FILES, add_options)
recipe = RECIPES.get(options.objective, RECIPES[DEFAULT])
optimizer, lr, discriminator_steps, regularizer, steps = recipe
depth, steps = (DEPTH + 1, 3 * steps) if options.data in MODES_25 else (DEPTH, steps)
steps = options.steps or (QUICK_STEPS if options.quick else steps)
data_rng, noise_rng, weight_rng, view_rng = np.random.default_rng(options.seed).spawn(4)

# %% The data: whatever its place and size, the networks see it centred, with a spread of 1

data = toy(options.data)
real = data.sample(SAMPLES, view_rng)
centre, scale = real.mean(axis=0), real.std()
points = Batches(data, BATCH, data_rng)
batches = ((x - centre) / scale for x in points)

# %% The networks: D ends in a logit, large for real


def network(inputs, outputs, activation):
    layers = [Dense(inputs, WIDTH), activation()]
    for _ in range(depth - 1):
        layers += [Dense(WIDTH, WIDTH), activation()]
    layers += [Dense(WIDTH, outputs)]
    return Sequential(layers, (inputs,), rng=weight_rng, backend=options.backend)


G, D = network(LATENT, 2, ReLU), network(2, 1, LeakyReLU)
gan = GAN(
    G,
    D,
    options.objective,
    generator_optimizer=optimizer(G, lr),
    discriminator_optimizer=optimizer(D, lr),
    discriminator_steps=discriminator_steps,
    regularizer=regularizer,
    latent=NormalLatent(LATENT),
    rng=noise_rng,
    average_decay=AVERAGE,
    schedule=LinearDecay(steps),  # constant for half of the run, then falling to zero
)
print(f"The generator\n{G}\n\nThe discriminator\n{D}\n")

# %% What there is to see at one moment

z = gan.latent.sample(SAMPLES, view_rng)  # always the same noise, so that the points move
x, y = np.linspace(*data.extent[:2], GRID), np.linspace(*data.extent[2:], GRID)
real_batch = gan.asarray((real - centre) / scale)
plane = gan.asarray((np.stack(np.meshgrid(x, y), axis=2).reshape(-1, 2) - centre) / scale)
has_modes = isinstance(data, GaussianMixture) and np.ndim(data.sigma) == 0  # all of one size
log_loss = options.objective in ("minimax", "non-saturating")  # with D(x) = sigmoid(logit)
to_numpy = options.backend.to_numpy


def push(fake):
    """Minus d(G's loss) / d(fake): the way through D that the generator's step goes, too."""
    logits, caches = D.forward(fake)
    _, d_logits = gan.objective.generator(logits)
    return -to_numpy(D.backward(d_logits, caches, parameter_gradients=False))


def verdict(fake):
    """What D makes of the plane, from -1 (fake) over 0 (cannot tell) to 1 (real)."""
    logits = to_numpy(D(plane)).reshape(GRID, GRID)
    if log_loss:
        return np.tanh(logits / 2)  # = 2 D(x) - 1
    # Other heights have another zero: take the middle between real and generated samples.
    heights = logits - float(D(real_batch).mean() + D(fake).mean()) / 2
    return heights / np.abs(heights).max()


def look(step):
    """The moment at this step, and how the samples cover the modes (None if there are none)."""
    fake = gan.generate(z)
    on_device = gan.asarray(fake[:ARROWS])
    arrows, background = push(on_device), verdict(on_device)
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
        losses.append((record.discriminator_loss, record.generator_loss))
        history["seconds"] += record.seconds
        if record.step in stops:
            looks.append(look(record.step))
            caption = looks[-1][0].caption
            bar.set_postfix_str(f"losses: D {losses[-1][0]:.3f}, G {losses[-1][1]:.3f}; {caption}")

# %% Picture, animation, metrics

losses, seconds = np.array(losses).T, history["seconds"]  # (2, steps)
scene = {"extent": data.extent, "real": real, "losses": losses}
if log_loss:  # the losses, in nats, of a D that answers 1/2 (logit 0) to everything
    zero = gan.asarray(np.zeros((1, 1)))
    even = gan.objective.discriminator(zero, zero)[0], gan.objective.generator(zero)[0]
    scene |= {"balance": [float(loss) for loss in even], "unit": "nats"}
moments = [moment for moment, _ in looks]
shares = [(m.step, c.modes / c.modes_total, c.high_quality) for m, c in looks if c]

print("Drawing ...")
figure = picture(13, 7)
chosen = [moments[round((len(moments) - 1) * part)] for part in (1 / 12, 1 / 4, 1 / 2, 1)]
draw_moments(figure, chosen, shares=shares, **scene)
save_picture(figure, out.path("picture.png"))

figure = picture(8, 4)


def draw(moment):
    draw_frame(figure, moment, **scene)


save_animation(figure, out.path("animation.gif"), draw, moments)

c = looks[-1][1]
out.save_metrics(
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
