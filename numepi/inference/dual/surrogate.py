"""A surrogate of the circuit: T-bar(z) = E[T | z] and the chance of success, learned from the rows simulated so far.

It learns the *statistics* f, smooth in z and of order one, and never exp(eta . T).  Where the circuit is noisy a second
network learns what the noise adds to T beyond T(f-bar): the conditional mean of the second-order remainder.  So weights
rest on T-bar, and single lucky draws pick nothing (docs/method.md: noise).  Where simulations fail a third network
learns the log-odds of success; the support of p* is the part that works.

What has learned from a noisy row has learned its noise, too: weights from there favour rows whose noise was lucky.  So
of a noisy circuit the surrogate is the mean of a few *members*, each of which has not seen a part of the rows, and the
weight of a row is that by the member that has not seen it (cross-fitting: Chernozhukov et al. 2018).
"""

from dataclasses import dataclass, replace

import numpy as np

from numepi.inference.dual.nearby import among_themselves, many_places
from numepi.inference.dual.network import LOGISTIC, Network, train
from numepi.inference.problem import Stream

__all__ = ["FEW_FAILED", "Member", "Surrogate", "explained_share", "learn", "learn_success", "rate_of"]

_NOISE_HIDDEN = 32  # units a layer: what noise adds varies less than the statistics do
# Of a noisy circuit: STG, KL of the surrogate's target after 4,096 and 10,484 rows (seed 1, first layers four times as
# sharp as usual) with 1 member 0.086 and 0.050, with 2 0.070 and 0.041, with 3 0.060 and 0.035.
_MEMBERS = 3
# Nats; a row's own noise moves its weight by 0.1 to 0.3.  Without, LIF's variances (1,000 rows, sharp layers, seeds 0
# to 2) end 11, 11 and 6 % too small.
_MOST_APART = 1.0
_WORST_REMAINDER = 50.0  # natural scales: rows beyond say nothing of where the answer is, and would rule the fit
_TEMPERATURE = 0.2  # of the target that rows are weighted towards: p^0.2 reaches far around p*
_EVERYWHERE = 0.05  # weight of a row wherever it lies, beside at most 1 for the target
_WEIGHT_QUANTILE = 0.98  # of eta . T-bar, from where weights are equal: no single row may rule
# Valid rows of a noisy circuit from which fits have all of the rate, and the share of it before: at 2e-2 a thousand
# rows are followed too closely (LIF, 1,000 rows, seed 0: KL 0.089; with these 0.040), and so are 1,500 of two
# parameters whose noise deviates by 0.3 to 1.5 (r.m.s. error of its variance 0.58 to 0.80, 0.45 to 0.55 at 5e-3).  A
# rate that rises to 4,000 rows left STG by default at 0.046, 0.051 and 0.021 from up to 21,223 rows, all of it from
# the second round on at 0.031, 0.025 and 0.042 from up to 12,950.  Without noise the share is no worse (LDS by
# default: 0.028, 0.036, 0.036; by more 0.029, 0.038, 0.044).
_FULL_RATE, _LEAST_RATE = 1600, 0.25
# Of a fit over the rows of a noisy circuit, at the least: with many of them steps are lacking.  KL of the target
# of STG's property 9 (52,193 rows, two more fits) by 1,000 steps (5) 0.245, by 3,000 (15) 0.112, by one fit of 6,000
# 0.115; of SC's (seed 2, on rows that it has not seen, one fit more): from 45,305 by 1,000 steps 0.103, 3,000 0.074,
# 5,000 0.063; from 30,601 by 1,000 0.127, 4,000 0.104; from 17,642 0.169 and 0.147.
_PASSES = 25
_MOST_SEEN = 100_000  # rows that such a fit takes time for: 10 s
_AGAIN = 0.6  # of the first fit's rate, when a fit goes on with new rows
_LEAST_WORKING = 0.1  # share of the weight that rows which work have at the least: a rare region must not be lost
_NEVER = -700.0  # log of a probability that is still a number
FEW_FAILED = 5  # failed rows from which a boundary can be learned


@dataclass(frozen=True)
class Member:
    """Networks of the ``mean`` of f and of the ``noise`` added to T (None: there is none)."""

    mean: Network
    noise: Network | None

    def expected(self, constraints, z):
        """T-bar (n, m); not finite where a user's function of f-bar has no value."""
        with np.errstate(all="ignore"):
            T = constraints.sufficient_statistics(self.mean(z))
        return T if self.noise is None else T + self.noise(z) * constraints.scale


@dataclass(frozen=True)
class Surrogate:
    """What was learned: the mean of its ``members``, and log-odds of success ``works`` (None: not needed).

    ``works`` has a column for success, and more that help to learn it: one for each statistic that exists in others.
    Without members nothing but success is known: too few rows work (`numepi.inference.dual.seek`).
    """

    members: tuple[Member, ...]
    works: Network | None

    def statistics(self, z):
        """f-bar (n, k)."""
        return np.mean([member.mean(z) for member in self.members], axis=0)

    def expected(self, constraints, z):
        """T-bar (n, m); the targets where a user's function of f-bar has no value."""
        return self.evaluate(constraints, z)[0]

    def evaluate(self, constraints, z):
        """T-bar (n, m) and log P(success | z) (n,), next to none where a user's function of f-bar has no value."""
        T = np.tile(constraints.target, (len(z), 1))
        if self.members:
            T = np.mean([member.expected(constraints, z) for member in self.members], axis=0)
        log_success = np.zeros(len(z)) if self.works is None else -np.logaddexp(0.0, -self.works(z)[:, 0])
        undefined = ~np.isfinite(T).all(axis=1)
        T[undefined], log_success[undefined] = constraints.target, _NEVER
        return T, log_success

    def expected_unseen(self, constraints, replay, eta):
        """T-bar (n_valid, m) of the valid rows of a replay, each by the member that has not seen it, if there are more.

        What a member's own errors put far from the mean of all, in eta . T-bar, counts for a nat.  The targets where a
        user's function of f-bar has no value.
        """
        z = replay.z[replay.valid]
        mean, unseen = self.expected(constraints, z), np.empty((len(z), len(constraints)))
        left_out = _left_out(len(replay), len(self.members))[replay.valid]
        for k, member in enumerate(self.members):
            unseen[left_out == k] = member.expected(constraints, z[left_out == k])
        apart = np.where(np.isfinite(unseen).all(axis=1)[:, None], unseen - mean, 0.0)
        return mean + apart * (_MOST_APART / np.maximum(np.abs(apart @ eta), _MOST_APART))[:, None]


