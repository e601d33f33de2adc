"""Exercise 7, batch norm: hints, and the classic mistakes."""

import minigan
from checker.exercise import Exercise
from checker.observation import layer_parts

exercise = Exercise(BatchNorm=minigan.BatchNorm)
exercise.hints = (
    "What would dx be if μ and σ were constants? Then take σ alone for a constant: by how much "
    "does each y change if μ does, and μ if x does?",
    "dx = γ/σ · (dy itself − what comes through μ − what comes through σ). Through μ: all dy of a "
    "feature, and each x has the share 1/N in μ. Through σ: ∂x̂/∂σ = −x̂/σ, and ∂σ/∂x = x̂/N.",
    "Through μ comes the mean of dy over the batch; through σ comes x̂ times the mean of dy · x̂. "
    "dγ is the sum of dy · x̂ over the batch, dβ that of dy.",
)


def build(its, draw):
    # features of different sizes, so that a deviation taken over all of them is another one
    x = draw.normal(draw.batch, draw.inputs) * (1 + 0.5 * draw.rng.random(draw.inputs)) + 1
    return its.BatchNorm(draw.inputs, eps=0.1), x


forward, backward, add_gradients = layer_parts(exercise, "BatchNorm", build, ["dgamma", "dbeta"])


def output(self, normalized, sigma):
    return self.gamma * normalized + self.beta, (normalized, sigma, True)


@forward.mistake
def not_centred(self, x, train):
    """μ is not subtracted."""
    sigma = (x.var(axis=0) + self.eps) ** 0.5
    return output(self, x / sigma, sigma)


@forward.mistake
def by_the_variance(self, x, train):
    """it is divided by the variance, not by the deviation σ: the root is missing."""
    var = x.var(axis=0) + self.eps
    return output(self, (x - x.mean(axis=0)) / var, var)


@forward.mistake
def eps_outside(self, x, train):
    """eps stands outside the root: σ = √(var + eps)."""
    sigma = x.std(axis=0) + self.eps
    return output(self, (x - x.mean(axis=0)) / sigma, sigma)


@forward.mistake
def eps_forgotten(self, x, train):
    """eps is forgotten: σ = √(var + eps)."""
    return output(self, (x - x.mean(axis=0)) / x.std(axis=0), x.std(axis=0))


@forward.mistake
def unbiased(self, x, train):
    """the variance has 1/(N − 1): here it has 1/N."""
    sigma = (x.var(axis=0, ddof=1) + self.eps) ** 0.5
    return output(self, (x - x.mean(axis=0)) / sigma, sigma)


@forward.mistake
def over_the_features(self, x, train):
    """mean and variance run over the features of a sample, the wrong axis: that is layer norm."""
    centred = x - x.mean(axis=1, keepdims=True)
    sigma = (centred.var(axis=1, keepdims=True) + self.eps) ** 0.5
    return output(self, centred / sigma, sigma)


@forward.mistake
def gamma_and_beta_forgotten(self, x, train):
    """y = x̂: γ and β are forgotten."""
    sigma = (x.var(axis=0) + self.eps) ** 0.5
    normalized = (x - x.mean(axis=0)) / sigma
    return normalized, (normalized, sigma, True)


@forward.mistake
def gamma_and_beta_exchanged(self, x, train):
    """γ and β are exchanged."""
    sigma = (x.var(axis=0) + self.eps) ** 0.5
    normalized = (x - x.mean(axis=0)) / sigma
    return self.beta * normalized + self.gamma, (normalized, sigma, True)


@backward.mistake
def constants(self, dy, cache):
    """mean and variance are taken for constants: they depend on x, too."""
    _, sigma, _ = cache
    return self.gamma / sigma * dy


@backward.mistake
def variance_constant(self, dy, cache):
    """the variance is taken for a constant: what comes through σ is missing."""
    _, sigma, _ = cache
    return self.gamma / sigma * (dy - dy.mean(axis=0))


@backward.mistake
def mean_constant(self, dy, cache):
    """the mean is taken for a constant: what comes through μ is missing."""
    normalized, sigma, _ = cache
    return self.gamma / sigma * (dy - normalized * (dy * normalized).mean(axis=0))


@backward.mistake
def gamma_forgotten(self, dy, cache):
    """γ is forgotten."""
    return minigan.BatchNorm.backward(self, dy, cache) / self.gamma


@backward.mistake
def sigma_forgotten(self, dy, cache):
    """the division by σ is forgotten."""
    return minigan.BatchNorm.backward(self, dy, cache) * cache[1]


@backward.mistake
def squared_sigma(self, dy, cache):
    """it is divided by the variance, not by σ."""
    return minigan.BatchNorm.backward(self, dy, cache) / cache[1]


@backward.mistake
def sums_for_means(self, dy, cache):
    """sums where means belong: each x has the share 1/N in μ and in σ."""
    normalized, sigma, _ = cache
    through_sigma = normalized * (dy * normalized).sum(axis=0)
    return self.gamma / sigma * (dy - dy.sum(axis=0) - through_sigma)


@backward.mistake
def sum_through_the_mean(self, dy, cache):
    """what comes through μ is a sum where a mean belongs: each x has the share 1/N in μ."""
    normalized, sigma, _ = cache
    through_sigma = normalized * (dy * normalized).mean(axis=0)
    return self.gamma / sigma * (dy - dy.sum(axis=0) - through_sigma)


@backward.mistake
def sum_through_sigma(self, dy, cache):
    """what comes through σ is a sum where a mean belongs: each x has the share 1/N in σ."""
    normalized, sigma, _ = cache
    through_sigma = normalized * (dy * normalized).sum(axis=0)
    return self.gamma / sigma * (dy - dy.mean(axis=0) - through_sigma)


@backward.mistake
def means_over_the_features(self, dy, cache):
    """the means run over the features, the wrong axis: they are means over the batch."""
    normalized, sigma, _ = cache
    through_sigma = normalized * (dy * normalized).mean(axis=1, keepdims=True)
    return self.gamma / sigma * (dy - dy.mean(axis=1, keepdims=True) - through_sigma)


@backward.mistake
def plus_for_minus(self, dy, cache):
    """what comes through μ and σ is added: it has the other sign."""
    normalized, sigma, _ = cache
    through_sigma = normalized * (dy * normalized).mean(axis=0)
    return self.gamma / sigma * (dy + dy.mean(axis=0) + through_sigma)


@add_gradients.mistake
def exchanged(self, dy, cache):
    """dγ and dβ are exchanged."""
    self.dgamma += dy.sum(axis=0)
    self.dbeta += (dy * cache[0]).sum(axis=0)


@add_gradients.mistake
def output_for_normalized(self, dy, cache):
    """dγ is made with y: γ multiplies x̂."""
    y = self.gamma * cache[0] + self.beta
    self.dgamma += (dy * y).sum(axis=0)
    self.dbeta += dy.sum(axis=0)


@add_gradients.mistake
def wrong_axis(self, dy, cache):
    """the sums run over the features of a sample instead of the batch: the wrong axis."""
    self.dgamma += (dy * cache[0]).sum(axis=1)
    self.dbeta += dy.sum(axis=1)


@add_gradients.mistake
def without_normalized(self, dy, cache):
    """dγ = Σ γ dy: γ multiplies x̂, and so does dγ."""
    self.dgamma += (dy * self.gamma).sum(axis=0)
    self.dbeta += (dy * self.gamma).sum(axis=0)
