"""Events in the records of the standard library's logging."""

import logging

import pytest

from tasks.runner import EventLogger, MigrationRunner
from tasks.runner.errors import StatementError
from tasks.runner.events import (
    EVENTS,
    ErrorRaised,
    Event,
    Heartbeat,
    NoticeRaised,
    StatementStarted,
    StepFinished,
    StepStarted,
)
from tasks.runner.planning.choice import MigrateGoal
from tests.runner.operating import A, B, Operator

SECRET = "hunter2-hunter2"


def log(event: Event, caplog: pytest.LogCaptureFixture) -> logging.LogRecord:
    """Log an event, and return its record."""
    with caplog.at_level(logging.DEBUG):
        EventLogger()(event)
    return caplog.records[-1]


def test_a_run_passes_its_events_to_a_logger(operator: Operator, caplog: pytest.LogCaptureFixture) -> None:
    operator.write_tables(A, B)
    with caplog.at_level(logging.INFO):
        operator.make_runner(on_event=EventLogger()).run_migrations()
    records = [record for record in caplog.records if record.name == "tasks.runner"]
    finished = [record for record in records if getattr(record, "event_kind", "") == "step_finished"]
    assert [record.levelname for record in finished] == ["INFO", "INFO"]
    assert finished[0].getMessage().startswith(f"step_finished action=migrate version={A} duration_ms=")
    assert finished[0].__dict__["event"]["version"] == A


def test_a_failure_is_logged_as_an_error_without_the_secrets_of_its_statement(
    operator: Operator, caplog: pytest.LogCaptureFixture
) -> None:
    operator.write(A, f"CREATE ROLE nobody_special PASSWORD '{SECRET}' IN ROLE no_such_role;")
    runner = operator.make_runner(on_event=EventLogger())
    runner.url = runner.url.replace("postgres@", f"postgres:{SECRET}@", 1)
    with caplog.at_level(logging.DEBUG), pytest.raises(StatementError):
        runner.run_migrations()
    last = caplog.records[-1]
    assert (last.levelname, last.__dict__["event_kind"]) == ("ERROR", "error_raised")
    assert SECRET not in repr([vars(record) for record in caplog.records])


@pytest.mark.parametrize(
    ("event", "level"),
    [
        (ErrorRaised("it failed", "", "", "", 0, 0, "", "", 1), "ERROR"),
        (NoticeRaised(A, "WARNING", "careful"), "WARNING"),
        (NoticeRaised(A, "NOTICE", "look"), "INFO"),
        (StepFinished("migrate", A, 12), "INFO"),
        (StepStarted("migrate", A, 1, 1, 1), "INFO"),
        (StatementStarted(A, 1, "SELECT 1", 1, 1), "DEBUG"),
        (Heartbeat(), "DEBUG"),
    ],
    ids=lambda value: value.kind if isinstance(value, Event) else "",
)
def test_the_level_depends_on_the_kind(event: Event, level: str, caplog: pytest.LogCaptureFixture) -> None:
    assert log(event, caplog).levelname == level


def test_a_text_of_the_server_cannot_forge_a_line(caplog: pytest.LogCaptureFixture) -> None:
    message = log(NoticeRaised(A, "NOTICE", "x\nERROR root: forged \x1b[31m\u202e"), caplog).getMessage()
    assert message.isprintable()
    assert '"x\\nERROR root: forged' in message


def test_passwords_in_texts_are_masked(caplog: pytest.LogCaptureFixture) -> None:
    record = log(NoticeRaised(A, "NOTICE", f"connect to postgresql://me:{SECRET}@db/x"), caplog)
    assert SECRET not in repr(vars(record))


def test_an_event_that_is_not_logged_costs_nothing(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        EventLogger()(StepFinished("migrate", A, 12))
    assert caplog.records == []


def test_a_failing_handler_does_not_end_a_run(operator: Operator, caplog: pytest.LogCaptureFixture) -> None:
    def fail(_event: Event) -> None:
        raise ValueError("broken")

    operator.write_tables(A)
    assert operator.make_runner(on_event=fail).run_migrations() == [A]
    assert "on_event failed for the event step_started" in caplog.text


def test_a_loop_over_the_events_can_log_them_too(operator: Operator, caplog: pytest.LogCaptureFixture) -> None:
    operator.write_tables(A)
    runner: MigrationRunner = operator.make_runner()
    log_event = EventLogger(logging.getLogger("app.migrations"))
    with caplog.at_level(logging.INFO):
        for event in runner.run(runner.prepare(MigrateGoal())):
            log_event(event)
    assert {record.name for record in caplog.records} == {"app.migrations"}


def test_the_levels_name_existing_kinds() -> None:
    from tasks.runner.event_log import _LEVELS

    assert _LEVELS.keys() <= EVENTS.keys()
