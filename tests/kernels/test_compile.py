"""The compile cache: hits, changed callees and constants, directories that cannot be written, damaged files."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from numepi.kernels.compile import block_function, kernel, scalar, vector_kernel

CALLEE = """
from typing import NamedTuple
from numepi.kernels.compile import scalar

OFFSET = {offset}

class Pair(NamedTuple):
    {first}: float
    {second}: float

@scalar
def shifted(x, pair):
    return {factor} * x + pair.a - OFFSET
"""
CALLER = """
from numepi.kernels.compile import kernel
import callee

def make(scale, function):
    @kernel
    def evaluate(x, pair):
        return scale * function(x, pair)
    return evaluate

evaluate = make({scale}, callee.shifted)
if __name__ == "__main__":
    import caller
    answer = caller.evaluate(1.0, callee.Pair(10.0, 20.0))
    print(answer, sum(caller.evaluate.stats.cache_hits.values()))
"""
DEFAULTS = {"offset": 1, "factor": 2, "scale": 1, "first": "a", "second": "b"}


@pytest.fixture
def run(tmp_path):
    """Write the two modules with some text changed and run them in a new process: (answer, cache hits)."""

    def run(cache=tmp_path / "cache", **changes):
        text = DEFAULTS | changes
        (tmp_path / "callee.py").write_text(CALLEE.format(**text))
        (tmp_path / "caller.py").write_text(CALLER.format(**text))
        environment = os.environ | {"NUMBA_CACHE_DIR": str(cache), "PYTHONDONTWRITEBYTECODE": "1"}
        environment |= {"HOME": str(cache), "XDG_CACHE_HOME": str(cache)}
        output = subprocess.run(
            [sys.executable, tmp_path / "caller.py"], capture_output=True, text=True, env=environment, check=True
        ).stdout.split()
        return float(output[0]), int(output[1])

    return run


def test_an_unchanged_closure_is_read_from_the_cache_in_the_next_process(run):
    assert run() == (11.0, 0)
    assert run() == (11.0, 1)


@pytest.mark.parametrize(
    "changes, answer",
    [
        ({"factor": 3}, 12.0),  # the callee's code
        ({"offset": 2}, 10.0),  # a constant that the callee reads
        ({"scale": 2}, 22.0),  # a number in the kernel's closure
        ({"first": "b", "second": "a"}, 21.0),  # the fields of an argument in another order
    ],
)
def test_what_changed_is_compiled_anew(run, changes, answer):
    assert run() == (11.0, 0)
    assert run(**changes) == (answer, 0)


@pytest.mark.slow
def test_a_renamed_class_or_damaged_file_is_compiled_anew(run, tmp_path):
    run()
    (index,) = (tmp_path / "cache").rglob("*.nbi")
    whole = index.read_bytes()
    index.write_bytes(whole[:-20])
    assert run() == (11.0, 0)
    assert run() == (11.0, 1)
    (data,) = (tmp_path / "cache").rglob("*.nbc")
    data.write_bytes(data.read_bytes()[:100])
    assert run() == (11.0, 0)


def test_without_a_writable_directory_kernels_are_compiled_in_memory(run, tmp_path):
    # files where directories should be: nothing can be created below them, whoever runs the test
    blocked = tmp_path / "blocked"
    blocked.write_text("")
    (tmp_path / "__pycache__").write_text("")
    assert run(cache=blocked) == (11.0, 0)
    assert run(cache=blocked) == (11.0, 0)


def test_a_directory_that_cannot_be_written_later_costs_only_the_cache(tmp_path):
    @kernel
    def double(x):
        return 2 * x

    class Full:
        def save(self, key, data):
            raise OSError(28, "No space left on device")

        def load(self, key):
            return None

    double._cache._cache_file = Full()
    assert double(2.0) == 4.0


@scalar
def square(x):
    return x * x


@block_function
def fill(i, x):
    x[i] = square(x[i])


def test_inner_functions_can_be_called_from_python():
    assert square(3.0) == 9.0 and square(2) == 4
    x = np.arange(3.0)
    fill(2, x)
    assert x.tolist() == [0, 1, 4]


def test_kernels_keep_nan_and_only_vector_kernels_reassociate():
    @kernel
    def total(x):
        result = 0.0
        for value in x:
            result += value
        return result

    reassociated = vector_kernel(total.py_func)
    x = np.random.default_rng(0).standard_normal(1000) * 10.0 ** np.arange(1000).astype(float).clip(0, 15)
    assert total(x) == float(np.add.accumulate(x)[-1])  # in order
    np.testing.assert_allclose(reassociated(x), total(x), rtol=1e-10)
    x[500] = np.nan
    assert np.isnan(total(x)) and np.isnan(reassociated(x))


def test_a_name_tells_apart_the_kernels_of_one_factory():
    def make(power):
        def raise_to(x):
            return x**power

        return kernel(raise_to, name=f"raise_to_{power}")

    names = {Path(make(power)._cache._cache_file._index_path).name for power in (2, 3)}
    assert len(names) == 2


def test_options_tell_apart_what_is_compiled_from_one_function():
    stamps = {decorate(lambda x: x)._cache._cache_file._source_stamp for decorate in (kernel, vector_kernel)}
    assert len(stamps) == 2


MODEL = """ne.Dynamics(
    lambda x, z, t: {"v": -z.a * x.v}, states={"v": 1.0}, parameters={"a": (0.0, 1.0)},
    statistics={"v": ne.observe.final("v")}, dt=0.1, duration=0.5, method="euler",
)"""


@pytest.mark.parametrize(("circuit", "dim"), [("ne.circuits.RankTwoRNN(n_neurons=3)", 12), (MODEL, 1)])
def test_kernels_are_compiled_where_numba_is_told_not_to(circuit, dim, tmp_path):
    code = f"import numepi as ne; print({circuit}.statistics_and_jacobian([[0.3] * {dim}])[1].sum())"
    runs = [
        subprocess.run(
            [sys.executable, "-c", code], env=os.environ | extra | {"NUMBA_CACHE_DIR": str(tmp_path / name)},
            check=True, capture_output=True, text=True,
        )
        for name, extra in (("as ever", {}), ("told", {"NUMBA_DISABLE_JIT": "1"}))
    ]  # fmt: skip
    assert runs[0].stdout == runs[1].stdout != ""
