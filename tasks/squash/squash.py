"""Replace many migrations by one with the same schema and the same rows, proved on scratch."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from tasks.catalog import compare, show_difference
from tasks.checkout.git import Repository
from tasks.checkout.writing import refuse_links, write_file
from tasks.legacy.events import FileChanged
from tasks.postgres.masking import mask_secrets
from tasks.rehearsal.model import RehearsedMigration, read_migration_pairs
from tasks.rehearsal.scratch.dump import dump_with_rows
from tasks.rehearsal.scratch.server import ScratchServer
from tasks.runner.errors import Place, RefusedError, UsageError
from tasks.runner.events import Event
from tasks.runner.files.checkout import read_migrations, show_path
from tasks.runner.files.checksums import list_checksums
from tasks.runner.files.versions import path_of
from tasks.runner.ledger.renames import RENAMES_FILE, Renames, read_renames, read_targets, write_renames
from tasks.runner.ledger.squashes import Squash
from tasks.runner.parsing import read_script
from tasks.runner.planning.choice import find_version
from tasks.squash.events import SquashFinished, SquashPlanned
from tasks.squash.state import State, read_state
from tasks.squash.varying import VaryingValues, find_varying, replay_from_nothing

DESCRIPTION = "squashed_schema"

_UNCHANGED = "Nothing was changed."
_SEARCH_PATH = "SELECT pg_catalog.set_config('search_path', '', {});"
_BEYOND = re.compile(
    r"\b(?:create|alter|drop)\s+(?:role|user|group|database|tablespace|subscription)\b(?!\s+mapping)"
    r"|\b(?:grant|revoke)\b(?![^;]*\bon\b)|\balter\s+system\b|\bon\s+(?:database|tablespace)\b",
    re.IGNORECASE,
)
"""Statements that affect more than the database, which a dump does not contain."""


@dataclass(frozen=True, slots=True)
class MadeSquash:
    """One migration made of many; `up` is empty if an interrupted run has written it."""

    folder: Path
    version: str
    versions: tuple[str, ...]
    up: str
    rows: int = 0
    renames: Renames = field(default_factory=Renames)
    varying: VaryingValues = field(default_factory=VaryingValues)
    """The values that differ between replays, which the up file makes constants."""

    @property
    def down(self) -> str:
        """Return the text of the down file, which is irreversible."""
        return (
            f"-- Migration: {self.version}.sql\n-- Description: Undo: squashed schema\n\n"
            f"-- migrate: irreversible it replaces {len(self.versions)} migrations: "
            "restore a backup, or start with an empty database\n"
        )


def plan_squash(
    folder: Path, to: str, server: ScratchServer, *, timeout_s: float | None = None, keep_values: bool = False
) -> MadeSquash:
    """Return one migration for all up to a version, proved on scratch to have the same result.

    Raises RefusedError with the difference if it does not, or if replays make different values and `keep_values` is not set;
    and UsageError if there is nothing to squash.
    """
    before = read_renames(folder, read_targets(folder))
    interrupted = next((made for version in before.squashed if (made := _recall(folder, version, before))), None)
    if interrupted:
        return interrupted
    migrations = read_migrations(folder)
    if migrations.flat:
        raise UsageError(
            f"{show_path(folder)} has no up/ and down/", hint="Clean it up first: inv db.cleanup-legacy", state=_UNCHANGED
        )
    last = find_version(to, migrations.checksums)
    versions = tuple(version for version in migrations.checksums if version <= last)
    if len(versions) == 1:
        raise UsageError(f"{last} is the first migration: there is nothing to squash", state=_UNCHANGED)
    version = _name(last[:14], versions)
    rehearsed = read_migration_pairs(migrations, versions)
    _refuse_beyond(rehearsed)
    varying = find_varying(server, rehearsed, timeout_s=timeout_s)
    if varying.others and not keep_values:
        raise _describe_varying(varying)
    with replay_from_nothing(server, rehearsed, timeout_s=timeout_s) as database:
        wanted = read_state(database)
        up = _compose(version, versions, dump_with_rows(database.url))
    squashed = RehearsedMigration(version, up, None, f"up/{version}.sql")
    with replay_from_nothing(server, [squashed], timeout_s=timeout_s) as database:
        refuse_difference(wanted, read_state(database))
    kept = replace(before, squashed={name: squash for name, squash in before.squashed.items() if name != version})
    return MadeSquash(folder, version, versions, up, wanted.count, kept, varying)


def squash_files(made: MadeSquash, *, apply: bool) -> Iterator[Event]:
    """Yield what becomes one migration, and apply it if `apply` is set: renames.toml first, the new file, then the removals.

    An interrupted run is completed by the next: renames.toml lists the files that are still to be removed.
    """
    varying = (*made.varying.others, *made.varying.times)
    up, down, resumed = mask_secrets(made.up), mask_secrets(made.down), not made.up
    yield SquashPlanned(made.version, made.versions, made.rows, up, down, varying, resumed)
    if apply:
        removed = [path for version in made.versions for path in _list_places(made.folder, version)]
        refuse_links([*removed, *(path for path, _ in _list_texts(made))], made.folder)
        for path, text in _list_texts(made):
            path.parent.mkdir(parents=True, exist_ok=True)
            write_file(path, text.encode(), within=made.folder)
            yield FileChanged("wrote", show_path(path))
        repository = Repository(made.folder.absolute())
        for path in removed:
            if path.exists():
                repository.remove(path)
                yield FileChanged("removed", show_path(path))
    yield SquashFinished(made.version, len(made.versions), apply, resumed)


def refuse_difference(wanted: State, actual: State) -> None:
    """Raise RefusedError with the difference of two states, if they differ."""
    lines = list(show_difference(compare(wanted.catalog, actual.catalog)))
    for name, rows in wanted.rows.items():
        there = actual.rows.get(name, Counter())
        if rows != there:
            lines.append(f"~ rows of {name}: {(rows - there).total()} are missing, {(there - rows).total()} are different")
    places = wanted.sequences.items() ^ actual.sequences.items()
    lines += [f"~ sequence {name} has another value" for name in sorted({name for name, _ in places})]
    if lines:
        raise RefusedError(
            "the squashed file does not have the same result:\n" + "\n".join(f"  {line}" for line in lines),
            hint="Squash up to an earlier version, before the migration that makes the difference.",
            state=_UNCHANGED,
        )


def _describe_varying(varying: VaryingValues) -> RefusedError:
    listed = "\n".join(f"  {line}" for line in varying.others)
    return RefusedError(
        f"two replays of the migrations differ, first at {varying.version}:\n{listed}",
        hint="Such values (gen_random_uuid(), random(), …) would become constants in the squashed file, equal everywhere.\n"
        f"Squash up to a version before {varying.version}, or accept the constants: --keep-values",
        state=_UNCHANGED,
    )


def _list_texts(made: MadeSquash) -> Iterator[tuple[Path, str]]:
    """Yield the files to write, in this order, so that the next run can complete this one."""
    up, down = _list_places(made.folder, made.version)
    if made.up:
        squash = Squash(made.versions, hashlib.sha256(made.up.encode()).hexdigest())
        renames = replace(made.renames, squashed={**made.renames.squashed, made.version: squash})
        yield made.folder / RENAMES_FILE, write_renames(renames)
        yield up, made.up
    if made.up or not down.exists():
        yield down, made.down


def _recall(folder: Path, version: str, renames: Renames) -> MadeSquash | None:
    """Return a squash that was written and whose old files still exist."""
    squash = renames.squashed[version]
    path, down = _list_places(folder, version)
    if not path.exists() or squash.checksum not in list_checksums(path.read_bytes()):
        return None
    left = [place for part in squash.versions for place in _list_places(folder, part) if place.exists()]
    return MadeSquash(folder, version, squash.versions, "", renames=renames) if left or not down.exists() else None


def _name(timestamp: str, versions: Sequence[str]) -> str:
    names = (f"{timestamp}_{DESCRIPTION}{f'_{number}' if number > 1 else ''}" for number in range(1, len(versions) + 2))
    return next(name for name in names if name not in versions)


def _list_places(folder: Path, version: str) -> tuple[Path, Path]:
    return path_of(folder / "up", version), path_of(folder / "down", version)


def _refuse_beyond(rehearsed: Sequence[RehearsedMigration]) -> None:
    for migration in rehearsed:
        for statement in read_script(migration.up, file=migration.shown, version=migration.name).statements:
            if statement.kind not in ("InsertStmt", "CreateFunctionStmt", "CommentStmt") and _BEYOND.search(statement.text):
                raise RefusedError(
                    f"{migration.shown}:{statement.line} affects more than the database, and would be lost: {statement.label}",
                    hint="Squash up to the version before it, or move that statement to a later file of its own.",
                    state=_UNCHANGED,
                    place=Place(migration.shown, statement.line),
                )


def _compose(version: str, versions: Sequence[str], dump: str) -> str:
    """Return the text of the up file; its settings end with its transaction."""
    local = dump.replace("SET check_function_bodies", "SET LOCAL check_function_bodies", 1)
    local = local.replace(_SEARCH_PATH.format("false"), _SEARCH_PATH.format("true"), 1)
    named = "".join(f"--   {each}\n" for each in versions)
    return f"-- Migration: {version}.sql\n-- Description: Squashed schema\n--\n-- Replaces:\n{named}\n{local}"
