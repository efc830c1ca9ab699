"""One run of a sweep: what to infer, with which settings and seed, and the row that describes it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field

import numpy as np

from numepi.annotations import Seed
from numepi.archive import plain
from numepi.arguments import check_mapping, check_text
from numepi.circuits.base import Circuit
from numepi.identity import described
from numepi.property.emergent_property import EmergentProperty
from numepi.random_streams import seed_sequence

__all__ = ["COLUMNS", "OUTCOME", "Task", "pending_row"]

# What the sweep itself decides.
_RESERVED = ("rng", "n_seeds", "checkpoint", "resume", "progress", "callback", "executor")
COLUMNS = ("run", "digest", "circuit", "circuit_settings", "property", "settings", "seed", "labels")
OUTCOME = (
    "status", "message", "success", "entropy", "entropy_stderr", "relative_entropy", "kl", "kl_stderr", "reliable",
    "n_simulations", "elapsed", "path",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Task:
    """One run of a sweep.

    Parameters
    ----------
    circuit : numepi.circuits.Circuit
    prop : EmergentProperty
    settings : dict
        Further arguments of `numepi.infer`: solver, flow, budgets, the solver's settings.
    seed : int or SeedSequence, optional
        As ``rng`` of `numepi.infer`; by default the sweep spawns one from its own ``rng`` and the task's position.
    labels : dict
        Plain values of your own that name the task in the index (``{"N": 10}``).

    Everything must be picklable when the task goes to another process: functions defined in a module, not lambdas.
    """

    circuit: Circuit
    prop: EmergentProperty
    settings: dict = field(default_factory=dict)
    seed: Seed | None = None
    labels: dict = field(default_factory=dict)

    def __post_init__(self):
        for name, value, kind in (("circuit", self.circuit, Circuit), ("prop", self.prop, EmergentProperty)):
            if not isinstance(value, kind):
                raise TypeError(f"{name} of a task is a {type(value).__name__}: give a numepi {kind.__name__}")
        for name in ("settings", "labels"):
            check_mapping(f"{name} of a task", getattr(self, name), "give a dict of names and values")
            for key in getattr(self, name):
                check_text(f"a key of a task's {name}", key)
        if self.seed is not None and not isinstance(self.seed, np.random.Generator):
            seed_sequence(self.seed, "seed of a task")
        reserved = sorted(set(self.settings) & set(_RESERVED))
        if reserved:
            raise ValueError(f"settings of a task hold {reserved}, which the sweep sets: give each seed its own task")
        taken = sorted(set(self.labels) & set(COLUMNS + OUTCOME))
        if taken:
            raise ValueError(f"labels of a task hold {taken}, which are columns of the index: choose other names")

    def seed_at(self, root: np.random.SeedSequence, position: int) -> np.random.SeedSequence:
        """The task's seed in a sweep of seed ``root``: its own, else the child of its position."""
        if self.seed is not None:
            return seed_sequence(self.seed)
        return np.random.SeedSequence(root.entropy, spawn_key=(*root.spawn_key, position))


def pending_row(task, seed, position):
    """The index row of a task that has not run: its description, and nothing found."""
    known = described(
        {
            "circuit": task.circuit.name,
            "circuit_settings": task.circuit.settings,
            "property": task.prop,
            "settings": task.settings,
            "seed": [seed.entropy, list(seed.spawn_key)],
        }
    )
    identity = known | plain({"support": task.circuit.support})
    digest = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:12]
    row = {"run": position, "digest": digest, **known, "labels": plain(task.labels)}
    return row | dict.fromkeys(OUTCOME) | {"status": "pending", "success": False}
