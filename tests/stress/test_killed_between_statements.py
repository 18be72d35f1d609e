"""A run that is killed, or closed, between two statements: the next one ends with the same state as an undisturbed one."""

import signal
from collections.abc import Callable

import pytest

from tests.kit.databases import Database
from tests.kit.projects import Project
from tests.stress.conftest import Answer
from tests.stress.crash_worker import CrashRequest
from tests.stress.mixed_plan import FIRST, VERSIONS, write_plan
from tests.stress.states import copy_of, read_state

Ask = Callable[[CrashRequest], Answer]

CLOSED = [version for version in VERSIONS if version.endswith(("transaction", "segments"))]
"""One file of each kind: a transaction, and segments of both sorts."""


def ask_to_succeed(ask_worker: Ask, request: CrashRequest) -> Answer:
    answer = ask_worker(request)
    assert answer.error == ""
    assert answer.signal == 0
    return answer


def assert_next_finishes(ask_worker: Ask, database: Database, request: Callable[..., CrashRequest], end: str) -> None:
    """End runs on copies of a database, each at another event of the version, and resume each with another run."""
    with copy_of(database) as undisturbed:
        events = ask_to_succeed(ask_worker, request(undisturbed)).events
        expected = read_state(undisturbed)
    # Between the event before and the one of a statement that begins, the run asks nothing of the server.
    numbers = [number for number, (kind, version) in enumerate(events, 1) if version and kind != "statement_started"]
    assert len(numbers) >= 3
    for number in numbers:
        with copy_of(database) as copy:
            answer = ask_worker(request(copy, end_at=number, end=end))
            assert answer.signal == (signal.SIGKILL if end == "kill" else 0)
            place = f"{end} at {events[number - 1]}, number {number - numbers[0] + 1} of {len(numbers)}"
            answer = ask_worker(request(copy))
            assert (answer.error, answer.signal) == ("", 0), place
            assert read_state(copy) == expected, place


def assert_next_migrate_finishes(version: str, end: str, ask_worker: Ask, project: Project, database: Database) -> None:
    write_plan(project)
    before = [FIRST, *VERSIONS][VERSIONS.index(version)]
    ask_to_succeed(ask_worker, CrashRequest(database.url, str(project.migrations), "migrate", before))

    def request(target: Database, **options: object) -> CrashRequest:
        return CrashRequest(target.url, str(project.migrations), "migrate", version, **options)  # type: ignore[arg-type]

    assert_next_finishes(ask_worker, database, request, end)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_run_killed_at_any_event_is_finished_by_the_next(
    version: str, ask_worker: Ask, project: Project, database: Database
) -> None:
    assert_next_migrate_finishes(version, "kill", ask_worker, project, database)


@pytest.mark.parametrize("version", CLOSED)
def test_a_run_that_its_caller_leaves_at_any_event_is_finished_by_the_next(
    version: str, ask_worker: Ask, project: Project, database: Database
) -> None:
    assert_next_migrate_finishes(version, "close", ask_worker, project, database)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_rollback_killed_at_any_event_is_finished_by_the_next(
    version: str, ask_worker: Ask, project: Project, database: Database
) -> None:
    write_plan(project)
    before = [FIRST, *VERSIONS][VERSIONS.index(version)]
    ask_to_succeed(ask_worker, CrashRequest(database.url, str(project.migrations), "migrate", version))

    def request(target: Database, **options: object) -> CrashRequest:
        return CrashRequest(target.url, str(project.migrations), "rollback", before, **options)  # type: ignore[arg-type]

    assert_next_finishes(ask_worker, database, request, "kill")
