"""The migration files on a machine and in the checkout: compared before a run, or uploaded for one run."""

import hashlib
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.fly.upload import _pack, check_same_files
from tasks.runner.errors import RefusedError, ReportedError, RunnerError
from tasks.runner.events import FilesRead, RunFinished
from tasks.runner.files.checkout import Migrations, read_migrations
from tasks.runner.operations.requests import Request
from tests.fly.operating import RemoteOperator, operate_remotely
from tests.kit.databases import Database
from tests.kit.fly.images import Image
from tests.kit.fly.world import FlyWorld
from tests.kit.projects import REPOSITORY, Project
from tests.runner.operating import A, B, C

SMALL_DISK_MEGABYTES = 16
"""The megabytes of a small disk; the tool needs less."""


@pytest.fixture
def remote(fly: FlyWorld, project: Project, database: Database) -> Iterator[RemoteOperator]:
    with operate_remotely(fly, project, database) as remote:
        yield remote


def make_files(**checksums: str) -> Migrations:
    return Migrations(Path("migrations"), False, checksums, frozenset())


def read(**files: str) -> FilesRead:
    return FilesRead(tuple(files), tuple(files.values()), "1", 1)


@pytest.mark.parametrize(
    ("checkout_files", "image_files", "message", "hint"),
    [
        ("abc", "a", "staging's image lacks 2 migrations that this checkout has: b, c", "Deploy first."),
        ("abcdefgh", "a", "staging's image lacks 7 migrations that this checkout has: b, c, d, e, f, …", "--upload"),
        ("a", "ab", "staging's image has 1 migration that this checkout lacks: b", "Run git pull first."),
        ("a", "A", "staging's image differs in 1 migration from this checkout: a", "Check out the commit that is deployed"),
    ],
)
def test_a_difference_is_reported_with_the_next_step(checkout_files: str, image_files: str, message: str, hint: str) -> None:
    with pytest.raises(RefusedError) as refused:
        check_same_files(
            make_files(**{name: name for name in checkout_files}),
            read(**{name.lower(): name for name in image_files}),
            environment="staging",
        )
    assert refused.value.message == message
    assert hint in refused.value.hint


def test_all_differences_are_reported_at_once() -> None:
    with pytest.raises(RefusedError) as refused:
        check_same_files(make_files(a="1", b="1"), read(b="2", c="1"), environment="staging")
    assert len(refused.value.message.splitlines()) == len(refused.value.hint.splitlines()) == 3


def test_identical_files_pass() -> None:
    check_same_files(make_files(a="1", b="2"), read(b="2", a="1"), environment="staging")
    with pytest.raises(RefusedError):
        check_same_files(make_files(a="1"), read(a="2"), environment="staging")


def test_other_line_ends_in_the_image_are_no_difference(tmp_path: Path) -> None:
    (tmp_path / "up").mkdir()
    here, there = b"SELECT 1;\r\nSELECT 2;\r\n", b"SELECT 1;\nSELECT 2;\n"
    (tmp_path / "up" / f"{A}.sql").write_bytes(here)
    files = read_migrations(tmp_path)
    check_same_files(files, read(**{A: hashlib.sha256(there).hexdigest()}), environment="staging")
    with pytest.raises(RefusedError, match="differs in 1 migration"):
        check_same_files(files, read(**{A: hashlib.sha256(there[:-1]).hexdigest()}), environment="staging")


def test_nothing_runs_if_the_image_lacks_migrations(remote: RemoteOperator) -> None:
    remote.operator.write_tables(A)
    remote.deploy()
    remote.operator.write_tables(B, C)
    result = remote.run_request()
    assert isinstance(result.error, RefusedError)
    assert result.error.message == f"staging's image lacks 2 migrations that this checkout has: {B}, {C}"
    assert remote.operator.read_tables() == []
    assert ["files" in command for command in remote.machine.commands] == [True]


def test_invalid_files_on_the_machine_are_reported(remote: RemoteOperator) -> None:
    remote.operator.write_tables(A)
    remote.deploy()
    (remote.machine.app / "migrations" / "up" / "late.sql").touch()
    result = remote.run_request()
    assert isinstance(result.error, ReportedError)
    assert result.error.exit_code == 3
    assert "late.sql" in result.describe()


def test_new_migrations_run_after_a_deploy(remote: RemoteOperator) -> None:
    remote.deploy()
    remote.operator.write_tables(A)
    assert isinstance(remote.run_request().error, RefusedError)
    remote.machine.deploy(remote.operator.project.root)
    assert remote.run_request().error is None
    assert remote.operator.read_tables() == ["a"]


def test_a_rollback_does_not_compare_the_files(remote: RemoteOperator) -> None:
    remote.operator.write_tables(A, B)
    remote.operator.migrate()
    remote.operator.remove(B)
    remote.deploy()
    remote.operator.write_tables(C)
    assert remote.run_request(Request("rollback")).error is None
    assert remote.operator.read_tables() == ["a"]


