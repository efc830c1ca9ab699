"""Success, status and message."""

from types import SimpleNamespace

import numpy as np
import pytest

from numepi.inference.assessment.certificate import Certificate
from numepi.inference.assessment.verdict import beyond_what_was_seen, constraints_met, not_reached, verdict
from numepi.inference.running.run import Outcome

CONSTRAINTS = SimpleNamespace(
    names=("mean f", "variance f"), target=np.array([2.0, 1.0]), tolerance=np.array([0.1, 0.1]),
    tolerances=lambda spread: (0.1 * spread, ("spread", "spread")), is_bound=np.array([False, False]),
    miss=lambda achieved: np.abs(achieved - [2.0, 1.0]),
)  # fmt: skip
CERTIFICATE = Certificate(0.1, 0.01, 1.0, 0.01, 9000.0, 0.3, True, (0.0,), 20_000, 1)
ACCOUNT = {"n_simulations": 1000, "n_failed": 0, "n_raised": 0, "n_not_differentiable": 0}


def scored(mean, stderr=0.01, p=0.5, failing=0.0, outside=0.0, least=0.0, greatest=3.0):
    return SimpleNamespace(
        constraint=np.array([mean, 1.0]), constraint_stderr=np.array([stderr, 0.01]), p_values=np.array([p, 0.5]),
        constraint_spread=np.array([1.0, 1.0]), failing_share=failing,
        outside_share=outside,
        least=np.array([least, 0.0]), greatest=np.array([greatest, 3.0]),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("mean", "stderr", "p", "by_the_solver", "met"),
    [
        (2.05, 0.01, 0.5, None, True),
        (2.15, 0.01, 0.5, None, False),
        (2.05, 0.01, 0.0, None, True),  # certain, but small
        (2.12, 0.01, 0.5, True, True),  # Algorithm 1's own test; within three standard errors of the tolerance
        (2.14, 0.01, 0.5, True, False),
        (2.12, 0.01, 0.0, True, False),  # as certain as the test can tell
        (2.05, 0.01, 0.5, False, False),
        (np.nan, np.nan, 0.0, True, False),
        (2.05, np.nan, 0.5, None, False),
    ],
)
def test_constraints_met(mean, stderr, p, by_the_solver, met):
    assert constraints_met(CONSTRAINTS, scored(mean, stderr, p), by_the_solver) is met


@pytest.mark.parametrize(
    ("least", "greatest", "met"), [(1.9, 2.0, True), (1.9, 1.99, False), (2.01, 2.2, False), (2.0, 2.0 + 1e-15, True)]
)
def test_draws_on_one_side_of_the_target_do_not_meet_it(least, greatest, met):
    assert constraints_met(CONSTRAINTS, scored(2.0, least=least, greatest=greatest)) is met


def test_a_bound_is_met_from_below():
    bounded = SimpleNamespace(
        **vars(CONSTRAINTS) | {"is_bound": np.array([True, False]), "miss": lambda a: np.maximum(a - [2.0, 1.0], 0.0)}
    )
    assert constraints_met(bounded, scored(0.5, p=1.0, least=0.1, greatest=0.9))
    assert not constraints_met(bounded, scored(2.5, least=0.1, greatest=2.9))
    assert not constraints_met(CONSTRAINTS, scored(0.5, p=1.0, least=0.1, greatest=0.9))


def said(met=True, outcome=("finished", ""), certificate=CERTIFICATE, score=None, infeasible=None, unseen=None):
    score = score or scored(2.0)
    return verdict(met, Outcome(*outcome, 1.0), ACCOUNT, score, certificate, "float32", infeasible, unseen)


def test_a_good_answer():
    assert said()[:2] == (True, "near the optimum")
    assert said(certificate=CERTIFICATE.__class__(**(vars(CERTIFICATE) | {"kl": 0.4})))[1] == "constraints met"


