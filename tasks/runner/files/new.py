"""Create the files of a new migration."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from tasks.runner.errors import RunnerError
from tasks.runner.files.versions import newest_timestamp, next_timestamp, path_of, to_snake_case

_CLOCK_TOLERANCE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class MigrationText:
    """The text of the two files of a new migration."""

    up: str
    down: str


@dataclass(frozen=True, slots=True)
class Draft:
    """A migration to create: its description, and what composes its text once its version is known."""

    description: str
    compose: Callable[[str], MigrationText]


@dataclass(frozen=True, slots=True)
class NewMigration:
    """The files of a new migration; `down` is None in a flat folder, `notes` are to be printed."""

    version: str
    up: Path
    down: Path | None
    notes: tuple[str, ...] = ()


def create_migration(directory: Path, name: str, *, now: datetime, compose: Callable[[str], MigrationText]) -> NewMigration:
    """Create the files of one migration, as `create_migrations` does; raises UsageError for an invalid name."""
    return create_migrations(directory, [Draft(to_snake_case(name), compose)], now=now)[0]


def create_migrations(directory: Path, drafts: Sequence[Draft], *, now: datetime) -> tuple[NewMigration, ...]:
    """Create the up and down file of new migrations, dated `now` or one second after the newest file, whichever is later.

    Each is dated one second after the one before. Missing folders are created; an existing file is never written to. A flat
    folder (`.sql` files, neither `up/` nor `down/`) gets up files only, because its .sql files are all up files. Several
    processes may do this at the same time: each gets its own timestamps.
    Raises RunnerError if the files cannot be created; then none of them is left.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with _hold_folder(directory):
            return _create_files(directory, drafts, now)
    except OSError as error:
        raise RunnerError(
            f"Cannot create a migration at {error.filename or directory}: {error.strerror}.",
            hint="MIGRATIONS_DIR must name a folder that you may write to, on a disk with free space.",
            state="No migration was created, and no database was changed.",
        ) from error


@contextmanager
def _hold_folder(directory: Path) -> Iterator[None]:
    """Lock the folder against other processes; the lock leaves no file behind, and ends with the process."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        # Some network file systems cannot lock folders. There, two files may get the same timestamp, which a run refuses.
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _create_files(directory: Path, drafts: Sequence[Draft], now: datetime) -> tuple[NewMigration, ...]:
    flat = _is_flat(directory)
    folders = (directory,) if flat else (directory / "up", directory / "down")
    for folder in folders:
        folder.mkdir(exist_ok=True)
    newest = newest_timestamp(name for folder in folders for name in _list_sql(folder))
    made: list[NewMigration] = []
    files: list[tuple[Path, str]] = []
    timestamp = newest
    for draft in drafts:
        timestamp = next_timestamp(now, timestamp)
        version = f"{timestamp}_{draft.description}"
        text = draft.compose(version)
        paths = tuple(path_of(folder, version) for folder in folders)
        files += zip(paths, (text.up, text.down), strict=False)
        made.append(NewMigration(version, paths[0], None if flat else paths[1]))
    write_all_or_none(tuple(files))
    notes = _note_flat(directory, flat) + _note_clock(made[0].version, newest, now)
    return (*made[:-1], replace(made[-1], notes=notes))


def _is_flat(directory: Path) -> bool:
    has_folders = (directory / "up").is_dir() or (directory / "down").is_dir()
    return not has_folders and any(not name.startswith(("_", ".")) for name in _list_sql(directory))


def _list_sql(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.name.endswith(".sql")]


def write_all_or_none(files: tuple[tuple[Path, str], ...]) -> None:
    """Write new files with these texts.

    Raises OSError if one exists or cannot be written; then none of them is left.
    """
    made: list[Path] = []
    try:
        for path, text in files:
            with path.open("x", encoding="utf-8", newline="\n") as file:
                made.append(path)
                file.write(text)
    except BaseException:
        for path in made:
            path.unlink(missing_ok=True)
        raise


def _note_flat(directory: Path, flat: bool) -> tuple[str, ...]:
    if not flat:
        return ()
    note = (
        f"{directory} is flat (.sql files, neither up/ nor down/), so there is no down file. To have one, move the "
        f"files into {directory / 'up'} and create {directory / 'down'}."
    )
    return (note,)


def _note_clock(version: str, newest: str | None, now: datetime) -> tuple[str, ...]:
    if newest is None or newest <= next_timestamp(now + _CLOCK_TOLERANCE, None):
        return ()
    return (f"The newest file is dated {newest} (UTC), which is in the future; {version} follows it.",)
