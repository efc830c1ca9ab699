"""A flow fitted to what the rounds have learned of the pyloric network, with score and certificate from fresh rows.

Chains on the surrogate give draws of its exp(eta . T-bar) P(success) that cost no simulation.  The flow is fitted to
them by likelihood, and then by the gradients of KL(p || q), on the chains' draws, and KL(q || p), on its own, together.
`numepi.inference.dual.pool.fit_steps` takes KL(p || q) by weights p/g of draws from the flow: here next to none would
have weight, and the chains' own draws, whose density is known up to a constant only, need none.
"""

from typing import NamedTuple

import numpy as np

import numepi as ne
from numepi.archive import replacing
from numepi.inference.assessment.own_rows import Beliefs, Rows
from numepi.inference.assessment.row_certificate import certify_rows
from numepi.inference.dual.pool import draw_pool
from numepi.inference.optimiser import Adam
from numepi.inference.problem import Problem, Stream
from paper import pyloric, pyloric_rounds

__all__ = ["Answer", "fitted", "judged", "load", "save"]

CIRCUIT = ne.circuits.Pyloric(features="A")
_SUPPORT = CIRCUIT.support
FLOW = ne.SplineFlow(_SUPPORT, hidden=(32, 32), precision="float32")
_DRAWS, _THIN = 50, 20  # times that the chains are looked at, and steps between
_LIKELIHOOD_STEPS, _STEPS, _BATCH, _POOL, _RENEWED = 1000, 500, 256, 4096, 50
_LIKELIHOOD_RATE, _RATE, _LAST_RATE = 5e-3, 1e-3, 1e-4
_CLIP, _GROWTH = 4.0, 0.7  # nats of r about its median; that log q may gain until the draws are renewed
_AVERAGING = 0.98
_ROWS, _REPEATS, _MANY = 500, 100, 8000  # fresh rows, of which so many twice; draws that cost no simulation


class Answer(NamedTuple):
    """Parameters ``theta`` of `FLOW`, fresh draws ``z`` (n, 31), their features ``f`` (n, 6), and the certificate."""

    theta: np.ndarray
    z: np.ndarray
    f: np.ndarray
    verdict: str

    @property
    def valid(self):
        """Which have all features: (n,)."""
        return np.isfinite(self.f).all(axis=1)

    @property
    def standard(self):
        """Features from the animals' means in their standard deviations: (n, 6)."""
        return pyloric.standardised(self.f)


def fitted(settled, bias, generator):
    """Parameters of `FLOW`, fitted to where ``settled`` chains go, and these (`paper.pyloric_rounds.Settled`).

    The multipliers go on to follow the chains' moments, with the surrogate's ``bias`` (12,).
    """
    chains, eta, parts = settled.chains, settled.eta, []
    for _ in range(_DRAWS):
        chains, eta, _ = pyloric_rounds.evolve(chains, settled.surrogate, eta, bias, generator, _THIN)
        parts.append(_SUPPORT.lower + _SUPPORT.width * chains)
    settled, draws = settled._replace(eta=eta, chains=chains), np.concatenate(parts)
    theta = FLOW.initial_parameters(np.random.SeedSequence(0))
    theta = _fit(theta, draws, None, _LIKELIHOOD_STEPS, (_LIKELIHOOD_RATE, _LAST_RATE), generator)
    return _fit(theta, draws, _log_target(settled), _STEPS, (_RATE, _LAST_RATE), generator), settled


def _log_target(settled):
    def log_target(z):
        T, log_success = settled.surrogate(pyloric.in_ranges(z))
        return T @ settled.eta + log_success

    return log_target


