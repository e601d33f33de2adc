"""Density estimation: the road that leads to GANs.

Every estimator learns a distribution from samples x of shape (n, d) and offers

    fit(x)           learn; returns the estimator itself
    log_density(x)   (n,) natural logarithms of the learned density (of the learned
                     probability, where x is discrete)
    sample(n, rng)   (n, d) new samples, where the method has a way to draw them

Read the files in this order. Each answers a weakness of the one before it.

    contract.py       the methods above, and the checks of what comes in
    parametric.py     maximum likelihood: a coin, a Gaussian. One shape for everything.
    mixture.py        a sum of Gaussians, learned by EM. More shapes, but how many?
    naive_bayes.py    a sum over labelled classes, pixels independent: the first pictures
    histogram.py      no shape assumed: count. Cells explode with the dimension.
    parzen.py         a bump on every sample; its width decides everything
    neighbours.py     the width follows the data, and the density stops being one
    sampling.py       a density is known: how are samples drawn from it?
    pushforward.py    the other way round: noise is mapped to samples, and the density follows

The last file leads to GANs. A generator is a pushforward: it maps noise to samples. On a line its
density can be written down by a change of variables. With a network between spaces of different
dimension it cannot, so maximum likelihood is out of reach and something else has to compare the
samples with the data: the discriminator.
"""

from minigan.density.contract import Density, Known, NotFittedError
from minigan.density.histogram import Histogram
from minigan.density.mixture import EMMixture
from minigan.density.naive_bayes import BernoulliNaiveBayes, GaussianNaiveBayes
from minigan.density.neighbours import NearestNeighbours
from minigan.density.parametric import Bernoulli, Gaussian
from minigan.density.parzen import (
    ParzenWindow,
    best_bandwidth,
    hold_out,
    k_fold,
    leave_one_out,
    silverman_bandwidth,
)
from minigan.density.pushforward import (
    IDENTITY,
    NORMAL_QUANTILE,
    SQUARE,
    UNIFORM,
    Branch,
    Map,
    Pushforward,
    quantile_map,
)
from minigan.density.sampling import inverse_transform, metropolis_hastings, rejection

__all__ = [
    "IDENTITY",
    "NORMAL_QUANTILE",
    "SQUARE",
    "UNIFORM",
    "Bernoulli",
    "BernoulliNaiveBayes",
    "Branch",
    "Density",
    "EMMixture",
    "Gaussian",
    "GaussianNaiveBayes",
    "Histogram",
    "Known",
    "Map",
    "NearestNeighbours",
    "NotFittedError",
    "ParzenWindow",
    "Pushforward",
    "best_bandwidth",
    "hold_out",
    "inverse_transform",
    "k_fold",
    "leave_one_out",
    "metropolis_hastings",
    "quantile_map",
    "rejection",
    "silverman_bandwidth",
]
