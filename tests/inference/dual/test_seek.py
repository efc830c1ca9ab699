"""Where next to all simulations fail: how far they get leads to those that work."""

from functools import lru_cache
from types import SimpleNamespace

import numpy as np
import pytest

import numepi as ne
from numepi.inference.dual.seek import next_stage, stages
from numepi.inference.dual.settings import Settings
from numepi.inference.dual.solver import Dual
from numepi.inference.problem import Problem

PROP = ne.EmergentProperty(mean=[0.3, 0.6, 0.5], variance=[0.02, 0.02, 0.04])


def replay(stage, dim=3):
    """Rows of which each has so many statistics, and works if it has all."""
    stage = np.array(stage)
    f = np.where(np.arange(dim) < stage[:, None], 1.0, np.nan)
    return SimpleNamespace(f=f, valid=stage == dim, log_prior=np.zeros(len(stage)))


def test_stages_count_statistics_and_success():
    np.testing.assert_array_equal(stages(replay([0, 1, 2, 3])), [0, 1, 2, 4])


def test_the_next_stage_is_the_furthest_that_enough_rows_reach():
    rows = replay([0] * 100 + [1] * 20 + [2] * 6 + [3] * 3)
    assert [next_stage(rows, enough) for enough in (2, 4, 9, 10, 29)] == [4, 2, 2, 1, 1]
    assert next_stage(rows, 500) is None  # too few rows to tell


def test_where_enough_rows_reach_no_stage_a_few_have_to_do():
    rows = replay([0] * 100 + [1] * 20 + [2] * 6 + [3] * 3)
    assert next_stage(rows, 30) == 2  # 30 reach stage 0, as all do; five reach 2
    rows.log_prior[:100] = -np.inf  # were not simulated
    assert next_stage(rows, 29) == 2
    assert next_stage(replay([0] * 100 + [3] * 5), 30) == 4  # failures that tell nothing
    assert next_stage(replay([0] * 100 + [3] * 4), 30) is None
    assert next_stage(replay([3] * 100 + [0] * 4), 30) is None  # next to all work


class Ladder(ne.circuits.Circuit):
    """Three statistics; each exists where the one before does and one more parameter is small: all in 0.8 %."""

    name, statistic_names, differentiable = "ladder", ("a", "b", "c"), False
    parameter_names = tuple("uvwxyz")
    support = ne.Support([0.0] * 6, [1.0] * 6)

    def __init__(self, partial=True, noise=0.0):
        self.partial, self.noise = partial, noise

    def _evaluate(self, z, key, first_index, noise, with_jacobian):
        exists = np.cumprod(z[:, :3] < 0.2, axis=1).astype(bool)
        draws = [np.random.default_rng([*key, first_index + i]).normal(size=3) for i in range(len(z))]
        f = np.where(exists if self.partial else exists[:, 2:], z[:, 3:] + self.noise * np.array(draws), np.nan)
        return f, None


@lru_cache
def until_it_learns(partial, noise=0.0):
    """The solver when it has rows enough to learn from, and what it has simulated by then."""
    circuit = Ladder(partial, noise)
    problem = Problem(circuit, PROP, np.random.SeedSequence(0), with_gradient=False, limit=20_000)
    settings = Settings(survey_rows=400, surrogate_steps=300, pool_size=2000, check_size=2000, fit_steps=100)
    solver = Dual(problem, ne.RealNVP(circuit.support, stages=4, hidden=(20, 20)), settings)
    solver.initialise()
    while solver.record.phase != "learn":
        solver.step()
        assert not solver.finished
    return solver


@pytest.mark.parametrize("partial", [True, False], ids=["failures tell how far they got", "failures tell nothing"])
def test_what_works_in_one_of_a_hundred_is_sought(partial):
    solver = until_it_learns(partial)
    assert solver.record.replay.valid.sum() >= 40
    assert solver.problem.n_simulations < 0.5 * 40 / 0.008
    # the density of what the flow drew is known: by weights the volume that works is 0.008 of the box
    replay = solver.record.replay
    share = np.sum(replay.valid * np.exp(-replay.log_proposal)) / len(replay)
    assert share == pytest.approx(0.008, rel=0.5)
    assert np.isfinite(replay.f[~replay.valid]).any() == partial


def test_noise_is_seen_though_the_survey_has_no_pair_that_works():
    assert until_it_learns(partial=True, noise=0.05).record.noisy is True
    assert until_it_learns(partial=True).record.noisy is False
