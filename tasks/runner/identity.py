"""Who runs what: the facts about a run that the ledger's log records."""

from __future__ import annotations

import getpass
import os
import socket
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tasks.runner.settings import read_actor, read_process, read_text, replace_undecodable

if TYPE_CHECKING:
    from tasks.runner.settings import Settings

TOOL_VERSION = "0.1.0"

LEDGER_FORMAT = 2
"""The format of the ledger: it changes only if an older tool can no longer use the ledger, and that tool then refuses it."""

LEDGER_ADDITIONS = 4
"""The number of additions to the format: tables, columns, keys and wider constraints, which older tools ignore."""

PLAN_ID_LENGTH = 12
"""The number of hexadecimal digits in the identity of a plan."""

_LONGEST_ACTOR = 255
_LONGEST_COMMIT = 64
"""The sizes of the ledger's columns."""


_NAMES_REPOSITORY = frozenset(
    {
        "GIT_DIR",
        "GIT_WORK_TREE",
        "GIT_INDEX_FILE",
        "GIT_COMMON_DIR",
        "GIT_OBJECT_DIRECTORY",
        "GIT_ALTERNATE_OBJECT_DIRECTORIES",
        "GIT_PREFIX",
        "GIT_NAMESPACE",
        "GIT_SHALLOW_FILE",
    }
)


def _make_run_id() -> str:
    """Return a random UUID of version 4, as uuid.uuid4(): that module imports platform, which takes longer than all hashing.

    https://www.rfc-editor.org/rfc/rfc9562#name-uuid-version-4
    """
    number = bytearray(os.urandom(16))
    number[6] = number[6] & 0x0F | 0x40
    number[8] = number[8] & 0x3F | 0x80
    digits = number.hex()
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def _find_actor() -> str:
    return _choose_actor(read_actor(read_process()))


def _choose_actor(name: str) -> str:
    """Return the name that is set, or else that of the operating system's user."""
    return replace_undecodable(name or _read_login())[:_LONGEST_ACTOR]


def _read_login() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"


@dataclass(frozen=True, slots=True)
class Identity:
    """A run's id, the person who runs it, the machine and the version of the tool."""

    run_id: str = field(default_factory=_make_run_id)
    actor: str = field(default_factory=_find_actor)
    host: str = field(default_factory=socket.gethostname)
    tool_version: str = TOOL_VERSION


class Revision(NamedTuple):
    """The commit of the files that ran, and whether the working tree differed from it."""

    commit: str = ""
    dirty: bool | None = None


def identify(settings: Settings, run_id: str = "") -> Identity:
    """Return the identity of a run with these settings, with a new id if none is given."""
    return Identity(run_id or _make_run_id(), _choose_actor(settings.actor))


def read_revision(directory: Path) -> Revision:
    """Return the commit that git has checked out in a folder.

    Without git or a repository it is the one that GIT_REVISION names, if any.
    """
    try:
        answer = subprocess.run(
            ["git", "status", "--porcelain=v2", "--branch", "--untracked-files=normal", "--", "."],
            cwd=directory,
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
            env={**copy_environment_for_git(), "GIT_OPTIONAL_LOCKS": "0"},
        )
    except (OSError, subprocess.TimeoutExpired):
        return _read_named_revision()
    if answer.returncode != 0:
        return _read_named_revision()
    lines = answer.stdout.splitlines()
    commit = next((line.split()[-1] for line in lines if line.startswith("# branch.oid ")), "")
    return Revision(commit="" if commit == "(initial)" else commit, dirty=any(not line.startswith("#") for line in lines))


def copy_environment_for_git() -> dict[str, str]:
    """Return the environment without what names a repository, so that git finds that of the folder.

    A git hook has these variables, and they may name another repository. https://git-scm.com/docs/git#_the_git_repository
    """
    return {name: value for name, value in os.environ.items() if name not in _NAMES_REPOSITORY}


def _read_named_revision() -> Revision:
    return Revision(commit=read_text(read_process(), "GIT_REVISION")[:_LONGEST_COMMIT])
