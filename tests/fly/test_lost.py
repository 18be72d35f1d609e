"""Connections that break, freeze or cannot be re-established during a run: the outcome is read, never guessed."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tasks.console import describe
from tasks.fly import stream
from tasks.runner.errors import RunnerError
from tasks.runner.events import (
    ConnectionLost,
    Event,
    Heartbeat,
    OutcomeRead,
    RunFinished,
    RunStarted,
    StatementStarted,
    from_json,
)
from tasks.runner.operations.requests import Request
from tests.fly.operating import STAGING, OperationResult, RemoteOperator, operate_remotely
from tests.kit.databases import Database
from tests.kit.fly.images import Image
from tests.kit.fly.world import FlyWorld
from tests.kit.processes import freeze
from tests.kit.projects import Project
from tests.kit.waiting import LIMIT_S, wait_until
from tests.runner.operating import A, B, C
from tests.stress.blocking import PASS_GATE, await_waiting, await_waiting_at_gate, gate_closed

SLOW = f"CREATE TABLE a ();\n{PASS_GATE}\n"
LONG_TIMEOUT = {"LOCK_TIMEOUT": f"{LIMIT_S}s"}


@pytest.fixture
def remote(fly: FlyWorld, project: Project, database: Database) -> Iterator[RemoteOperator]:
    with operate_remotely(fly, project, database) as remote:
        yield remote


def list_outcomes(result: OperationResult) -> list[str]:
    return [event.outcome for event in result.pick(OutcomeRead)]


def count_attempts(remote: RemoteOperator) -> int:
    return [row[:2] for row in remote.operator.read_log()].count(("migrate", "started"))


def test_a_run_that_finishes_on_the_machine_succeeds_after_a_lost_connection(remote: RemoteOperator) -> None:
    remote.operator.write(A, SLOW)
    remote.deploy(variables=LONG_TIMEOUT)
    with gate_closed(remote.operator.database) as gate:
        result = remote.run_request(callbacks={StatementStarted: remote.fly.kill_proxy, OutcomeRead: gate.close})
    assert result.error is None
    assert list_outcomes(result) == ["running", "finished"]
    assert result.pick(OutcomeRead)[-1].steps == (A,)
    assert [(event.action, event.steps) for event in result.pick(RunFinished)] == [("migrate", 1)]
    assert count_attempts(remote) == 1
    issued = [call for call in remote.fly.calls if call[:2] == ["ssh", "issue"]]
    assert len(issued) >= 2
    assert {call[call.index("--hours") + 1] for call in issued} == {"1"}
    words = [line for event in result.events for line in describe(event)]
    assert words[-5].startswith("⚠️  The connection was lost (it was closed).")
    assert words[-1] == "✅ All migrations completed!"


def test_a_run_that_fails_on_the_machine_ends_with_its_error(remote: RemoteOperator) -> None:
    remote.operator.write_tables(B)
    remote.operator.write(C, f"{SLOW}SELECT 1/0;")
    remote.deploy(variables=LONG_TIMEOUT)
    with gate_closed(remote.operator.database) as gate:
        result = remote.run_request(callbacks={StatementStarted: remote.fly.kill_proxy, ConnectionLost: gate.close})
    assert result.error is not None
    assert (result.error.exit_code, result.error.sqlstate) == (1, "22012")
    assert "division by zero" in result.error.message
    assert result.error.state == f"Applied and recorded before: {B}."
    assert list_outcomes(result)[-1] == "failed"
    assert remote.operator.read_tables() == ["b"]


def test_after_a_rollback_that_failed_on_the_machine_the_hint_is_to_check_the_status(remote: RemoteOperator) -> None:
    remote.operator.write(A, "CREATE TABLE a ();", f"{PASS_GATE}SELECT 1/0;")
    remote.operator.migrate()
    remote.deploy(variables=LONG_TIMEOUT)
    with gate_closed(remote.operator.database) as gate:
        callbacks = {StatementStarted: remote.fly.kill_proxy, ConnectionLost: gate.close}
        result = remote.run_request(Request("rollback"), callbacks)
    assert result.error is not None
    assert result.error.hint.endswith("because a rollback counts its steps from there: inv db.status --env=staging")


def test_after_a_connection_that_is_lost_before_the_first_event_the_outcome_is_read(remote: RemoteOperator) -> None:
    remote.operator.write_tables(A)
    machine = remote.deploy(image=Image(forked=False))
    go = machine.app / "go"
    waits = "import time\n    while 'migrate' in sys.argv:\n        time.sleep(0.05)\n"
    waits += f"        Path('{go}').exists() and os._exit(1)\n"
    machine.edit("scripts/migrate.py", "    gc.disable()\n", f"    {waits}    gc.disable()\n")

    def lose_connection() -> None:
        wait_until(lambda: any("migrate.py migrate" in command for command in machine.commands), what="the run to start")
        remote.fly.kill_proxy()

    thread = threading.Thread(target=lose_connection)
    thread.start()
    result = remote.run_request(callbacks={ConnectionLost: go.touch})
    thread.join()
    assert result.error is not None
    assert result.error.message == "the run ended before it changed anything"
    assert len(result.pick(ConnectionLost)) == 1
    assert remote.operator.read_tables() == []


@dataclass
class Clock:
    """The clock by which the silence of a machine is measured: only the test advances it, since a slow machine is silent too."""

    now_s: float = 0
    step_s: float = 0
    """How much it advances whenever it is read."""

    def monotonic(self) -> float:
        """Return the time."""
        self.now_s += self.step_s
        return self.now_s


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Return the clock of the connections to machines."""
    clock = Clock()
    monkeypatch.setattr(stream, "time", clock)
    return clock


