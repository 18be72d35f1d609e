"""Files without a statement: a migration that does nothing is applied, recorded, and named in a finding."""

import pytest

from tasks.runner.errors import RefusedError
from tasks.runner.events import Event, PlanMade
from tests.runner.operating import A, B, C, Operator, list_done, pick


def list_empty(events: list[Event]) -> list[tuple[str, str]]:
    """Return kind and version of the findings of a run, all of which name a file without a statement."""
    (made,) = pick(events, PlanMade)
    assert all("contains no statement" in finding.message for finding in made.findings)
    return [(finding.kind, finding.version) for finding in made.findings]


def test_a_file_without_a_statement_is_applied_and_rolled_back_with_findings(operator: Operator) -> None:
    operator.write(A, "", "-- nothing\n/* at all */")
    operator.write(B, "\ufeff-- migrate: no-transaction\r\n", "")
    operator.write(C, "BEGIN;\n-- nothing\nCOMMIT;", "CREATE TABLE c ();")
    events = operator.migrate()
    assert list_done(events) == [A, B, C]
    assert list_empty(events) == [("empty", A), ("empty", B), ("empty", C)]
    assert [row.state for row in operator.read_status().rows] == ["applied"] * 3
    undone = operator.roll_back(steps=3)
    assert list_done(undone) == [C, B, A]
    assert list_empty(undone) == [("empty", B), ("empty", A)]
    assert operator.database.query("SELECT outcome FROM schema_migrations_log WHERE version IS NOT NULL") == [("finished",)] * 6


def test_a_seed_without_a_statement_is_recorded_with_a_finding(operator: Operator) -> None:
    operator.project.write_seed("001_a", "-- nothing yet")
    events = operator.seed()
    assert (list_done(events), list_empty(events)) == (["001_a"], [("empty", "001_a")])
    assert list_done(operator.seed()) == []


def test_a_file_with_the_mark_of_a_new_one_is_refused_even_if_it_has_statements(operator: Operator) -> None:
    operator.write(A, "CREATE TABLE a ();", "-- NOT WRITTEN YET: write here\nDROP TABLE a;")
    operator.write(B, "CREATE TABLE b ();\n/* NOT WRITTEN YET */")
    with pytest.raises(RefusedError, match="is not written yet"):
        operator.migrate()
    operator.write(B, "SELECT '-- NOT WRITTEN YET'; -- that was NOT WRITTEN YET before", "SELECT 1;")
    operator.migrate()
    with pytest.raises(RefusedError, match="is not written yet"):
        operator.roll_back(steps=2)
    assert operator.read_status().rows[0].state == "applied"
