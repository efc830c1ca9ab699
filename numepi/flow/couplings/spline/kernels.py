"""Compiled passes of `numepi.flow.couplings.spline.coupling.SplineCoupling` over blocks of samples.

A moved coordinate is y = u exp(s) + t, u = spline(x).  Rows of a block's tape: the network's padded input x_a, its
hidden layers, then in place of its output, first for all moved coordinates, then coordinate by coordinate: the factor f
= exp(s) (forward) or exp(-s) (inverse); s; and the bins' shares of width and of height, and the raw inner slopes.
``bins`` holds for each moved coordinate the rows that `numepi.flow.couplings.spline.bins` names: what the sample's own
bin is.
"""

from numepi.flow.couplings.clamp import LOG_SCALE_LIMIT
from numepi.flow.couplings.spline import rows as row
from numepi.flow.couplings.spline.bins import (
    clamp,
    clamp_slope,
    coordinate_rows,
    find_bin,
    load,
    softmax,
    spread_shares,
    spread_slopes,
)  # fmt: skip
from numepi.flow.couplings.spline.scalars import derivatives, solve, value
from numepi.flow.networks.mlp_kernels import clear, mlp_pull, mlp_run
from numepi.flow.passes.blocks import LANES
from numepi.kernels.compile import block_function, kernel, scalar
from numepi.kernels.fastmath import exp

__all__ = ["pull", "run"]

_INVERSE_LIMIT = 1 / LOG_SCALE_LIMIT


@scalar
def _share(zero, one, x):
    """Clip to [0, 1]: rounding leaves a bin by a little, and outside of the bounds any place will do."""
    x = x if x > zero else zero
    return x if x < one else one


@block_function
def _forward(bins, x, y, shift, s, log_q):
    """Moved outputs; the row of shifts becomes that of factors."""
    zero, one = x.dtype.type(0), x.dtype.type(1)
    for lane in range(LANES):
        x0, y0, width, height = bins[row.X0, lane], bins[row.Y0, lane], bins[row.WIDTH, lane], bins[row.HEIGHT, lane]
        place = _share(zero, one, (x[lane] - x0) / width)
        bend, log_slope = value(one, place, height / width, exp(bins[row.LOG_D0, lane]), exp(bins[row.LOG_D1, lane]))
        u = x[lane] + ((y0 - x0) + (height - width) / width * (x[lane] - x0) + height * bend)
        bins[row.PLACE, lane], bins[row.U, lane] = place, u
        f = exp(s[lane])
        y[lane] = u * f + shift[lane]
        shift[lane] = f
        log_q[lane] -= log_slope + s[lane]


@block_function
def _inverse(bins, x, log_q, s):
    zero, one = x.dtype.type(0), x.dtype.type(1)
    for lane in range(LANES):
        x0, y0, width, height = bins[row.X0, lane], bins[row.Y0, lane], bins[row.WIDTH, lane], bins[row.HEIGHT, lane]
        u = bins[row.U, lane]
        v = _share(zero, one, (u - y0) / height)
        place, bend, log_slope = solve(one, v, height / width, exp(bins[row.LOG_D0, lane]), exp(bins[row.LOG_D1, lane]))
        bins[row.PLACE, lane] = place
        x[lane] = u + ((x0 - y0) + (width - height) / height * (u - y0) - width * bend)
        log_q[lane] -= log_slope + s[lane]


@block_function
def _run_block(w, widths, n_kept, n_bins, x, y, tape, bins, log_q, work, inverse):
    one, inverse_limit = w.dtype.type(1), w.dtype.type(_INVERSE_LIMIT)
    n_moved = len(x) - n_kept
    load(x, n_kept, widths[0], tape)
    mlp_run(w, widths, tape)
    outputs = tape[len(tape) - widths[-1] :]
    for r in range(n_kept):
        for lane in range(LANES):
            y[r, lane] = x[r, lane]
    for r in range(n_moved):
        i, j = n_kept + r, n_moved + r
        shares_x, shares_y, slopes = coordinate_rows(outputs, n_moved, n_bins, r)
        softmax(shares_x, work)
        softmax(shares_y, work)
        for lane in range(LANES):
            outputs[j, lane] = clamp(one, inverse_limit, outputs[j, lane])
        if inverse:
            for lane in range(LANES):
                factor = exp(-outputs[j, lane])
                bins[r, row.U, lane] = (x[i, lane] - outputs[r, lane]) * factor
                outputs[r, lane] = factor
            find_bin(shares_x, shares_y, slopes, bins[r, row.U], True, bins[r])
            _inverse(bins[r], y[i], log_q, outputs[j])
        else:
            find_bin(shares_x, shares_y, slopes, x[i], False, bins[r])
            _forward(bins[r], x[i], y[i], outputs[r], outputs[j], log_q)


