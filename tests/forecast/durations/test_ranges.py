"""Ranges follow from what was measured and from the live sizes."""

import pytest

from tasks.forecast.durations.ranges import (
    Measured,
    Scale,
    estimate_catalog,
    estimate_disk,
    estimate_from_size,
    estimate_range,
    grows,
)
from tasks.forecast.durations.workloads import Workload

SIZE = Workload("size", ("public.t",))
MEASURED = Measured(0.002, 0.1)
GIGABYTE = 1 << 30


def scale(factor: float, *, live_bytes: int = 0) -> Scale:
    """Return the scale of tables that are so many times larger by rows and bytes than the 100,000 rows on scratch."""
    return Scale(factor, factor, live_bytes, 100_000 * factor)


@pytest.mark.parametrize("factor", [0.001, 1, 20, 10_000])
def test_the_range_contains_the_rate_times_the_rows(factor: float) -> None:
    low, high = estimate_range(MEASURED, scale(factor), SIZE)
    assert 0 < low <= 0.002 + 0.098 * factor <= high


def test_a_table_beyond_the_memory_may_take_the_time_of_reading_it_from_the_disk() -> None:
    warm, cold = (estimate_range(MEASURED, scale(20, live_bytes=size), SIZE) for size in (GIGABYTE, 100 * GIGABYTE))
    assert warm[0] == cold[0]
    assert cold[1] > warm[1] + 100


def test_the_range_is_wider_where_rows_and_bytes_differ() -> None:
    low, high = estimate_range(MEASURED, scale(20), SIZE)
    less, more = estimate_range(MEASURED, Scale(20, 80, 0, 2_000_000), SIZE)
    assert less == low
    assert more > 3 * high


def test_an_index_for_similarity_may_take_longer_per_row_on_more_rows() -> None:
    _, usual = estimate_range(MEASURED, scale(1000), SIZE)
    _, steep = estimate_range(MEASURED, scale(1000), Workload("size", ("public.t",), superlinear=True))
    assert steep > 2 * usual


def test_analyze_reads_a_sample_whatever_the_size() -> None:
    _, high = estimate_range(MEASURED, scale(10_000, live_bytes=1000 * GIGABYTE), Workload("size", ("public.t",), samples=True))
    assert high < 10


def test_each_lock_and_each_removed_file_takes_time() -> None:
    assert estimate_catalog(1)[1] < estimate_catalog(500)[1] < 3
    assert estimate_catalog(1)[1] < estimate_catalog(1, 100 * GIGABYTE)[1]


@pytest.mark.parametrize(
    ("measured", "expected"),
    [
        (Measured(0.001, 0.5, tuples=3), True),
        (Measured(0.001, 0.03, tuples=1), False),
        (Measured(0.001, 0.002, tuples=100_000), True),
        (Measured(0.3, 0.5), False),
    ],
)
def test_a_statement_depends_on_the_rows_that_it_uses(measured: Measured, expected: bool) -> None:
    assert grows(measured) is expected


def test_the_disk_is_that_of_the_rewritten_tables_or_what_the_database_grew_by() -> None:
    grown = Measured(0.001, 0.1, 8 << 20)
    assert estimate_disk(grown, scale(10), 3 * GIGABYTE) == 3 * GIGABYTE
    assert estimate_disk(grown, scale(2), 0) == 16 << 20
    # The sort of a large index is on the disk too.
    assert estimate_disk(grown, scale(100), 0) == 2 * 800 << 20
    assert estimate_disk(Measured(0.001, 0.1), scale(100), 0) is None


def test_what_was_not_measured_has_a_range_if_it_depends_on_the_size_only() -> None:
    read, written = (estimate_from_size(SIZE, GIGABYTE, writes=writes) for writes in (False, True))
    assert read is not None
    assert written is not None
    assert 0 < read[0] < written[0] < read[1] < written[1]
    assert estimate_from_size(Workload("rows", ("public.t",)), GIGABYTE, writes=True) is None
