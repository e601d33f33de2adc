"""Drawing samples from a density that is known: three classical ways.

    inverse_transform       exact; one number at a time; needs the quantile function
    rejection               exact; needs a proposal that covers the density; starves in high d
    metropolis_hastings     needs the density only up to a factor; exact in the limit; correlated

A GAN's generator needs none of them: it draws a sample in one pass and never knows its density.
"""

from collections.abc import Callable

import numpy as np

from minigan.checks import check_integer, check_number
from minigan.density.contract import check_rng, check_samples

__all__ = ["inverse_transform", "metropolis_hastings", "rejection"]

LARGEST_BATCH = 2**16


def inverse_transform(
    quantile: Callable[[np.ndarray], np.ndarray], n: int, rng: np.random.Generator
) -> np.ndarray:
    """Draw n samples (n, 1) as x = F⁻¹(u) with u uniform on (0, 1) (PRML, section 11.1.1).

    P(x ≤ t) = P(F⁻¹(u) ≤ t) = P(u ≤ F(t)) = F(t), which is what "x has the distribution function
    F" says.

    Parameters
    ----------
    quantile
        F⁻¹, from (n,) numbers in (0, 1) to (n,) numbers; for example `scipy.stats.norm.ppf`.
    """
    check_integer("n", n, 1)
    check_rng(rng)
    # Midpoints of 2⁵² cells. rng.random() can return 0, where a quantile may be -inf.
    u = (rng.integers(2**52, size=n) + 0.5) / 2**52
    return _numbers(quantile(u), n, "quantile")[:, None]


def rejection(
    log_density: Callable[[np.ndarray], np.ndarray],
    proposal,
    log_bound: float,
    n: int,
    rng: np.random.Generator,
    *,
    max_proposals: int = 10_000_000,
) -> tuple[np.ndarray, float]:
    """Draw n samples (n, d) of p by thinning out those of q (von Neumann 1951; PRML 11.1.2).

    With a bound M such that p(x) ≤ M q(x) everywhere, draw x from q and keep it with probability

        p(x) / (M q(x)).

    What is kept has a density proportional to q(x) · p(x)/(M q(x)), that is to p. For a p that
    integrates to one the share kept is 1/M, and the M that is needed grows exponentially with d.

    Parameters
    ----------
    log_density
        log p from (m, d) to (m,), up to an additive constant.
    proposal
        q: has `sample(m, rng)` and `log_density(x)`, as the estimators of this package have.
    log_bound
        log M. If a proposal shows that it is too small, ValueError: the samples would be wrong.
    max_proposals
        RuntimeError if that many proposals did not yield n samples.

    Returns
    -------
    samples : (n, d)
    acceptance_rate : float
        Kept / proposed, over all proposals made.
    """
    check_integer("n", n, 1)
    check_rng(rng)
    if not np.isfinite(log_bound):
        raise ValueError(f"log_bound must be finite, got {log_bound}")
    kept, accepted, proposed = [], 0, 0
    batch = min(max(n, 1000), LARGEST_BATCH)
    while accepted < n:
        if proposed >= max_proposals:
            raise RuntimeError(
                f"{accepted} of {n} samples after {proposed:,} proposals: log_bound is too loose, "
                "or the proposal hardly meets the density"
            )
        x = proposal.sample(batch, rng)
        log_ratio = _numbers(log_density(x), batch, "log_density") - proposal.log_density(x)
        if log_ratio.max() > log_bound + 1e-9:
            raise ValueError(
                f"log p - log q reaches {log_ratio.max():.6g}, above log_bound = {log_bound:.6g}"
            )
        keep = np.log1p(-rng.random(batch)) < log_ratio - log_bound
        kept.append(x[keep])
        accepted += np.count_nonzero(keep)
        proposed += batch
    return np.concatenate(kept)[:n], accepted / proposed


def metropolis_hastings(
    log_density: Callable[[np.ndarray], np.ndarray],
    start: np.ndarray,
    step_size: float,
    steps: int,
    rng: np.random.Generator,
) -> tuple[np.ndarray, float]:
    """Random walks whose long-run distribution is p (Metropolis et al. 1953; Hastings 1970).

    From x propose x' = x + step_size · z, z standard normal, and move there with probability

        min(1, p(x') q(x | x') / (p(x) q(x' | x))) = min(1, p(x') / p(x));

    otherwise stay, and count x once more. The walk is symmetric, so Hastings' factor
    q(x | x') / q(x' | x) is 1. Why it works: the flow from x to x',
    p(x) q(x' | x) min(1, p(x') / p(x)) = q(x' | x) min(p(x), p(x')), is the flow from x' to x, so
    p stays as it is (detailed balance; PRML, section 11.2.2). p's normalising constant cancels.

    Small steps are nearly always accepted and get nowhere; large ones are refused. About 0.44 of
    the steps in one dimension, falling to 0.234 in many, is a good rate (Roberts, Gelman & Gilks
    1997). Drop the first states, until the start is forgotten. A walk does not cross a wide valley
    of low density: with far-apart modes it stays in one.

    Parameters
    ----------
    log_density
        log p from (c, d) to (c,), up to an additive constant.
    start : (c, d)
        c independent walks, made together. log p must be finite there.
    step_size : float
        Standard deviation of a step, in the units of x.
    steps : int

    Returns
    -------
    states : (steps, c, d)
        After each step. states[-1] holds c independent samples once the walks are long enough;
        states.reshape(-1, d) holds all of them, correlated along a walk.
    acceptance_rate : float
        Moves / (steps · c).
    """
    x = check_samples(start, name="start").copy()
    step_size = check_number("step_size", step_size, 0, np.inf, low_open=True)
    check_integer("steps", steps, 1)
    check_rng(rng)
    log_p = _numbers(log_density(x), len(x), "log_density")
    if not np.isfinite(log_p).all():
        raise ValueError("start must lie where the density is above 0")
    states, moves = np.empty((steps, *x.shape)), 0
    for step in range(steps):
        candidate = x + step_size * rng.standard_normal(x.shape)
        log_candidate = _numbers(log_density(candidate), len(x), "log_density")
        accept = np.log1p(-rng.random(len(x))) < log_candidate - log_p
        x[accept], log_p[accept] = candidate[accept], log_candidate[accept]
        states[step] = x
        moves += np.count_nonzero(accept)
    return states, moves / (steps * len(x))


def _numbers(values, n, name):
    """Return what the caller's function gave as float64 (n,); NaN or +inf is an error."""
    values = np.array(values, dtype=np.float64)
    if values.shape != (n,):
        raise ValueError(f"{name} must return shape ({n},), got {values.shape}")
    if np.isnan(values).any() or (values == np.inf).any():
        raise ValueError(f"{name} returned NaN or +infinity")
    return values
