"""Compiled tangent passes of `numepi.flow.couplings.spline.coupling.SplineCoupling`: Hessian-vector products.

They follow the inverse pass, x = spline^-1(u), u = (y - t) exp(-s), in the notation of
`numepi.flow.couplings.spline.kernels`; a name that begins with d is a tangent.  The rows of ``dbins`` are the tangents
of those of ``bins``, but for INDEX.
"""

from math import sqrt

from numepi.flow.couplings.clamp import LOG_SCALE_LIMIT
from numepi.flow.couplings.spline import rows as row
from numepi.flow.couplings.spline.bins import (
    clamp_slope,
    coordinate_rows,
    load,
    of_bin,
    share_scale,
    spread_shares,
    spread_slopes,
)
from numepi.flow.couplings.spline.scalars import derivatives, derivatives_tangent
from numepi.flow.networks.mlp_kernels import clear, mlp_pull_tangent, mlp_tangent
from numepi.flow.passes.blocks import LANES
from numepi.kernels.compile import block_function, kernel
from numepi.kernels.fastmath import exp

__all__ = ["pull_tangent", "tangent"]

_INVERSE_LIMIT = 1 / LOG_SCALE_LIMIT
_CURVATURE_SCALE = -3 / LOG_SCALE_LIMIT**2


@block_function
def _sizes_tangent(shares, index, dlogits, total, dcorner, dsize):
    """Turn ``dlogits`` into the tangents of the shares; those of the corner and size of the sample's bin."""
    real = shares.dtype.type
    zero, scale = real(0), real(share_scale(len(shares)))
    for lane in range(LANES):
        total[lane] = dcorner[lane] = dsize[lane] = zero
    for k in range(len(shares)):
        for lane in range(LANES):
            total[lane] += shares[k, lane] * dlogits[k, lane]
    for k in range(len(shares)):
        number = real(k)
        for lane in range(LANES):
            change = shares[k, lane] * (dlogits[k, lane] - total[lane])
            dlogits[k, lane] = change
            dcorner[lane] += scale * change if number < index[lane] else zero
            dsize[lane] += scale * change if number == index[lane] else zero


@block_function
def _slopes_tangent(index, slopes, bins, dbins):
    """Tangents of the clamped log-slopes at the ends of the sample's bin."""
    real = slopes.dtype.type
    one, inverse_limit = real(1), real(_INVERSE_LIMIT)
    for lane in range(LANES):
        dbins[row.LOG_D0, lane] = dbins[row.LOG_D1, lane] = real(0)
    for k in range(len(slopes)):
        number, following = real(k), real(k + 1)
        for lane in range(LANES):
            dbins[row.LOG_D0, lane] = slopes[k, lane] if index[lane] == following else dbins[row.LOG_D0, lane]
            dbins[row.LOG_D1, lane] = slopes[k, lane] if index[lane] == number else dbins[row.LOG_D1, lane]
    for lane in range(LANES):
        dbins[row.LOG_D0, lane] *= clamp_slope(one, inverse_limit, bins[row.LOG_D0, lane])
        dbins[row.LOG_D1, lane] *= clamp_slope(one, inverse_limit, bins[row.LOG_D1, lane])


@block_function
def _inverse_tangent(bins, dbins, dx):
    """Tangents of the place in the bin, at fixed u that of v, and of x."""
    one = bins.dtype.type(1)
    for lane in range(LANES):
        width, height = bins[row.WIDTH, lane], bins[row.HEIGHT, lane]
        d0, d1 = exp(bins[row.LOG_D0, lane]), exp(bins[row.LOG_D1, lane])
        s = height / width
        v, v_t, v_s, v_d0, v_d1, _, _, _, _ = derivatives(one, bins[row.PLACE, lane], s, d0, d1)
        ds = (dbins[row.HEIGHT, lane] - s * dbins[row.WIDTH, lane]) / width
        dv = (dbins[row.U, lane] - dbins[row.Y0, lane] - dbins[row.HEIGHT, lane] * v) / height
        dv -= v_s * ds + v_d0 * d0 * dbins[row.LOG_D0, lane] + v_d1 * d1 * dbins[row.LOG_D1, lane]
        dplace = dv / v_t
        dbins[row.PLACE, lane] = dplace
        dx[lane] = dbins[row.X0, lane] + dbins[row.WIDTH, lane] * bins[row.PLACE, lane] + width * dplace


