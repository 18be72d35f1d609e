"""A ledger with additions can be used by the tool as it was before, and today's tool uses a ledger with later additions."""

from typing import Any

import psycopg
import pytest
from psycopg import sql

from tasks.adopt.examine import read_subject
from tasks.runner.events import HistoryRead, RepairProposed
from tasks.runner.files.checkout import read_migrations
from tasks.runner.identity import LEDGER_ADDITIONS, LEDGER_FORMAT
from tasks.runner.ledger.takeover import Adoption
from tasks.runner.operations.adopt import adopt, pack
from tasks.runner.operations.requests import Request, perform
from tests.kit.databases import Database
from tests.runner.ledger import format_2
from tests.runner.operating import A, B, C, Operator, list_done, pick

NAMES = {
    name: sql.Identifier("public", f"schema_migrations{suffix}")
    for name, suffix in {"ledger": "", "log": "_log", "scripts": "_scripts", "seeds": "_seeds", "meta": "_meta"}.items()
}
VALUES: dict[str, object] = {
    "run_id": "00000000-0000-0000-0000-000000000000",
    "action": "migrate",
    "outcome": "finished",
    "done": 1,
    "total": 1,
    "segments_checksum": None,
    "actor": "old",
    "host": "h",
    "commit": None,
    "dirty": None,
    "tool": "0.1.0",
    "sqlstate": None,
    "error": None,
    "duration_ms": 1,
    "note": None,
    "checksum": "0" * 64,
    "up_text": "SELECT 1;",
    "down_text": None,
    "recorded": B,
    "applied_at": None,
    "applied_by": "old",
}
LATER_ADDITIONS = """
CREATE TABLE schema_migrations_later (n int);
ALTER TABLE schema_migrations ADD COLUMN later text NOT NULL DEFAULT 'x';
ALTER TABLE schema_migrations_log ADD COLUMN later text NOT NULL DEFAULT 'x';
ALTER TABLE schema_migrations_scripts ADD COLUMN later text NOT NULL DEFAULT 'x';
ALTER TABLE schema_migrations_seeds ADD COLUMN later text NOT NULL DEFAULT 'x';
ALTER TABLE schema_migrations_meta ADD COLUMN later text NOT NULL DEFAULT 'x';
INSERT INTO schema_migrations_meta (key, value) VALUES ('later', 'x');
UPDATE schema_migrations_meta SET value = '99' WHERE key = 'additions';
INSERT INTO schema_migrations_log (run_id, version, action, outcome, actor, host, tool_version)
VALUES (gen_random_uuid(), '20250101000000_create_a', 'backfill', 'started', 'a', 'h', '9'),
       (gen_random_uuid(), '20250101000000_create_a', 'migrate', 'paused', 'a', 'h', '9');
"""


class OldTool:
    """The tool as it was before there were additions: what it checks, reads and writes."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def read(self) -> tuple[dict[str, str | None], list[str]]:
        """Return the checksums by version and the versions with an attempt, after the checks that would refuse."""
        schema, columns, complete, keyed = self._database.query(format_2.LAYOUT)[0]
        assert (schema, complete, keyed) == ("public", True, True)
        assert columns[:5] == ["version", "applied_at", "applied_by", "checksum", "execution_time_ms"]
        rows = self._run(format_2.ROWS).fetchall()
        read = self._run(format_2.ATTEMPTS).fetchall()
        meta = {row[1]: row[2] for row in read if row[0] == "meta"}
        assert int(meta["format"]) <= 2
        return dict(rows), [row[1] for row in read if row[0] == "log"]

    def write(self, query: str, version: str, **values: object) -> None:
        """Write with one of the old statements."""
        self._run(query, {**VALUES, **values, "version": version})

    def create_tables(self) -> None:
        """Run the old ledger.sql, as adopt did each time."""
        self._database.execute(f"SET client_min_messages = warning; {format_2.LEDGER}")

    def _run(self, query: str, values: dict[str, object] | None = None) -> "psycopg.Cursor[Any]":
        parts = {name: sql.Literal(value) for name, value in (values or {}).items()}
        return self._database.ask(lambda connection: connection.execute(sql.SQL(query).format(**NAMES, **parts)))


@pytest.fixture
def old(operator: Operator) -> OldTool:
    """Return the old tool for the operator's database."""
    return OldTool(operator.database)


