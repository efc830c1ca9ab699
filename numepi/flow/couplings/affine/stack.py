"""Affine couplings with permutations between them, run by one compiled kernel a pass."""

import numpy as np

from numepi.flow.couplings.affine import kernels as coupling_kernels
from numepi.flow.elementwise.permutation import Permutation
from numepi.flow.passes.blocks import LANES
from numepi.flow.transform import Transform

__all__ = ["AffineStack"]


class AffineStack(Transform):
    """y = f_S(... P_2(f_1(x))): couplings f with parameters of their own, fixed permutations P between them.

    A kernel takes each block of samples through all stages, so that a thread makes one call for the pass: calls from
    Python for every stage cost as much as the arithmetic of a small flow, and threads wait for each other in them.

    Parameters
    ----------
    coupling : AffineCoupling
        What the stages are.
    orders : list of array (D,)
        Of the permutations: one fewer than stages.
    """

    def __init__(self, coupling, orders=()):
        super().__init__(coupling.dim)
        self.coupling = coupling
        self.permutations = [Permutation(order) for order in orders]
        self.n_stages = len(orders) + 1
        self.n_parameters = self.n_stages * coupling.n_parameters
        self._rows = coupling.n_moved + int(coupling.network.padded_widths.sum())
        self._widest = int(coupling.network.padded_widths.max())
        self.tape_size = self.n_stages * self._rows
        self._orders = np.stack([np.arange(self.dim), *(p.order for p in self.permutations)])

    def forward(self, theta, x):
        """Y (n, D) and log|det dy/dx| (n,): the definition."""
        first, *others = self._by_stage(theta)
        x, log_det = self.coupling.forward(first, x)
        for permutation, part in zip(self.permutations, others):
            x, _ = permutation.forward(None, x)
            x, more = self.coupling.forward(part, x)
            log_det = log_det + more
        return x, log_det

    def inverse(self, theta, y):
        """X (n, D) and log|det dy/dx| (n,): the definition."""
        first, *others = self._by_stage(theta)
        log_det = 0.0
        for permutation, part in zip(self.permutations[::-1], others[::-1]):
            y, more = self.coupling.inverse(part, y)
            y, _ = permutation.inverse(None, y)
            log_det = log_det + more
        x, more = self.coupling.inverse(first, y)
        return x, log_det + more

    def _by_stage(self, theta):
        size = self.coupling.n_parameters
        return [theta[stage * size : (stage + 1) * size] for stage in range(self.n_stages)]

    def pack(self, theta):
        """The padded networks' parameters (stages, packed size), in the precision of the passes."""
        return self.coupling.pack(theta.reshape(self.n_stages, -1))

    def initial_parameters(self, generator):
        """Identity."""
        return np.concatenate([self.coupling.initial_parameters(generator) for _ in range(self.n_stages)])

    def absorb_affine(self, theta, log_scale, shift):
        """See `Transform`: the last coupling takes what it can, then those before."""
        first, *others = self._by_stage(theta)
        for permutation, part in zip(self.permutations[::-1], others[::-1]):
            log_scale, shift = self.coupling.absorb_affine(part, log_scale, shift)
            log_scale, shift = permutation.absorb_affine(None, log_scale, shift)
        return self.coupling.absorb_affine(first, log_scale, shift)

    def layout(self):
        """See `Transform`."""
        return [(f"{stage}.{name}", shape) for stage in range(self.n_stages) for name, shape in self.coupling.layout()]

    def new_gradient(self, groups):
        """See `Transform`: in the padded networks' layout and the precision of the passes."""
        return np.zeros((groups, self.n_stages, self.coupling.network.packed_size), self.coupling.dtype)

    def total_gradient(self, partial):
        """See `Transform`."""
        return self.coupling.total_gradient(partial).ravel()

    def run(self, parameters, x, log_q, inverse):
        """See `Transform`; the tape holds the moved coordinates and the network's activations of every stage."""
        y, tape = np.empty_like(x), np.empty((len(x), self.n_stages, self._rows, LANES), x.dtype)
        coupling_kernels.run(parameters, *self._shape(), x, y, tape, log_q, self._buffers(1)[0], inverse)
        return y, tape

    def pull(self, parameters, tape, grad_output, grad_log_q, inverse, partial, group):
        """See `Transform`."""
        grad_input = np.empty_like(grad_output)
        coupling_kernels.pull(
            parameters, *self._shape(), tape, grad_output, grad_input, grad_log_q.astype(tape.dtype, copy=False),
            partial if group else np.empty((1, self.n_stages, 0), tape.dtype), self._buffers(2), inverse, group,
        )  # fmt: skip
        return grad_input

    def tangent(self, parameters, tape, tangent_input):
        """See `Transform`."""
        tangent, tangents = tangent_input.astype(tape.dtype), np.empty_like(tape)
        coupling_kernels.tangent(parameters, *self._shape(), tape, tangent, tangents, self._buffers(1)[0])
        return tangent, tangents

    def pull_tangent(self, parameters, tape, tangent_tape, grad_output, tangent_grad, grad_log_q):
        """See `Transform`."""
        grad, tangent_grad = grad_output.astype(tape.dtype), tangent_grad.astype(tape.dtype)
        coupling_kernels.pull_tangent(
            parameters, *self._shape(), tape, tangent_tape, grad, tangent_grad,
            grad_log_q.astype(tape.dtype, copy=False), self._buffers(4),
        )  # fmt: skip
        return grad, tangent_grad

    def _shape(self):
        return self.coupling.network.padded_widths, self.coupling.n_kept, self._orders

    def _buffers(self, count):
        return np.empty((count, self._widest, LANES), self.coupling.dtype)
