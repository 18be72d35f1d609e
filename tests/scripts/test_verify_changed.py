"""scripts/verify-changed.sh, the hook of pre-commit, run as pre-commit does: in the repository, with the changed files."""

import subprocess
from pathlib import Path

import pytest
import yaml  # type: ignore[import-untyped]

from tests.kit.checkouts import Checkout, make_checkout
from tests.kit.databases import Database
from tests.kit.projects import REPOSITORY
from tests.runner.operating import A, B, C


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    """Return a repository with three migrations, of which the last is broken."""
    checkout = make_checkout(tmp_path / "checkout")
    for version, name in ((A, "a"), (B, "b")):
        checkout.write_up(version, f"CREATE TABLE {name} ();")
        checkout.write_down(version, f"DROP TABLE {name};")
    checkout.write_up(C, "CREATE TABLE c ();")
    checkout.write_down(C, "SELECT 1;")
    git(checkout, "init", "--quiet")
    git(checkout, "add", ".")
    git(checkout, "commit", "--quiet", "--message=more")
    return checkout


def git(checkout: Checkout, *arguments: str) -> None:
    """Run git with an identity."""
    checkout.run(["git", "-c", "user.name=me", "-c", "user.email=me@example.com", *arguments], check=0)


def run_hook(checkout: Checkout, database: Database, *files: str, code: int) -> "subprocess.CompletedProcess[str]":
    """Run the hook's entry with the names of the files."""
    (hook,) = yaml.safe_load((REPOSITORY / ".pre-commit-hooks.yaml").read_text())
    assert (hook["language"], hook["always_run"]) == ("script", True)
    return checkout.run(
        [str(checkout.root / hook["entry"]), *files], env={"SCRATCH_DATABASE_URL": database.server.url()}, check=code
    )


def test_only_the_changed_migrations_are_verified(checkout: Checkout, database: Database) -> None:
    files = [f"migrations/up/{B}.sql", f"migrations/down/{B}.sql", f"migrations/down/{A}.sql", "README.md"]
    result = run_hook(checkout, database, *files, code=0)
    assert result.stdout.startswith("Verifying 2 of 3 migrations (those selected)")


def test_a_finding_fails_the_commit(checkout: Checkout, database: Database) -> None:
    result = run_hook(checkout, database, f"migrations/down/{C}.sql", code=4)
    assert f"❌ {C}: down does not restore the schema" in result.stdout


@pytest.mark.parametrize("files", [(), ("README.md", "docs/up/a.sql"), ("migrations/up/_draft.sql", "migrations/schema.sql")])
def test_a_commit_without_migrations_passes_at_once(checkout: Checkout, database: Database, files: tuple[str, ...]) -> None:
    (checkout.root / ".venv" / "bin" / "inv").unlink()
    assert run_hook(checkout, database, *files, code=0).stdout == ""


def test_a_commit_that_removes_only_the_down_file_is_verified(checkout: Checkout, database: Database) -> None:
    git(checkout, "rm", "--quiet", f"migrations/down/{B}.sql")
    result = run_hook(checkout, database, code=4)
    assert f"❌ {B}: " in result.stdout


def test_a_commit_that_removes_a_migration_passes(checkout: Checkout, database: Database) -> None:
    git(checkout, "rm", "--quiet", f"migrations/down/{C}.sql", f"migrations/up/{C}.sql")
    assert run_hook(checkout, database, code=0).stdout == ""
