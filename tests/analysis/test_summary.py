"""The summary for many dimensions."""

import numpy as np

import numepi as ne
from numepi.analysis import summarise
from numepi.flow import FlowDistribution


def test_the_summary_of_a_gaussian(gaussian):
    found = summarise(gaussian, n_samples=20_000, n_directions=3, n_pairs=2)
    # in units of standard deviations E[g g^T] is the inverse of the correlation matrix
    spread = np.sqrt(np.diag(gaussian.covariance))
    expected = np.sort(np.linalg.eigvalsh(np.linalg.inv(gaussian.covariance / np.outer(spread, spread))))[::-1]
    np.testing.assert_allclose(found.eigenvalues, expected, rtol=0.05)
    assert [pair[:2] for pair in found.couplings] == [(0, 1), (1, 2)]
    assert np.isnan(found.shrinkage).all() and 0.01 < found.noise < 0.02
    assert "a-b" in str(found)


def test_400_dimensions_stay_readable_and_a_coupling_stands_out():
    support = ne.Support([-1.0] * 400, [1.0] * 400)
    flow = ne.RealNVP(support, stages=2, hidden=(4,))
    theta = flow.initial_parameters(0)
    flow.absorb_affine(theta, np.log(0.2) * (np.arange(400) == 7), np.zeros(400))
    q = FlowDistribution(flow, theta)
    found = summarise(q, n_samples=1000)
    assert found.shrinkage.shape == (400,) and np.argmin(found.shrinkage) == 7
    text = str(found)
    assert len(text.splitlines()) < 12 and "z8" in text and max(map(len, text.splitlines())) < 160
    # nothing is coupled: the strongest pair is what chance gives
    assert abs(found.couplings[0][2]) < 1.2 * found.noise
