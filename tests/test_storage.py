"""Loading files that were changed by hand or damaged: one line that names the file, and nothing else."""

import copy
from dataclasses import replace

import numpy as np
import pytest

import numepi as ne
from numepi.archive import read_archive, write_archive

TINY = {
    "solver": "augmented-lagrangian", "initial": "uniform", "progress": False, "epochs": 1, "iterations_per_epoch": 3,
    "batch_size": 20, "test_batch_size": 20, "n_tests": 5,
}  # fmt: skip


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    lds = ne.circuits.LDS()
    path = tmp_path_factory.mktemp("saved") / "a.npz"
    first, second = lds.statistic_names
    prop = replace(lds.emergent_property(), covariance={(first, second): 0.0}, moments={(first, 3): 0.0},
                   tolerance={f"mean {first}": 0.1})  # fmt: skip
    ne.infer(lds, prop, **TINY).save(path)
    return path


def nested(depth):
    value = 1
    for _ in range(depth):
        value = [value]
    return value


CHANGES = [
    *[lambda m, a, name=name: m.pop(name) for name in (
        "entropy", "status", "constraint_names", "parameter_names", "property", "flow", "configuration", "certificate",
        "circuit_class", "ended",
    )],
    *[lambda m, a, name=name: a.pop(name) for name in ("theta", "constraint", "statistic_mean", "failed_examples")],
    lambda m, a: m.update(entropy="high"),
    lambda m, a: m.update(n_simulations=None),
    lambda m, a: m.update(constraint_names=3),
    *[lambda m, a, name=name: m.update({name: None}) for name in ("success", "status", "message", "ended")],
    lambda m, a: m.update(success=1),
    lambda m, a: m.update(ended={}),
    lambda m, a: m["ended"].update(status="done"),
    lambda m, a: m["ended"].update(met="yes"),
    lambda m, a: m.update(n_simulations=10**400),
    lambda m, a: m["certificate"].update(kl=10**400),
    lambda m, a: m.update(parameter_names=[1] * len(m["parameter_names"])),
    *[lambda m, a, name=name: m["configuration"].pop(name) for name in (
        "precision", "device", "functions", "circuit_settings", "prior", "support",
    )],
    lambda m, a: m["configuration"].update(precision=64),
    lambda m, a: m["property"].update(mean=[1.0, 2.0]),
    lambda m, a: m["property"].update(moments="zz"),
    lambda m, a: m["property"].update(covariance="zz"),
    lambda m, a: m["property"].update(mean="zz"),
    lambda m, a: a.update(constraint_target=a["constraint_target"] + 1),
    lambda m, a: m.update(failing_interval=[0.1]),
    lambda m, a: m.update(failing_interval=["a", "b"]),
    lambda m, a: m.update(constraint_tolerance_source=[]),
    lambda m, a: m.update(constraint_tolerance_source=[1] * len(m["constraint_names"])),
    lambda m, a: m.update(failure_reports=[1]),
    lambda m, a: m["certificate"].update(kl="small"),
    lambda m, a: m["certificate"].update(ess=None),
    lambda m, a: m["certificate"].update(optimal=1),
    lambda m, a: m["certificate"].update(multipliers=["a"]),
    lambda m, a: m.update(certificate={"kl": 1.0}),
    lambda m, a: m.update(certificate=[1]),
    lambda m, a: m.update(configuration=[]),
    lambda m, a: m.update(flow=nested(200)),
    lambda m, a: m["flow"].update(hidden=None),
    lambda m, a: m["flow"].update(stages="three"),
    lambda m, a: m["flow"].update(no_such=1),
    lambda m, a: m["flow"].pop("support"),
    lambda m, a: m["property"].pop("mean"),
    lambda m, a: m["property"].update(moments=[1]),
    lambda m, a: a.update(constraint=np.zeros(3)),
    lambda m, a: a.update(constraint=np.array("x")),
    lambda m, a: a.update(failed_examples=np.zeros(3)),
]  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
def test_a_result_changed_by_hand_is_refused_in_one_line(saved, tmp_path, change):
    metadata, arrays = read_archive(saved, "result")
    change(metadata, arrays)
    path = tmp_path / "changed.npz"
    write_archive(path, "result", metadata, arrays)
    with pytest.raises(ValueError, match=r"changed\.npz") as found:
        ne.load(path)
    assert "\n" not in str(found.value) and len(str(found.value)) < 600


def places(value, path=()):
    """Paths to everything within dicts and lists."""
    if path:
        yield path
    for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield from places(value[key], (*path, key))


WRONG = {"nothing": None, "text": "zz", "huge": 10**400, "ragged": [[1, [2]]], "empty": {}}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_whatever_is_wrong_in_a_header_the_error_names_the_file_or_the_result_works(saved, tmp_path, wrong):
    metadata, arrays = read_archive(saved, "result")
    path, refused = tmp_path / "changed.npz", 0
    for place in list(places(metadata))[len(str(wrong)) % 2 :: 2]:  # each of two halves by some of the values
        changed = copy.deepcopy(metadata)
        around = changed
        for key in place[:-1]:
            around = around[key]
        around[place[-1]] = wrong
        write_archive(path, "result", changed, arrays)
        try:
            result = ne.load(path)
        except ValueError as error:
            assert "changed.npz" in str(error) and "\n" not in str(error) and len(str(error)) < 700, place
            refused += 1
        else:
            assert str(result) and repr(result) and result.distribution.sample(2).shape == (2, 4), place
    assert refused > 30


def test_a_file_of_another_version_is_told_from_a_damaged_one(saved, tmp_path):
    metadata, arrays = read_archive(saved, "result")
    for name in ("ended", "n_raised", "failing_share"):
        del metadata[name]
    write_archive(tmp_path / "old.npz", "result", metadata, arrays)
    with pytest.raises(ValueError, match=r"old\.npz: it lacks ended, .*of another version of numepi"):
        ne.load(tmp_path / "old.npz")


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_whatever_is_wrong_in_a_checkpoint_the_error_names_the_file(tmp_path, wrong):
    lds = ne.circuits.LDS()
    path = tmp_path / "run.npz"
    ne.infer(lds, lds.emergent_property(), checkpoint=path, **TINY)
    metadata, arrays = read_archive(path, "checkpoint")
    for place in list(places(metadata))[::4]:
        changed = copy.deepcopy(metadata)
        around = changed
        for key in place[:-1]:
            around = around[key]
        if around[place[-1]] == wrong:
            continue
        around[place[-1]] = wrong
        write_archive(path, "checkpoint", changed, arrays)
        with pytest.raises(ValueError, match=r"run\.npz") as found:
            ne.infer(lds, lds.emergent_property(), checkpoint=path, resume=True, **TINY)
        assert "\n" not in str(found.value), place


def test_a_checkpoint_that_lacks_something_is_damaged_by_name(tmp_path):
    lds = ne.circuits.LDS()
    path = tmp_path / "run.npz"
    ne.infer(lds, lds.emergent_property(), checkpoint=path, **TINY)
    metadata, arrays = read_archive(path, "checkpoint")
    for name in ("theta", "account", "seen", "failure_reports"):
        write_archive(path, "checkpoint", metadata, {n: v for n, v in arrays.items() if n != name})
        with pytest.raises(ValueError, match=rf"run\.npz is damaged \(KeyError: '{name}'\)"):
            ne.infer(lds, lds.emergent_property(), checkpoint=path, resume=True, **TINY)
