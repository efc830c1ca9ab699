"""The certificate by particles: closed forms in many dimensions, agreement with the one by weights, lost modes."""

import numpy as np
import pytest
from scipy import stats

import numepi as ne
from numepi.flow.families.gaussian import fit_gaussian
from numepi.inference.assessment.correction import moved_sample
from numepi.inference.assessment.particle_certificate import _plainest, certify_by_particles
from numepi.inference.assessment.score import score
from numepi.inference.assessment.weights import certify
from numepi.inference.particles.annealing import ParticleSettings
from numepi.inference.particles.density import TemperedDensity
from numepi.inference.particles.evidence import Evidence
from numepi.inference.particles.plain import plain_flow
from numepi.inference.problem import Problem
from tests.inference.particles.problems import EXACT, MEAN, VARIANCE, Normal, projections

QUICK = ParticleSettings(particles=200, settle=6)


def base_flow(circuit):
    """The flow that is the support's map and nothing else: uniform on a box, a standard normal without bounds."""
    return plain_flow(circuit.support)


def certified(circuit, prop, prior=None, multipliers=None, settings=QUICK, seed=0):
    """Problem, score and certificate of that flow."""
    problem = Problem(circuit, prop, np.random.SeedSequence(seed), prior, with_gradient=circuit.differentiable)
    flow, theta = base_flow(circuit), np.zeros(0)
    if multipliers is None:
        multipliers = np.zeros(len(problem.constraints))
    scored = score(problem, flow, theta, 8000)
    return problem, scored, certify_by_particles(problem, flow, theta, theta, multipliers, scored, settings=settings)


@pytest.mark.parametrize("dim", [2, 100])
def test_a_gaussian_of_known_distance(dim):
    prop = ne.EmergentProperty(mean=MEAN, variance=VARIANCE)
    problem, _, found = certified(projections(dim), prop, Normal(dim))
    assert problem.counts["fit"] == 0 and problem.counts["certificate"] > 1000
    # q is the standard normal, p* another one along two directions
    exact_kl = 0.5 * float(np.sum((1 + MEAN**2) / VARIANCE - 1 + np.log(VARIANCE)))
    assert found.method == "particles" and found.reliable, found.doubts
    assert abs(found.entropy_bound - EXACT) < max(4 * found.entropy_bound_stderr, 0.1)
    assert abs(found.kl - exact_kl) < max(4 * found.kl_stderr, 0.3) and found.kl_stderr < 1.5
    assert found.pareto_k == -np.inf and found.ess > 100 and found.noise_shift == 0
    assert "(by particles)" in str(found) and type(found).from_description(found.description()) == found


class _Ring:
    """The norm of a hundred normal parameters."""

    dim, mean, variance = 100, 12.0, 0.25

    @staticmethod
    def circuit():
        dim = _Ring.dim

        def jacobian(z):
            return (z / np.linalg.norm(z, axis=1, keepdims=True))[:, None]

        return ne.circuits.FunctionCircuit(
            lambda z: np.linalg.norm(z, axis=1, keepdims=True), ne.Support([-np.inf] * dim, [np.inf] * dim),
            statistic_names=["r"], jacobian=jacobian,
        )  # fmt: skip

    @staticmethod
    def exact_log_z(multipliers):
        """Quadrature over the chi distribution of the norm; ``multipliers`` in the constraints' own units."""
        r = np.linspace(1e-6, 30, 200_001)
        tilt = multipliers[0] * (r - _Ring.mean) + multipliers[1] * ((r - _Ring.mean) ** 2 - _Ring.variance)
        return np.log(np.trapezoid(np.exp(stats.chi(_Ring.dim).logpdf(r) + tilt), r))


