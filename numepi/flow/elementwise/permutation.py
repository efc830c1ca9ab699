"""A fixed reordering of the coordinates."""

import numpy as np

from numepi.flow.transform import Transform

__all__ = ["Permutation", "balanced_permutations"]


class Permutation(Transform):
    """y_i = x_{order[i]}: volume-preserving, no parameters."""

    def __init__(self, order):
        self.order = np.array(order, dtype=np.intp)
        super().__init__(len(self.order))
        self._inverse_order = np.argsort(self.order)

    def forward(self, theta, x):
        """The definition."""
        return x[:, self.order], np.zeros(len(x))

    def inverse(self, theta, y):
        """The definition."""
        return y[:, self._inverse_order], np.zeros(len(y))

    def run(self, parameters, x, log_q, inverse):
        """See `Transform`."""
        return x.take(self._inverse_order if inverse else self.order, axis=1), None

    def pull(self, parameters, tape, grad_output, grad_log_q, inverse, partial, group):
        """See `Transform`: the transpose of a permutation is its inverse."""
        return grad_output.take(self.order if inverse else self._inverse_order, axis=1)

    def tangent(self, parameters, tape, tangent_input):
        """See `Transform`."""
        return tangent_input.take(self._inverse_order, axis=1), None

    def pull_tangent(self, parameters, tape, tangent_tape, grad_output, tangent_grad, grad_log_q):
        """See `Transform`."""
        return grad_output.take(self.order, axis=1), tangent_grad.take(self.order, axis=1)

    def absorb_affine(self, theta, log_scale, shift):
        """See `Transform`: reordered."""
        return log_scale[self._inverse_order], shift[self._inverse_order]


def balanced_permutations(dim, stages, generator, n_kept=None):
    """Orders to apply between coupling stages, random but fair: list of ``stages - 1`` arrays.

    Each stage keeps the first ``n_kept`` (default floor(D/2)) coordinates.  Those are drawn among the coordinates moved
    most often so far: after any number of stages the counts differ by at most one, and two stages in a row never keep
    the same set.
    """
    n_kept = dim // 2 if n_kept is None else n_kept
    labels = np.arange(dim)  # which base coordinate sits in each place
    counts = np.zeros(dim, int)
    orders = []
    for stage in range(stages):
        if stage:
            while True:
                order = np.lexsort((generator.random(dim), -counts[labels]))
                if set(order[:n_kept]) != set(range(n_kept)):
                    break
            # Which of the coordinates come first is decided; the order within each part is drawn too.
            orders.append(
                np.concatenate([generator.permutation(order[:n_kept]), generator.permutation(order[n_kept:])])
            )
            labels = labels[orders[-1]]
        counts[labels[n_kept:]] += 1
    return orders
