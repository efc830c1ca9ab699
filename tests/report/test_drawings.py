"""What the figures of a report show, beyond that they are there."""

from types import SimpleNamespace

import pytest

import numepi as ne
from numepi.flow import FlowDistribution
from numepi.report import drawings


@pytest.mark.parametrize("dim", [6, 7])
def test_of_many_parameters_the_strongest_pairs_are_drawn(dim, monkeypatch):
    flow = ne.RealNVP(ne.Support([-1.0] * dim, [1.0] * dim), stages=1, hidden=(4,))
    distribution = FlowDistribution(flow, flow.initial_parameters(0))
    result = SimpleNamespace(parameter_names=tuple(f"p{i}" for i in range(dim)), distribution=distribution)
    z = distribution.sample(100, rng=0)
    z[:, 0] = z[:, -1]  # no pair hangs together more, and the last parameter is in it
    shown = []
    monkeypatch.setattr(drawings, "strongest_pairs", lambda z, *a, **k: shown.append(z))
    text = drawings.pairs(result, z)
    assert ("pairs of the greatest rank correlation" in text) == (len(shown) > 0) == (dim > 6)
