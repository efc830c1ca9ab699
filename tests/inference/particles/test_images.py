"""Images of particles under sign symmetries."""

import numpy as np

from numepi.circuits import RankTwoRNN
from numepi.inference.particles.images import image, parities
from numepi.inference.problem import Problem
from numepi.support import Support


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
