"""Models as plain data: pickles, results, checkpoints, new processes, scripts, the command line."""

import json
import os
import pickle
import subprocess
import sys

import numpy as np
import pytest

import numepi as ne
from numepi.__main__ import main

QUICK = {"max_simulations": 500, "surrogate_first_steps": 100, "fit_steps": 5, "landing_steps": 5, "progress": False}


def neuron(bias=0.0, slope=1.0, method="rk4"):
    """A small model with everything that has to be stored: events, a table, NumPy's functions of time, tasks."""
    pulse = ne.Table([0.0, 1.0, 2.0], [0.0, 1.0, 0.0])

    def drift(x, z, t):
        return {"v": z.a - x.v + bias + 0.1 * pulse(t) + 0.1 * np.interp(t, [0, 5], [0, z_less]), "w": slope * x.v}

    z_less = 0.5
    return ne.Dynamics(
        drift, states={"v": lambda z: 0.1 * z.b, "w": np.zeros(2)}, parameters={"a": (0.5, 2.0), "b": (0.0, 1.0)},
        events={"up": ne.Event(lambda x, z, t: x.v - 0.2 * z.k, reset=lambda x, z, t: {"v": 0.0}, refractory=0.1)},
        statistics={"interval": ne.observe.mean_interval("up"), "w": ne.observe.final("w[1]")},
        tasks={"one": {"k": 1.0}, "two": {"k": 1.5}}, dt=0.05, duration=5.0, method=method,
    )  # fmt: skip


NEURON = neuron()
Z = np.array([[1.0, 0.5], [1.5, 0.2]])


def test_a_model_is_plain_data_that_needs_no_import():
    copy = pickle.loads(pickle.dumps(NEURON))
    assert json.loads(json.dumps(NEURON.description)) == NEURON.description
    assert copy.settings == NEURON.settings and repr(copy) == repr(NEURON)
    for a, b in zip(copy.statistics_and_jacobian(Z), NEURON.statistics_and_jacobian(Z)):
        np.testing.assert_array_equal(a, b)
    with pytest.raises(ValueError, match="a loaded model has no functions"):
        copy.reference(Z)
    with pytest.raises(ValueError, match="knows its NumPy functions of time at multiples"):
        copy.check_step(Z)
    assert "np.interp" in NEURON.text["drift"]  # for reading only


def test_settings_tell_equations_apart_and_not_their_text():
    assert neuron().settings == NEURON.settings
    for other in (neuron(bias=0.1), neuron(slope=2.0), neuron(method="euler")):
        assert other.settings != NEURON.settings


def test_check_step_says_how_far_statistics_move():
    check = NEURON.check_step(Z)
    assert check.change.shape == (4,) and np.all(check.change < 1e-3)
    assert "interval_one" in str(check)


def test_results_and_checkpoints(tmp_path):
    prop = ne.EmergentProperty(mean=[0.3, None, None, None], variance=[0.1, None, None, None])
    path = tmp_path / "run.npz"
    result = ne.infer(NEURON, prop, checkpoint=path, **QUICK)
    result.save(tmp_path / "result.npz")
    loaded = ne.load(tmp_path / "result.npz")
    np.testing.assert_array_equal(loaded.circuit.statistics(Z), NEURON.statistics(Z))
    with pytest.raises(ValueError, match=r"of another run: circuit_settings.templates.drift is"):
        ne.infer(neuron(bias=0.1), prop, checkpoint=path, resume=True, **QUICK)


SCRIPT = """
import sys, time
import numpy as np
import numepi as ne
def drift(x, z, t):
    return {"v": z.a - x.v * x.v}
tank = ne.Dynamics(drift, states={"v": 0.0}, parameters={"a": (0.5, 2.0), "b": (0.0, 1.0)},
                   statistics={"end": ne.observe.final("v")}, dt=0.1, duration=1.0)
if __name__ == "__main__":
    print(float(tank.statistics([[1.0, 0.5]])[0, 0]))
    from numepi.simulation.program_kernels import _kernels
    (kernel,) = _kernels.values()
    print(sum(kernel.stats.cache_hits.values()), sum(kernel.stats.cache_misses.values()))
"""


def test_a_script_compiles_once_for_all_processes(tmp_path):
    script = tmp_path / "tank.py"
    script.write_text(SCRIPT)
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path / "cache"), "PYTHONPATH": os.pathsep.join(sys.path)}
    answers = [
        subprocess.run(
            [sys.executable, script], env=environment, capture_output=True, text=True, check=True
        ).stdout.split()
        for _ in range(2)
    ]
    assert answers[0][0] == answers[1][0] and float(answers[0][0]) == pytest.approx(np.tanh(1.0), abs=1e-5)
    assert answers[0][1:] == ["0", "1"] and answers[1][1:] == ["1", "0"]


def test_the_command_line_runs_a_model_from_a_file(tmp_path, capsys):
    script = tmp_path / "tank.py"
    script.write_text(SCRIPT)
    run = ["run", f"{script}:tank", "--quick", "--out", str(tmp_path / "out")]
    assert main([*run, "--property", "mean=0.7", "variance=0.01"]) == 0
    assert "end" in capsys.readouterr().out
    assert (tmp_path / "out" / "tank.npz").exists() and (tmp_path / "out" / "tank-activity.png").exists()
    for arguments, message in [
        (run, "tank needs --property mean=... variance=..., one value for each of end"),
        ([*run, "--property", "mean=1,2"], "has 2 values: give one for each of end"),
        ([*run, "--property", "median=1"], "write mean=1.5,2"),
        (["run", f"{script}:pool"], "has no circuit 'pool': it has tank"),
        (["run", "nothing.py:pool"], "there is no file nothing.py"),
        (["run", "ldss"], "there is no circuit 'ldss'"),
        (["run", "lds", "--property", "mean=1"], "lds has the paper's"),
    ]:
        assert main(arguments) == 2
        assert message in capsys.readouterr().err
