"""`infer`: arguments, budgets, callbacks, interruption, kill and resume to the same bits."""

import os
import signal
import subprocess
import sys
import time
from functools import partial

import numpy as np
import pytest

import numepi as ne
from numepi.archive import temporary_name
from numepi.circuits import LDS
from numepi.flow.elementwise.support import SupportMap
from numepi.flow.families.composition import ComposedFlow

QUICK = {
    "solver": "augmented-lagrangian", "initial": "uniform", "progress": False, "epochs": 3, "iterations_per_epoch": 8,
    "batch_size": 20, "test_batch_size": 20, "n_tests": 5,
}  # fmt: skip


class Undescribed(ComposedFlow):
    """A flow that does not say what defines it."""

    def __init__(self, support=LDS.support):
        super().__init__(support, [SupportMap(support, "gaussian-cdf", "float64")], "float64")


@pytest.fixture(scope="module")
def lds():
    return ne.circuits.LDS()


def quick(lds, **changes):
    return ne.infer(lds, lds.emergent_property(), **(QUICK | changes))


def same_bits(a, b):
    np.testing.assert_array_equal(a.distribution.theta, b.distribution.theta)
    np.testing.assert_array_equal(a.multipliers, b.multipliers)
    assert a.entropy == b.entropy and a.n_simulations == b.n_simulations
    for name in a.history:
        np.testing.assert_array_equal(a.history[name], b.history[name])
    return True


def test_same_seed_same_bits_and_another_seed_not(lds):
    one = quick(lds, rng=3)
    assert same_bits(one, quick(lds, rng=3))
    assert one.entropy != quick(lds, rng=4).entropy
    assert one.entropy == quick(lds, rng=np.random.SeedSequence(3)).entropy


def test_simulations_are_counted(lds):
    counts = quick(lds).simulation_counts
    assert counts["fit"] == 3 * (8 * 20 + 6 * 20) and counts["probes"] >= 3
    assert counts["score"] == counts["certificate"] == 20_000


def test_several_seeds_answer_with_the_best_and_the_first_is_the_single_run(lds):
    single = quick(lds, rng=3)
    several = quick(lds, rng=3, n_seeds=3)
    assert several.success or several.entropy >= single.entropy


def test_max_simulations_is_never_exceeded(lds):
    result = quick(lds, max_simulations=300)
    assert 200 < result.n_simulations <= 300 and result.status == "budget"
    assert "max_simulations was reached" in result.message and not result.success


def test_max_time_stops_the_run(lds):
    result = quick(lds, max_time=1e-9)
    assert result.status == "budget" and result.simulation_counts["fit"] == 0


def test_callback_sees_the_state_and_can_stop(lds):
    seen = []

    def callback(state):
        seen.append(state)
        if state.iteration == 5:
            raise StopIteration("enough")

    result = quick(lds, callback=callback)
    assert result.status == "stopped" and "enough" in result.message
    assert [s.iteration for s in seen] == [1, 2, 3, 4, 5]
    assert seen[-1].n_simulations == 100 + result.simulation_counts["probes"] - 200 and np.isfinite(seen[-1].entropy)
    assert seen[-1].violation_in_stderr.shape == (4,) and seen[-1].distribution.sample(3).shape == (3, 4)


def test_resume_after_a_stop_gives_the_same_bits(lds, tmp_path):
    path = tmp_path / "run.npz"

    def stop(state):
        if state.epoch == 1 and state.iteration == 4:
            raise StopIteration

    quick(lds, checkpoint=path, callback=stop)
    resumed = quick(lds, checkpoint=path, resume=True)
    assert same_bits(resumed, quick(lds))


def test_resume_of_a_finished_run_is_the_same_answer(lds, tmp_path):
    path = tmp_path / "run.npz"
    first = quick(lds, checkpoint=path)
    assert same_bits(first, quick(lds, checkpoint=path, resume=True))


def test_ctrl_c_returns_what_there_is_and_can_be_resumed(lds, tmp_path):
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored, where tests run in the background
    path = tmp_path / "run.npz"

    def interrupt(state):
        if state.iteration == 6 and state.epoch == 0:
            os.kill(os.getpid(), signal.SIGINT)

    try:
        result = quick(lds, checkpoint=path, callback=interrupt)
        assert result.status == "interrupted" and len(result.history["entropy"]) == 6
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)
    assert same_bits(quick(lds, checkpoint=path, resume=True), quick(lds))


KILLED = """
import numepi as ne, numepi.inference.running.checkpoint as checkpoint
checkpoint._INTERVAL = 0.0
lds = ne.circuits.LDS()
ne.infer(lds, lds.emergent_property(), checkpoint={path!r}, resume={resume}, **{settings!r})
print("done")
"""


