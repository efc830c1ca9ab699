"""Neural posterior estimation (sbi): SNPE-C with the paper's network, on the exemplar x0 = mu."""

import numpy as np

__all__ = ["npe", "npe_with_noise"]

_ROUND = 1000
_MAX_ROUNDS = 30
# A masked autoregressive flow samples one parameter after the other: above N = 50 more draws take minutes a look.
_MANY_PARAMETERS, _FEW_DRAWS = 200, 1000


def npe(problem, seed, referee):
    """As the paper ran it: the posterior given that the statistics are mu."""
    return _npe(problem, seed, referee)


def npe_with_noise(problem, seed, referee):
    """The same with noise of the property's sigma added to the simulated statistics, so that they may vary by it."""
    return _npe(problem, seed, referee, problem.sigma)


def _npe(problem, seed, referee, noise=0.0):
    # Not at the head of the module: asv imports every module here, with or without the peers.
    import torch
    from sbi.inference import NPE_C
    from sbi.neural_nets import posterior_nn
    from sbi.utils import BoxUniform

    referee.start()  # imports are no part of the method
    torch.manual_seed(seed)
    torch.set_num_threads(1)  # on networks of this size two threads cost more than they bring
    rng = np.random.default_rng(seed)
    prior = BoxUniform(*(torch.tensor(bound, dtype=torch.float32) for bound in problem.box))
    # Masked autoregressive flow, three transforms, 50 hidden units, and a map to the support, as in the paper.
    network = posterior_nn(
        "zuko_maf", hidden_features=50, num_transforms=3, z_score_theta="transform_to_unconstrained", x_dist=prior
    )
    inference = NPE_C(prior=prior, density_estimator=network, show_progress_bars=False)
    x0 = torch.tensor(problem.mu[None], dtype=torch.float32)
    most = _FEW_DRAWS if len(problem.box[0]) > _MANY_PARAMETERS else None
    posterior, simulations, losses, status = None, 0, [], f"{_MAX_ROUNDS} rounds"
    for number in range(_MAX_ROUNDS):
        proposal = prior if posterior is None else posterior
        theta = _sample(proposal, _ROUND)
        f = problem.circuit.statistics(theta.numpy().astype(float), rng=int(rng.integers(2**31)))
        x = torch.tensor(f + noise * rng.standard_normal(f.shape), dtype=torch.float32)
        inference.append_simulations(theta, x, proposal=posterior).train(training_batch_size=200)
        posterior = inference.build_posterior().set_default_x(x0)
        simulations += _ROUND
        referee.look(lambda n, answer=posterior: _sample(answer, most or n).numpy(), simulations)
        losses.append(inference.summary["best_validation_loss"][-1])
        # The paper's rule; the first round has another loss than the later ones.
        if number > 2 and min(losses[-2:]) > min(losses[1:-2]):
            status = f"validation loss rose for two rounds ({number + 1} rounds)"
            break
        if referee.expired:
            status = f"out of CPU seconds ({number + 1} rounds)"
            break
    return {
        "draw": lambda n: _sample(posterior, most or n).numpy().astype(float),
        # Nothing is outside of the map's support: no share to be found by sampling.
        "log_prob": lambda z: posterior.log_prob(torch.tensor(z, dtype=torch.float32), norm_posterior=False).numpy(),
        "simulations": simulations,
        "status": status,
    }


def _sample(distribution, n):
    extra = {"show_progress_bars": False} if hasattr(distribution, "default_x") else {}
    return distribution.sample((n,), **extra).detach()
