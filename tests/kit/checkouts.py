"""A checkout for one test: the tool, its scripts and its .venv in a folder where the test can write .env files and commit."""

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.kit.forkserver import run_process
from tests.kit.projects import REPOSITORY
from tests.kit.waiting import LIMIT_S

_FOLDERS = ("tasks", "scripts")
_FILES = ("tasks.py", "requirements.lock", ".gitignore")


@dataclass(frozen=True)
class Checkout:
    """A copy of the tool without migrations, with a stand-in for the .venv that the scripts make."""

    root: Path

    def write_env(self, environment: str = "", **settings: str) -> None:
        """Write the .env file of an environment, or the one that all share."""
        text = "".join(f"{name}={value}\n" for name, value in settings.items())
        (self.root / f".env{environment and f'.{environment}'}").write_text(text)

    def write_up(self, version: str, text: str) -> Path:
        """Write the up file of a version."""
        return self._write("up", version, text)

    def write_down(self, version: str, text: str) -> Path:
        """Write the down file of a version."""
        return self._write("down", version, text)

    def _write(self, folder: str, version: str, text: str) -> Path:
        path = self.root / "migrations" / folder / f"{version}.sql"
        path.write_text(text)
        return path

    def inv(
        self, *arguments: str, env: Mapping[str, str] | None = None, check: int | None = None
    ) -> "subprocess.CompletedProcess[str]":
        """Run `inv` in the checkout. With `check`, fail unless it exits with that code."""
        return self.run([sys.executable, "-m", "invoke", *arguments], env=env, check=check)

    def run(
        self,
        command: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        check: int | None = None,
        timeout: float = LIMIT_S,
    ) -> "subprocess.CompletedProcess[str]":
        """Run a command in the checkout, in an almost empty environment."""
        clean = {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(self.root), "LC_ALL": "C.UTF-8"}
        # In a folder that Git ignores: an account has its cache outside its checkouts.
        clean |= {"TMPDIR": tempfile.gettempdir(), "WATCH_DRIFT": "off", "XDG_CACHE_HOME": str(self.root / ".venv/cache")}
        result = run_process(command, cwd=self.root, environment=clean | dict(env or {}), timeout=timeout, own_tool=True)
        assert check is None or result.returncode == check, (result.returncode, result.stdout, result.stderr)
        return result


def make_checkout(root: Path) -> Checkout:
    """Copy the tool with the compiled files, so that the copy need not compile it."""
    for name in _FOLDERS:
        shutil.copytree(REPOSITORY / name, root / name, ignore=shutil.ignore_patterns("*.pyc.*"))
    for name in _FILES:
        shutil.copy2(REPOSITORY / name, root)
    for name in ("migrations/up", "migrations/down", "seeds", ".venv/bin"):
        (root / name).mkdir(parents=True)
    for name, words in (("python", []), ("inv", ["-m", "invoke"]), ("invoke", ["-m", "invoke"])):
        program = root / ".venv" / "bin" / name
        program.write_text(f'#!/bin/sh\nexec {shlex.join([sys.executable, *words])} "$@"\n')
        program.chmod(0o755)
    checkout = Checkout(root)
    checkout.run(["bash", "-c", "source scripts/venv.sh && describe_venv requirements.lock >.venv/.made-from"], check=0)
    return checkout
