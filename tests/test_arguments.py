"""The vocabulary of checked arguments: what is taken, as what, and what the one line says of the rest."""

import re
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from numepi import arguments as a

NAMES = ("a", "b", "c")


@pytest.mark.parametrize(
    ("check", "value", "expected"),
    [
        (lambda v: a.check_number("x", v, above=0), Fraction(1, 2), 0.5),
        (lambda v: a.check_number("x", v), np.float32(2), 2.0),
        (lambda v: a.check_number("x", v), np.array(3), 3.0),
        (lambda v: a.check_number("x", v, open_ended=True), np.inf, np.inf),
        (lambda v: a.check_number("x", v, least=0, most=1), 1, 1.0),
        (lambda v: a.check_count("x", v), np.int32(4), 4),
        (lambda v: a.check_count("x", v, least=0), 0, 0),
        (lambda v: a.check_counts("x", v), 5, (5,)),
        (lambda v: a.check_counts("x", v), np.array([2, 3]), (2, 3)),
        (lambda v: a.check_flag("x", v), np.bool_(True), True),
        (lambda v: a.check_choice("x", v, NAMES), "b", "b"),
        (lambda v: a.check_names("x", v, 2), ["p", "q"], ("p", "q")),
        (lambda v: a.check_indices("x", v, NAMES), "c", 2),
        (lambda v: a.check_indices("x", v, NAMES), np.int64(1), 1),
        (lambda v: a.check_indices("x", v, NAMES), ["c", 0], (2, 0)),
        (lambda v: a.check_path("x", v), Path("a") / "b", "a/b"),
        (lambda v: a.check_array("x", v, ("n", 2)).tolist(), [[1, 2]], [[1.0, 2.0]]),
        (lambda v: a.check_array("x", v, None, finite=False).tolist(), [np.inf], [np.inf]),
        (lambda v: [part if isinstance(part, bool) else part.tolist() for part in a.check_points("x", v, 2)],
         [1, 2], [[[1.0, 2.0]], True]),
    ],
)  # fmt: skip
def test_what_is_right_is_returned_in_its_type(check, value, expected):
    found = check(value)
    assert found == expected and type(found) is type(expected)


