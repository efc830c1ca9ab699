"""The dual solver on problems whose maximum-entropy solution is known."""

import numpy as np
import pytest

import numepi as ne

# Small settings: what is tested is the method, not its default budget.
SMALL = {
    "progress": False,
    "final_rounds": 4,
    "round_size": 1500,
    "fit_steps": 100,
    "refine_steps": 200,
    "refine_size": 100,
}
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
    result = ne.infer(circuit, prop, rng=1, flow=small_flow(), **(SMALL | {"final_rounds": 8, "round_size": 3000}))
    assert result.success
    # 4,000 draws: binomial standard error 0.008, and the flow's own balance within 0.05
    assert np.mean(result.sample(4000)[:, 0] > 0) == pytest.approx(0.5, abs=0.08)


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


def test_an_impossible_property_is_recognised_and_says_how_close_one_can_get():
    prop = ne.EmergentProperty(mean=[14.0, 0.0])
    result = ne.infer(plane(), prop, rng=1, flow=small_flow(), **SMALL)
    assert not result.success and result.status == "failed"
    assert "cannot be met" in result.message and "widen the support" in result.message


def test_resume_gives_the_same_bits_in_every_phase(gaussian_property, tmp_path):
    def run(**keywords):
        return ne.infer(
            plane(), gaussian_property, rng=3, flow=small_flow(), **(SMALL | {"refine_steps": 100}), **keywords
        )

    whole = run()
    for number, stop_after in enumerate((1, 3, 12)):
        path = tmp_path / f"{number}.npz"
        calls = []

        def stop(state, calls=calls, stop_after=stop_after):
            calls.append(state)
            if len(calls) == stop_after:
                raise StopIteration

        run(checkpoint=path, callback=stop)
        resumed = run(checkpoint=path, resume=True)
        np.testing.assert_array_equal(whole.distribution.theta, resumed.distribution.theta)
        np.testing.assert_array_equal(whole.history["violation"], resumed.history["violation"])
        assert whole.n_simulations == resumed.n_simulations and whole.entropy == resumed.entropy


def test_failing_simulations_are_left_out_and_reported():
    def function(z):
        return np.where(z[:, :1] > 6.0, np.nan, z)

    circuit = ne.circuits.FunctionCircuit(function, BOX, statistic_names=("x", "y"), differentiable=False)
    prop = ne.EmergentProperty(mean=[0.0, 0.0], variance=[1.0, 1.0])
    result = ne.infer(circuit, prop, rng=1, flow=small_flow(), **SMALL)
    assert result.success and result.n_failed > 0 and np.all(result.failed_examples[:, 0] > 6)


def test_budget_is_never_exceeded(gaussian_property):
    result = ne.infer(plane(), gaussian_property, rng=1, flow=small_flow(), max_simulations=4000, **SMALL)
    assert result.n_simulations <= 4000 and "max_simulations was reached" in result.message


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"round_size": 0}, "round_size = 0"),
        ({"defensive": 1.5}, "defensive = 1.5"),
        ({"ess_floor": 0}, "ess_floor = 0"),
    ],
)
def test_bad_settings_are_refused(gaussian_property, settings, message):
    with pytest.raises(ValueError, match=message):
        ne.infer(plane(), gaussian_property, progress=False, **settings)
