"""The theory of GANs, measured: the best D, the value of the game, and why players go in circles.

What to look at:
- best_d.png: for fixed densities p (real) and q (generated), the best discriminator is
  D* = p / (p + q), and the value of the game is then V = 2 JS(p, q) − log 4 (Goodfellow et al.
  2014, section 4). A network is trained to be this D*. Left: D beside D*. Right: its value climbs
  to that of D*. If p and q are equal, the best D is 1/2 everywhere, and the value climbs to −log 4
  and no further.
- circles.png: the smallest game. G shifts noise by θ, D(x) = σ(ψ x), the real data lie around 0,
  and at the equilibrium θ = ψ = 0. Arrows show where each player's gradient pushes. Together the
  two players turn around the equilibrium, for each reacts to what the other did before. Smaller
  steps would spiral in; these spiral out into a circle. Three cures:
  - the average of all points so far lies inside the circle;
  - R1 pulls ψ to 0, and so damps the turning (Mescheder et al. 2018, arXiv:1801.04406);
  - k steps of D per step of G: D comes close to its best answer, and G then descends the
    divergence.

What to try next: RATE = 0.05 with ROUNDS = 4000, as smaller steps need more of them: does the game
without a cure converge now? NOISE = 0, the Dirac-GAN of that paper, where k steps no longer help,
but R1 still does. It takes about 10 seconds.

Files: best_d.png, circles.png, metrics.json with errors, values and final distances.
"""

import numpy as np
import scipy.stats

from minigan import Adam, Dense, LinearDecay, Minimax, Sequential, Tanh, train
from minigan.data import Batches, GaussianMixture
from minigan.games.critic import CriticGame
from minigan.plotting import INK, OTHERS, draw_densities, minus, picture, save_picture, styled
from support.claims import borne_out
from support.demo import start
from support.training import progress

# %% Constants

STEPS, QUICK_STEPS, BATCH, WIDTH = 1400, 40, 512, 64
RATE, NOISE, GAMMA, K, ROUNDS, START = 0.3, 0.3, 0.5, 10, 1000, (1.0, 0.5)

options, out = start("saddle_point", __doc__, ["best_d.png", "circles.png"])
steps = options.steps or (QUICK_STEPS if options.quick else STEPS)
p = GaussianMixture([[-3.0], [0.0], [3.0]], 0.6)
q = GaussianMixture([[-1.5], [1.5]], 0.8)
x = np.linspace(-7, 7, 2401)[:, None]
SEEN = 5  # of the picture; beyond it are few points to learn from
dx = x[1, 0] - x[0, 0]

# %% The best discriminator, and the value of the game (integrals as sums over a fine grid)


def logits(D):
    return options.backend.to_numpy(D(options.backend.asarray(x, D.dtype)))[:, 0].astype(float)


def value(r, q):
    """V = E_p log D + E_q log(1 − D) for the logits r of D over the grid."""
    return -float(
        (p.density(x) * np.logaddexp(0, -r) + q.density(x) * np.logaddexp(0, r)).sum() * dx
    )