@block_function
def _tangent_block(w, widths, n_kept, n_bins, tape, bins, dy, dx, tangents, dbins, work):
    one, inverse_limit = w.dtype.type(1), w.dtype.type(_INVERSE_LIMIT)
    n_moved = len(bins)
    load(dy, n_kept, widths[0], tangents)
    mlp_tangent(w, widths, tape, tangents)
    first = len(tape) - widths[-1]
    outputs, doutputs = tape[first:], tangents[first:]
    for r in range(n_kept):
        for lane in range(LANES):
            dx[r, lane] = dy[r, lane]
    for r in range(n_moved):
        i, j = n_kept + r, n_moved + r
        shares_x, shares_y, _ = coordinate_rows(outputs, n_moved, n_bins, r)
        dshares_x, dshares_y, dslopes = coordinate_rows(doutputs, n_moved, n_bins, r)
        index, rows = bins[r, row.INDEX], dbins[r]
        _sizes_tangent(shares_x, index, dshares_x, work[row.SUM_X], rows[row.X0], rows[row.WIDTH])
        _sizes_tangent(shares_y, index, dshares_y, work[row.SUM_Y], rows[row.Y0], rows[row.HEIGHT])
        _slopes_tangent(index, dslopes, bins[r], rows)
        for lane in range(LANES):
            ds = doutputs[j, lane] * clamp_slope(one, inverse_limit, outputs[j, lane])
            doutputs[j, lane] = ds
            rows[row.U, lane] = (dy[i, lane] - doutputs[r, lane]) * outputs[r, lane] - bins[r, row.U, lane] * ds
        _inverse_tangent(bins[r], rows, dx[i])


@kernel
def tangent(w, widths, n_kept, n_bins, tape, bins, dy, dx, tangents, dbins, work):
    """Tangent of the inverse pass: fill dx, the tangents of all activations (those of s and the shares in their place
    in the output), and those of the bins.
    """
    for block in range(len(tape)):
        _tangent_block(
            w, widths, n_kept, n_bins, tape[block], bins[block], dy[block], dx[block], tangents[block], dbins[block],
            work,
        )  # fmt: skip


