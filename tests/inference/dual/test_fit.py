"""The fit of a round: multipliers by many draws, and what a landing that is repeated lands on."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

import numepi as ne
from numepi.inference.dual import fit as module
from numepi.inference.dual.fit import _with_many_draws, real_sample
from numepi.inference.dual.multipliers import DualPoint
from numepi.inference.dual.settings import Settings
from numepi.inference.dual.solver import Dual
from numepi.inference.dual.state import Fit
from numepi.inference.problem import Problem

CONSTRAINTS = ne.EmergentProperty(mean=[1.0]).constraints(("x",))


@pytest.fixture
def noisy_state(rng):
    """At eta = 0, rows of T = z + 0.2 whose noise the surrogate's mean has not learned, and their own members over."""
    n = 4000
    z = rng.standard_normal((n, 1))
    valid, zero, eta = np.arange(n) % 7 > 0, np.zeros(n), np.zeros(1)
    T = np.where(valid[:, None], CONSTRAINTS.target + z + 0.2, np.nan)
    replay = SimpleNamespace(z=z, T=T, valid=valid, log_prior=zero, log_start=zero, log_base=zero[valid])
    surrogate = SimpleNamespace(
        expected=lambda constraints, z: constraints.target + z,
        expected_unseen=lambda constraints, replay, eta: constraints.target + replay.z[replay.valid] + 0.7,
    )
    dual = DualPoint(eta, eta, 1.0, True, np.empty(0), eta)
    return SimpleNamespace(replay=replay, surrogate=surrogate, dual=dual)


def test_rows_are_weighted_by_what_has_not_seen_them(noisy_state):
    found = real_sample(noisy_state, SimpleNamespace(constraints=CONSTRAINTS)).violation * CONSTRAINTS.scale
    np.testing.assert_allclose(found, noisy_state.replay.z[noisy_state.replay.valid] + 0.7)


def test_what_the_surrogate_misses_is_what_its_mean_does(noisy_state, rng):
    """A mean that is 0.2 too low everywhere: of N(0, 1) the targets, 0.2 lower by it, are met with eta = -0.2."""
    z = rng.standard_normal((20_000, 1))
    pool = SimpleNamespace(z=z, log_target=np.zeros(len(z)), log_proposal=np.zeros(len(z)))
    dual, off = _with_many_draws(noisy_state, SimpleNamespace(constraints=CONSTRAINTS), pool, Settings())
    assert dual.eta / CONSTRAINTS.scale == pytest.approx([-0.2], abs=0.03)  # standard error 0.007
    assert off == 0.0  # of the entropy at eta = 0, where it is greatest


def test_what_the_entropy_of_the_target_is_off_by_is_known_to_first_order(noisy_state, rng):
    """N(0.5, 1), by eta = 0.5: its mean is to fall to -0.2, which is 0.7 eta nats."""
    noisy_state.dual = replace(noisy_state.dual, eta=0.5 * CONSTRAINTS.scale)
    z = 0.5 + rng.standard_normal((20_000, 1))
    pool = SimpleNamespace(z=z, log_target=np.zeros(len(z)), log_proposal=np.zeros(len(z)))
    dual, off = _with_many_draws(noisy_state, SimpleNamespace(constraints=CONSTRAINTS), pool, Settings())
    assert dual.eta / CONSTRAINTS.scale == pytest.approx([-0.2], abs=0.05)
    assert off == pytest.approx(0.35, abs=0.02)


@pytest.mark.parametrize(
    ("distance", "off", "repeated", "again"),
    [
        (0.04, 0.0, 0, True),
        (0.02, 0.03, 0, True),  # the flow is near what it was to land on, and that is not where it should be
        (0.02, 0.01, 0, False),
        (0.04, 0.03, 2, False),
    ],
)
def test_a_landing_is_repeated_where_flow_or_multipliers_are_off_with_new_multipliers(
    noisy_state, monkeypatch, distance, off, repeated, again
):
    better = replace(noisy_state.dual, eta=np.ones(1))
    monkeypatch.setattr(module, "_with_many_draws", lambda *arguments: (better, off))
    now = Fit(600, 600, None, None, True, None, distance, repeated)
    found = module._to_land_at(noisy_state, now, None, None, Settings(kl=0.05))
    assert found is (better if again else None)


def test_a_landing_from_afar_ends_with_multipliers_by_draws_of_the_flow_that_has_landed(monkeypatch):
    """Those by draws of the approach are as wrong as can be here: a target whose mean is 0.5 off in 1."""
    box, calls, solve = ne.Support([-2.0], [2.0]), [], module._with_many_draws
    circuit = ne.circuits.FunctionCircuit(lambda z: z, box, statistic_names=("x",))
    prop = ne.EmergentProperty(mean=[0.5], variance=[0.25])
    problem = Problem(circuit, prop, np.random.SeedSequence(0))
    solver = Dual(problem, ne.ElementwiseFlow(box), Settings())
    solver.initialise()

    def at_first_wrong(state, *arguments):
        dual, off = solve(state, *arguments)
        calls.append(off)
        return (replace(dual, eta=dual.eta + np.array([1.0, 0.0])), off) if len(calls) == 1 else (dual, off)

    monkeypatch.setattr(module, "_with_many_draws", at_first_wrong)
    while solver.record.phase != "check":
        solver.step()
    assert len(calls) > 1 and calls[1] > 0.02
    z = solver.flow.sample(solver.record.theta, np.random.default_rng(0).standard_normal((20_000, 1)))[0]
    assert z.mean() == pytest.approx(0.5, abs=0.05)
