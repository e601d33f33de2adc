"""The inception-style score: are the images clear, and do they differ?

A classifier that sees a clear image is sure of its class: p(y|x) has low entropy. If all classes
are drawn, the mean p(y) of these answers has high entropy. One number asks for both:

    score = exp( E_x KL(p(y|x) ‖ p(y)) ) = exp( H(p(y)) − E_x H(p(y|x)) )

(Salimans et al. 2016, arXiv:1606.03498, section 4). It lies between 1 (every image gets the same
answer) and K (sure of every image, all K classes alike).

What it does not say (Barratt & Sharma 2018, arXiv:1801.01973):

- It never sees a real image. One clear image per class, again and again, scores K; so may the
  training images, and images that are no digits at all but make the classifier sure.
- It is a measure of the classifier too: one whose answers are surer scores the same images higher.
  Compare figures of one classifier, and put the score of real test images beside them.
- p(y) is estimated from the same images, which biases the score downwards, by a factor of about
  1 − (K − 1) / 2N for N images: 0.045 % for 10,000 images and ten classes, 4.5 % for 100.
"""

import numpy as np
from scipy.special import rel_entr

from minigan.checks import check_samples

__all__ = ["inception_score"]


def inception_score(probabilities):
    """exp( 1/N Σᵢ Σₖ pᵢₖ log(pᵢₖ / p̄ₖ) ), p̄ₖ = 1/N Σᵢ pᵢₖ, for the answers p (N, K).

    Each row is a distribution over the K classes; TypeError or ValueError for other rows.
    """
    p = check_samples(probabilities, name="probabilities")
    if (p < 0).any() or (abs(p.sum(axis=1) - 1) > 1e-3).any():
        raise ValueError("probabilities: expected rows of at least 0 that sum to 1 (no logits)")
    p = p / p.sum(axis=1, keepdims=True)  # they sum to 1 only nearly
    return float(np.exp(rel_entr(p, p.mean(axis=0)).sum(axis=1).mean()))
