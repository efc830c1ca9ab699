"""The package as a whole: import, command line, names."""

import subprocess
import sys

import pytest

import numepi as ne
from numepi.__main__ import main

FORBIDDEN = ("torch", "tensorflow", "jax", "sbi", "pyabc", "dask", "mpi4py", "arviz", "numba.cuda", "matplotlib")


def test_import_is_light_and_compiles_nothing():
    code = f"""
import sys, numepi
print([m for m in {FORBIDDEN!r} if m in sys.modules])
import numepi.inference, numepi.flow, numepi.circuits.lds
from numba.core.dispatcher import Dispatcher
import gc
kernels = [d for d in gc.get_objects() if isinstance(d, Dispatcher) and d.__module__.startswith("numepi")]
print([d.__name__ for d in kernels if d.signatures])
"""
    out = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert out.split("\n")[:2] == ["[]", "[]"]


def test_public_names_resolve():
    for name in ne.__all__:
        assert getattr(ne, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = ne.nothing
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = ne.circuits.nothing


def test_public_classes_are_importable_from_the_top():
    lds = ne.circuits.LDS()
    assert isinstance(lds, ne.Circuit) and issubclass(ne.FunctionCircuit, ne.Circuit)
    assert isinstance(lds.simulate([[0.0, 1.0, -1.0, 0.0]]), ne.Trajectories)
    assert [name for name in ne.__all__ if type(getattr(ne, name)) is type and getattr(ne, name).__name__ != name] == []
    assert set(ne._NAMES) | set(ne._MODULES) == set(ne.__all__)


def test_list_and_info(capsys):
    assert main(["list"]) == 0 and main(["info"]) == 0
    out = capsys.readouterr().out
    for word in ("lds", "stg", "rnn", "v1", "sc", "re_lambda1", "numba", "threading layer"):
        assert word in out
    assert "?" not in out  # a version that was not found


@pytest.mark.slow
def test_quick_run_saves_result_and_figures(tmp_path, capsys):
    assert main(["run", "lds", "--quick", "--seed", "2", "--out", str(tmp_path), "--report"]) == 0
    out = capsys.readouterr().out
    assert "mean im_lambda1" in out and "entropy" in out
    names = {path.name for path in tmp_path.iterdir()}
    assert "<h2>Verdict</h2>" in (tmp_path / "lds-report.html").read_text(encoding="utf-8")
    names.remove("lds-report.html")
    assert names == {"lds.npz", "lds-pairs.png", "lds-traces.png", "lds-activity.png", "lds-contours.png"}
    assert ne.load(tmp_path / "lds.npz").parameter_names == ("a11", "a12", "a21", "a22")


def test_unwritable_output_is_reported_without_a_traceback(tmp_path, capsys):
    (tmp_path / "lds.npz").mkdir()
    assert main(["run", "lds", "--quick", "--out", str(tmp_path)]) == 2
    assert "is a directory" in capsys.readouterr().err
    (tmp_path / "file").touch()
    assert main(["run", "lds", "--quick", "--out", str(tmp_path / "file")]) == 2
    assert "the directory cannot be made" in capsys.readouterr().err
