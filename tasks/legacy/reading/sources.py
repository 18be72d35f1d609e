"""The files that a clean-up reads: of the named folders, of their sub-folders as other tools have them, and of up/."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from tasks.legacy.reading.contents import contains_both_directions
from tasks.legacy.reading.files import OldFile, list_sql, list_ups, read_old_files
from tasks.legacy.reading.folders import count_unread, list_folders, list_nested
from tasks.legacy.reading.names import read_name
from tasks.runner.errors import UsageError
from tasks.runner.files.checkout import show_path
from tasks.runner.files.versions import VERSION_PATTERN

SCRIPTS = "scripts"
"""The folder beside the migrations in which a project keeps SQL that people ran by hand."""


def list_sources(named: Sequence[str], migrations: Path) -> tuple[Path, ...]:
    """Return the folders and files to read, each once, by default the migrations folder and scripts/ beside it.

    Raises UsageError for one that is missing.
    """
    scripts = migrations.parent / SCRIPTS
    paths = [Path(name) for name in named] or [migrations, *([scripts] if scripts.is_dir() and list_sql(scripts) else [])]
    absent = [show_path(path) for path in paths if not path.exists()]
    if absent:
        raise UsageError(
            f"there is no {' and no '.join(absent)}",
            hint="Name the folder of the old files with --folder.",
            state="Nothing was changed.",
        )
    place = migrations.resolve()
    by_place = {path.resolve(): migrations if path.resolve() == place else path for path in paths}
    return tuple(by_place.values())


def find_old_files(named: Sequence[str], migrations: Path) -> tuple[OldFile, ...]:
    """Read the old files of the named folders and files.

    Raises UsageError for a missing folder or file, and FilesError for files that cannot be part of a history.
    """
    paths = list_sources(named, migrations)
    folders = [path for path in paths if path.is_dir()]
    files = [path for path in paths if not path.is_dir()]
    files += [path for folder in folders[1:] for path in list_sql(folder)]
    files += [path for folder in folders for path in list_nested(folder)]
    more = [file for folder in folders for file in list_folders(folder)]
    if migrations in folders:
        more += _list_strange_ups(migrations)
    return read_old_files(folders[0] if folders else migrations, *files, more=more)


def count_unread_sql(named: Sequence[str], migrations: Path, files: Iterable[OldFile]) -> tuple[str, ...]:
    """Return the sub-folders with SQL that is not part of the clean-up, each with the number of files."""
    folders = [path for path in list_sources(named, migrations) if path.is_dir()]
    counts = count_unread(folders, files)
    return tuple(f"{show_path(place)} ({number} SQL file{'s' if number > 1 else ''})" for place, number in sorted(counts.items()))


def _list_strange_ups(folder: Path) -> list[OldFile]:
    """Return the files of up/ that cannot run: those with both directions, and those whose name is not a version."""
    found = []
    for path in list_ups(folder):
        if VERSION_PATTERN.fullmatch(path.stem):
            if contains_both_directions(path):
                found.append(OldFile(path, read_name(path.stem)))
            continue
        downs = [folder / "down" / f"{stem}.sql" for stem in dict.fromkeys([path.stem, read_name(path.stem).stem])]
        down = next((each for each in [*downs, *(each.with_suffix(".down.sql") for each in downs)] if each.is_file()), None)
        found.append(OldFile(path, read_name(path.stem), down))
    return found
