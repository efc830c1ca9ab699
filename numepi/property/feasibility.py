"""What no distribution has, whatever the circuit: targets that contradict each other, proved so from them alone."""

from itertools import pairwise

import numpy as np

from numepi.property.moments import Indicator

__all__ = ["check_feasible"]

_ROUNDING = 1e-12  # relative: eigenvalues and bounds that are short by less are met in the limit


def check_feasible(prop, names):
    """Raise ValueError, with the reason, if no distribution has the moments of ``prop`` of the statistics ``names``.

    Sound, not complete: what passes may still be impossible, or out of the circuit's reach.
    """
    _check_covariances(prop, names)
    for i, name in enumerate(names):
        _check_moments(prop, i, name)
    _check_duplicates(prop)
    _check_probabilities(prop, names)


def _check_covariances(prop, names):
    """Variances and covariances within every set of statistics that has all of them are positive definite."""
    covariance = {(names.index(a), names.index(b)): value for (a, b), value in prop.covariance.items()}
    known = {frozenset(pair) for pair in covariance}
    variances = prop.largest_variance  # more variance on the diagonal only makes room
    fixed = [i for i, v in enumerate(variances) if v is not None]
    neighbours = {i: {j for j in fixed if frozenset((i, j)) in known} for i in fixed}
    for clique in _cliques(set(), set(fixed), set(), neighbours):
        members = sorted(clique)
        matrix = np.diag([variances[i] for i in members])
        for a, i in enumerate(members):
            for b, j in enumerate(members):
                if i != j:
                    matrix[a, b] = covariance.get((i, j), covariance.get((j, i)))
        size = np.sqrt(np.diag(matrix))
        least = np.linalg.eigvalsh(matrix / np.outer(size, size))[0]
        if least <= _ROUNDING:
            raise ValueError(
                f"no distribution has these variances and covariances of {', '.join(names[i] for i in members)}: their "
                f"matrix of correlations has the eigenvalue {least:.3g}, and must be positive definite"
            )


def _cliques(chosen, candidates, done, neighbours):
    """Maximal sets of statistics with all their covariances (Bron and Kerbosch 1973)."""
    if not candidates and not done and len(chosen) > 1:
        yield chosen
    for i in sorted(candidates):
        yield from _cliques(chosen | {i}, candidates & neighbours[i], done & neighbours[i], neighbours)
        candidates, done = candidates - {i}, done | {i}


def _check_moments(prop, index, name):
    """Moments of even order exceed what those below force: the Hankel matrix of moments is positive definite.

    With orders 2 to 4 it is kurtosis > skewness^2 + 1.
    """
    variance = prop.variance[index]
    if variance is None:
        return
    given = {int(power): value for (which, power), value in prop.moments.items() if which == name}
    sigma = np.sqrt(variance)
    moments = [1.0, 0.0, 1.0]
    while len(moments) in given:
        moments.append(given[len(moments)] / sigma ** len(moments))
    for half in range(2, (len(moments) - 1) // 2 + 1):
        lower = np.array([[moments[i + j] for j in range(half)] for i in range(half)])
        last = np.array(moments[half : 2 * half])
        least = last @ np.linalg.solve(lower, last)
        if moments[2 * half] <= least * (1 + _ROUNDING):
            order = 2 * half
            raise ValueError(
                f"moments[{name!r}, {order}] = {given[order]}: no distribution has it with these lower moments, "
                f"it must exceed {least * sigma**order:.6g}" + (" (kurtosis > skewness^2 + 1)" if order == 4 else "")
            )


def _check_duplicates(prop):
    """The same function with two targets."""
    seen = {}
    for moment in prop.functions:
        key = (moment.function, moment.statistics)
        try:
            other = seen.setdefault(key, moment)
        except TypeError:  # a callable object that has no hash: it is compared with nothing
            continue
        if other is not moment:
            word = "contradict each other" if other.target != moment.target else "say the same twice"
            raise ValueError(
                f"Moment {other.name!r} with target {other.target:g} and Moment {moment.name!r} with target "
                f"{moment.target:g} are of the same function, and {word}: leave one out"
            )


def _check_probabilities(prop, names):
    """Probabilities below rising thresholds rise; and the bound of Cantelli about a mean with a variance."""
    for index, name in enumerate(names):
        below = sorted(
            _below(moment) for moment in prop.functions
            if isinstance(moment.function, Indicator) and moment.statistics == (name,) and _is_one_sided(moment)
        )  # fmt: skip
        for (low, p, first), (high, q, second) in pairwise(below):
            if p > q + _ROUNDING:
                raise ValueError(
                    f"Moments {first!r} and {second!r} contradict each other: P({name} < {low:g}) = {p:g} cannot "
                    f"exceed P({name} < {high:g}) = {q:g}"
                )
        mean, variance = prop.mean[index], prop.largest_variance[index]
        if variance is None:
            continue
        for threshold, p, label in below:
            distance = threshold - mean
            bound = variance / (variance + distance**2)
            share = 1 - p if distance > 0 else p
            if distance != 0 and share > bound + _ROUNDING:
                raise ValueError(
                    f"Moment {label!r} is out of reach: with mean {mean:g} and variance {variance:g} of {name} no more "
                    f"than {bound:.3g} lies beyond {threshold:g} (Cantelli's inequality)"
                )


def _is_one_sided(moment):
    return np.isinf(moment.function.low) or np.isinf(moment.function.high)


def _below(moment):
    """Threshold, probability below it, and the moment's name."""
    if np.isinf(moment.function.low):
        return moment.function.high, moment.target, moment.name
    return moment.function.low, 1 - moment.target, moment.name
