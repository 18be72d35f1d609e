"""A run of several files ends at any of its events: its session or its lock is lost, it is stopped, left, or killed."""

import signal
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from tasks.runner.errors import LockLostError, RunInterruptedError, RunnerError
from tasks.runner.events import Event, StatementStarted
from tasks.runner.operations.migrate import migrate
from tasks.runner.planning.choice import MigrateGoal
from tasks.runner.signals import Stop
from tests.kit.databases import Database
from tests.kit.projects import Project
from tests.runner.operating import Operator, list_done
from tests.stress.blocking import end_session
from tests.stress.conftest import Answer
from tests.stress.crash_worker import CrashRequest
from tests.stress.states import copy_of
from tests.stress.three_files import VERSIONS, check_agrees, check_report, prepare

pytestmark = pytest.mark.only_newest
Disturb = Callable[[Iterator[Event], Operator, Stop], None]


def end_work(_: Iterator[Event], operator: Operator, __: Stop) -> None:
    """End the session that runs the files."""
    end_session(operator.database, "migrate-run %")


def end_lock(_: Iterator[Event], operator: Operator, __: Stop) -> None:
    """End the session with the lock."""
    end_session(operator.database, "migrate-lock %")


def request_stop(_: Iterator[Event], __: Operator, stop: Stop) -> None:
    """Request a stop, as Ctrl-C does."""
    stop.request("SIGINT")


def leave(events: Iterator[Event], _: Operator, __: Stop) -> None:
    """End the run as its caller does that reads no further events."""
    events.close()  # type: ignore[attr-defined]


def run(operator: Operator, disturb: Disturb, number: int) -> tuple[list[Event], RunnerError | None]:
    """Migrate, disturb the run at an event of its steps, by number from 1, and return all events of steps and the error."""
    stop, seen, error = Stop(), list[Event](), None
    events = migrate(operator.make_runner(stop=stop), MigrateGoal())
    try:
        for event in events:
            if getattr(event, "version", ""):
                seen.append(event)
                if len(seen) == number:
                    disturb(events, operator, stop)
    except RunnerError as raised:
        error = raised
    stop.close()
    return seen, error


@pytest.mark.parametrize(
    ("disturb", "kind"),
    [(end_work, RunnerError), (end_lock, LockLostError), (request_stop, RunInterruptedError), (leave, type(None))],
    ids=["work", "lock", "stop", "leave"],
)
def test_ledger_schema_and_report_agree_and_the_next_run_completes(
    disturb: Disturb, kind: type, project: Project, database: Database
) -> None:
    operator = Operator(project, database)
    prepare(operator)
    number = 0
    while True:
        number += 1
        with copy_of(database) as copy:
            events, error = run(replace(operator, database=copy), disturb, number)
            place = events[number - 1]
            if isinstance(place, StatementStarted) and place.version == VERSIONS[2]:
                break  # The last file ends like the others.
            applied = check_agrees(copy)
            check_report(error, list_done(events), applied)
            assert isinstance(error, kind) or applied == VERSIONS
            assert replace(operator, database=copy).migrate()
            assert check_agrees(copy) == VERSIONS
    assert number > 2 * len(VERSIONS)


def test_a_run_that_is_killed_at_any_event_leaves_them_in_agreement(
    ask_worker: Callable[[CrashRequest], Answer], project: Project, database: Database
) -> None:
    prepare(Operator(project, database))

    def ask(target: Database, end_at: int = 0) -> Answer:
        return ask_worker(CrashRequest(target.url, str(project.migrations), "migrate", end_at=end_at))

    with copy_of(database) as undisturbed:
        events = ask(undisturbed).events
    # What is killed within a file of many kinds is tested elsewhere: here, it is between two files.
    versions = [version for _, version in events]
    numbers = range(versions.index(VERSIONS[1]) - 2, versions.index(VERSIONS[2]) + 2)
    assert tuple(events[numbers[0]]) == ("statement_finished", VERSIONS[0])
    for number in numbers:
        with copy_of(database) as copy:
            assert ask(copy, number).signal == signal.SIGKILL
            # The server may still be about to end the session, or the transaction of the killed process.
            answer = ask(copy)
            assert (answer.error, answer.signal) == ("", 0), f"killed at {events[number - 1]}"
            assert check_agrees(copy) == VERSIONS
            done = [version for kind, version in events[:number] if kind == "step_finished"]
            assert not {version for kind, version in answer.events if kind == "step_started"} & {*done}
