"""db.drift and db.status agree: a comparison, an adoption and a repair settle what the status expects."""

from dataclasses import replace

import pytest

from tasks.console.formatters import format_event
from tasks.console.lines import Style
from tasks.runner.events import ActiveRun, LockAwaited
from tasks.runner.operations.migrate import migrate
from tasks.runner.planning.choice import MigrateGoal
from tests.kit.databases import Database
from tests.kit.projects import Project
from tests.kit.servers import Server
from tests.kit.waiting import wait_until
from tests.runner.operating import A, B, C, Operator

HALF = "ALTER TABLE a ADD COLUMN q int;\nCREATE UNIQUE INDEX CONCURRENTLY a_id ON a (id);\nALTER TABLE a ADD COLUMN r int;"


@pytest.fixture
def operator(project: Project, database: Database) -> Operator:
    """Return an operator with one applied migration and two equal rows."""
    operator = Operator(project, database, watch_drift=True)
    operator.write(A, "CREATE TABLE a (id int);", "DROP TABLE a;")
    operator.migrate()
    database.execute("INSERT INTO a VALUES (1), (1)")
    return operator


def run(operator: Operator, embedded: Server, *arguments: str, check: int = 0) -> str:
    env = {"SCRATCH_DATABASE_URL": embedded.url(), "WATCH_DRIFT": "on"}
    result = operator.project.inv(*arguments, env=env, check=check)
    return result.stdout + result.stderr


def find_kinds(operator: Operator) -> list[str]:
    return [finding.kind for finding in operator.read_status().findings]


def test_a_clean_comparison_settles_a_drift_that_a_migration_has_adopted(operator: Operator, embedded: Server) -> None:
    operator.database.execute("CREATE INDEX hot ON a (id)")
    operator.write(B, "CREATE INDEX IF NOT EXISTS hot ON a (id);")
    operator.migrate()
    assert find_kinds(operator) == ["drifted"]
    assert "No drift" in run(operator, embedded, "db.drift")
    assert find_kinds(operator) == []
    operator.write_tables(C)
    operator.migrate()
    assert find_kinds(operator) == []


def test_a_drift_that_became_a_migration_is_settled_by_its_adoption(operator: Operator, embedded: Server) -> None:
    operator.database.execute("ALTER TABLE a ADD COLUMN kept int")
    run(operator, embedded, "db.drift", "--as-migration=keep_it", check=4)
    assert find_kinds(operator) == ["late" if "late" in find_kinds(operator) else "drifted"]
    run(operator, embedded, "db.adopt", "--apply", "--yes")
    assert find_kinds(operator) == []
    assert "No drift" in run(operator, embedded, "db.drift")


def test_after_a_repair_the_status_asks_for_a_comparison_and_then_agrees_with_it(operator: Operator, embedded: Server) -> None:
    operator.write(A, "CREATE TABLE a (id int, more text);", "DROP TABLE a;")
    operator.repair()
    assert find_kinds(operator) == ["not compared"]
    operator.write_tables(B)
    operator.migrate()
    assert find_kinds(operator) == ["not compared"]
    run(operator, embedded, "db.status", "--check")
    run(operator, embedded, "db.drift", check=4)
    assert find_kinds(operator) == ["drifted"]
    operator.database.execute("ALTER TABLE a ADD COLUMN more text")
    assert find_kinds(operator) == []
    assert "No drift" in run(operator, embedded, "db.drift")


def test_tables_from_before_the_first_run_are_drift_once_they_were_compared(
    project: Project, database: Database, embedded: Server
) -> None:
    database.execute("CREATE TABLE before ()")
    operator = Operator(project, database, watch_drift=True)
    operator.write_tables(A)
    operator.migrate()
    assert "+ table public.before" in run(operator, embedded, "db.drift", check=4)
    assert find_kinds(operator) == ["drifted"]
    database.execute("DROP TABLE before")
    assert find_kinds(operator) == []


def test_a_comparison_writes_nothing_that_is_not_watched(operator: Operator, embedded: Server) -> None:
    operator.database.execute("CREATE TABLE by_hand ()")
    before = operator.database.query("TABLE schema_migrations_meta")
    env = {"SCRATCH_DATABASE_URL": embedded.url(), "WATCH_DRIFT": "off"}
    operator.project.inv("db.drift", env=env, check=4)
    assert operator.database.query("TABLE schema_migrations_meta") == before


