"""Flows at random parameters, shared by the tests of this folder."""

import numpy as np
import pytest

from numepi.flow import RealNVP
from numepi.support import Support

SUPPORTS = {
    "box": Support([-10.0] * 4, [10.0] * 4),
    "box-2d": Support([4.0, 0.01], [8.0, 4.0]),
    "half-lines": Support([0.0, -np.inf, 1.0], [np.inf, 3.0, np.inf]),
    "line": Support([-np.inf] * 2, [np.inf] * 2),
    "mixed": Support([-10.0, 0.0, -np.inf, -np.inf, 2.0], [10.0, np.inf, 3.0, np.inf, 2.5]),
}


@pytest.fixture
def random_flow():
    """Make a flow with random parameters that bend it but keep it away from the bounds' last digits."""

    def make(support="box", scale=0.2, seed=0, **settings):
        support = SUPPORTS.get(support, support)
        settings.setdefault("hidden", (8, 7))
        flow = RealNVP(support, **settings)
        theta = flow.initial_parameters(seed)
        return flow, theta + scale * np.random.default_rng(seed + 1).standard_normal(flow.n_parameters)

    return make
