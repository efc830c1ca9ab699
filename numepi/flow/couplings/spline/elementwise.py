"""Element-wise monotone splines, scales and shifts with free parameters: a coupling's map without its network."""

import autograd.numpy as anp
import numpy as np

from numepi.flow.couplings.clamp import LOG_SCALE_LIMIT, clamp
from numepi.flow.couplings.spline import elementwise_kernels
from numepi.flow.couplings.spline.definition import BOUND, MINIMUM, spline, spline_inverse
from numepi.flow.transform import Transform

__all__ = ["ElementwiseSpline"]

# Theta in units of the spline's own parameters.  Adam moves every entry of theta by about its learning rate a step; a
# network's outputs move by the sum over its weights, these parameters by one.  With two splines of 16 bins and
# gains of 3, 10 and 30, `benchmarks.bench_one_parameter` fits two modes to KL 0.056, 0.032 and 0.036 nats, six modes to
# 0.27, 0.20 and 0.015; at 3 and 30 an answer of a thousandth of the support's width is off by more than at 10.
GAIN = 10.0


class ElementwiseSpline(Transform):
    """y_j = spline(x_j; p_j) exp(s_j) + t_j for each coordinate j, theta = [t (D,), s (D,), p (D, 3 K - 1)] / GAIN.

    `numepi.flow.couplings.spline.definition` defines the spline and its parameters p.  log|det dy/dx| = sum over j of
    s_j + log spline'(x_j).

    Parameters
    ----------
    dim : int
        D >= 1.
    bins : int
        Number K of each spline's bins.
    precision : "float64" or "float32"
        What the passes compute in.
    """

    def __init__(self, dim, bins, precision):
        super().__init__(dim)
        self.n_bins = bins
        self.n_parameters = dim * (3 * bins + 1)
        self.tape_size = 2 * dim
        self.dtype = np.dtype(precision)

    def forward(self, theta, x):
        """Y (n, D) and log|det dy/dx| (n,): the definition."""
        shift, log_scale, raw = self._split(theta)
        u, log_slope = spline(raw * anp.ones((len(x), 1, 1)), x)
        return u * anp.exp(log_scale) + shift, anp.sum(log_slope + log_scale, axis=1)

    def inverse(self, theta, y):
        """X (n, D) and log|det dy/dx| (n,): the definition."""
        shift, log_scale, raw = self._split(theta)
        x, log_slope = spline_inverse(raw * anp.ones((len(y), 1, 1)), (y - shift) * anp.exp(-log_scale))
        return x, anp.sum(log_slope + log_scale, axis=1)

    def _split(self, theta):
        own = GAIN * theta
        return own[: self.dim], own[self.dim : 2 * self.dim], anp.reshape(own[2 * self.dim :], (self.dim, -1))

    def pack(self, theta):
        """Shift and log-scale (2, D), the knots' x, y and log-slopes (3, D, K + 1), and the shares of bins (2, D, K).

        Knots in float64 until their differences are taken: equal widths and heights then have equal bits.
        """
        shift, log_scale, raw = self._split(theta)
        shares = np.stack([_shares(raw[:, : self.n_bins]), _shares(raw[:, self.n_bins : 2 * self.n_bins])])
        knots = np.zeros((3, self.dim, self.n_bins + 1))
        knots[:2, :, 1:] = np.cumsum(2 * BOUND * (MINIMUM + (1 - self.n_bins * MINIMUM) * shares), axis=2)
        knots[:2] -= BOUND
        knots[2, :, 1:-1] = clamp(raw[:, 2 * self.n_bins :])
        return np.stack([shift, log_scale]).astype(self.dtype), knots.astype(self.dtype), shares, raw

    def run(self, parameters, x, log_q, inverse):
        """See `Transform`; the tape is x, the base's side, and the number of its bin."""
        affine, knots, _, _ = parameters
        output, bins = np.empty(x.shape, self.dtype), np.empty(x.shape, np.int16)
        elementwise_kernels.run(affine, knots, x, output, bins, log_q, inverse)
        return output, (output if inverse else x, bins)

    def pull(self, parameters, tape, grad_output, grad_log_q, inverse, partial, group):
        """See `Transform`."""
        affine, knots, _, _ = parameters
        grad_input = np.empty(tape[0].shape, self.dtype)
        rows = len(partial) if group else 1
        in_affine, in_bins = np.zeros((rows, 2, self.dim)), np.zeros((rows, 6, self.dim, self.n_bins))
        weight = grad_log_q.astype(self.dtype, copy=False)
        elementwise_kernels.pull(
            affine, knots, *tape, grad_output, weight, grad_input, in_affine, in_bins, inverse, group
        )  # fmt: skip
        if group:
            partial += GAIN * np.concatenate(
                [in_affine.reshape(rows, -1), self._in_raw(parameters, in_bins).reshape(rows, -1)], axis=1
            )
        return grad_input

    def _in_raw(self, parameters, in_bins):
        """Gradients (rows, D, 3 K - 1) in p from those in each bin's x0, y0, width, height and two log-slopes."""
        _, _, shares, raw = parameters
        pieces = []
        for corner, size, share in ((0, 2, shares[0]), (1, 3, shares[1])):
            # A bin's size moves its own far end, and the corners of all bins after it.
            later = np.cumsum(in_bins[:, corner, :, ::-1], axis=2)[:, :, ::-1]
            total = in_bins[:, size].copy()
            total[:, :, :-1] += later[:, :, 1:]
            scale = 2 * BOUND * (1 - self.n_bins * MINIMUM)
            pieces.append(scale * share * (total - np.sum(share * total, axis=2, keepdims=True)))
        slopes = raw[:, 2 * self.n_bins :]
        in_slopes = in_bins[:, 5, :, :-1] + in_bins[:, 4, :, 1:]
        clamp_slope = (1 - (clamp(slopes) / LOG_SCALE_LIMIT) ** 2) ** 1.5
        return np.concatenate([*pieces, in_slopes * clamp_slope], axis=2)

    def tangent(self, parameters, tape, tangent_input):
        """See `Transform`."""
        affine, knots, _, _ = parameters
        tangent_output = np.empty(tape[0].shape, self.dtype)
        elementwise_kernels.tangent(affine, knots, *tape, tangent_input, tangent_output)
        return tangent_output, tangent_output

    def pull_tangent(self, parameters, tape, tangent_tape, grad_output, tangent_grad, grad_log_q):
        """See `Transform`."""
        affine, knots, _, _ = parameters
        grad_input, tangent_grad_input = np.empty(tape[0].shape), np.empty(tape[0].shape)
        elementwise_kernels.pull_tangent(
            affine, knots, *tape, tangent_tape, grad_output, tangent_grad, grad_log_q, grad_input, tangent_grad_input
        )
        return grad_input, tangent_grad_input

    def absorb_affine(self, theta, log_scale, shift):
        """See `Transform`: all of it."""
        theta[: 2 * self.dim] = np.concatenate([shift, log_scale]) / GAIN
        return np.zeros(self.dim), np.zeros(self.dim)

    def layout(self):
        """See `Transform`."""
        return [("shift", (self.dim,)), ("log_scale", (self.dim,)), ("spline", (self.dim, 3 * self.n_bins - 1))]


def _shares(logits):
    weights = np.exp(logits - logits.max(axis=1, keepdims=True))
    return weights / weights.sum(axis=1, keepdims=True)
