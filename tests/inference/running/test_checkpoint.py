"""Checkpoints: what cannot be written, what is damaged, and what is not theirs."""

import errno

import numpy as np
import pytest

import numepi as ne
from numepi import archive
from numepi.archive import read_archive, write_archive
from numepi.inference.running import checkpoint as module

QUICK = {
    "solver": "augmented-lagrangian", "initial": "uniform", "progress": False, "epochs": 1, "iterations_per_epoch": 6,
    "batch_size": 20, "test_batch_size": 20, "n_tests": 5,
}  # fmt: skip
LDS = ne.circuits.LDS()


def quick(**changes):
    return ne.infer(LDS, LDS.emergent_property(), **(QUICK | changes))


def test_a_full_disk_is_warned_of_and_the_run_goes_on(tmp_path, monkeypatch):
    path = tmp_path / "run.npz"
    monkeypatch.setattr(module, "_INTERVAL", 0.0)

    def full(*arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(module, "write_archive", full)
    with pytest.warns(UserWarning, match="could not be written .*No space left on device.*the run goes on"):
        result = quick(checkpoint=path)
    assert not path.exists()
    np.testing.assert_array_equal(result.distribution.theta, quick().distribution.theta)


def test_a_disk_that_fills_up_keeps_the_last_checkpoint(tmp_path, monkeypatch):
    path = tmp_path / "run.npz"
    quick(checkpoint=path)
    before = path.read_bytes()

    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(archive.os, "fsync", full)
    with pytest.warns(UserWarning, match="could not be written"):
        quick(checkpoint=path, resume=True)
    assert path.read_bytes() == before and [p.name for p in tmp_path.iterdir()] == ["run.npz"]


def test_what_the_callback_raises_passes_through_after_the_state_is_saved(tmp_path):
    path = tmp_path / "run.npz"

    def callback(state):
        if state.iteration == 4:
            raise ZeroDivisionError("a mistake in the callback")

    with pytest.raises(ZeroDivisionError, match="a mistake in the callback"):
        quick(checkpoint=path, callback=callback)
    resumed = quick(checkpoint=path, resume=True)
    np.testing.assert_array_equal(resumed.distribution.theta, quick().distribution.theta)
    assert len(read_archive(path, "checkpoint")[1]["theta"]) == len(resumed.distribution.theta)


def test_other_files_with_a_like_name_stay(tmp_path):
    (tmp_path / ".env.local").write_text("SECRET=1")
    (tmp_path / ".env.d").mkdir()
    quick(checkpoint=tmp_path / "env")
    assert sorted(p.name for p in tmp_path.iterdir()) == [".env.d", ".env.local", "env"]


@pytest.mark.parametrize(
    "change",
    [
        lambda metadata, arrays: metadata.pop("configuration"),
        lambda metadata, arrays: metadata.update(configuration=[1]),
        lambda metadata, arrays: arrays.pop("theta"),
        lambda metadata, arrays: arrays.pop("account"),
        lambda metadata, arrays: arrays.update(account=np.zeros(0)),
    ],
)
def test_a_checkpoint_changed_by_hand_is_refused_in_one_line(tmp_path, change):
    path = tmp_path / "run.npz"
    quick(checkpoint=path)
    metadata, arrays = read_archive(path, "checkpoint")
    change(metadata, arrays)
    write_archive(path, "checkpoint", metadata, arrays)
    with pytest.raises(ValueError, match=r"run\.npz is damaged.*remove it") as found:
        quick(checkpoint=path, resume=True)
    assert "\n" not in str(found.value)
