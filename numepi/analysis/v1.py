"""Primary visual cortex: sums of squares of the noise amplitudes, paradoxical effect, contrast (paper: Figure 3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from numepi.analysis.subjects import circuit_of, samples_of
from numepi.analysis.variants import variant
from numepi.annotations import Seed
from numepi.arguments import check_array, check_count
from numepi.circuits.v1.circuit import V1
from numepi.random_streams import seed_sequence

if TYPE_CHECKING:
    from numepi.flow.families.distribution import FlowDistribution

__all__ = [
    "POPULATIONS", "EffectSizes", "SumsTest", "compare_sums", "contrast_response", "effect_sizes", "paradoxical",
    "sums_of_squares",
]  # fmt: skip

POPULATIONS = ("E", "P", "S", "V")
PAIRS = ("sigma_E^2 + sigma_P^2", "sigma_S^2 + sigma_V^2")


def sums_of_squares(z: ArrayLike) -> np.ndarray:
    """(n, 2): sigma_E^2 + sigma_P^2 and sigma_S^2 + sigma_V^2 of ``z`` (n, 4)."""
    squares = samples_of("z", z, 4) ** 2
    return np.stack([squares[:, 0] + squares[:, 1], squares[:, 2] + squares[:, 3]], axis=1)


@dataclass(frozen=True)
class SumsTest:
    """Two samples of circuits compared, for each of the two sums.

    Attributes
    ----------
    p : ndarray (2,)
        Two-sided, of Welch's t-test.
    effect : ndarray (2,)
        Cohen's d: difference of the means (second sample less first) over the pooled standard deviation.
    means : ndarray (2, 2)
        Row: sample; column: sum.
    """

    p: np.ndarray
    effect: np.ndarray
    means: np.ndarray


def compare_sums(low: ArrayLike, high: ArrayLike) -> Any:
    """Compare the sums of squares of two samples of circuits, (n, 4) each."""
    first, second = (sums_of_squares(samples_of(name, z, 4, least=2)) for name, z in (("low", low), ("high", high)))
    test = stats.ttest_ind(first, second, equal_var=False)
    pooled = np.sqrt(0.5 * (first.var(axis=0, ddof=1) + second.var(axis=0, ddof=1)))
    means = np.array([first.mean(axis=0), second.mean(axis=0)])
    return SumsTest(test.pvalue, (means[1] - means[0]) / pooled, means)


@dataclass(frozen=True)
class EffectSizes:
    """`compare_sums` over independent pairs of samples: one p-value is one draw of a lottery, this is its distribution.

    Attributes
    ----------
    effect : ndarray (repeats, 2)
    p : ndarray (repeats, 2)
    n : int
        Circuits in each sample.
    """

    effect: np.ndarray
    p: np.ndarray
    n: int

    @property
    def interval(self) -> np.ndarray:
        """Central 95 % of the effects, (2, 2): a row (low, high) for each sum."""
        return np.quantile(self.effect, [0.025, 0.975], axis=0).T

    @property
    def mean_interval(self) -> np.ndarray:
        """95 % confidence interval of the mean effect, (2, 2)."""
        mean, error = self.effect.mean(axis=0), self.effect.std(axis=0, ddof=1) / np.sqrt(len(self.effect))
        return np.stack([mean - 1.96 * error, mean + 1.96 * error], axis=1)


def effect_sizes(
    low: FlowDistribution, high: FlowDistribution, n: int = 500, repeats: int = 100, rng: Seed = 0
) -> EffectSizes:
    """Compare ``repeats`` pairs of samples of ``n`` circuits.

    Parameters
    ----------
    low, high : objects with ``sample(n, rng=...)``
        Distributions or results.
    n, repeats : int
    rng : int, SeedSequence or Generator

    Returns
    -------
    EffectSizes
    """
    check_count("n", n, least=2)
    check_count("repeats", repeats, least=2)
    for name, d in (("low", low), ("high", high)):
        if isinstance(d, type) or not callable(getattr(d, "sample", None)):
            raise TypeError(f"{name} is a {type(d).__name__}: give a result, or its distribution")
    generator = np.random.default_rng(seed_sequence(rng))
    first, second = (d.sample(n * repeats, rng=generator).reshape(repeats, n, -1) for d in (low, high))
    tests = [compare_sums(a, b) for a, b in zip(first, second)]
    return EffectSizes(np.array([t.effect for t in tests]), np.array([t.p for t in tests]), n)


def paradoxical(circuit: V1, change: ArrayLike = (0.02, 0.02, 0.2, 0.2)) -> dict[str, float]:
    """Change of each population's own steady rate when its input rises, as a dict in Hz: negative is paradoxical.

    ``change`` is the paper's 0.002 (E, P) and 0.02 (S, V), in units ten times larger.
    """
    circuit_of(circuit, V1)
    return dict(zip(POPULATIONS, np.diag(circuit.input_responses(change)).tolist()))


def contrast_response(circuit: V1, contrasts: ArrayLike) -> np.ndarray:
    """Steady rates (m, 4) in Hz at each of the ``contrasts`` (m,)."""
    circuit_of(circuit, V1)
    if np.size(contrasts) == 0:
        raise ValueError("contrasts is empty: give one or more")
    contrasts = check_array("contrasts", np.atleast_1d(contrasts), ("m",))
    inputs = np.array([variant(circuit, contrast=float(c)).inputs for c in contrasts])
    return circuit.steady_state(inputs)
