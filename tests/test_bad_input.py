"""Bad input: tables of calls, arguments and values, each refused in one line before anything is simulated.

A row of `TABLE` is (call, argument, value, error, pattern); the rows are in `tests/bad_input/`, a file a room.  To
cover a new public argument, add its call to a room's `CALLS` (with values for the other arguments that are right) and
rows for it to `BAD`; the lists of values in `tests/bad_input/kinds.py` serve most kinds of arguments.  The pattern is
looked for in the message, which is also checked to be one line that names the argument (or what `OTHER_NAMES` says).
"""

import re
from pathlib import Path

import numpy as np
import pytest

import numepi as ne
from numepi import analysis
from tests.bad_input import analysis as of_analysis
from tests.bad_input import circuits, definitions, inference, models, plotting, priors
from tests.bad_input.kinds import made

ROOMS = (inference, definitions, priors, circuits, models, of_analysis, plotting)
CALLS = {name: call for room in ROOMS for name, call in room.CALLS.items()}
OTHER_NAMES = {key: words for room in ROOMS for key, words in room.OTHER_NAMES.items()}
TABLE = [(call, argument, *row) for room in ROOMS for (call, argument), rows in room.BAD.items() for row in rows]


def test_the_table_covers_what_it_should():
    assert len(TABLE) >= 1500
    assert {call for call, *_ in TABLE} == set(CALLS)


@pytest.mark.parametrize(
    ("call", "argument", "value", "error", "pattern"),
    TABLE,
    ids=[f"{number}-{call}-{argument}" for number, (call, argument, *_) in enumerate(TABLE)],
)
def test_bad_input_is_refused_in_one_line_before_work(call, argument, value, error, pattern, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    function, right = CALLS[call]
    arguments = {name: make() for name, make in right} | {argument: value}
    with pytest.raises(error, match=pattern) as found:
        function(**arguments)
    message = str(found.value)
    assert "\n" not in message and len(message) < 400
    assert re.search(OTHER_NAMES.get((call, argument), rf"\b{argument}\b"), message)
    assert [path.name for path in Path(tmp_path).iterdir()] in ([], ["sweep"])


def test_right_input_of_the_kinds_that_are_easily_refused_is_taken():
    """Arrays of one number, NumPy's own numbers, results where distributions are due, every kind of generator."""
    q, z = made("q"), made("z")

    class Holder:
        distribution = q

    assert analysis.mode(Holder(), n_starts=np.int64(2), start=z[0].tolist()).z.shape == (4,)
    assert analysis.sensitivity(Holder(), z[0], n_directions=np.array(2)).vectors.shape == (2, 4)
    assert analysis.summarise(Holder(), n_samples=np.uint8(50)).eigenvalues.shape == (4,)
    for rng in (np.random.RandomState(1), np.random.PCG64(1), np.random.SeedSequence(1), [1, 2], None, np.int8(1)):
        assert q.sample(np.int32(3), rng=rng).shape == (3, 4)
    assert ne.circuits.LDS(tau=np.float32(0.5)).tau == 0.5
    masked = np.ma.array(z[:3], mask=False)
    np.testing.assert_array_equal(q.log_prob(masked), q.log_prob(z[:3]))
