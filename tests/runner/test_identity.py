"""Who runs what: the id of a run, and the commit of its files, from a real git repository."""

import os
import subprocess
import uuid
from dataclasses import replace
from pathlib import Path

import pytest

from tasks.runner.identity import Identity, identify
from tasks.runner.retries import RetryPolicy
from tasks.runner.settings import Settings
from tests.kit.projects import Project
from tests.runner.operating import A, Operator


@pytest.fixture
def commit(operator: Operator, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the commit of a repository in the project's folder, with one migration."""
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


@pytest.mark.parametrize("variable", ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR"])
def test_another_repository_in_the_environment_is_ignored(
    operator: Operator, commit: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    subprocess.run(["git", "init", "--quiet", str(tmp_path / "other")], check=True)
    monkeypatch.setenv(variable, str(tmp_path / "other" / ".git"))
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


def test_without_a_repository_the_commit_is_that_of_git_revision(operator: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    operator.write_tables(A)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(operator.project.root))
    monkeypatch.setenv("GIT_REVISION", "c0ffee")
    operator.migrate()
    assert read_revisions(operator) == [("c0ffee", None)]


def test_without_git_there_is_no_revision(operator: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    operator.write_tables(A)
    monkeypatch.setenv("PATH", str(operator.project.root))
    monkeypatch.delenv("GIT_REVISION", raising=False)
    operator.migrate()
    assert read_revisions(operator) == [(None, None)]


def test_the_id_of_a_run_is_a_random_uuid() -> None:
    first, second = Identity().run_id, Identity().run_id
    assert first != second
    assert uuid.UUID(first).version == 4
    assert str(uuid.UUID(first)) == first


def test_the_actor_of_the_settings_takes_precedence_over_the_login(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "grace")
    settings = Settings("", Path("migrations"), Path("seeds"), RetryPolicy())
    assert identify(settings).actor == "grace"
    named = identify(replace(settings, actor="a" * 300), "run 1")
    assert (named.run_id, named.actor) == ("run 1", "a" * 255)
