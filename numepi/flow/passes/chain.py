"""One pass of a batch through a flow's transforms, in either direction, and the derivatives that its tape gives.

Each part of the batch goes through the whole chain of transforms on a thread of its own.  What else there is to do, the
calling thread does for all parts at once: threads that take turns in Python wake each other, which costs more.
"""

import functools

import numpy as np

from numepi.flow.passes.blocks import LANES, from_blocks, to_blocks, vector_from_blocks, vector_to_blocks
from numepi.kernels.compile import kernel
from numepi.kernels.threads import run_all

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
    parts : list of Part
        Blocks that cover those of the batch, one part for each thread.
    dtype : dtype
        What the couplings compute in.
    """

    def __init__(self, transforms, packed, base, parts, dtype):
        self._chain, self._parts = list(zip(transforms, packed)), parts
        self._base = to_blocks(base, dtype)
        log_q = np.zeros((len(self._base), LANES))
        _add_log_normal(self._base, log_q)
        z, self._tapes = zip(*_on_threads(lambda part: self._run(self._base[part.blocks], log_q[part.blocks]), parts))
        self.z, self.log_q = from_blocks(_join(z), len(base)), vector_from_blocks(log_q, len(base))

    def _run(self, x, log_q):
        tapes = []
        for transform, parameters in self._chain:
            y, tape = transform.run(parameters, x, log_q, False)
            x = _shaped(y, x, transform, "run")
            tapes.append(tape)
        return x, tapes

    def pull(self, grad_z, grad_log_q, partial, group, in_base):
        """Gradient in base (n, D) if ``in_base``; those of each ``group`` of blocks in theta are added to ``partial``.

        ``partial`` holds the `Transform.new_gradient` of each transform.
        """
        grad, weight = to_blocks(grad_z, np.float64, fill=False), vector_to_blocks(grad_log_q)

        def pull_part(part, tapes):
            grad_part, weight_part = grad[part.blocks], weight[part.blocks]
            for (transform, parameters), tape, each in zip(self._chain[::-1], tapes[::-1], partial[::-1]):
                pulled = transform.pull(parameters, tape, grad_part, weight_part, False, each[part.groups], group)
                grad_part = _shaped(pulled, grad_part, transform, "pull")
            return grad_part

        grads = _on_threads(pull_part, self._parts, self._tapes)
        return from_blocks(_join(grads) - weight[:, None] * self._base, len(grad_z)) if in_base else None


class InversePass:
    """The density direction: ``log_q`` (n,) at ``z`` (n, D), -inf outside of the support and NaN where z is NaN.

    Parameters as those of `ForwardPass`, and the support.
    """

    def __init__(self, transforms, packed, z, parts, support):
        self._chain, self._parts = list(zip(transforms, packed)), parts
        self._inside = support.within_bounds(z)
        self._some_outside = not self._inside.all()
        points = z
        if self._some_outside:  # any place inside will do: nothing of it is returned
            centre, _ = support.from_line(np.zeros((1, support.dim)))
            points = np.where(self._inside[:, None], z, centre)
        y = to_blocks(points, np.float64)
        log_q = np.zeros((len(y), LANES))
        x, self._tapes = zip(*_on_threads(lambda part: self._run(y[part.blocks], log_q[part.blocks]), parts))
        self._x = _join(x)
        _add_log_normal(self._x, log_q)
        self.log_q = vector_from_blocks(log_q, len(z))
        if self._some_outside:
            rest = z[~self._inside]
            self.log_q[~self._inside] = np.where(np.isnan(rest).any(axis=1), np.nan, -np.inf)

    def _run(self, y, log_q):
        tapes = []
        for transform, parameters in self._chain[::-1]:
            x, tape = transform.run(parameters, y, log_q, True)
            y = _shaped(x, y, transform, "run")
            tapes.append(tape)
        return y, tapes[::-1]

    def pull(self, grad_log_q, partial, group):
        """Gradient in z (n, D), NaN outside; ``partial`` and ``group`` as `ForwardPass.pull`, or None and 0."""
        if self._some_outside:
            grad_log_q = np.where(self._inside, grad_log_q, 0.0)
        weight = vector_to_blocks(grad_log_q)
        grad = -weight[:, None].astype(self._x.dtype, copy=False) * self._x

        def pull_part(part, tapes):
            grad_part, weight_part = grad[part.blocks], weight[part.blocks]
            for i, (transform, parameters) in enumerate(self._chain):
                rows = partial[i][part.groups] if group else None
                pulled = transform.pull(parameters, tapes[i], grad_part, weight_part, True, rows, group)
                grad_part = _shaped(pulled, grad_part, transform, "pull")
            return grad_part

        return self._rows(_join(_on_threads(pull_part, self._parts, self._tapes)))

    def hessian_product(self, v):
        """Second derivatives of log q in z times ``v`` (n, D), row by row; NaN outside."""
        tangent = to_blocks(v, np.float64)

        def product(part, tapes):
            return self._product(self._x[part.blocks], tangent[part.blocks], tapes)

        return self._rows(_join(_on_threads(product, self._parts, self._tapes)))

    def _product(self, x, tangent, tapes):
        tangent_tapes = []
        for (transform, parameters), tape in zip(self._chain[::-1], tapes[::-1]):
            moved, tangent_tape = transform.tangent(parameters, tape, tangent)
            tangent = _shaped(moved, tangent, transform, "tangent")
            tangent_tapes.append(tangent_tape)
        grad, grad_tangent, weight = -x, -tangent, np.ones((len(x), LANES))
        for (transform, parameters), tape, tangent_tape in zip(self._chain, tapes, tangent_tapes[::-1]):
            pulled = transform.pull_tangent(parameters, tape, tangent_tape, grad, grad_tangent, weight)
            grad, grad_tangent = (_shaped(each, x, transform, "pull_tangent") for each in pulled)
        return grad_tangent

    def _rows(self, blocks):
        rows = from_blocks(blocks, len(self._inside))
        if self._some_outside:
            rows[~self._inside] = np.nan
        return rows


def _shaped(blocks, like, transform, method):
    """The blocks that a transform's method returned: compiled passes after it check no bounds."""
    if np.shape(blocks) != like.shape:
        raise ValueError(
            f"{type(transform).__name__}.{method} returned an array of shape {np.shape(blocks)}: expected "
            f"{like.shape}, that of its input (blocks, D, lanes)"
        )
    return blocks


def _on_threads(function, *arguments):
    """List of ``function(*each)`` for each tuple of the zipped ``arguments``."""
    return run_all([functools.partial(function, *each) for each in zip(*arguments)])


def _join(parts):
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


@kernel
def _add_log_normal(x, log_q):
    """Add the log density of the base at blocks x to log_q (blocks, LANES)."""
    for block in range(len(x)):
        for d in range(x.shape[1]):
            for lane in range(LANES):
                value = np.float64(x[block, d, lane])
                log_q[block, lane] -= 0.5 * value * value + LOG_SQRT_2PI
