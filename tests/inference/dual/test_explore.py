"""Rows where those nearby promise more than the surrogate, and rows around the flow's."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.stats import norm

import numepi as ne
from numepi.inference.dual import explore as module
from numepi.inference.dual import plan
from numepi.inference.dual.explore import explore, look, missed, promised, take_explored, take_look
from numepi.inference.dual.replay import empty_replay
from numepi.inference.dual.settings import Settings
from numepi.inference.dual.solver import Dual
from numepi.inference.dual.state import Rounds
from numepi.inference.problem import Problem

BOX = ne.Support([0.0, 0.0], [1.0, 1.0])
FEW = {
    "fit_steps": 20, "landing_steps": 20, "surrogate_first_steps": 50, "surrogate_steps": 50, "pool_size": 1000,
}  # fmt: skip
PROP = ne.EmergentProperty(mean=[0.0], variance=[1.0])
FAR_APART = 300  # rows that tell less than twenty places on an axis apart
CORNER = 0.2  # side of a patch of which the surrogate knows nothing


class Known:
    """A surrogate of T's first component, ``told(z)`` in nats above the target."""

    members = (None,)

    def __init__(self, constraints, told):
        self.constraints, self.told = constraints, told

    def expected(self, constraints, z):
        T = np.tile(self.constraints.target, (len(z), 1))
        T[:, 0] += self.told(z)
        return T

    def evaluate(self, constraints, z):
        return self.expected(constraints, z), np.zeros(len(z))


def corner(z):
    return (z < CORNER).all(axis=1)


def stripe(z):
    """What the surrogate knows: a tenth of the box has e^3 times the density of the rest."""
    return 3.0 * (z[:, 1] > 0.9)


@pytest.fixture
def run():
    circuit = ne.circuits.FunctionCircuit(
        lambda z, rng: z[:, :1] + rng.normal(size=(len(z), 1)), BOX, statistic_names=("f",)
    )
    problem = Problem(circuit, PROP, np.random.SeedSequence(0))
    solver = Dual(problem, ne.RealNVP(BOX, stages=2, hidden=(5,)), Settings(**FEW))
    solver.initialise()
    while solver.record.phase != "learn":
        solver.step()
    return solver


def misled(run, rng, gain, noise, n=4000):
    """The run's state, a surrogate that knows the stripe, and rows with ``gain`` nats more in the corner, and noise."""
    constraints, z = run.problem.constraints, rng.random((n, 2))
    T = Known(constraints, stripe).expected(constraints, z)
    T[:, 0] += gain * corner(z) + noise * rng.normal(size=n)
    replay = replace(
        empty_replay(2, 1, 2, run.flow.n_parameters), z=z, f=T[:, :1], T=T, valid=np.ones(n, bool),
        log_prior=np.zeros(n), log_start=np.zeros(n), log_flows=np.zeros((n, 0)), log_foreign=np.full(n, np.nan),
        n_start=n,
    )  # fmt: skip
    dual = replace(run.record.dual, eta=np.array([1.0, 0.0]) * constraints.scale)
    rounds = replace(run.record.rounds, size=600)
    return replace(
        run.record, surrogate=Known(constraints, stripe), replay=replay, dual=dual, noisy=True, phase="explore",
        rounds=rounds,
    )  # fmt: skip


def test_what_a_few_rows_show_is_promised_there(run, rng):
    """160 rows in a twenty-fifth of the box say e^3 times as much: 0.76 of what is 2.9 in all."""
    state, z = misled(run, rng, gain=3.0, noise=0.5), rng.random((40_000, 2))
    believed, more = promised(state, run.problem, z, np.zeros(len(z)))
    assert more[corner(z)].sum() / believed.sum() == pytest.approx(0.76 / 2.9, rel=0.3)
    assert more[corner(z)].mean() > 50 * more[~corner(z)].mean()


def test_noise_promises_little(run, rng):
    state, z = misled(run, rng, gain=0.0, noise=1.0), rng.random((20_000, 2))
    believed, more = promised(state, run.problem, z, np.zeros(len(z)))
    assert 0.0 < more.sum() < 0.05 * believed.sum()


def test_no_place_is_believed_to_have_more_than_the_surrogates_greatest(run, rng):
    state, z = misled(run, rng, gain=1e4, noise=0.0), rng.random((20_000, 2))
    believed, more = promised(state, run.problem, z, np.zeros(len(z)))
    assert (believed + more).max() == pytest.approx(1.0)


