"""The session with the lock is lost between two migrations: nothing more is changed, and nothing is recorded."""

from collections.abc import Iterator
from itertools import takewhile

import pytest

from tasks.runner.errors import LockLostError
from tasks.runner.events import Event, StepFinished
from tasks.runner.planning.choice import MigrateGoal
from tests.runner.operating import A, B, Operator
from tests.stress.blocking import end_session

EXPECTED = "SELECT value FROM schema_migrations_meta WHERE key = 'schema'"


def begin_run(operator: Operator) -> Iterator[Event]:
    """Return the events of a run after its first migration, whose session with the lock was ended then."""
    runner = operator.make_runner(watch_drift=True)
    events = runner.run(runner.prepare(MigrateGoal()))
    assert list(takewhile(lambda event: not isinstance(event, StepFinished), events))
    end_session(operator.database, "migrate-lock %")
    return events


def test_a_file_that_begins_outside_a_transaction_does_not_run(operator: Operator) -> None:
    operator.write_tables(A)
    operator.write(B, "CREATE INDEX CONCURRENTLY a_id ON a (id);")
    events = begin_run(operator)
    with pytest.raises(LockLostError):
        list(events)
    assert operator.database.query("SELECT to_regclass('a_id')") == [(None,)]
    assert operator.read_applied() == [A]


def test_the_expected_schema_is_that_of_the_run_that_took_over(operator: Operator) -> None:
    operator.write_tables(A, B)
    events = begin_run(operator)
    operator.migrate(watch_drift=False)
    with pytest.raises(LockLostError):
        list(events)
    assert operator.database.query(EXPECTED) == [("",)]
    assert operator.read_applied() == [A, B]
