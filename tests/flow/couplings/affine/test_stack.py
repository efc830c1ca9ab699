"""The stack of affine couplings is the composition of its stages (its passes: test_transforms)."""

import numpy as np

from numepi.flow.couplings.affine.coupling import AffineCoupling
from numepi.flow.couplings.affine.stack import AffineStack

ORDERS = [[3, 0, 2, 1], [1, 2, 0, 3]]


def test_definition_is_the_chain_of_couplings_and_permutations():
    rng = np.random.default_rng(0)
    coupling = AffineCoupling(4, (5,), "float64")
    stack = AffineStack(coupling, ORDERS)
    theta, x = rng.standard_normal(stack.n_parameters), rng.standard_normal((6, 4))
    y, log_det = stack.forward(theta, x)
    first, second, third = np.split(theta, 3)
    expected, first_det = coupling.forward(first, x)
    expected, second_det = coupling.forward(second, expected[:, ORDERS[0]])
    expected, third_det = coupling.forward(third, expected[:, ORDERS[1]])
    np.testing.assert_array_equal(y, expected)
    np.testing.assert_allclose(log_det, first_det + second_det + third_det, rtol=1e-14)
