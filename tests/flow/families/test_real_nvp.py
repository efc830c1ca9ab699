"""The paper's flow by name: settings, description, layout, the uniform start."""

import json

import numpy as np
import pytest

from numepi.flow import RealNVP, flow_from_description
from numepi.support import Support

BOX = Support([-10.0, 0.0, 4.0], [10.0, 0.5, 8.0])


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"stages": 0}, "stages = 0"),
        ({"stages": 1.5}, "stages = 1.5"),
        ({"hidden": ()}, "hidden"),
        ({"hidden": (5, 0)}, "hidden"),
        ({"box_map": "tanh"}, "box_map"),
        ({"precision": "float16"}, "float16"),
    ],
)
def test_bad_settings_are_refused(settings, match):
    with pytest.raises(ValueError, match=match):
        RealNVP(BOX, **settings)


def test_a_support_is_needed():
    with pytest.raises(TypeError, match="list"):
        RealNVP([0.0, 1.0])


def test_description_round_trip():
    support = Support([-10.0, 0.0, -np.inf], [10.0, np.inf, 8.0])
    flow = RealNVP(support, stages=4, hidden=(6, 5), post_affine=True, box_map="sigmoid", seed=3, precision="float32")
    copy = flow_from_description(json.loads(json.dumps(flow.description)))
    assert copy.description == flow.description
    assert repr(copy) == repr(flow)
    theta = flow.initial_parameters(1) + 0.1
    base = np.random.default_rng(0).standard_normal((10, 3))
    for ours, other in zip(copy.sample(theta, base), flow.sample(theta, base)):
        np.testing.assert_array_equal(ours, other)


def test_unknown_family_is_refused():
    with pytest.raises(ValueError, match="RealNVP"):
        flow_from_description({"family": "glow", "support": BOX.description})


def test_layout_names_every_parameter_once():
    flow = RealNVP(BOX, stages=3, hidden=(6, 5), post_affine=True)
    end = 0
    for _, shape, offset in flow.layout():
        assert offset == end
        end += int(np.prod(shape))
    assert end == flow.n_parameters == len(flow.initial_parameters())
    assert len({name for name, _, _ in flow.layout()}) == len(flow.layout())


def test_initial_parameters_follow_the_seed():
    flow = RealNVP(BOX, hidden=(6, 5))
    np.testing.assert_array_equal(flow.initial_parameters(1), flow.initial_parameters(1))
    assert not np.array_equal(flow.initial_parameters(1), flow.initial_parameters(2))


@pytest.mark.parametrize("precision", ["float64", "float32"])
def test_initial_flow_is_exactly_uniform_on_a_box(precision):
    flow = RealNVP(BOX, hidden=(8, 7), precision=precision)
    theta = flow.initial_parameters(0)
    base = np.random.default_rng(0).standard_normal((500, 3))
    base[:3] = np.diag([8.0, -12.0, 35.0])
    z, log_q = flow.sample(theta, base)
    np.testing.assert_allclose(log_q, -np.log(20 * 0.5 * 4), rtol=0, atol=1e-11)
    np.testing.assert_allclose(flow.log_prob(theta, z), -np.log(20 * 0.5 * 4), rtol=0, atol=1e-11)


def test_seed_chooses_the_permutations():
    support = Support([0.0] * 10, [1.0] * 10)
    base = np.random.default_rng(0).standard_normal((2, 10))
    first, same, other = (RealNVP(support, hidden=(4,), seed=s) for s in (0, 0, 1))
    theta = first.initial_parameters(0)
    np.testing.assert_array_equal(first.sample(theta, base)[0], same.sample(theta, base)[0])
    assert not np.array_equal(first.sample(theta, base)[0], other.sample(theta, base)[0])
