"""How a batch is cut for memory and for threads."""

import numba
import pytest

from numepi.flow.passes.batches import chunks
from numepi.flow.passes.blocks import LANES, MAX_GROUPS


def make_pass(rows, parts):
    return rows, parts


@pytest.mark.parametrize("n", [0, 1, LANES, 5 * LANES + 3, 3 * MAX_GROUPS * LANES + 1])
@pytest.mark.parametrize("bytes_per_row", [8, 2**13])
def test_parts_cover_every_block_once_and_are_cut_between_groups(n, bytes_per_row):
    end = 0
    for chunk in chunks(make_pass, n, bytes_per_row):
        assert chunk.n_groups <= MAX_GROUPS
        rows, parts = chunk.run()
        assert rows == chunk.rows and rows.start == end
        end = rows.stop
        end_block = end_group = 0
        for part in parts:
            assert part.blocks.start == end_block == end_group * chunk.group
            assert part.groups.start == end_group
            end_block, end_group = part.blocks.stop, part.groups.stop
        assert end_group == chunk.n_groups
        assert end_block == -(-(rows.stop - rows.start) // LANES) <= chunk.n_groups * chunk.group
    assert end == n


def test_groups_do_not_depend_on_the_number_of_threads():
    threads = numba.get_num_threads()
    seen = []
    try:
        for count in (1, threads):
            numba.set_num_threads(count)
            (chunk,) = chunks(make_pass, 40 * LANES, 8)
            assert len(chunk.run()[1]) == count
            seen.append((chunk.group, chunk.n_groups))
    finally:
        numba.set_num_threads(threads)
    assert seen[0] == seen[1]


def test_only_a_single_chunk_keeps_its_pass():
    made = []

    def record(rows, parts):
        made.append(rows)
        return rows

    for n, expected in ((LANES, 1), (3 * LANES, 6)):
        made.clear()
        batch = chunks(record, n, 2**26)
        for _ in range(2):
            assert [chunk.run() for chunk in batch] == [chunk.rows for chunk in batch]
        assert len(made) == expected
