"""What git knows of a file, and moving files with it. Where there is no git, nothing is known and files are moved plainly."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

from tasks.runner.errors import RunnerError
from tasks.runner.files.checkout import show_path

_TIMEOUT_S = 60


@dataclass(frozen=True, slots=True)
class FirstCommit:
    """Name the commit with which a file came, and when it was authored (UTC)."""

    commit: str
    at: datetime


class Repository:
    """Ask git about the files of a folder; `exists` tells whether the folder is in a work tree."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @cached_property
    def exists(self) -> bool:
        """Tell whether there is git, and the folder is in a work tree."""
        return self._ask("rev-parse", "--is-inside-work-tree") == "true"

    @cached_property
    def boundary(self) -> frozenset[str]:
        """Give the commits at which a shallow clone ends: what they seem to add may be much older.

        https://git-scm.com/docs/shallow
        """
        if self._ask("rev-parse", "--is-shallow-repository") != "true":
            return frozenset()
        answer = self._ask("rev-parse", "--git-path", "shallow")
        try:
            return frozenset((self._folder / answer).read_text(encoding="ascii").split())
        except OSError:
            return frozenset()

    def find_first_commit(self, path: Path) -> FirstCommit | None:
        """Find the commit with which a file came, through renames; None for a file that git does not know."""
        if not self.exists:
            return None
        answer = self._ask(
            "log", "--follow", "--diff-filter=A", "--no-show-signature", "--format=%H %at", "--", str(path.absolute())
        )
        if not answer:
            return None
        commit, seconds = answer.splitlines()[-1].split()
        return FirstCommit(commit, datetime.fromtimestamp(int(seconds), UTC))

    def tracks(self, path: Path) -> bool:
        """Tell whether git's index has a file, whether it is on the disk or not."""
        return self.exists and bool(self._ask("ls-files", "--", str(path.absolute())))

    def move(self, source: Path, target: Path) -> None:
        """Move a file on the disk and in the index."""
        self._tell("mv", "--", str(source.absolute()), str(target.absolute()))

    def remove(self, path: Path) -> None:
        """Remove a file from the disk, and from the index if git knows it."""
        if self.tracks(path):
            self._tell("rm", "--quiet", "--force", "--", str(path.absolute()))
        else:
            path.unlink()

    def record_move(self, source: Path, target: Path) -> None:
        """Move a file in the index alone, which has been moved on the disk already."""
        self._tell("add", "--force", "--", str(target.absolute()))
        self._tell("rm", "--quiet", "--cached", "--", str(source.absolute()))

    def _ask(self, *arguments: str) -> str:
        """Give git's answer, or an empty one where it has none."""
        result = self._run(arguments)
        return result.stdout.strip() if result is not None and result.returncode == 0 else ""

    def _tell(self, *arguments: str) -> None:
        result = self._run(arguments)
        if result is None or result.returncode != 0:
            said = result.stderr.strip() if result is not None else "git is not there, or did not end"
            raise RunnerError(
                f"git {arguments[0]} in {show_path(self._folder)} failed: {said}",
                hint="Mend what git says, then run the same command again: it goes on where this one stopped.",
                state="The files that were moved before stay moved.",
            )

    def _run(self, arguments: tuple[str, ...]) -> subprocess.CompletedProcess[str] | None:
        try:
            return subprocess.run(
                ["git", "--literal-pathspecs", *arguments],
                cwd=self._folder,
                env={**os.environ, "LC_ALL": "C"},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                timeout=_TIMEOUT_S,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
