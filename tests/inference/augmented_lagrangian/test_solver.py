"""Algorithm 1: every piece that could be wrong unnoticed."""

import numpy as np
import pytest

import numepi as ne
from numepi.inference.augmented_lagrangian.solver import AugmentedLagrangian, Settings, penalty_weights
from numepi.inference.problem import Problem, Stream

QUICK = {"epochs": 2, "iterations_per_epoch": 5, "batch_size": 40, "test_batch_size": 40, "n_tests": 10}


class Plane(ne.circuits.Circuit):
    """Two statistics that are the two parameters: everything about its answers is known."""

    name = "plane"
    parameter_names = ("x", "y")
    statistic_names = ("x", "y")

    def __init__(self, fail_above=np.inf):
        self.fail_above = fail_above
        self.support = ne.Support([-10.0, -10.0], [10.0, 10.0])

    def _evaluate(self, z, key, first_index, noise, with_jacobian):
        f = np.where(z[:, :1] > self.fail_above, np.nan, z)
        return f, np.broadcast_to(np.eye(2), (len(z), 2, 2)).copy() if with_jacobian else None


def algorithm_one(circuit=None, prop=None, **settings):
    circuit = Plane() if circuit is None else circuit
    prop = ne.EmergentProperty(mean=[1.0, -1.0], variance=[1.0, 4.0]) if prop is None else prop
    problem = Problem(circuit, prop, np.random.SeedSequence(5))
    solver = AugmentedLagrangian(
        problem,
        ne.RealNVP(circuit.support, stages=2, hidden=(8,)),
        Settings(**(QUICK | {"initial": "uniform"} | settings)),
    )
    solver.initialise()
    return solver


def test_penalty_gradient_is_unbiased_and_the_naive_one_is_not(rng):
    # T = theta x with x ~ N(1, 1): R = theta, grad T = x, so grad c/2 R^2 = c theta.  The product of whole-batch
    # means has expectation c theta (1 + 1/n).
    theta, c, n, repeats = 0.3, 2.0, 4, 40_000
    x = rng.normal(1.0, 1.0, (repeats, n, 1))
    first = np.arange(n) < n // 2
    halves = np.array([(penalty_weights(theta * draw, first, c) * draw).sum() for draw in x])
    naive = c * theta * x.mean(axis=1)[:, 0] ** 2
    stderr = halves.std() / np.sqrt(repeats)
    assert abs(halves.mean() - c * theta) < 4 * stderr  # false alarm 6e-5
    assert naive.mean() - c * theta > 20 * stderr


def test_penalty_weights_never_use_a_sample_with_its_own_half(rng):
    violation, first = rng.normal(size=(6, 2)), np.arange(6) < 3
    before = penalty_weights(violation, first, 1.0)
    violation[0] += 5
    after = penalty_weights(violation, first, 1.0)
    np.testing.assert_array_equal(before[first], after[first])
    assert np.all(before[~first] != after[~first])


def test_one_pairing_is_the_papers_and_both_have_the_stated_share_of_its_variance(rng):
    # T = (x, 0.5 x^2 + y), any theta: the estimates of grad c/2 ||R||^2 by T's derivatives (1, x)
    n, repeats, first = 8, 20_000, np.arange(8) < 4
    x, y = rng.normal(0.5, 1.0, (2, repeats, n))
    T, slope = np.stack([x, 0.5 * x**2 + y], -1), np.stack([np.ones_like(x), x], -1)
    one, both = (
        np.array([np.sum(penalty_weights(t, first, 3.0, flag) * s) for t, s in zip(T, slope)]) for flag in (False, True)
    )
    paper = 3.0 * np.sum(slope[:, :4].mean(axis=1) * T[:, 4:].mean(axis=1), axis=1)
    other = 3.0 * np.sum(slope[:, 4:].mean(axis=1) * T[:, :4].mean(axis=1), axis=1)
    np.testing.assert_allclose(one, paper, rtol=1e-10)
    np.testing.assert_allclose(both, (paper + other) / 2, rtol=1e-10)
    share = (1 + np.corrcoef(paper, other)[0, 1]) / 2
    assert 0.5 < share < 0.95
    assert both.var() / one.var() == pytest.approx(share, rel=0.05)  # standard error about 0.01


def test_the_switch_reaches_the_step():
    seen = []
    for flag in (True, False):
        solver = algorithm_one(both_pairings=flag)
        solver.step()
        seen.append(solver.theta)
    assert np.abs(seen[0] - seen[1]).max() > 0