def test_a_ring_in_a_hundred_dimensions():
    prop = ne.EmergentProperty(mean=[_Ring.mean], variance=[_Ring.variance])
    _, _, found = certified(_Ring.circuit(), prop, Normal(_Ring.dim))
    assert found.reliable, found.doubts
    exact = _Ring.exact_log_z(np.array(found.multipliers))
    assert abs(found.entropy_bound - exact) < max(4 * found.entropy_bound_stderr, 0.1)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("circuit", "n"),
    [
        (ne.circuits.LDS(), 60_000),
        (ne.circuits.RankTwoRNN(n_neurons=10), 20_000), (ne.circuits.STG(), 6000),
    ],
    ids=lambda value: getattr(value, "name", value),
)  # fmt: skip
def test_particles_and_weights_agree(circuit, n):
    settings = QUICK
    if circuit.name == "stg":  # a row costs some twenty microseconds, and two dimensions are soon explored
        settings = ParticleSettings(particles=200, moves=2, most_moves=4, leapfrogs=4, settle=4)
    problem, scored, found = certified(circuit, circuit.emergent_property(), settings=settings)
    flow, theta = base_flow(circuit), np.zeros(0)
    replicates = 1 if circuit.name in ("lds", "rnn") else 8
    weights = certify(problem, flow, theta, theta, n, replicates, score=scored)
    apart = abs(found.entropy_bound - weights.entropy_bound)
    assert apart < 4 * np.hypot(found.entropy_bound_stderr, weights.entropy_bound_stderr) + 0.02, (found, weights)
    assert not found.failure and weights.optimal
    # what particles make of noise that they hold, fresh noise takes: of a circuit without any nothing
    assert (found.noise_shift < -1e-4) == (circuit.name == "rnn") or circuit.name == "stg"


@pytest.mark.slow
def test_particles_find_the_entropy_of_two_neurons():
    # -1.81 +- 0.03 (docs/science.md); e^7.4 uniform draws for one of p* are too many for weights
    circuit = ne.circuits.RankTwoRNN(n_neurons=2)
    _, _, found = certified(circuit, circuit.emergent_property())
    assert abs(found.entropy_bound + 1.81) < 4 * np.hypot(found.entropy_bound_stderr, 0.03), found
    assert found.entropy_bound_stderr < 0.2


@pytest.mark.parametrize("precision", ["float64", "float32"])
def test_a_flow_that_starts_as_the_support_s_map_is_left_out(precision):
    for scale in (1.0, 1e-8):
        support = ne.Support([-scale] * 32, [scale] * 32)
        flow = ne.LensFlow(support, 4, precision=precision)
        theta = flow.initial_parameters(0)
        line, none = _plainest(flow, theta)
        assert len(line.transforms) == 1 and none.shape == (0,)
        base = np.random.default_rng(1).standard_normal((50, 32))
        for one, other in zip(line.sample(none, base), flow.sample(theta, base)):
            np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6 * np.abs(one).max())
        theta = theta + 0.01 * np.random.default_rng(2).standard_normal(len(theta))
        assert _plainest(flow, theta)[0] is flow
        other_map = ne.RealNVP(support, stages=2, hidden=(4,), box_map="sigmoid", precision=precision)
        assert _plainest(other_map, other_map.initial_parameters(0))[0] is other_map


def one_mode():
    """A property with two modes, of which the flow has one."""
    support = ne.Support([-10.0, -10.0], [10.0, 10.0])
    circuit = ne.circuits.FunctionCircuit(
        lambda z: z[:, :1] ** 2, support, statistic_names=("square",),
        jacobian=lambda z: np.stack([2 * z[:, :1], np.zeros((len(z), 1))], axis=2),
    )  # fmt: skip
    problem = Problem(circuit, ne.EmergentProperty(mean=[25.0], variance=[9.0]), np.random.SeedSequence(0))
    flow = ne.RealNVP(support, stages=2, hidden=(8,))
    theta = fit_gaussian(flow, mean=np.array([5.0, 0.0]), standard_deviation=np.array([0.4, 5.0]))
    return problem, flow, theta


def test_the_start_sees_a_mode_that_the_flow_lost():
    problem, flow, theta = one_mode()
    start = flow.initial_parameters(0)
    scored = score(problem, flow, theta, 8000)
    eta = np.array(certify(problem, flow, theta, start).multipliers)
    found = certify_by_particles(problem, flow, theta, start, eta, scored, settings=QUICK)
    assert found.from_start - found.from_flow == pytest.approx(np.log(2), abs=0.2)
    assert found.kl > np.log(2) - 0.2
    assert "of which the flow may have lost a part" in str(found)


