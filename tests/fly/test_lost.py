"""A connection that breaks, freezes or cannot be had again while a run is under way: its outcome is read, never guessed."""

import threading
from collections.abc import Iterator

import pytest

from tasks.console import describe
from tasks.runner.errors import RunnerError
from tasks.runner.events import ConnectionLost, Heartbeat, OutcomeRead, RunFinished, RunStarted, StatementStarted
from tasks.runner.operations.requests import Request
from tests.fly.operating import STAGING, Ended, Far, work_far
from tests.kit.databases import Database
from tests.kit.fly.images import Image
from tests.kit.fly.world import FlyWorld
from tests.kit.projects import Project
from tests.kit.waiting import wait_until
from tests.runner.operating import A, B, C
from tests.stress.blocking import PASS_GATE, await_waiting, await_waiting_at_gate, gate_closed

SLOW = f"CREATE TABLE a ();\n{PASS_GATE}\n"
PATIENT = {"LOCK_TIMEOUT": "60s"}


@pytest.fixture
def far(fly: FlyWorld, project: Project, database: Database) -> Iterator[Far]:
    with work_far(fly, project, database) as far:
        yield far


def list_outcomes(ended: Ended) -> list[str]:
    return [event.outcome for event in ended.pick(OutcomeRead)]


def count_attempts(far: Far) -> int:
    return [row[:2] for row in far.operator.read_log()].count(("migrate", "started"))


def test_a_run_that_finishes_over_there_ends_well_here(far: Far) -> None:
    far.operator.write(A, SLOW)
    far.deploy(variables=PATIENT)
    with gate_closed(far.operator.database) as gate:
        ended = far.run_request(deeds={StatementStarted: far.fly.kill_proxy, OutcomeRead: gate.close})
    assert ended.error is None
    assert list_outcomes(ended) == ["running", "finished"]
    assert ended.pick(OutcomeRead)[-1].steps == (A,)
    assert [(event.action, event.steps) for event in ended.pick(RunFinished)] == [("migrate", 1)]
    assert count_attempts(far) == 1
    assert [call[:2] for call in far.fly.calls].count(["ssh", "issue"]) >= 2
    words = [line for event in ended.events for line in describe(event)]
    assert words[-5].startswith("⚠️  The connection was lost (it was closed).")
    assert words[-1] == "✅ All migrations completed!"


def test_a_run_that_fails_over_there_ends_with_its_error(far: Far) -> None:
    far.operator.write_tables(B)
    far.operator.write(C, f"{SLOW}SELECT 1/0;")
    far.deploy(variables=PATIENT)
    with gate_closed(far.operator.database) as gate:
        ended = far.run_request(deeds={StatementStarted: far.fly.kill_proxy, ConnectionLost: gate.close})
    assert ended.error is not None
    assert (ended.error.exit_code, ended.error.sqlstate) == (1, "22012")
    assert "division by zero" in ended.error.message
    assert ended.error.state == f"Applied and recorded before: {B}."
    assert list_outcomes(ended)[-1] == "failed"
    assert far.operator.read_tables() == ["b"]


def test_after_a_rollback_that_failed_over_there_one_looks_first(far: Far) -> None:
    far.operator.write(A, "CREATE TABLE a ();", f"{PASS_GATE}SELECT 1/0;")
    far.operator.migrate()
    far.deploy(variables=PATIENT)
    with gate_closed(far.operator.database) as gate:
        deeds = {StatementStarted: far.fly.kill_proxy, ConnectionLost: gate.close}
        ended = far.run_request(Request("rollback"), deeds)
    assert ended.error is not None
    assert ended.error.hint.endswith("because a rollback counts its steps from there: inv db.status --env=staging")


def test_a_frozen_connection_counts_as_lost_after_a_silence(far: Far) -> None:
    far.operator.write(A, SLOW)
    far.deploy(variables=PATIENT)
    far.variables["FLY_SILENCE_TIMEOUT"] = "4"
    with gate_closed(far.operator.database) as gate:
        ended = far.run_request(deeds={StatementStarted: far.fly.freeze_proxy, OutcomeRead: gate.close})
    assert ended.error is None
    assert [event.reason for event in ended.pick(ConnectionLost)] == ["no output for 4 s"]
    assert list_outcomes(ended) == ["running", "finished"]
    assert count_attempts(far) == 1


def test_a_run_that_says_nothing_but_that_it_lives_is_not_lost(far: Far) -> None:
    far.operator.write(A, "SELECT pg_sleep(4);")
    far.deploy(variables=PATIENT)
    far.variables["FLY_SILENCE_TIMEOUT"] = "3"
    ended = far.run_request()
    assert ended.error is None
    assert ended.pick(ConnectionLost) == []
    assert ended.pick(Heartbeat) == []


