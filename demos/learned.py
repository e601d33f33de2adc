"""What has a generator learned: digits, or the training images by heart?

The generator of mnist.py comes with the package, so that nothing is trained here: it is looked at.
It takes half a minute; the training images (MNIST) are needed for one of the questions.

What to look at:
- Above: a walk within one piece of the noise, and one from piece to piece; each along the sphere
  that the noise lies on, straight through its inside, and in pixels, where one image fades into
  the other. Which images half-way could be digits that somebody wrote?
- The first two curves, over many walks. Within a piece: the share of pixels that are neither ink
  nor background, as two images that lie on each other have. From piece to piece: how sure the
  classifier is of what it reads. G was trained nowhere in between. What does it draw there?
- The third curve, and the pairs below it: how far each sample is from the nearest training image,
  pixel by pixel; the share of samples that have one within a distance. If G had learned the
  examples by heart, its curve would stand at 0, on the left; where does it stand beside that of
  real digits that G has never seen?
- Below right: one digit, moved along single directions of the noise. The strongest ones are the
  eigenvectors of the mean of JᵀJ, J = ∂G/∂z, and need no autodiff: a backward pass of random
  upstream gradients dy gives Jᵀdy. What does each direction do? And the weakest?
- animation.gif: sixteen digits, each on a great circle of its piece of the noise, and back.

What to try next:
  --seed 1                  other digits: is there a walk on which you can see the gap?
  --spread 0.7              less of the noise: are walks straight through it better now?
  --generator out/mnist/generator.npz   the one that mnist.py has trained for you

Files: picture.png, animation.gif and metrics.json.
"""

from pathlib import Path

import numpy as np

from minigan.data import load_mnist
from minigan.density.distances import squared_distances
from minigan.metrics import mnist_classifier
from minigan.plotting import (
    FAKE,
    INK,
    OTHERS,
    REAL,
    picture,
    save_animation,
    save_picture,
    styled,
)
from minigan.plotting.images import show_rows
from minigan.runs.network_file import read_network
from minigan.weights import GENERATOR
from support.demo import start
from support.image_models import noted_latent
from support.options import number
from support.walks import between

# %% Constants, and the generator

STEPS, WALKS, QUICK_WALKS = 9, 300, 8  # images of a walk; walks that the classifier judges
SAMPLES, QUICK_SAMPLES, SHOWN = 500, 20, 9  # whose nearest training image is searched
PROBES, QUICK_PROBES, REACH = 2000, 64, 2.5  # upstream gradients; how far a direction is followed
FRAMES, QUICK_FRAMES, MOVING = 48, 3, 16


def add_options(parser):
    parser.add_argument("--spread", type=number, help="of the noise (default: the generator's)")
    parser.add_argument("--generator", metavar="FILE", help="of minigan.save (the package's)")
    parser.add_argument("--data-dir", help="folder that holds the MNIST files")


options, out = start("learned", __doc__, ["picture.png", "animation.gif"], add_options)
quick = options.quick
rng = np.random.default_rng(options.seed)
G, notes = read_network(Path(options.generator or GENERATOR), backend=options.backend)
latent = noted_latent(G, notes)
normal = latent.continuous  # the dimensions that do not choose a piece
spread = notes["spread"] if options.spread is None else options.spread
classifier = mnist_classifier()


def noise(n):
    z = latent.sample(n, rng)
    z[:, :normal] *= spread
    return z


def generate(z):
    return G.backend.to_numpy(G(G.backend.asarray(z, G.dtype)))


# %% Walks: along the sphere, straight, and in pixels


def walks(a, b):
    """name -> images (walks, STEPS, 28, 28, 1) on the way from a to b, (walks, dimension)."""
    times = np.linspace(0, 1, STEPS)
    sphere = [[between(latent, *ends, t) for t in times] for ends in zip(a, b, strict=True)]
    t = times[:, None]
    straight = (1 - t) * a[:, None] + t * b[:, None]
    ways = {"along the sphere": np.array(sphere), "straight": straight}
    found = {
        name: generate(z.reshape(-1, latent.dimension)).reshape(len(a), STEPS, *G.output_shape)
        for name, z in ways.items()
    }
    ends = found["straight"][:, [0, -1]]
    t = t[..., None, None]
    return found | {"in pixels": (1 - t) * ends[:, :1] + t * ends[:, 1:]}


def over_walks(figure_of, images):
    """The mean of a figure of images, over the walks, at each of the STEPS."""
    return figure_of(images.reshape(-1, *G.output_shape)).reshape(-1, STEPS).mean(axis=0)


def grey(images):
    """The share of each image's pixels that are neither ink nor background."""
    return (abs(images) < 0.5).mean(axis=(1, 2, 3))


def sureness(images):
    """The classifier's probability for the digit that it reads."""
    return classifier(images)[0].max(axis=1)


a, b = noise(QUICK_WALKS if quick else WALKS), noise(QUICK_WALKS if quick else WALKS)
across = walks(a, b)
b[:, normal:] = a[:, normal:]
within = walks(a, b)
greys = {name: over_walks(grey, images) for name, images in within.items()}
sure = {name: over_walks(sureness, images) for name, images in across.items()}

# %% Learned by heart? The distance to the nearest training image


def nearest(images, pool):
    """The distance of each image to its nearest in the pool, per pixel, and which one that is."""
    distances, places = np.empty(len(images)), np.empty(len(images), int)
    flat = [x.reshape(len(x), -1).astype(float) for x in (images, pool)]
    for rows, squares in squared_distances(*flat):
        places[rows] = squares.argmin(axis=1)
        distances[rows] = (squares.min(axis=1) / flat[0].shape[1]) ** 0.5
    return distances, places


