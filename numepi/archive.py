"""The file format: arrays and JSON metadata in one `.npz`, written atomically and read without pickle."""

import glob
import json
import os
import tempfile
import zipfile
from pathlib import Path

import numpy as np

__all__ = ["check_writable", "plain", "qualified_name", "read_archive", "remove_partial", "write_archive"]

_SCHEMA = 1


def write_archive(path, kind, metadata, arrays):
    """Write ``arrays`` (dict) and ``metadata`` (JSON-able dict) to ``path``, replacing it in one step.

    A process killed while it writes leaves the old file, or none, never half a one; what it had written stays behind
    under a hidden name, for `remove_partial`.
    """
    path = Path(path)
    header = json.dumps({"numepi": kind, "schema": _SCHEMA, **metadata})
    descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            _write_arrays(file, {"metadata": np.array(header), **arrays})
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def _write_arrays(file, arrays):
    """Write what `numpy.savez` would, and close the archive whatever happens: that of numpy 2.0 is left to die open."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as entry:
                np.lib.format.write_array(entry, np.asanyarray(array), allow_pickle=False)


def remove_partial(path):
    """Remove what processes killed in `write_archive` left beside ``path``; no other may be writing it now."""
    path = Path(path)
    for left in path.parent.glob(f".{glob.escape(path.name)}.*"):
        left.unlink(missing_ok=True)


def read_archive(path, kind):
    """Return the metadata dict and the dict of arrays that `write_archive` stored.

    Raises
    ------
    FileNotFoundError
    ValueError
        If the file is truncated, is not numepi's, is of another kind, or was written by a newer schema.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist")
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        metadata = json.loads(str(arrays.pop("metadata")))
        found, schema = metadata.pop("numepi"), metadata.pop("schema")
    except (zipfile.BadZipFile, ValueError, LookupError, TypeError, AttributeError, EOFError, OSError) as error:
        raise ValueError(f"{path} is truncated or not a numepi {kind} file ({error})") from error
    if found != kind:
        raise ValueError(f"{path} holds a {found}, expected a {kind}")
    if schema > _SCHEMA:
        raise ValueError(f"{path} was written by a newer numepi: upgrade to read it")
    return metadata, arrays


def check_writable(path, argument):
    """Raise before any work is done if ``path`` cannot be created or replaced."""
    directory = Path(path).absolute().parent
    if not directory.is_dir():
        raise ValueError(f"{argument} = {str(path)!r}: the directory {directory} does not exist; create it first")
    if Path(path).is_dir():
        raise ValueError(f"{argument} = {str(path)!r} is a directory: name a file in it")
    try:
        tempfile.TemporaryFile(dir=directory).close()
    except OSError as error:
        raise ValueError(
            f"{argument} = {str(path)!r}: the directory {directory} cannot be written ({error})"
        ) from error


def plain(value):
    """``value`` in JSON's types; a function is represented by its qualified name."""
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, np.generic):
        return value.item()
    if hasattr(value, "description"):
        description = value.description
        return plain(description() if callable(description) else description)
    if callable(value):
        return qualified_name(value)
    return value if value is None or isinstance(value, (bool, int, float, str)) else repr(value)


def qualified_name(value):
    """Module and name of a function or class."""
    return f"{value.__module__}.{value.__qualname__}"


def _umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask
