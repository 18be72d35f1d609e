"""How many round trips a run makes beside those of its files: over a slow network, they are its time."""

from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from tasks.runner import MigrationRunner
from tasks.runner.ledger.reading import read_ledger
from tasks.runner.ledger.snapshot import begin_reading
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


def write_files(folder: Path) -> None:
    up = folder / "up"
    up.mkdir(parents=True, exist_ok=True)
    for number in range(3):
        (up / f"2026010100000{number}_t{number}.sql").write_text(f"CREATE TABLE t{number} (id int);\n")


@pytest.mark.parametrize(("what", "most"), [("a run with nothing to do", 3), ("a health check", 3), ("a status", 16)])
def test_connecting_and_reading_the_ledger_take_three_turns(tmp_path: Path, database: Database, what: str, most: int) -> None:
    write_files(tmp_path / "migrations")
    MigrationRunner(database.url, migrations_dir=tmp_path / "migrations").run_migrations()
    with start_relay(tmp_path / "relay", database) as relay:
        CALLS[what](MigrationRunner(relay.url, migrations_dir=tmp_path / "migrations"))
        assert relay.turns <= most


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
