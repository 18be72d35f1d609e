"""Both programs with an old Python, or without the packages that they need."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tasks.runner.events import ErrorRaised, from_json
from tests.kit.projects import REPOSITORY

SITE = Path(pytest.__file__).parents[1]
RUNNER_PACKAGES = ("psycopg", "psycopg_binary", "psycopg_binary.libs", "typing_extensions.py")
OLD = (
    "import runpy, sys; sys.version_info = (3, 9, 2, 'final', 0); sys.argv = sys.argv[1:]; "
    "runpy.run_path(sys.argv[0], run_name='__main__')"
)


def run(*command: str, packages: Path | None = None) -> "subprocess.CompletedProcess[str]":
    """Run a command of this Python without its packages, or with those of a folder."""
    environment = {"PATH": os.defpath, "DATABASE_URL": "postgresql://127.0.0.1:1/none", "PYTHONDONTWRITEBYTECODE": "1"}
    if packages:
        environment["PYTHONPATH"] = str(packages)
    return subprocess.run([sys.executable, "-S", *command], env=environment, capture_output=True, text=True, check=False)


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    """Return a folder with psycopg and Invoke, but without pglast."""
    for name in (*RUNNER_PACKAGES, "invoke"):
        (tmp_path / name).symlink_to(SITE / name)
    return tmp_path


SCRIPT = str(REPOSITORY / "scripts" / "migrate.py")
INVOKE = ("-m", "invoke", "--search-root", str(REPOSITORY))


@pytest.mark.parametrize("file", ["scripts/migrate.py", "tasks.py"])
def test_an_old_python_can_read_the_file_that_refuses_it(file: str) -> None:
    ast.parse((REPOSITORY / file).read_text(encoding="utf-8"), feature_version=(3, 6))


@pytest.mark.parametrize("flags", [(), ("--json",)])
def test_an_old_python_is_refused_in_a_line(flags: tuple[str, ...]) -> None:
    result = run("-c", OLD, SCRIPT, "status", *flags)
    assert result.returncode == 1
    assert result.stderr.startswith("ERROR: Python 3.11 or newer is required; this is 3.9.2 (")
    if flags:
        error = from_json(result.stdout)
        assert isinstance(error, ErrorRaised)
        assert error.exit_code == 1


def test_invoke_refuses_an_old_python_in_a_line(packages: Path) -> None:
    result = run("-c", OLD.replace("runpy.run_path(sys.argv[0]", "runpy.run_module('invoke'"), *INVOKE[1:], packages=packages)
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.startswith("ERROR: Python 3.11 or newer is required")


@pytest.mark.parametrize("command", ["migrate", "status"])
def test_a_missing_package_is_named_before_anything_is_done(command: str) -> None:
    result = run(SCRIPT, command, "--json")
    error = from_json(result.stdout)
    assert isinstance(error, ErrorRaised)
    assert (result.returncode, error.state) == (1, "Nothing was changed.")
    assert "lacks the packages psycopg and pglast" in error.message
    assert "pip install" in error.hint


def test_pglast_is_missed_although_nothing_is_pending(packages: Path) -> None:
    result = run(SCRIPT, "status", packages=packages)
    assert result.returncode == 1
    assert "lacks the package pglast" in result.stderr


def test_a_package_that_cannot_be_imported_is_named(tmp_path: Path) -> None:
    for name in ("psycopg", "pglast"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise ImportError('no pq wrapper available', name=__name__)")
    result = run(SCRIPT, "status", packages=tmp_path)
    assert result.returncode == 1
    assert result.stderr.startswith("❌ the package psycopg cannot be imported by this Python")
    assert "no pq wrapper available" in result.stderr


def test_the_files_are_listed_without_any_package() -> None:
    assert run(SCRIPT, "files").returncode == 0


def test_invoke_names_a_missing_package(packages: Path) -> None:
    result = run(*INVOKE, "db.status", packages=packages)
    assert result.returncode == 1
    assert "cannot be imported" in result.stderr or "lacks the package" in result.stderr
    assert "--only-binary :all: -r requirements.lock" in result.stderr
    assert "Traceback" not in result.stderr
