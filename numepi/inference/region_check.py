"""A region is tried on the variances that are asked for in it, before any work."""

import warnings

import numpy as np

from numepi.inference.problem import Stream

__all__ = ["check_room"]

_ROWS = 32  # parameters, simulated twice, that tell whether a statistic has noise


def check_room(problem):
    """Raise ValueError where a region has no room for a variance, or warn where noise has to make up for it.

    Expected statistics lie within ``within`` target deviations of the mean, and so make no more than within^2 of the
    target variance: up to 1 the rest is noise, or nothing has it.
    """
    prop, names = problem.constraints.prop, problem.circuit.statistic_names
    asked = [i for i, variance in enumerate(prop.variance) if variance is not None]
    if prop.within is None or prop.within > 1 or not asked:
        return
    support = problem.circuit.support
    z = support.from_line(np.random.default_rng(0).standard_normal((_ROWS, support.dim)))[0]
    inside = support.contains(z)
    z = support.rounded(z[inside] if inside.any() else support.probes(_ROWS))
    draws = np.full((2, len(z), len(names)), np.nan)
    for number in range(2):
        batch = problem.simulate(z, Stream.NOISE_CHECK, 3, first_index=number * len(z))
        draws[number, batch.valid] = batch.f
    known = np.isfinite(draws).all(axis=(0, 2))
    noisy = (draws[0, known] != draws[1, known]).any(axis=0)
    # What is the same everywhere, a count of none say, tells nothing of the noise that it may have elsewhere.
    told = (draws[0, known] != draws[0, known][:1]).any(axis=0)
    for i in asked:
        share, variance, name = prop.within**2, prop.variance[i], names[i]
        reach = f"within = {prop.within:g}, variance {variance:g} of {name!r}: its expected values in the region make"
        if told[i] and not noisy[i]:
            raise ValueError(
                f"{reach} {share * variance:.4g} at the most, and it shows no noise; give within above 1 (6, say), or "
                "variance_at_most= and no variance="
            )
        warnings.warn(
            f"{reach} {share * variance:.4g} at the most: its noise has to make the rest", UserWarning, stacklevel=3
        )
