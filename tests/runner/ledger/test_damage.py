"""Tables of the ledger that were emptied or dropped: each is named for what it is, and repair rebuilds it."""

from functools import partial

import pytest

from tasks.runner.errors import RefusedError, StatementError
from tasks.runner.events import RepairProposed
from tests.runner.operating import A, B, C, Operator, list_done, pick

HALF = "BEGIN; CREATE TABLE c (); COMMIT; BEGIN; SELECT 1/0; COMMIT;"
DAMAGES = [
    ("TRUNCATE schema_migrations_meta", "schema_migrations_meta has lost the format"),
    ("DELETE FROM schema_migrations_meta WHERE key = 'format'", "schema_migrations_meta has lost the format"),
    ("DROP TABLE schema_migrations_meta", "schema_migrations_meta is missing"),
    ("TRUNCATE schema_migrations_log", "schema_migrations_log is empty"),
    ("DROP TABLE schema_migrations_log", "schema_migrations_log is missing"),
    ("DROP TABLE schema_migrations_scripts", "schema_migrations_scripts is missing"),
    ("DROP TABLE schema_migrations_seeds", "schema_migrations_seeds is missing"),
    ("TRUNCATE schema_migrations", "schema_migrations is empty, but 2 migrations were applied"),
    ("DROP TABLE schema_migrations", "schema_migrations is missing, but 2 migrations were applied"),
    ("TRUNCATE schema_migrations, schema_migrations_log", "schema_migrations is empty, but 2 migrations were applied"),
    ("TRUNCATE schema_migrations, schema_migrations_scripts", "schema_migrations is empty, but 2 migrations were applied"),
    ("TRUNCATE schema_migrations_log, schema_migrations_meta, schema_migrations_seeds", "schema_migrations_meta has lost"),
]


@pytest.fixture
def applied(operator: Operator) -> Operator:
    """Return an operator of a database in which two versions are applied, by different people, and a third was rolled back."""
    operator.write_tables(A, B, C)
    operator.project.write_seed("001_x", "SELECT 1;")
    operator.migrate(environment="staging")
    operator.roll_back()
    operator.seed()
    operator.remove(C)
    return operator


def read_ledger(operator: Operator) -> list[tuple[object, ...]]:
    return operator.database.query("SELECT version, applied_by, checksum FROM schema_migrations ORDER BY version")


@pytest.mark.parametrize(("damage", "message"), DAMAGES)
def test_a_damaged_table_is_named_and_rebuilt(applied: Operator, damage: str, message: str) -> None:
    before = read_ledger(applied)
    applied.database.execute(damage)
    for refused in (applied.migrate, applied.roll_back, applied.seed, applied.make_runner().ensure_migration_table):
        with pytest.raises(RefusedError, match=message) as error:
            refused()
        assert "inv db.repair" in error.value.hint
    assert [finding.kind for finding in applied.read_status().findings if finding.refuses][:1] == ["damaged"]
    applied.read_history()
    applied.repair(environment="staging")
    applied.repair()  # the checksums of restored rows whose texts are lost as well
    status = applied.read_status()
    assert [finding for finding in status.findings if finding.refuses] == []
    assert {row.version: row.state for row in status.rows} == {A: "applied", B: "applied"}
    assert status.environment == "staging"
    assert [row[0] for row in read_ledger(applied)] == [row[0] for row in before]
    assert [event for event in applied.repair() if isinstance(event, RepairProposed)] == []
    applied.write_tables(C)
    assert list_done(applied.migrate()) == [C]
    assert ("repair", "finished", "") in applied.read_log()


def test_restored_rows_have_what_the_log_and_the_texts_know(applied: Operator) -> None:
    before = read_ledger(applied)
    applied.database.execute("TRUNCATE schema_migrations")
    applied.repair()
    assert read_ledger(applied) == before
    times = "SELECT bool_and(abs(extract(epoch FROM r.applied_at - l.at AT TIME ZONE 'UTC')) < 1)"
    joined = "schema_migrations r JOIN schema_migrations_log l USING (version)"
    assert applied.database.query(f"{times} FROM {joined} WHERE l.action = 'migrate'") == [(True,)]


