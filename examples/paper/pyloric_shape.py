"""What the parameters of a population of pyloric networks say, as lines of a page: spread, couplings, directions."""

import numpy as np

from paper import pyloric

__all__ = ["apart", "conditional", "sensitive", "shape"]

_CONDITIONS = ("AB_CaT", "AB_KCa", "LP_CaT", "PY_CaT", "log_AB_LP_slow", "log_PY_LP_fast")
_SPREADS = {"least": 0, "second least": 1, "most": -1}  # of directions: which eigenvector of the covariance


def apart(population):
    """How far apart networks lie that have much the same features."""
    names, u = pyloric.CIRCUIT.parameter_names, pyloric.in_ranges(population.z)
    pairs = np.random.default_rng(0).integers(len(u), size=(2, 4000))
    apart = np.median(np.abs(u[pairs[0]] - u[pairs[1]]), axis=0)
    order = np.argsort(apart)
    ends = [", ".join(f"{names[i]} {apart[i]:.2f}" for i in part) for part in (order[:6], order[-6:])]
    return [
        f"Median difference of two of its networks, in ranges of the box (uniform draws: 0.29): {np.median(apart):.2f} "
        f"over all parameters; the least {ends[0]}; the greatest {ends[1]}.",
        "",
    ]


def shape(population):
    """Shrinkage and strongest couplings of each parameter; the directions with least and most spread."""
    names, u = pyloric.CIRCUIT.parameter_names, pyloric.in_ranges(population.z)
    covariance, correlation = np.cov(u.T), np.corrcoef(u.T) - np.eye(len(names))
    shrinkage = 1 - 12 * np.diag(covariance)
    lines = [
        "Shrinkage is 1 less the variance in that of the box.",
        "",
        "| parameter | shrinkage | strongest couplings: correlation |",
        "|---|---|---|",
    ]
    for i in np.argsort(-shrinkage):
        most = np.argsort(-np.abs(correlation[i]))[:3]
        lines.append(f"| `{names[i]}` | {shrinkage[i]:.2f} | {_named(correlation[i], most)} |")
    values, vectors = np.linalg.eigh(12 * covariance)
    for which, k in _SPREADS.items():
        lines += [
            "",
            f"Direction with {which} spread, {values[k]:.2f} of the box's variance: {_largest(vectors[:, k])}.",
        ]
    return [*lines, ""]


def _largest(vector):
    """The four largest components of a direction."""
    names = pyloric.CIRCUIT.parameter_names
    return ", ".join(f"{vector[i]:+.2f} {names[i]}" for i in np.argsort(-np.abs(vector))[:4])


def _named(values, which):
    return ", ".join(f"{pyloric.CIRCUIT.parameter_names[i]} {values[i]:+.2f}" for i in which)


def sensitive(found, population):
    """The metric of the features (`paper.pyloric_metric.Metric`), and where the population's spread lies in it."""
    values, k = found.eigenvalues, len(pyloric.FIXED)
    share = f"{values[:k].sum() / values.sum():.0%}"
    explained = ", ".join(f"{100 * each:.0f}" for each in found.explained)
    _, spread = np.linalg.eigh(np.cov(pyloric.in_ranges(population.z).T))
    within = [np.sum((found.vectors[:k] @ spread[:, i]) ** 2) for i in _SPREADS.values()]
    return [
        f"Metric of the features, the mean of J^T J over the population (animals' s.d. by ranges of the box; J of a "
        f"quadratic that explains {explained} % of the features' variance at networks left out): its {k} greatest "
        f"eigenvalues, {', '.join(f'{v:.0f}' for v in values[:k])}, hold {share}; the next is {values[k]:.1f}, the "
        f"least {values[-1]:.1f}.",
        "",
        f"Most sensitive: {_largest(found.vectors[0])}; then {_largest(found.vectors[1])}. Most degenerate: "
        f"{_largest(found.vectors[-1])}.",
        "",
        f"In the {k} most sensitive directions lie "
        + ", ".join(f"{w:.0%} of the direction with {which} spread" for which, w in zip(_SPREADS, within))
        + ".",
        "",
    ]


def conditional(population):
    """What a conductance does to the others: those of networks with little and with much of it."""
    names, u = pyloric.CIRCUIT.parameter_names, pyloric.in_ranges(population.z)
    lines = ["| of networks with the least and the most (fifths) | others that differ most, in s.d. |", "|---|---|"]
    for fixed in _CONDITIONS:
        k = names.index(fixed)
        low, high = (u[each] for each in np.array_split(np.argsort(u[:, k]), 5)[:: 5 - 1])
        change = (high.mean(axis=0) - low.mean(axis=0)) / u.std(axis=0)
        change[k] = 0.0
        most = np.argsort(-np.abs(change))[:4]
        lines.append(f"| `{fixed}` | {_named(change, most)} |")
    error = np.sqrt(2 * 5 / len(np.unique(population.z, axis=0)))
    return [*lines, "", f"Without a coupling such differences have a standard error of {error:.2f}.", ""]
