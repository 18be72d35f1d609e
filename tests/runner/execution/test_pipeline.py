"""Files of one transaction run in a pipeline: a file begins in the message that commits the one before."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tasks.runner.events import Event, HeldBack, StatementFinished, StatementStarted, StepFinished, StepStarted
from tasks.runner.execution.pipelined_file import fits_pipeline
from tasks.runner.operations.migrate import migrate
from tasks.runner.parsing import read_script
from tasks.runner.planning.choice import MigrateGoal
from tasks.runner.retries import RetryPolicy
from tests.kit.relays import Relay, start_relay
from tests.kit.waiting import wait_until
from tests.runner.operating import A, B, C, Operator, list_done, pick


@pytest.fixture
def relay(operator: Operator, short_path: Path) -> Iterator[Relay]:
    with start_relay(short_path / "relay", operator.database) as relay:
        yield relay


def list_pipelines(relay: Relay) -> str:
    """Return the pipelines by letters: b for BEGIN, l for that of a look, t for CREATE TABLE, c for COMMIT, S for the end."""
    words = {b"BEGIN ISOLATION": "l", b"BEGIN": "b", b"CREATE TABLE": "t", b"COMMIT": "c"}
    found = ""
    for kind, body in relay.list_messages():
        if kind == "P":
            text = body.split(b"\0")[1]
            found += next((letter for word, letter in words.items() if text.startswith(word)), "")
        found += kind if kind == "S" and found else ""
    return found


def test_all_files_run_in_one_pipeline(relay: Relay, operator: Operator) -> None:
    operator.write_tables(A, B, C)
    assert list_done(replace(operator, url=relay.url).migrate()) == [A, B, C]
    assert list_pipelines(relay) == "btcbtcbtcS"


def test_the_look_at_who_has_the_locks_of_a_file_is_in_the_pipeline_too(relay: Relay, operator: Operator) -> None:
    operator.database.execute("CREATE TABLE a (id int)")
    operator.write(A, "CREATE TABLE b ();")
    operator.write(B, "ALTER TABLE a ADD n int;")
    operator.write(C, "ALTER TABLE a ADD m int;")
    replace(operator, url=relay.url).migrate()
    assert list_pipelines(relay) == "btclcbclcbcS"


def test_a_file_that_was_sent_ahead_is_held_back_like_another(operator: Operator) -> None:
    """The server skips it after the look, though the one before is committed."""
    operator.database.execute("CREATE TABLE x (id int)")
    operator.write_tables(A)
    operator.write(B, "CREATE TABLE b ();\nALTER TABLE x ADD n int;")
    events: list[Event] = []
    with operator.database.connect() as blocker:
        blocker.execute("BEGIN; TABLE x; SELECT pg_sleep(0.3)")
        for event in migrate(operator.make_runner(policy=RetryPolicy(lock_timeout_ms=100)), MigrateGoal()):
            events.append(event)
            if isinstance(event, HeldBack):
                assert operator.read_applied() == [A]
                assert operator.read_tables() == ["a", "x"]
                blocker.rollback()
    kinds = [event.kind for event in events if isinstance(event, StepStarted | StepFinished | HeldBack | StatementStarted)]
    started, finished = ["step_started", "statement_started"], ["statement_started", "step_finished"]
    assert kinds == [*started, "step_finished", "step_started", "held_back", "statement_started", *finished]
    assert list_done(events) == [A, B]


def test_a_caller_that_stops_after_a_file_leaves_nothing_of_the_one_that_was_sent_ahead(operator: Operator) -> None:
    operator.write_tables(A)
    operator.write(B, "SELECT pg_sleep(3600);\nCREATE TABLE b ();")
    events = migrate(operator.make_runner(), MigrateGoal())
    assert next(event.version for event in events if isinstance(event, StepFinished)) == A
    events.close()  # type: ignore[attr-defined]
    assert operator.read_applied() == [A]
    # The server ends a session a moment after its client is gone.
    query = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'migrate-run%'"
    wait_until(lambda: not operator.database.query(query), what="the end of the session")


def test_a_file_of_many_statements_is_sent_as_its_answers_arrive(operator: Operator) -> None:
    count = 2000
    operator.write(A, "CREATE TABLE a (id int);\n" + "".join(f"INSERT INTO a VALUES ({number});\n" for number in range(count)))
    events = operator.migrate()
    assert [event.number for event in pick(events, StatementFinished)] == [*range(1, count + 2)]
    assert operator.database.query("SELECT count(*), count(DISTINCT id) FROM a") == [(count, count)]


SCRIPTS = {
    "SELECT 1; SELECT 2": True,
    "BEGIN; SELECT 1; COMMIT": True,
    "SAVEPOINT a; ROLLBACK TO a": True,
    "COPY a FROM stdin;\n1\n\\.\n": False,
    "VACUUM": False,
    "BEGIN; SELECT 1; COMMIT; BEGIN; SELECT 2; COMMIT": False,
    "SELECT $1": False,
    "EXPLAIN SELECT $1": False,
    "SELECT '$1'": False,
    "SELECT $$a$$": True,
    "PREPARE p AS SELECT $1::int": True,
    "CREATE FUNCTION f(int) RETURNS int LANGUAGE sql AS 'SELECT $1'": True,
    r"SELECT '\', '; SELECT 2 --'": True,
    r"SET standard_conforming_strings = off; SELECT '\d;'": False,
    "SELEC 1": False,
    f"SELECT '{'a' * 1_000_001}'": False,
}


@pytest.mark.parametrize(("text", "fits"), SCRIPTS.items(), ids=[text[:40] for text in SCRIPTS])
def test_a_script_fits_a_pipeline_if_it_has_the_same_effect_there(text: str, fits: bool) -> None:
    script = read_script(text, file="a.sql", version="a", ledger_schema="public")
    assert fits_pipeline(script, conforming=True) is fits


def test_where_backslashes_escape_a_text_that_may_be_two_statements_does_not_fit() -> None:
    script = read_script(r"SELECT '\', '; SELECT 2 --'", file="a.sql", version="a", ledger_schema="public")
    assert not fits_pipeline(script, conforming=False)