def read_meta(operator: Operator) -> dict[str, str]:
    return dict(operator.database.query("SELECT key, value FROM schema_migrations_meta"))


def test_the_old_tool_reads_and_writes_the_ledger_of_today(operator: Operator, old: OldTool) -> None:
    operator.write_tables(A, B)
    operator.project.write_seed("001_x", "SELECT 1;")
    operator.migrate()
    operator.seed()
    assert list(old.read()[0]) == [A, B]
    old.write(format_2.LOG, C, outcome="started")
    assert old.read()[1] == [C]
    old.write(format_2.APPLIED, C)
    old.write(format_2.REVERTED, C, action="rollback")
    old.write(format_2.ADOPTED, C, action="adopt")
    old.write(format_2.SEEDED, "001_x", action="seed")
    old.write(format_2.RENAMED, "20250102000000_other", action="rename", note=f"was {B}")
    old.write(format_2.DROPPED, C, action="rename", recorded="20250102000000_other")
    assert (list(old.read()[0]), old.read()[1]) == ([A, C], [])
    old.create_tables()
    assert read_meta(operator) == {"format": "2", "additions": str(LEDGER_ADDITIONS)}
    assert operator.read_states() == {A: "applied", B: "late", C: "missing"}


def test_the_ledger_of_the_old_tool_is_read_as_it_is_and_completed_by_the_next_run(operator: Operator, old: OldTool) -> None:
    old.create_tables()
    operator.write_tables(A, B)
    old.write(format_2.APPLIED, A, checksum=None)
    assert operator.read_states() == {A: "applied", B: "pending"}
    assert "additions" not in read_meta(operator)
    assert list_done(operator.migrate()) == [B]
    assert read_meta(operator) == {"format": str(LEDGER_FORMAT), "additions": str(LEDGER_ADDITIONS)}
    assert list(old.read()[0]) == [A, B]


def read_timed(operator: Operator) -> list[str]:
    """Return the versions of the rows of the log that have times of locks."""
    (history,) = perform(Request("history", locks=True), operator.make_runner(), None)
    assert isinstance(history, HistoryRead)
    return [row.version for row in history.rows]


def test_a_ledger_without_the_times_of_locks_gets_them_with_the_next_run(operator: Operator, old: OldTool) -> None:
    operator.write_tables(A, B)
    operator.migrate(to=A)
    operator.database.execute("ALTER TABLE schema_migrations_log DROP COLUMN locks")
    operator.database.execute("UPDATE schema_migrations_meta SET value = '2' WHERE key = 'additions'")
    assert [row.version for row in operator.read_history() if row.version] == [A]
    assert read_timed(operator) == []
    assert list_done(operator.migrate()) == [B]
    assert read_meta(operator)["additions"] == str(LEDGER_ADDITIONS)
    old.write(format_2.APPLIED, C)
    assert read_timed(operator) == [B]


def test_later_additions_are_ignored_and_kept(operator: Operator) -> None:
    operator.write_tables(A, B)
    operator.project.write_seed("001_x", "SELECT 1;")
    operator.migrate(to=A)
    operator.database.execute(LATER_ADDITIONS)
    assert operator.read_states() == {A: "applied", B: "pending"}
    assert operator.read_status().findings == ()
    assert list_done(operator.migrate()) == [B]
    assert list_done(operator.roll_back()) == [B]
    assert list_done(operator.seed()) == ["001_x"]
    operator.write(A, "CREATE TABLE a (id bigint);")
    assert [each.change for each in pick(operator.repair(), RepairProposed)] == ["record checksum"]
    runner = operator.make_runner()
    subject = read_subject(runner, read_migrations(operator.project.migrations))
    list(adopt(runner, subject.seen, [pack([Adoption(B, "seen")])]))
    assert operator.read_states() == {A: "applied", B: "applied"}
    assert operator.read_history()
    assert read_meta(operator)["additions"] == "99"
