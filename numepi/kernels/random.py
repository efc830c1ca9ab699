"""Counter-based random numbers: Philox4x32-10 (Salmon et al. 2011) and what the simulators draw from it.

A number is a pure function of a key and a counter of four 32-bit words, so it depends on no thread, block or batch:

    key      (k0, k1) = numepi.random_streams.stream_key(rng)
    counter  c0 parameter index (first_index + row)      c1 trial and task (trial * n_tasks + task)
             c2 step (0: initial condition)              c3 block of four numbers: slot = 4 * c3 + position

    philox4x32(c0, c1, c2, c3, k0, k1)          -> four words (uint64 below 2^32)
    uniform(word, like)                         -> (word + 1/2) / 2^32, strictly between 0 and 1
    normals4(c0, c1, c2, c3, k0, k1, like)      -> four independent standard normals, |x| <= 6.66
    normals_from_words(w0, w1, w2, w3, like)    -> the same from words already drawn

``like`` is a float64 or a float32 of any value: its type is the precision of the result; both precisions are the same
numbers, rounded.  Everything is branch-free: a loop that calls these for each lane of an array vectorises (about 2 ns
a normal on one core).  Fill a small array of normals in a loop of its own: the words are 64 bits wide, so float32
arithmetic in the same loop gets only half of its lanes.

Words are kept in uint64, masked to 32 bits: exact in Python, Numba and CUDA, and vector units multiply them as such.
"""

import math

import numpy as np

from numepi.kernels.compile import scalar
from numepi.kernels.fastmath import by_precision, from_bits, log, sincos_octant

__all__ = ["normals4", "normals_from_words", "philox4x32", "uniform"]

_MASK = np.uint64(0xFFFFFFFF)
_32 = np.uint64(32)
_MULTIPLIER_0, _MULTIPLIER_1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_WEYL_0, _WEYL_1 = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)


@scalar
def _round(c0, c1, c2, c3, k0, k1):
    product_0, product_1 = _MULTIPLIER_0 * c0, _MULTIPLIER_1 * c2
    return (product_1 >> _32) ^ c1 ^ k0, product_1 & _MASK, (product_0 >> _32) ^ c3 ^ k1, product_0 & _MASK


@scalar
def _two_rounds(c0, c1, c2, c3, k0, k1):
    """Two rounds and the key of the next."""
    c0, c1, c2, c3 = _round(c0, c1, c2, c3, k0, k1)
    k0, k1 = (k0 + _WEYL_0) & _MASK, (k1 + _WEYL_1) & _MASK
    c0, c1, c2, c3 = _round(c0, c1, c2, c3, k0, k1)
    return c0, c1, c2, c3, (k0 + _WEYL_0) & _MASK, (k1 + _WEYL_1) & _MASK


@scalar
def philox4x32(c0, c1, c2, c3, k0, k1):
    """Return the four words of a counter under a key, all of them non-negative integers below 2^32."""
    c0, c1, c2, c3 = np.uint64(c0), np.uint64(c1), np.uint64(c2), np.uint64(c3)
    k0, k1 = np.uint64(k0), np.uint64(k1)
    c0, c1, c2, c3, k0, k1 = _two_rounds(c0, c1, c2, c3, k0, k1)
    c0, c1, c2, c3, k0, k1 = _two_rounds(c0, c1, c2, c3, k0, k1)
    c0, c1, c2, c3, k0, k1 = _two_rounds(c0, c1, c2, c3, k0, k1)
    c0, c1, c2, c3, k0, k1 = _two_rounds(c0, c1, c2, c3, k0, k1)
    c0, c1, c2, c3, k0, k1 = _two_rounds(c0, c1, c2, c3, k0, k1)
    return c0, c1, c2, c3


# The bits of 2^52: an integer below 2^52, or-ed into them, spells 2^52 + integer (AVX2 cannot convert 64-bit integers).
_INTEGER_BITS, _TWO_52 = np.uint64(0x4330000000000000), 2.0**52
_LOW_30, _BIT_30, _31 = np.uint64(2**30 - 1), np.uint64(2**30), np.uint64(31)
_LOW_8, _8 = np.uint64(255), np.uint64(8)


@scalar
def _uniform_double(word, like):
    # word + 1/2 needs 33 bits: exact
    return ((from_bits(word | _INTEGER_BITS) - _TWO_52) + 0.5) * 2.0**-32


_HALF_32, _RESOLUTION_24, _RESOLUTION_32, _BELOW_1 = map(np.float32, (0.5, 2.0**-24, 2.0**-32, 1 - 2.0**-24))


@scalar
def _uniform_single(word, like):
    # The top 24 bits and the low 8 convert exactly; one rounding, which must not reach 1.
    low = (np.float32(np.int32(word & _LOW_8)) + _HALF_32) * _RESOLUTION_32
    value = np.float32(np.int32(word >> _8)) * _RESOLUTION_24 + low
    return _BELOW_1 if value > _BELOW_1 else value


@by_precision(_uniform_double, _uniform_single)
def uniform(word, like):
    """Return (word + 1/2) / 2^32 in the precision of ``like``: never 0 or 1 (float32: at most 1 - 2^-24)."""


@scalar
def _angle_double(word, like):
    """An eighth of a turn either way, in radians: the low 30 bits, centred."""
    offset = (from_bits((word & _LOW_30) | _INTEGER_BITS) - _TWO_52) + (0.5 - 2.0**29)
    return offset * (math.pi / 2 * 2.0**-30)


_CENTRE, _ANGLE_UNIT = np.float32(0.5), np.float32(math.pi / 2 * 2.0**-30)


@scalar
def _angle_single(word, like):
    return (np.float32(np.int32(word & _LOW_30) - np.int32(2**29)) + _CENTRE) * _ANGLE_UNIT


@by_precision(_angle_double, _angle_single)
def _angle(word, like):
    """Return the angle in (-pi/4, pi/4) that the low 30 bits of a word spell."""


@scalar
def _box_muller(w0, w1, like):
    """Two independent standard normals from two words: radius from the first, direction from the second.

    The direction is an angle within an eighth of a turn of the first axis (30 bits), reflected in the diagonal (bit 30)
    and in the origin (bit 31): uniform on the circle, with no argument reduction.
    """
    log_u = log(uniform(w0, like))
    radius = math.sqrt(-(log_u + log_u))
    radius = -radius if (w1 >> _31) == np.uint64(1) else radius
    sine, cosine = sincos_octant(_angle(w1, like))
    swap = (w1 & _BIT_30) == _BIT_30
    x, y = (sine, cosine) if swap else (cosine, sine)
    return radius * x, radius * y


@scalar
def normals_from_words(w0, w1, w2, w3, like):
    """Return four independent standard normals from four independent words, in the precision of ``like``."""
    x0, x1 = _box_muller(w0, w1, like)
    x2, x3 = _box_muller(w2, w3, like)
    return x0, x1, x2, x3


@scalar
def normals4(c0, c1, c2, c3, k0, k1, like):
    """Return four independent standard normals of a counter under a key, in the precision of ``like``."""
    w0, w1, w2, w3 = philox4x32(c0, c1, c2, c3, k0, k1)
    return normals_from_words(w0, w1, w2, w3, like)
