"""Files: round trip, atomic replacement, errors."""

import os

import numpy as np
import pytest

from numepi.archive import check_writable, plain, read_archive, remove_partial, write_archive


def test_round_trip_without_pickle(tmp_path):
    path = tmp_path / "a.npz"
    write_archive(path, "result", {"x": [1, "two"]}, {"v": np.arange(3.0)})
    metadata, arrays = read_archive(path, "result")
    assert metadata == {"x": [1, "two"]}
    np.testing.assert_array_equal(arrays["v"], np.arange(3.0))
    with np.load(path, allow_pickle=False) as archive:
        assert set(archive.files) == {"metadata", "v"}


def test_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "a.npz"
    write_archive(path, "result", {}, {"v": np.zeros(1)})

    class Broken:
        def __array__(self, *arguments, **keywords):
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write_archive(path, "result", {}, {"v": Broken()})
    assert os.listdir(tmp_path) == ["a.npz"]
    assert read_archive(path, "result")[1]["v"] == 0


def test_truncated_and_foreign_files_are_refused(tmp_path):
    path = tmp_path / "a.npz"
    write_archive(path, "result", {}, {"v": np.zeros(1000)})
    whole = path.read_bytes()
    for cut in (0, 10, len(whole) // 2, len(whole) - 5):
        path.write_bytes(whole[:cut])
        with pytest.raises(ValueError, match="truncated or not a numepi result"):
            read_archive(path, "result")
    np.savez(path, v=np.zeros(1))
    with pytest.raises(ValueError, match="not a numepi result"):
        read_archive(path, "result")
    np.savez(path, metadata=np.array('["numepi"]'))
    with pytest.raises(ValueError, match="not a numepi result"):
        read_archive(path, "result")
    with open(path, "wb") as file:
        np.save(file, np.zeros(1))
    with pytest.raises(ValueError, match="not a numepi result"):
        read_archive(path, "result")
    write_archive(path, "checkpoint", {}, {})
    with pytest.raises(ValueError, match="holds a checkpoint, expected a result"):
        read_archive(path, "result")
    with pytest.raises(FileNotFoundError):
        read_archive(tmp_path / "absent.npz", "result")


def test_unwritable_places_are_named(tmp_path, monkeypatch):
    with pytest.raises(ValueError, match=r"out = .*does not exist; create it first"):
        check_writable(tmp_path / "no" / "a.npz", "out")
    with pytest.raises(ValueError, match="is a directory"):
        check_writable(tmp_path, "out")

    def refuse(dir):
        raise PermissionError("read-only")

    monkeypatch.setattr("tempfile.TemporaryFile", refuse)
    with pytest.raises(ValueError, match=r"cannot be written \(read-only\)"):
        check_writable(tmp_path / "a.npz", "out")


def test_plain_gives_json_types():
    assert plain({"a": np.float64(1.5), "b": (1, np.arange(2)), "f": plain}) == {
        "a": 1.5,
        "b": [1, [0, 1]],
        "f": "numepi.archive.plain",
    }


def test_leftovers_of_killed_writers_are_removed_and_nothing_else(tmp_path):
    for name in (".a[1].npz.x8k2", ".a.npz.x8k2", "a[1].npz", ".other"):
        (tmp_path / name).touch()
    remove_partial(tmp_path / "a[1].npz")
    assert sorted(os.listdir(tmp_path)) == [".a.npz.x8k2", ".other", "a[1].npz"]
