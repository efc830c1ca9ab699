"""Compiled scalar functions of one bin of `numepi.flow.couplings.spline.definition`: value, inverse, and two orders of
derivatives.

Notation as there: t and t' (``rest``) are the place in the bin from the left and from the right, s = h / w the mean
slope, d0 and d1 the slopes at the ends.  y = y0 + h v(t, s, d0, d1) and log dy/dx = l(t, s, d0, d1).  The argument
``one`` is 1 in the precision of the others: a literal would promote them.
"""

from math import sqrt

from numepi.kernels.compile import scalar
from numepi.kernels.fastmath import log

__all__ = ["derivatives", "derivatives_tangent", "solve", "value"]


@scalar
def _shape(t, rest, s, d0, d1):
    """Return D, N and (v - t) D.

    Differences from s, so that equal slopes give N = D = s to the last bit; where they would cancel, N as a sum of
    positive terms.
    """
    e0, e1, q = d0 - s, d1 - s, t * rest
    n = s + (e1 * t * t + e0 * rest * rest)
    n = n if n + n > s else d1 * t * t + (s + s) * q + d0 * rest * rest
    return s + (e0 + e1) * q, n, q * (e0 * rest - e1 * t)


@scalar
def value(one, t, s, d0, d1):
    """Return v - t and log dy/dx."""
    denominator, n, bend = _shape(t, one - t, s, d0, d1)
    ratio = s / denominator
    return bend / denominator, log(ratio * ratio * n)


@scalar
def solve(one, v, s, d0, d1):
    """Return t, and v - t and log dy/dx there; v in [0, 1]."""
    double_s = s + s
    p = d0 * (one - v) - d1 * v
    r = abs(p) + sqrt(p * p + double_s * double_s * v * (one - v))
    b = double_s * (v if p >= 0 else one - v)
    near, far = b / (b + r), r / (b + r)
    t, rest = (near, far) if p >= 0 else (far, near)
    denominator, n, bend = _shape(t, rest, s, d0, d1)
    ratio = s / denominator
    return t, bend / denominator, log(ratio * ratio * n)


@scalar
def derivatives(one, t, s, d0, d1):
    """Return v; its derivatives in t, s, d0 and d1; those of l."""
    two, rest = one + one, one - t
    q = t * rest
    denominator, n, bend = _shape(t, rest, s, d0, d1)
    a, b = one / denominator, one / n
    qa2 = q * a * a
    q2a = two * q * a
    skew = rest - t
    v_d0, v_d1 = qa2 * rest * (s * rest + d1 * t), -qa2 * t * (s * t + d0 * rest)
    l_t = two * (b * (d1 * t + s * skew - d0 * rest) - a * (d0 + d1 - s - s) * skew)
    l_s = two * (one / s + q * b - (one - q - q) * a)
    return (
        t + bend * a, s * n * a * a, qa2 * (d1 * t * t - d0 * rest * rest), v_d0, v_d1,
        l_t, l_s, rest * rest * b - q2a, t * t * b - q2a,
    )  # fmt: skip


@scalar
def derivatives_tangent(one, t, s, d0, d1, dt, ds, dd0, dd1):
    """Return the change of each of `derivatives`' results as its arguments change by dt, ds, dd0 and dd1."""
    two, rest = one + one, one - t
    q, skew = t * rest, rest - t
    dq = skew * dt
    denominator, n, _ = _shape(t, rest, s, d0, d1)
    a, b = one / denominator, one / n
    sigma, dsigma = d0 + d1 - s - s, dd0 + dd1 - ds - ds
    da = -a * a * (ds + dsigma * q + sigma * dq)
    n_t = two * (d1 * t + s * skew - d0 * rest)
    dn_t = two * (dd1 * t + ds * skew - dd0 * rest + (d0 + d1 - s - s) * dt)
    dn = n_t * dt + dd1 * t * t + two * ds * q + dd0 * rest * rest
    db = -b * b * dn
    qa2 = q * a * a
    dqa2 = (dq * a + two * q * da) * a
    dq2a = two * (dq * a + q * da)
    v_t, dv_t = s * n * a * a, (ds * n + s * dn) * a * a + two * s * n * a * da
    across, dacross = d1 * t * t - d0 * rest * rest, dd1 * t * t - dd0 * rest * rest + two * (d1 * t + d0 * rest) * dt
    v_s, dv_s = qa2 * across, dqa2 * across + qa2 * dacross
    left, dleft = s * rest + d1 * t, ds * rest + dd1 * t + (d1 - s) * dt
    right, dright = s * t + d0 * rest, ds * t + dd0 * rest + (s - d0) * dt
    v_d0, dv_d0 = qa2 * rest * left, dqa2 * rest * left + qa2 * (rest * dleft - dt * left)
    v_d1, dv_d1 = -qa2 * t * right, -dqa2 * t * right - qa2 * (t * dright + dt * right)
    dl_t = db * n_t + b * dn_t - two * (da * sigma * skew + a * dsigma * skew - two * a * sigma * dt)
    dl_s = two * (-ds / (s * s) + dq * b + q * db + two * dq * a - (one - q - q) * da)
    return (
        v_t * dt + v_s * ds + v_d0 * dd0 + v_d1 * dd1, dv_t, dv_s, dv_d0, dv_d1,
        dl_t, dl_s, rest * rest * db - two * rest * dt * b - dq2a, t * t * db + two * t * dt * b - dq2a,
    )  # fmt: skip
