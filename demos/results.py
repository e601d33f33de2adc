"""How good are the generators? Every table of results, from the training to the figures.

Each row of the tables `ring`, `grid`, `mnist` and `stacked` is trained by its demo, toy.py,
mnist.py or stacked.py, in processes of its own: means and standard errors of ten seeds on the
plane, of three with images. `ring` and `grid` follow the protocol of PacGAN
(minigan/metrics/modes.py). You can also give a .npy file of images, float32 (N, 28, 28, 1) in
[-1, 1], or the folder of a run of mnist.py --samples 10000: they are scored beside real images.

    python demos/results.py ring grid        an hour
    python demos/results.py mnist            an hour and a quarter
    python demos/results.py stacked          an hour
    python demos/results.py widths           two minutes: of one generator, the package's
    python demos/results.py samples.npy out/mnist

Interrupt it whenever you like: finished runs are kept in --out, and the next call goes on where
this one was. (After a change of the code, remove the folder `runs` there, or the old runs stay.)

What to look at:
- A high share of high-quality samples with a width below 1: such a generator keeps to a part of
  each mode. The spread, about the true centres, need not tell (minigan/metrics/modes.py).
- The first rows are real data. No generator should beat them; if one does, it has found a weakness
  of the metric.
- The last of these rows are real digits made worse: each is the mean of its 10 nearest neighbours.
  The Parzen window likes them best of all (minigan/metrics/parzen.py). Which figures notice?
- "DCGAN, R1" and "WGAN-GP" have the same networks; but a critic cannot tell how often each piece of
  the noise should come. GMMN has no discriminator. The seconds of training stand beside each name.

- scores.png, where images were scored: for each figure, real digits, the same digits blurred, and
  generated ones. A figure is fooled by blur where it prefers the blurred digits.

- widths.png: the same generator, and the same noise, narrowed or widened. By which figures does it
  become better? Two figures that disagree say more than each of them.

Files: table.md, metrics.json, and scores.png or widths.png.
"""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
from tqdm import tqdm

from minigan.data import load_mnist, toy
from minigan.density.distances import squared_distances
from minigan.files import expanded, replacing
from minigan.metrics import image_scores, mnist_classifier, mode_coverage, parzen_score
from minigan.plotting import picture, save_picture
from minigan.runs.network_file import read_network
from minigan.weights import GENERATOR
from support.demo import RESUMED, start
from support.image_models import noted_latent
from support.options import positive
from support.recipes import RECIPES
from support.score_pictures import draw_scores, draw_widths, scores_of

# %% Constants: what the tables hold, and the options of the demo that trains each row

TOYS = "ring", "grid"
TABLES = (*TOYS, "mnist", "stacked", "widths")
DRAWN = {"mnist": "scores.png", "widths": "widths.png"}
WIDTHS = 0.6, 0.7, 0.8, 0.9, 1.0, 1.1
RECIPES_OF_TOYS = {"non-saturating, sharp": ["--preset", "sharp"]}
RECIPES_OF_TOYS |= {r.objective: ["--objective", r.objective] for r in RECIPES}
MNIST = {
    "MLP": ["--model", "mlp"],
    "DCGAN": ["--model", "dcgan"],
    "DCGAN, R1": ["--model", "dcgan-r1"],
    "WGAN-GP": ["--model", "wgan-gp"],
    "GMMN": ["--model", "gmmn"],
}
GAMES = "no cure", "packing", "minibatch deviation", "R1"  # of stacked.py
STACKED = {name: ["--games", name] for name in GAMES}
STACKED["R1, five times as long"] = ["--games", "R1", "--steps", "20000"]
SAMPLES, QUICK_SAMPLES = 10000, 200  # images
OF_TOYS = {  # of metrics.json: the heading, how it is written, in which unit
    "modes": ("modes", ".1f", 1),
    "high_quality": ("high quality, %", ".2f", 100),
    "reverse_kl": ("reverse KL, nats", ".4f", 1),
    "spread": ("spread", ".3f", 1),
    "width": ("width", ".3f", 1),
    "seconds": ("seconds", ".0f", 1),
}
OF_STACKS = {
    "modes": ("modes", ".1f", 1),
    "kl": ("KL, nats", ".3f", 1),
    "sure": ("sure, %", ".1f", 100),
    "seconds": ("seconds", ".0f", 1),
}
OF_IMAGES = {
    "score": ("score", ".2f", 1),
    "frechet": ("Fréchet distance", ".2f", 1),
    "precision": ("precision", ".3f", 1),
    "recall": ("recall", ".3f", 1),
    "density": ("density", ".3f", 1),
    "coverage": ("coverage", ".3f", 1),
}
DEMOS = Path(__file__).resolve().parent


def add_options(parser):
    parser.add_argument("what", nargs="*", default=TABLES, help="tables, .npy files, folders")
    parser.add_argument("--seeds", type=positive, default=10, help="of each toy (default: 10)")
    parser.add_argument("--image-seeds", type=positive, default=3, help="with images (default: 3)")
    parser.add_argument("--data-dir", help="folder that holds the MNIST files")


