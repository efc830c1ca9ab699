"""Elementary functions without branches or calls, so that loops over lanes vectorise: exp, log, tanh, ...

Numba ships no vector mathematics library, and a call to the scalar one costs 20-40 ns an element.  These are
polynomials and bit operations on scalars; LLVM turns a loop of them over an array into vector instructions.

    exp(x)  log(x)  tanh(x)  sigmoid(x)  cosh(x)      -> one float of the precision of x
    sincos_turns(u)                                   -> sin(2 pi u), cos(2 pi u)
    sincos_octant(t)                                  -> sin t, cos t for |t| <= pi / 4

Call them in compiled kernels (or, slowly, on Python and NumPy scalars) with a float64 or a float32: the type of the
argument chooses the precision and nothing is promoted.  Relative error: below 1e-14 in float64, 4 units in the last
place in float32 (sincos_turns: of the larger of the two, near its zeros too as long as |u| < 2^20).  NaN gives NaN;
infinities, overflow and underflow give the limits.

Method: Cody-Waite reduction, near-minimax polynomials (Chebyshev interpolation in 80-bit arithmetic), exponents
moved as bits.  ``bits_of`` and ``from_bits`` reinterpret a float as the unsigned integer of its width and back.
"""

import math
from functools import wraps
from types import FunctionType, SimpleNamespace

import numpy as np
from numba import types
from numba.extending import intrinsic, overload

from numepi.kernels.compile import SCALAR_OPTIONS, scalar

__all__ = [
    "bits_of", "by_precision", "cosh", "exp", "from_bits", "log", "precisions_of", "sigmoid", "sincos_octant",
    "sincos_turns", "tanh",
]  # fmt: skip

_WORD = {types.float64: types.uint64, types.float32: types.uint32}
_FLOAT = {word: real for real, word in _WORD.items()}


def _bitcast(context, builder, signature, arguments):
    return builder.bitcast(arguments[0], context.get_value_type(signature.return_type))


@intrinsic
def bits_of(typing_context, x):
    """Reinterpret a float64 (float32) as a uint64 (uint32)."""
    return _WORD[x](x), _bitcast


@intrinsic
def from_bits(typing_context, bits):
    """Reinterpret a uint64 (uint32) as a float64 (float32)."""
    return _FLOAT[bits](bits), _bitcast


def by_precision(double, single):
    """Decorate a documented signature: the type of its last argument chooses one of two ``scalar`` functions."""

    def decorate(signature):
        @wraps(signature)
        def function(*arguments):
            return (single if isinstance(arguments[-1], np.float32) else double)(*arguments)

        def choose(*arguments):
            return (single if arguments[-1] == types.float32 else double).py_func

        overload(function, strict=False, jit_options=SCALAR_OPTIONS)(choose)
        function.precisions = double, single
        return function

    return decorate


def precisions_of(function):
    """Return the ``scalar`` functions (double, single) that `by_precision` chooses from, or None for any other."""
    return getattr(function, "precisions", None) if isinstance(function, FunctionType) else None


# The polynomials, in Horner form, once in each precision:
#   exp_tail(r) = (e^r - 1 - r) / r^2 for |r| <= ln(2) / 2            log_tail(s^2) = (log((1 + s)/(1 - s)) - 2 s) / s^3
#   sin_tail(t^2) = (sin t - t) / t^3, cos_tail(t^2) = (cos t - 1 + t^2/2) / t^4 for |t| <= pi / 4
@scalar
def _exp_tail_double(r):
    p = 2.7620138407988827e-07 + r * 2.5100423811713012e-08
    p = 2.4801521191411198e-05 + r * (2.755726838821369e-06 + r * p)
    p = 0.0013888888917280525 + r * (0.00019841269863087716 + r * p)
    p = 0.041666666666624 + r * (0.008333333333330062 + r * p)
    return 0.5000000000000001 + r * (0.16666666666666669 + r * p)


@scalar
def _sin_tail_double(y):
    p = -2.5051129886221382e-08 + y * 1.5917988633589182e-10
    p = -0.00019841269836740272 + y * (2.7557316093113485e-06 + y * p)
    return -0.16666666666666666 + y * (0.008333333333330936 + y * p)


