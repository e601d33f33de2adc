"""Exercise 9, transposed convolution: hints, and the classic mistakes."""

import numpy as np

import minigan
from checker.exercise import Exercise
from checker.observation import layer_parts
from minigan.layers import convolution
from minigan.layers.convolution import conv_output_size, matrix, product, rows

exercise = Exercise(ConvTranspose2d=minigan.ConvTranspose2d)
exercise.hints = (
    "Exercise 8 knows how a gradient goes back through a convolution, from the small image to the "
    "large one. Now the same is the way forward. What is the way back of that?",
    "Forward and backward change places. And the formula OH = (H + 2P − K) / S + 1 is solved for "
    "H. In the weight's gradient, x and dy change places: the large image has the windows.",
    "y = fold(x Wᵀ) + b, dx = unfold(dy) W, dW = unfold(dy)ᵀ x in W's shape, and OH is what "
    "(H − 1) strides and one kernel take, without the padding of both sides.",
)


def build(its, draw):
    layer = its.ConvTranspose2d(draw.inputs, draw.outputs, 4, 2, 1)
    return layer, draw.normal(draw.batch, 3, 3, draw.inputs)


def observe_size(its, draw, twist):
    made = (its.ConvTranspose2d(1, 1, K, S, P) for K, S, P in ((3, 1, 0), (4, 2, 1), (5, 3, 2)))
    return {"OH": np.array([layer.output_size((draw.batch, draw.batch)) for layer in made])}


sizes = exercise.part("ConvTranspose2d.output_size", observe_size)
names = ["dweight", "dbias"]
forward, backward, add_gradients = layer_parts(exercise, "ConvTranspose2d", build, names)
forward.needs = ("ConvTranspose2d.output_size",)


def size_mistake(formula, sentence):
    """Register the output size by a wrong formula of H, K, S, P."""

    def wrong(self, size):
        kernel, stride, padding = self.kernel_size, self.stride, self.padding
        return tuple(map(formula, size, kernel, stride, padding))

    wrong.__doc__, wrong.__name__ = sentence, sentence.split(":")[0]
    sizes.mistake(wrong)


size_mistake(
    lambda H, K, S, P: H * S - 2 * P + K,
    "stride off by one: between H stamps there are H − 1 strides.",
)
size_mistake(
    lambda H, K, S, P: (H - 1) * S - P + K, "padding on one side only: it is cut off on both sides."
)
size_mistake(
    lambda H, K, S, P: (H - 1) * S + 2 * P + K, "padding with the wrong sign: it is cut off."
)
size_mistake(
    lambda H, K, S, P: (H - 1) * S - 2 * P + K - 1,
    "one pixel too small: the last stamp is a whole kernel.",
)
size_mistake(lambda H, K, S, P: (H - 1) * S + K, "padding forgotten: it is cut off on both sides.")
size_mistake(lambda H, K, S, P: S * H, "stride times H: that holds for K = S + 2P alone.")


@sizes.mistake
def of_a_convolution(self, size):
    """that is the output size of a convolution: here, OH is what H was there."""
    return conv_output_size(size, self.kernel_size, self.stride, self.padding)


@forward.mistake
def bias_forgotten(self, x, train):
    """the bias is missing."""
    y, _ = minigan.ConvTranspose2d.forward(self, x, train)
    return y - self.bias, x


@forward.mistake
def kernel_flipped(self, x, train):
    """the kernel is flipped."""
    columns = product(x, matrix(self.weight[::-1, ::-1]).T)
    return self.fold(columns, self.output_size(x.shape[1:3])) + self.bias, x


@forward.mistake
def cropped_one_early(self, x, train):
    """padding off by one: y is cut out of the stamped image one pixel too early."""
    return stamped(self, x)[:, :-2, :-2] + self.bias, x


@forward.mistake
def cropped_one_late(self, x, train):
    """padding off by one: y is cut out of the stamped image one pixel too late."""
    return stamped(self, x)[:, 2:, 2:] + self.bias, x


def stamped(self, x):
    """All stamps, with nothing cut off."""
    size = [n + 2 for n in self.output_size(x.shape[1:3])]
    columns = product(x, matrix(self.weight).T)
    return convolution.fold(np, columns, self.kernel_size, self.stride, (0, 0), size)


@backward.mistake
def back_with_the_kernel_flipped(self, dy, x):
    """the kernel is flipped."""
    return product(self.unfold(dy), matrix(self.weight[::-1, ::-1]))


@backward.mistake
def windows_one_early(self, dy, x):
    """padding off by one: the windows of dy begin one pixel too early."""
    dy = np.pad(dy, ((0, 0), (2, 0), (2, 0), (0, 0)))
    columns = convolution.unfold(np, dy, self.kernel_size, self.stride, (0, 0))
    return product(columns, matrix(self.weight))


@add_gradients.mistake
def averaged_over_pixels(self, dy, x):
    """averaged over images and pixels: it is a sum."""
    dw = rows(self.unfold(dy)).T.dot(rows(x)) / len(rows(x))
    self.dweight += dw.reshape(self.weight_shape)
    self.dbias += rows(dy).mean(axis=0)


@add_gradients.mistake
def gradient_flipped(self, dy, x):
    """the kernel's gradient is flipped."""
    dw = rows(self.unfold(dy)).T.dot(rows(x)).reshape(self.weight_shape)
    self.dweight += dw[::-1, ::-1]
    self.dbias += rows(dy).sum(axis=0)


@add_gradients.mistake
def of_the_input(self, dy, x):
    """db is summed over the windows of dy: each pixel of dy counts once."""
    dw = rows(self.unfold(dy)).T.dot(rows(x)).reshape(self.weight_shape)
    self.dweight += dw
    self.dbias += rows(self.unfold(dy)).sum(axis=0).reshape(-1, self.bias_size).sum(axis=0)
