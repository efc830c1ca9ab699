"""The lane driver on a toy circuit that NumPy repeats: counters, tasks, trials, padding, observation, precision."""

import dataclasses
import re
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
import pytest

from numepi.circuits.sc.equations import SC_SIMULATOR, SCConstants
from numepi.circuits.v1.equations import V1_SIMULATOR, V1Constants
from numepi.kernels.compile import block_function, kernel, scalar
from numepi.kernels.random import normals4, normals_from_words
from numepi.simulation import lanes
from numepi.simulation.lane_kernels import draw_function, statistics_kernel
from numepi.simulation.lanes import Noise, Observation, Run, Simulator

KEY = (123, 456)
STEPS = 6


class ToyConstants(NamedTuple):
    kick: float


@scalar
def start(initial, c):
    return initial[0], initial[3]


@scalar
def step(state, parameters, noise, drive, task, c):
    """x <- a x + b y + task + kick (n0 + n4), y <- y + drive."""
    x, y = state
    new = parameters[0] * x + parameters[1] * y + task + c.kick * (noise[0] + noise[4])
    return (new, y + drive[0]), (x, y)


@scalar
def tangent(tangents, linearisation, parameters, drive, task, c):
    """Of x alone: y does not depend on a or b."""
    by_a, by_b = tangents
    x, y = linearisation
    return parameters[0] * by_a + x, parameters[0] * by_b + y


@scalar
def observe(values, state, count, c):
    return (values[0] + state[0] * count,), ()


@scalar
def observe_tangent(derivatives, tangents, linearisation, count, c):
    return derivatives[0] + tangents[0] * count, derivatives[1] + tangents[1] * count


@scalar
def statistic(state, observed, task, c):
    """Two statistics: the final x y and the weighted sum of x."""
    x, y = state
    return (x * y, observed[0]), (y,)


@scalar
def statistic_tangent(tangents, observed_tangents, linearisation, c):
    return (
        linearisation[0] * tangents[0],
        linearisation[0] * tangents[1],
        observed_tangents[0],
        observed_tangents[1],
    )


@scalar
def readout(state, drive, c):
    return state[0], state[1], drive[0]


TOY = Simulator(
    name="toy", n_parameters=2, n_states=2, n_tangents=2, n_noise=5, n_drive=1, n_readout=3, n_statistics=2, n_tasks=2,
    start=start, step=step, tangent=tangent, readout=readout, statistic=statistic, statistic_tangent=statistic_tangent,
    observation=Observation(1, observe, 2, observe_tangent), lanes=16,
)  # fmt: skip


def toy_noise(n, trials, first_index=0):
    """What the generator gives, by the documented counters."""
    like = np.float64(0)
    initial, steps = np.empty((n, 2, trials, 4)), np.empty((n, 2, trials, STEPS, 5))
    for i, task, trial in np.ndindex(n, 2, trials):
        counter = first_index + i, 2 * trial + task
        initial[i, task, trial] = normals4(*counter, 0, 0, *KEY, like)
        for t in range(STEPS):
            steps[i, task, trial, t, :4] = normals4(*counter, t + 1, 0, *KEY, like)
            steps[i, task, trial, t, 4] = normals4(*counter, t + 1, 1, *KEY, like)[0]
    return Noise(initial.reshape(-1, 4), steps.reshape(-1, STEPS, 5))


