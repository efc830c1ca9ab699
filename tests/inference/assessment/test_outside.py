"""Regions in score, certificate and corrected samples; what is said of the outside."""

from dataclasses import replace

import numpy as np
import pytest

import numepi as ne
from numepi.inference.assessment import answer
from numepi.inference.assessment.correction import corrected_sample
from numepi.inference.assessment.outside import weight_outside
from numepi.inference.assessment.score import score
from numepi.inference.assessment.weights import certify
from numepi.inference.problem import Problem, Stream
from numepi.inference.region_check import check_room

BOX = ne.Support([-1.0, -1.0], [1.0, 1.0])


def plane(noise=0.0):
    """The first parameter, with noise, as the statistic; the second is free."""

    def statistics(z, rng):
        return z[:, :1] + noise * rng.standard_normal((len(z), 1))

    return ne.circuits.FunctionCircuit(
        statistics if noise else lambda z: z[:, :1], BOX, statistic_names=("x",), differentiable=False
    )  # fmt: skip


def problem_of(within, noise=0.0, mean=0.0, variance=None):
    prop = ne.EmergentProperty(mean=[mean], variance=None if variance is None else [variance], within=within)
    return Problem(plane(noise), prop, np.random.SeedSequence(0), with_gradient=False)


def uniform_flow():
    flow = ne.SplineFlow(BOX, stages=2, hidden=(4,))
    return flow, flow.initial_parameters(0)


def test_the_score_is_that_of_the_region():
    flow, theta = uniform_flow()
    found = score(problem_of(0.5), flow, theta, 8000)  # |x| <= 0.5: half of the square
    assert found.outside_share == pytest.approx(0.5, abs=0.025) and found.failing_share == 0  # 4.5 standard errors
    assert found.entropy == pytest.approx(np.log(2), abs=0.05)
    assert found.variance[0] == pytest.approx(0.25 / 3, rel=0.06)
    assert found.n == pytest.approx(4000, abs=200)


def test_noise_is_not_cut_by_the_region():
    flow, theta = uniform_flow()
    found = score(problem_of(0.5, noise=0.5), flow, theta, 8000, replicates=32)
    # expected statistics within 0.5 (known to 0.5 / sqrt 32), noise on top: a draw picked by itself has no tail
    assert found.variance[0] == pytest.approx(0.25 / 3 + 0.25 + 0.5 * 0.25 / 32, rel=0.08)
    assert np.abs(found.greatest[0]) > 1.5
    picked = score(problem_of(0.5, noise=0.5), flow, theta, 8000, replicates=1)
    assert picked.greatest[0] <= 0.5


def test_the_certificate_knows_the_region():
    flow, theta = uniform_flow()
    problem = problem_of(0.5)
    found = certify(problem, flow, theta, theta, 8000, score=score(problem, flow, theta, 8000))
    assert found.reliable and found.kl == pytest.approx(0, abs=0.02)  # q given the region is p* there
    assert found.entropy_bound == pytest.approx(np.log(2), abs=0.05)
    whole = certify(problem_of(None), flow, theta, theta, 8000)
    assert whole.entropy_bound == pytest.approx(np.log(4), abs=0.02)


def test_corrected_samples_lie_in_the_region():
    flow, theta = uniform_flow()
    z, efficiency = corrected_sample(problem_of(0.25), flow, theta, theta, np.zeros(1), 500)
    assert np.abs(z[:, 0]).max() <= 0.25 and len(z) == 500 and efficiency > 0.9


def test_samples_of_the_result_know_the_region():
    result = ne.infer(
        plane(), ne.EmergentProperty(mean=[0.0], within=0.5), progress=False, max_annealing_rounds=1, final_rounds=1,
        fit_steps=1, landing_steps=1, kl=5.0, refine_steps=0, round_size=500,
    )  # fmt: skip
    assert (
        result.outside_share == pytest.approx(0.5, abs=0.05)
        and "lie outside of the property's region" in result.message
    )
    assert "region: expected statistics within 0.5" in result.summary()
    with pytest.warns(UserWarning, match="outside of the property's region"):
        result.sample(10)
    assert np.abs(result.sample(200, valid_only=True)[:, 0]).max() <= 0.5
    assert np.abs(result.sample(200, corrected=True)[:, 0]).max() <= 0.5


