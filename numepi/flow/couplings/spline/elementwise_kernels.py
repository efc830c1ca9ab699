"""Compiled passes of `numepi.flow.couplings.spline.elementwise.ElementwiseSpline` over blocks of samples.

y = u exp(s) + t, u = spline(x).  ``affine`` (2, D) holds t and s, ``knots`` (3, D, K + 1) the knots' x, y and
log-slopes.  The tape is x, and the number of its bin (-1 outside of the bounds, where the spline is the identity).
"""

from numepi.flow.couplings.spline.scalars import derivatives, derivatives_tangent, solve, value
from numepi.flow.passes.blocks import LANES
from numepi.kernels.compile import kernel, scalar
from numepi.kernels.fastmath import exp

__all__ = ["pull", "pull_tangent", "run", "tangent"]

_X, _Y, _LOG_SLOPE = range(3)
# Rows of the gradients by bin.
_IN_X0, _IN_Y0, _IN_WIDTH, _IN_HEIGHT, _IN_LEFT, _IN_RIGHT = range(6)


@scalar
def _find(knots, at):
    """Return the bin that ``at`` is in, -1 outside of all (and for NaN)."""
    last = len(knots) - 1
    if not (at >= knots[0] and at <= knots[last]):
        return -1
    number = 0
    for k in range(1, last):
        number += at >= knots[k]
    return number


@scalar
def _bin(one, knots, j, number):
    """Corner, width, height and slopes of a bin of coordinate j; the identity's outside."""
    zero = one - one
    if number < 0:
        return zero, zero, one, one, one, one
    x0, y0 = knots[_X, j, number], knots[_Y, j, number]
    width, height = knots[_X, j, number + 1] - x0, knots[_Y, j, number + 1] - y0
    return x0, y0, width, height, exp(knots[_LOG_SLOPE, j, number]), exp(knots[_LOG_SLOPE, j, number + 1])


@scalar
def _share(one, x):
    """Clip to [0, 1]: rounding leaves a bin by a little, and outside of the bounds any place will do."""
    zero = one - one
    x = x if x > zero else zero
    return x if x < one else one


@kernel
def run(affine, knots, x, y, bins, log_q, inverse):
    """Fill y and bins (blocks, D, LANES); subtract log|det| from log_q."""
    one = affine.dtype.type(1)
    for block in range(len(x)):
        for j in range(x.shape[1]):
            shift, log_scale = affine[0, j], affine[1, j]
            scale = exp(log_scale)
            for lane in range(LANES):
                at = (x[block, j, lane] - shift) / scale if inverse else x[block, j, lane]
                number = _find(knots[_Y if inverse else _X, j], at)
                x0, y0, width, height, d0, d1 = _bin(one, knots, j, number)
                if inverse:
                    _, bend, log_slope = solve(one, _share(one, (at - y0) / height), height / width, d0, d1)
                    out = at + ((x0 - y0) + (width - height) / height * (at - y0) - width * bend)
                else:
                    bend, log_slope = value(one, _share(one, (at - x0) / width), height / width, d0, d1)
                    out = at + ((y0 - x0) + (height - width) / width * (at - x0) + height * bend)
                    out = out * scale + shift
                y[block, j, lane], bins[block, j, lane] = out, number
                log_q[block, lane] -= log_slope + log_scale


@kernel
def pull(affine, knots, x, bins, grad_output, grad_log_q, grad_input, in_affine, in_bins, inverse, group):
    """Fill grad_input; unless ``group`` = 0 add to each group's row of in_affine (groups, 2, D) and in_bins.

    in_bins (groups, 6, D, K) takes the gradients in each bin's x0, y0, width, height, and log-slopes at its two ends.
    """
    one = affine.dtype.type(1)
    for block in range(len(x)):
        row = block // group if group > 0 else 0
        for j in range(x.shape[1]):
            scale = exp(affine[1, j])
            for lane in range(LANES):
                number, place_x, g = bins[block, j, lane], x[block, j, lane], grad_output[block, j, lane]
                x0, y0, width, height, d0, d1 = _bin(one, knots, j, number)
                slope = height / width
                place = _share(one, (place_x - x0) / width)
                v, v_t, v_s, v_d0, v_d1, l_t, l_s, l_d0, l_d1 = derivatives(one, place, slope, d0, d1)
                c = -grad_log_q[block, lane]
                along, l_x = v_t * slope, l_t / width
                # Gradients of parameters are those of a u + c l at fixed x; for the inverse, x moves by -du / u'.
                a = -(g + c * l_x) / along if inverse else g * scale
                grad_input[block, j, lane] = -a / scale if inverse else a * along + c * l_x
                if group > 0:
                    u = y0 + height * v if number >= 0 else place_x
                    in_affine[row, 0, j] += a / scale
                    in_affine[row, 1, j] += a * u + c
                    if number >= 0:
                        g_place, g_slope = a * height * v_t + c * l_t, a * height * v_s + c * l_s
                        in_bins[row, _IN_X0, j, number] -= g_place / width
                        in_bins[row, _IN_Y0, j, number] += a
                        in_bins[row, _IN_WIDTH, j, number] -= (g_slope * slope + g_place * place) / width
                        in_bins[row, _IN_HEIGHT, j, number] += g_slope / width + a * v
                        in_bins[row, _IN_LEFT, j, number] += (a * height * v_d0 + c * l_d0) * d0
                        in_bins[row, _IN_RIGHT, j, number] += (a * height * v_d1 + c * l_d1) * d1


@kernel
def tangent(affine, knots, x, bins, dy, dx):
    """Tangent of the inverse pass: fill dx."""
    one = affine.dtype.type(1)
    for block in range(len(x)):
        for j in range(x.shape[1]):
            scale = exp(affine[1, j])
            for lane in range(LANES):
                x0, _, width, height, d0, d1 = _bin(one, knots, j, bins[block, j, lane])
                slope = height / width
                place = _share(one, (x[block, j, lane] - x0) / width)
                v_t = derivatives(one, place, slope, d0, d1)[1]
                dx[block, j, lane] = dy[block, j, lane] / (scale * v_t * slope)


@kernel
def pull_tangent(affine, knots, x, bins, dx, grad_output, tangent_grad, grad_log_q, grad_input, tangent_grad_input):
    """Fill the gradient of the inverse pass's input, and its tangent."""
    one = affine.dtype.type(1)
    zero = one - one
    for block in range(len(x)):
        for j in range(x.shape[1]):
            scale = exp(affine[1, j])
            for lane in range(LANES):
                x0, _, width, height, d0, d1 = _bin(one, knots, j, bins[block, j, lane])
                slope = height / width
                place = _share(one, (x[block, j, lane] - x0) / width)
                change = dx[block, j, lane] / width
                _, v_t, _, _, _, l_t, _, _, _ = derivatives(one, place, slope, d0, d1)
                _, dv_t, _, _, _, dl_t, _, _, _ = derivatives_tangent(
                    one, place, slope, d0, d1, change, zero, zero, zero
                )
                c = -grad_log_q[block, lane]
                along, dalong = scale * v_t * slope, scale * dv_t * slope
                total = (grad_output[block, j, lane] + c * l_t / width) / along
                grad_input[block, j, lane] = total
                dtotal = tangent_grad[block, j, lane] + c * dl_t / width
                tangent_grad_input[block, j, lane] = (dtotal - total * dalong) / along