def load(path):
    """The images in a .npy file, or in samples.npy of a run's folder; ValueError for others."""
    try:
        path = expanded(path)
        path = path / "samples.npy" if path.is_dir() else path
        images = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise ValueError(f"{path}: cannot be read: {error}") from None
    if images.ndim != 4 or images.shape[1:] != (28, 28, 1) or images.dtype.kind != "f":
        raise ValueError(
            f"{path}: expected floats (N, 28, 28, 1), got {images.dtype} {images.shape}"
        )
    if not -1.001 <= images.min() <= images.max() <= 1.001:
        raise ValueError(f"{path}: expected numbers in [-1, 1]")
    return images


def check(options):
    """Images that cannot be used are refused before hours of training."""
    options.images = {path: [load(path)] for path in options.what if path not in TABLES}


options, out = start("results", __doc__, ["table.md", *DRAWN.values()], add_options, check)
shared = ["--backend", options.backend.name]
shared += ["--quick"] if options.quick else []
shared += ["--steps", str(options.steps)] if options.steps else []
shared += ["--threads", str(options.threads)] if options.threads > 1 else []
where = ["--data-dir", options.data_dir] if options.data_dir else []


# %% Runs: each has a folder, named by its options, and is finished when metrics.json says so


failures = []


def run(demo, arguments):
    """The folder and the metrics of a run of a demo, now or earlier; why, where it failed."""
    folder = out.folder / "runs" / " ".join([demo, *arguments]).replace("/", "_")
    metrics = folder / "metrics.json"
    if not (metrics.exists() and json.loads(metrics.read_text(encoding="utf-8"))["finished"]):
        command = [sys.executable, DEMOS / f"{demo}.py", *arguments]
        command += ["--resume"] if demo in RESUMED else []
        command += ["--out", folder]
        done = subprocess.run(command, capture_output=True, text=True, errors="replace")
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["no message"])[-1]
            reason = f"{last} (status {done.returncode})"
            tqdm.write(f"failed: {demo}.py {' '.join(arguments)}: {reason}")
            failures.append(reason)
            return folder, reason.replace("|", "/")
    return folder, json.loads(metrics.read_text(encoding="utf-8"))


# %% Modes, on the plane and of stacked digits: mean and standard error over the seeds


def cell(values, form, unit):
    """Mean ± standard error of what the runs gave; one run has no error."""
    values = unit * np.array([v for v in values if v is not None], float)
    if not len(values):
        return "–"
    if len(values) == 1:
        return f"{values[0]:{form}}"
    error = values.std(ddof=1) / len(values) ** 0.5
    return f"{values.mean():{form}} ± {error:{form}}"


def row_of(name, results, figures):
    """A row of a table, from one run per seed: its metrics, or why it failed."""
    done = [found for found in results if isinstance(found, dict)]
    reasons = dict.fromkeys(found for found in results if isinstance(found, str))
    cells = [cell([m.get(key) for m in done], *how) for key, (_, *how) in figures.items()]
    return [name, *cells, "; ".join([f"{len(done)} of {len(results)}", *reasons])]


def head(name, figures):
    return [name, *(heading for heading, *_ in figures.values()), "runs"]


def for_each_seed(name, recipes, count, run_with):
    """row -> what run_with(the row's options) says with each of so many seeds."""
    results = {}
    with tqdm(total=len(recipes) * count, desc=name, unit="run") as bar:
        for row, arguments in recipes.items():
            results[row] = []
            for seed in range(options.seed, options.seed + count):
                bar.set_postfix_str(f"{row}, seed {seed}")
                results[row].append(run_with([*arguments, "--seed", str(seed), *shared]))
                bar.update()
    return results


def toy_table(name):
    """One row for each objective, below one for the data themselves."""
    data, seeds = toy(name), range(options.seed, options.seed + options.seeds)
    truth = [data.sample(2500, np.random.default_rng(seed)) for seed in seeds]
    truth = [vars(mode_coverage(x, data.means, data.sigma)) for x in truth]

    def train(arguments):
        return run("toy", ["--data", name, *arguments, "--no-pictures"])[1]

    found = for_each_seed(name, RECIPES_OF_TOYS, options.seeds, train)
    rows = [row_of(row, results, OF_TOYS) for row, results in {"real data": truth, **found}.items()]
    return [head(name, OF_TOYS), *rows]


def stacked_table():
    """One row for each game, below one for real digits."""

    def train(arguments):
        return run("stacked", [*arguments, *where])[1]

    def row(name, runs, game):
        found = [m if isinstance(m, str) else m["games"][game] for m in runs]
        return row_of(name, found, OF_STACKS)

    found = for_each_seed("stacked", STACKED, options.image_seeds, train)
    by_seed = zip(*found.values(), strict=True)  # each of a seed's runs has the same real digits
    real = [next((m for m in runs if isinstance(m, dict)), runs[0]) for runs in by_seed]
    rows = [row(name, runs, STACKED[name][1]) for name, runs in found.items()]
    return [head("stacked", OF_STACKS), row("real training images", real, "real"), *rows]


# %% Images: scored by the classifier and by a Parzen window


