"""Backpropagation with every number on the table, and a mistake that is found.

A network of nine weights, one sample, one loss: small enough to compute with a pencil. The
forward pass goes through the layers from left to right and keeps what it will need. The backward
pass goes through the same layers from right to left: each layer turns the gradient with respect
to its output into the gradient with respect to its input. Multiplying these derivatives in this
order is the chain rule.

What to look at:
- network.png: below each value (blue) its gradient (orange): by how much the loss grows per unit
  of that number. Check one: a weight's gradient is the value where its line starts times the
  gradient where it ends. A value's gradient is the sum, over all lines that leave it, of the
  line's weight times the gradient where the line ends.
- The printed table: each gradient beside the numerical one, which comes from two losses, with the
  number moved up and down by a small step.
- checks.png: on the right, the square in tanh' = 1 − y² was forgotten. The wrong gradients are
  shaded. Which are still right, and why those?
- The last table is the library's own checker on the wrong network. It knows no loss: it starts
  the backward pass from random numbers instead of dL/dy. So its gradients are others than ours,
  but it finds the same ones wrong.

What to try next: change x, a weight, or the activation; make ForgetfulTanh forget something else.
It takes three seconds.

Files: network.png, checks.png, metrics.json.
"""

import numpy as np

from minigan import Dense, NonSaturating, Sequential, Tanh, gradcheck
from minigan.plotting import FAKE, INK, REAL, picture, save_picture, styled
from support.demo import start
from support.units import draw_units

# %% The network, and the loss −log σ(y): a generator's, if y were the discriminator's logit

options, out = start("backprop_by_hand", __doc__, ["network.png", "checks.png"])
STEP = 1e-5
x = np.array([[0.5, -1.0]])
loss_of = NonSaturating().generator  # y -> the loss, and its gradient with respect to y


def build(activation):
    network = Sequential([Dense(2, 2), activation, Dense(2, 1)], (2,), rng=0, dtype="float64")
    network.parameters[...] = [0.8, -0.4, 0.3, 0.9, 0.2, -0.1, 1.5, -0.7, 0.1]
    return network


# %% The forward pass and the backward pass, layer by layer


def forward(network, x):
    """The values x, a, h, y between the layers, and the cache of each layer."""
    values, caches = [x], []
    for layer in network.layers:
        y, cache = layer.forward(values[-1], train=True)
        values.append(y)
        caches.append(cache)
    return values, caches


def backward(network, dy, caches):
    """The gradients dx, da, dh, dy of the loss; those of the weights go into network.gradients."""
    gradients = [dy]
    for layer, cache in zip(reversed(network.layers), reversed(caches), strict=True):
        layer.add_gradients(gradients[-1], cache)
        gradients.append(layer.backward(gradients[-1], cache))
    return gradients[::-1]


def by_hand(network):
    """The loss, and name -> (values, gradients) for everything that the loss depends on."""
    values, caches = forward(network, x)
    loss, dy = loss_of(values[-1])
    network.zero_gradients()
    gradients = backward(network, dy, caches)
    table = dict(zip("xahy", zip(values, gradients, strict=True), strict=True))
    weights, dweights = network.named_parameters(), network.named_gradients()
    return loss, table | {name: (weights[name], dweights[name]) for name in weights}


# %% The same gradients numerically: move one number up and down, and run the layers after it


def numerical(network, name, values):
    """The slope of the loss in each entry of values."""
    slopes = np.empty_like(values)
    for index in np.ndindex(values.shape):
        before, losses = values[index], []
        for step in (STEP, -STEP):
            values[index] = before + step
            y = values if name in "xahy" else x  # a weight is moved where it stands, in its layer
            for layer in network.layers["xahy".index(name) if name in "xahy" else 0 :]:
                y, _ = layer.forward(y, train=True)
            losses.append(loss_of(y)[0])
        values[index] = before
        slopes[index] = (losses[0] - losses[1]) / (2 * STEP)
    return slopes


#: The names of all numbers, as in the pictures. W₁₂ leads from x₁ to a₂.
NAMES = {
    "x": ["x₁", "x₂"],
    "a": ["a₁", "a₂"],
    "h": ["h₁", "h₂"],
    "y": ["y"],
    "0.weight": ["W₁₁", "W₁₂", "W₂₁", "W₂₂"],
    "0.bias": ["b₁", "b₂"],
    "2.weight": ["v₁", "v₂"],
    "2.bias": ["c"],
}


