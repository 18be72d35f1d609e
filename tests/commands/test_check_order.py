"""db.check-order: new migrations are compared with the newest one of a base branch."""

import json
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tasks.checkout.order import list_versions, redate
from tests.kit.projects import Project

OLD, NEWEST = "20250101000000_old", "20250601000000_newest"
LATE, NEW = "20250301000000_late", "20260101000000_new"
NOW = datetime(2026, 5, 1, tzinfo=UTC)
NO_GIT = {"GITHUB_BASE_REF": "", "GITHUB_ACTIONS": ""}


def git(project: Project, *arguments: str) -> None:
    """Run git in the project's folder with an identity."""
    identity = ("-c", "user.name=me", "-c", "user.email=me@example.com", "-c", "init.defaultBranch=main")
    subprocess.run(["git", *identity, *arguments], cwd=project.root, check=True, capture_output=True)


def commit(project: Project) -> None:
    """Commit all files."""
    git(project, "add", "--force", "migrations")
    git(project, "commit", "--quiet", "--message=more")


def write(project: Project, *versions: str) -> None:
    """Write both files of versions."""
    for version in versions:
        project.write_up(version, "SELECT 1;")
        project.write_down(version, "SELECT 1;")


@pytest.fixture
def project(project: Project) -> Project:
    """Return a project on a branch that begins at a base branch with two migrations."""
    git(project, "init", "--quiet")
    write(project, OLD, NEWEST)
    commit(project)
    git(project, "checkout", "--quiet", "-b", "more")
    return project


def check(project: Project, *arguments: str, code: int, **env: str) -> "subprocess.CompletedProcess[str]":
    """Run the command."""
    return project.inv("db.check-order", *arguments, env=NO_GIT | env, check=code)


def test_a_new_migration_that_is_newer_than_the_base_passes(project: Project) -> None:
    write(project, NEW)
    assert check(project, code=0).stdout == f"✅ 1 new migration: newer than {NEWEST}, the newest of main\n"


def test_a_branch_without_new_migrations_passes(project: Project) -> None:
    assert check(project, code=0).stdout == "✅ No new migration since main\n"


def test_the_printed_commands_put_a_late_migration_in_order(project: Project) -> None:
    write(project, LATE)
    commit(project)
    write(project, NEW)
    result = check(project, code=4)
    assert f"❌ {LATE} is not newer than {NEWEST}, the newest migration of main" in result.stdout
    for line in result.stdout.splitlines():
        if "mv " in line:
            subprocess.run(["bash", "-ec", line], cwd=project.root, check=True)
    found = sorted(path.stem.partition("_")[2] for path in (project.migrations / "up").iterdir())
    assert found == ["late", "new", "newest", "old"]
    assert check(project, code=0).stdout.startswith("✅ 2 new migrations: newer")
    downs = sorted(path.name for path in (project.migrations / "down").iterdir())
    assert downs == sorted(path.name for path in (project.migrations / "up").iterdir())


def test_a_migration_that_the_base_got_meanwhile_makes_an_older_one_late(project: Project) -> None:
    write(project, LATE.replace("2025", "2026"))
    commit(project)
    git(project, "checkout", "--quiet", "main")
    write(project, "20260401000000_meanwhile")
    commit(project)
    git(project, "checkout", "--quiet", "more")
    result = check(project, "--base=main", "--json", code=4)
    event = json.loads(result.stdout)
    assert (event["kind"], event["late"], event["newest"]) == (
        "order_checked",
        [LATE.replace("2025", "2026")],
        "20260401000000_meanwhile",
    )


def test_a_renamed_migration_of_the_base_is_not_new(project: Project) -> None:
    (project.migrations / "up" / f"{OLD}.sql").rename(project.migrations / "up" / f"{LATE}.sql")
    (project.migrations / "down" / f"{OLD}.sql").rename(project.migrations / "down" / f"{LATE}.sql")
    (project.migrations / "renames.toml").write_text(f'[renames]\n"{OLD}" = "{LATE}"\n')
    assert check(project, code=0).stdout == "✅ No new migration since main\n"


def test_on_the_merge_commit_of_a_pull_request_the_base_is_its_first_parent(project: Project) -> None:
    write(project, LATE)
    commit(project)
    git(project, "checkout", "--quiet", "main")
    git(project, "merge", "--quiet", "--no-ff", "--message=merge", "more")
    git(project, "checkout", "--quiet", "--detach")
    git(project, "branch", "--delete", "--force", "main")
    result = check(project, code=4, GITHUB_BASE_REF="main", GITHUB_ACTIONS="true", GITHUB_WORKSPACE=str(project.root))
    assert "the newest migration of HEAD^1" in result.stdout
    assert result.stderr.startswith(f"::error file=migrations/up/{LATE}.sql,line=1,title=db.check-order::not newer than {NEWEST}")


@pytest.mark.parametrize("base", ["nowhere", "--upload-pack=x", "main:migrations"])
def test_a_base_that_git_does_not_know_is_wrong_usage(project: Project, base: str) -> None:
    assert f"git does not know the base {base!r}" in check(project, f"--base={base}", code=2).stderr


def test_a_folder_outside_of_git_has_no_base(project: Project, tmp_path: Path) -> None:
    (project.root / ".git").rename(tmp_path / "elsewhere")
    assert "is not in a git repository" in check(project, code=2).stderr


def test_a_late_migration_moves_the_new_ones_after_it_in_their_order() -> None:
    moves = redate([NEW, LATE], [OLD, NEWEST], now=NOW)
    assert [(move.version, move.proposed, move.late) for move in moves] == [
        (LATE, "20260501000000_late", True),
        (NEW, "20260501000001_new", False),
    ]
    assert redate([NEW], [OLD, NEWEST], now=NOW) == []


@pytest.mark.parametrize(
    "names",
    [
        (f"up/{OLD}.sql", f"down/{NEWEST}.sql", "up/_draft.sql", "schema.sql", f"{NEW}.sql"),
        (f"{OLD}.sql", "notes.md", "003_legacy.sql"),
    ],
)
def test_the_up_files_of_a_commit_are_its_versions(names: tuple[str, ...]) -> None:
    assert list_versions(names) == {OLD}
