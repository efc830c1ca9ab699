"""How many rows to ask the circuit for next, of those that the run may still spend; how much of the work is done."""

import numpy as np

from numepi.inference.assessment.infeasible import CHECK_ROWS, LOOK_ROWS
from numepi.inference.assessment.reserve import reserve, sizes
from numepi.inference.assessment.verdict import constraints_met
from numepi.inference.dual.nearby import sharpens

__all__ = [
    "LEAST_ROUND", "confirmation_size", "explored_size", "kept_back", "last_phase", "replay_round_size", "round_size",
    "rows_of_last_phase", "seek_size", "share_done", "survey_size",
]  # fmt: skip

LEAST_ROUND = 20  # rows that a score can be made from
_ROUNDS_SHARE = 0.5  # of the rows left when the surrogate is dropped, for rounds
_ROUND_SHARE = 0.055  # of them, for one round: RNN N = 10 needs about four to anneal and four more
_LEAST_REFINE, _LEAST_DESCENT = 60, 20  # rows of one of its steps: path gradients scatter less than score functions
_ANNEALING_ROUNDS = 4  # without a surrogate, for an estimate before they are over: RNN N = 10 takes about as many
_SCORED = 20_000  # draws of a score without a limit
_CONFIRMING = 1.5  # times the rows that would do if the estimates stayed where they are: they move by a standard error
# Times most_rows, where more rows show more of what the surrogate rounds off (STG's property 9: KL 0.158 from 60,000,
# 0.061 from 240,000); without it a run takes 400,000 more.
_LONGER = 4
# Rows of a round, and share of the budget, which the larger is the most: the last round's teach nothing, and what the
# flow has lost is found step by step.
_LARGE, _LARGEST = 3_000, 0.1
_NOISE_CHECK_SHARE = 0.4  # of the budget, that a look for quiet parameters may take


def survey_size(settings, problem, done):
    """Rows of a survey after ``done`` rows of surveys: a quarter of the budget at the most, half where they fail."""
    if done == 0:
        return int(min(settings.survey_rows, settings.survey_share * _limit(settings, problem)))
    return min(done, _left_for_surveys(settings, problem, done))


def seek_size(settings, problem, done):
    """Rows of a search for rows that work after ``done`` rows of surveys: it may take as much as they may in all."""
    return min(settings.survey_rows, _left_for_surveys(settings, problem, done))


def _left_for_surveys(settings, problem, done):
    limit = _limit(settings, problem)
    return int(min(problem.left(limit), 2 * settings.survey_share * limit - done))


def _limit(settings, problem, state=None):
    """Rows while the surrogate leads: more where they sharpen it and its answer has the property."""
    if problem.limit is not None:
        return problem.limit
    longer = state is not None and state.answer is not None and sharpens(state)
    longer = longer and constraints_met(problem.constraints, state.answer.score)
    return settings.most_rows * (_LONGER if longer else 1)


def kept_back(state, problem):
    """Rows for a look for quiet parameters, where noise may exceed a target variance and the budget allows it.

    And for score and certificate, where there is a region that the run's own rows do not know of.
    """
    confined = 0 if problem.constraints.region is None else reserve(problem.limit)
    if problem.limit is None or not state.loud:
        return confined
    return confined + next((n for n in (CHECK_ROWS, LOOK_ROWS) if n <= _NOISE_CHECK_SHARE * problem.limit), 0)


def round_size(settings, problem, state):
    """Rows of the next round; 0 when none are left.  A remainder too small for a round of its own is taken along."""
    limit = _limit(settings, problem, state)
    left = problem.left(limit) - kept_back(state, problem)
    first = int(min(settings.round_size, settings.round_share * limit))
    growth = settings.growth if state.dual.optimal else settings.slow_growth
    wanted = int(min(growth * state.rounds.size, max(_LARGE, _LARGEST * limit))) if state.rounds.size else first
    if left < LEAST_ROUND:
        return 0
    return left if left - wanted < max(LEAST_ROUND, settings.score_share * limit) else wanted


