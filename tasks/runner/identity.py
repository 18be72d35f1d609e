"""Who runs what: the facts about a run that the ledger's log keeps."""

from __future__ import annotations

import getpass
import os
import socket
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

TOOL_VERSION = "0.1.0"

LEDGER_FORMAT = 2
"""The format of the ledger's tables; a database that says a newer one is refused."""


def _read_actor() -> str:
    """Name the person: MIGRATE_ACTOR where somebody runs this for another, else the operating system's user."""
    given = os.environ.get("MIGRATE_ACTOR", "").strip()
    if given:
        return given[:255]
    try:
        return getpass.getuser()[:255]
    except (KeyError, OSError):
        return f"uid {os.getuid()}"


def _make_run_id() -> str:
    """Make a random UUID (RFC 9562, version 4); the library's own brings the platform module, a tenth of our imports."""
    number = int.from_bytes(os.urandom(16), "big")
    text = f"{number & ~(0xF << 76) & ~(3 << 62) | 4 << 76 | 2 << 62:032x}"
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


@dataclass(frozen=True, slots=True)
class Identity:
    """Name one run: its id, the person, the machine and the tool."""

    run_id: str = field(default_factory=_make_run_id)
    actor: str = field(default_factory=_read_actor)
    host: str = field(default_factory=socket.gethostname)
    tool_version: str = TOOL_VERSION


@dataclass(frozen=True, slots=True)
class Revision:
    """Name the commit of the files that ran, and whether the tree differed from it."""

    commit: str = ""
    dirty: bool | None = None


def read_revision(directory: Path) -> Revision:
    """Ask git which commit a folder is at; an empty Revision where there is no git or no repository."""
    try:
        answer = subprocess.run(
            ["git", "status", "--porcelain=v2", "--branch", "--untracked-files=normal", "--", "."],
            cwd=directory,
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0"},
        )
    except (OSError, subprocess.TimeoutExpired):
        return Revision(commit=os.environ.get("GIT_REVISION", "")[:64])
    if answer.returncode != 0:
        return Revision(commit=os.environ.get("GIT_REVISION", "")[:64])
    lines = answer.stdout.splitlines()
    commit = next((line.split()[-1] for line in lines if line.startswith("# branch.oid ")), "")
    return Revision(commit="" if commit == "(initial)" else commit, dirty=any(not line.startswith("#") for line in lines))
