"""Two domains and no pairs: networks learn to translate from one to the other, and back.

Nobody says which point of B a point of A belongs to; there are only samples of both. Four
networks play (CycleGAN: Zhu et al. 2017, arXiv:1703.10593). F translates A to B and must fool a
discriminator of B; G translates B to A and must fool a discriminator of A. With no more than
that, F could send all of A to one good place. So each cycle must close, too: G(F(a)) should be a,
and F(G(b)) should be b. Then no two points of A may go to the same place. It takes about half a
minute on two cores.

What to look at:
- picture.png: originals, translations, and the way back. Does each point come back to where it
  started? Where do translations miss their domain? A network is continuous: it can bend and
  stretch. To tear two moons apart or to close a circle, it has to send some points through the
  gap, and can only keep them few.
- cycle.png: the cycle error over the steps. When does it fall?
- animation.gif: the translations while they are learned.

What to try next:
  --cycle-weight 0          no cycle: B is reached as well, but which point came from where?
  --a ring --b pinwheel      other toys. Which modes become which arms? Does another seed agree?
  --data inverted           handwritten digits and their negatives (three minutes). The translators
                            are the paper's, in small: convolutions, instance norms, and residual
                            blocks, y = x + f(x). A negative 3 might become any digit. But such a
                            network finds the simplest translation first, and this is the right one
  --data rotated            digits and digits on their side (two minutes). Here every pixel has to
                            move far, so the networks are dense, and nothing keeps a 3 from
                            becoming a lying 8: does metrics.json say that the class is kept?

Files: picture.png, cycle.png, animation.gif and metrics.json, with the cycle error at the start
and at the end. For the plane, it also has the distance of the translations from the other domain
(Wasserstein's, beside that of two sets of real samples). For digits, it has the share of
translations in which a classifier still sees the original's class (they are first turned back).
"""

import numpy as np

from minigan import (
    Adam,
    Conv2d,
    ConvTranspose2d,
    CycleGAN,
    Dense,
    Flatten,
    InstanceNorm,
    LeakyReLU,
    LinearDecay,
    ReLU,
    Reshape,
    Residual,
    Sequential,
    Tanh,
    train,
)
from minigan.data import TOYS, Batches, load_mnist, toy
from minigan.metrics import mnist_classifier, wasserstein_assignment
from minigan.plotting import (
    draw_cycle_error,
    draw_moves,
    draw_translations,
    picture,
    save_animation,
    save_picture,
)
from support.demo import start
from support.options import number
from support.training import looking_steps, progress

# %% Constants

BATCH, WIDTH, CHANNELS, BLOCKS = {"plane": 64, "inverted": 16, "rotated": 64}, 64, 16, 3
STEPS, QUICK_STEPS = {"plane": 4000, "inverted": 1000, "rotated": 2000}, 20
POINTS, IMAGES, JUDGED, QUICK_JUDGED = 1000, 12, 2000, 50
FRAMES, QUICK_FRAMES = 12, 4


def add_options(parser):
    plane = [name for name in TOYS if toy(name).dimension == 2]
    parser.add_argument("--data", choices=sorted(STEPS), default="plane", help="(default: plane)")
    parser.add_argument("--a", choices=plane, help="of the plane (default: moons)")
    parser.add_argument("--b", choices=plane, help="(default: circles)")
    parser.add_argument("--cycle-weight", type=number, help="(default: 2 on the plane, else 10)")
    parser.add_argument("--data-dir", help="folder that holds the MNIST files")


def check(options):
    for name in ("a", "b"):
        if options.data != "plane" and getattr(options, name) is not None:
            raise ValueError(f"--{name} is for --data plane, not for --data {options.data}")


FILES = ["picture.png", "cycle.png", "animation.gif"]
options, out = start("translation", __doc__, FILES, add_options, check)
steps = options.steps or (QUICK_STEPS if options.quick else STEPS[options.data])
a_rng, b_rng, weight_rng, view_rng = np.random.default_rng(options.seed).spawn(4)
on_plane = options.data == "plane"
cycle_weight = options.cycle_weight
if cycle_weight is None:
    cycle_weight = 2.0 if on_plane else 10.0

# %% The data: two domains; and the true way back to A, which only the judge at the end uses


def standardised(name):
    """Samples (n, 2) with mean 0 and a spread of 1."""
    x = toy(name).sample(20 * POINTS, view_rng)
    return (x - x.mean(axis=0)) / x.std()


if on_plane:
    names = options.a or "moons", options.b or "circles"
    a, b = map(standardised, names)
    seen_a, seen_b = a[:POINTS], b[:POINTS]
else:
    names = "digits", f"{options.data} digits"
    turn, turn_back = {
        "inverted": (np.negative, np.negative),
        "rotated": (lambda x: np.rot90(x, 1, (1, 2)), lambda x: np.rot90(x, -1, (1, 2))),
    }[options.data]
    images, _ = load_mnist("train", options.data_dir)
    half = len(images) // 2
    a, b = images[:half], turn(images[half:])  # no digit is in both
    unseen, labels = load_mnist("test", options.data_dir)
    seen_a, seen_b = unseen[:IMAGES], turn(unseen[IMAGES : 2 * IMAGES])
size = BATCH[options.data]
batches = zip(Batches(a, size, a_rng), Batches(b, size, b_rng), strict=True)

# %% The networks: F and G alike, and a discriminator for each domain