@pytest.mark.slow
def test_a_killed_run_resumes_to_the_same_bits(lds, tmp_path):
    path = tmp_path / "run.npz"
    settings = QUICK | {"iterations_per_epoch": 2000}
    process = subprocess.Popen([sys.executable, "-c", KILLED.format(path=str(path), resume=False, settings=settings)])
    while not path.exists():
        assert process.poll() is None
        time.sleep(0.01)
    time.sleep(0.3)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    left = [name for name in os.listdir(tmp_path) if not name.startswith(".")]
    assert left == ["run.npz"]
    temporary_name(path, process.pid).touch()  # what a process killed while it saves leaves
    resumed = quick(lds, checkpoint=path, resume=True, iterations_per_epoch=2000)
    assert os.listdir(tmp_path) == ["run.npz"]
    assert same_bits(resumed, quick(lds, iterations_per_epoch=2000))


def test_a_changed_configuration_is_refused_by_name(lds, tmp_path):
    path = tmp_path / "run.npz"
    quick(lds, checkpoint=path, max_simulations=100)
    with pytest.raises(ValueError, match=r"solver_settings\.batch_size is 40 here and 20 in the checkpoint"):
        quick(lds, checkpoint=path, resume=True, batch_size=40)
    with pytest.raises(ValueError, match="seed is"):
        quick(lds, checkpoint=path, resume=True, rng=9)
    with pytest.raises(ValueError, match=r"circuit_settings\.tau is 2"):
        other = ne.circuits.LDS(tau=2.0)
        quick(other, checkpoint=path, resume=True)
    with pytest.raises(ValueError, match="exists: pass resume=True"):
        quick(lds, checkpoint=path)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(ValueError, match="truncated"):
        quick(lds, checkpoint=path, resume=True)


def decay(z, tau):
    """Two statistics with a constant of their own."""
    return np.stack([z[:, 0] / tau, z[:, 1] * tau], axis=1)


class Decay:
    def __init__(self, tau):
        self.tau = tau

    def __call__(self, z):
        return decay(z, self.tau)


def closed_over(tau):
    return lambda z: decay(z, tau)


@pytest.mark.parametrize(
    ("kind", "where"),
    [
        (closed_over, r"circuit_settings\.function\.closure\.tau is 2.0 here and 1.0 in the checkpoint"),
        (lambda tau: partial(decay, tau=tau), r"function\.arguments\[0\]\.tau is 2.0 here"),
        (Decay, r"function\.attributes\.tau is 2.0 here"),
        (lambda tau: (lambda z: decay(z, 1.0)) if tau == 1.0 else (lambda z: decay(z, 2.0)), r"function\.code is "),
    ],
)
def test_another_function_does_not_resume_a_checkpoint(kind, where, tmp_path):
    def run(tau, resume):
        circuit = ne.circuits.FunctionCircuit(
            kind(tau), ne.Support([-1.0, -1.0], [1.0, 1.0]), statistic_names=("a", "b"),
            jacobian=partial(tile, tau),
        )  # fmt: skip
        prop = ne.EmergentProperty(mean=[0.0, 0.0], variance=[0.1, 0.1])
        return ne.infer(circuit, prop, checkpoint=tmp_path / "run.npz", resume=resume, **QUICK)

    first = run(1.0, resume=False)
    with pytest.raises(ValueError, match=where):
        run(2.0, resume=True)
    assert same_bits(first, run(1.0, resume=True))


def tile(tau, z):
    return np.tile(np.diag([1 / tau, tau]), (len(z), 1, 1))


def test_a_function_that_cannot_be_told_from_another_needs_a_version(tmp_path):
    generator = np.random.default_rng(0)  # what its draws were cannot be compared

    def run(version, path, resume):
        circuit = ne.circuits.FunctionCircuit(
            lambda z: z + 0 * generator.random(), ne.Support([-1.0, -1.0], [1.0, 1.0]), version=version,
            jacobian=partial(tile, 1.0),
        )  # fmt: skip
        prop = ne.EmergentProperty(mean=[0.0, 0.0], variance=[0.1, 0.1])
        return ne.infer(circuit, prop, checkpoint=path, resume=resume, **QUICK)

    run(None, tmp_path / "without.npz", resume=False)
    with pytest.raises(ValueError, match=r"closure\.generator holds a Generator, which cannot be told.*version="):
        run(None, tmp_path / "without.npz", resume=True)
    first = run("1", tmp_path / "with.npz", resume=False)
    assert same_bits(first, run("1", tmp_path / "with.npz", resume=True))
    with pytest.raises(ValueError, match=r"version is '2' here and '1' in the checkpoint"):
        run("2", tmp_path / "with.npz", resume=True)


def test_functions_of_a_property_and_priors_are_compared_too(lds, tmp_path):
    class Normal:
        def __init__(self, width):
            self.width = width

        def log_prob(self, z):
            return -0.5 * (z**2).sum(1) / self.width**2

        def gradient(self, z):
            return -z / self.width**2

    def run(power, width, resume=True):
        moment = ne.Moment("power", lambda f: f[:, 0] ** power, 0.1, jacobian=partial(first_power, power))
        prop = ne.EmergentProperty(mean=[0.0, 6.0], functions=[moment])
        ne.infer(lds, prop, prior=Normal(width), checkpoint=tmp_path / "run.npz", resume=resume, **QUICK)

    run(2, 3.0, resume=False)
    with pytest.raises(ValueError, match=r"functions\.power\.function\.closure\.power is 4 here and 2"):
        run(4, 3.0)
    with pytest.raises(ValueError, match=r"prior\.attributes\.width is 4.0 here and 3.0"):
        run(2, 4.0)


