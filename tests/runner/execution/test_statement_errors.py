"""A statement in the middle of a file fails: the place is exact, nothing of its file is applied, and the files before it are."""

from dataclasses import replace

import pytest

from tasks.runner.errors import StatementError
from tasks.runner.events import StatementFinished, StatementStarted, StepFailed, StepStarted
from tasks.runner.operations.migrate import migrate
from tasks.runner.planning.choice import MigrateGoal
from tests.kit.poolers import Pooler
from tests.runner.operating import Operator, collect_failure, list_done, pick

TABLE = "CREATE TABLE t (id int PRIMARY KEY, up int REFERENCES t DEFERRABLE INITIALLY DEFERRED);\n"
REST = "INSERT INTO t VALUES (3);\nCREATE TABLE u ();\nSELECT 1/0;\n"
"""The statements after the one that fails would succeed, or fail in another way."""
Place = tuple[str, int | None, int, int]
"""SQLSTATE, number of the statement, line and column; no number if the end of the transaction fails."""

FAILURES: dict[str, tuple[Place, str]] = {
    "unknown name": (("42703", 2, 4, 5), f"{TABLE}  INSERT INTO t\n  SELECT id,\n    nix FROM t;\n{REST}"),
    "syntax": (("42601", 2, 3, 3), f"{TABLE}DO $$ BEGIN\n  SELEKT 1;\nEND $$;\n{REST}"),
    "while it runs": (("22012", 2, 2, 1), f"{TABLE}SELECT 1 / (n - 3)\n  FROM generate_series(1, 5) n;\n{REST}"),
    "after some rows": (("22012", 2, 2, 1), f"{TABLE}SELECT 1 / (n - 9000) FROM generate_series(1, 9999) n;\n{REST}"),
    "parameter": (("42P02", 2, 2, 13), f"{TABLE}SELECT 'é', $1;\n{REST}"),
    "parameter in a value": (("42P02", 2, 2, 23), f"{TABLE}INSERT INTO t VALUES ($1, $2);\n{REST}"),
    "parameter of a type": (("42P02", 2, 2, 23), f"{TABLE}INSERT INTO t VALUES ($2::int);\n{REST}"),
    "wide characters": (("42703", 2, 2, 28), f"{TABLE}/* ü */ SELECT '日本😀', 'é', nix, 1;\n{REST}"),
    "first": (("42703", 1, 3, 8), "\n\nSELECT nix;\n" + TABLE + REST),
    "last": (("42703", 5, 7, 8), f"{TABLE}SELECT 1;\nSELECT 2;\nSELECT 3;\n\n\nSELECT nix"),
    "deferred": (("23503", None, 0, 0), f"{TABLE}INSERT INTO t VALUES (1, 9);\nSELECT 1;\nSELECT 2;\nSELECT 3;"),
    "immediate again": (("23503", 3, 3, 1), f"{TABLE}INSERT INTO t VALUES (1, 9);\nSET CONSTRAINTS ALL IMMEDIATE;\n{REST}"),
    "type that changed": (("0A000", 4, 4, 1), f"{TABLE}PREPARE q AS TABLE t;\nALTER TABLE t ADD c int;\nEXECUTE q;\n{REST}"),
    "cursor": (("34000", 2, 2, 1), f"{TABLE}CLOSE nix;\n{REST}"),
    "savepoint": (("3B001", 3, 3, 1), f"{TABLE}SAVEPOINT a;\nROLLBACK TO b;\n{REST}"),
    "after a savepoint": (("42703", 4, 4, 8), f"{TABLE}SAVEPOINT a;\nROLLBACK TO a;\nSELECT nix;\nROLLBACK TO a;\n{REST}"),
    "raised": (("GA001", 2, 3, 0), f"{TABLE}DO $$ BEGIN\n  RAISE SQLSTATE 'GA001'; END $$;\n{REST}"),
    "cancelled": (("57014", 2, 2, 0), f"{TABLE}DO $$ BEGIN PERFORM pg_cancel_backend(pg_backend_pid()); END $$;\n{REST}"),
    "limit": (("57014", 3, 4, 1), f"{TABLE}SET statement_timeout = '50ms';\n\nSELECT pg_sleep(10);\n{REST}"),
    "copy": (("22P02", 2, 2, 1), f"{TABLE}COPY t FROM stdin;\n1\tx\n\\.\n{REST}"),
    "after a copy": (("42703", 3, 5, 8), f"{TABLE}COPY t FROM stdin;\n1\t1\n\\.\nSELECT nix;\n{REST}"),
    "own pair": (("42703", 2, 3, 8), f"BEGIN;\n{TABLE}SELECT nix;\nCOMMIT;"),
    "read only": (("25006", 3, 3, 1), f"SET TRANSACTION READ ONLY;\nSELECT 1;\nCREATE TABLE t ();\n{REST}"),
    "role": (("42501", 3, 3, 1), f"{TABLE}SET ROLE pg_monitor;\nDROP TABLE t;\n{REST}"),
    "long": (("42703", 3, 3, 200_009), f"{TABLE}SELECT '{'é' * 200_000}';\nSELECT '{'é' * 199_997}', nix;\n{REST}"),
}
STATE = """
SELECT (SELECT max(version) FROM schema_migrations),
       (SELECT string_agg(relname, ',') FROM pg_class
         WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND relname !~ '^(schema_migrations|before_)'
            OR relname = %s),
       version, sqlstate
  FROM schema_migrations_log WHERE version IS NOT NULL ORDER BY id DESC LIMIT 1
"""
"""The newest version, the tables of the files of a case, and the newest row of the log."""


def fail(operator: Operator, text: str, order: int) -> Place:
    """Migrate with a file that fails between two others; check what is applied, and return what was reported."""
    before, failing, after = (f"202501{1 + order // 10:02}{order % 10:02}000{number}_file" for number in range(3))
    operator.write(before, f"CREATE TABLE before_{order} (id int);\nINSERT INTO before_{order} VALUES (1);")
    operator.write(failing, text)
    operator.write(after, "CREATE TABLE after ();")
    events, error = collect_failure(migrate(operator.make_runner(), MigrateGoal()))
    assert isinstance(error, StatementError)
    assert error.place is not None
    line = error.place.line
    assert events[-1] == StepFailed("migrate", failing, error.message.splitlines()[0])
    assert error.state == f"{failing} was rolled back completely. 1 earlier migration of this run stays applied."
    assert error.place.source == (text.splitlines()[line - 1] if line else "")
    assert [event.version for event in pick(events, StepStarted)] == [before, failing]
    assert list_done(events) == [before]
    assert operator.database.query(STATE, f"before_{order}") == [(before, f"before_{order}", failing, error.sqlstate)]
    for version in (failing, after):
        operator.remove(version)
    started = [event.number for event in pick(events, StatementStarted) if event.version == failing]
    finished = [event.number for event in pick(events, StatementFinished) if event.version == failing]
    assert started == list(range(1, len(started) + 1))
    assert finished == started[: len(finished)]
    return error.sqlstate, started[-1] if len(started) > len(finished) else None, line, error.place.column


@pytest.mark.parametrize("way", ["direct", "pooled"])
def test_the_place_is_exact_and_only_the_files_before_are_applied(way: str, operator: Operator, pgbouncer: Pooler) -> None:
    operator = replace(operator, url=pgbouncer.url) if way == "pooled" else operator
    found = {name: fail(operator, text, order) for order, (name, (_, text)) in enumerate(FAILURES.items())}
    assert found == {name: place for name, (place, _) in FAILURES.items()}