@kernel
def run(w, widths, n_kept, n_bins, x, y, tape, bins, log_q, work, inverse):
    """Fill y, tape and bins (blocks, moved, BIN_ROWS, LANES); subtract log|det dy/dx| from log_q."""
    for block in range(len(x)):
        _run_block(w, widths, n_kept, n_bins, x[block], y[block], tape[block], bins[block], log_q[block], work, inverse)


@block_function
def _pull_coordinate(bins, grad_y, grad_log_q, factor, s, grad_x, g_shift, g_s, work, inverse):
    """Gradients of x, of shift and log-scale, and in ``work`` of the sample's own bin."""
    one, inverse_limit = s.dtype.type(1), s.dtype.type(_INVERSE_LIMIT)
    for lane in range(LANES):
        place, width, height, u = (
            bins[row.PLACE, lane],
            bins[row.WIDTH, lane],
            bins[row.HEIGHT, lane],
            bins[row.U, lane],
        )
        log_d0, log_d1 = bins[row.LOG_D0, lane], bins[row.LOG_D1, lane]
        d0, d1 = exp(log_d0), exp(log_d1)
        per_width = one / width
        mean_slope = height * per_width
        v, v_t, v_s, v_d0, v_d1, l_t, l_s, l_d0, l_d1 = derivatives(one, place, mean_slope, d0, d1)
        c, f, g = -grad_log_q[lane], factor[lane], grad_y[lane]
        along_x, l_x = v_t * mean_slope, l_t * per_width
        # Gradients of parameters are those of a u + c l at fixed x; for the inverse, x moves by -du / u' at fixed u.
        a = -(g + c * l_x) / along_x if inverse else g * f
        grad_x[lane] = -a * f if inverse else a * along_x + c * l_x
        g_shift[lane] = a * f if inverse else g
        g_s[lane] = (a * u + c) * clamp_slope(one, inverse_limit, s[lane])
        ah = a * height
        g_place, g_slope = ah * v_t + c * l_t, ah * v_s + c * l_s
        work[row.G_X0, lane] = -g_place * per_width
        work[row.G_Y0, lane] = a
        work[row.G_WIDTH, lane] = -(g_slope * mean_slope + g_place * place) * per_width
        work[row.G_HEIGHT, lane] = g_slope * per_width + a * v
        work[row.G_D0, lane] = (ah * v_d0 + c * l_d0) * d0 * clamp_slope(one, inverse_limit, log_d0)
        work[row.G_D1, lane] = (ah * v_d1 + c * l_d1) * d1 * clamp_slope(one, inverse_limit, log_d1)


@block_function
def _pull_block(
    w, widths, n_kept, n_bins, tape, bins, grad_y, grad_log_q, grad_x, g, scratch, work, grad, inverse, with_parameters
):
    n_moved = len(bins)
    outputs = tape[len(tape) - widths[-1] :]
    clear(g, widths[-1])
    for r in range(n_moved):
        i, j = n_kept + r, n_moved + r
        _pull_coordinate(bins[r], grad_y[i], grad_log_q, outputs[r], outputs[j], grad_x[i], g[r], g[j], work, inverse)
        shares_x, shares_y, _ = coordinate_rows(outputs, n_moved, n_bins, r)
        g_x, g_y, g_slopes = coordinate_rows(g, n_moved, n_bins, r)
        spread_shares(shares_x, bins[r, row.INDEX], work[row.G_X0], work[row.G_WIDTH], g_x)
        spread_shares(shares_y, bins[r, row.INDEX], work[row.G_Y0], work[row.G_HEIGHT], g_y)
        spread_slopes(bins[r, row.INDEX], work[row.G_D0], work[row.G_D1], g_slopes)
    mlp_pull(w, widths, tape, g, scratch, grad, with_parameters)
    for r in range(n_kept):
        for lane in range(LANES):
            grad_x[r, lane] = grad_y[r, lane] + g[r, lane]


@kernel
def pull(w, widths, n_kept, n_bins, tape, bins, grad_y, grad_log_q, grad_x, grad, buffers, work, inverse, group):
    """Fill grad_x; add the weights' gradient of each ``group`` of blocks to its row of grad (groups, packed).

    With ``group`` = 0 the weights' gradient is left out.  ``buffers`` (2, widest layer, LANES) and ``work`` (WORK_ROWS,
    LANES) are scratch.
    """
    for block in range(len(tape)):
        _pull_block(
            w, widths, n_kept, n_bins, tape[block], bins[block], grad_y[block], grad_log_q[block], grad_x[block],
            buffers[0], buffers[1], work, grad[block // group if group else 0], inverse, group > 0,
        )  # fmt: skip