@pytest.mark.parametrize(
    ("check", "value", "error", "message"),
    [
        (lambda v: a.check_number("x", v), True, TypeError, "x = True: give a finite number, not a bool"),
        (lambda v: a.check_number("x", v), "1", TypeError, "x = '1': give a finite number, not a str"),
        (lambda v: a.check_number("x", v), 1j, TypeError, "not a complex"),
        (lambda v: a.check_number("x", v), np.ones(2), TypeError, "not a ndarray"),
        (lambda v: a.check_number("x", v), np.inf, ValueError, "x = inf: give a finite number"),
        (lambda v: a.check_number("x", v, open_ended=True), np.nan, ValueError, "x = nan: give a number"),
        (lambda v: a.check_number("x", v), 10**400, ValueError, "give a finite number"),
        (lambda v: a.check_number("x", v, above=0), 0, ValueError, "give a finite number above 0"),
        (lambda v: a.check_number("x", v, least=0), -1, ValueError, "give a finite number of at least 0"),
        (lambda v: a.check_number("x", v, above=0, most=1), 0, ValueError, "give a finite number in (0, 1]"),
        (lambda v: a.check_number("x", v, below=3), 3, ValueError, "give a finite number below 3"),
        (lambda v: a.check_count("x", v), 2.0, ValueError, "x = 2.0: give a whole number of at least 1: int(2.0)"),
        (lambda v: a.check_count("x", v), np.nan, ValueError, "x = nan: give a whole number"),
        (lambda v: a.check_count("x", v), True, TypeError, "not a bool"),
        (lambda v: a.check_count("x", v, least=2, most=3), 4, ValueError, "give a whole number from 2 to 3"),
        (lambda v: a.check_count("x", v), 10**30, ValueError, "at least 1 that fits in 64 bits"),
        (lambda v: a.check_counts("x", v), (3, 0), ValueError, "x[1] = 0"),
        (lambda v: a.check_counts("x", v), (), ValueError, "one or more whole numbers"),
        (lambda v: a.check_counts("x", v), "3", TypeError, "x = '3'"),
        (lambda v: a.check_flag("x", v), "no", TypeError, "x = 'no': give True or False, not a str"),
        (lambda v: a.check_flag("x", v), 1, TypeError, "x = 1: give True or False"),
        (lambda v: a.check_choice("x", v, NAMES), "z", ValueError, "x = 'z': choose from 'a', 'b', 'c'"),
        (lambda v: a.check_choice("x", v, NAMES), ["a"], TypeError, "x = ['a']: choose from"),
        (lambda v: a.check_text("x", v), 3, TypeError, "x = 3: give a string"),
        (lambda v: a.check_names("x", v), "ab", TypeError, "x = 'ab': give a sequence of names, not a str"),
        (lambda v: a.check_names("x", v), ["a", 1], TypeError, "x[1] = 1: a name is a string"),
        (lambda v: a.check_names("x", v), ["a", "a"], ValueError, "x has 'a' twice"),
        (lambda v: a.check_names("x", v), ["a", ""], ValueError, "x[1] = ''"),
        (lambda v: a.check_names("x", v, 3), ["a"], ValueError, "x has 1 entries: give 3 different names"),
        (lambda v: a.check_indices("x", v, NAMES), "d", ValueError, "x = 'd' is unknown: choose from a, b, c"),
        (lambda v: a.check_indices("x", v, NAMES), 3, ValueError, "x = 3 is out of range: choose from 0 to 2"),
        (lambda v: a.check_indices("x", v, NAMES), -1, ValueError, "out of range"),
        (lambda v: a.check_indices("x", v, NAMES), True, TypeError, "give a name or an index, not a bool"),
        (lambda v: a.check_indices("x", v, NAMES), 0.0, TypeError, "not a float"),
        (lambda v: a.check_indices("x", v, NAMES), ["b", 1], ValueError, "has 'b' twice"),
        (lambda v: a.check_indices("x", v, NAMES), [], ValueError, "x is empty"),
        (lambda v: a.check_array("x", v, (2,)), [1, 1j], TypeError, "x holds complex numbers (dtype complex128)"),
        (lambda v: a.check_array("x", v, (2,)), ["1", "2"], TypeError, "x holds strings"),
        (lambda v: a.check_array("x", v, (2,)), [None, 2], TypeError, "x holds objects"),
        (lambda v: a.check_array("x", v, (2,)), [True, False], TypeError, "x holds booleans"),
        (lambda v: a.check_array("x", v, (2,)), [[1], [1, 2]], ValueError, "x is a ragged list"),
        (
            lambda v: a.check_array("x", v, ("n", "n")),
            np.ones((2, 3)),
            ValueError,
            "x has shape (2, 3): expected (n, n)",
        ),
        (lambda v: a.check_array("x", v, (3,)), [1, 2], ValueError, "x has shape (2,): expected (3,)"),
        (lambda v: a.check_array("x", v, ("n", 2)), [[1, 2], [3, np.nan]], ValueError, "x[1, 1] = nan: give finite"),
        (lambda v: a.check_array("x", v, ()), np.inf, ValueError, "x = inf: give finite numbers"),
        (lambda v: a.check_points("x", v, 2), [[1, 2, 3]], ValueError, "x has shape (1, 3): expected (2,) or (n, 2)"),
        (lambda v: a.check_points("x", v, 2), np.empty((0, 2)), ValueError, "x has shape (0, 2)"),
        (lambda v: a.check_callable("x", v, "a function"), 3, TypeError, "x = 3: give a function, not a int"),
        (lambda v: a.check_mapping("x", v, "give a dict"), [1], TypeError, "x = [1]: give a dict"),
        (lambda v: a.check_instance("x", v, int, "give an int"), "a", TypeError, "x is a str: give an int"),
        (lambda v: a.check_path("x", v), 3, TypeError, "x = 3: give a path"),
        (lambda v: a.check_path("x", v), b"a", TypeError, "give a path, not a bytes"),
        (lambda v: a.check_path("x", v), "", ValueError, "x = '': give the name of a file or directory"),
        (lambda v: a.check_path("x", v), "a\0b", ValueError, "give the name of a file"),
    ],
)
def test_what_is_wrong_is_refused_in_one_line(check, value, error, message):
    with pytest.raises(error, match=re.escape(message)) as found:
        check(value)
    assert "\n" not in str(found.value)


def test_masked_entries_are_nan_and_arrays_are_copies():
    masked = np.ma.array([1, 2, 3], mask=[0, 1, 0])
    np.testing.assert_array_equal(a.check_array("x", masked, (3,), finite=False), [1, np.nan, 3])
    with pytest.raises(ValueError, match=r"x\[1\] = nan"):
        a.check_array("x", masked, (3,))
    own = np.ones(3)
    a.check_array("x", own, (3,))[:] = 5
    assert (own == 1).all()


def test_values_are_shown_shortly():
    assert a.shown(np.ones((4, 5))) == "array of shape (4, 5)"
    assert len(a.shown("x" * 1000)) <= 60 and "\n" not in a.shown({"a": "b\nc", "d": [1] * 100})
