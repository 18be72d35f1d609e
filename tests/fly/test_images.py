"""What a machine's image may lack or have too much of, and what else may be there: each is named, with what to do."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tasks.runner.errors import RefusedError
from tasks.runner.events import ErrorRaised, LockAwaited, RunFinished
from tasks.runner.operations.requests import Request
from tests.fly.operating import MIGRATE, Far, work_far
from tests.kit.databases import Database
from tests.kit.fly.images import Image
from tests.kit.fly.machines import Machine
from tests.kit.fly.world import FlyWorld
from tests.kit.projects import Project
from tests.runner.operating import A
from tests.stress.blocking import PASS_GATE, await_waiting_at_gate, gate_closed

GATED = f"CREATE TABLE a ();\n{PASS_GATE}\n"
STATUS = Request("status")
GARBAGE = "print('<html>', flush=True)\nraise SystemExit({})\n"


@pytest.fixture
def far(fly: FlyWorld, project: Project, database: Database) -> Iterator[Far]:
    with work_far(fly, project, database) as far:
        far.operator.write_tables(A)
        yield far


def replace_program(text: str) -> Callable[[Machine], object]:
    return lambda machine: (machine.app / "scripts" / "migrate.py").write_text(text)


def remove(name: str) -> Callable[[Machine], object]:
    return lambda machine: (machine.app / name).rename(machine.folder.disk / "removed")


def die_in_files(machine: Machine) -> None:
    machine.edit(
        "tasks/runner/operations/files.py",
        "yield FilesRead(",
        "__import__('os').kill(__import__('os').getpid(), 9); yield FilesRead(",
    )


def edit_command(old: str, new: str) -> Callable[[Machine], None]:
    return lambda machine: machine.edit("tasks/console/script.py", old, new)


@pytest.mark.parametrize(
    ("image", "reason", "hint"),
    [
        (Image(has_app=False), "staging: the image has no folder /app", "FLY_APP_DIR"),
        (Image(has_python=False), "", ""),
        (Image(packages=()), "the image's Python lacks a package of the runner (", "RUN pip install -c requirements.txt psycopg"),
        (Image(packages=("psycopg", "typing_extensions")), "lacks a package", "psycopg-binary pglast"),
    ],
    ids=["app", "python", "packages", "library"],
)
def test_what_an_image_lacks_is_named(far: Far, image: Image, reason: str, hint: str) -> None:
    machine = far.deploy(image=image)
    if not image.has_python:
        machine.change_environment(PATH=link_programs(machine, "env"))
        reason, hint = "the image has no python on its PATH", "Python 3.11"
    ended = far.run_request()
    assert reason in ended.describe()
    assert hint in ended.describe()
    assert "Nothing was changed." in ended.describe()


def link_programs(machine: Machine, *names: str) -> str:
    folder = machine.folder.disk / "few"
    folder.mkdir()
    for name in names:
        (folder / name).symlink_to(f"/usr/bin/{name}")
    return str(folder)


@pytest.mark.parametrize(
    ("spoil", "request_", "reason", "hint"),
    [
        (edit_command('add("files"', 'add("list"'), MIGRATE, "an older version of this tool", "Deploy first"),
        (edit_command('"--heartbeat"', '"--pulse"'), STATUS, "an older version of this tool", "Deploy first"),
        (remove("scripts/migrate.py"), STATUS, "has no scripts/migrate.py in /app", "--upload"),
        (remove("tasks/runner"), STATUS, "has no tasks/ beside scripts/", "Deploy"),
        (replace_program(GARBAGE.format(0)), MIGRATE, "ended with exit code 0 and without a known event", "inv env.check"),
        (replace_program(GARBAGE.format(0)), STATUS, "ended with exit code 0 and without a known event", "inv env.check"),
        (replace_program(GARBAGE.format(3)), STATUS, "ended with exit code 3 and without a known event", "<html>"),
        (die_in_files, MIGRATE, "the connection to staging was lost: it was closed", "Run the same command again"),
        (replace_program("raise ValueError('FlyV1 fm2_abc')"), STATUS, "ValueError: ***", "inv env.check"),
    ],
    ids=["command", "flag", "script", "tool", "garbage", "garbage to look at", "garbage and failure", "killed", "traceback"],
)
def test_what_is_wrong_with_the_tool_over_there_is_named(
    far: Far, spoil: Callable[[Machine], object], request_: Request, reason: str, hint: str
) -> None:
    spoil(far.deploy())
    ended = far.run_request(request_)
    assert reason in ended.describe()
    assert hint in ended.describe()
    assert "Nothing was changed." in ended.describe()


def test_lines_between_the_events_do_not_matter(far: Far) -> None:
    far.deploy().edit("tasks/runner/execution/plan_run.py", "yield StepFinished(", "print('{\\n[]\\nhello'); yield StepFinished(")
    assert far.run_request().error is None
    assert far.operator.read_tables() == ["a"]


@pytest.mark.parametrize("command", ["migrate", "rollback", "status"])
def test_events_of_a_newer_format_are_refused_before_anything_runs(far: Far, command: str) -> None:
    far.operator.migrate()
    far.deploy().edit("tasks/runner/events/running.py", "EVENT_FORMAT = 1", "EVENT_FORMAT = 2")
    ended = far.run_request(Request(command))
    assert isinstance(ended.error, RefusedError)
    assert "the machine has a newer version of this tool" in ended.error.message
    assert ended.error.hint == "Run git pull first."
    assert far.operator.read_tables() == ["a"]


def test_a_ledger_of_a_newer_format_is_refused(far: Far) -> None:
    far.operator.migrate()
    far.operator.database.execute("UPDATE schema_migrations_meta SET value = '99' WHERE key = 'format'")
    far.deploy()
    ended = far.run_request()
    assert [event.exit_code for event in ended.pick(ErrorRaised)] == [3]
    assert "Pull" in ended.describe()


def test_a_machine_without_a_database_url_says_so(far: Far) -> None:
    far.deploy().change_environment(DATABASE_URL=None)
    assert "the machine has no DATABASE_URL" in far.run_request().describe()


def test_a_run_that_breaks_down_is_looked_up_in_the_log(far: Far) -> None:
    far.deploy().edit(
        "tasks/runner/execution/plan_run.py", "yield StepFinished(", "raise ValueError('broken'); yield StepFinished("
    )
    ended = far.run_request()
    assert "the process on the machine died: ValueError: broken" in ended.describe()
    assert ended.error is not None
    assert ended.error.state == f"Applied and recorded before: {A}."


def test_where_the_app_is_can_be_said(far: Far) -> None:
    machine = far.deploy()
    moved = machine.app.rename(machine.folder.disk / "my app")
    assert "no folder" in far.run_request().describe()
    far.variables["FLY_APP_DIR"] = str(moved)
    assert far.run_request().error is None


def test_a_session_that_begins_in_the_app_works_as_well(far: Far) -> None:
    far.deploy(starts_in_app=True)
    assert far.run_request().error is None


def test_a_full_disk_over_there_does_not_stop_a_run(far: Far) -> None:
    far.deploy(disk_megabytes=16).fill_disk()
    assert far.run_request().error is None


def test_two_engineers_at_once_go_one_after_the_other(far: Far, tmp_path: Path) -> None:
    far.operator.write(A, GATED)
    far.deploy(variables={"LOCK_TIMEOUT": "60s"})
    with gate_closed(far.operator.database) as gate:
        first = far.operator.project.start_inv("db.migrate", "--env=staging", env=far.env | {"MIGRATE_ACTOR": "grace"})
        await_waiting_at_gate(far.operator.database)
        second = far.run_request(deeds={LockAwaited: gate.close})
    assert first.wait(60) == 0
    assert second.error is None
    assert [event.steps for event in second.pick(RunFinished)] == [0]
    assert far.operator.read_status().rows[0].applied_by == "grace"
