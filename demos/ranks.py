"""On many processes ("ranks"): parallel training is one sum of one vector.

Every rank has the same networks and its part of the batch. A mean over the batch is the mean of its
parts' means, and so is its gradient. So the ranks add up their gradients, each one flat vector, and
then all take the same step: they are one process with the whole batch. Here one process plays all
ranks in turn; `python demos/mnist.py --processes 4` is the same with four of them.

Unless a layer looks at the whole batch. Batch norm takes means over the batch inside the network:
they must be added up there, too (`BatchNorm.mean`; minigan/ranks.py has the sums).

What to look at: left, how far the ranks' mean gradient is from that of the whole batch, without
batch norm, and with a batch norm that takes the means of each rank alone. Right, why: the same
noise through the same G, in one batch and in the parts of eight ranks. What to try next: a BATCH of
256; no division in `one_sum`: what does Adam make of a gradient that is 8 times too large, and what
would SGD? It takes a second. Files: picture.png, metrics.json.
"""

import numpy as np

from minigan import BatchNorm, Dense, LeakyReLU, NonSaturating, ReLU, Sequential
from minigan.data import toy
from minigan.plotting import FAKE, OTHERS, REAL, picture, save_picture
from support.demo import start

# %% The batch, and the players
BATCH, RANKS, SHOWN, WIDTH = 32, (2, 4, 8, 16), 8, 64
options, out = start("ranks", __doc__, ["picture.png"])
backend, rng = options.backend, np.random.default_rng(options.seed)
objective, data = NonSaturating(backend), toy("ring")
batch = data.sample(BATCH, rng), rng.uniform(-1, 1, (BATCH, 2))
x, z = (backend.asarray(a) for a in batch)


def players(normal):
    rng, norm = np.random.default_rng(options.seed), lambda: [BatchNorm(WIDTH)] if normal else []
    G = [Dense(2, WIDTH), *norm(), ReLU(), Dense(WIDTH, WIDTH), *norm(), ReLU(), Dense(WIDTH, 2)]
    D = [Dense(2, WIDTH), LeakyReLU(), Dense(WIDTH, WIDTH), *norm(), LeakyReLU(), Dense(WIDTH, 1)]
    return [Sequential(x, (2,), rng=rng, dtype="float64", backend=backend) for x in (G, D)]


# %% The gradient of a part, and the one sum
def gradient(G, D, x, z):
    """Of D's loss for a part of the batch: a copy of the one flat vector."""
    (real, real_cache), (fake, fake_cache) = D.forward(x), D.forward(G.forward(z)[0])
    _, d_real, d_fake = objective.discriminator(real, fake)
    D.set_gradients(d_real, real_cache)
    D.add_gradients(d_fake, fake_cache)
    return D.gradients.copy()


def one_sum(vectors):
    """Each rank brings its vector and leaves with the mean of all: MPI's Allreduce."""
    return sum(vectors) / len(vectors)


def parts(ranks):
    return zip(backend.xp.split(x, ranks), backend.xp.split(z, ranks), strict=True)


# %% How far from one process, with a batch norm of each rank alone and without batch norm?
figure, found = picture(8, 3.6), {}
left = figure.add_subplot(121, xlabel="ranks", title="Error of the mean gradient", yscale="log")
left.set(ylabel="largest error / largest number", xticks=RANKS)
for name, color in (("without batch norm", REAL), ("batch norm of each rank alone", FAKE)):
    G, D = players(normal=name != "without batch norm")
    whole = gradient(G, D, x, z)
    errors = [one_sum([gradient(G, D, *part) for part in parts(n)]) - whole for n in RANKS]
    found[name] = [float(abs(e).max() / abs(whole).max()) for e in errors]
    left.plot(RANKS, found[name], "o-", color=color, label=name)
    print(f"{name}: on {RANKS} ranks " + ", ".join(f"{e:.1e}" for e in found[name]))
left.legend()
right = figure.add_subplot(122, title=f"G's points, in one batch and on {SHOWN} ranks")
right.set(xlabel="x₁", ylabel="x₂")
together = backend.to_numpy(G.forward(z)[0])
apart = np.concatenate([backend.to_numpy(G.forward(part)[0]) for _, part in parts(SHOWN)])
right.plot(*np.stack([together, apart], axis=1).T, color=OTHERS[0], linewidth=0.7)
right.scatter(*together.T, color=REAL, label="one batch", zorder=2)
right.scatter(*apart.T, color=FAKE, label=f"parts of {BATCH // SHOWN}", zorder=2)
right.legend()
save_picture(figure, out.path("picture.png"))
out.save_metrics(errors=found)
