"""Philox4x32-10: random numbers from a counter and a key, the same bits on every backend.

Number i of a stream is mix(i, key), a fixed function: there is no state, any number can be had
without those before it, and a GPU computes all of them at once. This is the reference in NumPy;
`philox_uniform` and `philox_normal` in `kernels.cu` give the same bits, line by line.

Salmon, Moraes, Dror & Shaw 2011, "Parallel random numbers: as easy as 1, 2, 3", SC'11.
"""

import math

import numpy as np

__all__ = ["draw_key", "normal", "philox", "split_key", "uniform"]

_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)


def draw_key(rng):
    """A key, from a `numpy.random.Generator`."""
    return int(rng.integers(1 << 64, dtype="uint64"))


def split_key(key):
    """The two 32-bit words of an integer key, 0 <= key < 2⁶⁴; ValueError for others."""
    if not 0 <= key < 1 << 64:
        raise ValueError(f"key: expected an integer from 0 to 2**64 - 1, got {key}")
    return np.uint32(key & 0xFFFFFFFF), np.uint32(key >> 32)


def philox(counter, key0, key1):
    """The words (4, n) for n counters (4, n), all uint32: ten rounds of multiply and exchange."""
    a, b, c, d = counter.astype(np.uint64)
    keys = [int(key0), int(key1)]
    for _ in range(10):
        p, q = np.uint64(0xD2511F53) * a, np.uint64(0xCD9E8D57) * c
        first, second = (np.uint64(key) for key in keys)
        a, b, c, d = (q >> _HALF) ^ b ^ first, q & _LOW, (p >> _HALF) ^ d ^ second, p & _LOW
        keys = [(keys[0] + 0x9E3779B9) % (1 << 32), (keys[1] + 0xBB67AE85) % (1 << 32)]
    return np.stack([a, b, c, d]).astype(np.uint32)


def uniform(shape, dtype, key):
    """U[0, 1) of that shape; float32 (24 random bits a number) or float64 (53)."""
    dtype, n = np.dtype(dtype), math.prod(shape)
    return _uniforms(n, dtype, key).reshape(-1)[:n].reshape(shape)


def normal(shape, dtype, key):
    """N(0, 1) of that shape, from pairs of uniform numbers u, v (Box & Muller 1958):

    √(−2 ln(1 − u)) · (cos 2πv, sin 2πv).
    """
    dtype, n = np.dtype(dtype), math.prod(shape)
    pairs = _uniforms(n, dtype, key).reshape(-1, 2)
    radius = np.sqrt(dtype.type(-2) * _log(dtype.type(1) - pairs[:, 0]))
    both = np.stack(_circle(pairs[:, 1]), axis=1) * radius[:, None]
    return both.reshape(-1)[:n].reshape(shape)


def _uniforms(n, dtype, key):
    """At least n of them, (counters, 4) float32 or (counters, 2) float64."""
    count = 4 if dtype == np.float32 else 2
    counter = np.zeros((4, -(-n // count)), np.uint32)
    counter[0] = np.arange(counter.shape[1], dtype=np.uint32)
    words = philox(counter, *split_key(key)).T
    if count == 4:
        return (words >> np.uint32(8)).astype(np.float32) * np.float32(2.0**-24)
    high, low = words[:, 0::2] >> np.uint32(5), words[:, 1::2] >> np.uint32(6)
    return ((high.astype(np.uint64) << np.uint64(26)) + low).astype(np.float64) * 2.0**-53


# Every library has a log, sin and cos of its own, which differ in the last bit. Written out in
# sums, products and quotients, which IEEE 754 rounds alike everywhere, they give the same bits.


def _log(x):
    """ln x for 0 < x <= 1: x = m 2ᵉ, √½ <= m < √2; s = (m − 1)/(m + 1), ln m = 2 (s + s³/3 + …)."""
    number = x.dtype.type
    m, e = np.frexp(x)
    small = m < number(0.7071067811865476)
    m, e = np.where(small, m + m, m), e - small
    s = (m - number(1)) / (m + number(1))
    s2, total = s * s, np.zeros_like(s)
    for k in range(21, 0, -2):
        total = total * s2 + number(1) / number(k)
    return e.astype(x.dtype) * number(0.6931471805599453) + number(2) * s * total


def _circle(u):
    """cos 2πu and sin 2πu, 0 <= u < 1: the nearest quarter, and Taylor series from there."""
    number = u.dtype.type
    t = u * number(4)
    quarter = (t + number(0.5)).astype(np.int32)
    a = (t - quarter.astype(u.dtype)) * number(1.5707963267948966)
    a2, c, s = a * a, np.ones_like(a), np.ones_like(a)
    for k in range(16, 0, -2):
        c = number(1) - c * a2 * (number(1) / number((k - 1) * k))
        s = number(1) - s * a2 * (number(1) / number(k * (k + 1)))
    s = s * a
    swapped, turned = quarter % 2 == 1, quarter % 4 >= 2
    x, y = np.where(swapped, -s, c), np.where(swapped, c, s)
    return np.where(turned, -x, x), np.where(turned, -y, y)