def explored_size(settings, problem, state):
    """Rows for what the surrogate may miss, at the most: half of a round's, where a round is left besides."""
    most = state.rounds.size // 2
    left = problem.left(_limit(settings, problem, state)) - kept_back(state, problem)
    return most if left - most >= state.rounds.size else 0


def confirmation_size(settings, problem, state, rows, affordable):
    """Rows of the same flow that make an answer from ``rows`` sure: at the most the next round's.

    Its standard errors, of which it can afford ``affordable`` times as much, fall as one over the root of the rows.
    """
    most = round_size(settings, problem, state)
    if affordable * np.sqrt(rows + most) <= np.sqrt(rows):
        return most
    return min(most, max(LEAST_ROUND, int(_CONFIRMING * rows * (1 / affordable**2 - 1))))


def replay_round_size(settings, problem, rounds):
    """Rows of the next round without a surrogate; 0 when the rounds' share of a limited run is spent."""
    if rounds.allowance is None:
        return settings.replay_rows
    spent = rounds.allowance - problem.left(problem.limit)
    size = int(min(settings.replay_rows, max(LEAST_ROUND, _ROUND_SHARE * rounds.allowance)))
    return size if spent + size <= _ROUNDS_SHARE * rounds.allowance else 0


def rows_of_last_phase(problem):
    """Rows for the last phase without a surrogate, at its beginning: what score and certificate leave of a limit."""
    return None if problem.limit is None else max(0, problem.left(problem.limit) - reserve(problem.limit))


def last_phase(settings, rounds, phase):
    """Steps of the last phase without a surrogate, "refine" or "descend", and the rows of each.

    In a limited run the rows that were left for it decide: fewer of them a step down to what a step needs, then fewer
    steps (RNN N = 10, from 50,000 rows: 25.0 nats by 600 steps of 29 rows, 25.5 by 300 of 60).
    """
    n_steps = settings.refine_steps if phase == "refine" else settings.descent_steps
    rows = rounds.last
    if rows is None:
        return n_steps, settings.refine_size
    least = _LEAST_REFINE if phase == "refine" else _LEAST_DESCENT
    n_steps = min(n_steps, max(1, rows // least))
    return n_steps, min(settings.refine_size, max(least, rows // max(n_steps, 1)))


def share_done(settings, problem, state):
    """Share of the work that is done, between 0 and 1, if the rows end the run; a certificate may end it before.

    While the surrogate leads a round costs its fit, however many rows it has: rounds are counted.  Without it rows are:
    those of rounds and last phase to come, and of score and certificate.
    """
    if state.phase == "done":
        return 1.0
    if state.leads:
        done, to_come = state.rounds.number, _rounds_to_come(settings, problem, state)
        to_come += state.phase != "spent"  # the one in hand
    else:
        done, to_come = problem.n_simulations, _rows_to_come(settings, problem, state)
    return done / max(done + to_come, 1)


def _rounds_to_come(settings, problem, state):
    limit = _limit(settings, problem, state)
    first = min(settings.round_size, settings.round_share * limit)
    size, left = max(state.rounds.size * settings.growth, first), problem.left(limit)
    number = 0
    while left >= LEAST_ROUND and number < settings.max_annealing_rounds:
        number, left = number + 1, left - size
        size = min(size * settings.growth, max(_LARGE, _LARGEST * limit))
    return number


def _rows_to_come(settings, problem, state):
    if problem.limit is not None:
        return problem.left(problem.limit)
    scoring = sizes(None, False, _SCORED)
    scored = scoring.score + scoring.certificate
    if state.phase in ("refine", "descend"):
        n_steps, size = last_phase(settings, state.rounds, state.phase)
        return (n_steps - state.last_step) * size + scored
    left = state.rounds.left
    rounds = _ANNEALING_ROUNDS + settings.final_rounds if left is None else left
    n_steps, size = last_phase(settings, state.rounds, "refine")
    return rounds * settings.replay_rows + n_steps * size + scored
