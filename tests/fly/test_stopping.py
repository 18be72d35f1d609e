"""Ctrl-C while a run is under way on the machine: it is stopped, and rolls back, or is left running."""

import signal
import threading
from collections.abc import Callable, Iterator

import pytest

from tasks.runner.errors import ReportedError, RunInterruptedError
from tasks.runner.events import OutcomeRead
from tasks.runner.operations.requests import Request
from tests.fly.operating import Far, work_far
from tests.fly.terminals import open_dialogue
from tests.kit.databases import Database
from tests.kit.fly.images import Image
from tests.kit.fly.world import FlyWorld
from tests.kit.projects import Project
from tests.kit.waiting import wait_until
from tests.runner.operating import A, B
from tests.stress.blocking import PASS_GATE, await_waiting, await_waiting_at_gate, gate_closed

SLOW = f"CREATE TABLE b ();\n{PASS_GATE}\n"
QUESTION = "or [l]eave it running? "
TASK = ("db.migrate", "--env=staging")


@pytest.fixture
def far(fly: FlyWorld, project: Project, database: Database) -> Iterator[Far]:
    with work_far(fly, project, database) as far:
        yield far


@pytest.fixture
def slow(far: Far) -> Far:
    """Give an operator whose second migration waits at the gate."""
    far.operator.write_tables(A)
    far.operator.write(B, SLOW)
    far.deploy(variables={"LOCK_TIMEOUT": "60s"})
    return far


def run_later(deed: Callable[[], object]) -> None:
    threading.Thread(target=deed).start()


def assert_cursor_shown(output: str) -> None:
    """Fail if something is still drawn at the foot of the terminal: it would soon draw over the question."""
    hidden, shown = output.rfind("\x1b[?25l"), output.rfind("\x1b[?25h")
    assert 0 <= hidden < shown


def assert_stopped(far: Far) -> None:
    wait_until(lambda: not far.machine.processes("migrate.py"), what="the end of the run on the machine")
    assert far.operator.read_tables() == ["a"]
    last = far.operator.read_history()[0]
    assert (last.outcome, last.error) == ("failed", "stopped by SIGTERM")


@pytest.mark.parametrize("answer", ["s", "", "Stop", None], ids=["stop", "nothing", "word", "again"])
def test_ctrl_c_asks_and_stops_the_run_over_there(slow: Far, answer: str | None) -> None:
    with gate_closed(slow.operator.database), open_dialogue(slow, *TASK) as dialogue:
        await_waiting_at_gate(slow.operator.database)
        dialogue.interrupt()
        dialogue.await_words(QUESTION)
        assert_cursor_shown(dialogue.output)
        dialogue.interrupt() if answer is None else dialogue.answer(answer)
        assert dialogue.finish() == 1
        assert "stopped by SIGTERM" in dialogue.output
        assert_stopped(slow)


def test_ctrl_c_asks_and_leaves_the_run_over_there(slow: Far) -> None:
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


def test_an_uploaded_run_that_is_left_keeps_its_files_until_it_ends(far: Far) -> None:
    far.operator.write_tables(A)
    far.operator.write(B, f"{SLOW}VACUUM;")
    far.deploy(image=Image(has_app=False))
    with gate_closed(far.operator.database) as gate, open_dialogue(far, *TASK, "--upload") as dialogue:
        await_waiting_at_gate(far.operator.database)
        dialogue.interrupt()
        dialogue.await_words(QUESTION)
        dialogue.answer("l")
        assert dialogue.finish() == 1
        assert [path.is_dir() for path in far.machine.folder.temporary.iterdir()] == [True]
        gate.close()
        wait_until(lambda: far.operator.read_applied() == [A, B], what="the run to finish on the machine")
    far.assert_clean()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_without_a_terminal_a_signal_stops_the_run_over_there(slow: Far, number: signal.Signals) -> None:
    with gate_closed(slow.operator.database):
        process = slow.operator.project.start_inv(*TASK, env=slow.env)
        await_waiting_at_gate(slow.operator.database)
        process.send_signal(number)
        output, _ = process.communicate(timeout=60)
        assert process.returncode == 1
        assert "stopped by SIGTERM" in output
        assert_stopped(slow)


def test_a_run_whose_connection_is_lost_can_be_stopped(slow: Far) -> None:
    def lose() -> None:
        await_waiting_at_gate(slow.operator.database)
        slow.fly.kill_proxy()

    with gate_closed(slow.operator.database):
        run_later(lose)
        ended = slow.run_request(deeds={OutcomeRead: lambda: slow.stop.request("SIGINT")})
        assert_stopped(slow)
    assert "stopped by SIGTERM" in ended.describe()
    assert [event.outcome for event in ended.pick(OutcomeRead)][-1] == "failed"


def test_a_look_is_broken_off_without_a_question(far: Far) -> None:
    far.operator.write_tables(A)
    far.operator.migrate()
    far.deploy()
    with far.operator.database.connect(autocommit=False) as holder:
        holder.execute("LOCK TABLE schema_migrations")

        def stop() -> None:
            await_waiting(far.operator.database, "%schema_migrations%")
            far.stop.request("SIGINT")

        run_later(stop)
        ended = far.run_request(Request("status"))
    assert isinstance(ended.error, RunInterruptedError)
    assert ended.error.state == "Nothing was changed."


def test_the_way_to_a_machine_is_broken_off(far: Far) -> None:
    far.operator.write_tables(A)
    far.deploy().refuse(1000)

    def stop() -> None:
        wait_until(lambda: far.machine.connections, what="a try to connect")
        far.stop.request("SIGINT")

    run_later(stop)
    ended = far.run_request()
    assert isinstance(ended.error, RunInterruptedError)
    assert ended.describe().startswith("stopped by Ctrl-C")
    assert far.machine.commands == []


@pytest.mark.parametrize("command", ["machine list", "ssh issue", "proxy"])
def test_ctrl_c_ends_a_call_of_fly_that_hangs(far: Far, command: str) -> None:
    far.operator.write_tables(A)
    far.deploy()
    far.fly.hang(command)
    with open_dialogue(far, *TASK) as dialogue:
        wait_until(lambda: " ".join(far.fly.calls[-1] if far.fly.calls else ()).startswith(command), what="the call")
        dialogue.interrupt()
        assert dialogue.finish() == 1
        assert "stopped by Ctrl-C" in dialogue.output
        assert "Nothing was changed" in dialogue.output
    assert far.machine.commands == []


def test_a_failed_run_is_not_told_as_stopped(slow: Far) -> None:
    slow.operator.database.execute("CREATE TABLE b ()")
    assert isinstance(slow.run_request().error, ReportedError)
