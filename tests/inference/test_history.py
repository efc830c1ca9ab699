"""What a run reports of itself: the traces' values against what is known, steps done, epochs shown to the user."""

import io
import sys

import numpy as np
import pytest

import numepi as ne
from numepi.inference.running.progress import Progress

BOX = ne.Support([-10.0, -10.0], [10.0, 10.0])
PROP = ne.EmergentProperty(mean=[1.0, -1.0], variance=[1.0, 4.0])
START_ENTROPY = np.log(400.0)  # of the identity flow: uniform on the box
END_ENTROPY = np.log(2 * np.pi * np.e * 2)  # of N((1, -1), diag(1, 4))
START_VIOLATION = [-1.0, 1.0, 100 / 3, 100 / 3 + 1 - 4]  # E[x] - 1, E[y] + 1, E[(x - 1)^2] - 1, E[(y + 1)^2] - 4
END_MULTIPLIERS = [0.0, 0.0, -0.5, -0.125]

DUAL = {"kl": 0.003, "most_rows": 6000, "surrogate_first_steps": 600, "surrogate_steps": 300, "landing_steps": 300}
PAPER = {"penalty": 1.0, "epochs": 5, "iterations_per_epoch": 400, "batch_size": 200, "initial": "uniform"}


class Line(io.StringIO):
    """A terminal, for progress."""

    def isatty(self):
        return True


class Watched(Progress):
    """Progress that prints every state."""

    def __init__(self):
        super().__init__(True, "plane", Line())
        self.interval = -1.0

    def lines(self):
        return self.stream.getvalue().replace("\x1b[K", "").strip().split("\r")


def fit(solver, stages, settings):
    """A run on the plane, with what the callback and the reader of progress saw after each step."""
    circuit = ne.circuits.FunctionCircuit(lambda z: z, BOX, statistic_names=("x", "y"))
    seen, progress = [], Watched()

    def callback(state):
        seen.append((state, state.solver.steps_done, state.solver.n_steps))
        progress.update(state)

    flow = ne.RealNVP(BOX, stages=stages, hidden=(20, 20))
    settings = settings | {"solver": solver, "flow": flow, "callback": callback, "progress": False}
    return ne.infer(circuit, PROP, rng=1, **settings), seen, progress


@pytest.fixture(scope="module")
def dual():
    return fit("dual", 4, DUAL)


@pytest.fixture(scope="module")
def paper():
    return fit("augmented-lagrangian", 3, PAPER)


