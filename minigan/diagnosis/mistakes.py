"""Which mistake makes a gradient so wrong? What its numbers tell by themselves.

A sum where a mean belongs makes every number of the gradient N times too large, a wrong sign makes
it −1 times too large, a matrix that was not transposed shows in its transpose. Such a cause is only
named if it explains every number that was compared.
"""

import math

import numpy as np

__all__ = ["causes_of_ratio", "likely_mistake"]


def likely_mistake(gradient, lines, batch):
    """A sentence on a wrong gradient, "" if nothing simple explains it.

    lines: (where, way, numerical derivative, error allowed) of everything that was compared; by
    hand, the derivative is the sum of gradient[where] · way. batch: N, or None.
    """
    numerical, allowed = (np.array([line[k] for line in lines]) for k in (2, 3))
    size = numerical.dot(numerical)

    def along(array):
        return np.array([float((array[where] * way).sum()) for where, way, *_ in lines])

    found = along(gradient)
    if not size or not np.isfinite(found).all():
        return ""
    ratio = found.dot(numerical) / size
    if (abs(found - ratio * numerical) <= max(1, abs(ratio)) * allowed).all():
        return ", or: ".join(causes_of_ratio(ratio, batch, known=len(found) == 1).values())
    if gradient.ndim == 2 and gradient.shape[0] == gradient.shape[1]:
        if (abs(along(gradient.T) - numerical) <= allowed).all():
            return "it is transposed"
    return ""


def causes_of_ratio(ratio, batch, known=False):
    """What it may mean that a gradient is `ratio` times what it should be: kind -> a sentence.

    batch: N, or None. known: nothing but what has a usual cause.
    """

    def near(value):
        return math.isclose(abs(ratio), value, rel_tol=1e-5, abs_tol=1e-9)

    sign = "the sign is wrong, and it is " if ratio < 0 else ""
    causes = {}
    if near(0):
        return {"zero": "it is zero: nothing arrives here"}
    if near(1):
        return {"sign": "the sign is wrong"} if ratio < 0 else {}
    if batch and near(batch):
        causes["N"] = f"{sign}{batch} times too large, the batch size: is a mean missing?"
    if batch and near(1 / batch):
        causes["1/N"] = f"{sign}{batch} times too small, the batch size: is there a 1/N too many?"
    if near(2):
        causes["2"] = f"{sign}twice too large: is something counted twice, or a 1/2 missing?"
    if near(1 / 2):
        causes["1/2"] = f"{sign}half of what it should be: is a factor 2 missing?"
    if not causes and not known:
        causes[f"{ratio:.5g}"] = f"{sign}{abs(ratio):.4g} times what it should be, everywhere"
    return causes
