"""One pass of a batch through a flow's transforms, in either direction, and the derivatives that its tape gives."""

import numpy as np

from numepi.flow.blocks import LANES, from_blocks, to_blocks, vector_from_blocks, vector_to_blocks

__all__ = ["LOG_SQRT_2PI", "ForwardPass", "InversePass"]

LOG_SQRT_2PI = 0.5 * np.log(2 * np.pi)


class ForwardPass:
    """The sampling direction: ``z`` (n, D) and ``log_q`` (n,) from ``base`` (n, D).

    Parameters
    ----------
    transforms : list of Transform
    packed : list
        Their packed parameters.
    base : ndarray (n, D)
    dtype : dtype
        What the couplings compute in.
    """

    def __init__(self, transforms, packed, base, dtype):
        self._chain = list(zip(transforms, packed))
        self._base = x = to_blocks(base, dtype)
        log_q = _log_normal(x)
        self._tapes = []
        for transform, parameters in self._chain:
            x, tape = transform.run(parameters, x, log_q, False)
            self._tapes.append(tape)
        self.z, self.log_q = from_blocks(x, len(base)), vector_from_blocks(log_q, len(base))

    def pull(self, grad_z, grad_log_q, partial, group):
        """Gradient in base (n, D); those of each ``group`` of blocks in theta are added to ``partial``.

        ``partial`` holds the `Transform.new_gradient` of each transform.
        """
        grad = to_blocks(grad_z, np.float64, fill=False)
        weight = vector_to_blocks(grad_log_q)
        for i in reversed(range(len(self._chain))):
            transform, parameters = self._chain[i]
            grad = transform.pull(parameters, self._tapes[i], grad, weight, False, partial[i], group)
        return from_blocks(grad - weight[:, None] * self._base, len(grad_z))


class InversePass:
    """The density direction: ``log_q`` (n,) at ``z`` (n, D), -inf outside of the support and NaN where z is NaN.

    Parameters as those of `ForwardPass`, and the support.
    """

    def __init__(self, transforms, packed, z, dtype, support):
        self._chain = list(zip(transforms, packed))
        self._inside = support.contains(z)
        outside = not self._inside.all()
        if outside:  # any place inside will do: nothing of it is returned
            centre, _ = support.from_line(np.zeros((1, support.dim)))
            points = np.where(self._inside[:, None], z, centre)
        y = to_blocks(points if outside else z, np.float64)
        log_q = np.zeros((len(y), LANES))
        tapes = []
        for transform, parameters in self._chain[::-1]:
            y, tape = transform.run(parameters, y, log_q, True)
            tapes.append(tape)
        self._tapes, self._x = tapes[::-1], y
        self.log_q = vector_from_blocks(log_q + _log_normal(y), len(z))
        if outside:
            rest = z[~self._inside]
            self.log_q[~self._inside] = np.where(np.isnan(rest).any(axis=1), np.nan, -np.inf)

    def pull(self, grad_log_q, partial, group):
        """Gradient in z (n, D), NaN outside; ``partial`` and ``group`` as `ForwardPass.pull`, or None and 0."""
        weight = vector_to_blocks(np.where(self._inside, grad_log_q, 0.0))
        grad = -weight[:, None].astype(self._x.dtype) * self._x
        for i, (transform, parameters) in enumerate(self._chain):
            part = partial[i] if group else None
            grad = transform.pull(parameters, self._tapes[i], grad, weight, True, part, group)
        return self._rows(grad)

    def hessian_product(self, v):
        """Second derivatives of log q in z times ``v`` (n, D), row by row; NaN outside."""
        tangent = to_blocks(v, np.float64)
        tangent_tapes = []
        for (transform, parameters), tape in zip(self._chain[::-1], self._tapes[::-1]):
            tangent, tangent_tape = transform.tangent(parameters, tape, tangent)
            tangent_tapes.append(tangent_tape)
        grad, grad_tangent, weight = -self._x, -tangent, np.ones((len(self._x), LANES))
        for (transform, parameters), tape, tangent_tape in zip(self._chain, self._tapes, tangent_tapes[::-1]):
            grad, grad_tangent = transform.pull_tangent(parameters, tape, tangent_tape, grad, grad_tangent, weight)
        return self._rows(grad_tangent)

    def _rows(self, blocks):
        rows = from_blocks(blocks, len(self._inside))
        rows[~self._inside] = np.nan
        return rows


def _log_normal(x):
    """Log density of the base for blocks x: (blocks, LANES) float64."""
    return -0.5 * np.einsum("bdl,bdl->bl", x, x, dtype=np.float64) - x.shape[1] * LOG_SQRT_2PI
