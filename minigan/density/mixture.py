"""A mixture of Gaussians, learned by expectation maximisation (EM).

    p(x) = Σₖ πₖ N(x; μₖ, Σₖ)

With a sum inside the logarithm the way of parametric.py ends: setting the derivative of
Σᵢ log p(xᵢ) to zero gives no formula, because each component's best parameters depend on which
samples it is responsible for, and that depends on the parameters. EM computes them in turns.
"""

import numpy as np
from scipy.special import logsumexp

from minigan.checks import check_integer, check_number, check_rng, check_samples
from minigan.density.contract import Density
from minigan.density.parametric import covariance_factor, gaussian_log_density

__all__ = ["EMMixture"]

# Below this number of samples a component's mean is a ratio of two numbers that are nearly 0.
NEGLIGIBLE_COUNT = 1e-8


class EMMixture(Density):
    """K Gaussians with full covariances (Dempster, Laird & Rubin 1977; PRML, section 9.2).

    Expectation: how much of sample i does component k explain? By Bayes' rule (PRML 9.23)

        rᵢₖ = πₖ N(xᵢ; μₖ, Σₖ) / Σⱼ πⱼ N(xᵢ; μⱼ, Σⱼ)

    Maximisation: with the responsibilities r held fixed each component is a weighted Gaussian fit
    (PRML 9.24 to 9.27), and Nₖ = Σᵢ rᵢₖ is the number of samples that it owns:

        πₖ = Nₖ / n        μₖ = 1/Nₖ Σᵢ rᵢₖ xᵢ
        Σₖ = 1/Nₖ (Σᵢ rᵢₖ (xᵢ − μₖ)(xᵢ − μₖ)ᵀ + n/K E),    E = ε diag(σ²)

    Why it never goes down: by Jensen's inequality Σᵢ Σₖ rᵢₖ log(πₖ N(xᵢ; μₖ, Σₖ) / rᵢₖ) is a lower
    bound of the log-likelihood. The first step makes the two equal, the second raises the bound.

    Why ε: the likelihood has no maximum. A component that shrinks onto one sample drives it to
    infinity (PRML, section 9.2.1). So narrow components are penalised: what EM raises, and
    `history` records, is the penalised mean log-likelihood

        1/n Σᵢ log p(xᵢ) − 1/(2K) Σₖ tr E Σₖ⁻¹

    which is bounded (Ciuperca, Ridolfi & Idier 2003). Its maximisation step is the Σₖ above: a
    component of average size n/K has the variances E added, a smaller one more. σ² are the
    variances of the features in x, so that units do not matter: ten times x is fitted by ten times
    the Gaussians. With ε = 0 it is the plain likelihood, and a collapse is an error. EM finds a
    local maximum: fit several times and keep the fit with the highest history[-1].

    components: K. regularization: ε ≥ 0, a share of each feature's variance (scikit-learn's
    `reg_covar` is a variance itself); one that is constant counts as the others do on average. EM
    stops after a round that raises `history` by at most `tolerance`, in nats per sample, or after
    `max_iterations` rounds.

    `fit` sets weights (K,), the πₖ, of which one that no sample needs becomes nearly 0; means
    (K, d); covariances (K, d, d) and factors (K, d, d), the lower triangles Lₖ with Σₖ = Lₖ Lₖᵀ;
    history (rounds + 1,), in nats, from the seeding to the parameters kept; and converged.
    """

    def __init__(self, components, *, regularization=1e-6, tolerance=1e-6, max_iterations=1000):
        self.components = check_integer("components", components, 1)
        self.regularization = check_number("regularization", regularization, 0, np.inf)
        self.tolerance = check_number("tolerance", tolerance, 0, np.inf)
        self.max_iterations = check_integer("max_iterations", max_iterations, 1)

    def fit(self, x, rng):
        """Learn from x (n, d); the means begin at samples chosen by the generator `rng`.

        ValueError if x has fewer distinct samples than components, or only one, or if a covariance
        becomes singular, which happens only for ε = 0 or nearly 0.
        """
        x = check_samples(x)
        floor = self._floor(x)
        weights, means, covariances = self._seed(x, floor, check_rng(rng))
        history = []
        while True:
            factors = self._factors(covariances)
            log_joint = _log_joint(x, weights, means, factors)
            log_density = logsumexp(log_joint, axis=1)
            history.append(float(log_density.mean() - self._penalty(factors, floor)))
            converged = len(history) > 1 and history[-1] - history[-2] <= self.tolerance
            if converged or len(history) > self.max_iterations:
                break
            responsibilities = np.exp(log_joint - log_density[:, None])
            weights, means, covariances = self._maximise(
                x, floor, responsibilities, means, covariances
            )
        self.weights, self.means, self.covariances = weights, means, covariances
        self.factors, self.history, self.converged = factors, np.array(history), converged
        self.dimension = x.shape[1]
        return self

    def responsibilities(self, x):
        """rᵢₖ, the probability that component k made sample i of x (n, d): (n, K)."""
        log_joint = _log_joint(self.check_queries(x), self.weights, self.means, self.factors)
        return np.exp(log_joint - logsumexp(log_joint, axis=1, keepdims=True))

    def log_density(self, x):
        """log Σₖ πₖ N(x; μₖ, Σₖ) of x (n, d): (n,)."""
        log_joint = _log_joint(self.check_queries(x), self.weights, self.means, self.factors)
        return logsumexp(log_joint, axis=1)

    def sample(self, n, rng):
        """n samples, (n, d): component k with probability πₖ, then x = μₖ + Lₖ z."""
        self.check_draw(n, rng)
        chosen = rng.choice(self.components, size=n, p=self.weights)
        x = rng.standard_normal((n, self.dimension))
        for k in range(self.components):
            x[chosen == k] = self.means[k] + x[chosen == k] @ self.factors[k].T
        return x

    def _floor(self, x):
        """The diagonal of E: ε times the variance of each feature, (d,)."""
        # Subtracting a sample first leaves a constant feature with variance 0, not rounding noise.
        variances = (x - x[0]).var(axis=0)
        if not variances.any():
            raise ValueError("x: expected at least 2 distinct samples, got 1")
        return self.regularization * np.where(variances > 0, variances, variances.mean())

    def _seed(self, x, floor, rng):
        """Means on far-apart samples, equal weights, one covariance for all components.

        As in k-means++ (Arthur & Vassilvitskii 2007), each next mean is a sample drawn with
        probability proportional to its squared distance from the nearest mean so far.
        """
        n = len(x)
        means = x[[rng.integers(n)]]
        nearest = ((x - means[0]) ** 2).sum(axis=1)
        owner = np.zeros(n, dtype=int)
        for k in range(1, self.components):
            if not nearest.any():
                expected = f"at least {self.components} distinct samples, one per component"
                raise ValueError(f"x: expected {expected}, got {k}")
            means = np.vstack([means, x[rng.choice(n, p=nearest / nearest.sum())]])
            distance = ((x - means[k]) ** 2).sum(axis=1)
            owner[distance < nearest] = k
            nearest = np.minimum(nearest, distance)
        residual = x - means[owner]
        covariance = residual.T @ residual / n + np.diag(floor)
        weights = np.full(self.components, 1 / self.components)
        return weights, means, np.repeat(covariance[None], self.components, axis=0)

    def _maximise(self, x, floor, responsibilities, means, covariances):
        """The maximisation step: new weights (K,), means (K, d) and covariances (K, d, d).

        A component that owns nearly nothing keeps its mean and covariance. That cannot lower the
        likelihood, as its weight is nearly 0 too.
        """
        n = len(x)
        counts = responsibilities.sum(axis=0)
        means, covariances = means.copy(), covariances.copy()
        prior = n / self.components * np.diag(floor)
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

    def _penalty(self, factors, floor):
        """1/(2K) Σₖ tr E Σₖ⁻¹, where tr E Σ⁻¹ is the sum of the squared entries of L⁻¹ E^½."""
        if self.regularization == 0:
            return 0.0
        traces = sum((np.linalg.inv(factor) ** 2 @ floor).sum() for factor in factors)
        return traces / (2 * self.components)


def _log_joint(x, weights, means, factors):
    """log πₖ + log N(xᵢ; μₖ, Σₖ): (n, K), −inf for a component of weight 0."""
    with np.errstate(divide="ignore"):
        log_weights = np.log(weights)
    parts = [gaussian_log_density(x, m, f) for m, f in zip(means, factors, strict=True)]
    return log_weights + np.stack(parts, axis=1)
