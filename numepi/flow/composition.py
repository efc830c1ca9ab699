"""A flow: standard normal base, a chain of transforms, and the gradients that go with it.

The chain ends with the map to the support.  `Flow.sample` and `Flow.log_prob` run the compiled passes and are autograd
primitives; `Flow.sample_definition` and `Flow.log_prob_definition` are the same maps written in `autograd.numpy`.
"""

import autograd.numpy as anp
import numpy as np
from autograd.tracer import isbox

from numepi.flow import primitives
from numepi.flow.blocks import LANES, from_blocks, to_blocks, vector_from_blocks, vector_to_blocks
from numepi.random_streams import seed_sequence

__all__ = ["Flow"]

_LOG_SQRT_2PI = 0.5 * np.log(2 * np.pi)
# A tape larger than this is not kept: the pullback runs the pass again, chunk by chunk.
_MAX_TAPE_BYTES = 2**26


class Flow:
    """z = f_L(... f_1(x)), x ~ N(0, I_D);  log q(z) = log N(x) - sum log|det|.

    theta (n_parameters,) joins the parameters of the transforms in order; it is kept in float64 and gradients are
    float64.  z and log q are float64; ``precision`` is what the couplings compute in.

    Parameters
    ----------
    support : Support
    transforms : list of Transform
        The last one maps to the support.
    precision : "float64" or "float32"
    """

    def __init__(self, support, transforms, precision):
        self.support = support
        self.dim = support.dim
        self.transforms = transforms
        self.precision = precision
        self._dtype = np.dtype(precision)
        ends = np.cumsum([t.n_parameters for t in transforms])
        self.n_parameters = int(ends[-1])
        self._slices = [slice(int(end) - t.n_parameters, int(end)) for end, t in zip(ends, transforms)]
        bytes_per_sample = 8 * (self.dim + sum(t.tape_size for t in transforms))
        self._chunk = max(1, _MAX_TAPE_BYTES // (bytes_per_sample * LANES)) * LANES

    # What users call -------------------------------------------------------------------------------------------------

    def initial_parameters(self, rng=0):
        """Parameters (n_parameters,) of the identity: the base, mapped to the support; hidden weights are random."""
        generator = np.random.default_rng(seed_sequence(rng))
        return np.concatenate([t.initial_parameters(generator) for t in self.transforms])

    def absorb_affine(self, theta, log_scale, shift):
        """Write x -> x exp(log_scale) + shift, (D,) each, before the support map into theta of an identity flow.

        Raises
        ------
        ValueError
            If no transform can take some coordinate's share.
        """
        for transform, part in zip(self.transforms[::-1], self._slices[::-1]):
            log_scale, shift = transform.absorb_affine(theta[part], log_scale, shift)
        left = np.count_nonzero((log_scale != 0) | (shift != 0))
        if left:
            raise ValueError(
                f"{left} of {self.dim} coordinates cannot be scaled and shifted by this flow's couplings: use two "
                "stages or more, or post_affine=True (needed for scales beyond exp(4 per stage))"
            )

    def layout(self):
        """What theta holds: list of (name, shape, offset)."""
        rows = []
        for number, (transform, part) in enumerate(zip(self.transforms, self._slices)):
            offset = part.start
            for name, shape in transform.layout():
                rows.append((f"{number}.{type(transform).__name__}.{name}", shape, offset))
                offset += int(np.prod(shape))
        return rows

    def sample(self, theta, base):
        """Push base normals through the flow.

        Parameters
        ----------
        theta : array (n_parameters,)
        base : array (n, D)
            Standard normals.

        Returns
        -------
        z : ndarray (n, D)
            In the closed support.
        log_q : ndarray (n,)
            log q(z), computed along the way: finite where z rounds to a bound.

        Raises
        ------
        ValueError
            If a shape is wrong.
        """
        if isbox(theta) or isbox(base):
            return primitives.sample(self, theta, base, [])
        theta, base = self._check(theta, base, "base")
        return self._forward(theta, base)

    def log_prob(self, theta, z):
        """Log q(z) (n,) at ``z`` (n, D): -inf outside of the support, NaN where z is NaN."""
        if isbox(theta) or isbox(z):
            return primitives.log_prob(self, theta, z, [])
        theta, z = self._check(theta, z, "z")
        return self._inverse(theta, z)

    def sample_with_pullback(self, theta, base):
        """As `sample`, with the pullback of both outputs.

        Returns
        -------
        z : ndarray (n, D)
        log_q : ndarray (n,)
        pullback : callable
            ``pullback(grad_z, grad_log_q)`` with (n, D) and (n,) gives the gradient (n_parameters,) in theta.
        """
        z, log_q, pullback = self.sample_with_full_pullback(theta, base)
        return z, log_q, lambda grad_z, grad_log_q: pullback(grad_z, grad_log_q)[0]

    def sample_with_full_pullback(self, theta, base):
        """As `sample_with_pullback`, and the pullback gives the gradients in theta and in base (n, D)."""
        theta, base = self._check(theta, base, "base")
        if 0 < len(base) <= self._chunk:
            return self._forward_pass(self._pack(theta), base)
        z, log_q = self._forward(theta, base)

        def pullback(grad_z, grad_log_q):
            packed = self._pack(theta)
            grad_theta, grad_base = np.zeros(self.n_parameters), np.empty_like(base)
            for rows in self._chunks(len(base)):
                part, grad_base[rows] = self._forward_pass(packed, base[rows])[2](grad_z[rows], grad_log_q[rows])
                grad_theta += part
            return grad_theta, grad_base

        return z, log_q, pullback

    def log_prob_with_pullback(self, theta, z):
        """As `log_prob`, with its pullback.

        Returns
        -------
        log_q : ndarray (n,)
        pullback : callable
            ``pullback(grad_log_q)`` with (n,) gives the gradients with respect to theta (n_parameters,) and z (n, D);
            rows outside of the support contribute nothing and have NaN in the latter.
        """
        theta, z = self._check(theta, z, "z")
        if 0 < len(z) <= self._chunk:
            return self._inverse_pass(self._pack(theta), z)
        log_q = self._inverse(theta, z)

        def pullback(grad_log_q):
            packed = self._pack(theta)
            grad_theta, grad_z = np.zeros(self.n_parameters), np.empty_like(z)
            for rows in self._chunks(len(z)):
                part, grad_z[rows] = self._inverse_pass(packed, z[rows])[1](grad_log_q[rows])
                grad_theta += part
            return grad_theta, grad_z

        return log_q, pullback

    def sample_definition(self, theta, base):
        """`sample` in plain `autograd.numpy`: the readable definition."""
        x = base
        log_q = anp.sum(-0.5 * x * x - _LOG_SQRT_2PI, axis=1)
        for transform, part in zip(self.transforms, self._slices):
            x, log_det = transform.forward(theta[part], x)
            log_q = log_q - log_det
        return x, log_q

    def log_prob_definition(self, theta, z):
        """`log_prob` in plain `autograd.numpy`, for z inside the support."""
        x, log_q = z, 0.0
        for transform, part in zip(self.transforms[::-1], self._slices[::-1]):
            x, log_det = transform.inverse(theta[part], x)
            log_q = log_q - log_det
        return log_q + anp.sum(-0.5 * x * x - _LOG_SQRT_2PI, axis=1)

    def log_prob_gradient(self, theta, z):
        """d log q / dz (n, D) at ``z`` (n, D); NaN in rows outside of the support."""
        theta, z = self._check(theta, z, "z")
        packed = self._pack(theta)
        gradient = np.empty_like(z)
        for rows in self._chunks(len(z)):
            _, pullback = self._inverse_pass(packed, z[rows])
            gradient[rows] = pullback(np.ones(len(z[rows])), with_parameters=False)[1]
        return gradient

    def log_prob_hessian_product(self, theta, z, v):
        """d^2 log q / dz^2 times ``v`` (n, D), row by row, at ``z`` (n, D): forward over reverse; NaN outside."""
        theta, z = self._check(theta, z, "z")
        v = np.asarray(v, np.float64)
        if v.shape != z.shape:
            raise ValueError(f"v has shape {v.shape}: expected that of z, {z.shape}")
        packed = self._pack(theta)
        product = np.empty_like(z)
        for rows in self._chunks(len(z)):
            product[rows] = self._hessian_product_pass(packed, z[rows], v[rows])
        return product

    # Passes over blocks ----------------------------------------------------------------------------------------------

    def _check(self, theta, x, name):
        theta, x = np.asarray(theta, np.float64), np.asarray(x, np.float64)
        if theta.shape != (self.n_parameters,):
            raise ValueError(f"theta has shape {theta.shape}: this flow expects ({self.n_parameters},)")
        if x.ndim != 2 or x.shape[1] != self.dim:
            raise ValueError(f"{name} has shape {x.shape}: this flow expects (n, {self.dim})")
        return theta, x

    def _pack(self, theta):
        return [t.pack(theta[part]) for t, part in zip(self.transforms, self._slices)]

    def _chunks(self, n):
        return [slice(start, min(start + self._chunk, n)) for start in range(0, n, self._chunk)]

    def _forward(self, theta, base):
        packed = self._pack(theta)
        z, log_q = np.empty(base.shape), np.empty(len(base))
        for rows in self._chunks(len(base)):
            z[rows], log_q[rows], _ = self._forward_pass(packed, base[rows])
        return z, log_q

    def _inverse(self, theta, z):
        packed = self._pack(theta)
        log_q = np.empty(len(z))
        for rows in self._chunks(len(z)):
            log_q[rows], _ = self._inverse_pass(packed, z[rows])
        return log_q

    def _forward_pass(self, packed, base):
        n = len(base)
        start = x = to_blocks(base, self._dtype)
        log_q = _log_normal(x)
        tapes = []
        for transform, parameters in zip(self.transforms, packed):
            x, tape = transform.run(parameters, x, log_q, False)
            tapes.append(tape)

        def pullback(grad_z, grad_log_q):
            grad = to_blocks(np.asarray(grad_z), np.float64, fill=False)
            weight = vector_to_blocks(grad_log_q)
            parts = []
            for transform, parameters, tape in zip(self.transforms[::-1], packed[::-1], tapes[::-1]):
                grad, part = transform.pull(parameters, tape, grad, weight, False, True)
                parts.append(part)
            return np.concatenate(parts[::-1]), from_blocks(grad - weight[:, None] * start, n)

        return from_blocks(x, n), vector_from_blocks(log_q, n), pullback

    def _inverse_run(self, packed, z):
        """Blocks of x, log q and tapes; rows of z outside of the support are taken at its centre."""
        inside = self.support.contains(z)
        if not inside.all():
            centre, _ = self.support.from_line(np.zeros((1, self.dim)))
            z = np.where(inside[:, None], z, centre)
        y = to_blocks(z, np.float64)
        log_q = np.zeros((len(y), LANES))
        tapes = []
        for transform, parameters in zip(self.transforms[::-1], packed[::-1]):
            y, tape = transform.run(parameters, y, log_q, True)
            tapes.append(tape)
        log_q += _log_normal(y)
        return y, log_q, tapes[::-1], inside

    def _inverse_pass(self, packed, z):
        n = len(z)
        x, log_q, tapes, inside = self._inverse_run(packed, z)
        log_q = vector_from_blocks(log_q, n)
        if not inside.all():
            log_q[~inside] = np.where(np.isnan(z[~inside]).any(axis=1), np.nan, -np.inf)

        def pullback(grad_log_q, with_parameters=True):
            weight = vector_to_blocks(np.where(inside, grad_log_q, 0.0))
            grad = -weight[:, None].astype(x.dtype) * x
            parts = []
            for transform, parameters, tape in zip(self.transforms, packed, tapes):
                grad, part = transform.pull(parameters, tape, grad, weight, True, with_parameters)
                parts.append(part)
            grad_z = from_blocks(grad, n)
            grad_z[~inside] = np.nan
            return np.concatenate(parts) if with_parameters else None, grad_z

        return log_q, pullback

    def _hessian_product_pass(self, packed, z, v):
        n = len(z)
        x, log_q, tapes, inside = self._inverse_run(packed, z)
        tangent = to_blocks(v, np.float64)
        tangent_tapes = []
        for transform, parameters, tape in zip(self.transforms[::-1], packed[::-1], tapes[::-1]):
            tangent, tangent_tape = transform.tangent(parameters, tape, tangent)
            tangent_tapes.append(tangent_tape)
        grad, grad_tangent, weight = -x, -tangent, np.ones_like(log_q)
        for transform, parameters, tape, tangent_tape in zip(self.transforms, packed, tapes, tangent_tapes[::-1]):
            grad, grad_tangent = transform.pull_tangent(parameters, tape, tangent_tape, grad, grad_tangent, weight)
        product = from_blocks(grad_tangent, n)
        product[~inside] = np.nan
        return product


def _log_normal(x):
    """Log density of the base for blocks x: (blocks, LANES) float64."""
    return -0.5 * np.einsum("bdl,bdl->bl", x, x, dtype=np.float64) - x.shape[1] * _LOG_SQRT_2PI
