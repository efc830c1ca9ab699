"""The flow without parameters that is the map to the support alone: particles start, and move, in its base.

On a box its log density is a constant and its slope falls out of the same function as the map, so that one pass over
the rows does: through a flow's layout in blocks and back it takes several times as long, and next to a simulator of a
microsecond that is most of what a move costs.
"""

import numpy as np

from numepi.flow.elementwise.normal_tails import normal_tails
from numepi.flow.elementwise.support import SupportMap
from numepi.flow.elementwise.support_kernels import in_box
from numepi.flow.families.composition import ComposedFlow
from numepi.kernels.compile import kernel
from numepi.kernels.threads import share

__all__ = ["plain_flow"]

_SHARE = 50_000  # numbers a thread takes at a time: half a millisecond


def plain_flow(support):
    """The map to ``support`` as a `numepi.flow.Flow` with no parameters."""
    return (_BoxFlow if support.is_box else ComposedFlow)(
        support, [SupportMap(support, "gaussian-cdf", "float64")], "float64"
    )


class _BoxFlow(ComposedFlow):
    """The map to a box: uniform."""

    def sample(self, theta, base):
        """See `ComposedFlow.sample`."""
        z, log_q, _ = self.sample_with_full_pullback(theta, base)
        return z, log_q

    def sample_with_full_pullback(self, theta, base):
        """See `ComposedFlow.sample_with_full_pullback`."""
        _, base = self._check(theta, base, "base")
        lower, width = self.support.lower, self.support.width
        u, n = np.ascontiguousarray(base, np.float64), len(base)
        z, slope = np.empty((n, self.dim)), np.empty((n, self.dim))
        rows = max(1, _SHARE // self.dim)

        def part(first, last):
            _to_box(lower, self.support.upper, u, z, slope, first * rows, min(last * rows, n))

        share(part, -(-n // rows))

        def pullback(grad_z, grad_log_q):
            return np.empty(0), grad_z * slope

        return z, np.full(n, -np.sum(np.log(width))), pullback


@kernel
def _to_box(lower, upper, u, z, slope, first, last):
    """Fill rows first ... last - 1 of z = lower + width Phi(u), kept within bounds, and of dz / du."""
    for i in range(first, last):
        for d in range(len(lower)):
            below, _, density = normal_tails(u[i, d])
            z[i, d] = in_box(lower[d], upper[d], below)
            slope[i, d] = (upper[d] - lower[d]) * density
