"""What particles count for in a flow's learning, and its rate."""

import numpy as np
import pytest

from numepi.circuits import RankTwoRNN
from numepi.inference.particles.learning import Pace, image, parities, rate, weights
from numepi.inference.problem import Problem
from numepi.support import Support


def test_one_particle_out_of_the_flows_reach_does_not_outweigh_the_others():
    log_ratio = np.array([0.0, 1.0, -1.0, 2.0, -2.0, 400.0])
    found = weights(log_ratio)
    assert np.array_equal(found[:5], np.ones(5))
    assert found[5] * log_ratio[5] == pytest.approx(5, rel=0.05)  # it counts as one that is as far as counts in full
    assert np.array_equal(weights(1e3 * np.arange(4.0))[:2], np.ones(2))  # far from p* all count, as far as most are


@pytest.mark.parametrize(("straight", "half"), [(True, 0.5), (False, 0.1)])
def test_the_rate_rises_soon_and_falls_to_the_end(straight, half):
    steps = 1000
    rates = np.array([rate(step, step / steps, straight) for step in range(steps)])
    assert rates[0] < 0.03 and rates[50] > 0.75 and rates[500] == pytest.approx(half)
    assert np.all(np.diff(rates[50:990]) < 0) and rates[-1] == pytest.approx(0.01, rel=0.01)


def test_a_flow_of_very_many_parameters_learns_with_care():
    # with the pace of a hundred, half of the draws of a thousand left the region, and variances were 40 tolerances off
    # and with that of fifty one of three flows of a hundred ran off, when its own draws began to teach it
    sure, swift, careful = Pace.of(200), Pace.of(400), Pace.of(1000)
    assert sure.lead < swift.lead == careful.lead and swift.straight and not careful.straight


def test_an_image_has_the_same_statistics_and_both_modes_come_alike():
    circuit = RankTwoRNN(n_neurons=6)
    problem = Problem(circuit, circuit.emergent_property(), np.random.SeedSequence(0))
    z = np.random.default_rng(0).uniform(-1, 1, (400, 24))
    u = z.reshape(400, 4, 6)
    z = z[np.einsum("nj,nj->n", u[:, 0], u[:, 1]) > 0]  # one of two modes
    found = image(z, parities(problem), np.random.default_rng(1))
    np.testing.assert_array_equal(np.abs(found), np.abs(z))
    none = {"noise": np.zeros((len(z), 2, 6, 2))}
    np.testing.assert_allclose(circuit.statistics(found, noise=none), circuit.statistics(z, noise=none), rtol=1e-9)
    u = found.reshape(len(z), 4, 6)
    assert 0.35 < np.mean(np.einsum("nj,nj->n", u[:, 0], u[:, 1]) > 0) < 0.65  # 200 rows or so: false alarm 2e-5


def test_a_prior_or_bounds_without_the_symmetry_have_no_images():
    circuit = RankTwoRNN(n_neurons=6)
    prop, seed = circuit.emergent_property(), np.random.SeedSequence(0)
    assert len(parities(Problem(circuit, prop, seed))) == 8
    assert len(parities(Problem(circuit, prop, seed, prior=object()))) == 0
    circuit.support = Support([-1.0] * 24, [1.0] * 6 + [2.0] + [1.0] * 17)
    assert len(parities(Problem(circuit, prop, seed))) == 6  # not U2 with V2, nor the first neuron
