"""Whether the schema is what the runs made it, from one number in the ledger."""

from collections.abc import Generator
from dataclasses import replace
from itertools import count
from typing import Any, cast

import psycopg
import pytest

from tasks.catalog import Catalog, read_catalog
from tasks.runner.events import Event
from tasks.runner.operations.migrate import migrate
from tasks.runner.planning.choice import MigrateGoal
from tests.kit.databases import Database
from tests.kit.own_servers import OwnServer
from tests.kit.projects import Project
from tests.kit.waiting import wait_until
from tests.runner.operating import A, B, C, Operator, collect_failure


@pytest.fixture
def operator(project: Project, database: Database) -> Operator:
    """Return an operator with two migrations, the first of them applied."""
    operator = Operator(project, database, watch_drift=True)
    operator.write_tables(A, B)
    operator.migrate(to=A)
    return operator


def has_drifted(operator: Operator) -> bool:
    return any(finding.kind == "drifted" for finding in operator.read_status().findings)


def begin(operator: Operator) -> Generator[Event, None, None]:
    return cast("Generator[Event, None, None]", migrate(operator.make_runner(), MigrateGoal()))


def test_a_migration_and_its_rollback_are_no_drift(operator: Operator) -> None:
    assert not has_drifted(operator)
    operator.migrate()
    assert not has_drifted(operator)
    operator.roll_back()
    assert not has_drifted(operator)


@pytest.mark.parametrize(
    "change",
    [
        "CREATE TABLE by_hand ()",
        "ALTER TABLE a ADD COLUMN by_hand int",
        "CREATE INDEX ON a (id)",
        "GRANT SELECT ON a TO PUBLIC",
        "DROP TABLE a",
    ],
)
def test_a_change_by_hand_is_a_drift(operator: Operator, change: str) -> None:
    operator.database.execute(change)
    assert has_drifted(operator)


def test_rows_and_seeds_are_no_drift(operator: Operator) -> None:
    operator.database.execute("INSERT INTO a VALUES (1)")
    operator.project.write_seed("001_one", "INSERT INTO a VALUES (2);")
    operator.seed()
    assert not has_drifted(operator)


def test_a_run_does_not_wash_a_drift_away(operator: Operator) -> None:
    operator.database.execute("CREATE TABLE by_hand ()")
    operator.migrate()
    assert has_drifted(operator)
    operator.database.execute("DROP TABLE by_hand")
    assert not has_drifted(operator)


def test_what_existed_before_the_first_run_is_not_drift(project: Project, database: Database) -> None:
    database.execute("CREATE TABLE before ()")
    operator = Operator(project, database, watch_drift=True)
    operator.write_tables(A)
    operator.migrate()
    assert not has_drifted(operator)


def test_a_run_that_fails_after_some_steps_is_not_drift(operator: Operator) -> None:
    operator.write(C, "SELECT 1/0;")
    collect_failure(begin(operator))
    assert operator.read_applied() == [A, B]
    assert not has_drifted(operator)


def test_a_run_that_died_is_not_drift_and_the_next_one_keeps_an_earlier_drift(operator: Operator) -> None:
    operator.database.execute("CREATE TABLE by_hand ()")
    running = begin(operator)
    for event in running:
        if event.kind == "step_finished":
            break
    # As after a SIGKILL: only what was recorded at the beginning is there.
    text = operator.database.query("SELECT value FROM schema_migrations_meta WHERE key = 'schema'")
    running.close()
    operator.database.execute("UPDATE schema_migrations_meta SET value = %s WHERE key = 'schema'", *text[0])
    assert has_drifted(operator)
    operator.database.execute("DROP TABLE by_hand")
    operator.write_tables(C)
    operator.migrate()
    assert has_drifted(operator)


@pytest.mark.parametrize(
    ("text", "restricted"),
    [("INSERT INTO a VALUES ({0});", []), ("CREATE TABLE c{0} (id serial);", [True]), ("DROP TABLE d{0};", [False])],
    ids=["nothing", "part", "whole"],
)
def test_a_run_reads_again_what_it_can_have_changed_and_keeps_the_drift(
    project: Project, own_server: OwnServer, text: str, restricted: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    # While a transaction of another database is open, the whole schema is read: on a shared server, tests have such transactions.
    seen: list[bool] = []
    operator = Operator(project, Database(own_server, "postgres"), watch_drift=True)
    operator.write_tables(A)

    def read(connection: psycopg.Connection, **options: Any) -> Catalog:
        seen.append(bool(options.get("only")))
        return read_catalog(connection, **options)

    operator.write(B, "CREATE TABLE d0 ();")
    operator.migrate()
    operator.database.execute("CREATE TABLE by_hand ()")
    monkeypatch.setattr("tasks.catalog.read_catalog", read)
    numbers = count()

    def run_again() -> bool:
        number = next(numbers)
        seen.clear()
        operator.write(f"20250103{number:06}_again", text.format(number))
        operator.migrate()
        return seen == restricted

    wait_until(run_again, what="a run that reads no more")
    assert has_drifted(operator)
    operator.database.execute("DROP TABLE by_hand")
    assert not has_drifted(operator)
    operator.database.close()


def test_a_sum_in_another_format_is_not_compared(operator: Operator) -> None:
    operator.database.execute("UPDATE schema_migrations_meta SET value = '999:settled:00' WHERE key = 'schema'")
    assert not has_drifted(operator)
    operator.migrate()
    operator.database.execute("CREATE TABLE by_hand ()")
    assert has_drifted(operator)


def test_a_status_does_not_wait_for_a_lock_of_another_session(operator: Operator) -> None:
    operator.database.execute("CREATE VIEW v AS SELECT * FROM a")
    with operator.database.connect(autocommit=False) as other:
        other.execute("LOCK TABLE a IN ACCESS EXCLUSIVE MODE")
        assert operator.read_states() == {A: "applied", B: "pending"}


def test_without_watching_no_drift_is_reported_or_recorded(operator: Operator) -> None:
    careless = replace(operator, watch_drift=False)
    operator.database.execute("CREATE TABLE by_hand ()")
    assert not has_drifted(careless)
    assert has_drifted(operator)
    careless.migrate()
    assert not has_drifted(operator)
