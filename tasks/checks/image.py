"""Check what the runner needs in the image of a machine, with one command that changes nothing."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import TYPE_CHECKING

from tasks.fly.failures import REQUIREMENTS_LINES
from tasks.fly.remote_commands import quote_folder, wrap
from tasks.runner.command_lines import quote_words
from tasks.runner.errors import RunnerError
from tasks.runner.events import CheckMade

if TYPE_CHECKING:
    from fabric import Connection

    from tasks.config.environments import Environment

OLDEST_PYTHON = (3, 11)
_PACKAGES = ("psycopg", "pglast")
_PARTS = ("scripts/migrate.py", "tasks/runner")
_URL_NAMES = ("DIRECT_DATABASE_URL", "DATABASE_URL")
# Must run on old versions of Python too. Each line begins with a name, with "!" before it if that is missing.
_SCRIPT = f"""
import os, sys
print("python=%d.%d.%d" % sys.version_info[:3])
for name in {_PACKAGES!r}:
    try:
        print("%s=%s" % (name, __import__(name).__version__))
    except Exception:
        print("!%s=%s" % (name, str(sys.exc_info()[1]).split(chr(10))[0]))
for path in {_PARTS!r}:
    print("%s%s=" % ("" if os.path.exists(path) else "!", path))
for name in {_URL_NAMES!r}:
    print("%s%s=" % ("" if os.environ.get(name, "").strip() else "!", name))
"""


def build_look(folder: str) -> str:
    """Return the shell script, in one line, that prints what it finds."""
    code = shlex.quote(f"exec({_SCRIPT!r})")
    return (
        f'cd {quote_folder(folder)} 2>/dev/null || exit 0; echo "folder=$PWD"; '
        f'python=$(command -v python || command -v python3) || exit 0; "$python" -c {code}'
    )


def look_at_image(connection: Connection, environment: Environment) -> Mapping[str, str]:
    """Run the script and return what it found by name; raises RunnerError if the connection is lost or there is no shell."""
    try:
        answer = connection.run(
            wrap(build_look(environment.fly_folder)),
            hide=True,
            warn=True,
            in_stream=False,
            encoding="utf-8",
            timeout=environment.fly_timeouts.call_s,
        )
    except Exception as error:
        raise RunnerError(
            f"the connection was lost: {str(error) or type(error).__name__}", hint="Run the same command again."
        ) from error
    found = dict(line.split("=", 1) for line in str(answer.stdout).splitlines() if "=" in line)
    words = str(answer.stderr).strip().splitlines()
    if not found and words:
        raise RunnerError(
            f"no shell script runs on the machine: {words[-1]}",
            hint="The runner needs /bin/sh in the image; use release_command instead.",
        )
    return found


def check_image(found: Mapping[str, str], environment: Environment) -> tuple[CheckMade, ...]:
    """Return the checks of what was found, without those that depend on something missing."""
    if "folder" not in found:
        named = environment.fly_folder or "/app"
        hint = "Set FLY_APP_DIR to the image's working directory, or deploy an image that has it."
        return (CheckMade("folder", False, f"the image has no folder {named}", hint),)
    folder = CheckMade("folder", True, found["folder"])
    version = found.get("python", "")
    oldest = ".".join(map(str, OLDEST_PYTHON))
    if not version:
        return folder, CheckMade("Python", False, "none on the PATH", f"Deploy an image with Python {oldest} or newer.")
    fits = tuple(int(part) for part in version.split(".")) >= OLDEST_PYTHON
    python = CheckMade("Python", fits, version, "" if fits else f"Deploy an image with Python {oldest} or newer.")
    return folder, python, _check_packages(found), _check_tool(found), _check_url_there(found, environment)


def _check_packages(found: Mapping[str, str]) -> CheckMade:
    missing = [f"{name} ({found.get(f'!{name}', 'no answer')})" for name in _PACKAGES if name not in found]
    if missing:
        return CheckMade(
            "packages", False, f"missing: {', '.join(missing)}", f"The app's Dockerfile needs:\n{REQUIREMENTS_LINES}"
        )
    return CheckMade("packages", True, ", ".join(f"{name} {found[name]}" for name in _PACKAGES))


def _check_tool(found: Mapping[str, str]) -> CheckMade:
    missing = [path for path in _PARTS if path not in found]
    if missing:
        hint = f"The app's Dockerfile needs:\n{REQUIREMENTS_LINES}"
        return CheckMade("tool", False, f"missing in {found['folder']}: {', '.join(missing)}", hint)
    return CheckMade("tool", True, ", ".join(_PARTS))


def _check_url_there(found: Mapping[str, str], environment: Environment) -> CheckMade:
    name = next((name for name in _URL_NAMES if name in found), "")
    if name:
        return CheckMade("DATABASE_URL", True, f"{name} is set on the machine")
    hint = f"fly secrets set DATABASE_URL=… -a {quote_words(environment.fly_app)} ; or attach a database."
    return CheckMade("DATABASE_URL", False, "not set on the machine", hint)
