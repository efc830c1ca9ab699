"""No success and no reliable certificate where the answer is wrong by more than its error: on problems made to deceive.

The truth is in `adversarial_problems`: multipliers and entropy of the exact solution by quadrature, and with them the
distance of any flow from it, on fresh draws.
"""

import numpy as np
import pytest

import numepi as ne
from tests.inference.adversarial_problems import PROBLEMS, solution

QUICK = {
    "progress": False, "max_simulations": 20_000, "surrogate_first_steps": 600, "surrogate_steps": 300,
    "landing_steps": 300, "pool_size": 4000, "check_size": 5000, "score_draws": 10_000, "descent_steps": 300,
}  # fmt: skip
ALGORITHM_1 = {"progress": False, "epochs": 4, "iterations_per_epoch": 150, "batch_size": 200, "n_tests": 50}
# Without a surrogate, by likelihood at far too high a rate: what leads away is taken back while a surrogate leads.  And
# without a limit: in a limited run a surrogate whose answer met the constraints is kept, however little it explains.
COLLAPSING = ["collapse", "collapse of two modes"]
REPLAY = {
    "max_simulations": None, "kl": 1e-9, "least_explained": 0.99999999, "most_misses": 1, "most_early_misses": 1,
    "replay_rows": 1500, "replay_fit_steps": 60, "final_rounds": 3, "refine_steps": 100,
}  # fmt: skip
SIGMAS, SLACK = 3.0, 0.05  # standard errors and nats
N = 40_000
FEASIBLE = [name for name, problem in PROBLEMS.items() if problem.entropy is not None]


def answer(name):
    """The result of a run with a small budget."""
    problem = PROBLEMS[name]
    budget = ALGORITHM_1 if problem.settings.get("solver") == "augmented-lagrangian" else QUICK
    settings = (
        budget
        | {"flow": getattr(ne, problem.family)(problem.support, stages=3, hidden=(16, 16))}
        | (REPLAY if name in COLLAPSING else {})
        | problem.settings
    )
    with np.errstate(all="ignore"):
        return ne.infer(problem.circuit(), problem.prop, rng=1, prior=problem.prior, **settings)


def truth(name, result):
    """KL(q || p*) and its error, entropy relative to the prior, and E_q[T] - mu_opt with its errors, of what works."""
    problem = PROBLEMS[name]
    z, log_q = result.distribution.sample_with_log_prob(N, rng=77)
    log_prior = problem.log_prior(z)
    works = np.isfinite(log_prior)
    share = works.mean()
    z, log_ratio = z[works], (log_q - log_prior)[works]
    violation = problem.violation(z)
    entropy = np.log(share) - log_ratio.mean()
    exact = solution(name)
    distance = log_ratio - violation @ exact.eta
    kl = distance.mean() - np.log(share) + exact.entropy
    error = np.sqrt(distance.var() / len(z) + (1 - share) / (share * N))
    return kl, error, entropy, violation.mean(axis=0), violation.std(axis=0) / np.sqrt(len(z))


@pytest.mark.parametrize("name", FEASIBLE)
def test_the_exact_solutions_are_those_of_the_table(name):
    exact = solution(name)
    assert exact.entropy == pytest.approx(PROBLEMS[name].entropy, abs=2e-3)
    assert exact.gradient < 1e-6  # in natural scales


@pytest.mark.filterwarnings("ignore:badly conditioned")
@pytest.mark.parametrize("name", PROBLEMS)
def test_nothing_is_said_that_is_not_so(name):
    result, problem = answer(name), PROBLEMS[name]
    certificate = result.certificate
    if problem.entropy is None:
        assert not result.success and result.status != "near the optimum"
        assert not certificate.reliable
        return
    if not (result.success or certificate.reliable):
        return
    kl, error, entropy, violation, violation_error = truth(name, result)
    if result.success:
        slack = SIGMAS * np.hypot(violation_error, result.constraint_stderr)
        assert np.all(np.abs(violation) <= result.constraint_tolerance + slack)
        assert -result.relative_entropy == pytest.approx(entropy, abs=SIGMAS * 2 * result.entropy_stderr + SLACK)
    if certificate.reliable:
        assert certificate.kl == pytest.approx(kl, abs=SIGMAS * np.hypot(error, certificate.kl_stderr) + SLACK)
        allowed = SIGMAS * certificate.entropy_bound_stderr + SLACK
        assert certificate.entropy_bound == pytest.approx(problem.entropy, abs=allowed)
    if result.status == "near the optimum":
        assert kl < 0.3 + SIGMAS * np.hypot(error, certificate.kl_stderr) + SLACK


@pytest.mark.parametrize("name", COLLAPSING)
def test_a_flow_that_breaks_down_is_a_failure_by_name(name):
    result = answer(name)
    assert not result.success and result.status == "failed" and "no longer invertible in float64" in result.message
    assert not result.certificate.reliable and result.certificate.failures
    assert "entropy unknown" in result.summary()


def test_noise_above_the_target_is_named_with_both_numbers():
    message = answer("noise of 0.62 in 0.5").message
    assert "infeasible" in message and "target variance is 0.5" in message and "variance 0.6" in message