def first_power(power, f):
    return np.stack([power * f[:, 0] ** (power - 1), 0 * f[:, 0]], axis=1)


class Line(ne.circuits.Circuit):
    name, parameter_names, statistic_names = "line", ("x",), ("x",)

    def __init__(self):
        pass


class WrongShape(ne.circuits.Circuit):
    name, parameter_names, statistic_names = "wrong", ("x", "y"), ("x", "y")
    support = ne.Support([0.0, 0.0], [1.0, 1.0])

    def __init__(self):
        pass

    def _evaluate(self, z, key, first_index, noise, with_jacobian):
        return z[:, :1], np.zeros((len(z), 1, 2))


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"solver": "magic"}, ValueError, "solver = 'magic': choose from"),
        ({"gradient": "none"}, ValueError, "solver 'augmented-lagrangian' needs gradients"),
        ({"gradient": "maybe"}, ValueError, "gradient = 'maybe': choose"),
        ({"batch": 3}, TypeError, r"unknown settings \['batch'\].*choose from batch_size"),
        ({"n_seeds": 0}, ValueError, "n_seeds = 0"),
        ({"n_seeds": 1.5}, ValueError, "n_seeds = 1.5"),
        ({"iterations_per_epoch": 5.0}, ValueError, "iterations_per_epoch = 5.0: give a whole number"),
        ({"max_failed_fraction": 1.0}, ValueError, "max_failed_fraction = 1.0"),
        ({"max_time": -1}, ValueError, "max_time = -1"),
        ({"resume": True}, ValueError, "resume = True needs a checkpoint"),
        ({"checkpoint": "/nowhere/at/all.npz"}, ValueError, "checkpoint = .*does not exist"),
        ({"prior": 3}, TypeError, "prior is a int: it needs the methods"),
        ({"flow": 3}, TypeError, r"flow is a int: give a flow such as .* it lacks \w+, \w+, \w+, \.\.\.: see"),
        ({"flow": Undescribed()}, TypeError, "flow is a Undescribed: .* it lacks description: see"),
        ({"precision": "half"}, ValueError, "precision"),
        ({"rng": "x"}, TypeError, "rng = 'x': give an int"),
    ],
)
def test_bad_arguments_are_refused_before_work(lds, changes, error, message):
    with pytest.raises(error, match=message):
        quick(lds, **changes)


def test_bad_problems_are_refused_before_work(lds):
    with pytest.raises(ValueError, match="mean has 1 entries but the circuit has 2 statistics"):
        ne.infer(lds, ne.EmergentProperty(mean=[0.0]), **QUICK)
    with pytest.raises(TypeError, match="prop is a dict"):
        ne.infer(lds, {"mean": [0, 1]}, **QUICK)
    with pytest.raises(ValueError, match="and no support: give it as many dimensions"):
        ne.infer(Line(), ne.EmergentProperty(mean=[0.0]), **QUICK)
    with pytest.raises(ValueError, match=r"returned statistics of shape \(3, 1\): expected \(3, 2\)"):
        ne.infer(WrongShape(), ne.EmergentProperty(mean=[0.0, 0.0]), **QUICK)
    with pytest.raises(TypeError, match=r"circuit is a function: wrap a function in numepi\.circuits"):
        ne.infer(lambda z: z, ne.EmergentProperty(mean=[0.0]), **QUICK)
    bad = ne.EmergentProperty(mean=[0.0, 0.0], functions=[ne.Moment("bad", lambda f: f, 0.0)])
    with pytest.raises(ValueError, match="Moment 'bad' returned"):
        ne.infer(lds, bad, **QUICK)
    other = ne.RealNVP(ne.Support([0.0] * 4, [1.0] * 4))
    with pytest.raises(ValueError, match="another support"):
        quick(lds, flow=other)
    with pytest.raises(ValueError, match="dimension 2"):
        quick(lds, flow=ne.RealNVP(ne.Support([0.0] * 2, [1.0] * 2)))


def test_same_bits_for_one_and_two_threads(tmp_path):
    code = (
        "import numepi as ne; lds = ne.circuits.LDS();"
        f"ne.infer(lds, lds.emergent_property(), **{QUICK!r}).save({str(tmp_path)!r} + '/%s.npz')"
    )
    for threads in ("1", "2"):
        subprocess.run(
            [sys.executable, "-c", code % threads], check=True, env=os.environ | {"NUMBA_NUM_THREADS": threads}
        )
    assert same_bits(ne.load(tmp_path / "1.npz"), ne.load(tmp_path / "2.npz"))
