"""Targets that no distribution has are refused, and their neighbours that one has are not."""

import numpy as np
import pytest

import numepi as ne

NAMES = ("a", "b", "c")
P = ne.Moment.probability


def bind(**arguments):
    arguments.setdefault("mean", [0.0, 1.0, 2.0])
    arguments.setdefault("variance", [1.0, 4.0, 9.0])
    return ne.EmergentProperty(**arguments).constraints(NAMES)


def correlated(r_ab, r_bc, r_ac):
    return {("a", "b"): 2 * r_ab, ("c", "b"): 6 * r_bc, ("a", "c"): 3 * r_ac}


def share(f):
    return f[:, 0]


# What is impossible, why, and what is just possible.
CASES = {
    "correlations": (
        {"covariance": correlated(0.9, 0.9, 0.5)}, "of a, b, c: .*eigenvalue",
        {"covariance": correlated(0.9, 0.9, 0.7)},
    ),
    "kurtosis": (
        {"moments": {("b", 3): 8.0, ("b", 4): 31.0}}, r"\['b', 4\] = 31.0: .* must exceed 32 \(kurtosis > skewness\^2",
        {"moments": {("b", 3): 8.0, ("b", 4): 33.0}},
    ),
    "sixth moment": (
        {"moments": {("a", 3): 0.0, ("a", 4): 3.0, ("a", 5): 0.0, ("a", 6): 8.9}}, r"\['a', 6\] = 8.9: .* exceed 9",
        {"moments": {("a", 3): 0.0, ("a", 4): 3.0, ("a", 5): 0.0, ("a", 6): 9.1}},
    ),
    "two targets": (
        {"functions": [ne.Moment("one", share, 0.0), ne.Moment("other", share, 1.0)]},
        "'one' with target 0 and Moment 'other' with target 1 are of the same function, and contradict",
        {"functions": [ne.Moment("one", share, 0.0), ne.Moment("other", np.sum, 1.0)]},
    ),
    "twice the same": (
        {"functions": [P("a", above=0, target=0.5), P("a", above=0, target=0.5, name="again")]}, "say the same twice",
        {"functions": [P("a", above=0, target=0.5)]},
    ),
    "falling probabilities": (
        {"functions": [P("a", below=0.0, target=0.6), P("a", above=0.5, target=0.5)]}, "contradict each other: P",
        {"functions": [P("a", below=0.0, target=0.6), P("a", above=0.5, target=0.3)]},
    ),
    "falling quantiles": (
        {"functions": [ne.Moment.quantile("a", 0.6, target=0), ne.Moment.quantile("a", 0.5, target=1)]}, "contradict",
        {"functions": [ne.Moment.quantile("a", 0.5, target=0), ne.Moment.quantile("a", 0.6, target=1)]},
    ),
    "far tail": (
        {"functions": [P("b", above=5.0, target=0.21)]}, "mean 1 and variance 4 of b no more than 0.2 lies beyond 5",
        {"functions": [P("b", above=5.0, target=0.19)]},
    ),
    "far lower tail": (
        {"functions": [ne.Moment.quantile("b", 0.21, target=-3.0)]}, "Cantelli",
        {"functions": [ne.Moment.quantile("b", 0.19, target=-3.0)]},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_impossible_targets_are_refused_and_possible_ones_are_not(name):
    impossible, message, possible = CASES[name]
    with pytest.raises(ValueError, match=message):
        bind(**impossible)
    assert len(bind(**possible))


def test_moments_of_any_sample_are_accepted(rng):
    """Soundness: a property that data have cannot be impossible (200 random samples, each with all its moments)."""
    for _ in range(200):
        f = rng.standard_t(3, size=(rng.integers(8, 30), 3)) @ rng.normal(size=(3, 3))
        mean, centred = f.mean(axis=0), f - f.mean(axis=0)
        covariance = np.cov(f.T, bias=True)
        threshold = float(rng.normal())
        bind(
            mean=mean,
            variance=np.diag(covariance),
            covariance={(NAMES[i], NAMES[j]): covariance[i, j] for i in range(3) for j in range(i)},
            moments={(NAMES[i], p): np.mean(centred[:, i] ** p) for i in range(3) for p in (3, 4, 5, 6)},
            functions=[
                P("a", above=threshold, target=float(np.mean(f[:, 0] > threshold))),
                P("a", below=threshold + 1, target=float(np.mean(f[:, 0] < threshold + 1))),
            ],
        )
