"""Naive Bayes as a generator: the simplest model that draws a digit.

Choose a class c from the prior, then draw every pixel on its own from that class's distribution:

    p(x) = Σ_c p(c) Πⱼ p(xⱼ | c)

The product is "naive": within a class, pixels are taken to be independent. The model still
classifies well. As a generator it draws the mean digit covered in noise: in a real stroke
neighbouring pixels agree, in a sample they do not. A GAN learns what is missing here.
"""

import numpy as np
from scipy.special import logsumexp

from minigan.checks import check_number, check_samples
from minigan.density.contract import Density, check_binary

__all__ = ["BernoulliNaiveBayes", "GaussianNaiveBayes", "NaiveBayes"]


class NaiveBayes(Density):
    """What does not depend on the distribution of a pixel (PRML, sections 4.2 and 8.2.2).

    A subclass for a kind of pixel adds `_learn(x, members)`, `_log_conditional(x)` and
    `_draw(chosen, rng)`. `fit` sets classes (C,), the distinct labels, ascending, and class_prior
    (C,): p(c), the share of class c among the labels, which is maximum likelihood, as for the coin.
    """

    def fit(self, x, labels):
        """Learn from x (n, d) and its integer labels (n,)."""
        x = self._check_values(check_samples(x))
        labels = _check_labels(labels, len(x))
        classes, counts = np.unique(labels, return_counts=True)
        self._learn(x, [labels == label for label in classes])
        self.classes, self.class_prior = classes, counts / len(x)
        self.dimension = x.shape[1]
        return self

    def log_joint(self, x):
        """log p(c) + Σⱼ log p(xⱼ | c) of x (n, d): (n, C)."""
        x = self._check_values(self.check_queries(x))
        return np.log(self.class_prior) + self._log_conditional(x)

    def log_density(self, x):
        """log p(x) = log Σ_c exp(log p(x, c)) of x (n, d): (n,)."""
        return logsumexp(self.log_joint(x), axis=1)

    def predict_log_proba(self, x):
        """log p(c | x) = log p(x, c) − log p(x), Bayes' rule, of x (n, d): (n, C)."""
        log_joint = self.log_joint(x)
        return log_joint - logsumexp(log_joint, axis=1, keepdims=True)

    def sample(self, n, rng, label=None):
        """n samples, (n, d): of the class `label`; without it, classes are drawn from the prior."""
        self.check_draw(n, rng)
        if label is None:
            chosen = rng.choice(len(self.classes), size=n, p=self.class_prior)
        elif label in self.classes:
            chosen = np.full(n, np.searchsorted(self.classes, label))
        else:
            raise ValueError(f"label: expected one of {self.classes.tolist()}, got {label!r}")
        return self._draw(chosen, rng)

    def _check_values(self, x):
        """x, if its values are such as this kind of pixel has."""
        return x


class BernoulliNaiveBayes(NaiveBayes):
    """Pixels that are on or off: p(xⱼ = 1 | c) = θ_cj, p(xⱼ = 0 | c) = 1 − θ_cj.

    Each θ_cj is a coin of its own. smoothing: a > 0. To its h_cj heads in n_c tosses `a` imagined
    heads and `a` imagined tails are added:

        θ_cj = (h_cj + a) / (n_c + 2a)

    Without them a pixel that was never on in training would have θ = 0, and one speck of dust
    there would make an image impossible under every class. With a = 1 this is Laplace's rule of
    succession: the mean of θ under a uniform prior, given the tosses (PRML, section 2.1.1).

    `fit` sets probability (C, d), which is θ (its row c, as an image, is the mean digit of that
    class), and log_on and log_off (C, d), which are log θ and log(1 − θ).
    """

    def __init__(self, *, smoothing=1.0):
        self.smoothing = check_number("smoothing", smoothing, 0, np.inf, low_open=True)

    def _check_values(self, x):
        return check_binary(x)

    def _learn(self, x, members):
        heads = np.stack([x[rows].sum(axis=0) for rows in members])
        tosses = np.array([[rows.sum()] for rows in members])
        total = tosses + 2 * self.smoothing
        self.probability = (heads + self.smoothing) / total
        self.log_on = np.log(self.probability)
        # From the tails, not from 1 − θ, which rounds to 0 where the smoothing is tiny.
        self.log_off = np.log((tosses - heads + self.smoothing) / total)

    def _log_conditional(self, x):
        # x log θ + (1 − x) log(1 − θ), summed over pixels: one matrix product for the pixels that
        # are on, one for those that are off.
        return x @ self.log_on.T + (1 - x) @ self.log_off.T

    def _draw(self, chosen, rng):
        x = rng.random((len(chosen), self.probability.shape[1]))
        return (x < self.probability[chosen]).astype(np.float64)


class GaussianNaiveBayes(NaiveBayes):
    """Pixels that are grey: p(x | c) = Πⱼ N(xⱼ; μ_cj, σ²_cj), a Gaussian with diagonal covariance.

        μ_cj = mean of pixel j in class c          σ²_cj = its variance + ε

    `fit` sets means and variances, (C, d). regularization: ε ≥ 0, a variance. MNIST needs ε > 0:
    its border is black in every image. ValueError where a pixel of a class has variance 0.
    """

    def __init__(self, *, regularization=0.0):
        self.regularization = check_number("regularization", regularization, 0, np.inf)

    def _learn(self, x, members):
        groups = [x[rows] for rows in members]
        means = np.stack([group.mean(axis=0) for group in groups])
        # Subtracting a sample first leaves a constant pixel with variance 0, not rounding noise.
        variances = np.stack([(group - group[0]).var(axis=0) for group in groups])
        variances += self.regularization
        if (variances == 0).any():
            c, j = np.argwhere(variances == 0)[0]
            raise ValueError(
                f"x: feature {j} is constant in class number {c}, so it has no density there: "
                "drop it, or set regularization above 0"
            )
        self.means, self.variances = means, variances

    def _log_conditional(self, x):
        log_normalizer = 0.5 * np.log(2 * np.pi * self.variances).sum(axis=1)
        squares = [
            ((x - mean) ** 2 / variance).sum(axis=1)
            for mean, variance in zip(self.means, self.variances, strict=True)
        ]
        return -0.5 * np.stack(squares, axis=1) - log_normalizer

    def _draw(self, chosen, rng):
        noise = rng.standard_normal((len(chosen), self.means.shape[1]))
        return self.means[chosen] + np.sqrt(self.variances[chosen]) * noise


def _check_labels(labels, n):
    """labels, if they are n integers."""
    if not isinstance(labels, np.ndarray) or labels.dtype.kind not in "iu":
        found = getattr(labels, "dtype", type(labels).__name__)
        raise TypeError(f"labels: expected a NumPy array of integers, got {found}")
    if labels.shape != (n,):
        raise ValueError(f"labels: expected one per sample, ({n},), got {labels.shape}")
    return labels