def flat(images):
    """Vectors (N, 784) in [0, 1], as the protocol of the Parzen window wants them."""
    return (images.reshape(len(images), -1).astype(np.float64) + 1) / 2


def blurred(images, pool, neighbours=10):
    """The mean of each image's nearest neighbours in the pool, the image itself among them."""
    means = np.empty_like(images)
    vectors = flat(pool)
    for rows, squares in squared_distances(flat(images), vectors):
        nearest = np.argpartition(squares, neighbours - 1, axis=1)[:, :neighbours]
        means[rows] = pool[nearest].mean(axis=1)
    return means


def image_table(sets, failed):
    """One row for each list of sets of images (name -> list), below those of real ones.

    failed: name -> why there are no images. The Parzen window sees the first set of a list alone.
    """
    classifier = mnist_classifier()
    train, test = (load_mnist(split, options.data_dir)[0] for split in ("train", "test"))
    n = QUICK_SAMPLES if options.quick else SAMPLES
    if options.quick:
        train, test = train[: 5 * n], test[:n]
    fit, validation = train[: 5 * len(train) // 6], train[5 * len(train) // 6 :][:1000]
    # Not of the first n, the centres of the balls: whether a copy of the k-th neighbour lies inside
    # is decided by the rounding of its features
    chosen = fit[n:][np.random.default_rng(options.seed).choice(len(fit) - n, n, replace=False)]
    real = {"test images": test, "training images": chosen}
    real |= {"the same, blurred": blurred(chosen, fit)}
    real_features = classifier(train)[1]
    rows = []
    for name, images in tqdm(({k: [v] for k, v in real.items()} | sets).items(), desc="scoring"):
        every = [image_scores(x, real_features, classifier) for x in images]
        shares = [
            cell([getattr(s, key) for s in every], *how) for key, (_, *how) in OF_IMAGES.items()
        ]
        parzen = "–"
        if name != "test images":
            p = parzen_score(flat(images[0]), flat(validation), flat(test))
            parzen = f"{p.log_likelihood:.1f} ± {p.standard_error:.1f}"
        rows.append([name, *shares, parzen])
    headings = [heading for heading, *_ in OF_IMAGES.values()]
    eyes = f"images, by classifier {classifier.digest[:8]}"
    rows += [[name, f"failed: {reason}", *["–"] * len(headings)] for name, reason in failed.items()]
    return [[eyes, *headings, "Parzen window, nats"], *rows]


def train_images():
    """For the runs of mnist.py in this table: name -> samples by seed; name -> why it failed."""
    samples = str(QUICK_SAMPLES if options.quick else SAMPLES)

    def train(arguments):
        return run("mnist", [*arguments, "--samples", samples, *where])

    sets, failed = {}, {}
    for name, results in for_each_seed("mnist", MNIST, options.image_seeds, train).items():
        reasons = [found for _, found in results if isinstance(found, str)]
        if reasons:
            failed[name] = reasons[0]
        else:
            seconds = np.mean([found["seconds"] for _, found in results])
            sets[f"{name}, {seconds:.0f} s"] = [load(folder) for folder, _ in results]
    return sets, failed


# %% One generator, noise of several widths


def images_of_widths():
    """name -> images that the package's generator makes of the same noise, narrowed or widened."""
    G, notes = read_network(GENERATOR, backend=options.backend)
    latent = noted_latent(G, notes)
    z = latent.sample(QUICK_SAMPLES if options.quick else SAMPLES, np.random.default_rng(0))
    normal = np.arange(latent.dimension) < latent.continuous
    sets = {}
    for width in WIDTHS:
        noise = G.backend.asarray(np.where(normal, width * z, z), G.dtype)
        parts = [G.backend.to_numpy(G(noise[k : k + 500])) for k in range(0, len(noise), 500)]
        sets[f"noise × {width:g}"] = [np.concatenate(parts)]
    return sets


# %% The tables that were asked for


def markdown(table):
    head, *rows = ["| " + " | ".join(row) + " |" for row in table]
    return "\n".join([head, "| --- " * len(table[0]) + "|", *rows, ""])


tables = {name: toy_table(name) for name in options.what if name in TOYS}
if "stacked" in options.what:
    tables["stacked"] = stacked_table()
if "mnist" in options.what or options.images:
    trained, failed = train_images() if "mnist" in options.what else ({}, {})
    tables["mnist"] = image_table(trained | options.images, failed)
if "widths" in options.what:
    tables["widths"] = image_table(images_of_widths(), {})
text = "\n".join(map(markdown, tables.values()))
with replacing(out.path("table.md")) as temporary:
    Path(temporary).write_text(text, encoding="utf-8")
scores = {name: scores_of(tables[name]) for name in ("mnist", "widths") if name in tables}
for name, draw, size in (("mnist", draw_scores, (8, 5)), ("widths", draw_widths, (8, 3.6))):
    if name in scores:
        figure = picture(*size)
        draw(figure, scores[name])
        save_picture(figure, out.path(DRAWN[name]))
out.save_metrics(tables=tables, scores=scores)
print(f"\n{text}\nFiles: {out.folder}")
if failures:
    sys.exit(f"{len(failures)} runs failed: see above.")
