"""Each statement of a file sees what the earlier ones did, whatever it answers, and however the file is sent to the server."""

import random
from dataclasses import replace
from typing import Any

import pytest

from tasks.runner.events import Event, NoticeRaised, StatementFinished, StatementStarted, StepFinished, StepStarted
from tests.kit.databases import fresh_database
from tests.kit.poolers import Pooler
from tests.runner.execution.statement_cases import CASES
from tests.runner.operating import Operator

LEDGER = """
SELECT version, checksum, up_text, execution_time_ms IS NOT NULL, outcome, segments_done, segments_total
  FROM schema_migrations JOIN schema_migrations_scripts USING (version) JOIN schema_migrations_log USING (version) ORDER BY 1
"""
SCHEMA = """
SELECT relnamespace::regnamespace::text, relname::text, attname::text, format_type(atttypid, atttypmod)
  FROM pg_class c JOIN pg_attribute ON attrelid = c.oid AND attnum > 0
 WHERE relnamespace::regnamespace::text !~ '^(pg_|information_schema)' ORDER BY 1, 2, attnum
"""

TIMED = (StepFinished, StatementFinished)


def write_cases(operator: Operator, seed: int = 0) -> list[str]:
    """Write the files that the server can run, in the order of the cases or in a random one, and return the cases' names."""
    with operator.database.connect() as connection:
        version = connection.info.server_version
    names = [name for name, case in CASES.items() if case.since <= version]
    if seed:
        random.Random(seed).shuffle(names)
    for number, name in enumerate(names):
        operator.write(f"20250101{number:06}_{name}", CASES[name].text)
    return names


def read_effects(operator: Operator, names: list[str]) -> dict[str, list[tuple[Any, ...]]]:
    return {name: operator.database.query(CASES[name].query) for name in names}


def describe(events: list[Event]) -> list[Event]:
    """Return the events of steps and statements in their order, without their times."""
    shown = [event for event in events if isinstance(event, (*TIMED, StepStarted, StatementStarted, NoticeRaised))]
    return [replace(event, duration_ms=0) if isinstance(event, TIMED) else event for event in shown]


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_each_statement_sees_what_the_earlier_ones_did(seed: int, operator: Operator) -> None:
    names = write_cases(operator, seed)
    operator.migrate()
    assert read_effects(operator, names) == {name: CASES[name].rows for name in names}


def test_so_it_does_on_every_server(any_operator: Operator) -> None:
    names = write_cases(any_operator)
    any_operator.migrate()
    assert read_effects(any_operator, names) == {name: CASES[name].rows for name in names}


def test_the_events_the_ledger_and_the_schema_are_those_of_a_run_behind_a_pooler(operator: Operator, pgbouncer: Pooler) -> None:
    """Behind a pooler, each statement is sent after the answer to the one before."""
    names = write_cases(operator)
    with fresh_database(operator.database.server) as other:
        pooled = replace(operator, database=other, url=pgbouncer.url_of(other.name))
        events = describe(operator.migrate())
        assert describe(pooled.migrate()) == events
        for question in (LEDGER, SCHEMA):
            assert other.query(question) == operator.database.query(question)
        assert read_effects(pooled, names) == read_effects(operator, names)
