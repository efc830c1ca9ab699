"""Which flow learns from particles where none is given."""

import numpy as np

import numepi as ne
from numepi.inference.particles.default_flow import default_flow


def vectors(**settings):
    """A circuit of four vectors of six parameters in a box."""
    names = [f"{v}{i}" for v in "abcd" for i in range(6)]
    box = ne.Support([-1.0] * 24, [1.0] * 24)
    arguments = {"support": box, "parameter_names": names, "parameter_vectors": 4, "statistic_names": ["x"]} | settings
    return ne.circuits.FunctionCircuit(lambda z: z[:, :1] ** 2, **arguments)


def whole(*letters):
    return [f"{v}{i}" for v in letters for i in range(6)]


def test_vectors_in_a_box_get_lenses_and_others_do_not():
    flow = default_flow(ne.circuits.RankTwoRNN(n_neurons=6), "float32", None)
    assert isinstance(flow, ne.LensFlow) and flow.precision == "float32"
    assert isinstance(default_flow(ne.circuits.RankTwoRNN(n_neurons=4), "float64", None), ne.SplineFlow)
    open_sided = vectors(support=ne.Support([-1.0] * 24, [np.inf] * 24))
    assert isinstance(default_flow(open_sided, "float64", None), ne.DirectionalFlow)


def test_vectors_that_change_sign_together_share_a_label():
    assert default_flow(ne.circuits.RankTwoRNN(n_neurons=6), "float64", None).settings["signs"] == [1, 2, 1, 2]
    box = ne.Support([-1.0] * 24, [1.0] * 24)
    for sets, prior, support, expected in (
        ([whole("a", "c")], None, box, [1, 0, 1, 0]),
        ([whole("a", "c"), ["a0", "b0"]], None, box, [1, 0, 1, 0]),  # parts of vectors are no matter of whole ones
        ([whole("a", "c"), whole("a", "b")], None, box, None),  # overlap
        ([whole("a")], None, box, None),  # nothing would stay to tell its sign by
        ([], None, box, None),
        ([whole("a", "c")], "normal", box, None),
        ([whole("a", "c")], None, ne.Support([-1.0] * 24, [2.0] * 24), None),
    ):
        flow = default_flow(vectors(sign_symmetries=sets, support=support), "float64", prior)
        assert flow.settings["signs"] == expected