def test_without_a_way_back_the_outcome_is_said_to_be_unknown(far: Far) -> None:
    far.operator.write(A, SLOW)
    far.deploy(variables=PATIENT)
    far.variables["FLY_FOLLOW_TIMEOUT"] = "1"

    def lose() -> None:
        far.fly.limit_certificates(-10)
        far.fly.kill_proxy()

    with gate_closed(far.operator.database):
        ended = far.run_request(deeds={StatementStarted: lose})
    assert "is unknown: machine" in ended.describe()
    assert "refuses the certificate" in ended.describe()
    assert "inv db.history --env=staging" in ended.describe()
    assert "It may still be running on the machine." in ended.describe()
    wait_until(lambda: far.operator.read_tables() == ["a"], what="the run to finish on the machine")


def test_an_expired_certificate_is_replaced(far: Far) -> None:
    far.operator.write(A, SLOW)
    far.deploy(variables=PATIENT)

    def lose() -> None:
        far.fly.limit_certificates(-10)
        far.fly.kill_proxy()
        threading.Thread(target=clear_later).start()

    def clear_later() -> None:
        wait_until(lambda: far.machine.connections > 1, what="a try with an expired certificate")
        far.fly.clear_faults()

    with gate_closed(far.operator.database) as gate:
        ended = far.run_request(deeds={StatementStarted: lose, OutcomeRead: gate.close})
    assert ended.error is None
    assert far.operator.read_tables() == ["a"]


def test_a_machine_that_is_stopped_takes_the_run_with_it(far: Far) -> None:
    far.operator.write(A, SLOW)
    first = far.deploy(variables=PATIENT)
    second = far.fly.add_machine(STAGING, far.operator.database, files=far.operator.project.root)
    with gate_closed(far.operator.database):
        ended = far.run_request(deeds={StatementStarted: min(first, second, key=lambda machine: machine.id).stop})
    assert list_outcomes(ended)[-1] == "died"
    assert "the process on the machine died" in ended.describe()
    assert "Run the same command again" in ended.describe()
    assert far.operator.read_tables() == []
    assert count_attempts(far) == 1


def test_a_process_that_is_killed_over_there_died(far: Far) -> None:
    far.operator.write_tables(A)
    far.operator.write(B, PASS_GATE)
    far.deploy(variables=PATIENT)
    with gate_closed(far.operator.database):

        def kill() -> None:
            await_waiting_at_gate(far.operator.database)
            far.machine.kill("migrate.py")

        threading.Thread(target=kill).start()
        ended = far.run_request()
    assert list_outcomes(ended)[-1] == "died"
    assert ended.error is not None
    assert ended.error.state == f"Applied and recorded before: {A}."


def test_a_run_that_has_not_begun_yet_is_not_taken_for_dead(far: Far) -> None:
    far.operator.write_tables(A)
    far.deploy()

    def lose() -> None:
        for process in far.machine.processes("migrate.py"):
            process.suspend()
        # A deploy goes on meanwhile; the process is to be looked for where it is.
        far.fly.add_machine(STAGING, far.operator.database, files=far.operator.project.root, release=2)
        far.fly.kill_proxy()

    def go_on() -> None:
        for process in far.machine.processes("migrate.py migrate"):
            process.resume()

    ended = far.run_request(deeds={RunStarted: lose, OutcomeRead: go_on})
    assert ended.error is None
    assert list_outcomes(ended) == ["running", "finished"]
    assert count_attempts(far) == 1
    assert "migrate.py outcome" in far.machine.commands[-1]


def test_a_run_that_changed_nothing_is_not_taken_for_a_success(far: Far) -> None:
    far.operator.write_tables(A)
    far.operator.migrate(environment="staging")
    far.deploy()
    with far.operator.database.connect(autocommit=False) as holder:
        holder.execute("LOCK TABLE schema_migrations")
        ended = far.run_request(deeds={RunStarted: far.fly.kill_proxy, ConnectionLost: holder.rollback})
    assert list_outcomes(ended)[-1] == "unknown"
    assert "ended before it changed anything" in ended.describe()


def test_a_lost_look_changes_nothing_and_is_not_followed(far: Far) -> None:
    far.operator.write_tables(A)
    far.operator.migrate()
    far.deploy()
    with far.operator.database.connect(autocommit=False) as holder:
        holder.execute("LOCK TABLE schema_migrations")

        def kill() -> None:
            await_waiting(far.operator.database, "%schema_migrations%")
            far.fly.kill_proxy()

        threading.Thread(target=kill).start()
        ended = far.run_request(Request("status"))
    assert isinstance(ended.error, RunnerError)
    assert "the connection to staging was lost" in ended.describe()
    assert ended.pick(ConnectionLost) == []


def test_an_uploaded_run_is_followed_and_its_files_are_removed(far: Far) -> None:
    far.operator.write(A, SLOW)
    far.deploy(image=Image(has_app=False), variables=PATIENT)
    with gate_closed(far.operator.database) as gate:
        ended = far.run_request(deeds={StatementStarted: far.fly.kill_proxy, OutcomeRead: gate.close}, upload=True)
    assert ended.error is None
    assert far.operator.read_tables() == ["a"]
    far.assert_clean()