def toy_paths(z, noise, trials, drive, kick):
    """x, y: (n, 2, trials, STEPS + 1)."""
    z = np.repeat(z, 2 * trials, axis=0)
    task = np.tile(np.repeat([0.0, 1.0], trials), len(z) // (2 * trials))
    x, y = noise.initial[:, 0], noise.initial[:, 3]
    path = [(x, y)]
    for t in range(STEPS):
        numbers = noise.steps[:, t]
        x, y = z[:, 0] * x + z[:, 1] * y + task + kick * (numbers[:, 0] + numbers[:, 4]), y + drive[t + 1, 0]
        path.append((x, y))
    return np.moveaxis(np.array(path), 0, -1).reshape(2, -1, 2, trials, STEPS + 1)


def toy_statistics(z, noise, trials, drive, kick, observe_from):
    x, y = toy_paths(z, noise, trials, drive, kick)
    weighted = x[..., observe_from:] @ np.arange(1, STEPS + 2 - observe_from)
    return np.stack([(x * y)[..., -1], weighted], axis=-1).mean(axis=2).reshape(len(z), 4)


@pytest.fixture
def toy(rng):
    n, trials = 5, 7  # 70 simulations: five blocks of 16, the last padded
    return {
        "z": rng.uniform(-0.8, 0.8, (n, 2)),
        "trials": trials,
        "drive": rng.standard_normal((STEPS + 1, 1)),
        "constants": ToyConstants(0.3),
    }


def run_toy(toy, simulator=TOY, first_index=0, with_jacobian=True, noise=None, observe_from=3, z=None):
    z = toy["z"] if z is None else z
    return simulator.statistics(
        z, KEY, first_index, toy["trials"], toy["drive"], toy["constants"], with_jacobian, noise, observe_from
    )


def test_statistics_counters_tasks_and_trials(toy):
    noise = toy_noise(5, 7, first_index=30)
    expected = toy_statistics(toy["z"], noise, 7, toy["drive"], 0.3, 3)
    f, jacobian = run_toy(toy, first_index=30)
    np.testing.assert_allclose(f, expected, rtol=1e-12)
    np.testing.assert_allclose(run_toy(toy, first_index=30, with_jacobian=False)[0], expected, rtol=1e-12)
    np.testing.assert_allclose(run_toy(toy, noise=noise)[0], expected, rtol=1e-12)
    for p in range(2):
        shift = 1e-6 * np.eye(2)[p]
        up, down = (toy_statistics(toy["z"] + s * shift, noise, 7, toy["drive"], 0.3, 3) for s in (1, -1))
        np.testing.assert_allclose(jacobian[..., p], (up - down) / 2e-6, rtol=1e-6, atol=1e-7)


def test_trajectories(toy):
    noise = toy_noise(5, 7, first_index=30)
    arguments = toy["z"], KEY, 30, 7, toy["drive"], toy["constants"]
    values = TOY.trajectories(*arguments)
    assert values.shape == (5, 2, 7, STEPS + 1, 3)
    x, y = toy_paths(toy["z"], noise, 7, toy["drive"], 0.3)
    np.testing.assert_allclose(values[..., 0], x, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(values[..., 1], y, rtol=1e-12, atol=1e-14)
    np.testing.assert_array_equal(values[..., 2], np.broadcast_to(toy["drive"][:, 0], x.shape))
    np.testing.assert_array_equal(TOY.trajectories(*arguments, noise), values)


def test_bits_do_not_depend_on_lanes_calls_or_neighbours(toy, monkeypatch):
    together = run_toy(toy)
    wider = run_toy(toy, simulator=dataclasses.replace(TOY, name="toy_wide", lanes=32))
    alone = run_toy(toy, first_index=3, z=toy["z"][3:4])
    monkeypatch.setattr(lanes, "_SIMULATIONS_PER_CALL", 28)  # two parameters a call
    in_parts = run_toy(toy)
    noise = toy_noise(5, 7)
    given_in_parts = run_toy(toy, noise=noise)
    monkeypatch.undo()
    for whole, *others in zip(together, wider, in_parts):
        for other in others:
            np.testing.assert_array_equal(whole, other)
    for whole, one in zip(together, alone):
        np.testing.assert_array_equal(whole[3:4], one)
    for whole, parts in zip(run_toy(toy, noise=noise), given_in_parts):
        np.testing.assert_array_equal(whole, parts)


@scalar
def keep(values, state, count, c):
    return (state[0],), ()


@scalar
def keep_tangent(derivatives, tangents, linearisation, count, c):
    return tangents


@block_function
def last_less_first(kept, constants, work, results):
    """Both statistics: x at the last less x at the first observed step, and the number of these steps."""
    for lane in range(kept.shape[2]):
        results[0, lane] = kept[-1, 0, lane] - kept[0, 0, lane]
        results[1, lane] = len(kept)
        if results.shape[0] > 2:
            for p in range(2):
                results[2 + p, lane] = kept[-1, 1 + p, lane] - kept[0, 1 + p, lane]
                results[4 + p, lane] = 0


@pytest.mark.parametrize("count", [2, 3, 6])
def test_no_more_normals_than_are_needed(count):
    places = SimpleNamespace(noise=0, row=8 * 16, trial=9 * 16)
    draw = draw_function(places, 16, count, normals_from_words)

    @kernel
    def fill(buffer, step, run):
        draw(buffer, step, run)

    buffer = np.zeros(160)
    rows, trials = (np.arange(16) + shift for shift in (5, 70))
    buffer[128:] = np.concatenate([rows, trials]).astype(np.uint64).view(np.float64)  # their bits spell the counter
    fill(buffer, 4, Run(*KEY, 0, 1, 0))
    for lane in range(16):
        blocks = [normals4(rows[lane], trials[lane], 4, block, *KEY, np.float64(0)) for block in range(2)]
        np.testing.assert_allclose(buffer[lane : 16 * count : 16], np.concatenate(blocks)[:count], rtol=1e-12)
    if count != 3:  # pairs come together: the second pair of a block stays words, which are no normal numbers
        assert np.abs(buffer[16 * count : 16 * (count + 2)]).max() < 1e-300


def test_a_summary_sees_every_observed_step(toy):
    simulator = dataclasses.replace(
        TOY, name="toy_summary", statistic=None, statistic_tangent=None, summary=last_less_first,
        observation=Observation(1, keep, 2, keep_tangent, keep_all=True),
    )  # fmt: skip
    noise = toy_noise(5, 7)
    x = toy_paths(toy["z"], noise, 7, toy["drive"], 0.3)[0]
    f, jacobian = run_toy(toy, simulator=simulator, observe_from=2)
    np.testing.assert_allclose(f[:, [0, 2]], (x[..., -1] - x[..., 2]).mean(axis=2), rtol=1e-12, atol=1e-14)
    np.testing.assert_array_equal(f[:, [1, 3]], STEPS - 1)
    shift = 1e-6 * np.eye(2)[0]
    up, down = (toy_paths(toy["z"] + s * shift, noise, 7, toy["drive"], 0.3)[0] for s in (1, -1))
    by_a = ((up - down)[..., -1] - (up - down)[..., 2]).mean(axis=2) / 2e-6
    np.testing.assert_allclose(jacobian[:, [0, 2], 0], by_a, rtol=1e-6, atol=1e-7)


@pytest.mark.slow
@pytest.mark.parametrize(
    "simulator, constants", [(SC_SIMULATOR, SCConstants), (V1_SIMULATOR, V1Constants)], ids=["sc", "v1"]
)
def test_float32_kernels_are_vectorised_and_hold_no_float64_arithmetic(simulator, constants):
    compiled = statistics_kernel(simulator, with_tangents=True)
    single = np.float32
    compiled._cache.disable()  # only fresh code can be inspected
    compiled(
        0, 0, np.zeros((1, 4), single), Run(0, 0, 0, 1, 1), np.zeros((2, simulator.n_drive), single),
        constants(*[single(1)] * len(constants._fields)), np.empty(0), np.empty(0), np.empty((5, 32), single),
    )  # fmt: skip
    (code,) = compiled.inspect_llvm().values()
    double_arithmetic = re.findall(r"= f(?:add|sub|mul|div|neg) \S*\s?(?:<\d+ x )?double", code)
    assert not double_arithmetic and "llvm.sqrt.f64" not in code
    vectors = re.findall(r"= f(?:add|sub|mul) \S*\s?<(\d+) x float>", code)
    scalars = re.findall(r"= f(?:add|sub|mul) \S*\s?float", code)
    assert len(vectors) > 5 * len(scalars) and max(map(int, vectors)) >= 4


def test_an_untyped_literal_is_refused():
    from numepi.simulation.columns import put

    @kernel
    def store(x):
        put(x, 0, 1, 1, (x[0] * 0.5,))  # float64 into float32

    with pytest.raises(Exception, match="untyped literal"):
        store(np.zeros(4, np.float32))
