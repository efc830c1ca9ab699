"""The problems: numepi's compiled circuits with the paper's emergent properties."""

from dataclasses import dataclass

import numpy as np

import numepi as ne

__all__ = ["Problem", "problem"]


@dataclass(frozen=True)
class Problem:
    """A circuit with means mu and standard deviations sigma of its statistics."""

    name: str
    circuit: object

    @property
    def prop(self):
        return self.circuit.emergent_property()

    @property
    def mu(self):
        return np.array(self.prop.mean)

    @property
    def sigma(self):
        return np.sqrt(self.prop.variance)

    @property
    def box(self):
        return self.circuit.support.lower, self.circuit.support.upper

    def uniform(self, n, rng):
        return rng.uniform(*self.box, (n, len(self.circuit.parameter_names)))


def problem(name):
    """``rnn2``, ``rnn10``, ... (number of neurons), ``lds`` or ``sc``."""
    if name.startswith("rnn"):
        return Problem(name, ne.circuits.RankTwoRNN(int(name[3:])))
    return Problem(name, {"lds": ne.circuits.LDS, "sc": ne.circuits.SC}[name]())