def test_corrected_samples_by_particles():
    prop = ne.EmergentProperty(mean=MEAN, variance=VARIANCE)
    problem, _, found = certified(projections(100), prop, Normal(100))
    z, efficiency = moved_sample(problem, base_flow(problem.circuit), np.zeros(0), found.multipliers, 900)
    assert z.shape == (900, 100) and 0.2 < efficiency <= 1
    f = problem.circuit.statistics(z)
    # weights lead the draws there: within one standard error of as many independent ones
    assert np.all(np.abs(f.mean(axis=0) - MEAN) < np.sqrt(VARIANCE / 900))
    np.testing.assert_allclose(f.var(axis=0), VARIANCE, rtol=0.05)
    for column, mu, v in zip(f.T, MEAN, VARIANCE):
        # false alarm 1e-4
        assert stats.kstest(column, stats.norm(mu, np.sqrt(v)).cdf).statistic < 0.04 + 2.2 / np.sqrt(900 * efficiency)


def test_corrected_samples_meet_the_property_with_fresh_noise():
    # particles hold their noise, and their parameters make up for it: with fresh noise variances came to 0.42 and 0.61
    rows, sigma = np.eye(20)[:2], 0.3
    circuit = ne.circuits.FunctionCircuit(
        lambda z, rng: z @ rows.T + sigma * rng.standard_normal((len(z), 2)),
        ne.Support([-np.inf] * 20, [np.inf] * 20), statistic_names=["a", "b"],
        jacobian=lambda z: np.broadcast_to(rows, (len(z), 2, 20)),
    )  # fmt: skip
    mean, variance = [], []
    for seed in range(3):
        prop = ne.EmergentProperty(mean=MEAN, variance=VARIANCE)
        problem, _, found = certified(circuit, prop, Normal(20), seed=seed)
        z, efficiency = moved_sample(problem, base_flow(circuit), np.zeros(0), found.multipliers, 900)
        f = np.concatenate([circuit.statistics(z, rng=number) for number in range(3, 13)])
        mean.append(f.mean(axis=0))
        variance.append(f.var(axis=0))
        assert 0.1 < efficiency <= 1
    # four standard errors of the draws, and what the weights see of their noise
    np.testing.assert_allclose(np.mean(mean, axis=0), MEAN, atol=0.03)
    np.testing.assert_allclose(np.mean(variance, axis=0), VARIANCE, rtol=0.1)


def test_corrected_samples_none_and_out_of_reach():
    prop = ne.EmergentProperty(mean=MEAN, variance=VARIANCE)
    problem, _, found = certified(projections(5), prop, Normal(5))
    assert moved_sample(problem, base_flow(problem.circuit), np.zeros(0), found.multipliers, 0)[0].shape == (0, 5)
    with pytest.raises(ValueError, match="away from the targets"):
        moved_sample(problem, base_flow(problem.circuit), np.zeros(0), np.zeros(4), 200)


def test_a_budget_that_is_spent_certifies_nothing_and_says_so():
    prop = ne.EmergentProperty(mean=MEAN, variance=VARIANCE)
    problem = Problem(projections(5), prop, np.random.SeedSequence(0), Normal(5))
    flow, theta = base_flow(problem.circuit), np.zeros(0)
    scored = score(problem, flow, theta, 1000)
    found = certify_by_particles(problem, flow, theta, theta, np.zeros(4), scored, budget=20_000, settings=QUICK)
    assert not found.reliable and np.isnan(found.kl)
    assert "give a larger budget" in str(found) and problem.n_simulations < 60_000
    # one that lasts for a part of the way was told as the rows of the run and it together, which nobody had given
    found = certify_by_particles(problem, flow, theta, theta, np.zeros(4), scored, budget=30_000, settings=QUICK)
    assert "within a budget of 30,000 simulations" in found.failure and problem.n_simulations > 30_000


