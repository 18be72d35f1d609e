"""What the history shows of the log."""

import re

import pytest

from tasks.runner.errors import StatementError, UsageError
from tasks.runner.identity import Identity
from tests.runner.operating import A, B, C, Operator


@pytest.fixture
def eventful(any_operator: Operator) -> Operator:
    """Return an operator whose database has seen a success, a failure, a rollback and a seed."""
    any_operator.write_tables(A)
    any_operator.migrate()
    any_operator.write(B, "SELECT 1/0;")
    with pytest.raises(StatementError):
        any_operator.migrate()
    any_operator.roll_back()
    any_operator.project.write_seed("001_one", "SELECT 1;")
    any_operator.seed()
    return any_operator


def test_the_history_shows_every_attempt_newest_first(eventful: Operator) -> None:
    assert [(row.action, row.outcome, row.version) for row in eventful.read_history()] == [
        ("seed", "finished", ""),
        ("seed", "finished", "001_one"),
        ("seed", "started", ""),
        ("rollback", "finished", ""),
        ("rollback", "finished", A),
        ("rollback", "started", ""),
        ("migrate", "failed", ""),
        ("migrate", "failed", B),
        ("migrate", "started", ""),
        ("migrate", "finished", ""),
        ("migrate", "finished", A),
        ("migrate", "started", ""),
    ]


def test_a_failure_is_shown_with_its_error(eventful: Operator) -> None:
    (row,) = eventful.read_history(version=B)
    assert (row.outcome, row.sqlstate, row.error) == ("failed", "22012", "division by zero")


def test_rows_of_one_run_share_its_id(eventful: Operator) -> None:
    ids = [row.run_id for row in eventful.read_history()]
    assert len(set(ids)) == 4
    assert all(len(set(ids[start : start + 3])) == 1 for start in (0, 3, 6, 9))


def test_a_limit_shows_the_newest_rows(eventful: Operator) -> None:
    assert eventful.read_history(limit=2) == eventful.read_history()[:2]


@pytest.mark.parametrize("name", [A, f"{A}.sql", "20250101000000", "20250101"])
def test_one_version_can_be_asked_for_by_the_beginning_of_its_name(eventful: Operator, name: str) -> None:
    assert [row.action for row in eventful.read_history(version=name)] == ["rollback", "migrate"]


def test_a_version_that_the_log_does_not_know_is_wrong_usage(eventful: Operator) -> None:
    with pytest.raises(UsageError, match=f"there is no version {C}"):
        eventful.read_history(version=C)


def test_a_row_shows_when_where_and_by_whom(any_operator: Operator) -> None:
    any_operator.database.execute(f"ALTER DATABASE {any_operator.database.name} SET timezone = 'Asia/Tokyo'")
    any_operator.write_tables(A)
    any_operator.migrate(identity=Identity(actor="ada", host="machine-1", tool_version="1.2.3"))
    (row,) = any_operator.read_history(version=A)
    assert (row.actor, row.host, row.tool_version, row.segments_done, row.segments_total) == ("ada", "machine-1", "1.2.3", 1, 1)
    assert row.duration_ms is not None
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", row.at)
    recent = "SELECT now() - %s::timestamptz BETWEEN '0 s' AND '1 min'"
    assert any_operator.database.query(recent, row.at) == [(True,)]


def test_a_database_without_a_ledger_has_no_history(any_operator: Operator) -> None:
    assert any_operator.read_history() == ()
    assert any_operator.database.query("SELECT to_regclass('schema_migrations_log')") == [(None,)]