def test_the_committed_part_of_a_migration_is_not_drift(operator: Operator, embedded: Server) -> None:
    operator.write(B, HALF, "DROP INDEX a_id;\nALTER TABLE a DROP COLUMN q, DROP COLUMN r;")
    run(operator, embedded, "db.migrate", check=1)
    assert find_kinds(operator) == []
    output = run(operator, embedded, "db.drift")
    assert f"{B} is partly applied: 1 of 3 segments; that part is not counted as drift." in output
    assert "No drift" in output
    refused = run(operator, embedded, "db.drift", "--as-migration=x", check=3)
    assert "Finish it first: inv db.migrate" in refused
    operator.database.execute("ALTER TABLE a ADD COLUMN by_hand int")
    shown = run(operator, embedded, "db.drift", check=4)
    assert "+ column by_hand of public.a" in shown
    assert "column q" not in shown


def test_the_committed_part_of_a_rollback_is_not_drift(operator: Operator, embedded: Server) -> None:
    operator.write(B, "CREATE INDEX a_id ON a (id);", "DROP INDEX CONCURRENTLY a_id;\nSELECT 1 / 0;")
    operator.migrate()
    run(operator, embedded, "db.rollback", check=1)
    output = run(operator, embedded, "db.drift")
    assert f"{B} is partly rolled back: 1 of 2 segments" in output


def test_an_index_that_an_interrupted_statement_left_is_not_drift(operator: Operator, embedded: Server) -> None:
    operator.write(B, HALF)
    run(operator, embedded, "db.migrate", check=1)
    # As a killed run leaves it: the failed one was dropped.
    operator.database.execute("DELETE FROM a; CREATE INDEX a_id ON a (id)")
    assert "No drift" in run(operator, embedded, "db.drift")


def test_a_committed_part_without_its_file_is_refused(operator: Operator, embedded: Server) -> None:
    operator.write(B, HALF)
    run(operator, embedded, "db.migrate", check=1)
    operator.remove(B)
    assert "this checkout has no file that begins with them" in run(operator, embedded, "db.drift", check=3)


def test_a_late_migration_after_an_adopted_one_is_replayed_in_an_order_that_works(
    project: Project, database: Database, embedded: Server
) -> None:
    database.execute("CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (a int REFERENCES a)")
    operator = Operator(project, database, watch_drift=True)
    operator.write(A, "CREATE TABLE IF NOT EXISTS a (id int PRIMARY KEY); CREATE TABLE late ();")
    operator.write(B, "CREATE TABLE b (a int REFERENCES a);")
    run(operator, embedded, "db.adopt", f"--assume-present={B}", "--apply", "--yes")
    operator.migrate()
    assert "No drift" in run(operator, embedded, "db.drift")


def test_the_run_in_progress_is_shown_by_the_status_and_by_a_run_that_waits(operator: Operator) -> None:
    operator.write(B, "CREATE INDEX CONCURRENTLY a_id ON a (id);\nSELECT pg_sleep(600);")
    running = operator.project.start("migrate", env={"MIGRATE_ACTOR": "ada"})

    def find_run() -> ActiveRun | None:
        run = operator.read_status().run
        return run if run is not None and run.statement.startswith("SELECT pg_sleep") else None

    run = wait_until(find_run, what="the statement that does not end")
    assert run is not None
    assert (run.action, run.actor, run.version) == ("migrate", "ada", B)
    shown = operator.project.migrate("status", check=0).stdout
    assert "⏳ A run is in progress: migrate by ada@" in shown
    assert f", at {B}" in shown
    assert "UTC: SELECT pg_sleep(600)" in shown
    awaited = next(event for event in migrate(operator.make_runner(), MigrateGoal()) if isinstance(event, LockAwaited))
    assert awaited.run == replace(run, pid=0, statement="", statement_since="")
    assert format_event(awaited, Style())[0].text.startswith("⏳ Another run is in progress: migrate by ada@")
    running.kill()
