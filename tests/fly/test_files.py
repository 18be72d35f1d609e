"""The files on a machine and those here: compared before anything runs, or sent there for one run."""

from collections.abc import Iterator

import pytest

from tasks.fly.upload import check_same_files
from tasks.runner.errors import RefusedError, ReportedError, RunnerError
from tasks.runner.events import FilesRead, RunFinished
from tasks.runner.operations.requests import Request
from tests.fly.operating import Far, work_far
from tests.kit.databases import Database
from tests.kit.fly.images import Image
from tests.kit.fly.world import FlyWorld
from tests.kit.projects import Project
from tests.runner.operating import A, B, C

FULL = 16
"""How many megabytes a small disk has; the tool needs less."""


@pytest.fixture
def far(fly: FlyWorld, project: Project, database: Database) -> Iterator[Far]:
    with work_far(fly, project, database) as far:
        yield far


def read(**files: str) -> FilesRead:
    return FilesRead(tuple(files), tuple(files.values()), "1", 1)


@pytest.mark.parametrize(
    ("here", "there", "message", "hint"),
    [
        ("abc", "a", "staging's image lacks 2 migrations that this checkout has: b, c", "Deploy first."),
        ("abcdefgh", "a", "staging's image lacks 7 migrations that this checkout has: b, c, d, e, f, …", "--upload"),
        ("a", "ab", "staging's image has 1 migration that this checkout lacks: b", "Run git pull first."),
        ("a", "A", "staging's image differs in 1 migration from this checkout: a", "Check out the commit that is deployed"),
    ],
)
def test_what_differs_is_named_with_what_to_do(here: str, there: str, message: str, hint: str) -> None:
    with pytest.raises(RefusedError) as refused:
        check_same_files({name: name for name in here}, read(**{name.lower(): name for name in there}), environment="staging")
    assert refused.value.message == message
    assert hint in refused.value.hint


def test_all_differences_are_named_at_once() -> None:
    with pytest.raises(RefusedError) as refused:
        check_same_files({"a": "1", "b": "1"}, read(b="2", c="1"), environment="staging")
    assert len(refused.value.message.splitlines()) == len(refused.value.hint.splitlines()) == 3


def test_equal_files_pass() -> None:
    check_same_files({"a": "1", "b": "2"}, read(b="2", a="1"), environment="staging")
    with pytest.raises(RefusedError):
        check_same_files({"a": "1"}, read(a="2"), environment="staging")


def test_nothing_runs_where_the_image_lacks_migrations(far: Far) -> None:
    far.operator.write_tables(A)
    far.deploy()
    far.operator.write_tables(B, C)
    ended = far.run_request()
    assert isinstance(ended.error, RefusedError)
    assert ended.error.message == f"staging's image lacks 2 migrations that this checkout has: {B}, {C}"
    assert far.operator.read_tables() == []
    assert ["files" in command for command in far.machine.commands] == [True]


def test_what_is_wrong_with_the_files_over_there_is_said(far: Far) -> None:
    far.operator.write_tables(A)
    far.deploy()
    (far.machine.app / "migrations" / "up" / "late.sql").touch()
    ended = far.run_request()
    assert isinstance(ended.error, ReportedError)
    assert ended.error.exit_code == 3
    assert "late.sql" in ended.describe()


def test_after_the_deploy_they_run(far: Far) -> None:
    far.deploy()
    far.operator.write_tables(A)
    assert isinstance(far.run_request().error, RefusedError)
    far.machine.deploy(far.operator.project.root)
    assert far.run_request().error is None
    assert far.operator.read_tables() == ["a"]


def test_a_rollback_needs_no_equal_files(far: Far) -> None:
    far.operator.write_tables(A, B)
    far.operator.migrate()
    far.operator.remove(B)
    far.deploy()
    far.operator.write_tables(C)
    assert far.run_request(Request("rollback")).error is None
    assert far.operator.read_tables() == ["a"]


def test_an_upload_runs_this_checkouts_files_and_removes_them(far: Far) -> None:
    far.operator.write_tables(A)
    machine = far.deploy(variables={"MIGRATIONS_DIR": "/nowhere", "SEEDS_DIR": "/nowhere"})
    far.operator.write_tables(B)
    far.operator.project.write_seed("001_one", "INSERT INTO b VALUES (1);")
    assert far.run_request(upload=True).error is None
    assert far.run_request(Request("seed"), upload=True).error is None
    assert far.operator.database.query("TABLE b") == [(1,)]
    assert [path.name for path in (machine.app / "migrations" / "up").iterdir()] == [f"{A}.sql"]
    far.assert_clean()


def test_an_upload_needs_no_app_in_the_image(far: Far) -> None:
    far.operator.write_tables(A)
    far.deploy(image=Image(has_app=False))
    assert [event.steps for event in far.run_request(upload=True).pick(RunFinished)] == [1]
    far.assert_clean()


def test_an_upload_is_removed_when_the_run_fails(far: Far) -> None:
    far.operator.write(A, "SELECT 1/0;")
    far.deploy(image=Image(has_app=False))
    ended = far.run_request(upload=True)
    assert isinstance(ended.error, ReportedError)
    assert ended.error.exit_code == 1
    far.assert_clean()


def test_an_upload_to_a_full_disk_says_so_and_leaves_nothing(far: Far) -> None:
    far.operator.write_tables(A)
    far.deploy(disk_megabytes=FULL).fill_disk()
    ended = far.run_request(upload=True)
    assert isinstance(ended.error, RunnerError)
    assert "this checkout could not be uploaded to the machine" in ended.error.message
    assert "disk full" in ended.error.hint
    assert far.operator.read_tables() == []
    far.assert_clean()
