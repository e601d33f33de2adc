"""A residual GAN with spectral norms, and what attention adds, beside a DCGAN of the same cost.

Miyato et al. 2018 (arXiv:1802.05957, table 4) keep D's slope in bounds by its layers, not by a
penalty: each weight is divided by its largest singular value. So D needs no batch norm, and its
loss is the hinge. Both players are made of residual blocks, y = f(x) + s(x); G's blocks copy each
pixel to 2 × 2, D's average 2 × 2 pixels, and D ends in a sum over all pixels. In the third game,
each pixel of the 14 × 14 images inside both players also looks at all the others (Zhang et al.
2019, arXiv:1805.08318; there, the attention's weights have spectral norms, too). All games cost
the same: each may make as many products of two numbers, in the forward passes of one image, as the
DCGAN (the networks of mnist.py --model dcgan) in 1,500 steps. It takes five to ten minutes on
one core.

What to look at:
- picture.png: samples of each game. Whose strokes hang together?
- The printed table: the score (real test images: 9.8) and the Fréchet distance (the lower, the
  better) of the classifier in minigan/metrics/, and γ, the weight of the attention in G. It starts
  at 0; does it stay there?

What to try next:
  --seed 1                  do the three games keep their order?
  --steps 6000              four times as long (of the DCGAN; the others in proportion)

Files: picture.png and metrics.json.
"""

import numpy as np

from minigan import (
    GAN,
    Adam,
    AvgPool2d,
    BatchNorm,
    Conv2d,
    ConvTranspose2d,
    Dense,
    Flatten,
    GlobalSumPool,
    LeakyReLU,
    LinearDecay,
    Normal,
    NormalLatent,
    ReLU,
    Reshape,
    Residual,
    SelfAttention,
    Sequential,
    SpectralNorm,
    Tanh,
    Upsample,
    train,
)
from minigan.data import Batches, load_mnist
from minigan.metrics import image_scores, inception_score, mnist_classifier
from minigan.plotting import picture, save_picture, show_rows, styled
from support.demo import start
from support.training import progress

# %% Constants

STEPS, QUICK_STEPS, BATCH, LATENT = 1500, 6, 32, 100
LR = 1e-3  # five times what the papers take, as the games are short
SAMPLES, QUICK_SAMPLES, SHOWN = 5000, 200, 14
CLASSIFIER_STEPS, QUICK_CLASSIFIER_STEPS = 6000, 20


def add_options(parser):
    parser.add_argument("--data-dir", help="folder that holds the MNIST files")


options, out = start("sngan", __doc__, ["picture.png"], add_options)
steps = options.steps or (QUICK_STEPS if options.quick else STEPS)
batch_rng, noise_rng, weight_rng, view_rng = np.random.default_rng(options.seed).spawn(4)
images, _ = load_mnist("train", options.data_dir)
latent = NormalLatent(LATENT)

# %% The networks: a DCGAN's, as in mnist.py; and residual ones


def dcgan():
    init, few, many = Normal(0.02), 32, 64
    G = [Dense(LATENT, 49 * many, bias=False, init=init), Reshape(7, 7, many), BatchNorm(many)]
    G += [ReLU(), ConvTranspose2d(many, few, 4, 2, 1, bias=False, init=init), BatchNorm(few)]
    G += [ReLU(), ConvTranspose2d(few, 1, 4, 2, 1, init=init), Tanh()]
    D = [Conv2d(1, few, 4, 2, 1, init=init), LeakyReLU(0.2)]
    D += [Conv2d(few, many, 4, 2, 1, bias=False, init=init), BatchNorm(many), LeakyReLU(0.2)]
    return G, [*D, Flatten(), Dense(49 * many, 1, init=init)]


def up(inputs, outputs):
    """A block of G: twice as wide and as high."""
    layers = [BatchNorm(inputs), ReLU(), Upsample(2), Conv2d(inputs, outputs, 3, 1, 1)]
    layers += [BatchNorm(outputs), ReLU(), Conv2d(outputs, outputs, 3, 1, 1)]
    return Residual(layers, [Conv2d(inputs, outputs, 1), Upsample(2)])


def down(inputs, outputs):
    """A block of D: half as wide and as high."""
    first, second = Conv2d(inputs, outputs, 3, 1, 1), Conv2d(outputs, outputs, 3, 1, 1)
    layers = [ReLU(), SpectralNorm(first), ReLU(), SpectralNorm(second), AvgPool2d(2)]
    if inputs == 1:  # of the images themselves, ReLU would take the background away
        layers = layers[1:]
    return Residual(layers, [AvgPool2d(2), SpectralNorm(Conv2d(inputs, outputs, 1))])


def flat(inputs, outputs):
    """A block of D that keeps the size."""
    first, second = Conv2d(inputs, outputs, 3, 1, 1), Conv2d(outputs, outputs, 3, 1, 1)
    layers = [ReLU(), SpectralNorm(first), ReLU(), SpectralNorm(second)]
    return Residual(layers, [SpectralNorm(Conv2d(inputs, outputs, 1))])


