"""A flow with its parameters fixed: a distribution to sample and to interrogate."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from numepi.annotations import Seed
from numepi.arguments import check_array, check_count, check_names
from numepi.random_streams import seed_sequence

if TYPE_CHECKING:
    from numepi.flow.protocol import Flow
    from numepi.support import Support

__all__ = ["FlowDistribution"]

_ROWS = 8192
_MASS_DRAWS, _MASS_SEED = 2**16, 20210729  # the mass belongs to the distribution, not to a sample of it


class FlowDistribution:
    """The density q(z) of ``flow`` at ``theta``.

    Outside of the support log q is -inf, its gradient and Hessian NaN.  Where the support has a condition, q is the
    flow's density given that it holds: samples are those that satisfy it, and log q is higher by the log of the flow's
    `inside_mass`.  Where it has integers, samples are whole numbers and log q is the density that a flow gives to their
    unit cells: the integral over a cell is the probability of its number.

    Parameters
    ----------
    flow : Flow
    theta : array (n_parameters,)
    parameter_names : sequence of str (D,), optional
        What the coordinates of z are called; z1, z2, ... by default.
    """

    def __init__(self, flow: Flow, theta: ArrayLike, parameter_names: Sequence[str] | None = None) -> None:
        if isinstance(flow, type) or not hasattr(flow, "n_parameters"):
            raise TypeError(f"flow is a {type(flow).__name__}: give a flow such as numepi.RealNVP(support)")
        theta = check_array("theta", theta, (flow.n_parameters,), finite=False)
        if not np.isfinite(theta).all():
            raise ValueError(f"theta has {int((~np.isfinite(theta)).sum())} entries that are not finite")
        theta.setflags(write=False)
        self.flow, self.theta = flow, theta
        if parameter_names is None:
            parameter_names = [f"z{i + 1}" for i in range(flow.dim)]
        self.parameter_names = check_names("parameter_names", parameter_names, flow.dim)

    @property
    def dim(self) -> int:
        """Number of dimensions D."""
        return self.flow.dim

    @property
    def support(self) -> Support:
        """Where the samples live."""
        return self.flow.support

    def sample(self, n: int, rng: Seed = 0) -> np.ndarray:
        """``n`` independent samples (n, D); the same ``rng`` (int, SeedSequence, Generator) gives the same samples."""
        return self.sample_with_log_prob(n, rng)[0]

    def sample_with_log_prob(self, n: int, rng: Seed = 0) -> tuple[np.ndarray, np.ndarray]:
        """Samples (n, D) and their log density (n,), which comes free with them."""
        n = check_count("n", n, least=0)
        generator = np.random.default_rng(seed_sequence(rng))
        if self.support.where is None:
            z, log_q = self.flow.sample(self.theta, generator.standard_normal((n, self.dim)))
            return self.support.rounded(z), log_q
        mass, parts, count = self.inside_mass[0], [(np.empty((0, self.dim)), np.empty(0))], 0
        while count < n:
            size = min(_ROWS, int((n - count) / mass * 1.1) + 16)
            z, log_q = self.flow.sample(self.theta, generator.standard_normal((size, self.dim)))
            inside = self.support.contains(z)
            parts.append((z[inside], log_q[inside]))
            count += int(inside.sum())
        z, log_q = (np.concatenate(each)[:n] for each in zip(*parts))
        return self.support.rounded(z), log_q - np.log(mass)

    @cached_property
    def inside_mass(self) -> tuple[float, float]:
        """Share of the flow's draws that satisfy the support's condition, of 65,536, and its standard error.

        Raises
        ------
        ValueError
            If there is none.
        """
        if self.support.where is None:
            return 1.0, 0.0
        base = np.random.default_rng(_MASS_SEED).standard_normal((_MASS_DRAWS, self.dim))
        share = float(self.support.contains(self.flow.sample(self.theta, base)[0]).mean())
        if share == 0:
            raise ValueError(f"none of {_MASS_DRAWS:,} draws of the flow satisfies the condition of {self.support!r}")
        return share, float(np.sqrt(share * (1 - share) / _MASS_DRAWS))

    def log_prob(self, z: ArrayLike) -> np.ndarray:
        """Log q (n,) at ``z`` (n, D)."""
        z = self._points("z", z)
        log_q = self.flow.log_prob(self.theta, z)
        if self.support.where is None:
            return log_q
        outside = ~self.support.contains(z) & ~np.isnan(log_q)
        return np.where(outside, -np.inf, log_q - np.log(self.inside_mass[0]))

    def gradient(self, z: ArrayLike) -> np.ndarray:
        """d log q / dz (n, D) at ``z`` (n, D)."""
        return self.flow.log_prob_gradient(self.theta, self._points("z", z))

    def hessian_vector_product(self, z: ArrayLike, v: ArrayLike) -> np.ndarray:
        """d^2 log q / dz^2 times ``v`` (n, D) at ``z`` (n, D), row by row, without forming the matrices."""
        z, v = self._points("z", z), self._points("v", v)
        if z.shape != v.shape:
            raise ValueError(f"v has shape {v.shape}: expected that of z, {z.shape}")
        return self.flow.log_prob_hessian_product(self.theta, z, v)

    def hessian(self, z: ArrayLike) -> np.ndarray:
        """d^2 log q / dz^2 (n, D, D) at ``z`` (n, D), exact and symmetric."""
        z = self._points("z", z)
        hessian = np.empty((len(z), self.dim, self.dim))
        rows = max(1, _ROWS // self.dim)
        for start in range(0, len(z), rows):
            part = z[start : start + rows]
            directions = np.tile(np.eye(self.dim), (len(part), 1))
            product = self.hessian_vector_product(np.repeat(part, self.dim, axis=0), directions)
            hessian[start : start + rows] = product.reshape(-1, self.dim, self.dim)
        return 0.5 * (hessian + hessian.transpose(0, 2, 1))

    def _points(self, name, z):
        """Points (n, D) as an array."""
        return check_array(name, z, ("n", self.dim), finite=False)

    def __repr__(self):
        return f"FlowDistribution({self.flow!r})"
