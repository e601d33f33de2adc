"""What is wrong with this network? An X-ray of five networks, of which one is healthy.

One batch goes forward and backward through each network. The X-ray shows, for each layer, how
large its outputs are, how much of the gradient still arrives, for which outputs no gradient
passes at all, and whether the backward pass is the derivative of the forward pass. It takes a few
seconds; nothing is trained.

What to look at, in picture.png and in the printed tables:
- All networks have the same layers of 64 units. Each of the sick ones differs in one thing.
- The gradient runs from the last layer to the first. On a logarithmic axis, a straight line means
  that all layers multiply it by the same factor, their gain. For a sigmoid this factor is small:
  its slope is at most 1/4.
- In the dead network, half of the units of one layer give 0 for every input. Their weights get no
  gradient, and so will never change.
- The wrong backward pass spoils all gradients before it, but the table names the one layer that
  is to blame.

What to try next: replace Sigmoid by Tanh; the initial weights by Normal(0.02), as in the DCGAN
paper; put a BatchNorm before each Sigmoid. And X-ray your own network: print(xray(network, x)).

Files: picture.png and metrics.json, with the findings and the gradient's factor for each network.
"""

import numpy as np

from minigan import Dense, Normal, ReLU, Sequential, Sigmoid, xray
from minigan.plotting import draw_gradient_flow, picture, save_picture
from support.demo import start

# %% Constants

DEPTH, WIDTH, BATCH = 6, 64, 64

options, out = start("xray", __doc__, ["picture.png"])
weight_rng, data_rng = np.random.default_rng(options.seed).spawn(2)
x = data_rng.standard_normal((BATCH, WIDTH))

# %% The patients


class ForgetfulReLU(ReLU):
    """A mistake: f'(x) is 0 where the unit is off, but this one passes dy on everywhere."""

    def backward(self, dy, y):
        return dy.copy()


def network(*activations, **init):
    layers = []
    for activation in activations:
        layers += [Dense(WIDTH, WIDTH, **init), activation()]
    return Sequential([*layers, Dense(WIDTH, 1)], (WIDTH,), rng=weight_rng, backend=options.backend)


relus = [ReLU] * DEPTH
patients = {
    "healthy": network(*relus),  # He's initial weights, the default
    "sigmoids": network(*[Sigmoid] * DEPTH),
    "large weights": network(*relus, init=Normal(1)),
    "dead units": network(*relus),
    "wrong backward pass": network(*relus[:2], ForgetfulReLU, *relus[3:]),
}
patients["dead units"].layers[4].bias[::2] = -10

# %% The X-rays

found = {name: xray(patient, x, rng=options.seed) for name, patient in patients.items()}
for name, report in found.items():
    print(f"{name}\n{report}\n")

# %% Picture


def factor(report):
    """The factor on the gradient on its way from the last layer to the first."""
    return report.layers[0].gradient.norm / report.layers[-1].gradient.norm


def flow(report):
    """Per layer: the spread of its outputs, the gradient that reaches it, its flat share."""
    rows = [(y.output.std, y.gradient.norm, y.flat) for y in report.layers]
    return tuple(zip(*rows, strict=True))


names = [
    f"{y.position} {'Dense' if y.parameters else 'activation'}" for y in found["healthy"].layers
]
figure = picture(13, 6)
draw_gradient_flow(figure, names, {name: flow(report) for name, report in found.items()})
save_picture(figure, out.path("picture.png"))

out.save_metrics(
    findings={name: list(report.findings) for name, report in found.items()},
    factors={name: factor(report) for name, report in found.items()},
)
print(f"Files: {out.folder}")