def test_a_cap_holds_with_a_region():
    result = ne.infer(
        plane(), ne.EmergentProperty(mean=[0.0], within=0.5), progress=False, max_annealing_rounds=1, final_rounds=1,
        fit_steps=1, landing_steps=1, kl=5.0, refine_steps=0, round_size=500, max_simulations=1500,
    )  # fmt: skip
    assert result.n_simulations <= 1500 and result.simulation_counts["certificate"] > 100


def steep():
    """Sum of twenty parameters in [-1, 1]: nearly normal with variance 20 / 3, so that more is far from its mean."""
    support = ne.Support([-1.0] * 20, [1.0] * 20)
    return ne.circuits.FunctionCircuit(lambda z: z.sum(axis=1, keepdims=True), support, statistic_names=("x",))


def test_a_positive_multiplier_is_said_with_both_remedies():
    prop = ne.EmergentProperty(mean=[0.0], variance=[0.04])
    problem = Problem(steep(), prop, np.random.SeedSequence(0), with_gradient=False)
    flow = ne.SplineFlow(problem.circuit.support, stages=2, hidden=(4,))
    start = flow.initial_parameters(0)
    text = weight_outside(problem, flow, start, np.array([0.0, 0.1]), 1.0)
    assert "'variance x' is positive" in text and "within=6" in text and "variance_at_most=" in text
    assert weight_outside(problem, flow, start, np.array([0.0, -12.5]), 1.0) is None  # what a variance asks for
    assert weight_outside(problem, flow, start, np.array([0.0, 0.1]), 1e4) is None  # the outside weighs nothing
    assert weight_outside(problem, flow, start, np.array([0.0, np.inf]), 1.0) is None  # of a run that broke down
    confined = Problem(
        steep(), ne.EmergentProperty(mean=[0.0], variance=[0.04], within=3), np.random.SeedSequence(0),
        with_gradient=False,
    )  # fmt: skip
    assert "solution that of the region alone" in weight_outside(confined, flow, start, np.array([0.0, 0.1]), 1.0)


def long_side():
    """A parameter in [0, 100] as the statistic: with the mean 1 alone its variance is 1."""
    support = ne.Support([0.0, -1.0], [100.0, 1.0])
    return ne.circuits.FunctionCircuit(lambda z: z[:, :1], support, statistic_names=["x"])


def test_a_vanishing_mass_that_makes_a_third_of_the_variance_matters_and_costs_no_rows_of_a_spent_budget():
    circuit, prop = long_side(), ne.EmergentProperty(mean=[1.0], variance=[1.5])
    multipliers = np.array([-1.05, 0.0098])
    x, rows = np.linspace(0, 100, 400_001), np.random.default_rng(0).uniform([0.0, -1.0], [100.0, 1.0], (3000, 2))
    weight = np.exp(multipliers[0] * (x - 1) + multipliers[1] * ((x - 1) ** 2 - 1.5))
    near, far = (2 * np.trapezoid(weight * part, x) for part in (x < 1 + 6 * 1.5**0.5, x >= 1 + 6 * 1.5**0.5))
    made = 2 * np.trapezoid(weight * (x - 1) ** 2 * (x >= 1 + 6 * 1.5**0.5), x) / (near + far)
    assert far / near < 1e-3 and made > 0.15  # of a hundredth of the mass nothing was said
    problem = Problem(circuit, prop, np.random.SeedSequence(0), limit=0)
    kept = ne.Simulations(rows, circuit.statistics(rows), np.full(3000, -np.log(200.0)))
    flow = ne.SplineFlow(circuit.support, stages=2, hidden=(4,))
    look = problem, flow, flow.initial_parameters(0), multipliers, np.log(near)
    text = weight_outside(*look, kept, met=False)
    assert "may be asked for" in text and "within=6" in text and "variance_at_most=" in text
    assert float(text.split("mass and ")[1].split()[0]) == pytest.approx(made, rel=0.3)
    assert problem.n_simulations == 0 and weight_outside(*look) is None
    assert "no rows are left to look farther than 6" in weight_outside(*look, met=False)
    assert weight_outside(*look[:3], np.array([-1.0, 0.0]), *look[4:], kept, met=False) is None


def test_a_run_that_its_far_mass_led_astray_names_both_remedies():
    # particles ran off: only where constraints were met was anything said of it
    result = ne.infer(
        long_side(), ne.EmergentProperty(mean=[1.0], variance=[1.5]), solver="particles", particles=60, learn_steps=20,
        batch_size=20, settle=3, flow=ne.RealNVP(long_side().support, stages=2), progress=False,
    )  # fmt: skip
    assert not result.success and result.multipliers[1] > 0
    assert "within=6" in result.message and "variance_at_most=" in result.message


