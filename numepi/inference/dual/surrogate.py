"""A surrogate of the circuit: T-bar(z) = E[T | z] and the chance of success, learned from the rows simulated so far.

It learns the *statistics* f, smooth in z and of order one, and never exp(eta . T).  Where the circuit is noisy a second
network learns what the noise adds to T beyond T(f-bar): the conditional mean of the second-order remainder.  So weights
rest on T-bar, and single lucky draws pick nothing (docs/method.md: noise).  Where simulations fail a third network
learns the log-odds of success; the support of p* is the part that works.
"""

from dataclasses import dataclass, replace

import numpy as np

from numepi.inference.dual.network import LOGISTIC, Network, train
from numepi.inference.problem import Stream

__all__ = ["FEW_FAILED", "Surrogate", "explained_share", "learn", "learn_success"]

_NOISE_HIDDEN = 32  # units a layer: what noise adds varies less than the statistics do
_WORST_REMAINDER = 50.0  # natural scales: rows beyond say nothing of where the answer is, and would rule the fit
_TEMPERATURE = 0.2  # of the target that rows are weighted towards: p^0.2 reaches far around p*
_EVERYWHERE = 0.05  # weight of a row wherever it lies, beside at most 1 for the target
_WEIGHT_QUANTILE = 0.98  # of eta . T-bar, from where weights are equal: no single row may rule
_AGAIN = 0.6  # of the first fit's rate, when a fit goes on with new rows
_LEAST_WORKING = 0.1  # share of the weight that rows which work have at the least: a rare region must not be lost
_NEVER = -700.0  # log of a probability that is still a number
FEW_FAILED = 5  # failed rows from which a boundary can be learned


@dataclass(frozen=True)
class Surrogate:
    """What was learned: ``mean`` of f, ``noise`` added to T, log-odds of success ``works`` (None: not needed).

    ``works`` has a column for success, and more that help to learn it: one for each statistic that exists in others.
    Without ``mean`` nothing but success is known: too few rows work (`numepi.inference.dual.seek`).
    """

    mean: Network | None
    noise: Network | None
    works: Network | None

    def statistics(self, z):
        """f-bar (n, k)."""
        return self.mean(z)

    def expected(self, constraints, z):
        """T-bar (n, m); the targets where a user's function of f-bar has no value."""
        return self.evaluate(constraints, z)[0]

    def evaluate(self, constraints, z):
        """T-bar (n, m) and log P(success | z) (n,), next to none where a user's function of f-bar has no value."""
        with np.errstate(all="ignore"):
            T = np.tile(constraints.target, (len(z), 1))
            if self.mean is not None:
                T = constraints.sufficient_statistics(self.mean(z))
        if self.noise is not None:
            T = T + self.noise(z) * constraints.scale
        log_success = np.zeros(len(z)) if self.works is None else -np.logaddexp(0.0, -self.works(z)[:, 0])
        undefined = ~np.isfinite(T).all(axis=1)
        T[undefined], log_success[undefined] = constraints.target, _NEVER
        return T, log_success


def learn(surrogate, replay, eta, problem, noisy, settings, counter):
    """A new `Surrogate` of all rows of the replay, starting from the last one (or None).

    ``eta`` (m,) are the multipliers of T: rows near their target count most.  ``noisy`` says whether T is random given
    z.  The fits draw from the run's stream ``Stream.SURROGATE`` at ``counter``.
    """
    constraints = problem.constraints
    generator = np.random.Generator(np.random.Philox(problem.seed(Stream.SURROGATE, counter)))
    first = surrogate is None or surrogate.mean is None
    steps = settings.surrogate_first_steps if first else settings.surrogate_steps
    rate = settings.surrogate_rate * (1.0 if first else _AGAIN)
    keep = replay.valid
    z, f = replay.z[keep], replay.f[keep]
    every = np.ones(len(replay)) if first else _weights(surrogate.expected(constraints, replay.z) @ eta, keep)

    def fit(network, x, y, rows, steps, **how):
        return train(network, x, y, rows, steps, rate, settings.surrogate_batch, generator, **how)

    mean = fit(surrogate and surrogate.mean, z, f, every[keep], steps, hidden=settings.surrogate_units)
    noise = None
    if noisy:
        with np.errstate(all="ignore"):
            remainder = constraints.remainder(f, mean(z)) / constraints.scale
        remainder = np.clip(np.nan_to_num(remainder), -_WORST_REMAINDER, _WORST_REMAINDER)
        old = surrogate and surrogate.noise
        noise = fit(old, z, remainder, every[keep], settings.surrogate_steps, hidden=_NOISE_HIDDEN)
    works = learn_success(surrogate and surrogate.works, replay, keep, every, settings, rate, generator)
    return Surrogate(mean, noise, works)


def learn_success(works, replay, reached, weights, settings, rate, generator):
    """The network of the log-odds that a simulation has ``reached`` (n,) what it is to reach; None if nearly all do.

    Parameters
    ----------
    works : Network or None
        Of earlier rows.
    weights : ndarray (n,)
        Of the rows, by z alone: whether a row worked may not count, or success would seem more likely than it is.
    """
    asked = replay.log_prior > -np.inf  # others have no prior density and were not simulated
    if (asked & ~reached).sum() < FEW_FAILED:
        return None
    exists = np.isfinite(replay.f) & asked[:, None]
    partly = (exists != reached[:, None]).sum(axis=0) >= FEW_FAILED
    label = np.column_stack([reached, exists[:, partly]]).astype(float)
    if works is not None and len(works.shift) != label.shape[1]:
        works = None  # other statistics than before exist in rows that fail
    weights = np.where(asked, weights, 0.0)
    factor = max(1.0, _LEAST_WORKING * weights.sum() / weights[reached].sum())
    weights[reached] *= factor
    works = train(
        works, replay.z, label, weights, settings.surrogate_steps, rate, settings.surrogate_batch, generator,
        hidden=_NOISE_HIDDEN, loss=LOGISTIC,
    )  # fmt: skip
    return replace(works, shift=np.full(label.shape[1], -np.log(factor)))  # those rows were over-represented


def _weights(exponent, valid):
    """Of rows with eta . T-bar ``exponent`` (n,), equal above what few of the ``valid`` ones exceed."""
    ceiling = np.quantile(exponent[valid], _WEIGHT_QUANTILE)
    return _EVERYWHERE + np.exp(np.minimum(_TEMPERATURE * (exponent - ceiling), 0.0))


def explained_share(T, expected, eta):
    """R^2 of eta . T-bar on rows that it has not seen: the share of the variance of eta . T that it explains."""
    exponent, residual = T @ eta, (T - expected) @ eta
    return float(1 - np.mean(residual**2) / max(np.var(exponent), 1e-12))
