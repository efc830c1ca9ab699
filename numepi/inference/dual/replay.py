"""Every simulation of the run, with deterministic mixture weights: adaptive multiple importance sampling.

Round r draws from g_r = (1 - d_r) q_r + d_r q_0: the flow as it was, and a share d_r of the start (the prior on a box),
which bounds the weights and keeps looking where the flow has no mass; the survey has d = 1.  A row's density is that of
the mixture of *all* rounds (Owen & Zhou 2000; Cornuet et al. 2012), so a lucky early draw carries no outsized weight.
Rows from elsewhere, whose density is known at those rows only, are a stratum of their own.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy.special import logsumexp

__all__ = ["Replay", "add_foreign", "add_round", "add_unweighted", "empty_replay"]


@dataclass(frozen=True)
class Replay:
    """Rows in the order in which they were simulated; those that failed are kept, with NaN statistics.

    Attributes
    ----------
    z : ndarray (n, D)
    f : ndarray (n, k)
        Statistics of one simulation.
    T : ndarray (n, m)
        Their sufficient statistics.
    valid : ndarray (n,), bool
        Whether T is finite.
    log_prior, log_start : ndarray (n,)
        log p0 and log q_0.
    log_flows : ndarray (n, rounds)
        Of the rounds' flows.
    log_foreign : ndarray (n,)
        Density of rows from elsewhere, and infinite in rows without one, which have no weight; NaN in the others.
    thetas : ndarray (rounds, P)
    drawn : ndarray (rounds,), int
        Rows of each round that came from its flow.
    n_start : int
        Rows that came from the start, in all rounds and the survey.
    n_explored : int
        Rows of the run that have no density.
    """

    z: np.ndarray
    f: np.ndarray
    T: np.ndarray
    valid: np.ndarray
    log_prior: np.ndarray
    log_start: np.ndarray
    log_flows: np.ndarray
    log_foreign: np.ndarray
    thetas: np.ndarray
    drawn: np.ndarray
    n_start: int
    n_explored: int

    def __len__(self):
        return len(self.z)

    @property
    def n_simulated(self):
        """Rows of the run itself."""
        return int(np.isnan(self.log_foreign).sum()) + self.n_explored

    @property
    def counts(self):
        """Valid rows that have weight (n,)."""
        return self.valid & (self.log_foreign != np.inf)

    @property
    def log_proposal(self):
        """log g of each row (n,): the mixture of all rounds, or what a row from elsewhere came with."""
        own = np.isnan(self.log_foreign)
        total = self.n_start + self.drawn.sum()
        with np.errstate(divide="ignore"):
            shares = np.log(np.append(self.drawn, self.n_start) / max(total, 1))
        density = logsumexp(np.column_stack([self.log_flows, self.log_start]) + shares, axis=1)
        return np.where(own, density, self.log_foreign)

    @property
    def log_base(self):
        """log p0 - log g of the valid rows (n_valid,): their weight at eta = 0."""
        return (self.log_prior - self.log_proposal)[self.valid]


def empty_replay(dim, n_statistics, n_constraints, n_parameters):
    """A replay without rows."""
    rows = np.empty(0)
    return Replay(
        np.empty((0, dim)), np.empty((0, n_statistics)), np.empty((0, n_constraints)), np.empty(0, bool), rows, rows,
        np.empty((0, 0)), rows, np.empty((0, n_parameters)), np.empty(0, int), 0, 0,
    )  # fmt: skip


def add_round(replay, flow, theta, theta_start, n_start, z, f, T, log_prior):
    """Add the rows of a round: the first ``n_start`` from the start, the others from the flow at ``theta``."""
    thetas, drawn, old = replay.thetas, replay.drawn, replay.log_flows
    if n_start < len(z):
        thetas = np.concatenate([thetas, theta[None]])
        drawn = np.append(drawn, len(z) - n_start)
        old = np.column_stack([old, flow.log_prob(theta, replay.z)]) if len(replay) else np.empty((0, len(drawn)))
    return _append(
        replace(replay, thetas=thetas, drawn=drawn, log_flows=old, n_start=replay.n_start + n_start),
        flow, theta_start, z, f, T, log_prior, np.full(len(z), np.nan),
    )  # fmt: skip


def add_foreign(replay, flow, theta_start, z, f, T, log_prior, log_density):
    """Add rows simulated elsewhere, with the log density (n,) that they were drawn from, infinite where unknown."""
    return _append(replay, flow, theta_start, z, f, T, log_prior, log_density)


def add_unweighted(replay, flow, theta_start, z, f, T, log_prior):
    """Add rows of the run that are to be learned from, and have no weight."""
    return _append(
        replace(replay, n_explored=replay.n_explored + len(z)),
        flow, theta_start, z, f, T, log_prior, np.full(len(z), np.inf),
    )  # fmt: skip


def _append(replay, flow, theta_start, z, f, T, log_prior, log_foreign):
    flows = np.column_stack([flow.log_prob(t, z) for t in replay.thetas]) if len(replay.thetas) else None
    return replace(
        replay,
        z=np.concatenate([replay.z, z]),
        f=np.concatenate([replay.f, f]),
        T=np.concatenate([replay.T, T]),
        valid=np.concatenate([replay.valid, np.isfinite(T).all(axis=1)]),
        log_prior=np.concatenate([replay.log_prior, log_prior]),
        log_start=np.concatenate([replay.log_start, flow.log_prob(theta_start, z)]),
        log_flows=np.concatenate([replay.log_flows, np.empty((len(z), 0)) if flows is None else flows]),
        log_foreign=np.concatenate([replay.log_foreign, log_foreign]),
    )