def test_a_flow_that_is_not_invertible_is_a_failure_by_name():
    collapsed = Certificate(**(vars(CERTIFICATE) | {"round_trip": 2e6}))
    success, status, message = said(certificate=collapsed)
    assert (success, status) == (False, "failed")
    assert "no longer invertible in float32" in message and "learning_rate" in message and "replay_rate" in message


def test_a_certificate_that_contradicts_itself_is_not_near_the_optimum():
    contradictory = Certificate(**(vars(CERTIFICATE) | {"score_kl": 200.0, "score_kl_stderr": 0.1}))
    success, status, message = said(certificate=contradictory)
    assert (success, status) == (True, "constraints met")
    assert "could not be established" in message and "contradicts" in message


def test_infeasible_and_failed_runs_say_why():
    assert said(met=False, infeasible="the property is infeasible: x")[1:] == (
        "failed", "the property is infeasible: x [1,000 simulations, 1.0 s]",
    )  # fmt: skip
    success, status, message = said(met=False, outcome=("failed", "out of luck"))
    assert (success, status) == (False, "failed") and message.startswith("out of luck [")


def test_unmet_constraints_and_failing_draws_are_said():
    assert said(met=False)[1] == "not converged"
    assert said(met=False, outcome=("budget", "max_time was reached"))[1] == "budget"
    assert "38% of the distribution's own draws fail" in said(score=scored(2.0, failing=0.38))[2]
    assert "12% of the distribution's own draws lie outside" in said(score=scored(2.0, outside=0.12))[2]


def test_a_run_that_ended_short_names_what_each_solver_has_more_of():
    message = said(met=False)[2]
    assert "rounds" in message and "learn_steps" in message  # the solver by particles has no rounds


def test_not_reached_names_the_worst_and_what_to_try():
    text = not_reached(CONSTRAINTS, np.array([1.5, 0.95]))
    assert "'mean f' came no closer than 1.5 to its target 2" in text and "was not reached" in text
    assert "cannot" not in text and "logarithm" in text and "narrower support" in text
    assert "'variance f'" in not_reached(CONSTRAINTS, np.array([1.5, np.nan]))


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        (1.0, 3.0, None),
        (1.0, 2.0, None),
        (
            -1.0,
            1.5,
            "have 'mean f' between -1 and 1.5, and its target 2 lies 0.5 beyond",
        ),
        (
            2.25,
            7.0,
            "have 'mean f' between 2.25 and 7, and its target 2 lies 0.25 beyond",
        ),
    ],
)
def test_a_target_beyond_what_was_seen_was_not_reached(low, high, words):
    unseen = beyond_what_was_seen(CONSTRAINTS, np.array([[low, 0.0], [high, 5.0]]), 700)
    if words is None:
        assert unseen is None
        return
    assert (
        words in unseen
        and "all 700 simulations" in unseen
        and "was not reached" in unseen
        and "try more draws" in unseen
        and "cannot" not in unseen
    )
    message = said(met=False, unseen=unseen)[2]
    assert words in message and "budget" not in message
    early = said(met=False, unseen=unseen, outcome=("budget", "max_time was reached"))[2]
    assert early.startswith("max_time was reached; the property was not reached") and "a longer run may" in early


def test_without_simulations_nothing_was_seen():
    assert beyond_what_was_seen(CONSTRAINTS, np.array([[np.inf] * 2, [-np.inf] * 2]), 0) is None


def test_a_solver_that_gives_up_says_by_how_much_every_simulation_misses():
    unseen = beyond_what_was_seen(CONSTRAINTS, np.array([[-1.0, 0.0], [1.5, 5.0]]), 700)
    given_up = ("failed", not_reached(CONSTRAINTS, np.array([1.5, 0.95])))
    assert "between -1 and 1.5" in said(met=False, outcome=given_up, unseen=unseen)[2]
    assert said(met=False, outcome=("failed", "out of luck"), unseen=unseen)[2].startswith("out of luck")
