"""What is timed: the circuits, two of them as models from equations too, and the order of the steps."""

from itertools import product

import numpy as np

__all__ = ["NAMES", "REHEARSED", "circuit", "draw", "per_parameter", "precisions", "rows"]

NAMES = ("SC", "V1", "STG", "RankTwoRNN", "LDS", "SC from equations", "V1 from equations")
REHEARSED = ("SC", "LDS", "V1 from equations")  # each driver once
_SIZES = (100_000, 1_000, 10_000, 100, 1_000_000)  # simulations: a telling one, those that take little, the largest
_TINY_SIZES = (4,)


def circuit(name, rehearse):
    """A circuit of the paper's size, or one that the simulator runs in a second."""
    import numepi as ne
    from benchmarks.dynamics_models.sc import sc
    from benchmarks.dynamics_models.v1 import v1

    if rehearse:
        return {
            "SC": lambda: ne.circuits.SC(trials=2, dt=0.2),
            "LDS": ne.circuits.LDS,
            "V1 from equations": lambda: v1(trials=2),
        }[name]()
    return {
        "SC": ne.circuits.SC, "V1": ne.circuits.V1, "STG": ne.circuits.STG, "RankTwoRNN": ne.circuits.RankTwoRNN,
        "LDS": ne.circuits.LDS, "SC from equations": sc, "V1 from equations": v1,
    }[name]()  # fmt: skip


def per_parameter(job):
    """Simulations that one parameter takes: tasks times trials."""
    tasks = getattr(getattr(job, "simulator", None) or getattr(job, "program", None), "n_tasks", 1)
    return tasks * getattr(job, "trials", 1)


def draw(model, n):
    """Parameters all over the support, the same for each size: (n, D)."""
    normals = np.random.default_rng(0).standard_normal((n, len(model.parameter_names)))
    return model.support.from_line(normals)[0]


def precisions(rehearse):
    """Those that are measured; a rehearsal, most of which is compilation, has one."""
    return ("float64",) if rehearse else ("float32", "float64")


def rows(names, rehearse):
    """(size, with Jacobian, precision, name) of every row, in the order of `_SIZES`."""
    return list(product(_TINY_SIZES if rehearse else _SIZES, (True, False), precisions(rehearse), names))
