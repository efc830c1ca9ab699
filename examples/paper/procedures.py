"""The paper's own procedure for each circuit: its flow by Algorithm 1 with its settings; a list, one fit for each seed.

Epochs are as many as the paper's where it says (STG 5, SC 10) or its least (V1, 5), and so many as the linear system
needs.  The paper took the best of five seeds for SC and of three for V1 (`PAPER_SEEDS`); `SEEDS` says of
how many the documentation stores the fits: ``python -m paper`` makes all.
"""

import functools

import numpy as np

import numepi as ne
from numepi import analysis
from paper.fits import algorithm_one

__all__ = ["ALL", "EXACT_ENTROPY", "PAPER_SEEDS", "SEEDS", "V1_LEVELS", "lds", "sc", "stg", "v1"]

# nats (docs/science.md, docs/method.md; v1-10: the certificate of its stored fit, -4.70 ± 0.01)
EXACT_ENTROPY = {"lds": 7.04, "stg": 1.41, "v1-5": -5.38, "v1-10": -4.7, "sc": 1.03}
PAPER_SEEDS = {"lds": 1, "stg": 1, "v1-5": 3, "v1-10": 3, "sc": 5}
SEEDS = {"lds": 1, "stg": 2, "v1-5": 3, "v1-10": 3, "sc": 5}
V1_LEVELS = (5.0, 10.0)  # Hz
_SEARCHED = 500  # samples of the STG's rejection search
_SEARCH_WIDTH = 0.05  # Hz, two standard deviations of the property


def lds(options, n_seeds=SEEDS["lds"]):
    """Figure 1, supplement 1."""
    circuit = ne.circuits.LDS()
    return algorithm_one("lds", circuit, circuit.emergent_property(), options, n_seeds, epochs=12)


def stg(options, n_seeds=SEEDS["stg"]):
    """Figure 1E: from a Gaussian at the samples of a rejection search, in place of the paper's ABC search."""
    circuit = ne.circuits.STG()

    def start(seed):
        return analysis.brute_force(
            circuit, lambda f: np.abs(f[:, 0] - 0.55) < _SEARCH_WIDTH, _SEARCHED, rng=seed
        ).z  # fmt: skip

    return algorithm_one(
        "stg-abc", circuit, circuit.emergent_property(), options, n_seeds, initial=start, epochs=5
    )  # fmt: skip


def v1(level, options, n_seeds=None):
    """Figure 3: X(5 Hz) or X(10 Hz)."""
    name, circuit = f"v1-{level:g}", ne.circuits.V1()
    prop = circuit.emergent_property(mean=level)
    return algorithm_one(name, circuit, prop, options, n_seeds or SEEDS[name], epochs=5)


def sc(options, n_seeds=SEEDS["sc"]):
    """Figure 4."""
    circuit = ne.circuits.SC()
    return algorithm_one("sc", circuit, circuit.emergent_property(), options, n_seeds, epochs=10)


ALL = {
    "lds": lds,
    "stg": stg,
    **{f"v1-{level:g}": functools.partial(v1, level) for level in V1_LEVELS},
    "sc": sc,
}
