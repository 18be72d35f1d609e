"""When a seed runs, and what it leaves when it fails."""

import hashlib
from pathlib import Path

import pytest

from tasks.runner.errors import RefusedError, StatementError
from tasks.runner.events import FilesFound, PlanMade, Skipped
from tasks.runner.files.checkout import SourceFile
from tasks.runner.identity import Identity
from tasks.runner.operations.seed import plan_seeds
from tests.runner.operating import A, B, Operator, list_done, pick

TABLE = "CREATE TABLE persona (name text PRIMARY KEY, tone text);"
MU = "INSERT INTO persona VALUES ('Mu', 'kind') ON CONFLICT (name) DO NOTHING;"


@pytest.fixture
def seeding(any_operator: Operator) -> Operator:
    """Return an operator with a table to put seeds into, and one seed."""
    any_operator.write(A, TABLE)
    any_operator.migrate()
    any_operator.project.write_seed("001_mu", MU)
    return any_operator


def read_names(operator: Operator) -> list[str]:
    return [row[0] for row in operator.database.query("SELECT name FROM persona ORDER BY name")]


def test_a_seed_runs_once(seeding: Operator) -> None:
    events = seeding.seed()
    assert list_done(events) == ["001_mu"]
    assert pick(events, FilesFound) == [FilesFound(1, "seed")]
    again = seeding.seed()
    assert list_done(again) == []
    assert pick(again, Skipped) == [Skipped(("001_mu",))]
    assert read_names(seeding) == ["Mu"]


def test_a_seed_runs_again_when_its_text_changed(seeding: Operator) -> None:
    seeding.seed()
    seeding.project.write_seed("001_mu", f"{MU}\n{MU.replace('Mu', 'Nu')}")
    seeding.project.write_seed("002_xi", MU.replace("Mu", "Xi"))
    assert list_done(seeding.seed()) == ["001_mu", "002_xi"]
    assert read_names(seeding) == ["Mu", "Nu", "Xi"]
    assert list_done(seeding.seed()) == []


def test_seeds_run_in_the_order_of_their_names(operator: Operator) -> None:
    for name in ("010_last", "001_first", "002_second"):
        operator.project.write_seed(name, "SELECT 1;")
    assert list_done(operator.seed()) == ["001_first", "002_second", "010_last"]


def test_a_seed_is_recorded_in_a_table_of_its_own(seeding: Operator) -> None:
    seeding.seed(identity=Identity(actor="ada"))
    checksum = hashlib.sha256(MU.encode()).hexdigest()
    row = "SELECT name, applied_by, checksum, execution_time_ms >= 0 FROM schema_migrations_seeds"
    assert seeding.database.query(row) == [("001_mu", "ada", checksum, True)]
    assert seeding.read_applied() == [A]
    assert seeding.read_states() == {A: "applied"}
    assert seeding.read_log()[-3:] == [("seed", "started", ""), ("seed", "finished", "001_mu"), ("seed", "finished", "")]


def test_a_seed_and_its_row_are_one_transaction(seeding: Operator) -> None:
    seeding.seed()
    ((row, record),) = seeding.database.query("SELECT p.xmin::text, s.xmin::text FROM persona p, schema_migrations_seeds s")
    assert row == record


def test_a_seed_that_fails_leaves_nothing_and_is_logged(seeding: Operator) -> None:
    seeding.seed()
    seeding.project.write_seed("000_nothing", "SELECT 1;")
    seeding.project.write_seed("001_mu", f"{MU.replace('Mu', 'Nu')}\nSELECT 1/0;")
    seeding.project.write_seed("002_xi", MU.replace("Mu", "Xi"))
    with pytest.raises(StatementError, match="division by zero") as failed:
        seeding.seed()
    assert failed.value.place is not None
    assert (Path(failed.value.place.file).name, failed.value.place.line) == ("001_mu.sql", 2)
    assert failed.value.state == "001_mu was rolled back completely. 1 earlier seed of this run stays applied."
    assert read_names(seeding) == ["Mu"]
    (row,) = [row for row in seeding.read_history(version="001_mu") if row.outcome == "failed"]
    assert (row.action, row.sqlstate, row.error) == ("seed", "22012", "division by zero")
    assert seeding.read_states() == {A: "applied"}
    seeding.project.write_seed("001_mu", MU)
    assert list_done(seeding.seed()) == ["002_xi"]


@pytest.mark.parametrize("number", [1, 2])
def test_a_seed_that_needs_pending_migrations_names_them(operator: Operator, number: int) -> None:
    operator.write_tables(*[A, B][:number])
    operator.project.write_seed("001_a", "INSERT INTO a VALUES (1);")
    with pytest.raises(StatementError) as failed:
        operator.seed()
    pending = {1: "1 migration is pending. Apply it", 2: "2 migrations are pending. Apply them"}[number]
    assert failed.value.hint.startswith(f"{pending} before the seeds: inv db.migrate\n")
    operator.migrate()
    operator.project.write_seed("001_a", "INSERT INTO nowhere VALUES (1);")
    with pytest.raises(StatementError) as failed:
        operator.seed()
    assert "pending" not in failed.value.hint


def test_a_seed_may_have_its_own_begin_and_commit(seeding: Operator) -> None:
    seeding.project.write_seed("001_mu", f"BEGIN;\n{MU}\nCOMMIT;\nSELECT count(*) FROM persona;")
    assert list_done(seeding.seed()) == ["001_mu"]


@pytest.mark.parametrize(
    ("text", "message", "line"),
    [
        ("SELECT 1;\n\nVACUUM;", "a seed runs in one transaction, and this statement cannot", 3),
        ("-- migrate: no-transaction\nCALL p();", "a seed runs in one transaction, and this statement cannot", 2),
        ("BEGIN; SELECT 1; COMMIT;\nBEGIN;\nSELECT 2; COMMIT;", "a seed runs in one transaction, and this begins another", 3),
        ("-- migrate: irreversible: so it is", "a seed cannot be irreversible", 1),
    ],
)
def test_a_seed_of_more_than_a_transaction_is_refused_before_any_ran(
    operator: Operator, text: str, message: str, line: int
) -> None:
    operator.project.write_seed("001_fine", "CREATE TABLE a ();")
    operator.project.write_seed("002_not", text)
    with pytest.raises(RefusedError) as refused:
        operator.seed()
    assert (refused.value.message, refused.value.place and refused.value.place.line) == (message, line)
    assert operator.read_tables() == []


def test_a_project_without_seeds_has_nothing_to_do(operator: Operator) -> None:
    operator.project.seeds.rmdir()
    events = operator.seed()
    assert pick(events, FilesFound) == [FilesFound(0, "seed")]
    assert pick(events, PlanMade)[0].steps == ()
    assert operator.database.query("SELECT to_regclass('schema_migrations')") == [(None,)]


def test_another_environment_refuses(operator: Operator) -> None:
    operator.project.write_seed("001_one", "SELECT 1;")
    operator.seed(environment="prod")
    with pytest.raises(RefusedError, match="this run is for local, but the database belongs to prod"):
        operator.seed(environment="local")


def test_the_plan_of_seeds_is_a_value() -> None:
    files = tuple(SourceFile(Path(f"{name}.sql"), name, "SELECT 1;", name) for name in ("001_a", "002_b", "003_c"))
    recorded = {"001_a": "001_a", "002_b": "another"}
    assert [step.version for step in plan_seeds(files, recorded).steps] == ["002_b", "003_c"]
    assert plan_seeds(files, recorded) == plan_seeds(files, recorded)
