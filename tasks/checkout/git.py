"""The history of a file in git, and moves with git. Without git the history is empty and files are moved on disk only."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

from tasks.runner.errors import RunnerError
from tasks.runner.files.checkout import show_path
from tasks.runner.identity import copy_environment_for_git

_TIMEOUT_S = 60


@dataclass(frozen=True, slots=True)
class FirstCommit:
    """The first commit of a file, and when it was authored (UTC)."""

    commit: str
    at: datetime


class Repository:
    """The git repository of a folder; `exists` is False if the folder is not in a work tree."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @cached_property
    def exists(self) -> bool:
        """Return True if git is installed and the folder is in a work tree."""
        return self._ask("rev-parse", "--is-inside-work-tree") == "true"

    @cached_property
    def boundary(self) -> frozenset[str]:
        """Return the commits at which a shallow clone ends: files that they seem to add may be much older.

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
        """Return the first commit of a file, through renames; None for a file that git does not track."""
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
        """Return True if a file is in the index of git, even if it is not on disk."""
        return self.exists and bool(self._ask("ls-files", "--", str(path.absolute())))

    @cached_property
    def root(self) -> Path | None:
        """Return the root of the work tree; None without git."""
        answer = self._ask("rev-parse", "--show-toplevel")
        return Path(answer) if answer else None

    def find_commit(self, revision: str) -> str:
        """Return the commit that a revision names, or an empty text if there is none."""
        return self._ask("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")

    def find_merge_base(self, commit: str) -> str:
        """Return the newest commit that HEAD and a commit have in common; empty if a shallow clone does not contain it."""
        return self._ask("merge-base", "HEAD", commit)

    def list_committed(self, commit: str, folder: Path) -> list[str]:
        """Return the files of a folder in a commit, relative to the folder, which need not exist in the work tree."""
        root = self.root
        if root is None or not folder.resolve().is_relative_to(root.resolve()):
            return []
        path = folder.resolve().relative_to(root.resolve()).as_posix()
        listed = Repository(root)._ask(
            "ls-tree", "-r", "-z", "--name-only", "--full-tree", f"{commit}:{'' if path == '.' else path}"
        )
        return [name for name in listed.split("\0") if name]

    def list_files(self) -> tuple[Path | None, list[str]]:
        """Return the root of the work tree, and the paths that git tracks or does not ignore; None and no paths without git."""
        root = self.root
        if root is None or not root.is_dir():
            return None, []
        listed = Repository(root)._ask("ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate")
        return (root, [name for name in listed.split("\0") if name]) if listed else (None, [])

    def move(self, source: Path, target: Path) -> None:
        """Move a file on the disk and in the index."""
        self._run_checked("mv", "--", str(source.absolute()), str(target.absolute()))

    def remove(self, path: Path) -> None:
        """Remove a file from the disk, and from the index if git tracks it."""
        if self.tracks(path):
            self._run_checked("rm", "--quiet", "--force", "--", str(path.absolute()))
        else:
            path.unlink()

    def record_move(self, source: Path, target: Path) -> None:
        """Move a file in the index only; it was moved on disk before."""
        self._run_checked("add", "--force", "--", str(target.absolute()))
        self._run_checked("rm", "--quiet", "--cached", "--", str(source.absolute()))

    def _ask(self, *arguments: str) -> str:
        """Return the output of git, or an empty text if it fails."""
        result = self._run(arguments)
        return result.stdout.strip() if result is not None and result.returncode == 0 else ""

    def _run_checked(self, *arguments: str) -> None:
        result = self._run(arguments)
        if result is None or result.returncode != 0:
            output = result.stderr.strip() if result is not None else "git is not installed, or timed out"
            raise RunnerError(
                f"git {arguments[0]} in {show_path(self._folder)} failed: {output}",
                hint="Fix the cause, then run the same command again: it resumes where this one stopped.",
                state="Files that were moved before stay moved.",
            )

    def _run(self, arguments: tuple[str, ...]) -> subprocess.CompletedProcess[str] | None:
        try:
            return subprocess.run(
                ["git", "--literal-pathspecs", *arguments],
                cwd=self._folder,
                env={**copy_environment_for_git(), "LC_ALL": "C"},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                timeout=_TIMEOUT_S,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
