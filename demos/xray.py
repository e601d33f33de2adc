"""What is wrong with this network? An X-ray of five networks, of which one is healthy.

One batch goes forward and backward through each network. The X-ray shows, for each layer, how
large its outputs are, how much of the gradient still arrives, for which outputs no gradient
passes at all, and whether the backward pass is the derivative of the forward pass. It takes a few
seconds; nothing is trained.

What to look at, in picture.png (a row for each network) and in the printed tables:
- All networks have the same layers of 64 units. Each of the sick ones differs in one thing. Grey
  is the healthy one.
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
from minigan.plotting import FAKE, INK, picture, save_picture, styled
from support.claims import borne_out
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
first_words = {name: (*report.findings, "nothing")[0] for name, report in found.items()}
claims = borne_out(
    {
        f"The X-ray of {name} finds {what}": first_words[name].startswith(what)
        for name, what in {
            "healthy": "nothing",
            "sigmoids": "vanishing gradient",
            "large weights": "exploding gradient",
            "dead units": "dead units",
            "wrong backward pass": "wrong gradient",
        }.items()
    }
)

# %% Picture


def factor(report):
    """The factor on the gradient on its way from the last layer to the first."""
    return report.layers[0].gradient.norm / report.layers[-1].gradient.norm


def dead_units(report):
    """(units, layer): of the layer with the most units that are flat for the whole batch."""
    return max((len(y.dead), y.position) for y in report.layers)


factors = {name: factor(report) for name, report in found.items()}
dead, place = dead_units(found["dead units"])
blamed = [y.position for y in found["wrong backward pass"].layers if y.check.verdict == "WRONG"]
on_its_way = "on its way from the last layer to the first"
diagnoses = {
    "healthy": f"the gradient becomes {factors['healthy']:.2f} times as large {on_its_way}",
    "sigmoids": f"it becomes {factors['sigmoids']:.4f} times as large: it vanishes",
    "large weights": f"it becomes {factors['large weights']:,.0f} times as large: it explodes",
    "dead units": f"{dead} of {WIDTH} units of layer {place} let no gradient pass, for any input",
    "wrong backward pass": f"layer {', '.join(map(str, blamed))} lets it pass where it is flat",
}


@styled
def draw(figure):
    rows = figure.subfigures(len(found), 1, height_ratios=[1.15, 1, 1, 1, 1.15])
    for part, (name, report) in zip(rows, found.items(), strict=True):
        part.suptitle(f"{name}: {diagnoses[name]}", size=10, weight="bold", x=0.01, ha="left")
        panels = part.subplots(1, 3)
        draw_rows(panels, found["healthy"].layers, "#AAAAAA")
        if name != "healthy":
            draw_rows(panels, report.layers, FAKE)
        for axes, (_, label, ends, ticks) in zip(panels, PANELS, strict=True):
            axes.set(ylabel=label, ylim=ends, yticks=ticks, xlim=(-0.5, 2 * DEPTH + 0.5))
            axes.minorticks_off()
    for axes, (title, *_) in zip(rows[0].axes, PANELS, strict=True):
        axes.set_title(title, size=10, weight="normal", color=INK)
    for axes in panels:
        axes.set_xlabel("layer")


PANELS = [  # title, label of the vertical axis, its range and its ticks
    ("forward: size of the outputs", "std of y", (1e-3, 1e6), (1e-2, 1, 1e2, 1e4)),
    ("backward: the gradient", "‖dL/dy‖", (1e-5, 1e4), (1e-4, 1e-2, 1, 1e2)),
    ("flat: no gradient passes", "outputs [%]", (-4, 104), (0, 50, 100)),
]


def draw_rows(panels, layers, colour):
    """Per layer: the spread of its outputs, the gradient that reaches it, its flat share."""
    look = {"color": colour, "marker": "o", "markersize": 3.5, "linewidth": 1.5}
    panels[0].semilogy([y.position for y in layers], [y.output.std for y in layers], **look)
    panels[1].semilogy([y.position for y in layers], [y.gradient.norm for y in layers], **look)
    known = [y for y in layers if y.flat is not None]
    panels[2].plot([y.position for y in known], [100 * y.flat for y in known], **look)


figure = picture(8, 8.4)
draw(figure)
save_picture(figure, out.path("picture.png"))

out.save_metrics(
    findings={name: list(report.findings) for name, report in found.items()},
    factors=factors,
    claims=claims,
    dead=dead,
)
print(f"Files: {out.folder}")
