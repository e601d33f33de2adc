"""A mixture of Gaussians, learned by expectation maximisation (EM).

    p(x) = Σₖ πₖ N(x; μₖ, Σₖ)

A sum inside the logarithm spoils the trick of parametric.py: setting the derivative of
Σᵢ log p(xᵢ) to zero no longer gives a formula, because each component's best parameters depend on
which samples it is responsible for, and that depends on the parameters. EM goes round in a circle.
"""

import numpy as np
from scipy.special import logsumexp

from minigan.checks import check_integer, check_number
from minigan.density.contract import Density, check_rng, check_samples
from minigan.density.parametric import covariance_factor, gaussian_log_density

__all__ = ["GaussianMixture"]

# Below this number of samples a component's mean is a ratio of two vanishing numbers.
NEGLIGIBLE_COUNT = 1e-8


class GaussianMixture(Density):
    """K Gaussians with full covariances (Dempster, Laird & Rubin 1977; PRML, section 9.2).

    Expectation: how much of sample i does component k explain? By Bayes' rule (PRML 9.23)

        rᵢₖ = πₖ N(xᵢ; μₖ, Σₖ) / Σⱼ πⱼ N(xᵢ; μⱼ, Σⱼ).

    Maximisation: with the responsibilities r held fixed each component is a weighted Gaussian fit
    (PRML 9.24 to 9.28), Nₖ = Σᵢ rᵢₖ being the number of samples that it owns:

        πₖ = Nₖ / n        μₖ = 1/Nₖ Σᵢ rᵢₖ xᵢ
        Σₖ = 1/Nₖ (Σᵢ rᵢₖ (xᵢ - μₖ)(xᵢ - μₖ)ᵀ + n/K ε I)

    Why it never goes down: by Jensen's inequality Σᵢ Σₖ rᵢₖ log(πₖ N(xᵢ; μₖ, Σₖ) / rᵢₖ) is a lower
    bound of the log-likelihood. The first step makes it touch, the second raises it.

    Why ε: the likelihood has no maximum. A component that shrinks onto one sample drives it to
    infinity (PRML, section 9.2.1). So each component pays for being narrow, and what EM climbs,
    and `history` records, is the penalised mean log-likelihood

        1/n Σᵢ log p(xᵢ) - ε/(2K) Σₖ tr Σₖ⁻¹

    which is bounded (Ciuperca, Ridolfi & Idier 2003). Its maximisation step is the Σₖ above: a
    component of average size n/K has the variance ε added, a smaller one more. With ε = 0 it is
    the plain likelihood, and a collapse is an error.

    EM finds a local maximum. Fit several times and keep the fit with the highest history[-1].

    Parameters
    ----------
    components : int
        K.
    regularization : float
        ε ≥ 0, a variance: small beside that of the data.
    tolerance : float
        Stop once a round raises `history` by no more than this many nats a sample.
    max_iterations : int

    Attributes
    ----------
    weights : (K,)
        πₖ. A component that no sample needs any more is left with (nearly) 0.
    means : (K, d)
    covariances, factors : (K, d, d)
        Σₖ, and the lower triangles Lₖ with Σₖ = Lₖ Lₖᵀ.
    history : (iterations + 1,)
        The penalised mean log-likelihood in nats, from the seeding to the parameters kept.
    converged : bool
    """

    def __init__(
        self,
        components: int,
        *,
        regularization: float = 1e-6,
        tolerance: float = 1e-6,
        max_iterations: int = 1000,
    ):
        self.components = check_integer("components", components, 1)
        self.regularization = check_number("regularization", regularization, 0, np.inf)
        self.tolerance = check_number("tolerance", tolerance, 0, np.inf)
        self.max_iterations = check_integer("max_iterations", max_iterations, 1)

    def fit(self, x: np.ndarray, rng: np.random.Generator) -> "GaussianMixture":
        """Learn from x (n, d); rng seeds the means.

        ValueError if x has fewer distinct samples than components, or if a covariance becomes
        singular, which only ε = 0 (or next to 0) permits.
        """
        x = check_samples(x)
        weights, means, covariances = self._seed(x, check_rng(rng))
        history = []
        while True:
            factors = self._factors(covariances)
            log_joint = _log_joint(x, weights, means, factors)
            log_density = logsumexp(log_joint, axis=1)
            history.append(float(log_density.mean() - self._penalty(factors)))
            converged = len(history) > 1 and history[-1] - history[-2] <= self.tolerance
            if converged or len(history) > self.max_iterations:
                break
            responsibilities = np.exp(log_joint - log_density[:, None])
            weights, means, covariances = self._maximise(x, responsibilities, means, covariances)
        self.weights, self.means, self.covariances = weights, means, covariances
        self.factors, self.history, self.converged = factors, np.array(history), converged
        self.dimension = x.shape[1]
        return self

    def responsibilities(self, x: np.ndarray) -> np.ndarray:
        """rᵢₖ, the probability that component k made sample i of x (n, d): (n, K)."""
        log_joint = _log_joint(self.check_queries(x), self.weights, self.means, self.factors)
        return np.exp(log_joint - logsumexp(log_joint, axis=1, keepdims=True))

    def log_density(self, x: np.ndarray) -> np.ndarray:
        """log Σₖ πₖ N(x; μₖ, Σₖ) of x (n, d): (n,)."""
        log_joint = _log_joint(self.check_queries(x), self.weights, self.means, self.factors)
        return logsumexp(log_joint, axis=1)

    def sample(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Draw n samples (n, d): choose component k with probability πₖ, then x = μₖ + Lₖ z."""
        self.check_draw(n, rng)
        chosen = rng.choice(self.components, size=n, p=self.weights)
        x = rng.standard_normal((n, self.dimension))
        for k in range(self.components):
            x[chosen == k] = self.means[k] + x[chosen == k] @ self.factors[k].T
        return x

    def _seed(self, x, rng):
        """Means on far-apart samples, equal weights, one covariance for all components.

        As in k-means++ (Arthur & Vassilvitskii 2007), each next mean is a sample drawn with
        probability proportional to its squared distance from the nearest mean so far.
        """
        n, d = x.shape
        means = x[[rng.integers(n)]]
        nearest = ((x - means[0]) ** 2).sum(axis=1)
        owner = np.zeros(n, dtype=int)
        for k in range(1, self.components):
            if not nearest.any():
                raise ValueError(
                    f"x must hold at least {self.components} distinct samples, one for each "
                    f"component, found {k}"
                )
            means = np.vstack([means, x[rng.choice(n, p=nearest / nearest.sum())]])
            distance = ((x - means[k]) ** 2).sum(axis=1)
            owner[distance < nearest] = k
            nearest = np.minimum(nearest, distance)
        residual = x - means[owner]
        covariance = residual.T @ residual / n + self.regularization * np.eye(d)
        weights = np.full(self.components, 1 / self.components)
        return weights, means, np.repeat(covariance[None], self.components, axis=0)

    def _maximise(self, x, responsibilities, means, covariances):
        """The maximisation step: new weights (K,), means (K, d) and covariances (K, d, d).

        A component that owns next to nothing keeps its mean and covariance. That cannot lower the
        likelihood, as its weight is next to nothing too.
        """
        n, d = x.shape
        counts = responsibilities.sum(axis=0)
        means, covariances = means.copy(), covariances.copy()
        prior = n / self.components * self.regularization * np.eye(d)
        for k in np.flatnonzero(counts > NEGLIGIBLE_COUNT):
            means[k] = responsibilities[:, k] @ x / counts[k]
            weighted = np.sqrt(responsibilities[:, k, None]) * (x - means[k])
            covariances[k] = (weighted.T @ weighted + prior) / counts[k]
        return counts / counts.sum(), means, covariances

    def _factors(self, covariances):
        """The lower triangles Lₖ (K, d, d) of Σₖ = Lₖ Lₖᵀ."""
        remedy = "fewer components, or a larger regularization, keep it from collapsing"
        return np.stack(
            [
                covariance_factor(covariance, f"the covariance of component {k}", remedy)
                for k, covariance in enumerate(covariances)
            ]
        )

    def _penalty(self, factors):
        """ε/(2K) Σₖ tr Σₖ⁻¹, where tr Σ⁻¹ is the sum of the squared entries of L⁻¹."""
        if self.regularization == 0:
            return 0.0
        traces = sum((np.linalg.inv(factor) ** 2).sum() for factor in factors)
        return self.regularization / (2 * self.components) * traces


def _log_joint(x, weights, means, factors):
    """log πₖ + log N(xᵢ; μₖ, Σₖ): (n, K), -inf for a component of weight 0."""
    with np.errstate(divide="ignore"):
        log_weights = np.log(weights)
    parts = [gaussian_log_density(x, m, f) for m, f in zip(means, factors, strict=True)]
    return log_weights + np.stack(parts, axis=1)
