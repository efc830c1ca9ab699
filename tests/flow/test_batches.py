"""How a batch is cut for memory and for threads."""

import numba
import pytest

from numepi.flow.batches import chunks
from numepi.flow.blocks import LANES, MAX_GROUPS


def rows_and_groups(chunk):
    return chunk.map(lambda rows, part: (rows, part))


@pytest.mark.parametrize("n", [0, 1, LANES, 5 * LANES + 3, 3 * MAX_GROUPS * LANES + 1])
@pytest.mark.parametrize("bytes_per_row", [8, 2**13])
def test_parts_cover_every_row_once_and_are_cut_between_groups(n, bytes_per_row):
    end = 0
    for chunk in chunks(lambda rows: rows, n, bytes_per_row):
        assert chunk.n_groups <= MAX_GROUPS
        start, end_group = end, 0
        for rows, part in rows_and_groups(chunk):
            assert rows == part.rows
            assert rows.start == end and part.groups.start == end_group
            assert rows.start == start + part.groups.start * chunk.group * LANES
            end, end_group = rows.stop, part.groups.stop
        assert end_group == chunk.n_groups
        assert -(-(end - start) // LANES) <= chunk.n_groups * chunk.group
    assert end == n


def test_groups_do_not_depend_on_the_number_of_threads():
    threads = numba.get_num_threads()
    seen = []
    try:
        for count in (1, threads):
            numba.set_num_threads(count)
            (chunk,) = chunks(lambda rows: rows, 40 * LANES, 8)
            assert len(rows_and_groups(chunk)) == count
            seen.append((chunk.group, chunk.n_groups))
    finally:
        numba.set_num_threads(threads)
    assert seen[0] == seen[1]


def test_only_a_single_chunk_keeps_its_passes():
    made = []
    for n, expected in ((LANES, 1), (3 * LANES, 6)):
        made.clear()
        batch = chunks(made.append, n, 2**26)
        for _ in range(2):
            for chunk in batch:
                chunk.map(lambda each, part: None)
        assert len(made) == expected


def test_an_error_in_any_part_is_raised():
    def fail(rows):
        raise FloatingPointError(rows.start)

    (chunk,) = chunks(fail, 4 * LANES, 8)
    with pytest.raises(FloatingPointError):
        chunk.map(lambda each, part: None)
