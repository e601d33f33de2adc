"""Naive Bayes as a generator: the simplest model that draws a digit.

Choose a class from the prior, then draw every pixel on its own from that class's distribution:

    p(x) = Σ_c p(c) Πⱼ p(xⱼ | c)

"Naive" is the product: within a class no pixel knows of any other. As a classifier it does well
all the same. As a generator it draws the mean digit covered in noise, since neighbouring pixels
agree in a real stroke and not in a sample. What is missing is what a GAN learns.
"""

import numpy as np
from scipy.special import logsumexp

from minigan.checks import check_number
from minigan.density.contract import Density, check_binary, check_samples

__all__ = ["BernoulliNaiveBayes", "GaussianNaiveBayes", "NaiveBayes"]


class NaiveBayes(Density):
    """What does not depend on the distribution of a pixel (PRML, sections 4.2 and 8.2.2).

    A kind of pixel adds three methods: `_learn(x, members)`, `_log_conditional(x)`,
    `_draw(chosen, rng)`.

    Attributes
    ----------
    classes : (C,)
        The distinct labels, ascending.
    class_prior : (C,)
        p(c), the share of class c among the labels: maximum likelihood, as for the coin.
    """

    def fit(self, x: np.ndarray, labels: np.ndarray) -> "NaiveBayes":
        """Learn from x (n, d) and its integer labels (n,)."""
        x = self._check_values(check_samples(x))
        labels = _check_labels(labels, len(x))
        classes, counts = np.unique(labels, return_counts=True)
        self._learn(x, [labels == label for label in classes])
        self.classes, self.class_prior = classes, counts / len(x)
        self.dimension = x.shape[1]
        return self

    def log_joint(self, x: np.ndarray) -> np.ndarray:
        """log p(c) + Σⱼ log p(xⱼ | c) of x (n, d): (n, C)."""
        x = self._check_values(self.check_queries(x))
        return np.log(self.class_prior) + self._log_conditional(x)

    def log_density(self, x: np.ndarray) -> np.ndarray:
        """log p(x) = log Σ_c exp(log p(x, c)) of x (n, d): (n,)."""
        return logsumexp(self.log_joint(x), axis=1)

    def predict_log_proba(self, x: np.ndarray) -> np.ndarray:
        """log p(c | x) = log p(x, c) - log p(x), Bayes' rule, of x (n, d): (n, C)."""
        log_joint = self.log_joint(x)
        return log_joint - logsumexp(log_joint, axis=1, keepdims=True)

    def sample(self, n: int, rng: np.random.Generator, label: int | None = None) -> np.ndarray:
        """Draw n samples (n, d): of one class if `label` is given, else of a mix by the prior."""
        self.check_draw(n, rng)
        if label is None:
            chosen = rng.choice(len(self.classes), size=n, p=self.class_prior)
        elif label in self.classes:
            chosen = np.full(n, np.searchsorted(self.classes, label))
        else:
            raise ValueError(f"label must be one of {self.classes.tolist()}, got {label!r}")
        return self._draw(chosen, rng)

    def _check_values(self, x):
        """Return x, checked for what this kind of pixel can be."""
        return x


class BernoulliNaiveBayes(NaiveBayes):
    """Pixels that are on or off: p(x | c) = Πⱼ θ_cjˣʲ (1 - θ_cj)¹⁻ˣʲ.

    Each θ_cj is a coin of its own. To its h_cj heads in n_c tosses `a` imagined heads and `a`
    imagined tails are added:

        θ_cj = (h_cj + a) / (n_c + 2a)

    Without them a pixel that was never on in training has θ = 0, and one speck of dust there makes
    an image impossible under every class. With a = 1 this is Laplace's rule of succession: the
    mean of θ under a uniform prior, given the tosses (PRML, section 2.1.1).

    Parameters
    ----------
    smoothing : float
        a, above 0.

    Attributes
    ----------
    probability : (C, d)
        θ_cj. Reshaped to an image it is the mean digit of class c.
    log_on, log_off : (C, d)
        log θ_cj and log(1 - θ_cj).
    """

    def __init__(self, *, smoothing: float = 1.0):
        self.smoothing = check_number("smoothing", smoothing, 0, np.inf, low_open=True)

    def _check_values(self, x):
        return check_binary(x)

    def _learn(self, x, members):
        heads = np.stack([x[rows].sum(axis=0) for rows in members])
        tosses = np.array([[rows.sum()] for rows in members])
        total = tosses + 2 * self.smoothing
        self.probability = (heads + self.smoothing) / total
        self.log_on = np.log(self.probability)
        # From the tails, not from 1 - θ, which rounds to 0 where the smoothing is tiny.
        self.log_off = np.log((tosses - heads + self.smoothing) / total)

    def _log_conditional(self, x):
        # x log θ + (1 - x) log(1 - θ), summed over pixels: one matrix product for the pixels that
        # are on, one for those that are off.
        return x @ self.log_on.T + (1 - x) @ self.log_off.T

    def _draw(self, chosen, rng):
        x = rng.random((len(chosen), self.probability.shape[1]))
        return (x < self.probability[chosen]).astype(np.float64)


class GaussianNaiveBayes(NaiveBayes):
    """Pixels that are grey: p(x | c) = Πⱼ N(xⱼ; μ_cj, σ²_cj), a Gaussian with diagonal covariance.

        μ_cj = mean of pixel j in class c          σ²_cj = its variance + ε

    Parameters
    ----------
    regularization : float
        ε ≥ 0, a variance. MNIST needs ε > 0: its border is black in every image.

    Attributes
    ----------
    means, variances : (C, d)
    """

    def __init__(self, *, regularization: float = 0.0):
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
                f"feature {j} is constant in class number {c}, so it has no density there: "
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
    """Return labels, checked to be n integers."""
    if not isinstance(labels, np.ndarray) or labels.dtype.kind not in "iu":
        raise TypeError("labels must be a NumPy array of integers")
    if labels.shape != (n,):
        raise ValueError(f"labels must have shape ({n},), one for each sample, got {labels.shape}")
    return labels
