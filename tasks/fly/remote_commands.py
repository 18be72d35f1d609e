"""Command lines for a machine on Fly, each wrapped in /bin/sh -c.

Fly's ssh server splits a command into words and executes it without a shell, so `cd`, `&&` and `$VARIABLE` need one. `-c`, not
`-lc`: a login shell resets PATH on Debian, which removes an image's virtual environment from it.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence

PID_PREFIX = "migrate-pid "
ALIVE = "migrate-process lives"
NO_FOLDER = "no such folder on the machine"
NO_PYTHON = "no python on the PATH"
_FIND_PYTHON = f'python=$(command -v python || command -v python3) || {{ echo "{NO_PYTHON}" >&2; exit 127; }}'


def wrap(script: str) -> str:
    """Return a shell script as one command line."""
    return f"/bin/sh -c {shlex.quote(script)}"


def quote_folder(folder: str) -> str:
    """Return a folder quoted for the shell on the machine; an empty one means APP_DIR of the machine, or else /app."""
    return shlex.quote(folder) if folder else '"${APP_DIR:-/app}"'


def build_script(folder: str, arguments: Sequence[str], settings: Mapping[str, str]) -> str:
    """Return the script that prints its process id and then executes scripts/migrate.py in a folder."""
    return "; ".join((*_enter(folder), f'echo "{PID_PREFIX}$$"', f"exec {_call(arguments, settings)}"))


def build_temporary_script(folder: str, arguments: Sequence[str], settings: Mapping[str, str]) -> str:
    """Return the script that runs scripts/migrate.py in a folder and then removes the folder, even if the connection is lost."""
    return "; ".join(
        (
            *_enter(folder),
            f'{_call(arguments, settings)} & echo "{PID_PREFIX}$!"',
            "wait $!",
            "code=$?",
            "cd /",
            f"rm -rf {quote_folder(folder)}",
            "exit $code",
        )
    )


def build_search(run_id: str, *, end: bool) -> str:
    """Return the script that prints whether the process of a run exists on this machine, and ends it if `end` is set.

    The brackets keep the pattern from matching the command line that it is part of.
    """
    pattern = f"--run-id=[{run_id[0]}]{run_id[1:]}"
    ask = " file=${file#/proc/}; kill -TERM ${file%/cmdline};" if end else ""
    return f"for file in $(grep -zlsx -e '{pattern}' /proc/[0-9]*/cmdline); do echo {ALIVE};{ask} done"


def _enter(folder: str) -> tuple[str, str]:
    return f'cd {quote_folder(folder)} || {{ echo "{NO_FOLDER}" >&2; exit 126; }}', _FIND_PYTHON


def _call(arguments: Sequence[str], settings: Mapping[str, str]) -> str:
    assignments = " ".join(f"{name}={shlex.quote(value)}" for name, value in settings.items())
    words = " ".join(shlex.quote(word) for word in arguments)
    return f'env {assignments} "$python" scripts/migrate.py {words}'
