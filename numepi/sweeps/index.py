"""The index of a sweep: one row for each task, in one file, read without opening any result."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from numepi.annotations import PathLike
from numepi.archive import replacing
from numepi.arguments import check_path, shown
from numepi.markup import card, escaped, table
from numepi.storage import load
from numepi.sweeps.task import COLUMNS, OUTCOME

if TYPE_CHECKING:
    from numepi.result import Result

__all__ = ["IndexFile", "SweepIndex", "load_sweep"]

_NAME = "index.json"
_SCHEMA = 1
_HEAD = ("run", "circuit", "labels", "status", "entropy", "kl", "simulations", "seconds")
_INTERVAL = 1.0  # seconds between writes of the index
_NUMBERS = (
    "entropy", "entropy_stderr", "relative_entropy", "kl", "kl_stderr", "n_simulations", "elapsed",
)  # fmt: skip

_KINDS = {
    "run": int, "circuit": str, "circuit_settings": dict, "settings": dict, "labels": dict, "status": str,
    "message": (str, type(None)), "success": (bool, type(None)), "reliable": (bool, type(None)),
    "path": (str, type(None)),
}  # fmt: skip


class SweepIndex:
    """A table of runs: a sequence of rows (dicts) in the order of the tasks.

    Columns: ``run`` (position), ``circuit``, ``circuit_settings``, ``property``, ``settings``, ``seed``, ``labels``;
    ``status``, ``message``, ``success``, ``entropy`` and ``relative_entropy`` with ``entropy_stderr`` (nats), the
    certificate's ``kl``, ``kl_stderr`` and ``reliable``, ``n_simulations``, ``elapsed`` (seconds of fitting) and
    ``path`` (file name of the result, None when there is none).  ``status`` is a result's status, or ``"pending"``,
    ``"interrupted"``, ``"error"`` (the run raised: see ``message``) or ``"lost"`` (its worker died).
    """

    def __init__(self, directory: PathLike, rows: Sequence[dict[str, Any]]) -> None:
        self.directory = Path(directory)
        self.rows = rows

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, position):
        return self.rows[position]

    @property
    def missing(self) -> SweepIndex:
        """The rows without a result, as an index."""
        return SweepIndex(self.directory, [row for row in self.rows if row["path"] is None])

    def where(self, **values: Any) -> SweepIndex:
        """The rows that have these values, as an index: of a column, a label, a setting or a circuit's setting."""
        rows = [row for row in self.rows if all(_value(row, k) == v for k, v in values.items())]
        return SweepIndex(self.directory, rows)

    def column(self, name: str) -> np.ndarray:
        """One column, label or setting of all rows: an array of floats for numbers (NaN: none), else of objects."""
        values = [_value(row, name) for row in self.rows]
        if name in _NUMBERS:
            return np.array([np.nan if v is None else v for v in values], float)
        out = np.empty(len(values), object)
        out[:] = values
        return out

    def best(self, **values: Any) -> dict[str, Any]:
        """The row of greatest entropy among the runs that met their constraints: the paper's choice.

        With keywords, among those that `where` selects.  A prior's runs compare by entropy relative to it.

        Raises
        ------
        ValueError
            If no run met its constraints.
        """
        rows = self.where(**values).rows
        met = [row for row in rows if row["success"]]
        if not met:
            found = ", ".join(f"{sum(r['status'] == s for r in rows)} {s}" for s in sorted({r["status"] for r in rows}))
            raise ValueError(f"none of {len(rows)} runs met its constraints ({found or 'nothing matches'})")
        return min(met, key=lambda row: row["relative_entropy"])

    def result(self, row: Mapping[str, Any], **arguments: Any) -> Result:
        """Load the result of a row; ``arguments`` are those of `numepi.load`."""
        if not isinstance(row, dict) or "path" not in row:
            raise TypeError(f"row = {shown(row)}: give a row of the index, such as index[0] or index.best()")
        if row["path"] is None:
            raise ValueError(f"run {row['run']} has no result: it is {row['status']} ({row['message']})")
        return load(self.directory / row["path"], **arguments)

    def __str__(self):
        lines = [_HEAD, *(_cells(row) for row in self.rows)]
        widths = [max(len(line[i]) for line in lines) for i in range(len(_HEAD))]
        rows = ["  ".join(cell.ljust(w) for cell, w in zip(line, widths)).rstrip() for line in lines]
        return "\n".join(rows + self._problems())

    def _repr_html_(self):
        done = f"{len(self) - len(self.missing)} of {len(self)} runs done"
        problems = (f"<p>{escaped(line)}</p>" for line in self._problems())
        return card(f"sweep in {self.directory}", table(_HEAD, map(_cells, self.rows), done), *problems)

    def _problems(self):
        return [f"run {r['run']}: {r['message']}" for r in self.rows if r["path"] is None and r["message"]]

    def __repr__(self):
        return f"<numepi sweep in {self.directory}: {len(self) - len(self.missing)} of {len(self)} runs done>"


