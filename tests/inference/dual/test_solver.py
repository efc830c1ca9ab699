"""The dual solver on problems whose maximum-entropy solution is known."""

import numpy as np
import pytest
from scipy import stats

import numepi as ne
from numepi.inference import problem as problem_module
from numepi.inference.dual.solver import Dual

# Small settings: what is tested is the method, not its default accuracy.
SMALL = {
    "progress": False, "kl": 0.1, "most_rows": 8000, "surrogate_first_steps": 600, "surrogate_steps": 300,
    "landing_steps": 300, "pool_size": 4000, "check_size": 5000, "score_draws": 10_000, "replay_rows": 1500,
    "refine_steps": 200, "refine_size": 100, "replay_fit_steps": 100, "max_annealing_rounds": 10,
}  # fmt: skip
# Without a surrogate: one that must explain everything is dropped after the first round, of which nobody is sure.
REPLAY = {"most_misses": 1, "most_early_misses": 1, "least_explained": 0.9999999, "certainty": 1000.0}
BOX = ne.Support([-10.0, -10.0], [10.0, 10.0])


def plane(**keywords):
    return ne.circuits.FunctionCircuit(lambda z: z, BOX, statistic_names=("x", "y"), **keywords)


def small_flow(support=BOX):
    return ne.RealNVP(support, stages=4, hidden=(20, 20))


@pytest.fixture(scope="module")
def gaussian_property():
    return ne.EmergentProperty(mean=[1.0, -1.0], variance=[1.0, 4.0])


@pytest.mark.parametrize("gradient", ["exact", "none"])
def test_known_solution_is_found_with_and_without_gradients(gaussian_property, gradient):
    result = ne.infer(plane(), gaussian_property, rng=2, gradient=gradient, flow=small_flow(), **SMALL)
    assert result.success and result.status == "near the optimum"
    assert result.entropy == pytest.approx(np.log(2 * np.pi * np.e * 2), abs=0.1)
    assert result.certificate.entropy_bound == pytest.approx(np.log(2 * np.pi * np.e * 2), abs=0.02)
    # p* = N((1, -1), diag(1, 4)): the multipliers of x, y and of their squares about the targets
    np.testing.assert_allclose(result.multipliers, [0.0, 0.0, -0.5, -0.125], atol=0.05)


def test_both_modes_of_a_symmetric_problem_are_held():
    circuit = ne.circuits.FunctionCircuit(lambda z: z[:, :1] ** 2, BOX, statistic_names=("square",))
    prop = ne.EmergentProperty(mean=[25.0], variance=[16.0])
    result = ne.infer(circuit, prop, rng=1, **SMALL)
    assert result.success
    # 4,000 draws: binomial standard error 0.008, and the flow's own balance within 0.05
    assert np.mean(result.sample(4000)[:, 0] > 0) == pytest.approx(0.5, abs=0.08)


def test_declared_symmetries_are_exact_in_the_answer():
    """Eight modes at (+-1, +-1, +-1), of which the flow learns one; the balance of the others is that of coins."""
    circuit = ne.circuits.FunctionCircuit(
        lambda z: z**2, ne.Support([-2.0] * 3, [2.0] * 3), parameter_names=["a", "b", "c"],
        sign_symmetries=[("a",), ("b",), ("a", "b", "c")],
    )  # fmt: skip
    result = ne.infer(circuit, ne.EmergentProperty(mean=[1.0] * 3, variance=[0.2] * 3), rng=0, **SMALL)
    assert isinstance(result.distribution.flow, ne.SymmetricFlow)
    assert result.success, result.message
    z = result.sample(8000, rng=0)
    octants = np.bincount((z > 0) @ [1, 2, 4], minlength=8)
    assert stats.chisquare(octants).pvalue > 1e-4  # the false-alarm rate
    np.testing.assert_allclose(result.distribution.log_prob(-z), result.distribution.log_prob(z), atol=1e-9)


@pytest.mark.parametrize(
    ("circuit", "prior", "family"),
    [
        (ne.circuits.RankTwoRNN(10), None, ne.DirectionalFlow),  # vectors with more units than there are vectors
        (ne.circuits.RankTwoRNN(2), None, ne.SymmetricFlow),
        (ne.circuits.RankTwoRNN(2), "some prior", ne.SplineFlow),  # which need not have the symmetries
        (ne.circuits.LDS(), None, ne.SplineFlow),
    ],
)
def test_default_flow_serves_what_the_circuit_declares(circuit, prior, family):
    assert type(Dual.default_flow(circuit, "float64", prior)) is family


