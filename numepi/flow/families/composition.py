"""A flow: standard normal base, a chain of transforms, and the gradients that go with it.

The chain ends with the map to the support.  `sample` and `log_prob` run the compiled passes and are autograd
primitives; `sample_definition` and `log_prob_definition` are the same maps written in `autograd.numpy`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import autograd.numpy as anp
import numpy as np
from autograd.tracer import isbox

from numepi.annotations import Seed
from numepi.flow.passes import primitives
from numepi.flow.passes.batches import chunks
from numepi.flow.passes.blocks import LANES
from numepi.flow.passes.chain import LOG_SQRT_2PI, ForwardPass, InversePass
from numepi.random_streams import seed_sequence

if TYPE_CHECKING:
    from numepi.support import Support

__all__ = ["ComposedFlow"]

_METHODS = ("forward", "inverse", "run", "pull", "tangent", "pull_tangent")  # that `Transform` has not


class ComposedFlow:
    """z = f_L(... f_1(x)), x ~ N(0, I_D);  log q(z) = log N(x) - sum log|det|.

    theta (n_parameters,) joins the parameters of the transforms in order; it is kept in float64 and gradients are
    float64.  z and log q are float64; ``precision`` is what the couplings compute in.

    Parameters
    ----------
    support : Support
    transforms : list of Transform
        The last one maps to the support.
    precision : "float64" or "float32"

    Raises
    ------
    TypeError, ValueError
        For a transform that lacks a method, or of another dimension than the support.
    """

    def __init__(self, support: Support, transforms: Sequence[Any], precision: str) -> None:
        _check_transforms(transforms, support.dim)
        self.support = support
        self.dim = support.dim
        self.transforms = transforms
        self.precision = precision
        ends = np.cumsum([t.n_parameters for t in transforms])
        self.n_parameters = int(ends[-1])
        self._slices = [slice(int(end) - t.n_parameters, int(end)) for end, t in zip(ends, transforms)]
        self._tape_bytes = 8 * (self.dim + sum(t.tape_size for t in transforms))

    def initial_parameters(self, rng: Seed = 0) -> np.ndarray:
        """Parameters (n_parameters,) of the identity: the base, mapped to the support; hidden weights are random."""
        generator = np.random.default_rng(seed_sequence(rng))
        return np.concatenate([t.initial_parameters(generator) for t in self.transforms])

    def absorb_affine(self, theta: np.ndarray, log_scale: np.ndarray, shift: np.ndarray) -> None:
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
                "stages or more, or post_affine=True (needed for scales beyond exp(4 per stage)); a transform of your "
                "own takes its share in absorb_affine"
            )

    def layout(self) -> list[tuple[str, tuple[int, ...], int]]:
        """What theta holds: list of (name, shape, offset)."""
        rows = []
        for number, (transform, part) in enumerate(zip(self.transforms, self._slices)):
            offset = part.start
            for name, shape in transform.layout():
                rows.append((f"{number}.{type(transform).__name__}.{name}", shape, offset))
                offset += int(np.prod(shape))
        return rows

    def without_identities(self, theta: np.ndarray) -> tuple[ComposedFlow, np.ndarray]:
        """A flow and its parameters: this one at theta, less what leaves all as it is, and equal to the last bit.

        Of a flow that has not learned yet, whose couplings are identities, the map to the support is left, and the
        reorderings: a fourteenth of the cost with four coordinates in float32, a 27th in float64.
        """
        x = np.random.default_rng(0).standard_normal((1, self.dim, LANES)).astype(self.precision)
        left: list[tuple[Any, np.ndarray]] = []
        for transform, part in zip(self.transforms, self._slices):
            y, same = _passed(transform, transform.pack(theta[part]), x)
            if not same or (not left and transform is self.transforms[-1]):  # there is no flow of nothing
                left.append((transform, theta[part]))
            x = y
        return ComposedFlow(self.support, [t for t, _ in left], self.precision), np.concatenate([p for _, p in left])

    def sample(self, theta: np.ndarray, base: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
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
        return _read_samples(self._forward(*self._check(theta, base, "base")))

    def sample_with_pullback(
        self, theta: np.ndarray, base: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, Callable[[np.ndarray, np.ndarray], np.ndarray]]:
        """As `sample`, with the pullback of both outputs.

        Returns
        -------
        z : ndarray (n, D)
        log_q : ndarray (n,)
        pullback : callable
            ``pullback(grad_z, grad_log_q)`` with (n, D) and (n,) gives the gradient (n_parameters,) in theta.
        """
        z, log_q, pull = self._sample_and_pull(theta, base)
        return z, log_q, lambda grad_z, grad_log_q: pull(grad_z, grad_log_q, False)[0]

    def sample_with_full_pullback(
        self, theta: np.ndarray, base: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]]:
        """As `sample_with_pullback`, and the pullback gives the gradients in theta and in base (n, D)."""
        z, log_q, pull = self._sample_and_pull(theta, base)

        def pullback(grad_z, grad_log_q):
            grad_theta, grad_base = pull(grad_z, grad_log_q, True)
            return grad_theta, np.concatenate(grad_base)

        return z, log_q, pullback

    def _sample_and_pull(self, theta, base):
        batch = self._forward(*self._check(theta, base, "base"))
        z, log_q = _read_samples(batch)

        def pull(grad_z, grad_log_q, in_base):
            grad_z = _cotangent(grad_z, z.shape, "grad_z")
            grad_log_q = _cotangent(grad_log_q, log_q.shape, "grad_log_q")
            return self._pull(
                batch,
                lambda each, rows, partial, group: each.pull(grad_z[rows], grad_log_q[rows], partial, group, in_base),
            )

        return z, log_q, pull

    def log_prob(self, theta: np.ndarray, z: np.ndarray) -> np.ndarray:
        """Log q(z) (n,) at ``z`` (n, D): -inf outside of the support, NaN where z is NaN."""
        if isbox(theta) or isbox(z):
            return primitives.log_prob(self, theta, z, [])
        return _read_densities(self._inverse(*self._check(theta, z, "z")))

    def log_prob_with_pullback(
        self, theta: np.ndarray, z: np.ndarray
    ) -> tuple[np.ndarray, Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]]:
        """As `log_prob`, with its pullback.

        Returns
        -------
        log_q : ndarray (n,)
        pullback : callable
            ``pullback(grad_log_q)`` with (n,) gives the gradients with respect to theta (n_parameters,) and z (n, D);
            rows outside of the support contribute nothing and have NaN in the latter.
        """
        batch = self._inverse(*self._check(theta, z, "z"))
        log_q = _read_densities(batch)

        def pullback(grad_log_q):
            grad_log_q = _cotangent(grad_log_q, log_q.shape, "grad_log_q")
            grad_theta, grad_z = self._pull(
                batch, lambda each, rows, partial, group: each.pull(grad_log_q[rows], partial, group)
            )
            return grad_theta, np.concatenate(grad_z)

        return log_q, pullback

    def log_prob_gradient(self, theta: np.ndarray, z: np.ndarray) -> np.ndarray:
        """d log q / dz (n, D) at ``z`` (n, D); NaN in rows outside of the support."""
        batch, weight = self._inverse(*self._check(theta, z, "z")), np.ones(len(z))
        return np.concatenate([chunk.run().pull(weight[chunk.rows], None, 0) for chunk in batch])

    def log_prob_hessian_product(self, theta: np.ndarray, z: np.ndarray, v: np.ndarray) -> np.ndarray:
        """d^2 log q / dz^2 times ``v`` (n, D), row by row, at ``z`` (n, D): forward over reverse; NaN outside."""
        theta, z = self._check(theta, z, "z")
        v = np.asarray(v, np.float64)
        if v.shape != z.shape:
            raise ValueError(f"v has shape {v.shape}: expected that of z, {z.shape}")
        return np.concatenate([chunk.run().hessian_product(v[chunk.rows]) for chunk in self._inverse(theta, z)])

    def sample_definition(self, theta: Any, base: Any) -> tuple[Any, Any]:
        """`sample` in plain `autograd.numpy`: the readable definition."""
        x = base
        log_q = anp.sum(-0.5 * x * x - LOG_SQRT_2PI, axis=1)
        for transform, part in zip(self.transforms, self._slices):
            x, log_det = transform.forward(theta[part], x)
            log_q = log_q - log_det
        return x, log_q

    def log_prob_definition(self, theta: Any, z: Any) -> Any:
        """`log_prob` in plain `autograd.numpy`, for z inside the support."""
        x, log_q = z, 0.0
        for transform, part in zip(self.transforms[::-1], self._slices[::-1]):
            x, log_det = transform.inverse(theta[part], x)
            log_q = log_q - log_det
        return log_q + anp.sum(-0.5 * x * x - LOG_SQRT_2PI, axis=1)

    def _check(self, theta, x, name):
        theta, x = np.asarray(theta, np.float64), np.asarray(x, np.float64)
        if theta.shape != (self.n_parameters,):
            raise ValueError(f"theta has shape {theta.shape}: this flow expects ({self.n_parameters},)")
        if x.ndim != 2 or x.shape[1] != self.dim:
            raise ValueError(f"{name} has shape {x.shape}: this flow expects (n, {self.dim})")
        return theta, x

    def _pack(self, theta):
        return [t.pack(theta[part]) for t, part in zip(self.transforms, self._slices)]

    def _forward(self, theta, base):
        packed = self._pack(theta)
        return chunks(
            lambda rows, parts: ForwardPass(self.transforms, packed, base[rows], parts, self.precision),
            len(base),
            self._tape_bytes,
        )

    def _inverse(self, theta, z):
        packed = self._pack(theta)
        return chunks(
            lambda rows, parts: InversePass(self.transforms, packed, z[rows], parts, self.support),
            len(z),
            self._tape_bytes,
        )

    def _pull(self, batch, pull):
        """Gradient in theta; and the list of what ``pull(pass, rows, partial, group)`` returns."""
        grad_theta, results = np.zeros(self.n_parameters), []
        for chunk in batch:
            partial = [t.new_gradient(chunk.n_groups) for t in self.transforms]
            results.append(pull(chunk.run(), chunk.rows, partial, chunk.group))
            for transform, where, each in zip(self.transforms, self._slices, partial):
                grad_theta[where] += transform.total_gradient(each)
        return grad_theta, results


def _passed(transform, parameters, x):
    """What the transform makes of blocks x of samples, and whether that and the way back leave them as they are."""
    log_q, log_back = np.zeros((2, len(x), LANES))
    y, _ = transform.run(parameters, x, log_q, False)
    back, _ = transform.run(parameters, y, log_back, True)
    same = all(each.dtype == x.dtype and np.array_equal(each, x) for each in (y, back))
    return y, same and not log_q.any() and not log_back.any()


def _check_transforms(transforms, dim):
    for place, transform in enumerate(transforms):
        where = f"transform {place} of {len(transforms)} ({type(transform).__name__})"
        lacking = [name for name in _METHODS if not callable(getattr(transform, name, None))]
        if lacking:
            raise TypeError(f"{where} lacks {', '.join(lacking)}: see numepi.flow.transform.Transform")
        if transform.dim != dim:
            raise ValueError(f"{where} has dimension {transform.dim}: the support has {dim}")


def _read_samples(batch):
    samples = [(each.z, each.log_q) for each in (chunk.run() for chunk in batch)]
    return np.concatenate([z for z, _ in samples]), np.concatenate([log_q for _, log_q in samples])


def _read_densities(batch):
    return np.concatenate([chunk.run().log_q for chunk in batch])


def _cotangent(grad, shape, name):
    grad = np.asarray(grad, np.float64)
    if grad.shape != shape:
        raise ValueError(f"{name} has shape {grad.shape}: expected {shape}")
    return grad
