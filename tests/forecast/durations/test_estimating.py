"""The durations of pending statements are ranges that follow from the live sizes, or have a reason."""

import time
from itertools import count
from types import SimpleNamespace

import pytest

from tasks.forecast.durations import estimate, measuring
from tasks.forecast.model import ObservedStatement, StatementDuration
from tasks.forecast.observing.observe import observe
from tasks.rehearsal.model import RehearsedMigration
from tasks.rehearsal.scratch.server import ScratchServer
from tasks.rehearsal.selection import Selection
from tasks.runner.events.numbers import ColumnNumbers, NumbersRead, RelationNumbers
from tests.kit.databases import Database

BASE, PENDING = "20250101000000_base", "20250102000000_pending"
SCHEMA = """
CREATE TABLE p (id int PRIMARY KEY);
CREATE TABLE t (id int PRIMARY KEY, p int, kind text, note text);
CREATE TABLE unused (id int PRIMARY KEY);
"""
COLUMNS = (
    ColumnNumbers("id", 0.0, 4, -1.0, 1.0),
    ColumnNumbers("p", 0.0, 4, 100.0, 0.1),
    ColumnNumbers("kind", 0.0, 6, 10.0, 0.1),
    ColumnNumbers("note", 0.5, 30, -0.5, 0.1),
)
ROW_BYTES, KEY_BYTES = 70, 22
SMALL, LARGE = 20_000, 40_000_000


def make_numbers(rows: int, *, analysed: bool = True) -> NumbersRead:
    """Return the numbers of a database in which the table t has some rows, and p a hundred."""
    heap, index = rows * ROW_BYTES, rows * KEY_BYTES
    known = rows if analysed else -1
    relations = (
        RelationNumbers("public.t", "r", "", known, heap, index, columns=COLUMNS if analysed else ()),
        RelationNumbers("public.t_pkey", "i", "public.t", known, index),
        RelationNumbers("public.p", "r", "", 100, 8192, 16384, columns=COLUMNS[:1]),
    )
    return NumbersRead(180000, relations, ())


def forecast(
    server: ScratchServer, text: str, rows: int = SMALL, *, analysed: bool = True, budget_s: float = 600
) -> list[StatementDuration]:
    """Return the durations of the statements of a pending file, where the table t has so many rows."""
    migrations = RehearsedMigration(BASE, SCHEMA), RehearsedMigration(PENDING, text)
    selection = Selection(migrations, (PENDING,), "pending", frozenset({BASE}))
    observed = [each for each in observe(server, selection) if isinstance(each, ObservedStatement)]
    found = estimate(server, selection, observed, make_numbers(rows, analysed=analysed), budget_s=budget_s)
    assert list(found) == [(each.version, each.number) for each in observed]
    return list(found.values())


def read_range(duration: StatementDuration) -> tuple[float, float]:
    """Return the range of a duration."""
    assert duration.seconds is not None, duration
    return duration.seconds


