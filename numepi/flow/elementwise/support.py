"""The last stage of a flow: the element-wise map from the line to the support."""

import numpy as np

from numepi.flow.elementwise import support_kernels
from numepi.flow.transform import Transform

__all__ = ["SupportMap"]


class SupportMap(Transform):
    """z = `Support.from_line` (u): no parameters.

    Its passes compute in float64 and its outputs on the support's side are float64, whatever the precision of the
    couplings: bounds are kept exactly and the tails keep their digits.

    Parameters
    ----------
    support : Support
    box_map : "gaussian-cdf" or "sigmoid"
    precision : "float64" or "float32"
        Of the blocks on the line's side.
    """

    def __init__(self, support, box_map, precision):
        super().__init__(support.dim)
        self.support, self.box_map = support, box_map
        self.dtype = np.dtype(precision)
        self.tape_size = support.dim
        self._constants = (support.kinds(box_map), support.lower, support.upper, *support.edge_distances())

    def forward(self, theta, x):
        """The definition: `Support.from_line`."""
        return self.support.from_line(x, self.box_map)

    def inverse(self, theta, y):
        """The definition: `Support.to_line`."""
        return self.support.to_line(y, self.box_map)

    def run(self, parameters, x, log_q, inverse):
        """See `Transform`; the tape is u, the line's side."""
        kinds, lower, upper, edge_low, edge_high = self._constants
        if inverse:
            u = np.empty(x.shape, self.dtype)
            support_kernels.to_line(kinds, lower, upper, edge_low, edge_high, x, u, log_q)
            return u, u
        z = np.empty(x.shape, np.float64)
        support_kernels.from_line(kinds, lower, upper, x, z, log_q)
        return z, x

    def pull(self, parameters, tape, grad_output, grad_log_q, inverse, partial, group):
        """See `Transform`."""
        kinds, lower, upper, *_ = self._constants
        grad_input = np.empty(tape.shape, np.float64 if inverse else self.dtype)
        support_kernels.pull(kinds, lower, upper, tape, grad_output, grad_log_q, grad_input, inverse)
        return grad_input

    def tangent(self, parameters, tape, tangent_input):
        """See `Transform`."""
        kinds, lower, upper, *_ = self._constants
        tangent_output = np.empty(tape.shape, self.dtype)
        support_kernels.tangent(kinds, lower, upper, tape, tangent_input, tangent_output)
        return tangent_output, tangent_output

    def pull_tangent(self, parameters, tape, tangent_tape, grad_output, tangent_grad, grad_log_q):
        """See `Transform`."""
        kinds, lower, upper, *_ = self._constants
        grad_input, tangent_grad_input = np.empty(tape.shape), np.empty(tape.shape)
        support_kernels.pull_tangent(
            kinds, lower, upper, tape, tangent_tape, grad_output, tangent_grad, grad_log_q, grad_input,
            tangent_grad_input,
        )  # fmt: skip
        return grad_input, tangent_grad_input
