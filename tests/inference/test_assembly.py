"""A finished fit is never lost: whatever happens while it is scored, it comes back, and can be scored later."""

import os
import signal

import numpy as np
import pytest

import numepi as ne
from numepi.inference.assessment import answer

QUICK = {
    "solver": "augmented-lagrangian", "initial": "uniform", "progress": False, "epochs": 1, "iterations_per_epoch": 6,
    "batch_size": 20, "test_batch_size": 20, "n_tests": 5,
}  # fmt: skip


class Square(ne.circuits.Circuit):
    """Two parameters as they are; ``trouble`` is called with each batch that is larger than a step's."""

    name, parameter_names, statistic_names = "square", ("a", "b"), ("a", "b")
    support = ne.Support([-1.0, -1.0], [1.0, 1.0])
    trouble = staticmethod(lambda z: None)

    def __init__(self):
        pass

    def _evaluate(self, z, key, first_index, noise, with_jacobian):
        if len(z) > 50:
            self.trouble(z)
        return z.copy(), np.broadcast_to(np.eye(2), (len(z), 2, 2)) if with_jacobian else None


PROPERTY = ne.EmergentProperty(mean=[0.0, 0.0], variance=[0.3, 0.3])


def quick(circuit, **changes):
    return ne.infer(circuit, PROPERTY, **(QUICK | changes))


def raises(error):
    def trouble(z):
        raise error

    return trouble


@pytest.fixture
def troubled():
    def make(trouble):
        circuit = Square()
        circuit.trouble = trouble
        return circuit

    return make


def assert_unscored(result, reason):
    assert (result.success, result.status, result.certificate) == (False, "not scored", None)
    assert reason in result.message and "score() and certify() catch up" in result.message
    assert str(result) == result.message and "not scored" in repr(result) and "unknown" in repr(result)
    assert np.isnan(result.entropy) and np.isnan(result.constraint).all()
    assert result.sample(5).shape == (5, 2)


@pytest.mark.parametrize("error", [MemoryError("none left"), OSError(28, "No space left"), ZeroDivisionError("a bug")])
def test_an_error_while_scoring_leaves_the_fit(troubled, error, monkeypatch):
    monkeypatch.setattr(answer, "score", lambda *arguments: raises(error)(None))
    with pytest.warns(UserWarning, match="the fit was not scored"):
        result = quick(Square())
    assert_unscored(result, type(error).__name__)
    monkeypatch.undo()
    np.testing.assert_array_equal(result.distribution.theta, quick(Square()).distribution.theta)


def test_an_error_while_certifying_leaves_the_fit(monkeypatch):
    monkeypatch.setattr(answer, "certify", lambda *arguments: raises(ArithmeticError("singular"))(None))
    with pytest.warns(UserWarning, match="ArithmeticError: singular"):
        assert_unscored(quick(Square()), "ArithmeticError: singular")


def test_with_on_error_raise_an_error_while_scoring_leaves_the_fit(troubled):
    with pytest.warns(UserWarning, match="ValueError: a is large"):
        result = quick(troubled(raises(ValueError("a is large"))), on_error="raise")
    assert_unscored(result, "ValueError: a is large")


def test_ctrl_c_while_scoring_leaves_the_fit_and_starts_no_other_seed(troubled, tmp_path):
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        circuit = troubled(lambda z: os.kill(os.getpid(), signal.SIGINT))
        with pytest.warns(UserWarning, match="stopped by Ctrl-C"):
            result = quick(circuit, n_seeds=3, checkpoint=tmp_path / "run.npz")
    finally:
        signal.signal(signal.SIGINT, before)
    assert_unscored(result, "stopped by Ctrl-C")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run.0.npz"]
    resumed = quick(Square(), n_seeds=3, checkpoint=tmp_path / "run.npz", resume=True)
    assert resumed.status != "not scored"


def test_an_unscored_result_is_saved_loaded_scored_and_certified(troubled, tmp_path, monkeypatch):
    whole = quick(Square())
    monkeypatch.setattr(answer, "score", lambda *arguments: raises(OSError("disk"))(None))
    with pytest.warns(UserWarning, match="the fit was not scored"):
        quick(Square()).save(tmp_path / "a.npz")
    monkeypatch.undo()
    loaded = ne.load(tmp_path / "a.npz", circuit=Square())
    assert_unscored(loaded, "OSError: disk")
    with pytest.raises(ValueError, match=r"take them of result\.certify\(\)"):
        loaded.sample(5, corrected=True)
    scored = loaded.score(rng=3)
    assert loaded.status == "not scored"  # a new result is returned
    assert scored.simulation_counts["score"] == loaded.simulation_counts["score"] + 20_000
    assert scored.n_simulations == sum(scored.simulation_counts.values()) >= loaded.n_simulations + 20_000
    assert f"[{scored.n_simulations:,} simulations" in scored.message
    assert scored.certificate is None and scored.status != "not scored" and "not certified" in str(scored)
    sigma = np.hypot(scored.constraint_stderr, whole.constraint_stderr)
    assert np.all(np.abs(scored.constraint - whole.constraint) < 5 * sigma)
    certified = loaded.certify(rng=3)
    np.testing.assert_array_equal(certified.constraint, scored.constraint)
    assert abs(certified.certificate.kl - whole.certificate.kl) < 0.1
    assert certified.sample(5, corrected=True).shape == (5, 2)
    certified.save(tmp_path / "b.npz")
    assert ne.load(tmp_path / "b.npz", circuit=Square()).certificate == certified.certificate


def test_scores_need_the_circuit_and_enough_draws(tmp_path):
    result = quick(Square())
    with pytest.raises(ValueError, match="n = 10: give a whole number of at least 1000"):
        result.score(n=10)
    result.save(tmp_path / "a.npz")
    for call in (ne.load(tmp_path / "a.npz").score, ne.load(tmp_path / "a.npz").certify):
        with pytest.raises(ValueError, match="need simulations: load the result with circuit="):
            call()


@pytest.mark.parametrize("error", [ZeroDivisionError("a plot of mine"), MemoryError()])
def test_an_error_in_a_later_seed_leaves_the_answers_of_those_before(error):
    steps = []

    def callback(state):
        steps.append(state.iteration)
        if len(steps) > 8:
            raise error

    with pytest.warns(UserWarning, match="seed 2 of 3 ended with"):
        result = quick(Square(), n_seeds=3, callback=callback)
    first = quick(Square(), n_seeds=1)
    assert f"seed 2 of 3 ended with {type(error).__name__}" in result.message and "those before" in result.message
    assert result.message.startswith(first.message.partition(" [")[0]) and result.status == first.status
    np.testing.assert_array_equal(result.distribution.theta, first.distribution.theta)
    with pytest.raises(type(error)):  # the first seed has none before
        quick(Square(), n_seeds=3, callback=callback)


def test_an_error_of_the_simulator_in_a_later_seed_leaves_the_answers_of_those_before():
    circuit = Square()
    circuit.trouble = lambda z: None
    first = quick(circuit)

    def broken(state):
        if state.solver.problem.run_seed.spawn_key[-1] == 1:
            circuit._evaluate = lambda *arguments: raises(OSError("the simulator's disk"))(None)

    with pytest.warns(UserWarning, match="seed 2 of 2 ended with OSError: the simulator's disk"):
        result = quick(circuit, n_seeds=2, callback=broken, on_error="raise")
    np.testing.assert_array_equal(result.distribution.theta, first.distribution.theta)
