"""Samples from a density that is known: three classical ways.

    inverse_transform       exact; one number at a time; needs the quantile function
    rejection               exact; needs a proposal that covers it; hopeless in many dimensions
    metropolis_hastings     needs the density only up to a factor; exact in the limit; correlated

A GAN's generator needs none of them: it draws a sample in one pass and never knows its density.
"""

import numpy as np

from minigan.checks import check_integer, check_number, check_rng, check_samples

__all__ = ["inverse_transform", "metropolis_hastings", "rejection"]

LARGEST_BATCH = 2**16


def inverse_transform(quantile, n, rng):
    """n samples, (n, 1): x = F⁻¹(u) with u uniform on (0, 1) (PRML, section 11.1.1).

    Then x has the distribution function F: P(x ≤ t) = P(F⁻¹(u) ≤ t) = P(u ≤ F(t)) = F(t).
    quantile: F⁻¹, from (n,) numbers in (0, 1) to (n,) numbers, such as `scipy.stats.norm.ppf`.
    """
    check_integer("n", n, 1)
    check_rng(rng)
    # Midpoints of 2⁵² cells. rng.random() can return 0, where a quantile may be −inf.
    u = (rng.integers(2**52, size=n) + 0.5) / 2**52
    return _numbers(quantile(u), n, "quantile")[:, None]


def rejection(log_density, proposal, log_bound, n, rng, *, max_proposals=10_000_000):
    """n samples of p, (n, d), by thinning out those of q (von Neumann 1951; PRML 11.1.2).

    With a bound M such that p(x) ≤ M q(x) everywhere, draw x from q and keep it with probability

        p(x) / (M q(x))

    What is kept has a density proportional to q(x) · p(x)/(M q(x)), that is to p. For a p that
    integrates to one the share kept is 1/M, and the M that is needed grows exponentially with d.

    log_density: log p from (m, d) to (m,), up to an additive constant. proposal: q, which has
    `sample(m, rng)` and `log_density(x)`, as the estimators of this package do. log_bound: log M;
    ValueError if a proposal shows that it is too small, as the samples would be wrong.
    RuntimeError if `max_proposals` did not yield n samples.

    Returns the samples and the acceptance rate, kept / proposed, over all proposals made.
    """
    check_integer("n", n, 1)
    check_rng(rng)
    log_bound = check_number("log_bound", log_bound, -np.inf, np.inf)
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
        # An additive constant in log p, and so in the bound, costs log p digits.
        if log_ratio.max() > log_bound + 1e-9 + 4 * np.spacing(abs(log_bound)):
            raise ValueError(
                f"log_bound: expected at least {log_ratio.max():.6g}, which log p − log q reaches, "
                f"got {log_bound:.6g}"
            )
        keep = np.log1p(-rng.random(batch)) < log_ratio - log_bound
        kept.append(x[keep])
        accepted += np.count_nonzero(keep)
        proposed += batch
    return np.concatenate(kept)[:n], accepted / proposed


def metropolis_hastings(log_density, start, step_size, steps, rng):
    """Random walks whose long-run distribution is p (Metropolis et al. 1953; Hastings 1970).

    From x propose x' = x + step_size · z, z standard normal, and move there with probability

        min(1, p(x') q(x | x') / (p(x) q(x' | x))) = min(1, p(x') / p(x))

    otherwise stay, and count x once more. The walk is symmetric, so Hastings' factor
    q(x | x') / q(x' | x) is 1. Why it works: the flow from x to x',
    p(x) q(x' | x) min(1, p(x') / p(x)) = q(x' | x) min(p(x), p(x')), is the flow from x' to x, so
    p stays as it is (detailed balance; PRML, section 11.2.2). p's normalising constant cancels.

    Small steps are nearly always accepted and lead nowhere; large ones are refused. A good rate is
    about 0.44 in one dimension, falling to 0.234 in many (Roberts, Gelman & Gilks 1997). Drop the
    first states, which depend on the start. A walk does not cross a wide valley of low density:
    with modes far apart it stays in one.

    log_density: log p from (c, d) to (c,), up to an additive constant. start: (c, d), where c
    independent walks begin, which are made together; log p must be finite there. step_size: the
    standard deviation of a step, in the units of x.

    Returns the states after each step, (steps, c, d), and the acceptance rate, moves / (steps · c).
    states[-1] holds c independent samples once the walks are long enough; states.reshape(-1, d)
    holds all of them, correlated along a walk.
    """
    x = check_samples(start, name="start").copy()
    step_size = check_number("step_size", step_size, 0, np.inf, low_open=True)
    check_integer("steps", steps, 1)
    check_rng(rng)
    log_p = _numbers(log_density(x), len(x), "log_density")
    if not np.isfinite(log_p).all():
        raise ValueError("start: expected points where the density is above 0")
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
    """What the caller's function gave, as float64 (n,); NaN or +inf is an error."""
    values = np.array(values, dtype=np.float64)
    if values.shape != (n,):
        raise ValueError(f"{name}: expected it to return ({n},), got {values.shape}")
    if np.isnan(values).any() or (values == np.inf).any():
        raise ValueError(f"{name}: it returned NaN or +infinity")
    return values
