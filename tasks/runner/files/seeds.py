"""The seeds of a checkout: those of every environment, and those of one environment in a folder that has its name."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable
from functools import partial
from pathlib import Path

from tasks.runner.command_lines import is_environment_name
from tasks.runner.errors import FilesError
from tasks.runner.files.checkout import SourceFile, list_sql_files, read_source, scan_sql, show_file_name, show_path
from tasks.runner.spelling import propose

MAX_NAME_LENGTH = 255
"""The length of the ledger's column, in characters."""

_PATTERN = re.compile(r"\d{3,}_[A-Za-z0-9_-]+")


def read_seed_files(folder: Path, environment: str = "") -> tuple[SourceFile, ...]:
    """Read the seeds in the order in which they run; none if the folder does not exist.

    Those of every environment come first, and then those of this environment, each in the order of their names. The folders of
    other environments are not read.
    Raises FilesError that lists all files that cannot be used.
    """
    if not os.path.lexists(folder):
        return ()
    found: list[tuple[Path, str]] = []
    problems: list[str] = []
    for part in ("", *_find_own(folder, environment)):
        files, faults = list_sql_files(folder / part, partial(_describe_fault, environment=part))
        found += [(folder / part / name, part) for name in sorted(files)]
        problems += faults
    if problems:
        raise FilesError(
            f"{len(problems)} file{'s' if len(problems) > 1 else ''} in {show_path(folder)} cannot be used as seeds:",
            tuple(problems),
            hint="Seeds are named NNN_description.sql, for example 001_users.sql. Names that begin with _ are ignored.",
        )
    return tuple(read_source(path)._replace(environment=part) for path, part in found)


def list_seed_folders(folder: Path) -> tuple[str, ...]:
    """Return the folders with SQL files in the seeds' folder, sorted; names that begin with `_` or `.` are ignored."""
    try:
        with os.scandir(folder) as entries:
            names = sorted(entry.name for entry in entries if entry.name[0] not in "_." and entry.is_dir())
    except OSError:
        return ()
    return tuple(name for name in names if scan_sql(folder / name)[0])


def describe_unknown_folders(folder: Path, environments: Collection[str]) -> Iterable[str]:
    """Yield a warning for each folder of seeds that has the name of no environment, such as a misspelt one."""
    for name in list_seed_folders(folder):
        if name not in environments:
            message = f"{show_path(folder)}/{show_file_name(name)}: no environment has this name, so its seeds do not run."
            yield f"{message} {propose(name, environments)}".rstrip()


def _find_own(folder: Path, environment: str) -> tuple[str, ...]:
    """Return the name of the environment if it has a folder; names are compared exactly, also where the file system does not."""
    if not is_environment_name(environment):
        return ()
    try:
        return (environment,) if environment in os.listdir(folder) else ()  # noqa: PTH208 - a name is needed, not a path
    except OSError:
        return ()


def _describe_fault(stem: str, environment: str) -> str | None:
    if not _PATTERN.fullmatch(stem):
        return "seeds are named NNN_description.sql"
    length = len(environment) + len("/") + len(stem)
    return f"longer than {MAX_NAME_LENGTH} characters with its folder ({length})" if length > MAX_NAME_LENGTH else None
