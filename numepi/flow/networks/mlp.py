"""Multi-layer perceptron with tanh units: definition in autograd, and the parameter layout its kernels want.

Kernels work on tiles of `TILE` x `TILE` weights; widths are padded to multiples of it by units that are always zero.
"""

import autograd.numpy as anp
import numpy as np

from numepi.flow.networks import mlp_kernels

__all__ = ["MLP", "TILE"]

TILE = 4


class MLP:
    """h_0 = x, h_i = tanh(W_i h_{i-1} + b_i), output = W_L h_{L-1} + b_L.

    Parameters
    ----------
    n_inputs, n_outputs : int
    hidden : tuple of int
        Units of each hidden layer.

    Attributes
    ----------
    n_parameters : int
        theta holds W_1 (rows = outputs), b_1, W_2, b_2, ...
    padded_widths : ndarray of int
        Units of each layer, input and output among them, rounded up to multiples of `TILE`.
    packed_size : int
        Length of the parameter vector of the padded network.
    packed_index : ndarray of int (n_parameters,)
        Where each parameter sits in the packed vector.
    """

    def __init__(self, n_inputs, hidden, n_outputs):
        self.widths = (n_inputs, *hidden, n_outputs)
        self._widths = np.array(self.widths)
        self.padded_widths = np.array([-(-w // TILE) * TILE for w in self.widths])
        index, start = [], 0
        for i, (n_in, n_out) in enumerate(zip(self.widths[:-1], self.widths[1:])):
            padded_in, padded_out = self.padded_widths[i : i + 2]
            index.append((start + np.arange(n_out)[:, None] * padded_in + np.arange(n_in)).ravel())
            start += padded_in * padded_out
            index.append(start + np.arange(n_out))
            start += padded_out
        self.packed_index = np.concatenate(index)
        self.packed_size = int(start)
        self.n_parameters = len(self.packed_index)

    def __call__(self, theta, x):
        """Outputs (n, n_outputs) at ``x`` (n, n_inputs)."""
        start, last = 0, len(self.widths) - 2
        for i, (n_in, n_out) in enumerate(zip(self.widths[:-1], self.widths[1:])):
            weights = anp.reshape(theta[start : start + n_in * n_out], (n_out, n_in))
            start += n_in * n_out
            x = anp.dot(x, weights.T) + theta[start : start + n_out]
            start += n_out
            if i < last:
                x = anp.tanh(x)
        return x

    def pack(self, theta, dtype):
        """The parameter vector (..., packed_size) of the padded network, of ``theta`` (..., n_parameters)."""
        packed = np.zeros((*theta.shape[:-1], self.packed_size), dtype)
        networks = packed.reshape(-1, self.packed_size)
        mlp_kernels.pack(theta.reshape(-1, self.n_parameters), self._widths, self.padded_widths, networks)
        return packed

    def initial_parameters(self, generator):
        """Hidden layers at random (unit-variance inputs give unit-variance activations), the last layer zero."""
        parts = []
        for n_in, n_out in zip(self.widths[:-2], self.widths[1:-1]):
            parts += [generator.normal(0, n_in**-0.5, n_in * n_out), generator.uniform(-1, 1, n_out)]
        parts.append(np.zeros(self.widths[-1] * (self.widths[-2] + 1)))
        return np.concatenate(parts)

    def layout(self):
        """Names and shapes of the parameters, in order."""
        rows = []
        for i, (n_in, n_out) in enumerate(zip(self.widths[:-1], self.widths[1:])):
            rows += [(f"weight{i + 1}", (n_out, n_in)), (f"bias{i + 1}", (n_out,))]
        return rows