examples, unseen = (load_mnist(split, options.data_dir)[0] for split in ("train", "test"))
count = QUICK_SAMPLES if quick else SAMPLES
samples = generate(noise(count))
of_samples, places = nearest(samples, examples)
of_unseen, _ = nearest(unseen[:count], examples)

# %% Single directions: in which of them do images change most?


def directions():
    """Eigenvalues and eigenvectors of E JᵀJ, falling, over the part of the noise that is normal.

    For dy of independent N(0, 1), E (Jᵀdy)(Jᵀdy)ᵀ = JᵀJ. One backward pass gives Jᵀdy.
    """
    z = G.backend.asarray(noise(QUICK_PROBES if quick else PROBES), G.dtype)
    y, caches = G.forward(z, train=False)
    dy = G.backend.asarray(rng.standard_normal(y.shape), G.dtype)
    pulled = G.backend.to_numpy(G.backward(dy, caches))[:, :normal].astype(float)
    values, vectors = np.linalg.eigh(pulled.T @ pulled / len(pulled))
    return values[::-1], vectors.T[::-1]


strengths, vectors = directions()
chosen = {"strongest": 0, "second": 1, "third": 2, "weakest": -1}
base = noise(1)
moved = []
for index in chosen.values():
    steps = np.linspace(-REACH, REACH, STEPS)[:, None]
    z = np.repeat(base, STEPS, axis=0)
    z[:, :normal] += steps * vectors[index]
    moved.append(generate(z))

# %% Picture and animation


@styled
def draw(figure):
    above, middle, below = figure.subfigures(3, 1, height_ratios=[4.3, 2.9, 2.2])
    walked, heart = middle.subfigures(1, 2, width_ratios=[2, 1.15])
    axes = above.subplots()
    shown = [[images[0] for images in ways.values()] for ways in (within, across)]
    show_rows(axes, np.concatenate(shown), [*within, *across])
    axes.set(title="A walk within a piece of the noise, and one from piece to piece")
    (left, right), curves = walked.subplots(1, 2), heart.subplots()
    for axes, figures in ((left, greys), (right, sure)):
        colours = dict(zip(figures, (OTHERS[0], INK, OTHERS[3]), strict=True))
        for name, curve in figures.items():
            axes.plot(np.linspace(0, 1, STEPS), 100 * curve, color=colours[name], label=name)
        axes.set(xlabel="share of the way", xlim=(0, 1))
    left.set(title="Within a piece:\ngrey pixels [%]", ylim=(0, None))
    right.set(title="From piece to piece:\nhow sure the classifier is [%]")
    walked.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=3)
    share = 100 * np.arange(1, count + 1) / count
    curves.plot(np.sort(of_samples), share, color=FAKE, label="generated")
    curves.plot(np.sort(of_unseen), share, color=REAL, label="real, unseen")
    curves.set(title="Share with an example\nwithin this distance [%]")
    curves.set(xlabel="distance per pixel", xlim=(0, None))
    heart.legend(loc="outside lower center", ncols=2)
    pairs, along = below.subplots(1, 2)
    rows = np.stack([samples[:SHOWN], examples[places[:SHOWN]]])
    show_rows(pairs, rows, ["sample", "nearest"])
    pairs.set(title="By heart?")
    show_rows(along, np.array(moved), list(chosen))
    along.set(title=f"Along one direction, by up to {REACH:g}")


figure = picture(8, 9.4)
draw(figure)
save_picture(figure, out.path("picture.png"))

a, b = noise(MOVING), noise(MOVING)
b[:, :normal] -= a[:, :normal] * ((a * b)[:, :normal].sum(1) / (a * a)[:, :normal].sum(1))[:, None]
lengths = [np.linalg.norm(x[:, :normal], axis=1, keepdims=True) for x in (a, b)]
b[:, :normal] *= lengths[0] / lengths[1]  # at right angles to a, and as long


def turn(angle):
    """The digits after that angle on their great circles."""
    z = a.copy()
    z[:, :normal] = np.cos(angle) * a[:, :normal] + np.sin(angle) * b[:, :normal]
    return generate(z).reshape(4, 4, *G.output_shape)


@styled
def draw_turn(angle):
    axes = small.subplots()
    show_rows(axes, turn(angle), [""] * 4)


small = picture(4, 4)
angles = np.linspace(0, 2 * np.pi, QUICK_FRAMES if quick else FRAMES, endpoint=False)
save_animation(small, out.path("animation.gif"), draw_turn, angles, last=0.125)

# %% Metrics

half = STEPS // 2
change = [float(abs(images[-1] - images[0]).mean()) for images in moved]
out.save_metrics(
    grey_half_way={name: curve[half] for name, curve in greys.items()},
    grey_at_the_ends=np.mean([curve[0] for curve in greys.values()]),
    sure_half_way={name: curve[half] for name, curve in sure.items()},
    sure_at_the_ends=np.mean([curve[0] for curve in sure.values()]),
    nearest_example={"generated": np.median(of_samples), "real, unseen": np.median(of_unseen)},
    smallest_distance=of_samples.min(),
    strongest_over_weakest=strengths[0] / strengths[-1],
    change=dict(zip(chosen, change, strict=True)),
)
for what, found in (("Grey pixels", greys), ("Sure", sure)):
    figures = ", ".join(f"{name} {curve[half]:.1%}" for name, curve in found.items())
    print(f"{what} half-way: {figures}")
print(f"Nearest example: generated {np.median(of_samples):.3f}, unseen {np.median(of_unseen):.3f}")
print(f"Files: {out.folder}")
