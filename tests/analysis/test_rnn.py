"""Classes of rank-2 networks and the size of their activity."""

import numpy as np
import pytest

import numepi as ne
from numepi.analysis import rnn


def test_classes_follow_the_definition():
    f = np.array([[0.5, 1.5], [0.5, 0.9], [1.2, 1.5], [0.99, 1.01]])
    np.testing.assert_array_equal(rnn.classify(f), [0, 1, 2, 0])
    assert rnn.class_shares(f) == {"stable amplified": 0.5, "stable monotonic": 0.25, "unstable": 0.25}


@pytest.mark.slow
def test_activity_does_what_its_class_says(rng):
    circuit = ne.circuits.RankTwoRNN(10, g=0.0)
    z = rng.uniform(-1, 1, (400, 40)) * rng.uniform(0.2, 0.8, (400, 1))
    f = circuit.statistics(z)
    chosen = [np.flatnonzero(rnn.classify(f) == i)[0] for i in range(3)]
    size = rnn.norms(circuit.simulate(z[chosen]))
    np.testing.assert_allclose(size[:, 0], 1.0)
    amplified, monotonic, unstable = size
    assert amplified.max() > 1 and amplified[-1] < amplified.max()
    assert np.all(np.diff(monotonic) < 0)
    assert unstable[-1] > unstable[len(unstable) // 2]
