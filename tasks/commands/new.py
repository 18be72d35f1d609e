"""`inv db.new`: create the files of a new migration, print their paths, and open them in an editor."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from tasks.config.environments import load_environment
from tasks.console.cells import clean
from tasks.runner.errors import RunnerError
from tasks.templates.render import create_from_name

_NAMES = ("VISUAL", "EDITOR")
"""The variables that name an editor, the preferred one first, as for crontab and git."""
_CREATED = "The files were created. No database was changed."


def create(name: str, *, edit: bool) -> None:
    """Create the migrations that a name means and print their paths; with `edit`, open them.

    Raises RunnerError if they cannot be created, or if the editor cannot be started or fails.
    """
    made = create_from_name(load_environment("local").settings.migrations_dir, name, now=datetime.now(UTC))
    paths = [path for each in made for path in (each.up, each.down) if path is not None]
    for each in made:
        print(f"✅ Created {each.version}")
        for path in (each.up, each.down):
            if path is not None:
                print(f"   {path}")
        for note in each.notes:
            print(f"   {note}")
    if edit:
        sys.stdout.flush()
        open_in_editor(paths, os.environ)


def open_in_editor(paths: Sequence[Path], environ: Mapping[str, str]) -> None:
    """Run the editor with all files, and wait for it; raises RunnerError if it cannot be started, or if it fails."""
    name, command = find_editor(environ)
    try:
        ended = subprocess.run([*command, *map(str, paths)], check=False).returncode
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise RunnerError(
            f"the editor of {name} cannot be started: {clean(shlex.join(command))}: {reason}",
            hint=f"Set {name} to a program, for example: export {name}=vi",
            state=_CREATED,
        ) from error
    if ended:
        how = f"by signal {-ended}" if ended < 0 else f"with exit code {ended}"
        raise RunnerError(
            f"the editor of {name} ended {how}: {clean(shlex.join(command))}",
            hint="Open the files again; the migration stays as it was saved.",
            state=_CREATED,
        )


def find_editor(environ: Mapping[str, str]) -> tuple[str, list[str]]:
    """Return the variable that names the editor, and the words of its command; raises RunnerError if there is none.

    The value may have arguments, quoted as in a shell. One that is a program as it is may have spaces in its path.
    """
    name = next((name for name in _NAMES if environ.get(name, "").strip()), "")
    if not name:
        raise RunnerError(
            "no editor is set: VISUAL and EDITOR are empty",
            hint="Set one, for example: export EDITOR=vi",
            state=_CREATED,
        )
    value = environ[name].strip()
    if shutil.which(value):
        return name, [value]
    try:
        return name, shlex.split(value)
    except ValueError as error:
        raise RunnerError(
            f"{name} cannot be read: {clean(value)}: {str(error)[:1].lower()}{str(error)[1:]}",
            hint=f"Quote it as a command of the shell, for example: export {name}='code --wait'",
            state=_CREATED,
        ) from error
