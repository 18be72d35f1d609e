"""Commands for a machine on which no shell runs them: one line, quoted, with a shell of our own.

Fly's ssh splits a command into words and executes it; `cd`, `&&` and `$VARIABLE` need /bin/sh -c round them. `-c`, not `-lc`: a
login shell resets PATH on Debian, and an image's virtual environment is lost.
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
    """Make one command line of a shell script."""
    return f"/bin/sh -c {shlex.quote(script)}"


def quote_folder(folder: str) -> str:
    """Write a folder for the shell there; an empty one means what the machine's APP_DIR says, or else /app."""
    return shlex.quote(folder) if folder else '"${APP_DIR:-/app}"'


def build_script(folder: str, arguments: Sequence[str], settings: Mapping[str, str]) -> str:
    """Write the script that runs scripts/migrate.py in a folder: it tells its process id first, then becomes the runner."""
    return "; ".join((*_enter(folder), f'echo "{PID_PREFIX}$$"', f"exec {_call(arguments, settings)}"))


def build_passing_script(folder: str, arguments: Sequence[str], settings: Mapping[str, str]) -> str:
    """Write the script that runs scripts/migrate.py in a folder and then removes that folder, whoever still listens."""
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


def build_look(run_id: str, *, end: bool) -> str:
    """Write the script that tells whether a run's process lives on this machine, and asks it to end if it shall.

    The brackets keep the pattern from finding the command line that it stands in.
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
