"""The file format: arrays and JSON metadata in one `.npz`, written atomically and read without pickle or surprise."""

import hashlib
import json
import math
import os
import re
import secrets
import socket
import zipfile
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np

from numepi.arguments import check_path

__all__ = [
    "check_writable", "plain", "qualified_name", "read_archive", "remove_partial", "replacing", "temporary_name",
    "write_archive",
]  # fmt: skip

_SCHEMA = 1
_TEMPORARY = re.compile(r"\.numepi-([0-9a-f]{12})-([0-9a-f]{8})-([0-9]+)-[0-9a-f]{8}\.tmp")
_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


def temporary_name(path, pid=None):
    """A new hidden name beside ``path``: ``.numepi-<path>-<machine>-<process>-<random>.tmp``, hashes of the first two.

    As long for a long name as for a short one, and nobody else's: what has another name is never removed.
    """
    owner = os.getpid() if pid is None else pid
    name = f".numepi-{_digest(path.name, 12)}-{_digest(socket.gethostname(), 8)}-{owner}-{secrets.token_hex(4)}.tmp"
    return path.with_name(name)


@contextmanager
def replacing(path):
    """Open a new file (binary) that takes the place of ``path`` in one step when the block ends without an error.

    A process killed within the block leaves the old file, or none, never half a one; what it had written stays behind
    under a `temporary_name`, for `remove_partial`.  A link stays one: what it points to is replaced.
    """
    path = Path(os.path.realpath(path))
    temporary = temporary_name(path)
    try:
        with open(temporary, "xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(temporary)
        raise


def write_archive(path, kind, metadata, arrays):
    """Write ``arrays`` (dict) and ``metadata`` (JSON-able dict) to ``path``, as `replacing` does."""
    header = json.dumps({"numepi": kind, "schema": _SCHEMA, **metadata})
    with replacing(path) as file:
        _write_arrays(file, {"metadata": np.array(header), **arrays})


def _write_arrays(file, arrays):
    """Write what `numpy.savez` would, and close the archive whatever happens: that of numpy 2.0 is left to die open."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as entry:
                np.lib.format.write_array(entry, np.asanyarray(array), allow_pickle=False)


def remove_partial(path):
    """Remove what processes of this machine that have ended left beside ``path`` when they were killed."""
    path = Path(os.path.realpath(path))
    if os.name != "posix":
        return  # elsewhere there is no harmless way to ask whether a process lives
    mine = (_digest(path.name, 12), _digest(socket.gethostname(), 8))
    for entry in os.scandir(path.parent):
        match = _TEMPORARY.fullmatch(entry.name)
        if match and match.groups()[:2] == mine and entry.is_file(follow_symlinks=False) and _has_ended(int(match[3])):
            Path(entry.path).unlink(missing_ok=True)


def read_archive(path, kind):
    """Return the metadata dict and the dict of arrays that `write_archive` stored.

    Raises
    ------
    FileNotFoundError
    ValueError
        If the file is truncated or damaged, is not numepi's, is of another kind, or was written by a newer schema.
    """
    path = Path(check_path("path", path))
    if not os.path.exists(path):
        raise FileNotFoundError(f"{path} does not exist")
    try:
        arrays = _read_arrays(path)
        metadata = json.loads(str(arrays.pop("metadata")))
        found, schema = str(metadata.pop("numepi")), int(metadata.pop("schema"))
    except Exception as error:  # the bytes are anybody's: what they do to the readers is no bug of the caller's
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise ValueError(f"{path} is truncated or not a numepi {kind} file ({reason})") from error
    if found != kind:
        raise ValueError(f"{path} holds a {found}, expected a {kind}")
    if schema > _SCHEMA:
        raise ValueError(f"{path} was written by a newer numepi: upgrade to read it")
    return metadata, arrays


def _read_arrays(path):
    """The arrays of an `.npz`, which take no more memory than the file has bytes: numepi's own are not compressed."""
    with open(path, "rb") as file, zipfile.ZipFile(file) as archive:
        members = archive.infolist()
        unpacked = sum(member.file_size for member in members)
        if unpacked > os.fstat(file.fileno()).st_size or any(m.compress_type != zipfile.ZIP_STORED for m in members):
            raise ValueError(f"it would unpack to {unpacked:,} bytes; numepi does not compress")
        return {member.filename.removesuffix(".npy"): _read_array(archive, member) for member in members}


def _read_array(archive, member):
    with archive.open(member) as stream:
        shape, fortran_order, dtype = _HEADERS[np.lib.format.read_magic(stream)](stream)
        data = bytearray(stream.read())
    if dtype.hasobject or min(shape, default=0) < 0 or math.prod(shape) * dtype.itemsize != len(data):
        raise ValueError(f"{member.filename} does not hold the numbers that its header names")
    return np.frombuffer(data, dtype).reshape(shape, order="F" if fortran_order else "C")


def check_writable(path, argument):
    """Raise before any work is done if ``path`` cannot be created or replaced, under its own name."""
    path = Path(check_path(argument, path))
    directory = path.absolute().parent
    if not os.path.isdir(directory):
        raise ValueError(f"{argument} = {str(path)!r}: the directory {directory} does not exist; create it first")
    if os.path.isdir(path):
        raise ValueError(f"{argument} = {str(path)!r} is a directory: name a file in it")
    if os.path.exists(path) and not os.path.isfile(path):
        raise ValueError(f"{argument} = {str(path)!r} is no regular file: name another, which may be replaced")
    try:
        with suppress(FileNotFoundError):
            os.lstat(path)  # says so where the name is too long
        temporary = temporary_name(Path(os.path.realpath(path)))
        open(temporary, "xb").close()
        os.unlink(temporary)
    except OSError as error:
        raise ValueError(f"{argument} = {str(path)!r}: it cannot be written there ({error}); name another") from error


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


def _digest(text, letters):
    return hashlib.sha256(os.fsencode(text)).hexdigest()[:letters]


def _has_ended(pid):
    try:
        os.kill(pid, 0)  # asks, and sends nothing
    except ProcessLookupError:
        return True
    except (PermissionError, OverflowError):
        return False
    return False