def compare(network):
    """(name, value, gradient by hand, numerical gradient) for each single number."""
    _, table = by_hand(network)
    return [
        row
        for key, (values, gradients) in table.items()
        for slopes in [numerical(network, key, values)]
        for row in zip(NAMES[key], values.flat, gradients.flat, slopes.flat, strict=True)
    ]


# %% A correct network, and one whose backward pass forgets the square of tanh' = 1 − y²


class ForgetfulTanh(Tanh):
    def backward(self, dy, y):
        return dy * (1 - y)


right, wrong = build(Tanh()), build(ForgetfulTanh())
loss, table = by_hand(right)
rows = {"right": compare(right), "wrong": compare(wrong)}
for label, found in rows.items():
    print(f"\n{label}: loss {loss:.6f}\nnumber              value    gradient   numerically")
    for name, value, gradient, slope in found:
        mark = "" if abs(gradient - slope) < 1e-8 else "   <- wrong"
        print(f"{name:14} {value:+10.6f}  {gradient:+10.6f}  {slope:+10.6f}{mark}")
reports = {label: gradcheck(network, x) for label, network in [("right", right), ("wrong", wrong)]}
print("\nThe library's checker, on the wrong network. It starts from random numbers instead of")
print(f"dL/dy, so its gradients are others, but the same ones are wrong:\n{reports['wrong']}")

# %% Pictures


def numbers(key):
    """(name, value, gradient) of each number of x, of the first weight, …"""
    return list(zip(NAMES[key], *(part.flat for part in table[key]), strict=True))


units = [numbers(key) for key in "xahy"] + [[("L", loss, 1.0)]]
ends = list(np.ndindex(2, 2))  # from x₁ to a₁, from x₁ to a₂, …
weights = [(0, *pair, *row) for pair, row in zip(ends, numbers("0.weight"), strict=True)]
weights += [(1, i, i, "tanh") for i in (0, 1)]
weights += [(2, i, 0, *row) for i, row in enumerate(numbers("2.weight"))]
weights += [(3, 0, 0, "−log σ")]
biases = [(1, i, *row) for i, row in enumerate(numbers("0.bias"))]
biases += [(3, 0, *numbers("2.bias")[0])]

figure = picture(8, 5.2)
draw_units(figure.subplots(), units, weights, biases)
save_picture(figure, out.path("network.png"))


@styled
def draw(figure):
    for axes, (label, found) in zip(figure.subplots(1, 2, sharey=True), rows.items(), strict=True):
        places = np.arange(len(found))
        axes.barh(places - 0.2, [row[3] for row in found], 0.4, color=REAL, label="numerically")
        axes.barh(places + 0.2, [row[2] for row in found], 0.4, color=FAKE, label="by hand")
        axes.axvline(0, color=INK, linewidth=0.8)
        for place, (_, _, gradient, slope) in enumerate(found):
            if abs(gradient - slope) > 1e-8:
                axes.axhspan(place - 0.5, place + 0.5, color="#DDDDDD", zorder=0)
        wrong = sum(abs(row[2] - row[3]) > 1e-8 for row in found)
        axes.set(title=f"The {label} backward pass\n{wrong} of {len(found)} gradients are wrong")
        axes.set(xlabel="gradient of the loss", xlim=(-0.48, 0.48))
        axes.set_yticks(places, [row[0] for row in found])
        axes.tick_params(axis="y", length=0, labelleft=True)
    panels = figure.axes
    panels[0].set_ylim(len(found) - 0.5, -0.5)
    panels[0].legend(loc="upper right", markerscale=1)


figure = picture(8, 6)
draw(figure)
save_picture(figure, out.path("checks.png"))

wrong_rows = [name for name, _, gradient, slope in rows["wrong"] if abs(gradient - slope) > 1e-8]
errors = {label: max(abs(row[2] - row[3]) for row in found) for label, found in rows.items()}
passed = {label: report.passed for label, report in reports.items()}
out.save_metrics(
    loss=float(loss),
    gradients={name: gradient for name, _, gradient, _ in rows["right"]},
    values={name: value for name, value, _, _ in rows["right"]},
    errors=errors,
    passed=passed,
    wrong=wrong_rows,
)
print(f"Files: {out.folder}")
