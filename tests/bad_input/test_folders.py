"""Folders of migrations with files that cannot be used."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.bad_input.refusals import MARK, NEXT, V, refuse_unchanged
from tests.kit.databases import Database
from tests.kit.projects import REPOSITORY, Project
from tests.kit.waiting import LIMIT_S

ONLY = " in the description: only a-z, A-Z, 0-9, '_' and '-' are allowed"


def test_all_invalid_files_are_listed_at_once(project: Project, database: Database) -> None:
    up, down = project.migrations / "up", project.migrations / "down"
    for name in (V, "20251301000000_thirteenth", "next", "20250101000000_same", "20250103000000_ctrl\x1b[31m"):
        project.write_up(name, MARK)
    project.write_down("20250104000000_lone", MARK)
    (up / "20250105000000_folder.sql").mkdir()
    (up / "x.sql").mkdir()
    (up / "20250106000000_link.sql").symlink_to("nowhere")
    (up / "20250107000000_loop.sql").symlink_to("20250107000000_loop.sql")
    (up / "20250108000000_loud.SQL").write_text(MARK)
    (up / os.fsdecode(b"20250109000000_\xff.sql")).write_text(MARK)
    os.mkfifo(up / "20250110000000_pipe.sql")
    (down / "20250111000000_folder.sql").mkdir()
    (project.migrations / "beside.sql").write_text(MARK)
    for left_out in (up / "_draft.sql", up / ".swap.sql", up / "README.md", project.migrations / "schema.sql"):
        left_out.write_text("no SQL")
    refusal = refuse_unchanged(project, database)
    head, *problems = refusal.error.message.splitlines()
    assert head == "14 files in migrations cannot be used:"
    assert [problem.strip() for problem in problems] == [
        "migrations/up/20250103000000_ctrl\\x1b[31m.sql: '\\x1b'" + ONLY,
        "migrations/up/20250105000000_folder.sql: is a directory",
        "migrations/up/20250106000000_link.sql: is a broken link",
        "migrations/up/20250107000000_loop.sql: cannot be read: Too many levels of symbolic links",
        "migrations/up/20250108000000_loud.SQL: the suffix must be .sql in lower case",
        "migrations/up/20250109000000_\\udcff.sql: '\\udcff'" + ONLY,
        "migrations/up/20250110000000_pipe.sql: is not a regular file",
        "migrations/up/20251301000000_thirteenth.sql: month 13 does not exist (01 to 12)",
        "migrations/up/next.sql: no timestamp: rename to YYYYMMDDHHMMSS_description.sql",
        "migrations/up/x.sql: no timestamp: rename to YYYYMMDDHHMMSS_description.sql",
        "migrations/down/20250111000000_folder.sql: is a directory",
        "migrations/beside.sql: is beside up/ and would never run; move it to up/",
        "migrations/down/20250104000000_lone.sql: has no up/20250104000000_lone.sql",
        "20250101000000_first.sql, 20250101000000_same.sql: equal timestamps; change one of them to a later timestamp",
    ]


def without(folder: str) -> Callable[[Project], None]:
    return lambda project: shutil.rmtree(project.root / folder)


def with_file_for(folder: str) -> Callable[[Project], None]:
    def prepare(project: Project) -> None:
        shutil.rmtree(project.root / folder)
        (project.root / folder).write_text("")

    return prepare


def with_broken_link(project: Project) -> None:
    (project.migrations / "up").rmdir()
    (project.migrations / "up").symlink_to("nowhere")


def with_lone_down(project: Project) -> None:
    (project.migrations / "up").rmdir()
    project.write_down(V, MARK)


@pytest.mark.parametrize(
    ("prepare", "message"),
    [
        (without("migrations"), "there is no migrations folder migrations"),
        (with_file_for("migrations"), "there is no migrations folder migrations"),
        (with_file_for("migrations/up"), "migrations/up: cannot be read: Not a directory"),
        (with_broken_link, "migrations/up: is a broken link"),
        (with_lone_down, f"migrations/down/{V}.sql: has no up/{V}.sql"),
    ],
    ids=["no_folder", "file_for_folder", "file_for_up", "broken_link", "lone_down"],
)
def test_a_path_that_is_not_a_folder_is_refused(
    project: Project, database: Database, prepare: Callable[[Project], None], message: str
) -> None:
    prepare(project)
    assert message in refuse_unchanged(project, database).error.message


@pytest.mark.parametrize("folders", [("migrations/up",), ("migrations/down",), ("migrations/up", "migrations/down")])
def test_a_folder_that_git_did_not_keep_because_it_was_empty_counts_as_empty(
    project: Project, database: Database, folders: tuple[str, ...]
) -> None:
    for folder in folders:
        (project.root / folder).rmdir()
    assert "Found 0 migration files" in project.migrate(check=0).stdout
    assert database.query("SELECT to_regclass('schema_migrations')") == [(None,)]


def test_a_rollback_of_a_flat_folder_names_the_way_to_add_down_files(project: Project, database: Database) -> None:
    for folder in ("up", "down"):
        (project.migrations / folder).rmdir()
    (project.migrations / f"{V}.sql").write_text(MARK)
    (project.migrations / "_draft.sql").write_text("no SQL")
    project.migrate(check=0)
    refusal = refuse_unchanged(project, database, "rollback")
    assert f"{V} cannot be rolled back" in refusal.error.message
    assert "Move the files of this flat folder to up/" in refusal.error.hint


def test_files_without_permission_are_all_named(project: Project, database: Database) -> None:
    """Root ignores permissions, so the process drops that capability."""
    for version in (V, NEXT):
        project.write_up(version, MARK).chmod(0)
    result = run_with_permissions_that_bind(project)
    assert result.returncode == 3, result.stderr
    assert "these files cannot be read:" in result.stderr
    for version in (V, NEXT):
        assert f"migrations/up/{version}.sql: Permission denied" in result.stderr
    assert "Check their permissions" in result.stderr
    assert database.query("SELECT to_regclass('schema_migrations')") == [(None,)]


def test_a_folder_without_permission_is_named(project: Project) -> None:
    folder = project.migrations / "up"
    folder.chmod(0)
    result = run_with_permissions_that_bind(project)
    folder.chmod(0o755)
    assert result.returncode == 3, result.stderr
    assert "migrations/up: cannot be read: Permission denied" in result.stderr


def run_with_permissions_that_bind(project: Project) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, str(REPOSITORY / "scripts" / "migrate.py")]
    if os.geteuid() == 0:
        setpriv = shutil.which("setpriv")
        if setpriv is None:
            pytest.skip("as root, files without permission can only be had with setpriv")
        rights = "-dac_override,-dac_read_search"
        command = [setpriv, f"--bounding-set={rights}", f"--inh-caps={rights}", *command]
    environment = {"PATH": os.defpath, "LC_ALL": "C.UTF-8", "DATABASE_URL": project.database_url}
    return subprocess.run(
        command,
        cwd=project.root,
        env=environment | {"MIGRATIONS_DIR": "migrations"},
        capture_output=True,
        encoding="utf-8",
        timeout=LIMIT_S,
        check=False,
    )


def test_a_name_that_is_too_long_for_a_file_system_is_refused_at_creation(project: Project) -> None:
    longest = "a" * 236
    assert "is longer than 236 characters (237)" in project.inv("db.new", longest + "a", check=2).stderr
    assert list(project.migrations.rglob("*.sql")) == []
    project.inv("db.new", longest, check=0)
    names = [path.name for path in project.migrations.rglob("*.sql")]
    assert [len(name) for name in names] == [255, 255]


@pytest.mark.parametrize("seed", ["one.sql", "001_loud.SQL", "001_folder.sql/"])
def test_invalid_seeds_are_refused(project: Project, database: Database, seed: str) -> None:
    path = project.seeds / seed
    project.write_seed("000_good", MARK)
    if seed.endswith("/"):
        path.mkdir()
    else:
        path.write_text(MARK)
    refusal = refuse_unchanged(project, database, "seed")
    assert f"seeds/{Path(seed).name}: " in refusal.error.message
    assert "001_users.sql" in refusal.error.hint