def test_noise_in_the_statistics_is_part_of_their_variance():
    # f = x + N(0, 0.4^2): the variance left to x is 1 - 0.16, and the entropy that of N(0, 0.84) times the side of y.
    circuit = ne.circuits.FunctionCircuit(
        lambda z, rng: z[:, :1] + 0.4 * rng.normal(size=(len(z), 1)), BOX, statistic_names=("f",), differentiable=False
    )
    prop = ne.EmergentProperty(mean=[0.0], variance=[1.0])
    result = ne.infer(circuit, prop, rng=1, flow=small_flow(), **SMALL)
    assert result.success and result.certificate.replicates > 1
    assert result.sample(20_000)[:, 0].var() == pytest.approx(0.84, rel=0.1)
    exact = 0.5 * np.log(2 * np.pi * np.e * 0.84) + np.log(20)
    assert result.entropy == pytest.approx(exact, abs=0.1)
    assert result.certificate.entropy_bound == pytest.approx(exact, abs=0.05)


def test_prior_is_tilted():
    class Normal:
        def log_prob(self, z):
            return -0.5 * (z**2).sum(1) - np.log(2 * np.pi)

        def gradient(self, z):
            return -z

    result = ne.infer(plane(), ne.EmergentProperty(mean=[1.0, None]), rng=1, prior=Normal(), flow=small_flow(), **SMALL)
    assert result.relative_entropy == pytest.approx(0.5, abs=0.1)  # KL(N((1, 0), I) || N(0, I))
    np.testing.assert_allclose(result.sample(5000).mean(0), [1, 0], atol=0.1)
    assert result.multipliers[0] == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize("gradient", ["exact", "none"])
def test_an_impossible_property_is_recognised_and_says_how_close_one_can_get(gradient):
    prop = ne.EmergentProperty(mean=[14.0, 0.0], variance=[1.0, 1.0])
    settings = SMALL | {"descent_steps": 800}  # 400 are too few to tell, with one of five seeds
    result = ne.infer(plane(), prop, rng=1, flow=small_flow(), gradient=gradient, **settings)
    assert not result.success and result.status == "failed"
    assert "was not reached" in result.message and "its target 14 lies" in result.message


@pytest.fixture
def asked(monkeypatch):
    """Rows of every batch that a run simulates, as they are asked for."""
    sizes, simulate = [], problem_module.simulate

    def counted(call, z, *arguments, **keywords):
        sizes.append(len(z))
        return simulate(call, z, *arguments, **keywords)

    monkeypatch.setattr(problem_module, "simulate", counted)
    return sizes


def resumed_everywhere(run, phases, tmp_path, asked):
    """Whether runs that stop where ``phases`` say, and are resumed, end with the bits of one that does not stop.

    And whether nothing is simulated twice.
    """
    whole = run()
    assert sum(asked) == whole.n_simulations - 9  # the first look: three rows, once more together, and each alone
    for phase, reached in phases.items():
        path = tmp_path / f"{phase}.npz"

        def stop(state, reached=reached):
            if reached(state.solver.record):
                raise StopIteration(str(state.n_simulations))

        stopped = run(checkpoint=path, callback=stop)
        assert stopped.ended["status"] == "stopped", phase
        asked.clear()
        resumed = run(checkpoint=path, resume=True)
        assert sum(asked) == whole.n_simulations - int(stopped.ended["detail"])
        np.testing.assert_array_equal(whole.distribution.theta, resumed.distribution.theta)
        np.testing.assert_array_equal(whole.history["violation"], resumed.history["violation"])
        assert whole.n_simulations == resumed.n_simulations and whole.entropy == resumed.entropy
        np.testing.assert_equal(vars(whole.certificate), vars(resumed.certificate))  # what it lacks is NaN
    return whole


def test_resume_gives_the_same_bits_in_every_phase(gaussian_property, tmp_path, asked):
    settings = SMALL | {"kl": 0.01, "certainty": 4.0}  # two rounds

    def run(**keywords):
        return ne.infer(plane(), gaussian_property, rng=3, flow=small_flow(), max_batch=100, **settings, **keywords)

    phases = {
        "survey": lambda r: r.request is not None and len(r.request.f) == 100,
        "learned": lambda r: r.phase == "fit" and r.fit is None,
        "fit": lambda r: r.fit is not None and r.fit.step == 100 and r.rounds.number >= 2,
        "landing": lambda r: r.fit is not None and r.fit.landing and r.fit.step == 50,
        "round": lambda r: r.phase == "check" and not r.request.complete,
    }
    whole = resumed_everywhere(run, phases, tmp_path, asked)
    assert whole.surrogate > 0.9 and whole.simulation_counts["score"] == 0
    assert "surrogate" not in whole.message


