"""How far from its target a constraint counts as met, and why: the targets, the answer's spread, data, or the user.

A tenth of a standard deviation is what Cohen (1988) would call half of a small effect; the fits of docs/method.md end
at a fifth to a half of it.
"""

from typing import NamedTuple

import numpy as np

from numepi.property.moments import Correlation, Indicator

__all__ = ["GIVEN", "SHARE", "SPREAD", "TARGET", "Rule", "moment_rule", "tolerances"]

SHARE = 0.1  # of a standard deviation, or of a target that is a variance
_RARE_SHARE = 0.2  # of the rarer outcome's probability, where the binomial spread would allow to miss it altogether
_LEAST_PROBABILITY = 1e-3  # of a nearly sure event: 20 of the 20,000 draws that score an answer
GIVEN, TARGET, SPREAD, SCALE, BINOMIAL, DATA = "given", "target", "spread", "scale", "binomial", "data"


class Rule(NamedTuple):
    """A tolerance known in advance, or None where the answer's spread decides; and where it comes from."""

    value: float | None
    source: str


def moment_rule(moment):
    """The `Rule` of a `numepi.Moment`."""
    if moment.tolerance is not None:
        return Rule(moment.tolerance, GIVEN)
    if isinstance(moment.function, Indicator):
        rarer = min(moment.target, 1 - moment.target)
        value = min(SHARE * (moment.target * (1 - moment.target)) ** 0.5, _RARE_SHARE * rarer)
        return Rule(max(value, _LEAST_PROBABILITY), BINOMIAL)
    if isinstance(moment.function, Correlation):
        return Rule(SHARE * moment.scale, SCALE)
    return Rule(None, SPREAD) if moment.scale is None else Rule(SHARE * moment.scale, SCALE)


def tolerances(rules, standard_errors, spread):
    """Tolerance (m,) of each constraint, and its source (m strings).

    Parameters
    ----------
    rules : sequence of Rule
    standard_errors : array (m,)
        Of targets that were estimated from data, else 0: a target cannot be missed by less than its own error.
    spread : array (m,)
        Standard deviation of each T under the answer (or the prior): NaN where there is none.
    """
    values, sources = [], []
    for rule, error, deviation in zip(rules, standard_errors, spread):
        value, source = rule
        if value is None:
            value = SHARE * deviation
        if source != GIVEN and error > value:
            value, source = error, DATA
        values.append(value)
        sources.append(source)
    return np.array(values, float), tuple(sources)