@pytest.mark.parametrize("run", ["dual", "paper"])
def test_traces_begin_at_the_uniform_start_and_end_at_the_answer(run, request):
    result, _, _ = request.getfixturevalue(run)
    history = result.history
    batch = {"dual": (900, 400), "paper": (200, 200)}[run]
    last = {"dual": 1, "paper": 20}[run]  # entries that belong to the answer: a round, or steps
    # Entropy: -log q is constant at the start; at the end its spread is 1 (half the variance of a chi^2 of 2).
    assert history["entropy"][0] == pytest.approx(START_ENTROPY, abs=1e-6)
    entropy = history["entropy"][-last:].mean()
    assert entropy == pytest.approx(END_ENTROPY, abs=4 / np.sqrt(last * batch[1]) + 0.1)
    assert entropy == pytest.approx(result.entropy, abs=4 / np.sqrt(last * batch[1]) + 0.05)
    # Violations in their own units: x has variance 100/3 at the start, (x - 1)^2 less than 900 + (2 * 10)^2 * 100/3.
    violation = history["violation"]
    assert violation.shape == (len(history["entropy"]), 4)
    stderr = np.sqrt(np.array([100 / 3, 100 / 3, 900 + 400 / 3, 900 + 400 / 3]) / batch[0])
    np.testing.assert_array_less(np.abs(violation[0] - START_VIOLATION), 5 * stderr)  # false alarm 2e-6
    np.testing.assert_array_less(np.abs(violation[-5 * last // 2 :][-last:].mean(axis=0)), [0.15, 0.3, 0.2, 0.8])


def test_the_dual_solver_traces_multipliers_and_effective_share(dual):
    result, _, _ = dual
    history = result.history
    np.testing.assert_allclose(history["multipliers"][-1], END_MULTIPLIERS, atol=0.05)
    np.testing.assert_allclose(history["multipliers"][-1], result.multipliers, atol=0.05)
    # multipliers of the squares grow from the prior's zero towards their end
    assert -0.5 < history["multipliers"][0][2] <= 0 and history["multipliers"][0][3] <= 0
    ess = history["ess"]
    assert ess.shape == history["entropy"].shape and np.all((ess > 0) & (ess <= 1 + 1e-12))
    assert ess[-1] > ess[1]  # share of all rows: more and more of them come from next to the target


def test_algorithm_one_traces_its_epochs(paper):
    result, _, _ = paper
    history = result.history
    assert history["entropy"].shape == (5 * 400,) and history["epoch_entropy"].shape == (5,)
    assert history["epoch_entropy"][-1] == pytest.approx(END_ENTROPY, abs=0.1)
    # an epoch's entropy, of other draws of the same flow, follows on its last iterations
    last = history["entropy"].reshape(5, 400)[:, -20:].mean(axis=1)
    np.testing.assert_allclose(history["epoch_entropy"], last, atol=0.1)
    means = history["violation"].reshape(5, 400, 4)[:, -20:].mean(axis=1)
    assert np.all(np.abs(history["epoch_violation"] - means) < 0.3 * np.array([1, 2, 2, 6]))
    penalty = history["epoch_penalty"]
    assert penalty[0] == PAPER["penalty"] and set(penalty[1:] / penalty[:-1]) <= {1.0, 2.0}
    assert history["epoch_p_values"].shape == (5, 4)
    assert np.all((history["epoch_p_values"] >= 0) & (history["epoch_p_values"] <= 1))
    np.testing.assert_array_equal(history["epoch_multipliers"][-1], result.multipliers)
    # eta moves by c times the mean of a batch of 200, whose standard errors are 0.07, 0.14, 0.1 and 0.4
    assert np.all(np.abs(history["epoch_multipliers"][-1] - END_MULTIPLIERS) < [0.4, 0.4, 0.1, 0.1])


@pytest.mark.parametrize("run", ["dual", "paper"])
def test_steps_are_counted_one_by_one_to_the_number_announced(run, request):
    _, seen, _ = request.getfixturevalue(run)
    done = [steps for _, steps, _ in seen]
    assert done == list(range(1, len(seen) + 1))
    assert done[-1] == seen[-1][2]
    assert seen[-1][0].remaining == 0 and seen[0][0].remaining > 0
    elapsed = [state.elapsed for state, *_ in seen]
    assert elapsed == sorted(elapsed)
    # halfway, as long is left as was spent
    state, steps, announced = seen[len(seen) // 2]
    assert state.remaining == pytest.approx(state.elapsed * (announced - steps) / steps)


def test_the_state_shows_the_latest_of_the_traces(paper, dual):
    result, seen, _ = paper
    iterations = [state.entropy for state, *_ in seen if state.iteration > 0]
    np.testing.assert_array_equal(iterations, result.history["entropy"])
    result, seen, _ = dual
    shown = np.array([state.entropy for state, *_ in seen])
    assert shown[-1] == result.history["entropy"][-1]
    assert set(shown[np.isfinite(shown)]) == set(result.history["entropy"])


def test_the_reader_is_shown_epochs_from_one(paper, dual):
    _, seen, progress = paper
    lines = progress.lines()
    assert len(lines) == len(seen) == 5 * 401
    assert lines[0].startswith("plane: epoch 1, iteration 1, entropy 5.991 nats, worst constraint ")
    assert lines[399].startswith("plane: epoch 1, iteration 400, ")
    assert lines[401].startswith("plane: epoch 2, iteration 1, ")
    assert " simulations, " in lines[0] and lines[-1].endswith(" 0:00 left")
    state = seen[0][0]
    assert f"worst constraint {state.violation_in_stderr.max():.1f} s.e." in lines[0]
    result, _, progress = dual
    epochs = [int(line.split("epoch ")[1].split(",")[0]) for line in progress.lines()]
    assert epochs[0] == 1 and set(np.diff(epochs)) == {0, 1}
    assert epochs[-1] == len(result.history["entropy"]) + 1  # an entry a round


@pytest.mark.slow
def test_the_reader_is_told_which_seed_of_how_many_or_else_which_circuit(monkeypatch):
    labels = []

    class Labelled(Progress):
        def __init__(self, enabled, label):
            labels.append((enabled, label))
            super().__init__(enabled, label, Line())

    monkeypatch.setattr(sys.modules["numepi.inference.infer"], "Progress", Labelled)
    lds = ne.circuits.LDS()
    quick = {"max_simulations": 500, "fit_steps": 5, "landing_steps": 5, "max_time": 1e-9}
    ne.infer(lds, lds.emergent_property(), n_seeds=2, progress=False, **quick)
    ne.infer(lds, lds.emergent_property(), **quick)
    assert labels == [(False, "seed 1/2"), (False, "seed 2/2"), (True, "lds")]
