"""The conditioner network: definition, layout and packing."""

import numpy as np
import pytest

from numepi.flow.networks.mlp import MLP, TILE


def test_definition_is_the_textbook_network():
    network = MLP(2, (5, 3), 4)
    rng = np.random.default_rng(0)
    theta, x = rng.standard_normal(network.n_parameters), rng.standard_normal((7, 2))
    parts, start = {}, 0
    for name, shape in network.layout():
        parts[name] = theta[start : start + np.prod(shape)].reshape(shape)
        start += np.prod(shape)
    assert start == network.n_parameters
    h = np.tanh(x @ parts["weight1"].T + parts["bias1"])
    h = np.tanh(h @ parts["weight2"].T + parts["bias2"])
    np.testing.assert_allclose(network(theta, x), h @ parts["weight3"].T + parts["bias3"], rtol=1e-13)


@pytest.mark.parametrize("widths", [(1, (1,), 2), (2, (50, 50), 4), (3, (4, 7, 9), 8)])
def test_packing_keeps_every_parameter_once(widths):
    network = MLP(*widths)
    assert (network.padded_widths % TILE == 0).all()
    theta = np.arange(1.0, network.n_parameters + 1)
    packed = network.pack(theta, np.float64)
    assert packed.size == network.packed_size
    np.testing.assert_array_equal(np.sort(packed[packed != 0]), theta)
    np.testing.assert_array_equal(packed[network.packed_index], theta)


def test_initial_network_gives_zero_with_live_hidden_units():
    network = MLP(3, (20, 20), 6)
    theta = network.initial_parameters(np.random.default_rng(0))
    assert theta.shape == (network.n_parameters,)
    assert (network(theta, np.random.default_rng(1).standard_normal((5, 3))) == 0).all()
    assert np.count_nonzero(theta) == network.n_parameters - 6 * 21