def test_rows_are_not_restored_that_a_repair_dropped_or_a_rollback_removed(applied: Operator) -> None:
    applied.remove(B)
    applied.repair()
    assert applied.read_applied() == [A]
    applied.database.execute("TRUNCATE schema_migrations")
    applied.repair()
    assert applied.read_applied() == [A]


def test_an_empty_ledger_after_a_rollback_of_everything_is_no_damage(applied: Operator) -> None:
    applied.roll_back(to="0")
    assert applied.read_status().findings == ()
    assert list_done(applied.migrate()) == [A, B]


def test_lost_texts_are_stored_again_from_unchanged_files(applied: Operator) -> None:
    applied.database.execute("TRUNCATE schema_migrations_scripts")
    (finding,) = applied.read_status().findings
    assert (finding.kind, finding.refuses) == ("damaged", False)
    assert list_done(applied.migrate()) == []
    applied.write(B, "CREATE TABLE other ();")
    with pytest.raises(RefusedError, match="differs"):
        applied.migrate()
    applied.repair(lambda proposal: proposal.change == "store texts")
    assert applied.database.query("SELECT version FROM schema_migrations_scripts") == [(A,)]


def test_what_is_not_confirmed_is_not_rebuilt(applied: Operator) -> None:
    applied.database.execute("TRUNCATE schema_migrations")
    events = applied.repair(lambda _: False)
    assert [(each.version, each.change) for each in pick(events, RepairProposed)] == [("schema_migrations", "restore rows")]
    assert applied.read_applied() == []


def test_the_way_to_start_again_on_purpose_is_in_the_message(applied: Operator) -> None:
    applied.database.execute("TRUNCATE schema_migrations; DROP TABLE a, b")
    with pytest.raises(RefusedError) as refused:
        applied.migrate()
    applied.database.execute(refused.value.hint.splitlines()[-1])
    assert list_done(applied.migrate()) == [A, B]


def test_adopt_does_not_hide_a_damaged_table(applied: Operator) -> None:
    from tasks.adopt.examine import read_subject
    from tasks.runner.files.checkout import read_migrations

    applied.database.execute("TRUNCATE schema_migrations_meta")
    with pytest.raises(RefusedError, match="has lost the format"):
        read_subject(applied.make_runner(), read_migrations(applied.project.migrations))


def test_a_half_applied_migration_without_its_file_refuses_every_run(operator: Operator) -> None:
    operator.write_tables(A)
    operator.write(C, HALF)
    with pytest.raises(StatementError):
        operator.migrate()
    operator.remove(C)
    operator.write_tables(B)
    for refused in (operator.migrate, partial(operator.migrate, to=A), operator.roll_back):
        with pytest.raises(
            RefusedError, match=rf"{C} is partly applied: 1 of 2 segments are committed, but .*{C}.sql does not exist"
        ):
            refused()
    assert operator.read_states() == {A: "applied", B: "late" if B < A else "pending", C: "interrupted"}
    assert [finding.version for finding in operator.read_status().findings if finding.refuses] == [C]
    operator.repair()
    assert list_done(operator.migrate()) == [B]


def test_a_half_applied_migration_with_another_text_refuses_a_run_that_leaves_it_out(operator: Operator) -> None:
    operator.write_tables(A, B)
    operator.write(C, HALF)
    with pytest.raises(StatementError):
        operator.migrate(to=C)
    operator.write(C, HALF.replace("TABLE c", "TABLE d"))
    for goal in (A, C):
        with pytest.raises(RefusedError, match=f"{C} has 1 of its 2 segments committed, but"):
            operator.migrate(to=goal)
    operator.write(C, HALF.replace("1/0", "1"))
    assert list_done(operator.migrate(to=A)) == []
    assert list_done(operator.migrate()) == [C]
