"""The Parzen-window log-likelihood: how the first GANs were scored, and why no longer.

A generator has no density to evaluate, so one is made from its samples, a Gaussian of width h on
each (`minigan.density.ParzenWindow`), and the test images are scored with it. The protocol of
Breuleux, Bengio & Vincent (2011), which Goodfellow et al. (2014, arXiv:1406.2661, table 1) used
too: pixels in [0, 1]; 10,000 samples as centres; h from `BANDWIDTHS`, the one that is best on
1,000 validation images (of the last 10,000 training images); then the mean over the 10,000 test
images, with its standard error, in nats. Published: adversarial nets 225 ± 2, deep GSN 214 ± 1.1,
DBN 138 ± 2, stacked contractive auto-encoder 121 ± 1.6.

Why not to trust it (Theis, van den Oord & Bethge 2016, arXiv:1511.01844). Measured with this code
(`demos/results.py` prints the row of each):

    centres                                                              nats
    10,000 real training images                                   244.2 ± 2.1
    the same, blurred: each the mean of its 10 nearest
    among 50,000 training images                                  346.6 ± 1.7

The blurred digits score a hundred nats above real ones. In 784 dimensions 10,000 points are few:
a real image has no other one near it, and the mean of ten is nearer to all of them. The figure
rewards the centres of clusters; it is neither a likelihood of the generator nor a measure of its
images. It is here to understand old papers, not to be optimised.
"""

from dataclasses import dataclass

import numpy as np

from minigan.checks import check_samples
from minigan.density.parzen import ParzenWindow, best_bandwidth, hold_out
from minigan.tables import Figures

__all__ = ["BANDWIDTHS", "ParzenScore", "parzen_score"]

#: The protocol's widths, for pixels in [0, 1].
BANDWIDTHS = np.logspace(-1, 0, 10)


@dataclass(frozen=True)
class ParzenScore(Figures):
    """Mean log-likelihood of the test samples in nats, its standard error, and the width used."""

    log_likelihood: float
    standard_error: float
    bandwidth: float


def parzen_score(samples, validation, test, bandwidths=BANDWIDTHS):
    """Score samples (n, d) as centres of a Parzen window; validation (v, d), test (t, d), t ≥ 2.

        log p(x) = log 1/n Σᵢ N(x; sampleᵢ, h² I),   h the best of `bandwidths` on `validation`

    All in one unit: values twice as large score d log 2 nats less, so for the protocol images
    are flattened and in [0, 1]. Warns where the best h is at the edge of those tried. Memory: the
    arguments in float64 and some blocks of 8 MiB.
    """
    test = check_samples(test, name="test")
    samples = check_samples(samples, test.shape[1], "samples")
    if len(test) < 2:
        raise ValueError("test: expected at least 2 samples, for a standard error, got 1")
    h = best_bandwidth(bandwidths, hold_out(samples, validation, bandwidths))
    log_p = ParzenWindow(h).fit(samples).log_density(test)
    return ParzenScore(float(log_p.mean()), float(log_p.std(ddof=1) / len(log_p) ** 0.5), h)
