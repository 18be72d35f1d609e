"""Faults of a machine's image and of its environment: each is reported with the next step."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tasks.runner.errors import RefusedError
from tasks.runner.events import ErrorRaised, LockAwaited, RunFinished
from tasks.runner.operations.requests import Request
from tests.fly.operating import MIGRATE, RemoteOperator, operate_remotely
from tests.kit.databases import Database
from tests.kit.fly.images import Image
from tests.kit.fly.machines import FlyMachine
from tests.kit.fly.world import FlyWorld
from tests.kit.projects import Project
from tests.kit.waiting import LIMIT_S
from tests.runner.operating import A
from tests.stress.blocking import PASS_GATE, await_waiting_at_gate, gate_closed

GATED = f"CREATE TABLE a ();\n{PASS_GATE}\n"
STATUS = Request("status")
GARBAGE = "print('<html>', flush=True)\nraise SystemExit({})\n"


@pytest.fixture
def remote(fly: FlyWorld, project: Project, database: Database) -> Iterator[RemoteOperator]:
    with operate_remotely(fly, project, database) as remote:
        remote.operator.write_tables(A)
        yield remote


def replace_program(text: str) -> Callable[[FlyMachine], object]:
    return lambda machine: (machine.app / "scripts" / "migrate.py").write_text(text)


def remove(name: str) -> Callable[[FlyMachine], object]:
    return lambda machine: (machine.app / name).rename(machine.folder.disk / "removed")


def kill_process_in_files(machine: FlyMachine) -> None:
    machine.edit(
        "tasks/runner/operations/files.py",
        "yield FilesRead(",
        "__import__('os').kill(__import__('os').getpid(), 9); yield FilesRead(",
    )


def edit_command(old: str, new: str) -> Callable[[FlyMachine], None]:
    return lambda machine: machine.edit("tasks/console/script.py", old, new)


@pytest.mark.parametrize(
    ("image", "reason", "hint"),
    [
        (Image(has_app=False), "staging: the image has no folder /app", "FLY_APP_DIR"),
        (Image(has_python=False), "", ""),
        (Image(packages=()), "lacks the packages psycopg and pglast", "-r requirements.lock"),
        (Image(packages=("psycopg", "typing_extensions")), "lacks the package pglast", "-r requirements.lock"),
    ],
    ids=["app", "python", "packages", "library"],
)
def test_a_missing_part_of_an_image_is_reported(remote: RemoteOperator, image: Image, reason: str, hint: str) -> None:
    machine = remote.deploy(image=image)
    if not image.has_python:
        machine.change_environment(PATH=link_programs(machine, "env"))
        reason, hint = "the image has no python on its PATH", "Python 3.11"
    result = remote.run_request()
    assert reason in result.describe()
    assert hint in result.describe()
    assert "Nothing was changed." in result.describe()


def link_programs(machine: FlyMachine, *names: str) -> str:
    folder = machine.folder.disk / "few"
    folder.mkdir()
    for name in names:
        (folder / name).symlink_to(f"/usr/bin/{name}")
    return str(folder)


@pytest.mark.parametrize(
    ("break_machine", "request_", "reason", "hint"),
    [
        (edit_command('add("files"', 'add("list"'), MIGRATE, "an older version of this tool", "Deploy first"),
        (edit_command('"--heartbeat"', '"--pulse"'), STATUS, "an older version of this tool", "Deploy first"),
        (remove("scripts/migrate.py"), STATUS, "has no scripts/migrate.py in /app", "--upload"),
        (remove("tasks/runner"), STATUS, "has no tasks/ beside scripts/", "Deploy"),
        (replace_program(GARBAGE.format(0)), MIGRATE, "ended with exit code 0 and without a known event", "inv env.check"),
        (replace_program(GARBAGE.format(0)), STATUS, "ended with exit code 0 and without a known event", "inv env.check"),
        (replace_program(GARBAGE.format(3)), STATUS, "ended with exit code 3 and without a known event", "<html>"),
        (kill_process_in_files, MIGRATE, "the connection to staging was lost: it was closed", "Run the same command again"),
        (replace_program("raise ValueError('FlyV1 fm2_abc')"), STATUS, "ValueError: ***", "inv env.check"),
    ],
    ids=["command", "flag", "script", "tool", "garbage", "garbage to look at", "garbage and failure", "killed", "traceback"],
)
def test_a_fault_of_the_tool_on_the_machine_is_reported(
    remote: RemoteOperator, break_machine: Callable[[FlyMachine], object], request_: Request, reason: str, hint: str
) -> None:
    break_machine(remote.deploy())
    result = remote.run_request(request_)
    assert reason in result.describe()
    assert hint in result.describe()
    assert "Nothing was changed." in result.describe()


def test_lines_that_are_not_events_are_ignored(remote: RemoteOperator) -> None:
    remote.deploy().edit(
        "tasks/runner/execution/plan_run.py", "yield StepFinished(", "print('{\\n[]\\nhello'); yield StepFinished("
    )
    assert remote.run_request().error is None
    assert remote.operator.read_tables() == ["a"]


@pytest.mark.parametrize("command", ["migrate", "rollback", "status"])
def test_events_of_a_newer_format_are_refused_before_anything_runs(remote: RemoteOperator, command: str) -> None:
    remote.operator.migrate()
    remote.deploy().edit("tasks/runner/events/registry.py", "EVENT_FORMAT = 1", "EVENT_FORMAT = 2")
    result = remote.run_request(Request(command))
    assert isinstance(result.error, RefusedError)
    assert "the machine has a newer version of this tool" in result.error.message
    assert result.error.hint == "Run git pull first."
    assert remote.operator.read_tables() == ["a"]


def test_a_ledger_of_a_newer_format_is_refused(remote: RemoteOperator) -> None:
    remote.operator.migrate()
    remote.operator.database.execute("UPDATE schema_migrations_meta SET value = '99' WHERE key = 'format'")
    remote.deploy()
    result = remote.run_request()
    assert [event.exit_code for event in result.pick(ErrorRaised)] == [3]
    assert "Pull" in result.describe()


def test_a_machine_without_a_database_url_is_reported(remote: RemoteOperator) -> None:
    remote.deploy().change_environment(DATABASE_URL=None)
    assert "the machine has no DATABASE_URL" in remote.run_request().describe()


def test_the_outcome_of_a_crashed_run_is_read_from_the_log(remote: RemoteOperator) -> None:
    remote.deploy().edit(
        "tasks/runner/execution/plan_run.py", "yield StepFinished(", "raise ValueError('broken'); yield StepFinished("
    )
    result = remote.run_request()
    assert "the process on the machine died: ValueError: broken" in result.describe()
    assert result.error is not None
    assert result.error.state == f"Applied and recorded before: {A}."


def test_the_folder_of_the_app_can_be_configured(remote: RemoteOperator) -> None:
    machine = remote.deploy()
    moved = machine.app.rename(machine.folder.disk / "my app")
    assert "no folder" in remote.run_request().describe()
    remote.variables["FLY_APP_DIR"] = str(moved)
    assert remote.run_request().error is None


def test_a_session_that_starts_in_the_folder_of_the_app_works(remote: RemoteOperator) -> None:
    remote.deploy(starts_in_app=True)
    assert remote.run_request().error is None


def test_a_full_disk_on_the_machine_does_not_stop_a_run(remote: RemoteOperator) -> None:
    remote.deploy(disk_megabytes=16).fill_disk()
    assert remote.run_request().error is None


def test_concurrent_runs_of_two_engineers_run_one_after_the_other(remote: RemoteOperator, tmp_path: Path) -> None:
    remote.operator.write(A, GATED)
    remote.deploy(variables={"LOCK_TIMEOUT": f"{LIMIT_S}s"})
    with gate_closed(remote.operator.database) as gate:
        first = remote.operator.project.start_inv("db.migrate", "--env=staging", env=remote.env | {"MIGRATE_ACTOR": "grace"})
        await_waiting_at_gate(remote.operator.database)
        second = remote.run_request(callbacks={LockAwaited: gate.close})
    assert first.wait(LIMIT_S) == 0
    assert second.error is None
    assert [event.steps for event in second.pick(RunFinished)] == [0]
    assert remote.operator.read_status().rows[0].applied_by == "grace"
