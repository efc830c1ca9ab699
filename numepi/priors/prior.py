"""What every prior of numepi offers: density, gradient, samples, support; and the same on a smaller support."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from numepi.annotations import Seed
from numepi.arguments import check_count, check_instance, real_array
from numepi.random_streams import seed_sequence
from numepi.support import Support

__all__ = ["Prior", "RestrictedPrior"]

_MASS_DRAWS = (
    2**18
)  # the standard error of a mass m is sqrt((1 - m) / m) / 512 of it: 0.2 % at a half, 2 % at a hundredth
_MASS_SEED = 20210729  # the mass of a prior on a support is a property of both, not of a run
_REJECTION_ROWS = 65_536


class Prior:
    """A distribution p0 over D parameters.

    A subclass has ``support``, ``description`` and the methods ``log_prob``, ``gradient``, ``_draw(n, generator)`` and,
    where the mass of a box is known exactly, ``_box_mass(lower, upper)``.

    Attributes
    ----------
    support : numepi.Support
        Where the density is not zero.
    description : dict
        JSON-able: tells a checkpoint or a stored result one prior from another.
    """

    support: Support
    description: dict[str, Any]

    @property
    def dim(self) -> int:
        """Number of parameters D."""
        return self.support.dim

    def log_prob(self, z: ArrayLike) -> np.ndarray:
        """Log p0 (n,) at ``z`` (n, D): normalised; -inf outside of the support, NaN where z is NaN."""
        raise NotImplementedError

    def gradient(self, z: ArrayLike) -> np.ndarray:
        """d log p0 / dz (n, D) at ``z`` (n, D); NaN outside of the support."""
        raise NotImplementedError

    def sample(self, n: int, rng: Seed = 0) -> np.ndarray:
        """``n`` independent draws (n, D); the same ``rng`` (int, SeedSequence, Generator) gives the same draws."""
        return self._draw(check_count("n", n, least=0), np.random.default_rng(seed_sequence(rng)))

    def restricted_to(self, support: Support) -> Any:
        """The prior given that z lies in ``support``, as a `RestrictedPrior`.

        Raises
        ------
        ValueError
            If the dimensions differ, or the support holds next to nothing of the prior.
        """
        return RestrictedPrior(self, check_instance("support", support, Support, "give a numepi.Support"))

    def _rows(self, z):
        z = real_array("z", z)
        if z.ndim != 2 or z.shape[1] != self.dim:
            raise ValueError(f"z has shape {z.shape}: this prior expects (n, {self.dim})")
        return z

    def _draw(self, n, generator):
        raise NotImplementedError

    def _box_mass(self, lower, upper):
        """Exact mass of a box, or None where it is not known."""
        return None

    def __repr__(self):
        return f"<numepi prior: {self.description}>"


class RestrictedPrior(Prior):
    """p0(z) / mass inside ``support``, zero outside.

    Attributes
    ----------
    mass, mass_stderr : float
        Of p0 on the support: exact (error 0) for independent parameters on a product of intervals, else the share of
        262,144 draws, with its standard error.
    """

    def __init__(self, prior: Any, support: Support) -> None:
        if support.dim != prior.dim:
            raise ValueError(f"the prior has {prior.dim} parameters and the support {support.dim}: give one each")
        self.prior, self.support = prior, support
        self.description = prior.description
        exact = prior._box_mass(support.lower, support.upper) if support.where is None else None
        if exact is None:
            inside = support.contains(prior.sample(_MASS_DRAWS, rng=_MASS_SEED))
            self.mass = float(inside.mean())
            self.mass_stderr = float(np.sqrt(self.mass * (1 - self.mass) / _MASS_DRAWS))
        else:
            self.mass, self.mass_stderr = float(exact), 0.0
        if not self.mass > 0:
            raise ValueError(f"the prior has no mass on the support {support}: move one of the two, or widen the prior")

    def log_prob(self, z: ArrayLike) -> np.ndarray:
        """Log p0 - log mass (n,), -inf outside of the support."""
        z = self._rows(z)
        log_p = self.prior.log_prob(z) - np.log(self.mass)
        return np.where(self.support.contains(z) | np.isnan(log_p), log_p, -np.inf)

    def gradient(self, z: ArrayLike) -> np.ndarray:
        """As the prior's; NaN outside of the support."""
        z = self._rows(z)
        return np.where(self.support.contains(z)[:, None], self.prior.gradient(z), np.nan)

    def _draw(self, n, generator):
        kept, count = [], 0
        while count < n:
            z = self.prior._draw(min(_REJECTION_ROWS, int((n - count) / self.mass * 1.1) + 16), generator)
            kept.append(z[self.support.contains(z)])
            count += len(kept[-1])
        return np.concatenate(kept)[:n] if kept else np.empty((0, self.dim))
