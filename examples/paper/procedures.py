"""The paper's own procedure for each circuit: its flow by Algorithm 1 with its settings; a list, one fit for each seed.

Fewer seeds, epochs or iterations than the paper's are for want of time: SC takes 27 ms an iteration on one core.
"""

import numpy as np

import numepi as ne
from numepi import analysis
from paper.fits import algorithm_one

__all__ = ["EXACT_ENTROPY", "V1_LEVELS", "lds", "sc", "stg", "v1"]

EXACT_ENTROPY = {"lds": 7.04, "stg": 1.41, "v1-5": -5.36, "sc": 1.03}  # nats (docs/science.md, docs/method.md)
V1_LEVELS = (5.0, 10.0)  # Hz
_SEARCHED = 500  # samples of the STG's rejection search
_SEARCH_WIDTH = 0.05  # Hz, two standard deviations of the property


def lds(options):
    """Figure 1, supplement 1."""
    circuit = ne.circuits.LDS()
    return algorithm_one("lds", circuit, circuit.emergent_property(), options, epochs=12)


def stg(options):
    """Figure 1E: from a Gaussian at the samples of a rejection search, in place of the paper's ABC search."""
    circuit = ne.circuits.STG()

    def start():
        near = analysis.brute_force(
            circuit, lambda f: np.abs(f[:, 0] - 0.55) < _SEARCH_WIDTH, _SEARCHED, rng=options.seed
        )
        return near.z

    return algorithm_one("stg-abc", circuit, circuit.emergent_property(), options, initial=start, epochs=5)


def v1(level, options):
    """Figure 3: X(5 Hz) or X(10 Hz)."""
    circuit = ne.circuits.V1()
    settings = {"epochs": 5, "iterations_per_epoch": 800}
    return algorithm_one(f"v1-{level:g}", circuit, circuit.emergent_property(mean=level), options, **settings)


def sc(options):
    """Figure 4."""
    circuit = ne.circuits.SC()
    return algorithm_one("sc", circuit, circuit.emergent_property(), options, epochs=8)
