"""How many requests a run makes beside those of its files: over a slow network, their round trips are its time."""

from collections.abc import Callable, Mapping
from pathlib import Path

import psycopg
import pytest

from tasks.runner import MigrationRunner
from tasks.runner.errors import RefusedError
from tasks.runner.ledger.layout import Rows
from tasks.runner.ledger.reading import read_ledger
from tasks.runner.ledger.snapshot import begin_reading, read_with
from tasks.runner.operations.migrate import migrate
from tasks.runner.operations.status import read_status
from tasks.runner.planning.choice import MigrateGoal
from tests.kit.databases import Database
from tests.kit.relays import start_relay

CALLS: dict[str, Callable[[MigrationRunner], object]] = {
    "a run with nothing to do": lambda runner: list(migrate(runner, MigrateGoal())),
    "a status": lambda runner: list(read_status(runner)),
    "a health check": lambda runner: runner.is_current(),
}

WATCHER = "migrate-watch"
"""It connects only where a statement takes long, as on a busy machine."""
NOTHING = "CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'"


def write_files(folder: Path, count: int = 3) -> None:
    up = folder / "up"
    up.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        (up / f"2026010100000{number}_t{number}.sql").write_text(f"CREATE TABLE t{number} (id int);\n")


@pytest.mark.parametrize(("what", "most"), [("a run with nothing to do", 3), ("a health check", 3), ("a status", 12)])
def test_connecting_and_reading_the_ledger_take_a_limited_number_of_requests(
    tmp_path: Path, database: Database, what: str, most: int
) -> None:
    write_files(tmp_path / "migrations")
    MigrationRunner(database.url, migrations_dir=tmp_path / "migrations").run_migrations()
    with start_relay(tmp_path / "relay", database, ignores=WATCHER) as relay:
        CALLS[what](MigrationRunner(relay.url, migrations_dir=tmp_path / "migrations"))
        assert relay.count_requests() <= most


@pytest.mark.parametrize(("before", "most"), [(0, 20), (2, 18)], ids=["a fresh run", "a run on an existing ledger"])
def test_a_run_takes_a_limited_number_of_requests_and_three_more_for_each_file(
    tmp_path: Path, database: Database, before: int, most: int
) -> None:
    """Before and after the files: connecting three times, the lock, the ledger, the expected schema, the log.

    Those of the files are sent in a pipeline.
    """
    write_files(tmp_path / "migrations", before)
    if before:
        MigrationRunner(database.url, migrations_dir=tmp_path / "migrations").run_migrations()
    write_files(tmp_path / "migrations", before + 3)
    with start_relay(tmp_path / "relay", database, ignores=WATCHER) as relay:
        events = list(migrate(MigrationRunner(relay.url, migrations_dir=tmp_path / "migrations"), MigrateGoal()))
        assert sum(event.kind == "step_finished" for event in events) == 3
        assert relay.count_requests() - 3 * 3 <= most


def test_a_ledger_that_was_changed_since_the_probe_is_read_again(
    tmp_path: Path, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The probe and the transaction that reads are two messages: between them, another session can change a table."""
    write_files(tmp_path / "migrations")
    runner = MigrationRunner(database.url, migrations_dir=tmp_path / "migrations")
    runner.run_migrations()

    def change_before(connection: psycopg.Connection, **_options: object) -> None:
        database.execute("ALTER TABLE schema_migrations_seeds RENAME TO seeds_of_before")
        begin_reading(connection)

    monkeypatch.setattr("tasks.runner.execution.migration_runner.begin_reading", change_before)
    with runner.read() as connection:
        ledger = read_ledger(connection)
    assert "_seeds" not in ledger.helpers
    assert list(ledger.checksums) == ["20260101000000_t0", "20260101000001_t1", "20260101000002_t2"]


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ("ALTER TABLE schema_migrations_seeds RENAME TO seeds_of_before", "schema_migrations_seeds is missing"),
        (f"{NOTHING}; CREATE TRIGGER t BEFORE INSERT ON schema_migrations EXECUTE FUNCTION nothing()", "has a trigger"),
    ],
    ids=["renamed", "trigger"],
)
def test_a_ledger_that_was_changed_since_the_session_of_the_run_was_opened_is_read_again(
    tmp_path: Path, database: Database, monkeypatch: pytest.MonkeyPatch, change: str, found: str
) -> None:
    write_files(tmp_path / "migrations", 1)
    MigrationRunner(database.url, migrations_dir=tmp_path / "migrations").run_migrations()
    write_files(tmp_path / "migrations", 2)

    def change_before(connection: psycopg.Connection, query: str, values: Mapping[str, object]) -> Rows:
        database.execute(change)
        return read_with(connection, query, values)

    monkeypatch.setattr("tasks.runner.execution.locked_run.read_with", change_before)
    with pytest.raises(RefusedError, match=found):
        MigrationRunner(database.url, migrations_dir=tmp_path / "migrations").run_migrations()
