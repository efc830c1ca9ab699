"""Affine coupling: the first half of the coordinates scales and shifts the rest (real NVP, Dinh et al. 2017)."""

import autograd.numpy as anp

from numepi.flow.couplings.affine.stack import AffineStack
from numepi.flow.couplings.clamp import clamp
from numepi.flow.couplings.coupling import Coupling

__all__ = ["AffineCoupling"]


class AffineCoupling(Coupling):
    """y_a = x_a,  y_b = x_b exp(s) + t  with  [t, r] = MLP(x_a),  s = clamp(r)  (science: section 3).

    a are the first floor(D/2) coordinates, b the others.  log|det dy/dx| = sum s.  This is the definition of a stage;
    `numepi.flow.couplings.affine.stack.AffineStack` has its passes.

    Parameters
    ----------
    dim : int
        D >= 2.
    hidden : tuple of int
        Units of each hidden layer of the MLP.
    precision : "float64" or "float32"
        What the passes compute in.
    """

    def __init__(self, dim, hidden, precision):
        n_moved = dim - dim // 2
        super().__init__(dim, n_moved, hidden, 2 * n_moved, precision)

    def forward(self, theta, x):
        """Y (n, D) and log|det dy/dx| (n,): the definition."""
        kept, t, s = self._conditioner(theta, x)
        return anp.concatenate([kept, x[:, self.n_kept :] * anp.exp(s) + t], axis=1), anp.sum(s, axis=1)

    def inverse(self, theta, y):
        """X (n, D) and log|det dy/dx| (n,): the definition."""
        kept, t, s = self._conditioner(theta, y)
        return anp.concatenate([kept, (y[:, self.n_kept :] - t) * anp.exp(-s)], axis=1), anp.sum(s, axis=1)

    def _conditioner(self, theta, x):
        kept = x[:, : self.n_kept]
        outputs = self.network(theta, kept)
        return kept, outputs[:, : self.n_moved], clamp(outputs[:, self.n_moved :])

    def stages(self, orders):
        """See `Coupling`: one transform, compiled as a whole."""
        return [AffineStack(self, orders)]
