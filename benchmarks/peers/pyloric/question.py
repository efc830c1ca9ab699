"""The question to all: networks with one animal's six features, from the same draws of the box and as many simulations.

The observation are the six means over animals.  Every method begins with the stored draws of the box, and may ask for
as many simulations more.  Answers are judged by fresh simulations of their draws.
"""

import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import numpy as np
from scipy import stats

import numepi as ne

ROOT = Path(__file__).parents[3]
sys.path.insert(0, str(ROOT / "examples"))  # where the search for networks is
from paper import pyloric, pyloric_rounds  # noqa: E402

__all__ = ["CLIP", "NOISE", "Meter", "box", "judge", "metered", "pyloric", "pyloric_rounds", "survey_cost"]

# Root mean square over the six features of the noise of one run, in the animals' s.d. (docs/pyloric.md: 3 to 22 % of
# the variances).  A posterior given one run's features can be no narrower than about this.
NOISE = 0.35
CLIP = 8.0  # s.d. from a mean, beyond which a feature is as good as at that: of what is learned, nowhere near x0
_JUDGED = 512  # draws of an answer
_NEAR = 1.0  # s.d. within which all six features are "near" the observation
_COSTED = 256  # draws of the box whose simulation says what the stored ones cost


def box():
    """The stored draws of the box: `paper.pyloric.Networks`."""
    return pyloric.load(ROOT / "docs/figures/pyloric-networks.npz").part(slice(pyloric.SURVEYED))


@dataclass
class Meter:
    """Simulations so far, and processor seconds that they took."""

    rows: int = 0
    seconds: float = 0.0


@contextmanager
def metered():
    """A `Meter` of all simulations of the network in this context."""
    meter, evaluate = Meter(), ne.circuits.Pyloric._evaluate

    def counted(circuit, z, *arguments):
        begun = time.process_time()
        answer = evaluate(circuit, z, *arguments)
        meter.rows += len(z)
        meter.seconds += time.process_time() - begun
        return answer

    with patch.object(ne.circuits.Pyloric, "_evaluate", counted):
        yield meter


def survey_cost(seed):
    """Processor seconds that the stored draws of the box would take, by those of some."""
    pyloric.survey(1, 0)  # compiles
    with metered() as meter:
        pyloric.survey(_COSTED, [seed, 98])
    return meter.seconds / _COSTED * pyloric.SURVEYED


def judge(draw, seed):
    """What fresh simulations of an answer's draws say; ``draw(n)`` gives parameters (n, 31)."""
    z = draw(_JUDGED)
    found = pyloric.Networks(z, pyloric.CIRCUIT.statistics(z, rng=[seed, 99]), np.full(len(z), np.nan))
    x = found.standard[found.valid]
    low, high = stats.binomtest(len(x), len(z)).proportion_ci(method="wilson")
    u = pyloric.in_ranges(z[found.valid])
    pairs = np.random.default_rng(0).integers(max(len(u), 1), size=(2, 4000))
    return {
        "draws": len(z),
        "valid": [len(x) / len(z), float(low), float(high)],
        "rms": np.sqrt(np.mean(x**2, axis=0)).tolist() if len(x) else None,
        "median": np.median(np.abs(x), axis=0).tolist() if len(x) else None,
        "near": float((np.abs(x) < _NEAR).all(axis=1).sum() / len(z)),
        "apart": float(np.median(np.abs(u[pairs[0]] - u[pairs[1]]))) if len(u) > 1 else None,
    }
