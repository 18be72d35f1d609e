"""The third of five statements waits when the run is ended: later ones may be with the server already, and have no effect."""

import threading
from collections.abc import Callable, Iterator

import pytest

from tasks.runner.events import Event, StatementStarted, StepStarted
from tasks.runner.operations.migrate import migrate
from tasks.runner.planning.choice import MigrateGoal
from tasks.runner.retries import RetryPolicy
from tasks.runner.signals import Stop
from tests.kit.databases import Database
from tests.kit.projects import Project
from tests.kit.waiting import LIMIT_S
from tests.runner.operating import A, B, C, Operator, collect_failure, list_done, pick
from tests.stress.blocking import GATE, PASS_GATE, await_waiting_at_gate, end_session, gate_closed

PATIENT = RetryPolicy(lock_timeout_ms=60_000, attempts=3)
FILE = f"CREATE TABLE b (id int);\nINSERT INTO b VALUES (1);\n{PASS_GATE}\nINSERT INTO a VALUES (2);\nDROP TABLE a;"
OPEN_GATE = f"""
SELECT pg_terminate_backend(pid, 10000) FROM pg_locks JOIN pg_database d ON d.oid = database AND datname = current_database()
 WHERE locktype = 'advisory' AND objid = {GATE} AND granted
"""
Act = Callable[[Database, int, Stop], None]


def cancel(database: Database, backend: int, _: Stop) -> None:
    database.execute("SELECT pg_cancel_backend(%s)", backend)


def terminate(database: Database, backend: int, _: Stop) -> None:
    database.execute("SELECT pg_terminate_backend(%s, 10000)", backend)


def end_lock(database: Database, _: int, __: Stop) -> None:
    end_session(database, "migrate-lock %")
    with database.connect() as opener:
        opener.execute(OPEN_GATE.encode())


WAYS: dict[str, tuple[Act, str, str]] = {
    "stop": (lambda _, __, stop: stop.request("SIGINT"), "", "stopped by Ctrl-C"),
    "term": (lambda _, __, stop: stop.request("SIGTERM"), "", "stopped by SIGTERM"),
    "cancel": (cancel, "57014", "canceling statement due to user request"),
    "terminate": (terminate, "57P01", "terminating connection due to administrator command"),
    "lock": (end_lock, "", "the session with the lock was ended"),
}


@pytest.mark.parametrize(("act", "sqlstate", "message"), WAYS.values(), ids=WAYS)
def test_nothing_of_the_file_has_an_effect(act: Act, sqlstate: str, message: str, project: Project, database: Database) -> None:
    operator = Operator(project, database)
    operator.write(A, "CREATE TABLE a (id int);")
    operator.write(B, FILE)
    operator.write(C, "CREATE TABLE c ();")
    stop, reached = Stop(), threading.Event()

    def end_the_run() -> None:
        backend = await_waiting_at_gate(database)
        # The server can be at the gate before the run has read the answers to the statements above it.
        assert reached.wait(LIMIT_S)
        act(database, backend, stop)

    def watch() -> Iterator[Event]:
        for event in migrate(operator.make_runner(stop=stop, policy=PATIENT), MigrateGoal()):
            if isinstance(event, StatementStarted) and (event.version, event.number) == (B, 3):
                reached.set()
            yield event

    with gate_closed(database):
        thread = threading.Thread(target=end_the_run)
        thread.start()
        events, error = collect_failure(watch())
        thread.join()
    assert error.state.startswith(f"{B} was rolled back completely. 1 earlier migration of this run stays applied")
    assert (error.place and error.place.line) == (3 if sqlstate else None)
    assert error.message.startswith(message)
    assert error.sqlstate == sqlstate
    assert [event.number for event in pick(events, StatementStarted) if event.version == B][:3] == [1, 2, 3]
    assert [event.version for event in pick(events, StepStarted)] == [A, B]
    assert list_done(events) == [A]
    assert operator.read_applied() == [A]
    assert operator.read_tables() == ["a"]
    assert database.query("TABLE a") == []
    assert list_done(operator.migrate()) == [B, C]