def sngan(attention=False):
    G = [Dense(LATENT, 49 * 32), Reshape(7, 7, 32), up(32, 16)]
    G += [SelfAttention(16)] * attention
    G += [up(16, 8), BatchNorm(8), ReLU(), Conv2d(8, 1, 3, 1, 1), Tanh()]
    D = [down(1, 8), *[SelfAttention(8)] * attention, down(8, 16), flat(16, 32), ReLU()]
    return G, [*D, GlobalSumPool(), SpectralNorm(Dense(32, 1))]


GAMES = {
    "DCGAN": (dcgan, "non-saturating", (0.5, 0.999)),
    "residual SNGAN": (sngan, "hinge", (0.0, 0.9)),
    "with attention": (lambda: sngan(attention=True), "hinge", (0.0, 0.9)),
}

# %% What a game costs: products per image, in one forward pass of G and of D


def products(layers, shape):
    """Those of layers, from inputs of this shape: every weight is used at every place."""
    total = 0
    for layer in layers:
        after = layer.output_shape(shape)
        if isinstance(layer, Residual):
            total += products(layer.residual.layers, shape)
            total += products(layer.shortcut.layers, shape)
        elif isinstance(layer, SelfAttention):
            pixels, sizes = shape[0] * shape[1], [s for s, _ in layer.parameters().values()]
            total += pixels * sum(np.prod(size) for size in sizes[:2])
            total += 2 * pixels**2 * sizes[1][0]
        elif "weight" in layer.parameters():
            inner = layer.layer if isinstance(layer, SpectralNorm) else layer
            places = shape if isinstance(inner, ConvTranspose2d) else after
            total += np.prod(places[:-1], dtype=int) * np.prod(layer.parameters()["weight"][0])
        shape = after
    return int(total)


# %% Training: each game for as many steps as its products allow

noise = latent.sample(QUICK_SAMPLES if options.quick else SAMPLES, view_rng)
classifier = mnist_classifier(
    steps=QUICK_CLASSIFIER_STEPS if options.quick else CLASSIFIER_STEPS, data_dir=options.data_dir
)
real_answers, real_features = classifier(load_mnist("test", options.data_dir)[0])
real_score = inception_score(real_answers)
found, sheets, cost_of_dcgan = {}, [], None
for name, (networks, objective, betas) in GAMES.items():
    layers_of_G, layers_of_D = networks()
    cost = products(layers_of_G, (LATENT,)) + products(layers_of_D, (28, 28, 1))
    cost_of_dcgan = cost_of_dcgan or cost
    length = max(1, round(steps * cost_of_dcgan / cost))
    G = Sequential(layers_of_G, (LATENT,), rng=weight_rng, backend=options.backend)
    D = Sequential(layers_of_D, (28, 28, 1), rng=weight_rng, backend=options.backend)
    gan = GAN(
        G,
        D,
        objective,
        latent=latent,
        rng=noise_rng,
        generator_optimizer=Adam(G, LR, betas=betas),
        discriminator_optimizer=Adam(D, LR, betas=betas),
        schedule=LinearDecay(length),
        average_decay=0.999,
    )
    print(f"{name}\n{G}\n{D}\n")
    batches = Batches(images, BATCH, batch_rng)
    records = list(progress(train(gan, batches, length), gan, length, name=name))
    samples = gan.generate(noise)
    sheets.append(samples[:SHOWN])
    scores = image_scores(samples, real_features, classifier)
    found[name] = {
        "score": scores.score,
        "frechet": scores.frechet,
        "parameters": G.parameters.size + D.parameters.size,
        "products_per_image": cost,
        "steps": length,
        "seconds": sum(record.seconds for record in records),
    }
    attention = [layer for layer in G.layers if isinstance(layer, SelfAttention)]
    if attention:
        found[name]["gamma"] = float(options.backend.to_numpy(attention[0].gamma)[0])

# %% The picture and the table


@styled
def draw(figure):
    labels = [f"{name}\nscore {row['score']:.2f}" for name, row in found.items()]
    show_rows(figure.subplots(), np.stack(sheets), labels)
    figure.suptitle("Samples of three games that cost the same", weight="bold")
    figure.supxlabel(f"score: clear and different digits; real ones have {real_score:.2f}", size=10)


figure = picture(8, 2.3)
draw(figure)
save_picture(figure, out.path("picture.png"))

print(f"{'':16}{'score':>7}{'Fréchet':>9}{'steps':>7}{'seconds':>9}")
for name, row in found.items():
    print(f"{name:16}{row['score']:7.2f}{row['frechet']:9.2f}{row['steps']:7}{row['seconds']:9.0f}")
print(f"γ of the attention in G: {found['with attention']['gamma']:.3f}")
out.save_metrics(games=found, score_of_real=real_score)
print(f"Files: {out.folder}")
