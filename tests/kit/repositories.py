"""A git repository for one test, without the user's settings."""

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True)
class TestRepository:
    """A work tree, and the commands that a test runs in it."""

    __test__ = False

    root: Path

    def git(self, *arguments: str, at: str = "2025-03-01T12:00:00Z") -> str:
        """Run git as of a moment, and return its output."""
        environment = {**os.environ, "GIT_AUTHOR_DATE": at, "GIT_COMMITTER_DATE": "2025-12-31T00:00:00Z"}
        return subprocess.run(
            ["git", *arguments], cwd=self.root, env=environment, capture_output=True, text=True, check=True
        ).stdout

    def write(self, files: Mapping[str, str]) -> None:
        """Write files by their paths."""
        for name, text in files.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def commit(self, at: str = "2025-03-01T12:00:00Z", **files: str) -> str:
        """Write files, named with __ for / and without .sql, and commit everything as of a moment."""
        self.write({f"{name.replace('__', '/')}.sql": text for name, text in files.items()})
        self.git("add", "--all", at=at)
        self.git("commit", "--quiet", "--message", "change", at=at)
        return self.git("rev-parse", "HEAD").strip()


def isolate_git(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    """Make git read no settings except those of this function."""
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    settings = {"HOME": str(home), "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    identity = {f"GIT_{who}_{what}": "ada@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    for name, value in {**settings, **identity}.items():
        monkeypatch.setenv(name, value)


def make_repository(root: Path) -> TestRepository:
    """Make an empty repository."""
    root.mkdir(parents=True, exist_ok=True)
    repository = TestRepository(root)
    repository.git("init", "--quiet")
    return repository