@block_function
def _pull_tangent_coordinate(
    bins, dbins, grad_x, dgrad_x, grad_log_q, factor, s, ds, grad_y, dgrad_y, g, dg, shift_row, scale_row, work, dwork
):
    """As `numepi.flow.couplings.spline.kernels.pull`, inverse, with the tangent of every gradient."""
    real = s.dtype.type
    one, inverse_limit, curvature_scale = real(1), real(_INVERSE_LIMIT), real(_CURVATURE_SCALE)
    for lane in range(LANES):
        place, width, height, u = (
            bins[row.PLACE, lane],
            bins[row.WIDTH, lane],
            bins[row.HEIGHT, lane],
            bins[row.U, lane],
        )
        dplace, dwidth, dheight, du = (
            dbins[row.PLACE, lane],
            dbins[row.WIDTH, lane],
            dbins[row.HEIGHT, lane],
            dbins[row.U, lane],
        )
        log_d0, log_d1 = bins[row.LOG_D0, lane], bins[row.LOG_D1, lane]
        dlog_d0, dlog_d1 = dbins[row.LOG_D0, lane], dbins[row.LOG_D1, lane]
        d0, d1 = exp(log_d0), exp(log_d1)
        mean, c = height / width, -grad_log_q[lane]
        dmean = (dheight - mean * dwidth) / width
        v, v_t, v_s, v_d0, v_d1, l_t, l_s, l_d0, l_d1 = derivatives(one, place, mean, d0, d1)
        dv, dv_t, dv_s, dv_d0, dv_d1, dl_t, dl_s, dl_d0, dl_d1 = derivatives_tangent(
            one, place, mean, d0, d1, dplace, dmean, d0 * dlog_d0, d1 * dlog_d1
        )
        # b = -a h is the gradient of v: at fixed u, a change of v is one of the place, dt = -dv / v_t.
        gx, dgx = grad_x[lane], dgrad_x[lane]
        b = (gx * width + c * l_t) / v_t
        db = (dgx * width + gx * dwidth + c * dl_t - b * dv_t) / v_t
        g_u = b / height
        dg_u = (db - g_u * dheight) / height
        f = factor[lane]
        through, dthrough = g_u * f, (dg_u - g_u * ds[lane]) * f
        grad_y[lane], dgrad_y[lane] = through, dthrough
        g[shift_row, lane], dg[shift_row, lane] = -through, -dthrough
        ratio = s[lane] * inverse_limit
        slope = clamp_slope(one, inverse_limit, s[lane])
        # ds is the tangent of s itself: that of its slope, -3 w^4 (s / l^2) dr, is -3 w (s / l^2) ds.
        dslope = curvature_scale * s[lane] * sqrt(one - ratio * ratio) * ds[lane]
        g_s, dg_s = c - g_u * u, -dg_u * u - g_u * du
        g[scale_row, lane], dg[scale_row, lane] = g_s * slope, dg_s * slope + g_s * dslope
        g_mean, dg_mean = c * l_s - b * v_s, c * dl_s - db * v_s - b * dv_s
        work[row.G_X0, lane], dwork[row.G_X0, lane] = gx, dgx
        work[row.G_Y0, lane], dwork[row.G_Y0, lane] = -g_u, -dg_u
        g_width = gx * place - g_mean * mean / width
        work[row.G_WIDTH, lane] = g_width
        dwork[row.G_WIDTH, lane] = (
            dgx * place + gx * dplace - (dg_mean * mean + g_mean * dmean - g_mean * mean / width * dwidth) / width
        )
        g_height = g_mean / width
        work[row.G_HEIGHT, lane] = g_height - g_u * v
        dwork[row.G_HEIGHT, lane] = (dg_mean - g_height * dwidth) / width - dg_u * v - g_u * dv
        slope0, slope1 = clamp_slope(one, inverse_limit, log_d0), clamp_slope(one, inverse_limit, log_d1)
        r0, r1 = log_d0 * inverse_limit, log_d1 * inverse_limit
        dslope0 = curvature_scale * log_d0 * sqrt(one - r0 * r0) * dlog_d0
        dslope1 = curvature_scale * log_d1 * sqrt(one - r1 * r1) * dlog_d1
        g_d0, g_d1 = (c * l_d0 - b * v_d0) * d0, (c * l_d1 - b * v_d1) * d1
        dg_d0 = (c * dl_d0 - db * v_d0 - b * dv_d0) * d0 + g_d0 * dlog_d0
        dg_d1 = (c * dl_d1 - db * v_d1 - b * dv_d1) * d1 + g_d1 * dlog_d1
        work[row.G_D0, lane], dwork[row.G_D0, lane] = g_d0 * slope0, dg_d0 * slope0 + g_d0 * dslope0
        work[row.G_D1, lane], dwork[row.G_D1, lane] = g_d1 * slope1, dg_d1 * slope1 + g_d1 * dslope1