def test_without_a_surrogate_resume_gives_the_same_bits_too(gaussian_property, tmp_path, asked):
    def run(**keywords):
        return ne.infer(plane(), gaussian_property, rng=3, flow=small_flow(), **SMALL, **REPLAY, **keywords)

    phases = {
        "fit": lambda r: not r.leads and r.fit is not None and r.fit.step == 50,
        "rounds": lambda r: r.rounds.left == 2 and r.phase == "round",
        "refinement": lambda r: r.last_step == 100,
    }
    whole = resumed_everywhere(run, phases, tmp_path, asked)
    assert whole.success and whole.surrogate == 0 and whole.simulation_counts["score"] == 20_000
    said = "% of what its last fresh simulations showed, was dropped: the flow was fitted to simulations alone"
    assert said in whole.message and said in whole.score(1000, rng=0).message
    assert whole.entropy == pytest.approx(np.log(2 * np.pi * np.e * 2), abs=0.1)


def test_rows_that_end_without_an_answer_are_not_the_end_unless_they_are_limited(gaussian_property):
    """A flow that hardly moves misses the constraints, however well the surrogate is."""
    slow = SMALL | {"most_rows": 2000, "learning_rate": 1e-6, "replay_rows": 300, "final_rounds": 1}
    how = {"rng": 3, "flow": small_flow(), **slow}
    whole = ne.infer(plane(), gaussian_property, **how)
    assert whole.surrogate == 0 and whole.simulation_counts["fit"] > 2000
    limited = ne.infer(plane(), gaussian_property, max_simulations=2000, **how)
    assert limited.status == "budget" and limited.n_simulations <= 2000 and limited.surrogate > 0.9


def test_an_interrupted_step_leaves_the_record_as_it_was(gaussian_property, monkeypatch):
    from numepi.inference.dual import solver as module
    from numepi.inference.problem import Problem

    solver = Dual(Problem(plane(), gaussian_property, np.random.SeedSequence(0)), small_flow(), module.Settings())
    solver.initialise()
    solver.step()
    before = solver.record
    monkeypatch.setattr(solver.problem.circuit, "function", lambda z: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        solver.step()
    assert solver.record is before


def test_failing_simulations_are_left_out_and_reported():
    def function(z):
        return np.where(z[:, :1] > 6.0, np.nan, z)

    circuit = ne.circuits.FunctionCircuit(function, BOX, statistic_names=("x", "y"), differentiable=False)
    prop = ne.EmergentProperty(mean=[0.0, 0.0], variance=[1.0, 1.0])
    result = ne.infer(circuit, prop, rng=1, flow=small_flow(), **SMALL)
    assert result.success and result.n_failed > 0 and np.all(result.failed_examples[:, 0] > 6)


class Counting(ne.circuits.Circuit):
    """The plane, which counts the rows that it is asked for, and the largest batch."""

    name, parameter_names, statistic_names, support = "counting", ("x", "y"), ("x", "y"), BOX

    def __init__(self):
        pass

    def _evaluate(self, z, key, first_index, noise, with_jacobian):
        self.rows = getattr(self, "rows", 0) + len(z)
        self.largest = max(getattr(self, "largest", 0), len(z))
        return z.copy(), np.tile(np.eye(2), (len(z), 1, 1)) if with_jacobian else None


@pytest.mark.parametrize("how", [{}, {"n_seeds": 2}, REPLAY, {"solver": "augmented-lagrangian"}])
def test_a_cap_counts_every_row_that_the_circuit_is_asked_for(gaussian_property, how):
    settings = SMALL | how
    if "solver" in how:
        settings = how | {"progress": False, "batch_size": 20, "n_tests": 5, "test_batch_size": 20}
    circuit = Counting()
    result = ne.infer(
        circuit, gaussian_property, rng=1, flow=small_flow(), max_simulations=700, max_batch=60, **settings
    )
    assert result.n_simulations == circuit.rows == sum(result.simulation_counts.values()) <= 700
    assert circuit.largest <= 60 or how == REPLAY or "solver" in how
    assert np.isfinite(result.entropy)


def test_a_budget_that_allows_nothing_is_refused(gaussian_property):
    with pytest.raises(ValueError, match=r"max_simulations = 150: too few .* give 200 or more \(100 for each seed\)"):
        ne.infer(plane(), gaussian_property, max_simulations=150, n_seeds=2, **SMALL)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"round_size": 0}, "round_size = 0"),
        ({"kl": 0.0}, "kl = 0"),
        ({"defensive": 1.5}, "defensive = 1.5"),
        ({"ess_floor": 0}, "ess_floor = 0"),
    ],
)
def test_bad_settings_are_refused(gaussian_property, settings, message):
    with pytest.raises(ValueError, match=message):
        ne.infer(plane(), gaussian_property, progress=False, **settings)


