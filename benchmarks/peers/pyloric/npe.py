"""sbi's neural posterior estimation, with what it offers where most simulations fail: truncation, and a classifier.

Truncated sequential estimation (Deistler, Goncalves & Macke 2022, who did so for this network): each round draws from
the prior where the present posterior has density, which keeps the loss of the first round; and where a classifier,
sbi's `RestrictionEstimator` on all rows, expects simulations to work.  The classifier alone is no way to begin: trained
on 2,800 draws of the box, 22 of which work, it keeps a third of the others, of which 1.2 % work.

The truncated prior is sampled by importance resampling of the posterior's draws, as theirs;
``RestrictedPrior(sample_with="sir")`` of sbi 0.27 does not leave out what is outside (its potential is 1 or 0, and not
the logarithm of that).
"""

import numpy as np

from benchmarks.peers.pyloric.question import CLIP, pyloric

__all__ = ["npe"]

_ROUND = 512
_MISSED = 0.1  # of the networks of the box that work, that the classifier may leave out
_QUANTILE = 1e-3  # of the posterior, that truncation cuts off
_CANDIDATES = 16  # of the posterior for one draw of the truncated prior
_BATCH = 50  # rows of a training step: of 46 that work


def npe(box, rows, seed):
    """The posterior given the six means over animals; parameters in the unit cube, features in animals' s.d."""
    # Not at the head of the module: asv imports every module here, with or without the peers.
    import torch
    from sbi.utils import BoxUniform, RestrictionEstimator

    torch.manual_seed(seed)
    torch.set_num_threads(1)
    prior = BoxUniform(*(torch.full((pyloric.CIRCUIT.support.dim,), edge) for edge in (0.0, 1.0)))
    classifier, known, shares = RestrictionEstimator(prior=prior), [box], []
    for number in range(rows // _ROUND + 1):
        classifier.append_simulations(*_pairs(known[-1])).train(loss_importance_weights=True)
        posterior = _learned(prior, pyloric.joined(*known))
        if number == rows // _ROUND:
            break
        works = classifier.restrict_prior(allowed_false_negatives=_MISSED)
        z = _in_box(_truncated(posterior, works))
        known.append(pyloric.Networks(z, pyloric.CIRCUIT.statistics(z, rng=[seed, number]), np.full(len(z), np.nan)))
        shares.append(known[-1].valid.mean())
    status = f"of its rounds {', '.join(f'{share:.0%}' for share in shares)} work"
    return {"draw": lambda n: _in_box(_draws(posterior, n)), "status": status}


def _pairs(networks):
    """Parameters in the unit cube and features in animals' s.d., as tensors."""
    import torch

    x = np.clip(networks.standard, -CLIP, CLIP)
    return tuple(torch.tensor(a, dtype=torch.float32) for a in (pyloric.in_ranges(networks.z), x))


def _learned(prior, networks):
    """The posterior of the networks that work, at the observation: neural splines, as in their fit of this network."""
    import torch
    from sbi.inference import NPE

    inference = NPE(prior=prior, density_estimator="nsf", show_progress_bars=False)
    worked = networks.part(networks.valid)
    inference.append_simulations(*_pairs(worked)).train(training_batch_size=_BATCH)
    return inference.build_posterior().set_default_x(torch.zeros(1, len(pyloric.FIXED)))


def _draws(posterior, n):
    return posterior.sample((n,), show_progress_bars=False)


def _truncated(posterior, works):
    """`_ROUND` draws of the prior ``works`` where the posterior is dense: of each lot of its draws one, by 1/q."""
    import torch

    u = _draws(posterior, _ROUND * _CANDIDATES)
    log_q = posterior.log_prob(u, norm_posterior=False)
    log_prior = works.log_prob(u, norm_restricted_prior=False)
    dense = log_q > torch.quantile(log_q, _QUANTILE)
    log_weights = torch.where(dense, log_prior - log_q, -torch.inf).reshape(_ROUND, _CANDIDATES)
    kept = torch.isfinite(log_weights).any(dim=1)
    chosen = torch.distributions.Categorical(logits=log_weights[kept]).sample()
    return u.reshape(_ROUND, _CANDIDATES, -1)[kept, chosen]


def _in_box(u):
    support = pyloric.CIRCUIT.support
    return support.lower + support.width * np.clip(u.numpy().astype(float), 0.0, 1.0)
