"""Which commit the files of a run were at, from a real git repository."""

import os
import subprocess

import pytest

from tests.kit.projects import Project
from tests.runner.operating import A, Operator


@pytest.fixture
def commit(operator: Operator, monkeypatch: pytest.MonkeyPatch) -> str:
    """Give the commit of a repository in the project's folder, with one migration."""
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    operator.write_tables(A)
    run_git(operator.project, "init", "--quiet")
    run_git(operator.project, "add", ".")
    run_git(operator.project, "-c", "user.name=Ada", "-c", "user.email=ada@example.org", "commit", "--quiet", "-m", "one")
    return run_git(operator.project, "rev-parse", "HEAD")


def run_git(project: Project, *arguments: str) -> str:
    environment = {**os.environ, "HOME": str(project.root), "GIT_CONFIG_NOSYSTEM": "1"}
    result = subprocess.run(["git", *arguments], cwd=project.root, env=environment, capture_output=True, text=True, check=True)
    return result.stdout.strip()


def read_revisions(operator: Operator) -> list[tuple[str | None, bool | None]]:
    return operator.database.query("SELECT DISTINCT git_revision, git_dirty FROM schema_migrations_log")


def test_the_log_names_the_commit_of_the_files(operator: Operator, commit: str) -> None:
    operator.migrate()
    assert read_revisions(operator) == [(commit, False)]


@pytest.mark.parametrize("name", [A, "20250109000000_new"])
def test_a_changed_or_new_file_makes_the_revision_dirty(operator: Operator, commit: str, name: str) -> None:
    operator.write(name, "CREATE TABLE changed ();")
    operator.migrate()
    assert read_revisions(operator) == [(commit, True)]


def test_a_change_elsewhere_in_the_repository_does_not(operator: Operator, commit: str) -> None:
    (operator.project.root / "notes.txt").write_text("about something else")
    operator.migrate()
    assert read_revisions(operator) == [(commit, False)]


def test_a_repository_without_a_commit_has_no_revision(operator: Operator) -> None:
    run_git(operator.project, "init", "--quiet")
    operator.write_tables(A)
    operator.migrate()
    assert read_revisions(operator) == [(None, True)]


def test_without_a_repository_the_environment_may_name_the_commit(operator: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    operator.write_tables(A)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(operator.project.root))
    monkeypatch.setenv("GIT_REVISION", "c0ffee")
    operator.migrate()
    assert read_revisions(operator) == [("c0ffee", None)]


def test_without_git_nothing_is_known(operator: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    operator.write_tables(A)
    monkeypatch.setenv("PATH", str(operator.project.root))
    monkeypatch.delenv("GIT_REVISION", raising=False)
    operator.migrate()
    assert read_revisions(operator) == [(None, None)]
