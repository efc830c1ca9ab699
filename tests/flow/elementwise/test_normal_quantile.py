"""The compiled normal quantile against SciPy's."""

import numpy as np
from scipy.special import ndtri

from numepi.flow.elementwise.normal_quantile import normal_quantile


def test_agrees_with_scipy_from_the_centre_to_the_far_tail():
    p = np.concatenate([np.linspace(1e-3, 1 - 1e-3, 401), 10.0 ** -np.arange(3, 308, 7)])
    ours = np.array([normal_quantile(x) for x in p])
    np.testing.assert_allclose(ours, ndtri(p), rtol=1e-13, atol=1e-15)
