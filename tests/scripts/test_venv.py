import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.kit.projects import REPOSITORY

TOOLS = ("bash", "cat", "cksum", "dirname", "head", "rm")
LOCKS = ("requirements.lock", "requirements-dev.lock")
OLD_PYTHON = """\
#!{bash}
case $1 in
--version) echo Python 3.9.18 ;;
*) exit 1 ;;
esac
"""
PYTHON_WITHOUT_VENV = """\
#!{bash}
case $2 in
*ensurepip*) exit 1 ;;
*) exec {python} "$@" ;;
esac
"""
# Creates a real .venv, but with a pip that only writes its arguments to a file: unpacking the real one takes fifteen seconds.
QUICK_PYTHON = """\
#!{python}
import os, pathlib, subprocess, sys
if sys.argv[1:3] == ["-m", "venv"]:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", sys.argv[3]], check=True)
    pip = next(pathlib.Path(sys.argv[3]).glob("lib/*/site-packages")).joinpath("pip.py")
    pip.write_text("import sys; print(*sys.argv[1:], file=open('installed', 'a'))")
else:
    os.execv(sys.executable, sys.argv)
"""

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """Return a folder, used as the PATH, with the programs that the scripts need except Python."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for tool in TOOLS:
        place = shutil.which(tool)
        assert place is not None
        (folder / tool).symlink_to(place)
    return folder


@pytest.fixture
def ensure_venv(tmp_path: Path, programs: Path) -> Run:
    """Return a function that creates .venv in a project with no requirements."""
    project = tmp_path / "my project"
    (project / "scripts").mkdir(parents=True)
    shutil.copy(REPOSITORY / "scripts" / "venv.sh", project / "scripts")
    for name in LOCKS:
        (project / name).write_text("# nothing\n")
    script = 'set -euo pipefail; source "$1"; shift; ensure_venv "$@"'

    def run(*groups: str) -> "subprocess.CompletedProcess[str]":
        command = [str(programs / "bash"), "-c", script, "onboard.sh", str(project / "scripts" / "venv.sh"), *groups]
        return subprocess.run(command, env={"PATH": str(programs)}, capture_output=True, text=True, check=False)

    return run


def add_program(folder: Path, name: str, text: str) -> Path:
    program = folder / name
    program.write_text(text.format(bash=folder / "bash", python=sys.executable))
    program.chmod(0o755)
    return program


def test_without_python_the_error_lists_the_names_that_were_looked_for(ensure_venv: Run) -> None:
    result = ensure_venv()
    assert result.returncode == 1
    assert "Python 3.11 or newer is required" in result.stderr
    assert "python3.14 python3.13 python3.12 python3.11 python3 python\n" in result.stderr


def test_an_unsupported_python_is_named_in_the_error(programs: Path, ensure_venv: Run) -> None:
    python = add_program(programs, "python3", OLD_PYTHON)
    result = ensure_venv()
    assert result.returncode == 1
    assert f"{python} cannot be used: Python 3.9.18" in result.stderr


def test_a_python_without_venv_is_named_with_the_missing_package(programs: Path, ensure_venv: Run) -> None:
    python = add_program(programs, "python3", PYTHON_WITHOUT_VENV)
    result = ensure_venv()
    assert result.returncode == 1
    assert f"{python} cannot create a virtual environment" in result.stderr
    assert f"apt install python3.{sys.version_info.minor}-venv" in result.stderr


def test_a_venv_is_created_once_and_again_when_the_requirements_change(tmp_path: Path, programs: Path, ensure_venv: Run) -> None:
    add_program(programs, "python3", QUICK_PYTHON)
    project = tmp_path / "my project"
    assert "Installing" in ensure_venv().stdout
    inode = (project / ".venv").stat().st_ino
    again = ensure_venv()
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")
    assert (project / ".venv").stat().st_ino == inode
    (project / "requirements.lock").write_text("# still nothing\n")
    changed = ensure_venv()
    assert (changed.returncode, changed.stdout.count("Installing")) == (0, 1)


def test_only_wheels_with_recorded_hashes_are_installed(tmp_path: Path, programs: Path, ensure_venv: Run) -> None:
    add_program(programs, "python3", QUICK_PYTHON)
    assert ensure_venv("dev").returncode == 0
    installed = (tmp_path / "my project" / "installed").read_text()
    locks = "--requirement requirements.lock --requirement requirements-dev.lock"
    assert installed.endswith(f"--require-hashes --only-binary :all: {locks}\n")


def test_the_packages_of_the_tests_are_added_to_a_venv_and_stay_in_it(tmp_path: Path, programs: Path, ensure_venv: Run) -> None:
    add_program(programs, "python3", QUICK_PYTHON)
    installed = tmp_path / "my project" / "installed"
    ensure_venv()
    assert LOCKS[1] not in installed.read_text()
    inode = (tmp_path / "my project" / ".venv").stat().st_ino
    assert ensure_venv("dev").stdout == "📦 Installing the requirements of the tests into .venv\n"
    assert LOCKS[1] in installed.read_text()
    assert [ensure_venv(*groups).stdout for groups in ((), ("dev",))] == ["", ""]
    assert (tmp_path / "my project" / ".venv").stat().st_ino == inode


def test_an_incomplete_venv_is_created_again(tmp_path: Path, programs: Path, ensure_venv: Run) -> None:
    add_program(programs, "python3", QUICK_PYTHON)
    project = tmp_path / "my project"
    (project / ".venv" / "bin").mkdir(parents=True)
    (project / ".venv" / "bin" / "python").symlink_to(sys.executable)
    result = ensure_venv()
    assert (result.returncode, result.stdout.count("Installing")) == (0, 1)
    assert (project / ".venv" / "pyvenv.cfg").exists()
