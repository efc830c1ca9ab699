"""Records as arrays and back."""

from dataclasses import dataclass

import numpy as np
import pytest

from numepi.inference.running.records import from_arrays, to_arrays


@dataclass(frozen=True)
class Inner:
    values: np.ndarray
    count: int


@dataclass(frozen=True)
class Outer:
    name: str
    share: float
    flag: bool
    inner: Inner
    other: Inner | None = None
    failure: str | None = None
    pair: tuple = (1.0, 2.0)
    several: tuple[Inner, ...] = ()


def test_a_record_comes_back_with_its_types(tmp_path):
    several = Inner(np.ones(2), 1), Inner(np.zeros(1), 2)
    record = Outer("a", 0.25, True, Inner(np.arange(3.0), 7), None, "why", several=several)
    np.savez(tmp_path / "record.npz", **to_arrays(record))
    with np.load(tmp_path / "record.npz", allow_pickle=False) as stored:
        back = from_arrays(Outer, dict(stored))
    assert (back.name, back.share, back.flag, back.failure, back.pair) == ("a", 0.25, True, "why", (1.0, 2.0))
    assert type(back.name) is str and type(back.flag) is bool and type(back.inner.count) is int
    np.testing.assert_array_equal(back.inner.values, [0, 1, 2])
    assert [each.count for each in back.several] == [1, 2] and len(back.several[0].values) == 2
    assert from_arrays(Outer, to_arrays(Outer("", 1.0, False, back.inner))).several == ()
    assert back.other is None and from_arrays(Outer, to_arrays(Outer("", 1.0, False, back.inner))).failure is None


def test_what_another_version_wrote_is_refused():
    arrays = to_arrays(Outer("", 1.0, False, Inner(np.ones(2), 1)))
    with pytest.raises(ValueError, match=r"another version of numepi wrote .inner\.mean.: begin anew"):
        from_arrays(Outer, arrays | {"inner.mean": np.ones(2)})
    assert from_arrays(Outer, arrays | {"of_the_problem": np.ones(2)}).inner.count == 1
