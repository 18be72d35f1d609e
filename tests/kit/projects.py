"""A project folder with migrations and seeds, and the tool's commands as processes that work on it."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from tests.kit.dialogues import run_dialogue
from tests.kit.forkserver import Running, run_process, start_process
from tests.kit.waiting import LIMIT_S

REPOSITORY = Path(__file__).parents[2]

_OBSERVED = """
import runpy, sys
sys.argv = ["migrate.py", *sys.argv[1:]]
try:
    runpy.run_path("{script}", run_name="__main__")
finally:
    {observation}
"""


@dataclass(frozen=True)
class Project:
    """A temporary project folder and the database that its commands work on."""

    root: Path
    database_url: str
    scratch_url: str = ""
    _started: list[Running] = field(default_factory=list, repr=False)

    @property
    def migrations(self) -> Path:
        """Return the folder of `up` and `down`."""
        return self.root / "migrations"

    @property
    def seeds(self) -> Path:
        """Return the folder of the seeds."""
        return self.root / "seeds"

    def at(self, database_url: str) -> "Project":
        """Return the same project with another database."""
        return replace(self, database_url=database_url)

    def write_up(self, version: str, text: str | bytes) -> Path:
        """Write the up file of a version."""
        return _write(self.migrations / "up" / f"{version}.sql", text)

    def write_down(self, version: str, text: str | bytes) -> Path:
        """Write the down file of a version."""
        return _write(self.migrations / "down" / f"{version}.sql", text)

    def write_seed(self, name: str, text: str | bytes) -> Path:
        """Write a seed; the name may begin with the folder of an environment."""
        return _write(self.seeds / f"{name}.sql", text)

    def migrate(
        self,
        *arguments: str,
        env: dict[str, str] | None = None,
        check: int | None = None,
        input: str | None = None,
        timeout: float = LIMIT_S,
    ) -> "subprocess.CompletedProcess[str]":
        """Run `scripts/migrate.py`. With `check`, fail unless it exits with that code."""
        return self._run(_migrate_command(arguments), env, check, input, timeout)

    def inv(
        self,
        *arguments: str,
        env: dict[str, str] | None = None,
        check: int | None = None,
        input: str | None = None,
        timeout: float = LIMIT_S,
    ) -> "subprocess.CompletedProcess[str]":
        """Run `inv` with the tasks of the repository. With `check`, fail unless it exits with that code."""
        return self._run(_inv_command(arguments), env, check, input, timeout)

    def answer_inv(self, *arguments: str, answers: Sequence[str], env: dict[str, str] | None = None) -> tuple[int, str]:
        """Run `inv` in a terminal, answer its questions, and return exit code and output."""
        return run_dialogue(_inv_command(arguments), answers, cwd=self.root, environment=self._environment(env))

    def start(self, *arguments: str, env: dict[str, str] | None = None) -> Running:
        """Start `scripts/migrate.py` and return the running process. It is killed after the test if it still runs."""
        return self._start(_migrate_command(arguments), env)

    def start_inv(self, *arguments: str, env: dict[str, str] | None = None) -> Running:
        """Start `inv` and return the running process, likewise."""
        return self._start(_inv_command(arguments), env)

    def observe(self, observation: str, *arguments: str) -> str:
        """Run `scripts/migrate.py` in a new Python, then the code of an observation, and return what that prints on stderr."""
        result = subprocess.run(
            [
                sys.executable,
                "-c",
                _OBSERVED.format(script=REPOSITORY / "scripts/migrate.py", observation=observation),
                *arguments,
            ],
            cwd=self.root,
            env=self._environment(None),
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.returncode == 0, result.stderr
        return result.stderr

    def _start(self, command: list[str], env: dict[str, str] | None) -> Running:
        process = start_process(command, cwd=self.root, environment=self._environment(env))
        self._started.append(process)
        return process

    def end_processes(self) -> None:
        """Kill the started processes that still run."""
        for process in self._started:
            process.kill()
            process.communicate()

    def _run(
        self, command: list[str], env: dict[str, str] | None, check: int | None, text: str | None, timeout: float
    ) -> "subprocess.CompletedProcess[str]":
        result = run_process(command, cwd=self.root, environment=self._environment(env), input=text or "", timeout=timeout)
        assert check is None or result.returncode == check, (
            f"exit code {result.returncode}, not {check}\nstdout:\n{result.stdout}\nstderr:\n{result.stderr}"
        )
        return result

    def _environment(self, additions: dict[str, str] | None) -> dict[str, str]:
        clean = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(self.root),
            "LC_ALL": "C.UTF-8",
            "TMPDIR": tempfile.gettempdir(),
            "DATABASE_URL": self.database_url,
            "WATCH_DRIFT": "off",
            "MIGRATIONS_DIR": str(self.migrations),
            "SEEDS_DIR": str(self.seeds),
        }
        scratch = {"SCRATCH_DATABASE_URL": self.scratch_url} if self.scratch_url else {}
        return clean | scratch | (additions or {})


def make_project(root: Path, database_url: str, scratch_url: str = "") -> Project:
    """Make the empty folders of a project."""
    for folder in ("migrations/up", "migrations/down", "seeds"):
        (root / folder).mkdir(parents=True)
    return Project(root, database_url, scratch_url)


def _inv_command(arguments: tuple[str, ...]) -> list[str]:
    return [sys.executable, "-m", "invoke", "--search-root", str(REPOSITORY), *arguments]


def _migrate_command(arguments: tuple[str, ...]) -> list[str]:
    return [sys.executable, str(REPOSITORY / "scripts" / "migrate.py"), *arguments]


def _write(path: Path, text: str | bytes) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path
