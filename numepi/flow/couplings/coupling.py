"""What couplings share: some coordinates move by what a network makes of the others."""

import numpy as np

from numepi.flow.couplings.clamp import LOG_SCALE_LIMIT, clamp_inverse
from numepi.flow.elementwise.permutation import Permutation
from numepi.flow.networks.mlp import MLP
from numepi.flow.passes.blocks import LANES
from numepi.flow.transform import Transform

__all__ = ["Coupling"]


class Coupling(Transform):
    """What couplings share: the last ``n_moved`` coordinates b change by what an MLP makes of the others, a.

    The network's first 2 n_moved outputs are the shift t and the raw log-scale r of each moved coordinate.

    Parameters
    ----------
    dim : int
        D >= 2.
    n_moved : int
    hidden : tuple of int
        Units of each hidden layer of the MLP.
    n_outputs : int
        Of the MLP.
    precision : "float64" or "float32"
        What the passes compute in.
    """

    def __init__(self, dim, n_moved, hidden, n_outputs, precision):
        super().__init__(dim)
        self.n_moved = n_moved
        self.n_kept = dim - n_moved
        self.network = MLP(self.n_kept, hidden, n_outputs)
        self.n_parameters = self.network.n_parameters
        self.dtype = np.dtype(precision)

    def pack(self, theta):
        """The padded network's parameters, in the precision of the passes."""
        return self.network.pack(theta, self.dtype)

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

    def new_gradient(self, groups):
        """See `Transform`: in the padded network's layout and the precision of the passes."""
        return np.zeros((groups, self.network.packed_size), self.dtype)

    def total_gradient(self, partial):
        """See `Transform`."""
        return partial.sum(axis=0, dtype=np.float64).take(self.network.packed_index, axis=-1)

    def stages(self, orders):
        """Transforms that couple, reorder, couple, ... : one stage more than ``orders`` between them."""
        transforms = [self]
        for order in orders:
            transforms += [Permutation(order), self]
        return transforms

    def _buffers(self, count):
        return np.empty((count, int(self.network.padded_widths.max()), LANES), self.dtype)
