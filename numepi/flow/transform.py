"""The protocol of a flow's transforms: a readable definition, and compiled passes over blocks with their VJPs."""

import numpy as np

__all__ = ["Transform"]


class Transform:
    """A bijection y = f(x; parameters) of R^D, and what a flow needs of it.

    The *definition* is written in `autograd.numpy` for batches (n, D):

    ``forward(theta, x)``
        y (n, D) and log|det dy/dx| (n,).
    ``inverse(theta, y)``
        x (n, D) and log|det dy/dx| (n,), at that x.

    The *passes* compute the same on blocks (see `numepi.flow.passes.blocks`), in either direction:

    ``run(parameters, x, log_q, inverse)``
        Returns the output blocks and a tape, and subtracts log|det dy/dx| from ``log_q`` (blocks, LANES) in place:
        log q loses it on the way from the base to the support, and so it does on the way back.
    ``pull(parameters, tape, grad_output, grad_log_q, inverse, partial, group)``
        The VJP: returns the gradient of the input blocks.  That of theta is added to ``partial``, which has a row for
        each ``group`` of blocks in order (the last may be short); with ``group`` = 0 it is left out.
    ``tangent(parameters, tape, tangent_input)``
        Along the *inverse* pass: the tangent of the output, and a tape for
    ``pull_tangent(parameters, tape, tangent_tape, grad_output, tangent_grad, grad_log_q)``
        the gradient of the input as `pull` (inverse), and its tangent (with ``grad_log_q`` held fixed).

    ``parameters`` is what ``pack(theta)`` makes of the transform's slice of theta.  `pull` may be called any number of
    times on a tape and must not change it.  Several threads call the passes at once, each on its own blocks: what they
    compute must not depend on how blocks are shared out, and kernels release Python's lock.

    Attributes
    ----------
    dim, n_parameters : int
    tape_size : int
        Numbers kept on the tape for each sample.
    """

    n_parameters = 0
    tape_size = 0

    def __init__(self, dim):
        self.dim = dim

    def pack(self, theta):
        """Arrange the transform's slice of theta for the passes."""
        return theta

    def initial_parameters(self, generator):
        """Parameters (n_parameters,) of an identity transform; what does not matter for that is drawn at random."""
        return np.zeros(self.n_parameters)

    def new_gradient(self, groups):
        """Zeros for the partial gradients of ``groups`` groups of blocks."""
        return np.zeros((groups, self.n_parameters))

    def total_gradient(self, partial):
        """The gradient of theta (n_parameters,) float64: the sum over groups, in order."""
        return partial.sum(axis=0)

    def absorb_affine(self, theta, log_scale, shift):
        """Follow the identity by y -> y exp(log_scale) + shift, as far as this transform can, by writing into theta.

        ``theta`` is the transform's slice of an identity's parameters; ``log_scale`` and ``shift`` (D,) belong to
        the output's coordinates.  Returns what is left for the transforms before, (D,) each, in the input's.
        """
        return log_scale, shift

    def layout(self):
        """Names and shapes of the parameters, in the order of theta: list of (name, shape)."""
        return []
