"""Write your own: the smallest layer, objective, regularizer and distribution, in one game.

Each is a class with two or three methods, and this is all that they have to keep:

- Layer: `forward(x, train)` gives y and a cache, which is whatever the way back needs;
  `backward(dy, cache)` gives dx. x, y, dy and dx hold N samples each, along the first axis. Neither
  x nor dy may be written to. `self.backend.xp` is NumPy, or CuPy on a GPU.
- A layer whose y has another shape than x also has `output_shape(input_shape)`, of one sample.
- A layer with weights has `parameters()`, name -> (shape, initial), with a number or a function of
  a random generator as the initial value. A weight w is then `self.w`, its gradient `self.dw`, and
  `add_gradients(dy, cache)` adds to it.
- A layer that is made of others holds them in a `Block([...])` and calls that one's methods.
- Objective: the values of both losses and their derivatives, per sample, for logits (N, 1): large
  ones are to mean "real". The 1/N of the mean is not yours. With `relativistic = True`, G's terms
  are given the logits of real samples, too: `generator_terms(f, r)`.
- Regularizer: `penalize` adds the gradients of a penalty on D to D's and returns the penalty.
- Distribution: `draw(n, rng)` gives n points, (n, dimension).

Numbers stay float32: of NumPy's constants, such as np.sqrt(2), take float(np.sqrt(2)). A slip is
named when a network or a game is built; a wrong gradient by `gradcheck`. It takes ten seconds.

What to look at: the printed tables, and in picture.png, whether G learns your data.

What to try next: break a backward pass, and read what `gradcheck` says. Forget the cache, an
`output_shape`, a return. Then, for a critic with a gradient penalty, write `double_backward` (as in
minigan/layers/activations.py); and `describe()` of a layer, `__repr__` of the others, which show
their arguments: checkpoints compare them. `toy.py --data` takes a class such as Circle from a
module of yours, as my_module:Circle, or points.csv.

Files: picture.png, metrics.json.
"""

import numpy as np

from minigan import (
    GAN,
    Adam,
    Dense,
    Distribution,
    Layer,
    LinearDecay,
    NormalLatent,
    Objective,
    Regularizer,
    Sequential,
    gradcheck,
    train,
)
from minigan.data import Batches
from minigan.plotting import FAKE, REAL, picture, save_picture
from support.demo import start
from support.training import progress, shown_losses

STEPS, BATCH, WIDTH = 2000, 256, 64

# %% A layer


class Swish(Layer):
    """y = x s,   dx = dy (s + y (1 − s)),   with s = 1 / (1 + e⁻ˣ)."""

    def forward(self, x, train):
        s = 1 / (1 + self.backend.xp.exp(-x))
        y = x * s
        return y, (s, y)

    def backward(self, dy, cache):
        s, y = cache
        return dy * (s + y * (1 - s))


# %% A layer with weights, whose output is smaller than its input


class Blend(Layer):
    """y = w a + (1 − w) b, for the halves a, b of x (N, 2 C), and one w (C,) for all samples.

    da = dy w,   db = dy (1 − w),   dw = Σₙ dy (a − b)
    """

    def __init__(self, channels):
        self.channels = channels

    def parameters(self):
        return {"w": ((self.channels,), 0.5)}

    def output_shape(self, input_shape):
        return (self.channels,)

    def forward(self, x, train):
        a, b = x[:, : self.channels], x[:, self.channels :]
        return self.w * a + (1 - self.w) * b, a - b

    def backward(self, dy, difference):
        return self.backend.xp.concatenate([dy * self.w, dy * (1 - self.w)], axis=1)

    def add_gradients(self, dy, difference):
        self.dw += (dy * difference).sum(axis=0)

    def describe(self):
        return str(self.channels)


# %% An objective, a regularizer, a distribution


class PlusMinusOne(Objective):
    """D pulls r to 1 and f to −1, G pulls f to 0 (Mao et al. 2017, arXiv:1611.04076)."""

    def discriminator_terms(self, r, f):
        return (r - 1) ** 2 / 2, (f + 1) ** 2 / 2, r - 1, f + 1

    def generator_terms(self, f):
        return f**2 / 2, f


class WeightDecay(Regularizer):
    """strength · ‖w‖² / 2, for all weights w of D: its gradient is strength · w."""

    def __init__(self, strength=1e-3):
        self.strength = strength

    def penalize(self, discriminator, real, fake, rng, step=0):
        w = discriminator.parameters
        discriminator.gradients += self.strength * w
        return self.strength * (w * w).sum() / 2

    def __repr__(self):
        return f"WeightDecay({self.strength})"


class Circle(Distribution):
    """The unit circle, and a little noise."""

    def __init__(self):
        super().__init__("circle", 2, (-1.3, 1.3, -1.3, 1.3))  # the window of pictures

    def draw(self, n, rng):
        angle = rng.uniform(0, 2 * np.pi, n)
        points = np.stack([np.cos(angle), np.sin(angle)], axis=1)
        return points + rng.normal(0, 0.05, (n, 2))


# %% Each of them checked; for a layer: x, weights, and the rules above

options, out = start("write_your_own", __doc__, ["picture.png"])
steps = options.steps or (100 if options.quick else STEPS)
rng, circle = np.random.default_rng(options.seed), Circle()
logits = rng.normal(size=(2, 5, 1))
print(gradcheck(Blend(2), rng.normal(size=(3, 4))))
print("Swish:", gradcheck(Swish(), rng.normal(size=(3, 4))).verdict)
print("PlusMinusOne:", gradcheck(PlusMinusOne(), *logits).verdict)

# %% All of them in one game

layers_of_G = [Dense(2, WIDTH), Swish(), Dense(WIDTH, WIDTH), Swish(), Dense(WIDTH, 2)]
layers_of_D = [Dense(2, 2 * WIDTH), Swish(), Blend(WIDTH), Dense(WIDTH, WIDTH), Swish()]
G = Sequential(layers_of_G, (2,), rng=rng, backend=options.backend)
D = Sequential([*layers_of_D, Dense(WIDTH, 1)], (2,), rng=rng, backend=options.backend)
gan = GAN(
    G,
    D,
    PlusMinusOne(options.backend),
    generator_optimizer=Adam(G, lr=1e-3, betas=(0.5, 0.99)),
    discriminator_optimizer=Adam(D, lr=1e-3, betas=(0.5, 0.99)),
    regularizer=WeightDecay(),
    latent=NormalLatent(2),
    rng=rng,
    schedule=LinearDecay(steps),
)
report = gradcheck(gan, circle.sample(4, rng), max_entries=8)
print(f"The whole game: {report.verdict}\n{D}")

# %% Training, and a picture

batches = Batches(circle, BATCH, rng)
records = [*progress(train(gan, batches, steps - gan.steps), gan, steps, shown_losses)]
figure = picture(6, 4)
axes = figure.add_subplot(title="A game with parts of your own", aspect="equal")
axes.scatter(*gan.sample(1000, rng=1).T, s=4, color=FAKE, label="generated")
axes.scatter(*circle.sample(1000, rng=1).T, s=4, color=REAL, label="real")
axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))
save_picture(figure, out.path("picture.png"))
out.save_metrics(steps=steps, verdict=report.verdict, seconds=sum(r.seconds for r in records))
print(f"Files: {out.folder}")
