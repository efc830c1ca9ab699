"""Checkpoints: a run's whole state on disk, refused by a run of another configuration."""

import time
import warnings
from pathlib import Path

from numepi.archive import check_writable, read_archive, remove_partial, write_archive
from numepi.arguments import check_path
from numepi.identity import differences

__all__ = ["Checkpoint"]

_INTERVAL = 20.0  # seconds between saves


class Checkpoint:
    """Saves and restores one run; without a path it does nothing.

    Use `Checkpoint.of`, which checks the path and the stored configuration before any work.
    """

    def __init__(self, path=None, configuration=None, arrays=None):
        self.path = path
        self.configuration = configuration
        self._arrays = arrays
        self._last = time.monotonic()

    @staticmethod
    def solver_of(path, n_seeds):
        """The solver's name of the run that is stored at ``path``; None where there is none to go on with."""
        path = None if path is None else _numbered(Path(check_path("checkpoint", path)), 0, n_seeds)
        if path is None or not path.exists():
            return None
        configuration = read_archive(path, "checkpoint")[0].get("configuration")
        return configuration.get("solver") if isinstance(configuration, dict) else None

    @classmethod
    def of(cls, path, index, n_seeds, configuration, resume):
        """The checkpoint of run ``index``: at ``path`` itself for a single run, else at ``path`` with its number.

        Raises
        ------
        ValueError
            If the file cannot be written there, ``resume`` has no path, a stored configuration differs (the
            differences are named), or a checkpoint exists and ``resume`` is False.
        """
        if path is None:
            if resume:
                raise ValueError("resume = True needs a checkpoint: name its file")
            return cls()
        path = _numbered(Path(check_path("checkpoint", path)), index, n_seeds)
        check_writable(path, "checkpoint")
        remove_partial(path)
        arrays = None
        if path.exists():
            if not resume:
                raise ValueError(f"checkpoint {path} exists: pass resume=True to continue it, or remove it")
            stored, arrays = read_archive(path, "checkpoint")
            if not isinstance(stored.get("configuration"), dict):
                raise ValueError(f"{path} is damaged: it does not say which run it is of; remove it")
            found = differences(stored["configuration"], configuration, "in the checkpoint")
            if found:
                raise ValueError(f"checkpoint {path} is of another run: {'; '.join(found)}")
        return cls(path, configuration, arrays)

    def restore_into(self, solver):
        """Restore the stored state, if there is one; return whether there was."""
        if self._arrays is None:
            return False
        try:
            solver.restore(self._arrays)
            solver.problem.restore(self._arrays)
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            raise ValueError(f"{self.path} is damaged ({type(error).__name__}: {error}); remove it") from error
        return True

    def save_if_due(self, solver):
        """Save when the last save is older than the interval."""
        if self.path is not None and time.monotonic() - self._last > _INTERVAL:
            self.save(solver)

    def save(self, solver):
        """Save now, replacing the file in one step; where that fails (a full disk, say), warn: the run goes on."""
        if self.path is None:
            return
        try:
            write_archive(
                self.path, "checkpoint", {"configuration": self.configuration}, solver.state() | solver.problem.state()
            )
        except OSError as error:
            warnings.warn(
                f"the checkpoint {self.path} could not be written ({error}): the run goes on, and what is there stays",
                UserWarning,
                stacklevel=2,
            )
        self._last = time.monotonic()


def _numbered(path, index, n_seeds):
    return path.with_name(f"{path.stem}.{index}{path.suffix}") if n_seeds > 1 else path
