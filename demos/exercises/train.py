"""Your pieces train a GAN: eight clouds on a ring, as in demos/toy.py.

Whatever of exercises 1 to 5 and 10 to 12 is solved is yours in this game: the layers of both
networks, the chain rule, the losses, both players' steps and the optimizer. The library does the
rest, and what is not solved yet. Half a minute. Writes picture.png to out/exercises, or to --out.
"""

import argparse
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

import minigan
from checker.exercise import FOLDER, answers, open_file
from checker.program import results
from minigan.data import Batches, toy
from minigan.metrics import mode_coverage
from minigan.plotting import FAKE, REAL, picture, save_picture
from minigan.tables import align
from support.options import show_what_can_be

BATCH, WIDTH, RATE = 256, 64, 2e-3
#: The exercises whose pieces are in the game.
USED = (
    "01_dense",
    "02_bias",
    "03_activations",
    "04_loss",
    "05_chain_rule",
    "10_discriminator_step",
    "11_generator_step",
    "12_adam",
)


def collect(folder=FOLDER):
    """exercise -> its classes and functions: the student's, where all of them are right.

    Also the rows of a table that says whose they are.
    """
    pieces, rows = {}, []
    for stem in USED:
        path = Path(folder, f"{stem}.py")
        missing = [result for result in results(path) if result.verdict != "ok"]
        pieces[stem] = answers(stem).right if missing else open_file(path)
        why = f"the library's: {missing[0].piece} {missing[0].verdict}" if missing else "yours"
        rows.append((stem, why))
    return pieces, rows


def build(pieces, steps, seed):
    """The game that these pieces make."""
    dense, bias, activations, loss, chain, D_step, G_step, adam = (pieces[stem] for stem in USED)

    def network(activation, outputs, rng):
        layers = []
        for inputs in (2, WIDTH):
            layers += [dense.Dense(inputs, WIDTH, bias=False), bias.Bias(WIDTH), activation()]
        layers += [dense.Dense(WIDTH, outputs, bias=False), bias.Bias(outputs)]
        options = {"rng": rng, "dtype": "float64", "backend": "reference"}
        return chain.Sequential(layers, (2,), **options)

    class Losses(minigan.NonSaturating):
        discriminator = staticmethod(loss.discriminator)
        generator = staticmethod(loss.generator)

    class GAN(minigan.GAN):
        discriminator_gradients = D_step.GAN.discriminator_gradients
        feedback = G_step.GAN.feedback
        generator_gradients = G_step.GAN.generator_gradients

    rngs = np.random.default_rng(seed).spawn(3)
    G, D = network(activations.ReLU, 2, rngs[0]), network(activations.LeakyReLU, 1, rngs[1])
    return GAN(
        G,
        D,
        Losses("reference"),
        generator_optimizer=adam.Adam(G, lr=RATE, betas=(0.5, 0.99)),
        discriminator_optimizer=adam.Adam(D, lr=RATE, betas=(0.5, 0.99)),
        latent=minigan.UniformLatent(2),
        rng=rngs[2],
        schedule=minigan.LinearDecay(steps),
    )


def play(gan, steps, seed):
    """Train, and say how it goes; generated points and how good they are."""
    ring = toy("ring")
    batches = Batches(ring, BATCH, np.random.default_rng([seed, 1]))
    with threadpool_limits(1):  # products as small as these are slower on two cores
        for record in minigan.train(gan, batches, steps):
            if record.step % max(1, steps // 10) == 0:
                print(f"step {record.step:5}: loss of D {record.discriminator_loss:.3f}, "
                      f"of G {record.generator_loss:.3f}")  # fmt: skip
    fake = gan.sample(2500, rng=seed)
    return fake, mode_coverage(fake, ring.means, ring.sigma)


def draw(fake, found):
    """Real and generated points."""
    figure = picture(5, 5)
    axes = figure.add_subplot(title=f"G's points reach {found.modes} of the 8 clouds")
    axes.set_aspect("equal")
    axes.scatter(*fake.T, s=4, color=FAKE, label="generated")
    axes.scatter(
        *toy("ring").sample(200, np.random.default_rng(0)).T, s=4, color=REAL, label="real"
    )
    axes.legend()
    return figure


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--steps", type=int, default=4000, help="of training (default: 4000)")
    parser.add_argument("--seed", type=int, default=0, help="of all randomness (default: 0)")
    parser.add_argument("--out", type=Path, default=Path("out", "exercises"))
    options = parser.parse_args()
    show_what_can_be()
    pieces, rows = collect()
    print("\n".join(align(rows, (0, 1))))
    fake, found = play(build(pieces, options.steps, options.seed), options.steps, options.seed)
    print(f"{found.modes} of 8 clouds, {found.high_quality:.0%} of the points in one")
    options.out.mkdir(parents=True, exist_ok=True)
    save_picture(draw(fake, found), options.out / "picture.png")
    print(f"Files: {options.out}")


if __name__ == "__main__":
    main()