def rate_of(settings, replay, noisy):
    """Adam's rate for new networks of the rows of a replay: the full one for many rows of a ``noisy`` circuit."""
    share = 1.0 if noisy and replay.valid.sum() >= _FULL_RATE else _LEAST_RATE
    return settings.surrogate_rate * share


def _left_out(n_rows, n_members):
    """Which member has not seen each row (n,): by its place, which it keeps; a single one is asked about all."""
    return np.arange(n_rows) % n_members


def learn(surrogate, replay, eta, problem, noisy, settings, counter):
    """A new `Surrogate` of all rows of the replay, starting from the last one (or None).

    ``eta`` (m,) are the multipliers of T: rows near their target count most.  ``noisy`` says whether T is random given
    z.  The fits draw from the run's stream ``Stream.SURROGATE`` at ``counter``.
    """
    generator = np.random.Generator(np.random.Philox(problem.seed(Stream.SURROGATE, counter)))
    n_members = _MEMBERS if noisy else 1
    known = surrogate is not None and surrogate.members
    first = not known or len(known) != n_members
    rate = rate_of(settings, replay, noisy) * (1.0 if first else _AGAIN)
    every = np.ones(len(replay))
    if known:
        exponent = surrogate.expected(problem.constraints, replay.z) @ eta
        if noisy and many_places(replay.z[replay.valid]):
            exponent[replay.valid] = _with_neighbours(exponent[replay.valid], replay, eta)
        every = _weights(exponent, replay.valid)
    old = [None] * n_members if first else known
    members = _members(old, replay, every, problem.constraints, noisy, settings, rate, generator)
    works = surrogate and surrogate.works
    works = learn_success(works, replay, replay.valid.copy(), every, settings, rate, generator)
    return Surrogate(members, works)


def _members(old, replay, weights, constraints, noisy, settings, rate, generator):
    """New members of the valid rows of the replay, ``weights`` (n,), each starting from the ``old`` one, or None."""
    left_out = _left_out(len(replay), len(old))
    keeps = [replay.valid & ((left_out != k) | (len(old) == 1)) for k in range(len(old))]
    passes = _PASSES if noisy else 0
    least = int(passes * min(len(replay), _MOST_SEEN) / settings.surrogate_batch)
    further = max(least, settings.surrogate_steps)
    steps = further if old[0] else max(least, settings.surrogate_first_steps)

    def fit(network, keep, y, steps, hidden):
        z, rows, batch = replay.z[keep], weights[keep], settings.surrogate_batch
        return train(network, z, y[keep], rows, steps, rate, batch, generator, hidden=hidden)

    means = [fit(m and m.mean, keep, replay.f, steps, settings.surrogate_units) for m, keep in zip(old, keeps)]
    if not noisy:
        return tuple(Member(mean, None) for mean in means)
    remainder = _remainder(means, left_out, replay, constraints)
    noises = [fit(m and m.noise, keep, remainder, further, _NOISE_HIDDEN) for m, keep in zip(old, keeps)]
    return tuple(Member(mean, noise) for mean, noise in zip(means, noises))


def _remainder(means, left_out, replay, constraints):
    """What noise adds to T at each row (n, m), in natural scales, about the mean of the member that has not seen it.

    A mean that has seen a row follows its noise, and shows too little of it: half the variance of the error of
    eta . T-bar falls from 0.045 to 0.03 (STG, seed 0, 10,129 rows), from 0.105 to 0.07 with 1,000 (its property 7).
    """
    about = np.empty(replay.f.shape)
    for k, mean in enumerate(means):
        about[left_out == k] = mean(replay.z[left_out == k])
    with np.errstate(all="ignore"):
        remainder = constraints.remainder(replay.f, about) / constraints.scale
    return np.clip(np.nan_to_num(remainder), -_WORST_REMAINDER, _WORST_REMAINDER)


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


def _with_neighbours(exponent, replay, eta):
    """The greater of what the surrogate says of valid rows, ``exponent`` (n_valid,), and what those next to them do.

    Where it misses a part of the target the rows there must not count for little, or it will miss it for good.  That a
    row's own noise has no part in its weight leaves the fit without bias.
    """
    return np.maximum(exponent, among_themselves(replay.z[replay.valid], replay.T[replay.valid] @ eta))


def _weights(exponent, valid):
    """Of rows with eta . T-bar ``exponent`` (n,), equal above what few of the ``valid`` ones exceed."""
    ceiling = np.quantile(exponent[valid], _WEIGHT_QUANTILE)
    return _EVERYWHERE + np.exp(np.minimum(_TEMPERATURE * (exponent - ceiling), 0.0))


def explained_share(T, expected, eta):
    """R^2 of eta . T-bar on rows that it has not seen: the share of the variance of eta . T that it explains."""
    exponent, residual = T @ eta, (T - expected) @ eta
    return float(1 - np.mean(residual**2) / max(np.var(exponent), 1e-12))
