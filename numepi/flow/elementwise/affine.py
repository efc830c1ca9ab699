"""Element-wise scale and shift with free parameters."""

import autograd.numpy as anp
import numpy as np

from numepi.flow.transform import Transform

__all__ = ["ElementwiseAffine"]


class ElementwiseAffine(Transform):
    """y = x exp(a) + b, theta = [a (D,), b (D,)]; log|det dy/dx| = sum a."""

    def __init__(self, dim, precision):
        super().__init__(dim)
        self.n_parameters = 2 * dim
        self.tape_size = 2 * dim
        self.dtype = np.dtype(precision)

    def forward(self, theta, x):
        """The definition."""
        log_scale, shift = theta[: self.dim], theta[self.dim :]
        return x * anp.exp(log_scale) + shift, anp.sum(log_scale) * np.ones(len(x))

    def inverse(self, theta, y):
        """The definition."""
        log_scale, shift = theta[: self.dim], theta[self.dim :]
        return (y - shift) * anp.exp(-log_scale), anp.sum(log_scale) * np.ones(len(y))

    def pack(self, theta):
        """Columns exp(a) and b that broadcast over blocks, and log|det|."""
        log_scale, shift = theta[: self.dim, None], theta[self.dim :, None]
        return np.exp(log_scale).astype(self.dtype), shift.astype(self.dtype), log_scale.sum()

    def run(self, parameters, x, log_q, inverse):
        """See `Transform`."""
        scale, shift, log_det = parameters
        y = (x - shift) / scale if inverse else x * scale + shift
        log_q -= log_det
        return y, (x, y)

    def pull(self, parameters, tape, grad_output, grad_log_q, inverse, partial, group):
        """See `Transform`."""
        scale = parameters[0]
        x, y = tape
        grad_input = grad_output / scale if inverse else grad_output * scale
        if group and len(x):
            along = -grad_output * y if inverse else grad_input * x
            grad_log_scale = along.sum(axis=2, dtype=np.float64) - grad_log_q.sum(axis=1)[:, None]
            grad_shift = (-grad_input if inverse else grad_output).sum(axis=2, dtype=np.float64)
            by_block = np.concatenate([grad_log_scale, grad_shift], axis=1)
            partial += np.add.reduceat(by_block, np.arange(0, len(x), group))
        return grad_input

    def tangent(self, parameters, tape, tangent_input):
        """See `Transform`."""
        return tangent_input / parameters[0], None

    def pull_tangent(self, parameters, tape, tangent_tape, grad_output, tangent_grad, grad_log_q):
        """See `Transform`."""
        return grad_output / parameters[0], tangent_grad / parameters[0]

    def absorb_affine(self, theta, log_scale, shift):
        """See `Transform`: all of it."""
        theta[:] = np.concatenate([log_scale, shift])
        return np.zeros(self.dim), np.zeros(self.dim)

    def layout(self):
        """See `Transform`."""
        return [("log_scale", (self.dim,)), ("shift", (self.dim,))]
