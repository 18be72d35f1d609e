"""Ctrl-C during a run on the machine: the run is stopped and rolled back, or left running."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tasks.fly.operation import build_remote
from tasks.options import Options
from tasks.runner.errors import ReportedError, RunInterruptedError
from tasks.runner.events import HeldBack, OutcomeRead, Retried, RunFinished
from tasks.runner.operations.requests import Request
from tasks.runner.signals import Stop
from tests.fly.operating import RemoteOperator, operate_remotely
from tests.fly.terminals import open_dialogue
from tests.kit.databases import Database
from tests.kit.fly.images import Image
from tests.kit.fly.world import FlyWorld
from tests.kit.projects import Project
from tests.kit.waiting import LIMIT_S, wait_until
from tests.runner.operating import A, B
from tests.stress.blocking import PASS_GATE, await_waiting, await_waiting_at_gate, gate_closed

SLOW = f"CREATE TABLE b ();\n{PASS_GATE}\n"
QUESTION = "or [l]eave it running? "
TASK = ("db.migrate", "--env=staging")
HIDES_CURSOR, SHOWS_CURSOR = "\x1b[?25l", "\x1b[?25h"


@pytest.fixture
def remote(fly: FlyWorld, project: Project, database: Database) -> Iterator[RemoteOperator]:
    with operate_remotely(fly, project, database) as remote:
        yield remote


@pytest.fixture
def slow(remote: RemoteOperator) -> RemoteOperator:
    """Return an operator whose second migration waits at the gate."""
    remote.operator.write_tables(A)
    remote.operator.write(B, SLOW)
    remote.deploy(variables={"LOCK_TIMEOUT": f"{LIMIT_S}s"})
    return remote


def start_thread(callback: Callable[[], object]) -> None:
    threading.Thread(target=callback).start()


def assert_cursor_shown(output: str) -> None:
    """Fail if a progress display is still active: it would overwrite the question."""
    hidden, shown = output.rfind(HIDES_CURSOR), output.rfind(SHOWS_CURSOR)
    assert 0 <= hidden < shown


def assert_stopped(remote: RemoteOperator) -> None:
    wait_until(lambda: not remote.machine.processes("migrate.py"), what="the end of the run on the machine")
    assert remote.operator.read_tables() == ["a"]
    last = remote.operator.read_history()[0]
    assert (last.outcome, last.error) == ("failed", "stopped by SIGTERM")


@pytest.mark.parametrize("answer", ["s", "", "Stop", None], ids=["stop", "nothing", "word", "again"])
def test_ctrl_c_asks_and_stops_the_run_on_the_machine(slow: RemoteOperator, answer: str | None) -> None:
    with gate_closed(slow.operator.database), open_dialogue(slow, *TASK) as dialogue:
        await_waiting_at_gate(slow.operator.database)
        # The events of the run arrive a moment later.
        dialogue.await_words(HIDES_CURSOR)
        dialogue.interrupt()
        dialogue.await_words(QUESTION)
        assert_cursor_shown(dialogue.output)
        dialogue.interrupt() if answer is None else dialogue.answer(answer)
        assert dialogue.finish() == 1
        assert "stopped by SIGTERM" in dialogue.output
        assert_stopped(slow)


def test_ctrl_c_asks_and_leaves_the_run_on_the_machine(slow: RemoteOperator) -> None:
    with gate_closed(slow.operator.database) as gate, open_dialogue(slow, *TASK) as dialogue:
        await_waiting_at_gate(slow.operator.database)
        dialogue.interrupt()
        dialogue.await_words(QUESTION)
        dialogue.answer("l")
        assert dialogue.finish() == 1
        assert "detached; run" in dialogue.output
        assert "inv db.history --env=staging" in dialogue.output
        gate.close()
        wait_until(lambda: slow.operator.read_tables() == ["a", "b"], what="the run to finish on the machine")


def test_ctrl_c_stops_a_run_that_is_held_back_on_the_machine(remote: RemoteOperator) -> None:
    remote.operator.write_tables(A)
    remote.operator.write(B, "CREATE TABLE b ();\nALTER TABLE a ADD n int;")
    remote.operator.migrate(to=A, environment="staging")
    remote.deploy(variables={"LOCK_TIMEOUT": "100ms"})
    with remote.operator.database.connect(application_name="a report") as blocker, open_dialogue(remote, *TASK) as dialogue:
        blocker.execute("BEGIN; TABLE a")
        dialogue.await_words("is held back")
        dialogue.await_words("a report")
        dialogue.interrupt()
        dialogue.await_words(QUESTION)
        dialogue.answer("s")
        assert dialogue.finish() == 1
        assert_stopped(remote)


def test_the_events_of_a_run_that_is_held_back_on_the_machine_arrive(remote: RemoteOperator) -> None:
    remote.operator.write_tables(A)
    remote.operator.write(B, "ALTER TABLE a ADD n int;")
    remote.operator.migrate(to=A, environment="staging")
    remote.deploy(variables={"LOCK_TIMEOUT": "100ms"})
    with remote.operator.database.connect(application_name="a report") as blocker:
        blocker.execute("BEGIN; TABLE a")
        result = remote.run_request(callbacks={HeldBack: blocker.rollback})
    held, *_ = result.pick(HeldBack)
    assert (held.version, held.line, held.relations) == (B, 1, ("public.a",))
    assert [session.application for session in held.blockers] == ["a report"]
    assert len(result.pick(Retried)) <= 1
    assert remote.operator.read_applied() == [A, B]


def test_a_detached_run_keeps_its_uploaded_files_until_it_ends(remote: RemoteOperator) -> None:
    remote.operator.write_tables(A)
    remote.operator.write(B, f"{SLOW}VACUUM;")
    remote.deploy(image=Image(has_app=False))
    with gate_closed(remote.operator.database) as gate, open_dialogue(remote, *TASK, "--upload") as dialogue:
        await_waiting_at_gate(remote.operator.database)
        dialogue.interrupt()
        dialogue.await_words(QUESTION)
        dialogue.answer("l")
        assert dialogue.finish() == 1
        assert [path.is_dir() for path in remote.machine.folder.temporary.iterdir()] == [True]
        gate.close()
        wait_until(lambda: remote.operator.read_applied() == [A, B], what="the run to finish on the machine")
    remote.assert_clean()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_without_a_terminal_a_signal_stops_the_run_on_the_machine(slow: RemoteOperator, number: signal.Signals) -> None:
    with gate_closed(slow.operator.database):
        process = slow.operator.project.start_inv(*TASK, env=slow.env)
        await_waiting_at_gate(slow.operator.database)
        process.send_signal(number)
        output, _ = process.communicate(timeout=LIMIT_S)
        assert process.returncode == 1
        assert "stopped by SIGTERM" in output
        assert_stopped(slow)


def test_a_run_whose_connection_is_lost_can_be_stopped(slow: RemoteOperator) -> None:
    def lose_connection() -> None:
        await_waiting_at_gate(slow.operator.database)
        slow.fly.kill_proxy()

    with gate_closed(slow.operator.database):
        start_thread(lose_connection)
        result = slow.run_request(callbacks={OutcomeRead: lambda: slow.stop.request("SIGINT")})
        assert_stopped(slow)
    assert "stopped by SIGTERM" in result.describe()
    assert [event.outcome for event in result.pick(OutcomeRead)][-1] == "failed"


def test_ctrl_c_stops_a_status_without_a_question(remote: RemoteOperator) -> None:
    remote.operator.write_tables(A)
    remote.operator.migrate()
    remote.deploy()
    with remote.operator.database.connect(autocommit=False) as holder:
        holder.execute("LOCK TABLE schema_migrations")

        def stop() -> None:
            await_waiting(remote.operator.database, "%schema_migrations%")
            remote.stop.request("SIGINT")

        start_thread(stop)
        result = remote.run_request(Request("status"))
    assert isinstance(result.error, RunInterruptedError)
    assert result.error.state == "Nothing was changed."


def test_ctrl_c_stops_connecting_to_a_machine(remote: RemoteOperator) -> None:
    remote.operator.write_tables(A)
    remote.deploy().refuse(1000)

    def stop() -> None:
        wait_until(lambda: remote.machine.connections, what="a try to connect")
        remote.stop.request("SIGINT")

    start_thread(stop)
    result = remote.run_request()
    assert isinstance(result.error, RunInterruptedError)
    assert result.describe().startswith("stopped by Ctrl-C")
    assert remote.machine.commands == []


@pytest.mark.parametrize("command", ["machine list", "ssh issue", "proxy"])
def test_ctrl_c_ends_a_call_of_fly_that_hangs(remote: RemoteOperator, command: str) -> None:
    remote.operator.write_tables(A)
    remote.deploy()
    remote.fly.hang(command)
    with open_dialogue(remote, *TASK) as dialogue:
        wait_until(lambda: " ".join(remote.fly.calls[-1] if remote.fly.calls else ()).startswith(command), what="the call")
        dialogue.interrupt()
        assert dialogue.finish() == 1
        assert "stopped by Ctrl-C" in dialogue.output
        assert "Nothing was changed" in dialogue.output
    assert remote.machine.commands == []


def test_a_run_that_is_ended_before_its_process_id_is_known_is_ended_once_it_is(
    remote: RemoteOperator, monkeypatch: pytest.MonkeyPatch
) -> None:
    remote.operator.write(A, "CREATE TABLE a ();\nSELECT pg_sleep(90);")
    remote.deploy()
    remote.set_variables(monkeypatch)
    far = build_remote(remote.load(), Options(), remote.stop)
    with ExitStack() as stack:
        connection = far.enter(stack)
        run = far.build_run(connection, far.place_files(connection), Request("migrate"))
        run.end(Stop())
        events = list(run)
    assert run.exit_code != 0
    assert not any(isinstance(event, RunFinished) for event in events)
    assert remote.operator.read_tables() == []


def test_a_failed_run_is_not_reported_as_stopped(remote: RemoteOperator) -> None:
    remote.operator.write(A, "SELECT 1/0;")
    remote.deploy()
    result = remote.run_request()
    assert isinstance(result.error, ReportedError)
    assert "division by zero" in result.describe()
    assert "stopped by" not in result.describe()
