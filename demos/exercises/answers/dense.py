"""Exercise 1, a dense layer: hints, and the classic mistakes."""

import minigan
from checker.exercise import Exercise
from checker.observation import layer_parts

exercise = Exercise(Dense=minigan.Dense)
exercise.hints = (
    "Write down the shapes of all six matrices. In how many ways can two of them be multiplied so "
    "that the result has the shape that you need?",
    "dx[n, i] is the sum, over all outputs j that x[n, i] reaches, of dy[n, j] times the weight "
    "between them. dW[i, j] is the sum, over all samples n, of what this weight was multiplied by, "
    "times dy[n, j]. Which of both is a sum over the columns of W, which one over the batch?",
    "dx is a product of dy and W, dW one of x and dy; in each, one matrix is transposed.",
)


def build(its, draw):
    layer = its.Dense(draw.inputs, draw.outputs, bias=False)
    return layer, draw.normal(draw.batch, draw.inputs)


forward, backward, add_gradients = layer_parts(exercise, "Dense", build, ["dweight"])


@forward.mistake
def weight_transposed(self, x, train):
    """W is transposed, but y = x W."""
    return x.dot(self.weight.T), x


@forward.mistake
def wrong_order(self, x, train):
    """the product is in the wrong order: samples are rows, so W stands on the right."""
    return self.weight.dot(x), x


@backward.mistake
def backward_in_the_wrong_order(self, dy, x):
    """the product is in the wrong order: samples are rows, so W stands on the right."""
    return self.weight.dot(dy)


@backward.mistake
def transposed_in_the_wrong_order(self, dy, x):
    """the product is in the wrong order: samples are rows, so W stands on the right."""
    return self.weight.T.dot(dy)


@backward.mistake
def weight_not_transposed(self, dy, x):
    """dx = dy W: the transpose is missing."""
    return dy.dot(self.weight)


@backward.mistake
def not_through_the_weight(self, dy, x):
    """dx = dy: the gradient has not gone through W."""
    return dy.copy()


@add_gradients.mistake
def transposed(self, dy, x):
    """dW = dyᵀ x: the transpose of dW."""
    self.dweight += dy.T.dot(x)


@add_gradients.mistake
def batch_not_summed(self, dy, x):
    """dW = x dy: one of them must be transposed, so that the sum runs over the batch."""
    self.dweight += x.dot(dy)


@add_gradients.mistake
def of_a_mean(self, dy, x):
    """dW is made of sums over the batch: Σₙ x · Σₙ dy is not Σₙ x dy."""
    self.dweight += x.sum(axis=0)[:, None] * dy.sum(axis=0)