def test_rows_are_simulated_where_promised_and_learned_from_without_weight(run, rng):
    state, before = misled(run, rng, gain=3.0, noise=0.5), run.problem.n_simulations
    state = explore(state, run.problem, run.flow, run.settings)
    z = state.request.z
    assert state.phase == "take explored" and 40 <= len(z) <= 90 and corner(z).mean() > 0.7
    f, T = run.problem.simulate_rows(z, state.request.purpose, state.request.counter, 0)
    replay = state.replay
    state = take_explored(replace(state, request=replace(state.request, f=f, T=T)), run.problem, run.flow, run.settings)
    assert state.phase == "learn" and run.problem.n_simulations == before + len(z)
    assert len(state.replay) == state.replay.n_simulated == len(replay) + len(z)
    assert state.replay.valid.all() and state.replay.counts.sum() == len(replay)
    np.testing.assert_array_equal(state.replay.log_base, np.append(replay.log_base, np.full(len(z), -np.inf)))
    np.testing.assert_array_equal(state.replay.f[-len(z) :], f)


def test_too_few_for_a_round_are_not_simulated(run, rng):
    state = replace(misled(run, rng, gain=3.0, noise=0.5), rounds=Rounds(1, 30, 0))
    assert explore(state, run.problem, run.flow, run.settings).phase == "learn"


def test_it_takes_no_rows_from_the_next_round(run, rng):
    state = misled(run, rng, gain=3.0, noise=0.5)
    for left, size in ((900, 300), (899, 0)):
        problem = SimpleNamespace(limit=2000, left=lambda limit, left=left: left, constraints=run.problem.constraints)
        assert plan.explored_size(run.settings, problem, state) == size


def test_rows_around_are_the_flows_by_longer_normals_with_their_densities(run, rng):
    state = misled(run, rng, gain=0.0, noise=0.0, n=FAR_APART)
    z, log_drawn = module._around(state, run.problem, run.flow)
    again, _ = module._around(state, run.problem, run.flow)
    u, stretch = norm.ppf(z), 1 + 1.5 / np.sqrt(2)  # the flow is the identity: the box is the Gaussian CDF's
    assert len(z) == 150 and u.std() == pytest.approx(stretch, rel=0.1)
    known = (np.abs(u) < 5).all(axis=1)  # further out the box has no room for digits
    density = (norm.logpdf(u, scale=stretch) - norm.logpdf(u)).sum(axis=1)
    np.testing.assert_allclose(log_drawn[known], density[known], atol=1e-6)
    np.testing.assert_array_equal(again, z)
    asked = explore(state, run.problem, run.flow, run.settings)
    assert asked.phase == "take explored"
    np.testing.assert_array_equal(asked.request.z, z)


@pytest.mark.parametrize(("gain", "share"), [(3.5, 0.04 * (np.exp(3.0) - 1) / 2.9), (2.9, 0.0)])
def test_what_rows_show_beyond_the_surrogate_and_noise_is_missed(run, rng, gain, share):
    state = misled(run, rng, gain=gain, noise=0.0, n=20_000)
    state = replace(state, request=SimpleNamespace(z=state.replay.z, T=state.replay.T))
    assert missed(state, run.problem, np.zeros(20_000)) == pytest.approx(share, rel=0.1)


@pytest.mark.parametrize(("gain", "phase"), [(0.0, "done"), (4.0, "learn")])
def test_an_answer_that_passes_is_no_end_where_rows_around_show_what_it_lacks(run, rng, gain, phase):
    state = look(misled(run, rng, 0.0, 0.0, n=FAR_APART), run.problem, run.flow, run.settings)
    assert state.phase == "take look"
    T = state.surrogate.expected(run.problem.constraints, state.request.z)
    T[:, 0] += gain * corner(state.request.z)
    n = len(state.replay)
    state = replace(state, request=replace(state.request, f=T[:, :1], T=T))
    state = take_look(state, run.problem, run.flow, run.settings)
    assert state.phase == phase and state.request is None
    assert len(state.replay) == n + 150 and state.replay.counts.sum() == n


def test_an_answer_that_passes_is_the_end_where_no_rows_are_left_to_look_with(run, rng):
    state = replace(misled(run, rng, 0.0, 0.0, n=FAR_APART), rounds=Rounds(1, 30, 0))
    assert look(state, run.problem, run.flow, run.settings).phase == "done"


@pytest.mark.parametrize(("noisy", "n"), [(False, 300), (True, 4000)])
def test_without_noise_or_with_rows_nearby_it_is_the_end(run, rng, noisy, n):
    state = replace(misled(run, rng, 0.0, 0.0, n=n), noisy=noisy)
    assert look(state, run.problem, run.flow, run.settings).phase == "done"