def test_gradient_of_a_step_is_that_of_the_lagrangian(rng):
    # The step's gradient, averaged over many batches, against finite differences of L on one huge sample.
    solver = algorithm_one(batch_size=20_000)
    solver.eta = np.array([0.3, -0.2, 0.5, 0.1])
    solver.c = 0.7
    solver.theta = solver.theta + 0.05 * rng.normal(size=solver.theta.shape)
    base = solver.problem.normals(Stream.BASE, 0, 20_000)
    seen = []
    solver.optimiser.step = lambda theta, gradient, rate: seen.append(gradient) or theta
    solver._iterate()

    def lagrangian(theta):
        z, log_q = solver.flow.sample(theta, base)
        violation = (
            solver.problem.constraints.sufficient_statistics(z) - solver.problem.constraints.target
        ) / solver.scale
        halves = violation[:10_000].mean(0), violation[10_000:].mean(0)
        return log_q.mean() + solver.eta @ violation.mean(0) + solver.c / 2 * halves[0] @ halves[1]

    direction = rng.normal(size=solver.theta.shape)
    h = 1e-5
    numeric = (lagrangian(solver.theta + h * direction) - lagrangian(solver.theta - h * direction)) / (2 * h)
    assert seen[0] @ direction == pytest.approx(numeric, rel=1e-6)


def test_multiplier_moves_by_the_penalty_times_the_violation():
    solver = algorithm_one()
    for _ in range(QUICK["iterations_per_epoch"]):
        solver.step()
    theta = solver.theta
    base = solver.problem.normals(Stream.EPOCH_BASE, 0, 40)
    z, _ = solver.flow.sample(theta, base)
    T = solver.problem.constraints.sufficient_statistics(z)
    violation = ((T - solver.problem.constraints.target) / solver.scale).mean(0)
    solver.step()
    np.testing.assert_allclose(solver.eta, solver.settings.penalty * violation, rtol=1e-10)
    np.testing.assert_allclose(solver.multipliers, -solver.eta / solver.scale)


def test_adam_is_reset_at_every_epoch():
    solver = algorithm_one()
    for _ in range(QUICK["iterations_per_epoch"]):
        solver.step()
    assert solver.optimiser.count == QUICK["iterations_per_epoch"]
    solver.step()
    assert solver.optimiser.count == 0 and not solver.optimiser.mean.any() and solver.epoch == 1


def test_every_epoch_is_in_the_traces():
    solver = algorithm_one()
    before = {name: len(values) for name, values in solver.epochs.items()}
    for _ in range(2 * (QUICK["iterations_per_epoch"] + 1)):
        solver.step()
    assert {name: len(v) - before[name] for name, v in solver.epochs.items()} == dict.fromkeys(before, 2)
    np.testing.assert_array_equal(solver.epochs["multipliers"][-1], solver.multipliers)


def test_the_violation_is_told_in_standard_errors_of_its_batch_also_after_a_resume():
    solver, resumed = algorithm_one(), algorithm_one()
    solver.step()
    theta = solver.theta.copy()
    solver.step()
    z, _ = solver.flow.sample(theta, solver.problem.normals(Stream.BASE, 1, 40))
    T = solver.problem.constraints.sufficient_statistics(z)  # of the plane f is z
    expected = np.abs(T.mean(axis=0) - solver.problem.constraints.target) / (T.std(axis=0) / np.sqrt(40))
    resumed.restore(solver.state())
    for each in (solver, resumed):
        np.testing.assert_allclose(each.violation_in_stderr, expected, rtol=1e-9)
    untouched = algorithm_one()
    untouched.step()
    resumed = algorithm_one()
    resumed.restore(untouched.state())  # before anybody asked for it
    np.testing.assert_array_equal(resumed.violation_in_stderr, untouched.violation_in_stderr)


def test_unscaled_constraints_are_the_papers():
    assert np.all(algorithm_one(scaled=False).scale == 1)
    np.testing.assert_allclose(algorithm_one().scale, [1, 2, np.sqrt(2), 4 * np.sqrt(2)])


