"""The start of Algorithm 1: Gaussians of any covariance, from samples or given."""

import ast
from pathlib import Path

import numpy as np
import pytest

import numepi as ne
from numepi.flow import FlowDistribution
from numepi.inference.augmented_lagrangian.solver import AugmentedLagrangian, Settings
from numepi.inference.problem import Problem

STG = ne.circuits.STG()
MEAN, COVARIANCE = np.array([6.0, 1.5]), np.array([[0.25, -0.12], [-0.12, 0.09]])


def started(initial, precision="float64", flow=None):
    flow = ne.RealNVP(STG.support, stages=3, hidden=(25, 25), precision=precision) if flow is None else flow
    problem = Problem(STG, STG.emergent_property(), np.random.SeedSequence(3), precision=precision)
    solver = AugmentedLagrangian(problem, flow, Settings(initial=initial))
    solver.initialise()
    return FlowDistribution(flow, solver.theta)


@pytest.mark.parametrize("precision", ["float64", "float32"])
def test_a_gaussian_of_full_covariance_is_met(precision):
    q = started((MEAN, COVARIANCE), precision)
    z, log_q = q.sample_with_log_prob(20_000, rng=1)
    normal = -0.5 * np.einsum("ni,ij,nj->n", z - MEAN, np.linalg.inv(COVARIANCE), z - MEAN)
    normal -= 0.5 * np.log(np.linalg.det(2 * np.pi * COVARIANCE))
    # the correlation alone is worth -log(1 - 0.8^2) / 2 = 0.51 nats; standard error 0.001
    assert -0.005 < np.mean(log_q - normal) < 0.02
    assert np.corrcoef(z.T)[0, 1] == pytest.approx(-0.8, abs=0.03)
    np.testing.assert_allclose(z.mean(axis=0), MEAN, atol=0.02)
    np.testing.assert_allclose(z.std(axis=0), np.sqrt(np.diag(COVARIANCE)), rtol=0.04)


def test_samples_stand_for_their_mean_and_covariance(rng):
    samples = rng.multivariate_normal(MEAN, COVARIANCE, 500)
    by_samples = Settings(initial=samples).initial
    by_moments = Settings(initial=(samples.mean(axis=0), np.cov(samples.T))).initial
    assert by_samples == by_moments
    np.testing.assert_array_equal(by_samples.covariance, np.cov(samples.T))
    assert Settings(initial=samples) == Settings(initial=samples.tolist()) != Settings(initial=samples + 1e-3)


def test_without_correlations_the_element_wise_fit_is_the_start():
    q = started((MEAN, np.diag(np.diag(COVARIANCE))))
    deviation = np.sqrt(np.diag(COVARIANCE))
    expected = ne.flow.families.gaussian.fit_gaussian(
        q.flow, MEAN, deviation, rng=np.random.SeedSequence(3, spawn_key=(7, 0))
    )
    np.testing.assert_array_equal(q.theta, expected)


def test_a_start_of_another_dimension_is_refused():
    with pytest.raises(ValueError, match="initial is of 3 parameters: the circuit has 2"):
        started((np.zeros(3), np.eye(3)))
    with pytest.raises(ValueError, match=r"mean\[0\] = 9.0 is outside of the support"):
        started((np.array([9.0, 1.0]), np.eye(2)))


def test_a_run_from_samples_is_resumed_and_refused_with_others(tmp_path, rng):
    lds = ne.circuits.LDS()
    samples = rng.normal(size=(50, 4))
    settings = {"epochs": 1, "iterations_per_epoch": 3, "batch_size": 20, "test_batch_size": 20, "n_tests": 5}
    settings |= {"solver": "augmented-lagrangian", "progress": False, "checkpoint": tmp_path / "run.npz"}
    prop = lds.emergent_property()
    first = ne.infer(lds, prop, initial=samples, **settings)
    first.save(tmp_path / "result.npz")
    again = ne.infer(lds, prop, initial=samples, resume=True, **settings)
    np.testing.assert_array_equal(first.distribution.theta, again.distribution.theta)
    np.testing.assert_array_equal(ne.load(tmp_path / "result.npz").distribution.theta, first.distribution.theta)
    with pytest.raises(ValueError, match=r"solver_settings.initial.* is .* in the checkpoint"):
        ne.infer(lds, prop, initial=samples + 1, resume=True, **settings)


def test_no_example_replaces_an_attribute_of_a_part_of_numepi():
    for path in (Path(__file__).parents[3] / "examples").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            targets = node.targets if isinstance(node, ast.Assign) else []
            owners = [ast.unparse(t.value) for t in targets if isinstance(t, ast.Attribute)]
            assert set(owners) <= {"self"}, f"{path}: line {node.lineno}"