@pytest.fixture(autouse=True)
def steady_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each statement take a millisecond on scratch: its real time depends on the load of the machine."""
    ticks = count()
    clock = SimpleNamespace(monotonic=time.monotonic, perf_counter=lambda: next(ticks) / 1000)
    monkeypatch.setattr(measuring, "time", clock)


GROWING = (
    "ALTER TABLE t ALTER COLUMN p TYPE bigint",
    "ALTER TABLE t ALTER COLUMN kind SET NOT NULL",
    "CREATE INDEX ON t (note)",
    "CREATE INDEX CONCURRENTLY i ON t (note)",
    "ALTER TABLE t ADD FOREIGN KEY (p) REFERENCES p",
    "UPDATE t SET note = 'x' WHERE kind = 'old'",
    "DO $$ BEGIN DELETE FROM t WHERE note IS NULL; END $$",
    "CREATE TABLE c AS SELECT * FROM t",
)


def test_what_works_through_a_table_takes_as_long_as_it_is_large(any_database: Database) -> None:
    with ScratchServer(any_database.server.url("postgres")) as server:
        small, large = (forecast(server, ";\n".join(GROWING), rows) for rows in (SMALL, LARGE))
        server.drop_states()
    for text, less, more in zip(GROWING, small, large, strict=True):
        assert 0 < read_range(less)[0] < read_range(less)[1], text
        assert read_range(more)[0] > read_range(less)[0], text
        assert read_range(more)[1] > read_range(less)[1], text


CONSTANT = (
    "ALTER TABLE t ADD COLUMN x int NOT NULL DEFAULT 1",
    "UPDATE t SET note = 'x' WHERE id = 77",
    "INSERT INTO t (id) VALUES (-1), (-2)",
    "CREATE TABLE n (id int PRIMARY KEY)",
    "ALTER TABLE t ADD CHECK (id > 0) NOT VALID",
)


def test_what_works_on_the_catalog_or_one_row_does_not_depend_on_the_size(scratch: ScratchServer) -> None:
    for text, found in zip(CONSTANT, forecast(scratch, ";\n".join(CONSTANT), LARGE), strict=True):
        assert read_range(found)[0] == 0, text
        assert found.not_known == () or "how many rows" in found.not_known[0], text


def test_what_an_earlier_statement_wrote_into_a_new_table_counts_for_the_later_ones(scratch: ScratchServer) -> None:
    text = "CREATE TABLE c AS SELECT * FROM t; CREATE INDEX ON c (note); COMMENT ON TABLE c IS 'x'"
    _, small, _ = forecast(scratch, text, SMALL)
    _, large, comment = forecast(scratch, text, LARGE)
    assert read_range(large)[1] > read_range(small)[1]
    assert read_range(comment)[0] == 0


def test_a_rewrite_needs_the_disk_of_the_table_and_its_indexes(scratch: ScratchServer) -> None:
    (found,) = forecast(scratch, "ALTER TABLE t ALTER COLUMN id TYPE bigint", LARGE)
    assert found.disk_bytes is not None
    assert found.disk_bytes >= LARGE * (ROW_BYTES + KEY_BYTES)


def test_an_index_needs_about_the_disk_that_it_has_on_scratch_for_more_rows(scratch: ScratchServer) -> None:
    (found,) = forecast(scratch, "CREATE INDEX ON t (id)", LARGE)
    assert found.disk_bytes is not None
    assert LARGE * 10 < found.disk_bytes < LARGE * 200


def test_a_table_that_was_never_analysed_is_estimated_from_its_size(scratch: ScratchServer) -> None:
    (found,) = forecast(scratch, "CREATE INDEX ON t (note)", LARGE, analysed=False)
    assert read_range(found)[0] > 0
    assert "never analysed" in found.not_known[0]


def test_a_file_that_fails_on_generated_rows_has_the_range_of_its_size_and_the_reason(scratch: ScratchServer) -> None:
    block = "DO $$ BEGIN IF EXISTS (SELECT FROM t) THEN RAISE 'no rows expected'; END IF; END $$"
    failed, alter = forecast(scratch, f"{block}; ALTER TABLE t ALTER COLUMN p TYPE bigint", LARGE)
    assert failed.seconds is None
    assert "no rows expected" in failed.not_known[0]
    assert read_range(alter)[0] > 0
    assert "no rows expected" in alter.not_known[0]


def test_what_does_not_fit_into_the_time_has_a_reason(scratch: ScratchServer) -> None:
    (update,) = forecast(scratch, "UPDATE t SET note = 'x'", LARGE, budget_s=0)
    assert update.seconds is None
    assert "time for measurements" in update.not_known[0]


def test_without_numbers_only_what_works_on_the_catalog_has_a_range(scratch: ScratchServer) -> None:
    migrations = (RehearsedMigration(PENDING, f"{SCHEMA}; UPDATE t SET note = 'x'"),)
    selection = Selection(migrations, (PENDING,), "pending")
    observed = [each for each in observe(scratch, selection) if isinstance(each, ObservedStatement)]
    *created, update = estimate(scratch, selection, observed, None).values()
    assert [each.seconds is not None for each in created] == [True] * 3
    assert update.seconds is None
    assert update.not_known == ("how long it takes: the sizes of the tables are not known",)