def test_a_frozen_connection_counts_as_lost_after_a_timeout(remote: RemoteOperator, clock: Clock) -> None:
    remote.operator.write(A, SLOW)
    remote.deploy(variables=LONG_TIMEOUT)
    remote.variables["FLY_SILENCE_TIMEOUT"] = "60"

    def freeze_connection() -> None:
        remote.fly.freeze_proxy()
        clock.step_s = 25

    def stop_clock() -> None:
        clock.step_s = 0

    callbacks = {StatementStarted: freeze_connection, ConnectionLost: stop_clock}
    with gate_closed(remote.operator.database) as gate:
        result = remote.run_request(callbacks={**callbacks, OutcomeRead: gate.close})
    assert result.error is None
    assert [event.reason for event in result.pick(ConnectionLost)] == ["no output for 60 s"]
    assert list_outcomes(result) == ["running", "finished"]
    assert count_attempts(remote) == 1


def test_a_run_that_emits_only_heartbeats_is_not_lost(
    remote: RemoteOperator, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    remote.operator.write(A, SLOW)
    remote.deploy(variables=LONG_TIMEOUT)
    remote.variables["FLY_SILENCE_TIMEOUT"] = "6"
    beats: list[Event] = []
    with gate_closed(remote.operator.database) as gate:

        def read(line: str) -> Event | None:
            event = from_json(line)
            if isinstance(event, Heartbeat):
                beats.append(event)
                clock.now_s += 5
                if len(beats) == 3:
                    gate.close()
            return event

        monkeypatch.setattr(stream, "from_json", read)
        result = remote.run_request()
    assert result.error is None
    assert len(beats) >= 3
    assert result.pick(ConnectionLost) == []
    assert result.pick(Heartbeat) == []


def test_if_reconnecting_fails_the_outcome_is_reported_as_unknown(remote: RemoteOperator) -> None:
    remote.operator.write(A, SLOW)
    remote.deploy(variables=LONG_TIMEOUT)
    remote.variables["FLY_FOLLOW_TIMEOUT"] = "1"

    def lose_connection() -> None:
        remote.fly.limit_certificates(-10)
        remote.fly.kill_proxy()

    with gate_closed(remote.operator.database):
        result = remote.run_request(callbacks={StatementStarted: lose_connection})
    assert "is unknown: machine" in result.describe()
    assert "refuses the certificate" in result.describe()
    assert "inv db.history --env=staging" in result.describe()
    assert "It may still be running on the machine." in result.describe()
    wait_until(lambda: remote.operator.read_tables() == ["a"], what="the run to finish on the machine")


def test_an_expired_certificate_is_replaced(remote: RemoteOperator) -> None:
    remote.operator.write(A, SLOW)
    remote.deploy(variables=LONG_TIMEOUT)

    def lose_connection() -> None:
        remote.fly.limit_certificates(-10)
        remote.fly.kill_proxy()
        threading.Thread(target=clear_faults_later).start()

    def clear_faults_later() -> None:
        wait_until(lambda: remote.machine.connections > 1, what="a try with an expired certificate")
        remote.fly.clear_faults()

    with gate_closed(remote.operator.database) as gate:
        result = remote.run_request(callbacks={StatementStarted: lose_connection, OutcomeRead: gate.close})
    assert result.error is None
    assert remote.operator.read_tables() == ["a"]


def test_a_run_dies_when_its_machine_is_stopped(remote: RemoteOperator) -> None:
    remote.operator.write(A, SLOW)
    first = remote.deploy(variables=LONG_TIMEOUT)
    second = remote.fly.add_machine(STAGING, remote.operator.database, files=remote.operator.project.root)
    with gate_closed(remote.operator.database):
        result = remote.run_request(callbacks={StatementStarted: min(first, second, key=lambda machine: machine.id).stop})
    assert list_outcomes(result)[-1] == "died"
    assert "the process on the machine died" in result.describe()
    assert "Run the same command again" in result.describe()
    assert remote.operator.read_tables() == []
    assert count_attempts(remote) == 1


def test_a_process_that_was_killed_on_the_machine_is_reported_as_dead(remote: RemoteOperator) -> None:
    remote.operator.write_tables(A)
    remote.operator.write(B, PASS_GATE)
    remote.deploy(variables=LONG_TIMEOUT)
    with gate_closed(remote.operator.database):

        def kill() -> None:
            await_waiting_at_gate(remote.operator.database)
            remote.machine.kill("migrate.py")

        threading.Thread(target=kill).start()
        result = remote.run_request()
    assert list_outcomes(result)[-1] == "died"
    assert result.error is not None
    assert result.error.state == f"Applied and recorded before: {A}."


def test_a_run_that_has_not_started_yet_is_not_reported_as_dead(remote: RemoteOperator) -> None:
    remote.operator.write_tables(A)
    remote.operator.migrate(environment="staging")
    remote.operator.write_tables(B)
    remote.deploy(image=Image(forked=False), variables=LONG_TIMEOUT)
    with remote.operator.database.connect(autocommit=False) as holder:
        # Else the run could end before it is suspended.
        holder.execute("LOCK TABLE schema_migrations")

        def lose_connection() -> None:
            for process in remote.machine.processes("migrate.py"):
                freeze(process.pid)
            holder.rollback()
            # A deploy happens meanwhile; the process must be looked up on the machine where it was started.
            remote.fly.add_machine(STAGING, remote.operator.database, files=remote.operator.project.root, release=2)
            remote.fly.kill_proxy()

        def resume() -> None:
            for process in remote.machine.processes("migrate.py migrate"):
                process.resume()

        result = remote.run_request(callbacks={RunStarted: lose_connection, OutcomeRead: resume})
    assert result.error is None
    assert list_outcomes(result) == ["running", "finished"]
    assert count_attempts(remote) == 2, "one for each version"
    assert "migrate.py outcome" in remote.machine.commands[-1]


def test_a_run_that_changed_nothing_is_not_reported_as_a_success(remote: RemoteOperator) -> None:
    remote.operator.write_tables(A)
    remote.operator.migrate(environment="staging")
    remote.deploy()
    with remote.operator.database.connect(autocommit=False) as holder:
        holder.execute("LOCK TABLE schema_migrations")
        result = remote.run_request(callbacks={RunStarted: remote.fly.kill_proxy, ConnectionLost: holder.rollback})
    assert list_outcomes(result)[-1] == "unknown"
    assert "ended before it changed anything" in result.describe()


def test_a_status_whose_connection_is_lost_changes_nothing_and_is_not_followed(remote: RemoteOperator) -> None:
    remote.operator.write_tables(A)
    remote.operator.migrate()
    remote.deploy()
    with remote.operator.database.connect(autocommit=False) as holder:
        holder.execute("LOCK TABLE schema_migrations")

        def kill() -> None:
            await_waiting(remote.operator.database, "%schema_migrations%")
            remote.fly.kill_proxy()

        threading.Thread(target=kill).start()
        result = remote.run_request(Request("status"))
    assert isinstance(result.error, RunnerError)
    assert "the connection to staging was lost" in result.describe()
    assert result.pick(ConnectionLost) == []


def test_an_uploaded_run_is_followed_and_its_files_are_removed(remote: RemoteOperator) -> None:
    remote.operator.write(A, SLOW)
    remote.deploy(image=Image(has_app=False), variables=LONG_TIMEOUT)
    with gate_closed(remote.operator.database) as gate:
        result = remote.run_request(callbacks={StatementStarted: remote.fly.kill_proxy, OutcomeRead: gate.close}, upload=True)
    assert result.error is None
    assert remote.operator.read_tables() == ["a"]
    remote.assert_clean()