@block_function
def _spread_shares_tangent(shares, dshares, index, before, own, dbefore, down, dg):
    """Tangent of `spread_shares`; ``dbefore`` and ``down`` are the tangents of ``before`` and ``own``."""
    real = shares.dtype.type
    zero, scale = real(0), real(share_scale(len(shares)))
    for lane in range(LANES):
        total = dtotal = zero
        for k in range(len(shares)):
            here = of_bin(zero, real(k), index[lane], before[lane], own[lane])
            dhere = of_bin(zero, real(k), index[lane], dbefore[lane], down[lane])
            total += shares[k, lane] * here
            dtotal += dshares[k, lane] * here + shares[k, lane] * dhere
        for k in range(len(shares)):
            here = of_bin(zero, real(k), index[lane], before[lane], own[lane])
            dhere = of_bin(zero, real(k), index[lane], dbefore[lane], down[lane])
            dg[k, lane] = scale * (dshares[k, lane] * (here - total) + shares[k, lane] * (dhere - dtotal))


@block_function
def _pull_tangent_block(
    w, widths, n_kept, n_bins, tape, tangents, bins, dbins, grad_x, dgrad_x, grad_log_q, grad_y, dgrad_y, g, dg,
    scratch, dscratch, work, dwork,
):  # fmt: skip
    n_moved = len(bins)
    first = len(tape) - widths[-1]
    outputs, doutputs = tape[first:], tangents[first:]
    clear(g, widths[-1])
    clear(dg, widths[-1])
    for r in range(n_moved):
        i, j = n_kept + r, n_moved + r
        _pull_tangent_coordinate(
            bins[r], dbins[r], grad_x[i], dgrad_x[i], grad_log_q, outputs[r], outputs[j], doutputs[j], grad_y[i],
            dgrad_y[i], g, dg, r, j, work, dwork,
        )  # fmt: skip
        shares_x, shares_y, _ = coordinate_rows(outputs, n_moved, n_bins, r)
        dshares_x, dshares_y, _ = coordinate_rows(doutputs, n_moved, n_bins, r)
        g_x, g_y, g_slopes = coordinate_rows(g, n_moved, n_bins, r)
        dg_x, dg_y, dg_slopes = coordinate_rows(dg, n_moved, n_bins, r)
        index = bins[r, row.INDEX]
        spread_shares(shares_x, index, work[row.G_X0], work[row.G_WIDTH], g_x)
        spread_shares(shares_y, index, work[row.G_Y0], work[row.G_HEIGHT], g_y)
        spread_slopes(index, work[row.G_D0], work[row.G_D1], g_slopes)
        _spread_shares_tangent(
            shares_x, dshares_x, index, work[row.G_X0], work[row.G_WIDTH], dwork[row.G_X0], dwork[row.G_WIDTH], dg_x
        )
        _spread_shares_tangent(
            shares_y, dshares_y, index, work[row.G_Y0], work[row.G_HEIGHT], dwork[row.G_Y0], dwork[row.G_HEIGHT], dg_y
        )
        spread_slopes(index, dwork[row.G_D0], dwork[row.G_D1], dg_slopes)
    mlp_pull_tangent(w, widths, tape, tangents, g, dg, scratch, dscratch)
    for r in range(n_kept):
        for lane in range(LANES):
            grad_y[r, lane] = grad_x[r, lane] + g[r, lane]
            dgrad_y[r, lane] = dgrad_x[r, lane] + dg[r, lane]


@kernel
def pull_tangent(
    w, widths, n_kept, n_bins, tape, tangents, bins, dbins, grad_x, dgrad_x, grad_log_q, grad_y, dgrad_y, buffers, work
):
    """Gradient of the inverse pass's input, and its tangent.

    ``buffers`` (4, widest layer, LANES) and ``work`` (2, WORK_ROWS, LANES) are scratch.
    """
    for block in range(len(tape)):
        _pull_tangent_block(
            w, widths, n_kept, n_bins, tape[block], tangents[block], bins[block], dbins[block], grad_x[block],
            dgrad_x[block], grad_log_q[block], grad_y[block], dgrad_y[block], buffers[0], buffers[1], buffers[2],
            buffers[3], work[0], work[1],
        )  # fmt: skip
