"""Why the objective matters: the better D gets, the less a minimax generator learns from it.

Real and generated numbers are two Gaussians far apart, and the generator does not move. Only the
discriminator learns (and beside it a Wasserstein critic). Again and again we ask: if the
generator made its step now, how large would its gradient be?

- minimax, mean log(1 − D): where the fakes are, a D that is sure is flat. The gradient vanishes
  exactly when the generator is worst.
- non-saturating, −mean log D: the same D with another loss. The gradient does not vanish; it grows.
- Wasserstein, −mean f: a critic of slope 1 says how far away the data are, and does not stop
  saying it.

What to look at in picture.png: above left, the gradient over the steps of D, on logarithmic axes.
(With some seeds it dips early. A D that has learned nothing may push the fakes away from the data;
while its push turns round, it passes through zero. The picture says where.) Above right, what the
two networks have learned (figure 2 of Arjovsky et al. 2017, arXiv:1701.07875): D is a step, flat
on both sides; the critic is a slope. Below, the push on a fake at each place.

What to try next: in the constants, let the Gaussians overlap (DISTANCE = 1): which gradient
vanishes now? Train with toy.py --objective minimax: why does it work there? It takes about 10
seconds.

Files: picture.png, metrics.json with the gradients before and after.
"""

import numpy as np

from minigan import (
    WGANGP,
    Adam,
    Dense,
    LeakyReLU,
    Minimax,
    NonSaturating,
    Sequential,
    Tanh,
    Wasserstein,
    train,
)
from minigan.data import Batches, GaussianMixture
from minigan.games.critic import CriticGame
from minigan.plotting import FAKE, INK, OTHERS, draw_densities, picture, save_picture, styled
from support.claims import borne_out
from support.demo import start
from support.training import progress

# %% Constants: real numbers around DISTANCE, fakes around −DISTANCE

DISTANCE, SIGMA = 2.0, 0.5
STEPS, QUICK_STEPS, BATCH, WIDTH, LOOKS = 2000, 60, 256, 64, 40

options, out = start("vanishing_gradients", __doc__, ["picture.png"])
steps = options.steps or (QUICK_STEPS if options.quick else STEPS)
seeds = np.random.default_rng(options.seed).spawn(6)
p, q = (GaussianMixture([[mean]], SIGMA) for mean in (DISTANCE, -DISTANCE))
shared = {"backend": options.backend}

# %% A generator that turns normal noise into q, y = z · sigma + mean, and is not trained

G = Sequential([Dense(1, 1)], (1,), rng=seeds[0], **shared)
G.layers[0].weight[...], G.layers[0].bias[...] = SIGMA, -DISTANCE
z = options.backend.asarray(seeds[1].standard_normal((BATCH, 1)), G.dtype)


def gradient(judge, objective):
    """The norm of the gradient that G's step would follow, and the mean push on the fakes.

    Both come through the judge. A push above 0 is one towards the data.
    """
    fake, fake_cache = G.forward(z)
    logits, cache = judge.forward(fake)
    _, d_logits = objective.generator(logits)
    d_fake = judge.backward(d_logits, cache)
    G.zero_gradients()
    G.add_gradients(d_fake, fake_cache)
    return float(G.backend.norm(G.gradients)), -float(d_fake.sum())


# %% A discriminator and a critic learn to tell p from q


def network(activation, rng):
    layers = [Dense(1, WIDTH), activation(), Dense(WIDTH, WIDTH), activation(), Dense(WIDTH, 1)]
    return Sequential(layers, (1,), rng=rng, **shared)


D, critic = network(Tanh, seeds[2]), network(LeakyReLU, seeds[3])
judged = {
    "minimax": (D, Minimax(options.backend)),
    "non-saturating": (D, NonSaturating(options.backend)),
    "Wasserstein": (critic, Wasserstein(options.backend)),
}
games = [
    CriticGame(judge, objective, Adam(judge, 1e-3), Batches(q, BATCH, rng), rng=rng, **options_)
    for judge, objective, rng, options_ in (
        (D, "minimax", seeds[4], {}),
        (critic, "wasserstein", seeds[5], {"regularizer": WGANGP(10.0)}),
    )
]
stops = np.unique(np.geomspace(1, steps, LOOKS).round().astype(int)).tolist()
found = {name: [gradient(*pair)] for name, pair in judged.items()}
runs = [train(game, Batches(p, BATCH, game.rng.spawn(1)[0]), steps) for game in games]
for record, _ in zip(progress(runs[0], games[0], steps), runs[1], strict=True):
    if record.step in stops:
        for name, pair in judged.items():
            found[name].append(gradient(*pair))