def load_sweep(directory: PathLike) -> SweepIndex:
    """The `SweepIndex` of the sweep in ``directory``, also while it runs.

    Raises
    ------
    FileNotFoundError
    ValueError
        If the index is not one, or was written by a newer numepi.
    """
    path = Path(check_path("directory", directory)) / _NAME
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist: {directory} holds no sweep")
    try:
        content = json.loads(path.read_text())
        schema, rows = int(content["numepi_sweep"]), list(content["rows"])
        for number, row in enumerate(rows):
            _check_row(number, row)
    except Exception as error:  # as in `numepi.archive.read_archive`
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise ValueError(f"{path} is not the index of a numepi sweep ({reason})") from error
    if schema > _SCHEMA:
        raise ValueError(f"{path} was written by a newer numepi: upgrade to read it")
    return SweepIndex(directory, rows)


def _check_row(number, row):
    """Raise where a row of a file is not as `IndexFile` wrote it."""
    lacking = {*COLUMNS, *OUTCOME} - set(row)
    if lacking:
        raise ValueError(f"row {number} lacks {', '.join(sorted(lacking))}")
    kinds = _KINDS | dict.fromkeys(_NUMBERS, (int, float, type(None))) | {"n_simulations": (int, type(None))}
    for name, kind in kinds.items():
        value = row[name]
        if not isinstance(value, kind) or (isinstance(value, bool) and name not in ("success", "reliable")):
            raise TypeError(f"{name} of row {number} is {shown(value)}")


class IndexFile:
    """Writes an index as rows change, each time replacing the file in one step."""

    def __init__(self, index):
        self.index = index
        self._last = -np.inf

    def update(self, position, outcome):
        """Put ``outcome`` into the row, and write the file if it is old."""
        self.index.rows[position] |= outcome
        if time.monotonic() - self._last > _INTERVAL:
            self.save()

    def save(self):
        """Write the file."""
        content = json.dumps({"numepi_sweep": _SCHEMA, "rows": self.index.rows}, indent=0, allow_nan=False)
        with replacing(self.index.directory / _NAME) as file:
            file.write(content.encode())
        self._last = time.monotonic()


def _value(row, name):
    for place in (row, row["labels"], row["settings"], row["circuit_settings"]):
        if name in place:
            return place[name]
    return None


def _cells(row):
    def number(name, form):
        return "" if row[name] is None else format(row[name], form)

    labels = ", ".join(f"{k}={v}" for k, v in row["labels"].items())
    kl = number("kl", ".3f") + ("" if row["reliable"] or row["kl"] is None else "?")
    return (
        str(row["run"]), row["circuit"], labels, row["status"], number("entropy", ".3f"), kl,
        number("n_simulations", ",d"), number("elapsed", ".1f"),
    )  # fmt: skip
