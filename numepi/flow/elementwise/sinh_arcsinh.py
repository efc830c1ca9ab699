"""Element-wise scale, shift and weight of the tails, with free parameters (Jones & Pewsey 2009)."""

import autograd.numpy as anp
import numpy as np

from numepi.flow.elementwise import sinh_arcsinh_kernels
from numepi.flow.transform import Transform

__all__ = ["SinhArcsinh"]


class SinhArcsinh(Transform):
    """y = exp(a) sinh(d arcsinh(x)) / d + b with d = exp(c); theta = [a (D,), b (D,), c (D,)], zero for the identity.

    d > 1 makes the tails heavier and leaves the slope at 0 as it is.  What it is for: before a Gaussian-CDF map, a
    normal of scale s < 1 becomes a density that vanishes at the bounds of a box, but the density of greatest entropy
    with that variance does not; with s and d together one comes within 1e-4 nats of it.

    log|det dy/dx| = sum a + log cosh(d arcsinh(x)) - log(1 + x^2) / 2.
    """

    def __init__(self, dim, precision):
        super().__init__(dim)
        self.n_parameters = 3 * dim
        self.tape_size = 2 * dim
        self.dtype = np.dtype(precision)

    def forward(self, theta, x):
        """Y (n, D) and log|det dy/dx| (n,): the definition."""
        log_scale, shift, log_tail = self._split(theta)
        u = anp.exp(log_tail) * anp.arcsinh(x)
        return anp.exp(log_scale - log_tail) * anp.sinh(u) + shift, _log_det(log_scale, u, x)

    def inverse(self, theta, y):
        """X (n, D) and log|det dy/dx| (n,): the definition."""
        log_scale, shift, log_tail = self._split(theta)
        u = anp.arcsinh((y - shift) * anp.exp(log_tail - log_scale))
        x = anp.sinh(u * anp.exp(-log_tail))
        return x, _log_det(log_scale, u, x)

    def _split(self, theta):
        return theta[: self.dim], theta[self.dim : 2 * self.dim], theta[2 * self.dim :]

    def pack(self, theta):
        """Rows a, b and d (3, D), in the precision of the passes."""
        log_scale, shift, log_tail = self._split(theta)
        return np.stack([log_scale, shift, np.exp(log_tail)]).astype(self.dtype)

    def absorb_affine(self, theta, log_scale, shift):
        """See `Transform`: all of it."""
        theta[: 2 * self.dim] = np.concatenate([log_scale, shift])
        return np.zeros(self.dim), np.zeros(self.dim)

    def layout(self):
        """See `Transform`."""
        return [("log_scale", (self.dim,)), ("shift", (self.dim,)), ("log_tail", (self.dim,))]

    def run(self, parameters, x, log_q, inverse):
        """See `Transform`; the tape is x, the base's side."""
        output = np.empty_like(x, self.dtype)
        sinh_arcsinh_kernels.run(parameters, x, output, log_q, inverse)
        return output, (output if inverse else x)

    def pull(self, parameters, tape, grad_output, grad_log_q, inverse, partial, group):
        """See `Transform`."""
        grad_input = np.empty_like(tape)
        partial = partial if group else np.empty((1, 0))
        weight = grad_log_q.astype(self.dtype, copy=False)
        sinh_arcsinh_kernels.pull(parameters, tape, grad_output, weight, grad_input, partial, inverse, group)
        return grad_input

    def tangent(self, parameters, tape, tangent_input):
        """See `Transform`."""
        tangent_output = np.empty(tape.shape)
        sinh_arcsinh_kernels.tangent(parameters, tape, tangent_input, tangent_output)
        return tangent_output, tangent_output

    def pull_tangent(self, parameters, tape, tangent_tape, grad_output, tangent_grad, grad_log_q):
        """See `Transform`."""
        grad_input, tangent_grad_input = np.empty(tape.shape), np.empty(tape.shape)
        sinh_arcsinh_kernels.pull_tangent(
            parameters, tape, tangent_tape, grad_output, tangent_grad, grad_log_q, grad_input, tangent_grad_input
        )
        return grad_input, tangent_grad_input


def _log_det(log_scale, u, x):
    return anp.sum(log_scale + anp.log(anp.cosh(u)) - 0.5 * anp.log(1 + x * x), axis=1)