def _fit(theta, draws, log_target, steps, rates, generator):
    """Steps of Adam by likelihood of ``draws``, and by KL(q || target) where there is a target."""
    adam, average, own = Adam(len(theta), clip_norm=5.0), theta.copy(), _BATCH * (log_target is not None)
    for step in range(steps):
        z, weights = draws[generator.integers(len(draws), size=_BATCH)], np.full(_BATCH, -1 / _BATCH)
        if own and step % _RENEWED == 0:
            pool, log_pool = FLOW.sample(average, generator.standard_normal((_POOL, FLOW.dim)))
            target = log_target(pool)
        if own:
            rows = generator.integers(_POOL, size=own)
            z = np.concatenate([z, pool[rows]])
        log_q, pullback = FLOW.log_prob_with_pullback(theta, z)
        if own:
            present = np.exp(np.minimum(log_q[_BATCH:] - log_pool[rows], _GROWTH))
            present /= present.sum()
            ratio = log_q[_BATCH:] - target[rows]
            ratio = np.clip(ratio - np.median(ratio), -_CLIP, _CLIP)
            weights = np.concatenate([weights, present * (ratio - present @ ratio)])
        rate = rates[1] + (rates[0] - rates[1]) * 0.5 * (1 + np.cos(np.pi * step / steps))
        theta = adam.step(theta, pullback(weights)[0], rate)
        average = _AVERAGING * average + (1 - _AVERAGING) * theta
    return average


def judged(theta, settled, seed):
    """The `Answer`: fresh rows of the flow, and what they say, with the surrogate as control variate."""
    problem = Problem(CIRCUIT, CIRCUIT.emergent_property(), np.random.SeedSequence(seed))
    generator = np.random.default_rng([seed, 2])
    z, log_q = FLOW.sample(theta, generator.standard_normal((_ROWS, FLOW.dim)))
    f, T = problem.simulate_rows(np.concatenate([z, z[:_REPEATS]]), Stream.NOISE, 0)
    eta = settled.eta * np.repeat([1.0, np.sqrt(2)], 6)  # of constraints in natural scales
    start = FLOW.initial_parameters(np.random.SeedSequence(0))
    draws = draw_pool(FLOW, theta, start, lambda z: np.zeros(len(z)), _MANY, 0.0, generator)
    at_start, _ = FLOW.sample(start, generator.standard_normal((_MANY // 4, FLOW.dim)))
    rows = Rows(
        own=np.ones(_ROWS, bool), inside=np.ones(_ROWS, bool), valid=np.isfinite(T[:_ROWS]).all(axis=1), z=z,
        f=f[:_ROWS], T=T[:_ROWS], beliefs=_beliefs(problem, settled, z, log_q, start), repeats=T[_ROWS:],
    )  # fmt: skip
    beliefs = _beliefs(problem, settled, draws.z, draws.log_q, start)
    of_start = _beliefs(problem, settled, at_start, FLOW.log_prob(theta, at_start), start)
    log_weights = rows.beliefs.log_weights(
        (rows.beliefs.T - problem.constraints.target) / problem.constraints.scale @ eta, 0.0
    )
    weights = np.where(rows.valid, np.exp(log_weights - log_weights.max()), 0.0)[rows.valid]
    certificate = certify_rows(
        problem, eta, rows, beliefs, of_start, 0.0, weights / weights.sum(), replicates=4, round_trip=0.0
    )
    return Answer(theta, z, f[:_ROWS], str(certificate))


def _beliefs(problem, settled, z, log_q, start):
    T, log_success = settled.surrogate(pyloric.in_ranges(z))
    constraints = problem.constraints
    spread = constraints.scale[:6]
    f = constraints.target[:6] + T[:, :6] * spread
    in_units = np.concatenate([f, (T[:, 6:] + 1) * spread**2], axis=1)
    return Beliefs(
        log_q=log_q, log_start=FLOW.log_prob(start, z), log_prior=np.zeros(len(z)), success=np.exp(log_success), f=f,
        T=in_units,
    )  # fmt: skip


def save(path, answer):
    """Keep it, numbers in single precision."""
    numbers = {name: np.asarray(getattr(answer, name), np.float32) for name in ("theta", "z", "f")}
    with replacing(path) as file:
        np.savez_compressed(file, verdict=answer.verdict, **numbers)


def load(path):
    """What `save` kept."""
    with np.load(path) as stored:
        return Answer(*(stored[name].astype(float) for name in ("theta", "z", "f")), str(stored["verdict"]))
