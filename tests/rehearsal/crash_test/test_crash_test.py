"""Runs are killed after each statement and resumed, and differences are found."""

from pathlib import Path

import pytest

from tasks.rehearsal.crash_test.crash_test import crash_and_resume
from tasks.rehearsal.events import CrashResumed, CrashTestFinished, CrashTestSkipped, RehearsalFinding
from tasks.rehearsal.scratch.server import ScratchServer
from tasks.rehearsal.selection import Selection
from tasks.runner.events import Event
from tests.rehearsal.verifying import VERSIONS, make_migrations

A = "CREATE TABLE a (id int);\nINSERT INTO a VALUES (1);"
EQUAL = {
    "a transaction": ("CREATE TABLE b (id int);\nINSERT INTO a VALUES (2);\nALTER TABLE a ADD y int;", 3),
    "segments": ("INSERT INTO a VALUES (2);\nCREATE INDEX CONCURRENTLY i ON a (id);\nINSERT INTO a VALUES (3);", 3),
    "odd names": ('CREATE TABLE "T ""x %s ü" (id int);', 1),
}
TWICE = """-- migrate: no-transaction
INSERT INTO a VALUES (2);
DO $$ BEGIN INSERT INTO a VALUES (3); COMMIT; END $$;
INSERT INTO a VALUES (4);
"""
NOT_AGAIN = "-- migrate: no-transaction\nDO $$ BEGIN CREATE TABLE b (id int); COMMIT; END $$;"
"""A block that commits is not recorded in the same transaction as its effects."""


def crash_last(
    server: ScratchServer, folder: Path, *texts: str, timeout_s: float | None = None
) -> tuple[list[Event], CrashTestFinished]:
    """Kill and resume runs of the last of some migrations; return the events about it, and the final one."""
    migrations = make_migrations(*((text, "") for text in texts))
    (folder / "up").mkdir()
    for migration in migrations:
        (folder / "up" / f"{migration.name}.sql").write_text(migration.up)
    selection = Selection(migrations, (migrations[-1].name,), "chosen")
    _, *events, finished = crash_and_resume(server, selection, folder, timeout_s=timeout_s)
    assert isinstance(finished, CrashTestFinished)
    return events, finished


def list_findings(events: list[Event]) -> list[RehearsalFinding]:
    return [found for event in events if isinstance(event, CrashResumed | CrashTestSkipped) for found in event.findings]


@pytest.mark.parametrize(("text", "statements"), EQUAL.values(), ids=EQUAL.keys())
def test_a_run_that_is_killed_after_any_statement_has_the_same_result(
    scratch: ScratchServer, tmp_path: Path, text: str, statements: int
) -> None:
    events, finished = crash_last(scratch, tmp_path, A, text)
    assert [(event.number, event.total) for event in events if isinstance(event, CrashResumed)] == [
        (number, statements) for number in range(1, statements + 1)
    ]
    assert list_findings(events) == []
    assert (finished.kills, finished.found) == (statements, 0)


def test_a_statement_that_takes_effect_twice_is_found(scratch: ScratchServer, tmp_path: Path) -> None:
    events, finished = crash_last(scratch, tmp_path, A, TWICE)
    (found,) = list_findings(events)
    assert (found.what, found.diff) == ("crash_differs", ("~ public.a: 5 instead of 4",))
    assert (finished.kills, finished.found) == (3, 1)


def test_a_run_that_cannot_be_resumed_is_found(scratch: ScratchServer, tmp_path: Path) -> None:
    events, _ = crash_last(scratch, tmp_path, A, NOT_AGAIN)
    (found,) = list_findings(events)
    assert found.error is not None
    assert (found.error.file[-len(VERSIONS[1]) - 4 :], found.error.line) == (f"{VERSIONS[1]}.sql", 2)
    assert found.error.sqlstate == "42P07"


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ((A, "SELECT 1 / 0;"), "division by zero"),
        (("SELECT 1 / 0;", A), "division by zero"),
        ((A, "DROP DATABASE gaia;"), "a rehearsal does not drop databases"),
        ((A, "CREATE TABLE b (;"), "syntax error"),
    ],
)
def test_a_migration_that_fails_without_a_kill_is_found(
    scratch: ScratchServer, tmp_path: Path, texts: tuple[str, ...], message: str
) -> None:
    events, finished = crash_last(scratch, tmp_path, *texts)
    (found,) = list_findings(events)
    assert found.error is not None
    assert message in found.error.message
    assert (finished.kills, finished.found) == (0, 1)


@pytest.mark.parametrize("text", ["CREATE ROLE somebody_new;", "ALTER SYSTEM SET work_mem = '5MB';"])
def test_a_migration_that_reaches_beyond_its_database_is_skipped(scratch: ScratchServer, tmp_path: Path, text: str) -> None:
    (skipped,), finished = crash_last(scratch, tmp_path, A, text)
    assert isinstance(skipped, CrashTestSkipped)
    assert skipped.version == VERSIONS[1]
    assert skipped.reason
    assert (skipped.findings, finished.found) == ((), 0)
    assert scratch.administer().execute("SELECT FROM pg_roles WHERE rolname = 'somebody_new'").fetchall() == []


def test_a_run_that_never_ends_is_stopped_and_found(scratch: ScratchServer, tmp_path: Path) -> None:
    events, _ = crash_last(scratch, tmp_path, A, "SELECT pg_sleep(600);", timeout_s=1)
    (found,) = list_findings(events)
    assert found.error is not None
    assert "did not finish within 1 s" in found.error.message
