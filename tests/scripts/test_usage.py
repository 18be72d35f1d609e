"""The usage of the shell scripts, in a folder without .venv: printing it must not install or change anything."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.kit.projects import REPOSITORY

SOURCED = "venv.sh"
SCRIPTS = sorted(path.name for path in (REPOSITORY / "scripts").glob("*.sh") if path.name != SOURCED)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a folder with a copy of the scripts and nothing else."""
    shutil.copytree(REPOSITORY / "scripts", tmp_path / "project" / "scripts", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path / "project"


def run(project: Path, script: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run a script, and fail if it left a file behind."""
    before = sorted(project.rglob("*"))
    command = [str(project / "scripts" / script), *arguments]
    environment = {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(project)}
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert sorted(project.rglob("*")) == before
    return result


@pytest.mark.parametrize("arguments", [("--help",), ("-h",), ("staging", "--help")])
@pytest.mark.parametrize("script", SCRIPTS)
def test_help_prints_the_usage_and_changes_nothing(project: Path, script: str, arguments: tuple[str, ...]) -> None:
    result = run(project, script, *arguments)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.startswith(f"Usage: ./scripts/{script}")


@pytest.mark.parametrize(
    ("script", "arguments"),
    [
        ("onboard.sh", ("--hlep",)),
        ("onboard.sh", ("staging",)),
        ("create-migration.sh", ()),
        ("create-migration.sh", ("--nmae", "add_x")),
        ("deploy.sh", ()),
        ("deploy.sh", ("--yse", "staging")),
        ("install-into.sh", ()),
        ("install-into.sh", ("--dry-run",)),
        ("install-into.sh", ("../shop", "--dryrun")),
        ("install-into.sh", ("../shop", "../other")),
        ("download-servers.sh", ("17",)),
        ("verify-changed.sh", ("--migration",)),
    ],
)
def test_wrong_arguments_print_the_usage_on_stderr_and_change_nothing(
    project: Path, script: str, arguments: tuple[str, ...]
) -> None:
    result = run(project, script, *arguments)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith(f"Usage: ./scripts/{script}")