def dense(outputs):
    layers = [Dense(2, WIDTH), LeakyReLU(0.2), Dense(WIDTH, WIDTH), LeakyReLU(0.2)]
    return [*layers, Dense(WIDTH, outputs)]


def translator():
    if on_plane:
        return dense(2)
    if options.data == "rotated":
        layers = [Flatten(), Dense(784, 512), LeakyReLU(0.2), Dense(512, 784), Tanh()]
        return [*layers, Reshape(28, 28, 1)]
    # CycleGAN's, in small: 28 x 28 -> 14 x 14 -> 7 x 7, residual blocks there, and back
    layers = [*normed(Conv2d(1, 8, 3, padding=1)), *normed(Conv2d(8, 16, 4, 2, padding=1))]
    layers += normed(Conv2d(16, 32, 4, 2, padding=1))
    layers += [residual(32) for _ in range(BLOCKS)]
    layers += normed(ConvTranspose2d(32, 16, 4, 2, padding=1))
    layers += normed(ConvTranspose2d(16, 8, 4, 2, padding=1))
    return [*layers, Conv2d(8, 1, 3, padding=1), Tanh()]


def normed(layer):
    return [layer, InstanceNorm(layer.out_channels), ReLU()]


def residual(channels):
    """x + f(x): what a translation keeps need not be learnt."""
    last = Conv2d(channels, channels, 3, padding=1)
    return Residual(
        [*normed(Conv2d(channels, channels, 3, padding=1)), last, InstanceNorm(channels)]
    )


def critic():
    if on_plane:
        return dense(1)
    layers = [Conv2d(1, CHANNELS, 4, stride=2, padding=1), LeakyReLU(0.2)]
    layers += [Conv2d(CHANNELS, 2 * CHANNELS, 4, stride=2, padding=1), LeakyReLU(0.2)]
    return [*layers, Flatten(), Dense(7 * 7 * 2 * CHANNELS, 1)]


shape = a.shape[1:]
networks = [
    Sequential(layers, shape, rng=weight_rng, backend=options.backend)
    for layers in (translator(), translator(), critic(), critic())
]
F, G = networks[:2]
game = CycleGAN(
    *networks,
    "least-squares",
    optimizers=[Adam(network, 1e-3 if on_plane else 5e-4) for network in networks],
    cycle_weight=cycle_weight,
    schedule=LinearDecay(steps),  # constant for half of the run, then falling to zero
)
print(f"A translator\n{F}\n\nA discriminator\n{networks[2]}\n")


def translate(network, x):
    """Host arrays in and out."""
    backend = options.backend
    return backend.to_numpy(network(backend.asarray(x, network.dtype)))


def cycles():
    """(a, F(a), G(F(a))) and (b, G(b), F(G(b))) for what is always shown."""
    there, back = translate(F, seen_a), translate(G, seen_b)
    return (seen_a, there, translate(G, there)), (seen_b, back, translate(F, back))


stops = looking_steps(steps, QUICK_FRAMES if options.quick else FRAMES)
looks, records = [(0, cycles())], []

# %% Training


def shown(record):
    return f"cycle error {record.cycle_loss:.3f}"


for record in progress(train(game, batches, steps - game.steps), game, steps, shown):
    records.append(record)
    if record.step in stops:
        looks.append((record.step, cycles()))
errors = [record.cycle_loss for record in records]
seconds = sum(record.seconds for record in records)

# %% Metrics: the end beside the start

tenth = max(1, steps // 100)
found = {"cycle_error_at_start": np.mean(errors[:tenth]), "cycle_error": np.mean(errors[-tenth:])}
if on_plane:
    fresh = b[POINTS : 2 * POINTS]
    found["distance_to_b"] = wasserstein_assignment(translate(F, seen_a), seen_b)
    found["distance_of_real_samples"] = wasserstein_assignment(fresh, seen_b)
else:
    judged = QUICK_JUDGED if options.quick else JUDGED
    print("Asking the classifier ...")
    classifier = mnist_classifier()
    upright = turn_back(translate(F, unseen[:judged]))
    kept = classifier(upright)[0].argmax(axis=1) == labels[:judged]
    found |= {"class_kept": kept.mean(), "classifier_accuracy": classifier.accuracy}
found |= {"cycle_weight": cycle_weight, "steps": steps, "seconds": seconds}

# %% Pictures


def draw(figure, look, title=None):
    title = title or f"Step {look[0]:,}"
    if on_plane:
        draw_moves(figure, look[1], names, window, title)
    else:
        draw_translations(figure, look[1], title)


def redraw(look):
    draw(small, look)


window = 1.2 * max(np.abs(points).max() for points in (seen_a, seen_b)) if on_plane else None
print("Drawing ...")
figure, small = (picture(*((8, 5.6) if on_plane else (8, 4.6))) for _ in range(2))
kept = found.get("class_kept")
title = None if on_plane else f"After {steps:,} steps, {kept:.1%} of the digits keep their class"
draw(figure, looks[-1], title)
save_picture(figure, out.path("picture.png"))
save_animation(small, out.path("animation.gif"), redraw, looks)

figure = picture(7, 4)
draw_cycle_error(figure, errors)
save_picture(figure, out.path("cycle.png"))

out.save_metrics(**found, steps_per_second=steps / seconds)
before, after = found["cycle_error_at_start"], found["cycle_error"]
print(f"Cycle error {before:.2f} -> {after:.3f}, {steps} steps in {seconds:.1f} s.", end=" ")
print(f"Files: {out.folder}")
