"""The support's map by itself: that of flows, in one pass."""

import numba
import numpy as np
import pytest

import numepi as ne
from numepi.flow.families.composition import ComposedFlow
from numepi.inference.particles.plain import plain_flow

BOX = ne.Support([-1.0, 0.5, 3.0], [1.0, 0.75, 300.0])


@pytest.mark.parametrize("support", [BOX, ne.Support([-1.0, 0.0, -np.inf], [1.0, np.inf, np.inf])], ids=["box", "open"])
def test_it_is_the_map_of_flows(support):
    flow, empty = plain_flow(support), np.empty(0)
    u = np.random.default_rng(0).standard_normal((257, 3)) * 2
    grad_z, grad_log_q = np.random.default_rng(1).standard_normal((257, 3)), np.ones(257)
    z, log_q, pullback = flow.sample_with_full_pullback(empty, u)
    wanted = ComposedFlow.sample_with_full_pullback(flow, empty, u)
    np.testing.assert_allclose(z, support.from_line(u)[0], rtol=1e-12)
    np.testing.assert_allclose(log_q, wanted[1], rtol=1e-12, atol=1e-12)
    found, gradients = pullback(grad_z, grad_log_q), wanted[2](grad_z, grad_log_q)
    assert found[0].shape == (0,)
    np.testing.assert_allclose(found[1], gradients[1], rtol=1e-10, atol=1e-12)
    for one, other in zip(flow.sample(empty, u), (z, log_q)):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_allclose(flow.log_prob(empty, z), log_q, rtol=1e-9, atol=1e-9)


def test_beyond_the_tails_it_is_the_bounds():
    u = np.array([[-np.inf, np.inf, np.nan], [-45.0, 45.0, -45.0]])
    z, _, pullback = plain_flow(BOX).sample_with_full_pullback(np.empty(0), u)
    np.testing.assert_array_equal(z, [[-1.0, 0.75, np.nan], [-1.0, 0.75, 3.0]])
    assert (pullback(np.ones((2, 3)), np.zeros(2))[1][:, :2] == 0).all()


def test_no_number_depends_on_threads():
    flow = plain_flow(ne.Support([-1.0] * 1000, [1.0] * 1000))
    u, threads = np.random.default_rng(0).standard_normal((200, 1000)), numba.get_num_threads()
    results = []
    for number in {1, threads}:
        numba.set_num_threads(number)
        results.append(flow.sample(np.empty(0), u)[0])
    numba.set_num_threads(threads)
    np.testing.assert_array_equal(results[0], results[-1])
