"""Exercise 8, convolution: hints, and the classic mistakes."""

import numpy as np

import minigan
from checker.exercise import Exercise
from checker.observation import layer_parts
from minigan.layers import convolution
from minigan.layers.convolution import conv_output_size, matrix, product, rows

KERNEL, STRIDE, PADDING = 3, 2, 1


def unfold(x, K, S, P):
    return convolution.unfold(np, x, (K, K), (S, S), (P, P))


exercise = Exercise(unfold=unfold, Conv2d=minigan.Conv2d)
exercise.hints = (
    "Take one channel, a 4 × 4 image and a 2 × 2 kernel, stride 2. Which pixels have the place (0, "
    "1) in their windows? Can one slice of the image fetch them all?",
    "Loop over the K·K places in a window, not over the windows: at the place (k, l), the windows "
    "have the pixels k, k + S, k + 2S, … of one axis and l, l + S, … of the other. Then go through "
    "exercise 1 with columns in place of x: dx there is dcolumns here, and fold brings it home.",
    "columns[:, :, :, k, l] = padded[:, k : k + S * OH : S, l : l + S * OH : S], and a reshape. "
    "dcolumns = product(dy, matrix(W) transposed). dW is rows(columns) transposed times rows(dy), "
    "in W's shape; db the sum of rows(dy).",
)


def observe_unfold(its, draw, twist):
    x = draw.normal(draw.batch, 5, 5, draw.inputs)
    seen = {}
    for K, S, P in ((3, 1, 0), (2, 1, 1), (3, 2, 1)):
        name = "columns" if S == 1 and P == 0 else f"columns, stride {S}, padding {P}"
        given = x.copy()
        seen[name] = its.unfold(given, K, S, P)
    return seen | {"x afterwards": given}


def build(its, draw):
    layer = its.Conv2d(draw.inputs, draw.outputs, KERNEL, STRIDE, PADDING)
    return layer, draw.normal(draw.batch, 5, 5, draw.inputs)


windows = exercise.part("unfold", observe_unfold, shown=(convolution.unfold, conv_output_size))
names = ["dweight", "dbias"]
forward, backward, add_gradients = layer_parts(exercise, "Conv2d", build, names)


def windows_at(x, K, S, P, *, start=0, size=None, order=(0, 1, 2, 3, 4, 5)):
    """Windows that begin `start` pixels later, `size` of them along each axis, in another order."""
    x = np.pad(x, ((0, 0), (P, P + start), (P, P + start), (0, 0)))
    (n, _, _, c), oh = x.shape, size or (x.shape[1] - start - K) // S + 1
    columns = np.empty((n, oh, oh, K, K, c))
    for k, l in np.ndindex(K, K):
        columns[:, :, :, k, l] = x[:, k + start :: S, l + start :: S][:, :oh, :oh]
    return columns.transpose(order).reshape(n, oh, oh, -1)


@windows.mistake
def padding_forgotten(x, K, S, P):
    """the padding is forgotten."""
    return windows_at(x, K, S, 0)


@windows.mistake
def padding_off_by_one(x, K, S, P):
    """the padding is off by one: there are P zeros on each side, also for P = 0."""
    return windows_at(x, K, S, P + 1)


@windows.mistake
def stride_forgotten(x, K, S, P):
    """the stride is forgotten: the windows begin at every pixel."""
    return windows_at(x, K, 1, P)


@windows.mistake
def stride_off_by_one(x, K, S, P):
    """the stride is off by one."""
    return windows_at(x, K, S + 1, P)


@windows.mistake
def starts_one_late(x, K, S, P):
    """the windows begin one pixel too late."""
    return windows_at(x, K, S, P, start=1)


@windows.mistake
def columns_first(x, K, S, P):
    """rows and columns of a window are exchanged: the order is (row, column, channel)."""
    return windows_at(x, K, S, P, order=(0, 1, 2, 4, 3, 5))


@windows.mistake
def channels_first(x, K, S, P):
    """the channels come first in a window: the order is (row, column, channel)."""
    return windows_at(x, K, S, P, order=(0, 1, 2, 5, 3, 4))


@windows.mistake
def last_windows_forgotten(x, K, S, P):
    """one window is missing at the end: OH = (H + 2P − K) // S + 1."""
    return windows_at(x, K, S, P, size=(x.shape[1] + 2 * P - K) // S)


@forward.mistake
def bias_forgotten(self, x, train):
    """the bias is missing."""
    columns = self.unfold(x)
    return product(columns, matrix(self.weight)), (columns, x.shape)


@forward.mistake
def kernel_flipped(self, x, train):
    """the kernel is flipped: in this field, a convolution takes it as it is."""
    columns = self.unfold(x)
    return product(columns, matrix(self.weight[::-1, ::-1])) + self.bias, (columns, x.shape)


@backward.mistake
def back_with_the_kernel_flipped(self, dy, cache):
    """the kernel is flipped: fold takes the windows in the order of unfold."""
    return self.fold(product(dy, matrix(self.weight[::-1, ::-1]).T), cache[1][1:3])


@backward.mistake
def windows_not_added(self, dy, cache):
    """where windows overlap, their shares must be added; here, one of them is left."""
    columns = product(dy, matrix(self.weight).T).reshape(*dy.shape[:3], KERNEL, KERNEL, -1)
    n, h, w, c = cache[1]
    dx = np.zeros((n, h + 2 * PADDING, w + 2 * PADDING, c))
    for k, l in np.ndindex(KERNEL, KERNEL):
        size = STRIDE * dy.shape[1]
        dx[:, k : k + size : STRIDE, l : l + size : STRIDE] = columns[:, :, :, k, l]
    return dx[:, PADDING : PADDING + h, PADDING : PADDING + w]


@backward.mistake
def cropped_one_early(self, dy, cache):
    """padding off by one: dx is cut out of the padded image one pixel too early."""
    columns, size = product(dy, matrix(self.weight).T), [n + 2 for n in cache[1][1:3]]
    dx = convolution.fold(np, columns, (KERNEL,) * 2, (STRIDE,) * 2, (0, 0), size)
    return dx[:, :-2, :-2]


@add_gradients.mistake
def averaged_over_pixels(self, dy, cache):
    """averaged over images and pixels: it is a sum."""
    columns, _ = cache
    self.dweight += (rows(columns).T.dot(rows(dy)) / len(rows(dy))).reshape(self.weight_shape)
    self.dbias += rows(dy).mean(axis=0)


@add_gradients.mistake
def first_pixel_alone(self, dy, cache):
    """summed over the images alone, and of one pixel: all pixels have used this number."""
    columns, _ = cache
    self.dweight += columns[:, 0, 0].T.dot(dy[:, 0, 0]).reshape(self.weight_shape)
    self.dbias += dy[:, 0, 0].sum(axis=0)


@add_gradients.mistake
def gradient_flipped(self, dy, cache):
    """the kernel's gradient is flipped."""
    columns, _ = cache
    dw = rows(columns).T.dot(rows(dy)).reshape(self.weight_shape)
    self.dweight += dw[::-1, ::-1]
    self.dbias += rows(dy).sum(axis=0)
