"""What a worker does with one task: run it, save the result itself, and report a row."""

from pathlib import Path

import numpy as np

from numepi.archive import read_archive
from numepi.worker_threads import limited_threads

__all__ = ["read_outcome", "run_task"]

_FROM_RESULT = (
    "status", "message", "success", "entropy", "entropy_stderr", "relative_entropy", "n_simulations", "elapsed",
)  # fmt: skip
_FROM_CERTIFICATE = ("kl", "kl_stderr", "reliable")


def run_task(task, seed, path, threads, beside):
    """Run ``task`` and write its result to ``path``; return what the index says of it (a dict of plain values).

    The run keeps a checkpoint beside ``path`` and continues one that it finds, so that a killed worker costs seconds.
    A result that is there already is not computed again.  What the run raises is reported as status ``"error"``.
    """
    path = Path(path)
    if path.exists():
        return read_outcome(path)
    checkpoint = path.with_suffix(".checkpoint.npz")
    from numepi.inference import infer

    try:
        with limited_threads(threads, beside):
            result = infer(
                task.circuit, task.prop, rng=seed, checkpoint=checkpoint, resume=True, progress=False, **task.settings
            )
            if "interrupted" in (result.status, result.ended.get("scoring")):
                return {"status": "interrupted", "message": result.message}
            if result.status == "not scored":  # the checkpoint has the fit: another try scores it
                return {"status": "error", "message": result.message}
            result.save(path)
    except Exception as error:  # whatever it is, the other tasks go on
        return {"status": "error", "message": f"{type(error).__name__}: {error}"}
    checkpoint.unlink(missing_ok=True)
    return read_outcome(path)


def read_outcome(path):
    """What the index says of the result stored at ``path``."""
    from numepi.inference.assessment.certificate import Certificate

    metadata, _ = read_archive(path, "result")
    stored = metadata["certificate"]
    certificate = None if stored is None else Certificate.from_description(stored)
    outcome = {name: metadata[name] for name in _FROM_RESULT}
    outcome |= {name: getattr(certificate, name, None) for name in _FROM_CERTIFICATE}
    return {name: _plain(value) for name, value in outcome.items()} | {"path": path.name}


def _plain(value):
    """JSON has no NaN or infinity: they become None."""
    value = value.item() if isinstance(value, np.generic) else value
    return None if isinstance(value, float) and not np.isfinite(value) else value