def test_an_upload_runs_the_files_of_the_checkout_and_removes_them(remote: RemoteOperator) -> None:
    remote.operator.write_tables(A)
    machine = remote.deploy(variables={"MIGRATIONS_DIR": "/nowhere", "SEEDS_DIR": "/nowhere"})
    remote.operator.write_tables(B)
    remote.operator.project.write_seed("001_one", "INSERT INTO b VALUES (1);")
    remote.operator.project.write_seed("staging/001_one", "INSERT INTO b VALUES (2);")
    remote.operator.project.write_seed("prod/001_one", "INSERT INTO b VALUES (3);")
    assert remote.run_request(upload=True).error is None
    assert remote.run_request(Request("seed"), upload=True).error is None
    assert remote.operator.database.query("TABLE b") == [(1,), (2,)]
    assert [path.name for path in (machine.app / "migrations" / "up").iterdir()] == [f"{A}.sql"]
    remote.assert_clean()


SENT = {
    "migrations/renames.toml",
    "migrations/schema.sql",
    f"migrations/up/{A}.sql",
    f"migrations/down/{A}.sql",
    "seeds/001_one.sql",
    "seeds/staging/001_one.sql",
}
NOT_SENT = (
    *(".env", ".env.local", "prod_backup.dump", ".git/config"),
    *("up/.hidden.sql", "up/_old.sql", "up/notes.txt", "up/x.py", "a/b.sql"),
)


def test_an_upload_sends_what_a_run_reads_and_nothing_else(project: Project, tmp_path: Path) -> None:
    project.write_up(A, "SELECT 1;")
    project.write_down(A, "SELECT 1;")
    for name in ("001_one", "staging/001_one", "prod/001_one"):
        project.write_seed(name, "SELECT 1;")
    for folder in (project.migrations, project.seeds):
        for name in NOT_SENT:
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("secret")
    (project.migrations / "renames.toml").write_text("[renames]\n")
    (project.migrations / "schema.sql").write_text("")
    (project.migrations / "up" / "_link.sql").symlink_to("/etc/passwd")
    code = tmp_path / "project"
    copy_code(code)
    for name in (".env.local", "dump", ".git/config", "x.pyc", "__pycache__/y.pyc"):
        path = code / "tasks" / "runner" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("secret")
    (code / "tasks" / "runner" / "link.py").symlink_to("/etc/passwd")
    (code / "tasks" / "runner" / "linked").symlink_to("/etc")
    with tarfile.open(fileobj=_pack(code, project.migrations, project.seeds, "staging")) as archive:
        files = [member for member in archive.getmembers() if not member.isdir()]
    names = {member.name for member in files}
    assert {name for name in names if name.startswith(("migrations", "seeds"))} == SENT
    expected = {str(path.relative_to(REPOSITORY)) for path in list_code()}
    assert {name for name in names if name.startswith(("tasks", "scripts"))} == expected
    assert all(member.isreg() and (member.mode, member.uid, member.uname) == (0o644, 0, "") for member in files)


@pytest.mark.parametrize("name", [f"up/{A}.sql", f"down/{A}.sql", "up", "renames.toml", "seed", "staging"])
def test_an_upload_through_a_link_is_refused(project: Project, tmp_path: Path, name: str) -> None:
    project.write_up(A, "SELECT 1;")
    project.write_down(A, "SELECT 1;")
    project.write_seed("001_one", "SELECT 1;")
    project.write_seed("staging/001_one", "SELECT 1;")
    seeds = {"seed": project.seeds / "001_one.sql", "staging": project.seeds / "staging"}
    path = seeds.get(name, project.migrations / name)
    if path.exists():
        path.rename(tmp_path / "moved")
    path.symlink_to(tmp_path / "moved")
    if not (tmp_path / "moved").exists():
        (tmp_path / "moved").touch()
    with pytest.raises(RefusedError, match=r"is a link to .*, and nothing is sent through a link"):
        _pack(REPOSITORY, project.migrations, project.seeds, "staging")


def list_code() -> Iterator[Path]:
    """Yield the files that run on a machine."""
    yield REPOSITORY / "scripts" / "migrate.py"
    yield REPOSITORY / "tasks" / "__init__.py"
    for name in ("console", "runner", "catalog", "postgres"):
        for suffix in (".py", ".sql"):
            found = (REPOSITORY / "tasks" / name).rglob(f"*{suffix}")
            yield from (path for path in found if "server" not in path.parts)


def copy_code(target: Path) -> None:
    for path in list_code():
        copy = target / path.relative_to(REPOSITORY)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())


def test_an_upload_needs_no_app_in_the_image(remote: RemoteOperator) -> None:
    remote.operator.write_tables(A)
    remote.deploy(image=Image(has_app=False))
    assert [event.steps for event in remote.run_request(upload=True).pick(RunFinished)] == [1]
    remote.assert_clean()


def test_an_upload_is_removed_when_the_run_fails(remote: RemoteOperator) -> None:
    remote.operator.write(A, "SELECT 1/0;")
    remote.deploy(image=Image(has_app=False))
    result = remote.run_request(upload=True)
    assert isinstance(result.error, ReportedError)
    assert result.error.exit_code == 1
    remote.assert_clean()


def test_an_upload_to_a_full_disk_fails_and_leaves_no_files(remote: RemoteOperator) -> None:
    remote.operator.write_tables(A)
    remote.deploy(disk_megabytes=SMALL_DISK_MEGABYTES).fill_disk()
    result = remote.run_request(upload=True)
    assert isinstance(result.error, RunnerError)
    assert "this checkout could not be uploaded to the machine" in result.error.message
    assert "disk of the machine" in result.error.hint
    assert remote.operator.read_tables() == []
    remote.assert_clean()
