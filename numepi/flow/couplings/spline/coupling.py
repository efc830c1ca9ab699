"""Spline coupling: some coordinates go through a monotone spline, a scale and a shift that depend on the others."""

import autograd.numpy as anp
import numpy as np

from numepi.flow.couplings.clamp import clamp
from numepi.flow.couplings.coupling import Coupling
from numepi.flow.couplings.spline import kernels as spline_kernels
from numepi.flow.couplings.spline import rows as spline_rows
from numepi.flow.couplings.spline import tangent_kernels as spline_tangent_kernels
from numepi.flow.couplings.spline.definition import spline, spline_inverse
from numepi.flow.passes.blocks import LANES

__all__ = ["SplineCoupling"]


class SplineCoupling(Coupling):
    """y_a = x_a,  y_b = spline(x_b; p) exp(s) + t  with  [t, r, p] = MLP(x_a),  s = clamp(r)  (Durkan et al. 2019).

    b are the last ``moved`` coordinates, a the others; `numepi.flow.couplings.spline.definition` defines the spline and
    its parameters p. log|det dy/dx| = sum s + log spline'(x_b).  The map is once continuously differentiable: the
    gradient of the log density jumps at the knots, and its Hessian is that of each piece, without the jumps.

    Parameters
    ----------
    dim : int
        D >= 2.
    hidden : tuple of int
        Units of each hidden layer of the MLP.
    precision : "float64" or "float32"
        What the passes compute in.
    moved : int, optional
        Number of coordinates that are transformed, 1 ... D - 1; default D - floor(D/2).
    bins : int
        Number K of the spline's bins.
    """

    def __init__(self, dim, hidden, precision, moved=None, bins=8):
        n_moved = dim - dim // 2 if moved is None else moved
        super().__init__(dim, n_moved, hidden, n_moved * (3 * bins + 1), precision)
        self.n_bins = bins
        self._units = int(self.network.padded_widths.sum())
        self.tape_size = self._units + spline_rows.BIN_ROWS * self.n_moved + 2 * dim

    def forward(self, theta, x):
        """Y (n, D) and log|det dy/dx| (n,): the definition."""
        kept, t, s, raw = self._conditioner(theta, x)
        u, log_slope = spline(raw, x[:, self.n_kept :])
        return anp.concatenate([kept, u * anp.exp(s) + t], axis=1), anp.sum(log_slope + s, axis=1)

    def inverse(self, theta, y):
        """X (n, D) and log|det dy/dx| (n,): the definition."""
        kept, t, s, raw = self._conditioner(theta, y)
        x, log_slope = spline_inverse(raw, (y[:, self.n_kept :] - t) * anp.exp(-s))
        return anp.concatenate([kept, x], axis=1), anp.sum(log_slope + s, axis=1)

    def _conditioner(self, theta, x):
        kept = x[:, : self.n_kept]
        outputs = self.network(theta, kept)
        t, r = outputs[:, : self.n_moved], outputs[:, self.n_moved : 2 * self.n_moved]
        raw = anp.reshape(outputs[:, 2 * self.n_moved :], (-1, self.n_moved, 3 * self.n_bins - 1))
        return kept, t, clamp(r), raw

    def run(self, parameters, x, log_q, inverse):
        """See `Transform`; the tape holds the network's activations and the bin of each moved coordinate."""
        widths = self.network.padded_widths
        y = np.empty_like(x)
        activations = np.empty((len(x), self._units, LANES), x.dtype)
        bins = np.empty((len(x), self.n_moved, spline_rows.BIN_ROWS, LANES), x.dtype)
        spline_kernels.run(
            parameters, widths, self.n_kept, self.n_bins, x, y, activations, bins, log_q, self._work(), inverse
        )
        return y, (activations, bins)

    def pull(self, parameters, tape, grad_output, grad_log_q, inverse, partial, group):
        """See `Transform`."""
        activations, bins = tape
        grad_input = np.empty_like(grad_output)
        spline_kernels.pull(
            parameters, self.network.padded_widths, self.n_kept, self.n_bins, activations, bins, grad_output,
            grad_log_q.astype(self.dtype, copy=False), grad_input,
            partial if group else np.empty((1, 0), self.dtype), self._buffers(2), self._work(), inverse, group,
        )  # fmt: skip
        return grad_input

    def _work(self):
        return np.empty((spline_rows.WORK_ROWS, LANES), self.dtype)

    def tangent(self, parameters, tape, tangent_input):
        """See `Transform`."""
        activations, bins = tape
        tangent_output = np.empty(tangent_input.shape, self.dtype)
        tangents, tangent_bins = np.empty_like(activations), np.empty_like(bins)
        spline_tangent_kernels.tangent(
            parameters, self.network.padded_widths, self.n_kept, self.n_bins, activations, bins, tangent_input,
            tangent_output, tangents, tangent_bins, self._work(),
        )  # fmt: skip
        return tangent_output, (tangents, tangent_bins)

    def pull_tangent(self, parameters, tape, tangent_tape, grad_output, tangent_grad, grad_log_q):
        """See `Transform`."""
        activations, bins = tape
        grad_input, tangent_grad_input = np.empty_like(grad_output), np.empty_like(grad_output)
        spline_tangent_kernels.pull_tangent(
            parameters, self.network.padded_widths, self.n_kept, self.n_bins, activations, tangent_tape[0], bins,
            tangent_tape[1], grad_output, tangent_grad, grad_log_q.astype(self.dtype, copy=False), grad_input,
            tangent_grad_input, self._buffers(4), np.stack([self._work(), self._work()]),
        )  # fmt: skip
        return grad_input, tangent_grad_input
