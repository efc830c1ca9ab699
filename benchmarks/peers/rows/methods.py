"""Three ways to spend a number of simulations on one property, each a function of (exact, rows, seed).

``exact`` is the `benchmarks.exact.Exact` that judges them.  Each returns a dict: ``draw(n)`` gives parameters (n, D)
and their log densities (n,), ``rows`` says how many simulations were made; ``effective`` how many of them carry weight.
"""

import numpy as np
from scipy.special import logsumexp

import numepi as ne
from numepi.inference.dual_problem import effective_sample_size, minimise_dual, normalised_weights
from numepi.inference.optimiser import Adam

__all__ = ["METHODS", "exemplar", "posterior_gap"]

_FLOOR = 2.0  # effective rows that the dual of plain reweighting may go down to
_STEPS, _BATCH, _RATE, _LOOK = 1000, 256, 5e-3, 25
_HELD_OUT = 0.2


def numepi(exact, rows, seed):
    """The default solver with default settings and the number of rows as its cap."""
    result = ne.infer(exact.circuit, exact.prop, rng=seed, progress=False, max_simulations=rows)
    return {
        "draw": lambda n: result.distribution.sample_with_log_prob(n, rng=2),
        "rows": result.n_simulations,
        "status": result.status,
    }


def reweighting(exact, rows, seed):
    """Rows from the prior, weighted with exp(eta . T), and numepi's default flow fitted to them by maximum likelihood.

    A fifth of the rows is held out of the fit: the flow is taken at the step that they like best.
    """
    rng = np.random.default_rng(seed)
    z = rng.uniform(exact.circuit.support.lower, exact.circuit.support.upper, (rows, exact.circuit.support.dim))
    violation = exact.violation(z, rng=int(rng.integers(2**31)))
    works = np.isfinite(violation).all(axis=1)
    z, violation = z[works], violation[works]
    eta = minimise_dual(violation, np.zeros(len(z)), np.zeros(violation.shape[1]), _FLOOR).eta
    weights = normalised_weights(violation @ eta)
    flow = ne.SplineFlow(exact.circuit.support)
    q = ne.flow.FlowDistribution(flow, _by_likelihood(flow, z, weights, rng))
    return {
        "draw": lambda n: q.sample_with_log_prob(n, rng=2),
        "rows": rows,
        "effective": float(effective_sample_size(weights)),
        "status": "",
    }


def _by_likelihood(flow, z, weights, rng):
    """Parameters of ``flow`` fitted to weighted rows."""
    held_out = rng.random(len(z)) < _HELD_OUT
    train = np.where(held_out, 0.0, weights)
    train /= train.sum()
    theta = flow.initial_parameters(_seed(rng))
    best, best_theta, optimiser = -np.inf, theta, Adam(len(theta), clip_norm=5.0)
    for step in range(_STEPS):
        if step % _LOOK == 0:
            gain = weights[held_out] @ flow.log_prob(theta, z[held_out])
            if gain > best:
                best, best_theta = gain, theta
        batch = z[rng.choice(len(z), _BATCH, p=train)]
        _, pullback = flow.log_prob_with_pullback(theta, batch)
        rate = _RATE * 0.5 * (1 + np.cos(np.pi * step / _STEPS))
        gradient, _ = pullback(np.full(_BATCH, -1 / _BATCH))
        theta = optimiser.step(theta, gradient, rate)
    return best_theta


def _seed(rng):
    """An integer for functions that take one."""
    return int(rng.integers(2**31))


def npe(exact, rows, seed):
    """sbi's NPE on rows from the prior, asked for the posterior that is p*.

    p* ~ p0 exp(eta1 (f - mu) + eta2 (f - mu)^2) is the posterior of f = x0 under Gaussian noise of variance
    s^2 = -1 / (2 eta2) where x0 = mu + eta1 s^2.  So noise of this s is added to the simulated statistics, by the exact
    eta, which the method could not know.  With noise in f itself the posterior averages exp(eta . T) and not T.
    """
    import torch
    from sbi.inference import NPE
    from sbi.utils import BoxUniform

    torch.manual_seed(seed)
    torch.set_num_threads(1)
    rng, support = np.random.default_rng(seed), exact.circuit.support
    x0, variance = exemplar(exact)
    prior = BoxUniform(*(torch.tensor(bound, dtype=torch.float32) for bound in (support.lower, support.upper)))
    z = prior.sample((rows,))
    f = exact.circuit.statistics(z.numpy().astype(float), rng=_seed(rng))
    x = torch.tensor(f + np.sqrt(variance) * rng.standard_normal(f.shape), dtype=torch.float32)
    inference = NPE(prior=prior, show_progress_bars=False)
    inference.append_simulations(z, x).train()
    posterior = inference.build_posterior()
    x0 = torch.tensor(x0[None], dtype=torch.float32)

    def draw(n):
        samples = posterior.sample((n,), x=x0, show_progress_bars=False)
        return samples.numpy().astype(float), posterior.log_prob(samples, x=x0).numpy().astype(float)

    return {"draw": draw, "rows": rows, "status": ""}


def exemplar(exact):
    """x0 (k,) and variances s^2 (k,) with which a posterior is p*: see `npe`."""
    k = len(exact.constraints) // 2
    eta = exact.eta / exact.constraints.scale
    variance = -0.5 / eta[k:]
    return exact.constraints.target[:k] + eta[:k] * variance, variance


def posterior_gap(exact, replicates=64):
    """KL(posterior || p*) in nats of the posterior that `npe` is asked for, were it exact: zero without noise in f.

    On the points of the quadrature, with as many simulations of each.
    """
    terms = np.array([exact.violation(exact.z, rng=1000 + r) @ exact.eta for r in range(replicates)])
    log_posterior = logsumexp(terms, axis=0)
    log_posterior -= logsumexp(log_posterior)
    return float(np.exp(log_posterior) @ (log_posterior - np.log(exact.weights)))


METHODS = {"numepi": numepi, "reweighting": reweighting, "npe": npe}