norms = {name: [length for length, _ in pairs] for name, pairs in found.items()}
away = [step for step, (_, mean) in zip(stops, found["minimax"][1:], strict=True) if mean < 0]
turn = max(away, default=None)  # the last step of D after which it pushed the fakes away
for name, (first, *_, last) in norms.items():
    print(f"{name:15} gradient of G: {first:.2g} before D learns, {last:.2g} after")
change = {name: lengths[-1] / lengths[0] for name, lengths in norms.items()}
claims = borne_out(
    {
        "The minimax gradient vanishes": change["minimax"] < 0.02,
        "The non-saturating one grows": change["non-saturating"] > 1,
        "The critic's stays": 0.2 < change["Wasserstein"] < 5,
    }
)

# %% What the networks say at each x, and how each loss would push a fake there

x = np.linspace(-2 * DISTANCE, 2 * DISTANCE, 801)[:, None]


def push(judge, objective):
    """−dL/dx of the generator's loss for a single fake at each x."""
    logits, cache = judge.forward(options.backend.asarray(x, judge.dtype))
    _, d = objective.generator(logits)
    slopes = judge.backward(d * len(x), cache)
    return -options.backend.to_numpy(slopes)[:, 0]


pushes = {name: push(*pair) for name, pair in judged.items()}
logit, height = (
    options.backend.to_numpy(judge(options.backend.asarray(x, "float32")))[:, 0].astype(float)
    for judge in (D, critic)
)
inside = abs(x[:, 0] + DISTANCE) < SIGMA
LINES = {
    "minimax": (INK, "-"),
    "non-saturating": (OTHERS[0], "--"),
    "Wasserstein": (OTHERS[3], "-."),
}

# %% Picture


@styled
def draw(figure):
    above, below = figure.subfigures(2, 1, height_ratios=[1.2, 1])
    (left, middle), right = above.subplots(1, 2), below.subplots()
    for name, (colour, line) in LINES.items():
        left.plot(stops, norms[name][1:], color=colour, linestyle=line, label=name)
        there = pushes[name] > 0  # a logarithmic axis shows no push away from the data
        heights = np.where(there, pushes[name], np.nan)
        right.plot(x, heights, color=colour, linestyle=line, label=name)
    left.set(xscale="log", yscale="log", xlabel="step of D", ylabel="norm of G's gradient")
    left.set(title="What G would learn", xlim=(1, steps))
    left.legend(loc="lower left")
    if turn is not None:
        at = norms["minimax"][1 + stops.index(turn)]
        arrow = {"arrowstyle": "->", "color": INK}
        text = "until here D pushed\nthe fakes away"
        left.annotate(text, (turn, at), (4 * turn, at * 7), arrowprops=arrow, size=9.5)
    draw_densities(
        middle, x[:, 0], p.density(x), q.density(x), names=("real", "generated"), top=1.35
    )
    middle.plot(x, 1 / (1 + np.exp(-logit)), color=INK, label="D(x)")
    scaled = (height - height.min()) / (height.max() - height.min())
    middle.plot(x, scaled, color=OTHERS[3], linestyle="-.", label="critic, 0 to 1")
    middle.set(title="What D and the critic learned", ylabel="density; D; critic")
    middle.legend(loc="upper center", ncols=2, columnspacing=1)
    right.axvspan(
        -DISTANCE - 2 * SIGMA, -DISTANCE + 2 * SIGMA, color=FAKE, alpha=0.2, label="fakes"
    )
    right.set(yscale="log", xlabel="x", ylabel="push to the right, −dL/dx")
    right.set(title="The push on a fake at x", xlim=(x[0, 0], x[-1, 0]))
    right.legend(loc="center right", bbox_to_anchor=(1, 0.4))


figure = picture(8, 6.6)
draw(figure)
save_picture(figure, out.path("picture.png"))

out.save_metrics(
    steps=steps,
    before={name: lengths[0] for name, lengths in norms.items()},
    after={name: lengths[-1] for name, lengths in norms.items()},
    push_on_fakes={name: float(np.median(push[inside])) for name, push in pushes.items()},
    turns_at=turn,
    claims=claims,
)
print(f"Files: {out.folder}")
