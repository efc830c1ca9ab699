"""What the paper used: flow and settings of Algorithm 1 for each of its circuits (science: section 2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from numepi.circuits.lds import LDS
from numepi.circuits.rank_two_rnn import RankTwoRNN
from numepi.circuits.sc.circuit import SC
from numepi.circuits.stg.circuit import STG
from numepi.circuits.v1.circuit import V1
from numepi.flow import RealNVP

if TYPE_CHECKING:
    from numepi.circuits.base import Circuit

__all__ = ["paper_settings"]

# The same for all circuits: raw constraints, a constant learning rate, one pairing of the halves (science: section 2).
_ALGORITHM_ONE = {"learning_rate": 1e-3, "learning_rate_decay": 1.0, "scaled": False, "both_pairings": False}

# Hidden units of the flow's networks, i_max, n, c_0, beta and N_test.
_BY_CIRCUIT = {
    LDS: (50, 2000, 500, 1e-3, 4.0, 500),
    STG: (25, 5000, 400, 1e5, 2.0, 100),
    RankTwoRNN: (100, 500, 200, 1e3, 4.0, 200),
    V1: (50, 2000, 100, 1e-1, 2.0, 100),
    SC: (50, 2000, 100, 1e2, 2.0, 25),
}


def paper_settings(circuit: Circuit) -> dict[str, Any]:
    """The paper's flow and Algorithm 1 for ``circuit``: raw constraints, constant learning rate, one pairing of halves.

    Returns
    -------
    dict
        Keywords of `numepi.infer` with ``solver="augmented-lagrangian"``.

    Raises
    ------
    TypeError
        For a circuit that is not the paper's.
    """
    if type(circuit) not in _BY_CIRCUIT:
        known = ", ".join(kind.__name__ for kind in _BY_CIRCUIT)
        raise TypeError(f"the paper has no settings for a {type(circuit).__name__}: it has them for {known}")
    units, iterations, batch_size, penalty, growth, test_batch_size = _BY_CIRCUIT[type(circuit)]
    return {
        "flow": RealNVP(circuit.support, stages=3, hidden=(units, units), box_map="sigmoid"),
        "iterations_per_epoch": iterations,
        "batch_size": batch_size,
        "penalty": penalty,
        "penalty_growth": growth,
        "test_batch_size": test_batch_size,
        **_ALGORITHM_ONE,
    }