def test_a_region_has_room_for_the_variance_or_noise_makes_it():
    # a run of particles found 0 % of them there; the dual solver went on to its end
    prop = ne.EmergentProperty(mean=[0.0], variance=[0.01], within=0.5)
    with pytest.raises(ValueError, match=r"within = 0.5, variance 0.01 of 'x': .* 0.0025 at the most, .* no noise"):
        ne.infer(plane(), prop, progress=False)
    with pytest.warns(UserWarning, match=r"0\.0025 at the most: its noise has to make the rest"):
        check_room(Problem(plane(0.1), prop, np.random.SeedSequence(0), with_gradient=False))
    # a count of none at all probes may be noisy elsewhere
    count = ne.circuits.FunctionCircuit(lambda z: 0 * z[:, :1], BOX, statistic_names=("x",), differentiable=False)
    with pytest.warns(UserWarning, match="has to make the rest"):
        check_room(Problem(count, prop, np.random.SeedSequence(0), with_gradient=False))


@pytest.mark.parametrize(
    "change", [{"variance": None}, {"variance": None, "variance_at_most": [0.01]}, {"within": 1.5}]
)
def test_other_regions_cost_no_look(change):
    prop = ne.EmergentProperty(**{"mean": [0.0], "variance": [0.01], "within": 0.5} | change)
    problem = Problem(plane(), prop, np.random.SeedSequence(0), with_gradient=False)
    check_room(problem)
    assert problem.n_simulations == 0


def test_the_dual_solver_seeks_the_solution_in_the_region():
    # in |x| <= 0.3 the uniform density has variance 0.03: 0.04 asks for a positive multiplier, which without the region
    # would be negative
    prop = ne.EmergentProperty(mean=[0.0], variance=[0.04], within=1.5)
    result = ne.infer(
        plane(), prop, progress=False, flow=ne.SplineFlow(BOX, stages=2, hidden=(8,)), max_simulations=20_000
    )
    assert result.certificate.multipliers[1] > 0 and result.multipliers[1] > 0
    assert result.success and result.constraint[1] == pytest.approx(0.04, rel=0.1), result
    assert result.outside_share < 0.3


@pytest.mark.parametrize("bound, binds", [(0.04, True), (0.9, False)])
def test_bounds_of_variances(bound, binds):
    # x uniform on [-1, 1] has variance 1/3: below one bound, above the other
    prop = ne.EmergentProperty(mean=[0.0], variance_at_most=[bound])
    result = ne.infer(
        plane(), prop, progress=False, flow=ne.SplineFlow(BOX, stages=2, hidden=(8,)), final_rounds=3, fit_steps=150,
        refine_steps=100, round_size=2000,
    )  # fmt: skip
    assert result.success, result.message
    eta = result.multipliers[1]
    if binds:
        assert eta < -1 and result.constraint[1] == pytest.approx(bound, rel=0.1)
        assert "variance x: at its bound (multiplier" in result.summary()
        missed = replace(result, constraint=np.array([0.0, 2 * bound]))  # a run that ended too soon
        assert f"variance x: above its bound (multiplier {eta:.3g})" in missed.summary()
    else:
        assert eta == 0 and result.constraint[1] == pytest.approx(1 / 3, rel=0.05)
        assert "the bound does not bind" in result.summary() and result.certificate.entropy_bound <= np.log(4) + 0.02
    assert f"<= {bound:g}" in result.summary()


def test_the_message_counts_the_look_outside(monkeypatch):
    def look(problem, flow, start, *_):
        z, _ = flow.sample(start, problem.normals(Stream.NOISE_CHECK, 7, 700))
        problem.simulate(z, Stream.NOISE_CHECK, 7)

    monkeypatch.setattr(answer, "weight_outside", look)
    result = ne.infer(
        plane(), ne.EmergentProperty(mean=[0.0]), progress=False, max_annealing_rounds=1, final_rounds=1, fit_steps=1,
        refine_steps=0, round_size=500,
    )  # fmt: skip
    assert result.success and result.n_simulations == sum(result.simulation_counts.values())
    assert f"[{result.n_simulations:,} simulations" in result.message
