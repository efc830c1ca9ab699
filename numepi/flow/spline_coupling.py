"""Spline coupling: some coordinates go through a monotone spline, a scale and a shift that depend on the others."""

import autograd.numpy as anp
import numpy as np

from numepi.flow import spline_kernels, spline_rows, spline_tangent_kernels
from numepi.flow.blocks import LANES
from numepi.flow.coupling import clamp, clamp_inverse
from numepi.flow.coupling_kernels import LOG_SCALE_LIMIT
from numepi.flow.mlp import MLP
from numepi.flow.spline import spline, spline_inverse
from numepi.flow.transform import Transform

__all__ = ["SplineCoupling"]


class SplineCoupling(Transform):
    """y_a = x_a,  y_b = spline(x_b; p) exp(s) + t  with  [t, r, p] = MLP(x_a),  s = clamp(r)  (Durkan et al. 2019).

    b are the last ``moved`` coordinates, a the others; `numepi.flow.spline` defines the spline and its parameters p.
    log|det dy/dx| = sum s + log spline'(x_b).  The map is once continuously differentiable: the gradient of the log
    density jumps at the knots, and its Hessian is that of each piece, without the jumps.

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
        super().__init__(dim)
        self.n_moved = dim - dim // 2 if moved is None else moved
        self.n_kept = dim - self.n_moved
        self.n_bins = bins
        self.network = MLP(self.n_kept, hidden, self.n_moved * (3 * bins + 1))
        self.n_parameters = self.network.n_parameters
        self.dtype = np.dtype(precision)
        self.tape_size = int(self.network.padded_widths.sum()) + spline_rows.BIN_ROWS * self.n_moved + 2 * dim

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

    def pack(self, theta):
        """The padded network's parameters, in the precision of the passes."""
        return self.network.pack(theta, self.dtype)

    def run(self, parameters, x, log_q, inverse):
        """See `Transform`; the tape holds the network's activations and the bin of each moved coordinate."""
        widths = self.network.padded_widths
        y = np.empty_like(x)
        activations = np.empty((len(x), int(widths.sum()), LANES), x.dtype)
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

    def _buffers(self, count):
        return np.empty((count, int(self.network.padded_widths.max()), LANES), self.dtype)

    def _work(self):
        return np.empty((spline_rows.WORK_ROWS, LANES), self.dtype)

    def new_gradient(self, groups):
        """See `Transform`: in the padded network's layout and the precision of the passes."""
        return np.zeros((groups, self.network.packed_size), self.dtype)

    def total_gradient(self, partial):
        """See `Transform`."""
        return partial.sum(axis=0, dtype=np.float64)[self.network.packed_index]

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

    def initial_parameters(self, generator):
        """Identity: the network's last layer is zero."""
        return self.network.initial_parameters(generator)

    def absorb_affine(self, theta, log_scale, shift):
        """See `Transform`: the last biases shift the moved coordinates, and scale them as far as the clamp is soft."""
        moved = np.arange(self.dim) >= self.n_kept
        limit = 0.8 * LOG_SCALE_LIMIT
        taken = np.where(moved, np.clip(log_scale, -limit, limit), 0.0)
        biases = theta[-self.network.widths[-1] :]
        biases[: 2 * self.n_moved] = np.concatenate([shift[self.n_kept :], clamp_inverse(taken[self.n_kept :])])
        return log_scale - taken, np.where(moved, 0.0, shift)

    def layout(self):
        """See `Transform`."""
        return self.network.layout()
