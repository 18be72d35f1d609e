"""A file that another tool divides into up and down never runs as one."""

import hashlib

import pytest

from tasks.runner.errors import RefusedError
from tests.runner.operating import A, B, Operator, list_done

BOTH = "-- +goose Up\nALTER TABLE a ADD COLUMN IF NOT EXISTS email text;\n-- +goose Down\nALTER TABLE a DROP COLUMN email;\n"


@pytest.fixture
def filled(operator: Operator) -> Operator:
    """Return a project whose database has a table with a row that must not be lost."""
    operator.database.execute("CREATE TABLE a (email text); INSERT INTO a VALUES ('ann@example.com')")
    return operator


def test_a_pending_file_is_refused_before_anything_runs(filled: Operator) -> None:
    filled.write(A, "CREATE TABLE before ();")
    filled.write(B, BOTH)
    with pytest.raises(RefusedError) as refused:
        filled.migrate()
    assert refused.value.place is not None
    assert (refused.value.place.file.rpartition("/")[2], refused.value.place.line) == (f"{B}.sql", 3)
    assert "a down section of goose" in refused.value.message
    assert "inv db.cleanup-legacy" in refused.value.hint
    assert filled.database.query("SELECT email FROM a") == [("ann@example.com",)]
    assert filled.read_tables() == ["a"]


def test_status_reports_a_pending_file_as_a_reason_to_refuse(operator: Operator) -> None:
    operator.write(A, BOTH)
    (finding,) = operator.read_status().findings
    assert (finding.kind, finding.version, finding.refuses) == ("both directions", A, True)
    assert operator.read_states() == {A: "pending"}


def apply_unsplit(operator: Operator) -> None:
    """Record a file with both directions as applied, as an earlier version of the tool did."""
    operator.write_tables(A)
    operator.migrate()
    operator.write(A, BOTH)
    operator.database.execute("UPDATE schema_migrations SET checksum = %s", hashlib.sha256(BOTH.encode()).hexdigest())


def test_an_applied_file_is_a_finding_that_refuses_nothing(operator: Operator) -> None:
    apply_unsplit(operator)
    operator.write_tables(B)
    assert list_done(operator.migrate()) == [B]
    (finding,) = operator.read_status().findings
    assert finding.message.startswith("was applied and contains both directions: ")
    assert f"{A}.sql:3 begins a down section of goose" in finding.message
    assert not finding.refuses
    assert operator.read_states() == {A: "applied", B: "applied"}


def test_a_file_beyond_the_goal_is_not_reported(operator: Operator) -> None:
    operator.write_tables(A)
    operator.write(B, BOTH)
    assert list_done(operator.migrate(to=A)) == [A]


def test_a_mark_after_the_first_block_of_a_large_file_is_found(operator: Operator) -> None:
    apply_unsplit(operator)
    rows = "-- " + "x" * (64 * 1024 - len("-- +goose Up\nSELECT 1;\n-- \n-- +goose Do")) + "\n"
    large = f"-- +goose Up\nSELECT 1;\n{rows}-- +goose Down\nDROP TABLE a;\n"
    operator.write(A, large)
    operator.database.execute("UPDATE schema_migrations SET checksum = %s", hashlib.sha256(large.encode()).hexdigest())
    assert [finding.kind for finding in operator.read_status().findings] == ["both directions"]


def test_a_down_file_with_both_directions_is_refused(filled: Operator) -> None:
    filled.write(B, "CREATE TABLE b ();", BOTH)
    with pytest.raises(RefusedError, match=rf"the down file of {B} contains both directions: line 3 begins"):
        filled.migrate()
    assert filled.read_tables() == ["a"]
    filled.write(B, "CREATE TABLE b ();", "DROP TABLE b;")
    filled.migrate()
    filled.write(B, "CREATE TABLE b ();", BOTH)
    with pytest.raises(RefusedError, match="contains both directions"):
        filled.roll_back()
    assert filled.database.query("SELECT email FROM a") == [("ann@example.com",)]


def test_a_seed_with_both_directions_is_refused(filled: Operator) -> None:
    filled.project.write_seed("001_x", BOTH)
    with pytest.raises(RefusedError, match="contains both directions") as refused:
        filled.seed()
    assert "from a seed, delete the down section" in refused.value.hint


def test_an_up_file_with_only_a_down_section_is_refused(filled: Operator) -> None:
    filled.write(B, "-- +goose Down\nDROP TABLE a;")
    with pytest.raises(RefusedError, match="are in the down section of goose"):
        filled.migrate()
    assert filled.read_tables() == ["a"]


def test_a_down_file_with_only_an_up_section_is_refused(filled: Operator) -> None:
    filled.write(B, "SELECT 1;", "-- +goose Up\nDROP TABLE a;\n-- +goose Down\n")
    filled.migrate()
    with pytest.raises(RefusedError, match="are in the up section of goose"):
        filled.roll_back()
    assert filled.read_tables() == ["a"]
