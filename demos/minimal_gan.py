"""The smallest GAN that works: algorithm 1 of Goodfellow et al. 2014, arXiv:1406.2661, in full.

Two networks play against each other. The generator G turns noise z into points G(z); the
discriminator D gives every point a number, its logit, large for points that look real. D learns to
tell the real points from G's; G learns from D, and from D alone, where the real ones are. The real
points are eight small clouds on a ring. It takes ten seconds. With --backend reference, the layers
run exactly as their files have them (see minigan/README.md). Files: picture.png, metrics.json.
"""

import numpy as np

from minigan import Adam, Dense, LeakyReLU, LinearDecay, NonSaturating, ReLU, Sequential
from minigan.data import toy
from minigan.metrics import mode_coverage
from minigan.plotting import FAKE, REAL, picture, save_picture
from support.demo import start

STEPS, BATCH, WIDTH = 6000, 256, 128

options, out = start("minimal_gan", __doc__, ["picture.png"])
steps = options.steps or (300 if options.quick else STEPS)
data, rng, backend = toy("ring"), np.random.default_rng(options.seed), options.backend
layers_of_G = [Dense(2, WIDTH), ReLU(), Dense(WIDTH, WIDTH), ReLU(), Dense(WIDTH, 2)]
layers_of_D = [Dense(2, WIDTH), LeakyReLU(), Dense(WIDTH, WIDTH), LeakyReLU(), Dense(WIDTH, 1)]
G, D = (Sequential(x, (2,), rng=rng, backend=backend) for x in (layers_of_G, layers_of_D))
objective, rate_factor = NonSaturating(backend), LinearDecay(steps)
adam_G, adam_D = (Adam(net, lr=1e-3, betas=(0.5, 0.99)) for net in (G, D))


def noise(n):
    return backend.asarray(rng.uniform(-1, 1, (n, 2)), G.dtype)


def step(i):
    """One step of each player; their losses."""
    # D's step: raise the logits of real points, lower those of fakes; no gradient goes into G
    real, (fake, _) = backend.asarray(data.sample(BATCH, rng), D.dtype), G.forward(noise(BATCH))
    real_logits, real_cache = D.forward(real)
    fake_logits, fake_cache = D.forward(fake)
    loss_D, d_real, d_fake = objective.discriminator(real_logits, fake_logits)
    D.zero_gradients()
    D.add_gradients(d_real, real_cache)
    D.add_gradients(d_fake, fake_cache)
    adam_D.step(rate_factor(i))
    # G's step: the gradient flows back through D, which stands still, into G
    fake, cache_G = G.forward(noise(BATCH))
    logits, cache_D = D.forward(fake)
    loss_G, d_logits = objective.generator(logits)
    G.zero_gradients()
    G.add_gradients(D.backward(d_logits, cache_D), cache_G)
    adam_G.step(rate_factor(i))
    return loss_D, loss_G


for i in range(steps):
    loss_D, loss_G = step(i)
    if i % max(1, steps // 10) == 0:
        print(f"step {i:5}: loss of D {float(loss_D):.3f}, of G {float(loss_G):.3f}")

fake = backend.to_numpy(G(noise(2500)))
found, figure = mode_coverage(fake, data.means, data.sigma), picture(5, 5)
print(f"{found.modes} of {found.modes_total} clouds, {found.high_quality:.0%} of the points in one")
axes = figure.add_subplot(title=f"G's points reach {found.modes} of the 8 clouds", aspect="equal")
axes.scatter(*fake.T, s=4, color=FAKE, label="generated")
axes.scatter(*data.sample(200, rng).T, s=4, color=REAL, label="real")
axes.legend()
save_picture(figure, out.path("picture.png"))
out.save_metrics(steps=steps, modes=found.modes, high_quality=found.high_quality)
print(f"Files: {out.folder}")
