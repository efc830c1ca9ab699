"""How many rows to ask the circuit for next, of those that the run may still spend."""

__all__ = ["refine_size", "replay_round_size", "round_size", "survey_size"]

_LEAST_ROUND = 20  # rows that a score can be made from
_ROUNDS_SHARE = 0.5  # of the rows left when the surrogate is dropped, for rounds
_ROUND_SHARE = 0.055  # of them, for one round: RNN N = 10 needs about four to anneal and four more
_REFINE_SHARE = 0.38  # of them, for the last phase
_LEAST_REFINE = 20  # rows of one of its steps


def survey_size(settings, problem, done):
    """Rows of a survey after ``done`` rows of surveys: a quarter of the budget at the most, half where they fail."""
    limit = settings.most_rows if problem.limit is None else problem.limit
    if done == 0:
        return int(min(settings.survey_rows, settings.survey_share * limit))
    return int(min(done, problem.left(limit), 2 * settings.survey_share * limit - done))


def round_size(settings, problem, state):
    """Rows of the next round; 0 when none are left.  A remainder too small for a round of its own is taken along."""
    limit = settings.most_rows if problem.limit is None else problem.limit
    left = problem.left(limit)
    first = int(min(settings.round_size, settings.round_share * limit))
    growth = settings.growth if state.dual.optimal else settings.slow_growth
    wanted = int(growth * state.rounds.size) if state.rounds.size else first
    if left < _LEAST_ROUND:
        return 0
    return left if left - wanted < max(_LEAST_ROUND, settings.score_share * limit) else wanted


def replay_round_size(settings, problem, rounds):
    """Rows of the next round without a surrogate; 0 when the rounds' share of a limited run is spent."""
    if rounds.allowance is None:
        return settings.replay_rows
    spent = rounds.allowance - problem.left(problem.limit)
    size = int(min(settings.replay_rows, max(_LEAST_ROUND, _ROUND_SHARE * rounds.allowance)))
    return size if spent + size <= _ROUNDS_SHARE * rounds.allowance else 0


def refine_size(settings, rounds):
    """Rows of a step of the refinement or the descent."""
    if rounds.allowance is None:
        return settings.refine_size
    fair = int(_REFINE_SHARE * rounds.allowance / max(settings.refine_steps, 1))
    return min(settings.refine_size, max(_LEAST_REFINE, fair))