def test_known_maximum_entropy_solution_is_found():
    # On a wide box the answer is N((1, -1), diag(1, 4)), of entropy log(2 pi e) + log 2 = 3.531
    circuit = Plane()
    prop = ne.EmergentProperty(mean=[1.0, -1.0], variance=[1.0, 4.0])
    result = ne.infer(
        circuit, prop, rng=1, solver="augmented-lagrangian", progress=False, penalty=1.0,
        epochs=5, iterations_per_epoch=400, batch_size=200, flow=ne.RealNVP(circuit.support, stages=3, hidden=(20, 20)),
    )  # fmt: skip
    assert result.success and result.status == "near the optimum"
    assert result.entropy == pytest.approx(np.log(2 * np.pi * np.e * 2), abs=0.1)
    np.testing.assert_allclose(result.statistic_mean, [1, -1], atol=0.15)
    np.testing.assert_allclose(result.statistic_variance, [1, 4], rtol=0.2)
    # p* is exp(eta.T) with eta on (f - mu)^2 = -1/(2 sigma^2)
    np.testing.assert_allclose(result.certificate.multipliers[2:], [-0.5, -0.125], rtol=0.1)
    assert result.certificate.kl < 0.1 and result.multipliers[2] < 0


def test_prior_replaces_the_uniform_measure():
    class Normal:
        def log_prob(self, z):
            return -0.5 * (z**2).sum(1) - np.log(2 * np.pi)

        def gradient(self, z):
            return -z

    circuit = Plane()
    prop = ne.EmergentProperty(mean=[1.0, None])
    result = ne.infer(
        circuit, prop, rng=1, solver="augmented-lagrangian", progress=False, prior=Normal(),
        penalty=1.0, epochs=5, iterations_per_epoch=300, batch_size=200,
        flow=ne.RealNVP(circuit.support, stages=3, hidden=(20, 20)),
    )  # fmt: skip
    # the tilted prior is N((1, 0), I), and KL(q || prior) = 1/2
    np.testing.assert_allclose(result.sample(5000).mean(0), [1, 0], atol=0.15)
    np.testing.assert_allclose(result.sample(5000).var(0), [1, 1], rtol=0.15)
    assert result.relative_entropy == pytest.approx(0.5, abs=0.1)


def test_failed_simulations_are_dropped_counted_and_reported():
    circuit = Plane(fail_above=5.0)
    prop = ne.EmergentProperty(mean=[1.0, -1.0])
    result = ne.infer(circuit, prop, solver="augmented-lagrangian", progress=False, initial="uniform", **QUICK)
    assert result.n_failed > 0 and np.all(result.failed_examples[:, 0] > 5)
    assert np.isfinite(result.entropy) and np.isfinite(result.statistic_mean).all()
    assert f"{result.n_failed:,} simulations were not finite" in result.message


def test_too_many_failures_stop_the_run_with_the_remedy():
    circuit = Plane(fail_above=-5.0)
    prop = ne.EmergentProperty(mean=[1.0, -1.0])
    result = ne.infer(circuit, prop, solver="augmented-lagrangian", progress=False, initial="uniform", **QUICK)
    assert not result.success and result.status == "failed"
    assert "simulations failed" in result.message and "narrow the support" in result.message


def test_a_constant_statistic_at_its_target_is_no_obstacle():
    circuit = ne.circuits.FunctionCircuit(
        lambda z: np.stack([z[:, 0], np.full(len(z), 0.1)], axis=1), ne.Support([-1.0, -1.0], [1.0, 1.0]),
        jacobian=lambda z: np.broadcast_to([[1.0, 0.0], [0.0, 0.0]], (len(z), 2, 2)),
    )  # fmt: skip
    solver = algorithm_one(circuit, ne.EmergentProperty(mean=[0.0, 0.1]))
    for _ in range(QUICK["iterations_per_epoch"] + 1):
        solver.step()
    assert solver.epochs["p_values"][0][1] == 1


def test_a_gradient_whose_square_overflows_ends_the_run_by_name():
    solver = algorithm_one(prop=ne.EmergentProperty(mean=[1e-50, None], variance=[1e-74, None]))
    solver.eta = np.full(2, 1e160)
    solver.step()
    assert "gradient is not finite" in solver.failure and np.isfinite(solver.theta).all()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"batch_size": 41}, "batch_size = 41: it must be even"),
        ({"epochs": 0}, "epochs = 0"),
        ({"penalty": -1.0}, "penalty = -1.0"),
        ({"initial": "zero"}, "choose from 'gaussian', 'uniform'"),
        ({"initial": np.ones((2, 2))}, "give more"),
        ({"penalty_growth": 0.5}, "penalty_growth"),
    ],
)
def test_bad_settings_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        Settings(**settings)
