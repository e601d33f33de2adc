"""Exercise 12, Adam: hints, and the classic mistakes."""

import minigan
from checker.exercise import Exercise
from checker.observation import rounded

exercise = Exercise(Adam=minigan.Adam)
exercise.hints = (
    "Do two steps by hand, for one parameter, g = 1 both times, β₁ = 0.5: what is m after each, "
    "and what should the mean of these gradients be?",
    "v holds the last t squares with weights whose sum is 1 − β₂ᵗ. Divide m and v by their sums "
    "for the step, but keep m and v themselves as they are for the next update.",
    "Four lines: m[...] = …, v[...] = …, and with m_hat = m / (1 − β₁ᵗ), v_hat likewise, "
    "w -= lr · m_hat / (v_hat ** 0.5 + eps).",
)


def observe(its, draw, twist):
    """Three updates of a network with random numbers, each with another gradient."""
    layers, shape = [minigan.Dense(draw.inputs, draw.outputs)], (draw.inputs,)
    network = minigan.Sequential(layers, shape, rng=0, dtype="float64", backend="reference")
    optimizer = its.Adam(network, lr=0.1, betas=(0.6, 0.9), eps=0.01)
    start, g = network.parameters.copy(), network.gradients
    for _ in range(3):
        given = g[...] = rounded(draw.normal(g.size), twist == "g in float32")
        optimizer.step()
    return {
        "m": optimizer.state["mean"].copy(),
        "v": optimizer.state["square"].copy(),
        "w": network.parameters - start,
        "g afterwards": g - given,
    }


twists = {"g in float32": "g is rounded to float32 in between"}
update = exercise.part("Adam.update", observe, twists=twists)


def averages(self, g):
    """m and v after one more gradient, written to where they are."""
    m, v = self.state["mean"], self.state["square"]
    m[...] = self.beta1 * m + (1 - self.beta1) * g
    v[...] = self.beta2 * v + (1 - self.beta2) * g * g
    return m, v, 1 - self.beta1**self.steps, 1 - self.beta2**self.steps


@update.mistake
def no_correction(self, w, g, lr):
    """the bias correction is forgotten: m and v are used as they are, too small at first."""
    m, v, _, _ = averages(self, g)
    w -= lr * m / (v**0.5 + self.eps)


@update.mistake
def mean_corrected_alone(self, w, g, lr):
    """the bias correction of v is forgotten."""
    m, v, sum1, _ = averages(self, g)
    w -= lr * m / sum1 / (v**0.5 + self.eps)


@update.mistake
def square_corrected_alone(self, w, g, lr):
    """the bias correction of m is forgotten."""
    m, v, _, sum2 = averages(self, g)
    w -= lr * m / ((v / sum2) ** 0.5 + self.eps)


@update.mistake
def always_the_first(self, w, g, lr):
    """the bias correction is that of the first update: β to the power of t is missing."""
    m, v, _, _ = averages(self, g)
    w -= lr * m / (1 - self.beta1) / ((v / (1 - self.beta2)) ** 0.5 + self.eps)


@update.mistake
def power_off_by_one(self, w, g, lr):
    """the power of β is off by one: t is 1 in the first update already."""
    m, v, _, _ = averages(self, g)
    sum1, sum2 = 1 - self.beta1 ** (self.steps + 1), 1 - self.beta2 ** (self.steps + 1)
    w -= lr * m / sum1 / ((v / sum2) ** 0.5 + self.eps)


@update.mistake
def eps_inside(self, w, g, lr):
    """eps stands inside the root."""
    m, v, sum1, sum2 = averages(self, g)
    w -= lr * m / sum1 / (v / sum2 + self.eps) ** 0.5


@update.mistake
def root_forgotten(self, w, g, lr):
    """the root of v̂ is forgotten."""
    m, v, sum1, sum2 = averages(self, g)
    w -= lr * m / sum1 / (v / sum2 + self.eps)


@update.mistake
def gradient_for_mean(self, w, g, lr):
    """g stands where m̂ belongs: that is RMSProp."""
    _, v, _, sum2 = averages(self, g)
    w -= lr * g / ((v / sum2) ** 0.5 + self.eps)


@update.mistake
def uphill(self, w, g, lr):
    """w goes up: the step is against the gradient."""
    m, v, sum1, sum2 = averages(self, g)
    w += lr * m / sum1 / ((v / sum2) ** 0.5 + self.eps)


@update.mistake
def not_in_place(self, w, g, lr):
    """w is a new vector of that name, and the network's is as it was: write w -= …"""
    averages(self, g)


@update.mistake
def averages_not_kept(self, w, g, lr):
    """m and v are new vectors of these names, and forgotten after the update: write m[...] = …"""
    t = self.steps
    m, v = (1 - self.beta1) * g, (1 - self.beta2) * g * g
    w -= lr * m / (1 - self.beta1**t) / ((v / (1 - self.beta2**t)) ** 0.5 + self.eps)


@update.mistake
def corrected_averages_kept(self, w, g, lr):
    """m̂ and v̂ were kept for the next update: keep m and v, and correct copies."""
    m, v, sum1, sum2 = averages(self, g)
    m /= sum1
    v /= sum2
    w -= lr * m / (v**0.5 + self.eps)


@update.mistake
def square_forgotten(self, w, g, lr):
    """v is made of g, not of g²."""
    m, v = self.state["mean"], self.state["square"]
    m[...] = self.beta1 * m + (1 - self.beta1) * g
    v[...] = self.beta2 * v + (1 - self.beta2) * g
    sum1, sum2 = 1 - self.beta1**self.steps, 1 - self.beta2**self.steps
    w -= lr * m / sum1 / ((v / sum2) ** 0.5 + self.eps)


@update.mistake
def betas_exchanged(self, w, g, lr):
    """β₁ and β₂ are exchanged."""
    m, v = self.state["mean"], self.state["square"]
    m[...] = self.beta2 * m + (1 - self.beta2) * g
    v[...] = self.beta1 * v + (1 - self.beta1) * g * g
    sum1, sum2 = 1 - self.beta2**self.steps, 1 - self.beta1**self.steps
    w -= lr * m / sum1 / ((v / sum2) ** 0.5 + self.eps)


@update.mistake
def gradient_not_weighted(self, w, g, lr):
    """1 − β is forgotten: m and v are sums of gradients, not means."""
    m, v = self.state["mean"], self.state["square"]
    m[...] = self.beta1 * m + g
    v[...] = self.beta2 * v + g * g
    sum1, sum2 = 1 - self.beta1**self.steps, 1 - self.beta2**self.steps
    w -= lr * m / sum1 / ((v / sum2) ** 0.5 + self.eps)