@scalar
def _cos_tail_double(y):
    p = 2.087614517527571e-09 + y * -1.1382553370907744e-11
    p = 2.480158729875534e-05 + y * (-2.7557317266472657e-07 + y * p)
    return 0.041666666666666664 + y * (-0.0013888888888887389 + y * p)


@scalar
def _log_tail_double(y):
    p = 0.1533161158612503 + y * 0.14617808540832553
    p = 0.22222211089288246 + y * (0.18182892437639012 + y * p)
    p = 0.3999999999989889 + y * (0.2857142862625462 + y * p)
    return 0.666666666666667 + y * p


# A bare literal is a float64 and would promote a float32: the single-precision constants are typed.
_EXP = tuple(map(np.float32, (0.5, 0.16666576266288757, 0.041666556149721146, 0.008363203145563602, 0.001392621314)))
_SIN = tuple(map(np.float32, (-0.166666641831398, 0.008332747034728527, -0.00019587638962548226)))
_COS = tuple(map(np.float32, (0.0416666641831398, -0.0013888301327824593, 2.4547689463361166e-05)))
_LOG = tuple(map(np.float32, (0.6666668653488159, 0.3998875916004181, 0.29580986499786377)))


@scalar
def _exp_tail_single(r):
    return _EXP[0] + r * (_EXP[1] + r * (_EXP[2] + r * (_EXP[3] + r * _EXP[4])))


@scalar
def _sin_tail_single(y):
    return _SIN[0] + y * (_SIN[1] + y * _SIN[2])


@scalar
def _cos_tail_single(y):
    return _COS[0] + y * (_COS[1] + y * _COS[2])


@scalar
def _log_tail_single(y):
    return _LOG[0] + y * (_LOG[1] + y * _LOG[2])