def learn(q):
    """A discriminator trained on p and q, and its value (step, V) about 40 times on the way."""
    weight_rng, real_rng, fake_rng = np.random.default_rng(options.seed).spawn(3)
    layers = [Dense(1, WIDTH), Tanh(), Dense(WIDTH, WIDTH), Tanh(), Dense(WIDTH, 1)]
    D = Sequential(layers, (1,), rng=weight_rng, backend=options.backend)
    optimizer, schedule = Adam(D, 3e-3, betas=(0.9, 0.999)), LinearDecay(steps, hold=0.3)
    fakes = Batches(q, BATCH, fake_rng)
    game = CriticGame(D, "minimax", optimizer, fakes, rng=weight_rng, schedule=schedule)
    found = [(0, value(logits(D), q))]
    records = train(game, Batches(p, BATCH, real_rng), steps)
    for record in progress(records, game, steps):
        if record.step % max(1, steps // 40) == 0:
            found.append((record.step, value(logits(D), q)))
    return D, np.transpose(found)


(D, values), (_, values_equal) = learn(q), learn(p)
log_ratio = p.log_density(x) - q.log_density(x)  # the logit of D* = p / (p + q)
best, best_equal = value(log_ratio, q), value(0 * log_ratio, p)
optimal, learned = (1 / (1 + np.exp(-r)) for r in (log_ratio, logits(D)))
weight = (p.density(x) + q.density(x)) / 2  # of the errors: only where there are points
error = float((abs(learned - optimal) * weight).sum() * dx)

# %% The smallest game: the noise is 64 quantiles of a Gaussian, so that nothing is random

z = NOISE * scipy.stats.norm.ppf((np.arange(64) + 0.5) / 64)[:, None]
objective = Minimax()


def gradients(theta, psi):
    """d(G's loss)/dθ and d(D's loss)/dψ, through the logits ψ z and ψ (θ + z)."""
    fake = theta + z
    _, d_real, d_fake = objective.discriminator(psi * z, psi * fake)
    _, d_generator = objective.generator(psi * fake)
    return float((d_generator * psi).sum()), float((d_real * z + d_fake * fake).sum())


def play(k=1, gamma=0.0):
    """The way of (θ, ψ): per round k steps of D and one of G, with R1's γ ψ in D's gradient."""
    theta, psi = START
    way = [START]
    for _ in range(ROUNDS):
        d_theta = gradients(theta, psi)[0]  # simultaneous steps: before D has moved
        for _ in range(k):
            psi -= RATE * (gradients(theta, psi)[1] + gamma * psi)
        d_theta = gradients(theta, psi)[0] if k > 1 else d_theta
        theta -= RATE * d_theta
        way.append((theta, psi))
    return np.array(way)


ways = {"simultaneous steps": play()}
ways["their average"] = (
    np.cumsum(ways["simultaneous steps"], axis=0) / np.arange(1, ROUNDS + 2)[:, None]
)
ways |= {f"R1, γ = {GAMMA:g}": play(gamma=GAMMA), f"{K} steps of D": play(k=K)}
distances = {name: np.linalg.norm(way, axis=1) for name, way in ways.items()}
looks = [(INK, "-"), (OTHERS[0], "--"), (OTHERS[3], "-."), (OTHERS[2], ":")]
looks = dict(zip(ways, [{"color": c, "linestyle": line} for c, line in looks], strict=True))
claims = borne_out(
    {
        "The network is close to D*": error < 0.02,
        "Its value climbs to that of D*, and no further": 0 <= best - values[1, -1] < 0.01,
        "If p = q, to −log 4": 0 <= best_equal - values_equal[1, -1] < 0.01,
        "Simultaneous steps do not arrive": distances["simultaneous steps"][-1] > 1,
        "Their average comes closer, R1 and more steps of D arrive": all(
            found[-1] < (0.2 if name == "their average" else 1e-6)
            for name, found in distances.items()
            if name != "simultaneous steps"
        ),
    }
)

# %% Pictures


@styled
def draw_best(figure):
    left, right = figure.subplots(1, 2)
    draw_densities(left, x[:, 0], p.density(x), q.density(x), names=("p", "q"), top=1.5)
    left.plot(x, optimal, color=OTHERS[4], linewidth=5, alpha=0.6, label="D* = p / (p + q)")
    left.plot(x, learned, color=INK, linewidth=1.5, label="D, learned")
    left.set(title=f"The best D\nmean error at the points: {error:.3f}", ylabel="density; D")
    left.set(xlim=(-SEEN, SEEN))
    left.legend(loc="upper center", ncols=2, columnspacing=1)
    right.plot(*values, color=INK, label="p ≠ q")
    right.plot(*values_equal, color=OTHERS[0], linestyle="--", label="p = q")
    top = minus(f"{best:.3f}"), minus(f"{best_equal:.3f}")
    right.axhline(best, color=INK, linestyle=":", label=f"of D*: {top[0]}")
    right.axhline(best_equal, color=OTHERS[0], linestyle=":", label=f"−log 4 = {top[1]}")
    right.set(title="The value of the game\nno D gets above the dotted lines")
    right.set(xlabel="step of D", ylabel="V [nats]", xlim=(0, steps))
    right.set_ylim(best_equal - 0.15, best + 0.75 * (best - best_equal))
    right.legend(loc="upper right", ncols=2, columnspacing=1)


@styled
def draw_circles(figure):
    above, below = figure.subfigures(2, 1, height_ratios=[1, 1.05])
    draw_ways(above.subplots(1, len(ways), sharey=True))
    axes = below.subplots()
    for name, found in distances.items():
        axes.plot(found, **looks[name], label=f"{name}: {written(found[-1])} at the end")
    axes.set(title="Distance from the equilibrium", xlabel="round", ylabel="|(θ, ψ)|")
    axes.set(yscale="log", ylim=(1e-4, 1e1), xlim=(0, ROUNDS))
    axes.legend(loc="lower right")


def written(distance):
    """0.089; 2 · 10⁻¹⁰."""
    if distance > 1e-3:
        return f"{distance:.2g}"
    digits, power = f"{distance:.0e}".split("e")
    return f"{digits} · 10{str(int(power)).translate(str.maketrans('-0123456789', '⁻⁰¹²³⁴⁵⁶⁷⁸⁹'))}"


def draw_ways(panels):
    reach = 1.15 * max(abs(way).max() for way in ways.values())
    grid = np.linspace(-reach, reach, 11)
    arrows = np.array([[gradients(theta, psi) for theta in grid] for psi in grid])
    pulled = arrows + GAMMA * np.stack([0 * grid, grid], axis=1)[:, None]  # by R1, towards ψ = 0
    for axes, (name, way) in zip(panels, ways.items(), strict=True):
        pushes = -(pulled if name.startswith("R1") else arrows)
        axes.quiver(grid, grid, pushes[..., 0], pushes[..., 1], color="#AAAAAA", width=0.006)
        axes.plot(*way.T, color=looks[name]["color"], linewidth=1)
        axes.plot(*START, "o", color=looks[name]["color"], markersize=6)
        axes.plot(0, 0, "+", color=INK, markersize=12, markeredgewidth=2)
        axes.set(title=name, xlabel="θ (G)", aspect="equal")
        axes.set(xlim=(-reach, reach), ylim=(-reach, reach), xticks=[-2, 0, 2], yticks=[-2, 0, 2])
    panels[0].set_ylabel("ψ (D)")


for name, draw, height in (("best_d.png", draw_best, 3.7), ("circles.png", draw_circles, 5.4)):
    figure = picture(8, height)
    draw(figure)
    save_picture(figure, out.path(name))

out.save_metrics(
    steps=steps,
    error_of_D=error,
    value=values[1, -1],
    value_of_best=best,
    value_if_equal=values_equal[1, -1],
    minus_log_4=best_equal,
    claims=claims,
    distances={name: float(found[-1]) for name, found in distances.items()},
)
print(f"Mean error of D: {error:.3f}. Its value: {values[1, -1]:.3f}; that of D*: {best:.3f}.")
print("Distance from the equilibrium after", ROUNDS, "rounds:")
for name, found in distances.items():
    print(f"  {name:20} {found[-1]:.2g}")
print(f"Files: {out.folder}")
