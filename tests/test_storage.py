"""Loading files that were changed by hand or damaged: one line that names the file, and nothing else."""

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
    ne.infer(lds, lds.emergent_property(), **TINY).save(path)
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
    with pytest.raises(ValueError, match=r"changed\.npz is damaged, or not as numepi wrote it") as found:
        ne.load(path)
    assert "\n" not in str(found.value) and len(str(found.value)) < 600


def test_a_flow_that_would_fill_the_memory_is_not_built(saved, tmp_path):
    metadata, arrays = read_archive(saved, "result")
    metadata["flow"]["stages"] = 10**9
    write_archive(tmp_path / "a.npz", "result", metadata, arrays)
    with pytest.raises(ValueError, match="stages = 1000000000: give a whole number from 1 to 1000"):
        ne.load(tmp_path / "a.npz")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"circuit": "lds"}, "circuit is a str: give the circuit"),
        ({"functions": "f"}, "functions = 'f': give a sequence"),
        ({"functions": [3]}, r"functions\[0\] is a int: give a numepi.Moment"),
    ],
)
def test_wrong_arguments_are_refused_before_the_file_is_read(arguments, message):
    with pytest.raises(TypeError, match=message):
        ne.load("no such file.npz", **arguments)