def _elementary(real, word, exp_range, tanh_limit, tails):
    """Build the functions in one precision.

    ``real`` and ``word`` are its float and unsigned integer types; exp is 0 or infinity outside ``exp_range``; tanh is
    +-1 beyond ``tanh_limit``.
    """
    exp_tail, sin_tail, cos_tail, log_tail = tails
    info = np.finfo(real)
    bias = info.maxexp - 1
    zero, quarter, half, one, two, four = (real(c) for c in (0, 0.25, 0.5, 1, 2, 4))
    infinity, nan, two_pi, log2_e = real(np.inf), real(np.nan), real(2 * math.pi), real(1 / math.log(2))
    exp_low, exp_high = (real(c) for c in exp_range)
    normal_low, normal_high = real(info.minexp * math.log(2)), real(info.maxexp * math.log(2))
    doubled_limit = real(2 * tanh_limit)
    # A high part with trailing zeros, so that its product with an exponent is exact.
    ln2_high = real(np.floor(math.log(2) * 2**16) / 2**16) if real is np.float32 else real(6.93147180369123816490e-01)
    ln2_low = real(np.log(np.longdouble(2)) - np.longdouble(ln2_high))
    # x + round_shift holds the integer nearest to x in its lowest bits, x + round_shift - round_shift is that integer.
    round_shift = real(1.5 * 2.0**info.nmant)
    one_bits, root_half_bits = (np.array(c, real).view(word)[()] for c in (1.0, math.sqrt(0.5)))
    # An integer below 2^nmant, or-ed into these bits, spells 2^nmant + integer.
    integer_bits, integer_offset = np.array(2.0**info.nmant, real).view(word)[()], real(2.0**info.nmant + bias)
    mantissa, sign_0, sign_1 = word(info.nmant), word(info.bits - 1), word(info.bits - 2)
    sign_bit = word(1 << (info.bits - 1))
    smallest, upscale, upscale_exponent = info.smallest_normal, real(2.0**60), real(60)

    @scalar
    def reduce(x):
        # x = k ln 2 + r: e^r - 1, and k
        k = (x * log2_e + round_shift) - round_shift
        r = (x - k * ln2_high) - k * ln2_low
        return r + (r * r) * exp_tail(r), k

    @scalar
    def power_of_two(k):
        return from_bits(word((bits_of(k + round_shift) << mantissa) + one_bits))

    @scalar
    def exp(x):
        x = exp_low if x < exp_low else x
        x = exp_high if x > exp_high else x
        p, k = reduce(x)
        # In two factors, as 2^k alone overflows before e^x does and cannot be subnormal.
        k_half = (k * half + round_shift) - round_shift
        return (p + one) * power_of_two(k_half) * power_of_two(k - k_half)

    @scalar
    def tanh(x):
        # expm1(2x) / (expm1(2x) + 2), exact to the last place near zero
        y = two * x
        y = doubled_limit if y > doubled_limit else y
        y = -doubled_limit if y < -doubled_limit else y
        p, k = reduce(y)
        scale = power_of_two(k)
        expm1 = p * scale + (scale - one)
        return expm1 / (expm1 + two)

    @scalar
    def normal_exp(x):
        # exp without subnormal results: one factor; infinity from half a power of two before the largest number
        x = normal_low if x < normal_low else x
        x = normal_high if x > normal_high else x
        p, k = reduce(x)
        return (p + one) * power_of_two(k)

    @scalar
    def sigmoid(x):
        return one / (one + normal_exp(-x))

    @scalar
    def cosh(x):
        e = half * normal_exp(abs(x))
        return e + quarter / e

    @scalar
    def log(x):
        subnormal = x < smallest
        bits = bits_of(x * upscale if subnormal else x)
        # The exponent such that the rest lies in [sqrt(1/2), sqrt(2)); biased, so that it is positive.
        exponent = (bits - root_half_bits + one_bits) >> mantissa
        k = from_bits(word(exponent | integer_bits)) - integer_offset
        f = from_bits(word(bits - (exponent << mantissa) + one_bits)) - one
        k = k - upscale_exponent if subnormal else k
        s = f / (two + f)
        y = s * s
        square = half * f * f
        value = k * ln2_high - ((square - (s * (square + y * log_tail(y)) + k * ln2_low)) - f)
        value = x if x == infinity else value
        value = -infinity if x == zero else value
        return nan if not (x >= zero) else value

    @scalar
    def sincos_octant(t):
        y = t * t
        return t + t * (y * sin_tail(y)), one + y * (y * cos_tail(y) - half)

    @scalar
    def sincos_turns(u):
        shifted = four * u + round_shift
        quadrant = bits_of(shifted)
        sine, cosine = sincos_octant(two_pi * (u - quarter * (shifted - round_shift)))
        swap = (quadrant & word(1)) == word(1)
        a, b = (cosine, sine) if swap else (sine, cosine)
        sine_sign = (quadrant << sign_1) & sign_bit
        cosine_sign = sine_sign ^ ((quadrant << sign_0) & sign_bit)
        return from_bits(word(bits_of(a) ^ sine_sign)), from_bits(word(bits_of(b) ^ cosine_sign))

    return SimpleNamespace(
        exp=exp, tanh=tanh, sigmoid=sigmoid, cosh=cosh, log=log, sincos_octant=sincos_octant, sincos_turns=sincos_turns
    )


_double = _elementary(
    np.float64,
    np.uint64,
    (-750.0, 720.0),
    22.0,
    (_exp_tail_double, _sin_tail_double, _cos_tail_double, _log_tail_double),
)
_single = _elementary(
    np.float32,
    np.uint32,
    (-105.0, 90.0),
    10.0,
    (_exp_tail_single, _sin_tail_single, _cos_tail_single, _log_tail_single),
)


@by_precision(_double.exp, _single.exp)
def exp(x):
    """Return e^x; 0 below the smallest subnormal number and infinity above the largest number."""


@by_precision(_double.log, _single.log)
def log(x):
    """Return the natural logarithm; -infinity at 0, NaN below, subnormal numbers included."""


@by_precision(_double.tanh, _single.tanh)
def tanh(x):
    """Return the hyperbolic tangent."""


@by_precision(_double.sigmoid, _single.sigmoid)
def sigmoid(x):
    """Return 1 / (1 + e^-x); 0 where e^-x overflows (below -709.4, in float32 -88.3)."""


@by_precision(_double.cosh, _single.cosh)
def cosh(x):
    """Return the hyperbolic cosine; infinity beyond 709.4 (float32: 88.3)."""


@by_precision(_double.sincos_octant, _single.sincos_octant)
def sincos_octant(t):
    """Return sin t and cos t for |t| <= pi / 4 (radians)."""


@by_precision(_double.sincos_turns, _single.sincos_turns)
def sincos_turns(u):
    """Return sin(2 pi u) and cos(2 pi u), |u| < 2^20."""
