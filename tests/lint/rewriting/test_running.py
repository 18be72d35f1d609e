"""Safe migrations on a database in use: rows that are written meanwhile are covered, and an interruption loses nothing."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from threading import Event, Thread

import psycopg
import pytest

from tasks.runner.errors import RunnerError
from tasks.runner.retries import RetryPolicy
from tests.kit.databases import Database
from tests.lint.rewriting.kinds import Kind, read_kinds
from tests.runner.conftest import operator as operator
from tests.runner.operating import Operator

KINDS = {kind.name: kind for kind in read_kinds()}
PATIENT = RetryPolicy(lock_timeout_ms=1000, attempts=20)
ROWS = 12_000


@contextmanager
def keep_writing(database: Database, *statements: str) -> Iterator[None]:
    """Run statements with a rising number in another session until the block ends, which begins after the first round."""
    begun, ended, errors = Event(), Event(), []

    def write() -> None:
        try:
            with psycopg.connect(database.url, autocommit=True) as connection:
                for number in count(1_000_000):
                    for statement in statements:
                        connection.execute(statement, {"number": number})
                    begun.set()
                    if ended.is_set():
                        return
        except psycopg.Error as error:
            errors.append(error)
            begun.set()

    thread = Thread(target=write)
    thread.start()
    begun.wait()
    try:
        yield
    finally:
        ended.set()
        thread.join()
    assert errors == []


def prepare(operator: Operator, kind: Kind, *rows: str) -> None:
    """Create the tables of a kind with rows, and write the files that replace it."""
    operator.database.execute(kind.setup)
    for statement in rows:
        operator.database.execute(statement)
    for migration in kind.list_made():
        operator.write(migration.name, migration.up, migration.down)


@pytest.mark.parametrize(
    ("name", "rows", "writes", "wrong"),
    [
        (
            "type",
            (
                "ALTER TABLE players ADD COLUMN copied int; INSERT INTO teams VALUES (1), (2);"
                f" INSERT INTO players (team_id, name, copied) SELECT 1, n, 1 FROM generate_series(1, {ROWS}) AS n",
            ),
            (
                "INSERT INTO players (team_id, name, copied) VALUES (2, 'new ' || %(number)s, 2)",
                "UPDATE players SET team_id = 3 - team_id, copied = 3 - copied WHERE id = %(number)s %% 10000 + 1",
            ),
            "SELECT count(*) FROM players WHERE team_id IS DISTINCT FROM copied",
        ),
        (
            "volatile_default",
            (f"INSERT INTO guests SELECT n, n FROM generate_series(1, {ROWS}) AS n",),
            ("INSERT INTO guests (id, name) VALUES (%(number)s, 'new')",),
            "SELECT count(*) FROM guests WHERE token IS NULL",
        ),
    ],
)
def test_rows_that_are_written_meanwhile_are_covered(
    operator: Operator, name: str, rows: tuple[str, ...], writes: tuple[str, ...], wrong: str
) -> None:
    prepare(operator, KINDS[name], *rows)
    with keep_writing(operator.database, *writes):
        operator.migrate(policy=PATIENT)
    assert operator.database.query(wrong) == [(0,)]


def test_an_update_that_cannot_repeat_changes_each_row_once_although_it_is_interrupted(operator: Operator) -> None:
    kind = KINDS["update_that_cannot_repeat"]
    prepare(
        operator,
        kind,
        f"INSERT INTO accounts SELECT n, CASE n WHEN 7000 THEN 2000000000 ELSE n END FROM generate_series(1, {ROWS}) AS n",
    )
    with pytest.raises(RunnerError, match="out of range"):
        operator.migrate()
    operator.database.execute("UPDATE accounts SET balance = 7000 WHERE id = 7000")
    operator.migrate()
    assert operator.database.query("SELECT count(*) FROM accounts WHERE balance = id * 2") == [(ROWS,)]


def test_an_update_without_a_key_changes_all_rows(operator: Operator) -> None:
    prepare(operator, KINDS["update_without_key"], f"INSERT INTO lines SELECT n FROM generate_series(1, {5 * ROWS}) AS n")
    operator.migrate()
    assert operator.database.query("SELECT count(*) FROM lines WHERE b = 0") == [(5 * ROWS,)]
