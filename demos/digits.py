"""Handwritten digits from the generator that comes with the package: no data set, no training.

It is the network of mnist.py, trained for 36,000 steps and kept by `minigan.save` in a file of
200 KB. It takes five seconds.

What to look at:
- digits.png: a row for each of the twenty pieces of the noise. Nobody told the generator what a
  digit is. Which pieces have become one digit, and which digits share a piece?
- Beside each row stands what the classifier reads there most often, and how often. It comes with
  the package, too, and judges all digits of the course. Where do you read something else?

What to try next:
  --spread 1.5              more noise than in training: more variety, and more that is no digit
  --spread 0.4              less noise: every row writes its digit in one way
  --seed 1                  other digits
  --generator out/mnist/generator.npz   the one that mnist.py has trained for you

In Python it is `G = minigan.weights.mnist_generator()`, and your own, `G = minigan.load(path)`.
What it has learned is the question of learned.py. Files: digits.png and metrics.json.
"""

from pathlib import Path

import numpy as np

from minigan.metrics import mnist_classifier
from minigan.plotting import picture, save_picture
from minigan.plotting.images import show_rows
from minigan.runs.network_file import read_network
from minigan.weights import GENERATOR
from support.demo import start
from support.image_models import noted_latent
from support.options import number

# %% Constants and options

ROWS, COLUMNS, QUICK_COLUMNS = 20, 12, 4


def add_options(parser):
    parser.add_argument("--spread", type=number, help="of the noise (default: the generator's)")
    parser.add_argument("--generator", metavar="FILE", help="of minigan.save (the package's)")


options, out = start("digits", __doc__, ["digits.png"], add_options)
columns = QUICK_COLUMNS if options.quick else COLUMNS
rng = np.random.default_rng(options.seed)

# %% The generator, and the noise that it was trained on

G, notes = read_network(Path(options.generator or GENERATOR), backend=options.backend)
latent = noted_latent(G, notes)
spread = notes["spread"] if options.spread is None else options.spread
print(f"The generator\n{G}\n")

z = latent.sample(ROWS * columns, rng)
z[:, : latent.continuous] *= spread
if latent.components:  # a row for each piece
    units = np.eye(latent.components)[np.arange(ROWS).repeat(columns)]
    z[:, latent.continuous :] = latent.scale * units
digits = G.backend.to_numpy(G(G.backend.asarray(z, G.dtype)))

# %% What does the classifier read?

classifier = mnist_classifier()
read = classifier(digits)[0].argmax(axis=1).reshape(ROWS, columns)
shares = (read[..., None] == np.arange(10)).mean(axis=1)  # of each digit in each row, (ROWS, 10)
labels = [f"{row.argmax()} ({row.max():.0%})" for row in shares]

# %% The picture

figure = picture(0.33 * columns + 1.6, 6.8)
axes = figure.subplots()
title = "A row for each piece of the noise" if latent.components else "Samples"
if latent.components > ROWS:
    title += f", for {ROWS} of {latent.components}"
show_rows(axes, digits.reshape(ROWS, columns, *G.output_shape), labels)
axes.set(title=title, ylabel="read most often")
save_picture(figure, out.path("digits.png"))

found = np.bincount(read.ravel(), minlength=10)
out.save_metrics(spread=spread, read=found.tolist(), classifier=classifier.digest)
print("Read: " + ", ".join(f"{count} × {digit}" for digit, count in enumerate(found)))
print(f"Files: {out.folder}")