def test_a_budget_that_ends_on_the_way_back_is_said_and_costs_no_more(monkeypatch):
    # the simulations with fresh noise came before anyone looked whether there was an answer for them
    module = "numepi.inference.assessment.particle_certificate"

    def spends(density, *_):
        density.problem.counts["certificate"] += 10**9
        return Evidence(np.nan, np.inf, 0.0, -np.inf, np.zeros(4), np.nan, 0.0, np.inf, False, 0)

    monkeypatch.setattr(f"{module}.evidence", spends)
    monkeypatch.setattr(TemperedDensity, "noise_shift", lambda *arguments: pytest.fail("simulated beyond the budget"))
    problem = Problem(
        projections(2), ne.EmergentProperty(mean=MEAN, variance=VARIANCE), np.random.SeedSequence(0), Normal(2)
    )
    flow, theta = base_flow(problem.circuit), np.zeros(0)
    scored = score(problem, flow, theta, 1000)
    found = certify_by_particles(problem, flow, theta, theta, np.zeros(4), scored, budget=10**8, settings=QUICK)
    assert "within a budget of 100,000,000 simulations: give a larger budget" in found.failure


def test_particles_know_regions_and_bounds():
    circuit = ne.circuits.FunctionCircuit(
        lambda z: z[:, :1], ne.Support([-1.0, -1.0], [1.0, 1.0]), statistic_names=("x",),
        jacobian=lambda z: np.broadcast_to(np.array([[[1.0, 0.0]]]), (len(z), 1, 2)),
    )  # fmt: skip
    # x uniform on [-0.5, 0.5] has variance 1/12, below its bound
    prop = ne.EmergentProperty(mean=[0.0], variance_at_most=[0.25], within=1)
    _, _, found = certified(circuit, prop)
    assert found.entropy_bound == pytest.approx(np.log(2), abs=max(4 * found.entropy_bound_stderr, 0.1))
    assert found.multipliers[1] == 0


def test_a_bound_that_holds_with_room_costs_no_certainty():
    # how far it holds was taken for how far the multiplier may be off
    errors = []
    for bound in (2.0, 200.0):
        prop = ne.EmergentProperty(mean=[1.0, 0.5], variance_at_most=[bound, bound])
        errors.append(certified(projections(3), prop, Normal(3))[2].kl_stderr)
    assert errors[1] < 1.5 * errors[0] < 0.2


def test_copies_that_fail_with_other_noise_wait_to_be_moved():
    # of 5 % of the noise: their statistics, not a number, were in Newton's step, and the path went nowhere
    rows = np.eye(2)
    circuit = ne.circuits.FunctionCircuit(
        lambda z, rng: np.where(rng.random((len(z), 1)) < 0.05, np.nan, z + 0.1 * rng.standard_normal((len(z), 2))),
        ne.Support([-np.inf] * 2, [np.inf] * 2), statistic_names=["a", "b"],
        jacobian=lambda z: np.broadcast_to(rows, (len(z), 2, 2)),
    )  # fmt: skip
    _, _, found = certified(circuit, ne.EmergentProperty(mean=[1.0, -0.5]), Normal(2))
    assert not found.failure and abs(found.entropy_bound - (-0.625 + np.log(0.95))) < 0.3, found


def test_the_result_is_asked_by_method():
    circuit = projections(4)
    result = ne.infer(
        circuit, ne.EmergentProperty(mean=MEAN, variance=VARIANCE), prior=ne.priors.normal(np.zeros(4), np.ones(4)),
        progress=False, flow=ne.RealNVP(circuit.support, stages=2, hidden=(8,)), round_size=1000, final_rounds=2,
        fit_steps=50, refine_steps=20, descent_steps=20,
    )  # fmt: skip
    by_particles, by_weights = (result.certify(2000, method=method) for method in ("particles", "weights"))
    assert (by_particles.certificate.method, by_weights.certificate.method) == ("particles", "weights")
    apart = by_particles.certificate.entropy_bound - by_weights.certificate.entropy_bound
    assert abs(apart) < 0.3
    with pytest.raises(ValueError, match="method = 'walks'"):
        result.certify(2000, method="walks")
    with pytest.raises(ValueError, match="budget = 0"):
        result.certify(2000, budget=0)
    z = by_particles.sample(300, corrected=True)
    assert z.shape == (300, 4) and np.abs(circuit.statistics(z).mean(axis=0) - MEAN).max() < 0.3
