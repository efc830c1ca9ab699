"""Files: round trip, atomic replacement, errors."""

import os
import re
import subprocess
import sys
import tracemalloc
import zipfile

import numpy as np
import pytest

from numepi.archive import check_writable, plain, read_archive, remove_partial, temporary_name, write_archive


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

    with pytest.raises(ValueError, match=r"out = .*cannot be written there .*File name too long"):
        check_writable(tmp_path / ("n" * 252 + ".npz"), "out")
    check_writable(tmp_path / ("n" * 251 + ".npz"), "out")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ValueError, match="no regular file"):
        check_writable(tmp_path / "pipe", "out")

    def refuse(*arguments):
        raise PermissionError("read-only")

    monkeypatch.setattr("builtins.open", refuse)
    with pytest.raises(ValueError, match=r"cannot be written there \(read-only\); name another"):
        check_writable(tmp_path / "a.npz", "out")


def test_the_longest_name_can_be_written(tmp_path):
    path = tmp_path / ("n" * 251 + ".npz")
    write_archive(path, "result", {}, {"v": np.zeros(1)})
    assert os.listdir(tmp_path) == [path.name]


def test_permissions_follow_the_umask_which_nobody_changes(tmp_path, monkeypatch):
    before = os.umask(0o027)
    try:
        monkeypatch.setattr(os, "umask", lambda mask: pytest.fail("the umask is the whole process's"))
        write_archive(tmp_path / "a.npz", "result", {}, {})
    finally:
        monkeypatch.undo()
        os.umask(before)
    assert (tmp_path / "a.npz").stat().st_mode & 0o777 == 0o640


def test_a_link_keeps_pointing(tmp_path):
    (tmp_path / "scratch").mkdir()
    target, link = tmp_path / "scratch" / "real.npz", tmp_path / "link.npz"
    target.touch()
    link.symlink_to(target)
    write_archive(link, "result", {"x": 1}, {})
    assert link.is_symlink() and read_archive(target, "result")[0] == {"x": 1}
    assert os.listdir(tmp_path / "scratch") == ["real.npz"]


def test_plain_gives_json_types():
    assert plain({"a": np.float64(1.5), "b": (1, np.arange(2)), "f": plain}) == {
        "a": 1.5,
        "b": [1, [0, 1]],
        "f": "numepi.archive.plain",
    }


def test_leftovers_of_killed_writers_are_removed_and_nothing_else(tmp_path):
    path = tmp_path / "env"
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    left = temporary_name(path, dead.pid)
    kept = [
        ".env.local", ".env.npz.x8k2", "env", temporary_name(path).name,
        temporary_name(tmp_path / "other", dead.pid).name,
        left.name + "x", left.name.replace(".tmp", ""), left.name.replace("-", "_"),
        re.sub(r"-[0-9a-f]{8}-(?=\d+-)", "-00000000-", left.name),
    ]  # fmt: skip
    for name in (*kept, left.name):
        (tmp_path / name).touch()
    directory, link = temporary_name(path, dead.pid), temporary_name(path, dead.pid)
    directory.mkdir()
    link.symlink_to(path)
    remove_partial(path)
    assert sorted(os.listdir(tmp_path)) == sorted([*kept, directory.name, link.name])


def npz(path, **members):
    """An `.npz` of raw members: bytes as they are."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(f"{name}.npy", data)


def npy(header, data=b""):
    header = header.encode() + b" " * (-(len(header) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + data


@pytest.mark.parametrize(
    "header",
    [
        "{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,)}",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (-1,)}",
        "{'descr': '|O', 'fortran_order': False, 'shape': (1,)}",
        "{'descr': '<f8', 'fortran_order': False}",
        "(" * 3000 + ")" * 3000,
        "{'descr': '<U99999999', 'fortran_order': False, 'shape': ()}",
        "no header",
    ],
)
def test_damaged_headers_are_refused_in_one_line(tmp_path, header):
    path = tmp_path / "a.npz"
    npz(path, metadata=npy(header, b"12345678"))
    with pytest.raises(ValueError, match="truncated or not a numepi result") as found:
        read_archive(path, "result")
    assert "\n" not in str(found.value)


@pytest.mark.parametrize(
    "text",
    ["[" * 100_000, '{"numepi": "result"}', '{"numepi": "result", "schema": "new"}', "3", '"x"', "{", "null",
     '{"numepi": "result", "schema": null}', '{"numepi": ' + '{"a":' * 50_000],
)  # fmt: skip
def test_damaged_metadata_is_refused_in_one_line(tmp_path, text):
    path = tmp_path / "a.npz"
    np.savez(path, metadata=np.array(text))
    with pytest.raises(ValueError, match="truncated or not a numepi result") as found:
        read_archive(path, "result")
    assert len(str(found.value)) < 500


def test_a_file_that_unpacks_to_more_than_it_holds_is_not_unpacked(tmp_path):
    path = tmp_path / "bomb.npz"
    np.savez_compressed(path, metadata=np.array("{}"), zeros=np.zeros(30_000_000))
    assert path.stat().st_size < 1_000_000
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=r"it would unpack to 240,000,\d+ bytes"):
            read_archive(path, "result")
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()
