"""When a run may end: what the constraints and the certificate must say, and how well they must know it."""

from types import SimpleNamespace

import numpy as np
import pytest

import numepi as ne
from numepi.inference.dual.checks import (
    affordable_errors,
    better,
    explained,
    joined,
    noise_in_targets,
    noise_share,
    passes,
)
from numepi.inference.dual.state import Request

CONSTRAINTS = ne.EmergentProperty(mean=[1.0], variance=[4.0]).constraints(("x",))
SCORE = {
    "constraint": CONSTRAINTS.target + [0.02, 0.1], "constraint_stderr": np.array([0.02, 0.1]),
    "constraint_spread": np.array([2.0, 5.0]), "least": np.array([-5.0, 0.0]), "greatest": np.array([7.0, 36.0]),
    "p_values": np.array([0.5, 0.5]),
}  # fmt: skip
CERTIFICATE = {"kl": 0.02, "kl_stderr": 0.01, "entropy_bound_stderr": 0.02, "reliable": True}


@pytest.mark.parametrize(
    "score, certificate, ends",
    [
        ({}, {}, True),
        ({}, {"kl": -0.02}, True),
        ({}, {"kl": 0.035}, False),  # within the distance asked for, but not by two standard errors
        ({}, {"kl": -0.1, "kl_stderr": 0.06}, False),
        ({}, {"entropy_bound_stderr": 0.06}, False),
        ({}, {"reliable": False}, False),
        ({"constraint": CONSTRAINTS.target + [0.02, 0.5]}, {}, False),  # tolerances are 0.2 and 0.4
        ({"constraint_stderr": np.array([0.3, 0.1])}, {}, False),
        ({"constraint_stderr": np.array([0.19, 0.1])}, {}, False),  # but not by a standard error
        ({"least": np.array([1.5, 0.0])}, {}, False),  # all on one side of the target
    ],
)
def test_a_run_ends_where_constraints_and_distance_are_within_what_was_asked_and_known(score, certificate, ends):
    answer = SimpleNamespace(
        score=SimpleNamespace(**SCORE | score), certificate=SimpleNamespace(**CERTIFICATE | certificate)
    )
    assert passes(answer, CONSTRAINTS, 0.05, 2.0, 1.0) is ends


@pytest.mark.parametrize(
    "score, certificate, times",
    [
        ({}, {}, 1.5),  # 0.03 nats for two standard errors of 0.01
        ({}, {"kl": 0.04}, 0.5),
        ({}, {"entropy_bound_stderr": 0.1}, 0.5),
        ({"constraint": CONSTRAINTS.target + [0.02, 0.3], "constraint_stderr": np.array([0.02, 0.4])}, {}, 0.25),
        ({}, {"kl": 0.06}, 0.0),
        ({}, {"reliable": False}, 0.0),
        ({}, {"kl_stderr": np.nan}, 0.0),  # what is not known is not sure
        ({"constraint_stderr": np.array([0.01, np.nan])}, {}, 0.0),
    ],
)
def test_how_much_less_sure_an_answer_may_be_than_it_is(score, certificate, times):
    answer = SimpleNamespace(
        score=SimpleNamespace(**SCORE | score), certificate=SimpleNamespace(**CERTIFICATE | certificate)
    )
    assert affordable_errors(answer, CONSTRAINTS, 0.05, 2.0, 1.0) == pytest.approx(times)


def test_an_answer_that_meets_the_constraints_gives_way_to_none_that_does_not():
    met, missed = (SimpleNamespace(score=SimpleNamespace(**SCORE | {"constraint": CONSTRAINTS.target + [0.02, shift]}))
                   for shift in (0.1, 0.9))  # fmt: skip
    later = SimpleNamespace(score=met.score)
    assert better(None, missed, CONSTRAINTS) is missed
    assert better(missed, met, CONSTRAINTS) is met
    assert better(met, missed, CONSTRAINTS) is met
    assert better(met, later, CONSTRAINTS) is later


@pytest.mark.parametrize("error", [0.0, 1e-4, 1.0])
def test_a_statistic_that_is_the_same_everywhere_has_a_share_all_the_same(error):
    """Noise or not: what is known to a thousandth of a nat is known, and what is missed has no end of a share."""
    n = 50
    T = np.ones((n, 2))
    state = SimpleNamespace(
        request=SimpleNamespace(z=np.zeros((n, 1)), T=T, n_start=5, n_repeat=0),
        dual=SimpleNamespace(eta=CONSTRAINTS.scale * [1.0, 0.0]),
        surrogate=SimpleNamespace(expected=lambda constraints, z: T[: len(z)] - [error, 0.0]),
    )
    share, stderr = explained(state, SimpleNamespace(constraints=CONSTRAINTS))
    assert share == pytest.approx(1 - error**2 / 1e-6) and stderr == 0


@pytest.mark.parametrize("pairs, loudest", [(8, 1.0), (200, 0.6)])
def test_few_pairs_count_for_the_most_noise_that_they_may_show(pairs, loudest):
    """Half of the target variance of 4, by normal noise: two standard errors above it."""
    f = np.zeros((2 * pairs, 1))
    f[:pairs] = 2.0  # 2^2 / 2 of 4
    request = SimpleNamespace(f=f, n_start=0, n_repeat=pairs)
    assert noise_in_targets(request, CONSTRAINTS) == pytest.approx(loudest)
    assert noise_in_targets(SimpleNamespace(f=f, n_start=0, n_repeat=0), CONSTRAINTS) == 0


def test_requests_of_one_flow_join_start_own_repeated_and_repeats():
    def rows(n_start, n_repeat, *z):
        z = np.array(z, float)[:, None]
        return Request(z, n_start, n_repeat, 0, 0, z, 2 * z)

    # start; own rows, of which the first are simulated again; these again
    both = joined(rows(1, 2, 10, 20, 21, 22, 20, 21), rows(2, 1, 11, 12, 30, 31, 30))
    np.testing.assert_array_equal(both.z[:, 0], [10, 11, 12, 20, 21, 30, 22, 31, 20, 21, 30])
    np.testing.assert_array_equal(both.T, 2 * both.f)
    assert (both.n_start, both.n_repeat) == (3, 3)
    np.testing.assert_array_equal(both.z[3:6], both.z[-3:])


@pytest.mark.parametrize(
    "again, share", [([2.0, 2.0], 1.0), ([np.nan, 2.0], 0.75), ([np.nan, np.nan], None), ([], None)]
)
def test_without_a_pair_that_worked_nothing_is_known_of_noise(again, share):
    """Half of 2^2, of the variance of what worked."""
    x = np.array([0.0, 4.0, *again])
    T = np.column_stack([x, 4.0 + 0 * x])
    found = noise_share(Request(x[:, None], len(x), len(again), 0, 0, x[:, None], T), CONSTRAINTS)
    assert found == (None if share is None else pytest.approx(share))