OPEN = ne.Support([-np.inf, -np.inf], [np.inf, np.inf])


def test_an_unbounded_support_is_crossed_to_a_target_far_from_the_start():
    # The start is N(0, I), the answer N((10, 0), diag(4, 1)); no uniform distribution on the plane leads there.
    circuit = ne.circuits.FunctionCircuit(lambda z: z, OPEN, statistic_names=("x", "y"))
    prop = ne.EmergentProperty(mean=[10.0, 0.0], variance=[4.0, 1.0])
    result = ne.infer(circuit, prop, rng=1, flow=small_flow(OPEN), **(SMALL | {"max_annealing_rounds": 40}))
    assert result.status == "near the optimum"
    assert result.entropy == pytest.approx(np.log(2 * np.pi * np.e * 2), abs=0.1)


def test_an_unbounded_problem_is_refused_with_the_remedy():
    circuit = ne.circuits.FunctionCircuit(lambda z: z[:, :1], OPEN, statistic_names=("x",))  # nothing holds z2
    prop = ne.EmergentProperty(mean=[0.0], variance=[1.0])
    result = ne.infer(circuit, prop, rng=1, flow=small_flow(OPEN), **SMALL)
    assert result.status == "failed" and not result.success
    assert "entropy grows without end" in result.message and "bound the support" in result.message


def test_a_prior_far_narrower_than_the_start_is_reached():
    class Narrow:
        def log_prob(self, z):
            return -0.5 * ((z - 6) ** 2).sum(1) / 0.05**2

        def gradient(self, z):
            return -(z - 6) / 0.05**2

    prop = ne.EmergentProperty(mean=[6.05, None])  # one standard deviation away
    result = ne.infer(plane(), prop, rng=1, prior=Narrow(), flow=small_flow(), **SMALL)
    np.testing.assert_allclose(result.sample(5000).mean(0), [6.05, 6.0], atol=0.01)
    np.testing.assert_allclose(result.sample(5000).std(0), [0.05, 0.05], rtol=0.2)


def test_functions_of_the_statistics_that_are_not_finite_are_left_out():
    # log(x) has no value on half of the box: those rows fail, the others go on.
    moment = ne.Moment(
        "log x", lambda f: np.log(f[:, 0]), 1.5, jacobian=lambda f: np.stack([1 / f[:, 0], 0 * f[:, 0]], 1)
    )
    prop = ne.EmergentProperty(mean=[None, 0.0], variance=[None, 1.0], functions=[moment])
    settings = SMALL | {"max_failed_fraction": 0.8}
    with np.errstate(invalid="raise"):
        result = ne.infer(plane(), prop, rng=1, flow=small_flow(), **settings)
    # p* ~ x^a on x > 0 with E[log x] = log 10 - 1 / (a + 1); whose own draws fail, the message says
    assert result.success and 0 < result.n_failed < result.n_simulations
    assert result.multipliers[2] == pytest.approx(1 / (np.log(10) - 1.5) - 1, abs=0.1)
    failing = np.mean(result.distribution.sample(2000)[:, 0] <= 0)
    assert failing < 0.3 and ("own draws fail" in result.message) == (result.failing_share > 0.01)
    low, high = result.failing_interval
    assert low <= result.failing_share <= high
    assert np.all(result.sample(500, valid_only=True)[:, 0] > 0)


def test_a_circuit_without_a_valid_simulation_ends_with_a_status():
    circuit = ne.circuits.FunctionCircuit(lambda z: np.nan * z, BOX, statistic_names=("x", "y"), differentiable=False)
    result = ne.infer(circuit, ne.EmergentProperty(mean=[0.0, 0.0]), rng=1, flow=small_flow(), **SMALL)
    assert result.status == "failed"
    assert "simulations failed (not finite)" in result.message and "narrow the support" in result.message
    counts = result.simulation_counts
    assert counts["fit"] <= 4000 and counts["score"] + counts["certificate"] <= 4000
    assert not result.certificate.reliable
    assert "entropy unknown: no draw works" in result.summary() and "is unknown" in result.summary()
    assert "nan nats" not in result.summary() and "entropy unknown" in repr(result)


def test_a_failed_run_is_resumed_as_failed(tmp_path):
    def run(**keywords):
        prop = ne.EmergentProperty(mean=[14.0, 0.0])
        return ne.infer(plane(), prop, rng=1, flow=small_flow(), gradient="none", **SMALL, **keywords)

    first = run(checkpoint=tmp_path / "run.npz")
    again = run(checkpoint=tmp_path / "run.npz", resume=True)
    assert first.status == again.status == "failed" and first.n_simulations == again.n_simulations
    np.testing.assert_array_equal(first.distribution.theta, again.distribution.theta)
