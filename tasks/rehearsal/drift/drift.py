"""Find drift, changes outside of migrations, by replaying the applied texts on a scratch database.

The texts come from the database's ledger, so a checkout that is ahead or behind does not cause false findings.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from tasks.catalog import Catalog, Difference, compare, mask_difference, read_catalog
from tasks.rehearsal.drift.unfinished import PartialScript, describe_unfinished, exclude_leftovers, read_partial
from tasks.rehearsal.model import RehearsedMigration, read_pair
from tasks.rehearsal.replay.replay import read_left_out, state_after
from tasks.rehearsal.scratch.server import ScratchDatabase, ScratchServer, check_version
from tasks.runner.database.session import connect
from tasks.runner.errors import RunnerError
from tasks.runner.events import CatalogRead, Event, StoredScript, event
from tasks.runner.files.checkout import Migrations
from tasks.runner.ledger.expected_schema import sum_catalog, sum_difference
from tasks.runner.ledger.takeover import exclude_tool_tables
from tasks.runner.operations.requests import Request
from tasks.runner.operations.schema import build_catalog, build_record

_MOST_NAMED = 5


@event("drift_read")
@dataclass(frozen=True, slots=True)
class DriftRead(Event):
    """The difference between the schema after the applied migrations and the actual one."""

    environment: str
    database: str
    versions: int
    objects: int
    changes: Difference
    unchecked: tuple[str, ...] = ()
    """The statements that were skipped in the replay."""
    unfinished: tuple[str, ...] = ()
    """The migrations of which only a part is applied; that part is no drift."""


@event("migration_written")
@dataclass(frozen=True, slots=True)
class MigrationWritten(Event):
    """A migration that was written for a drift, and what is left to do by hand."""

    environment: str
    version: str
    paths: tuple[str, ...]
    by_hand: tuple[str, ...] = ()
    problem: str = ""
    """What went wrong when the pair was verified on scratch; empty for a verified pair."""


@dataclass(frozen=True, slots=True)
class Drift:
    """The two schemas of a comparison, and the migrations that lead to the expected one."""

    migrations: tuple[RehearsedMigration, ...]
    expected: Catalog
    live: Catalog
    unchecked: tuple[str, ...]
    partial: tuple[PartialScript, ...] = ()

    @property
    def changes(self) -> Difference:
        """Return the difference from the expected schema to the live one."""
        return exclude_leftovers(compare(self.expected, self.live), self.partial)


def find_drift(read: CatalogRead, files: Migrations | None, server: ScratchServer, *, timeout_s: float | None = None) -> Drift:
    """Replay the applied migrations in the order of their history, and compare the schemas.

    The committed parts of unfinished migrations are replayed too. Raises RunnerError if a text is neither in the ledger nor in
    this checkout, or fails on scratch.
    """
    check_version(server, read.server_version)
    migrations = choose_texts(read.scripts, files)
    partial = tuple(read_partial(attempt, read.scripts, files) for attempt in read.unfinished)
    parts = tuple(script.build() for script in partial)
    with _replay(server, migrations, parts, timeout_s) as scratch:
        unchecked = read_left_out(scratch)
        with connect(scratch.url, name="migrate-drift") as connection:
            expected = read_catalog(connection)
    live = exclude_tool_tables(build_catalog(read), build_record(read.record))
    return Drift(migrations, expected, live, unchecked, partial)


@contextmanager
def _replay(
    server: ScratchServer,
    migrations: tuple[RehearsedMigration, ...],
    parts: tuple[RehearsedMigration, ...],
    timeout_s: float | None,
) -> Iterator[ScratchDatabase]:
    """Yield a scratch database after the migrations, in the order of the history or, if that fails, in that of their names.

    An adopted migration may have taken effect after one that is older by name and was recorded later.
    """
    by_name = tuple(sorted(migrations, key=lambda migration: migration.name))
    with ExitStack() as stack:
        try:
            database = stack.enter_context(state_after(server, (*migrations, *parts), timeout_s=timeout_s))
        except RunnerError:
            if by_name == migrations:
                raise
            database = stack.enter_context(state_after(server, (*by_name, *parts), timeout_s=timeout_s))
        yield database


def choose_texts(scripts: tuple[StoredScript, ...], files: Migrations | None) -> tuple[RehearsedMigration, ...]:
    """Return the applied texts: from the ledger, or else from files with the recorded checksum. Raises RunnerError."""
    migrations, unknown = [], []
    for script in scripts:
        if script.up_text is not None:
            migrations.append(
                RehearsedMigration(script.version, script.up_text, script.down_text, shown=f"{script.version} (as applied)")
            )
        elif files is not None and _is_the_file(files, script):
            migrations.append(read_pair(script.version, files.up_path(script.version)))
        else:
            unknown.append(script.version)
    if unknown:
        more = f" and {len(unknown) - _MOST_NAMED} more" if len(unknown) > _MOST_NAMED else ""
        raise RunnerError(
            f"the ledger does not have the text of {', '.join(unknown[:_MOST_NAMED])}{more}, "
            "and this checkout has no file with the recorded checksum",
            hint="Check out the revision that was deployed, or compare the schema with the files: inv db.adopt",
            state="Nothing was changed.",
        )
    return tuple(migrations)


def _is_the_file(files: Migrations, script: StoredScript) -> bool:
    """Return True if a file may have the applied text; a row without a checksum was inserted by hand, and contradicts none."""
    return script.version in files.checksums and (not script.checksum or files.matches(script.version, script.checksum))


def answer(read: CatalogRead, drift: Drift) -> Iterator[DriftRead]:
    """Yield the difference as an event."""
    unfinished = tuple(map(describe_unfinished, read.unfinished))
    changes = mask_difference(drift.changes)
    yield DriftRead(read.environment, read.database, len(drift.migrations), len(drift.live), changes, drift.unchecked, unfinished)


def compose_settlement(read: CatalogRead, drift: Drift) -> Request | None:
    """Return the request that makes db.status agree with a comparison; None if it does already, or if it does not watch."""
    if not read.status or drift.unchecked or read.status == ("drifted" if drift.changes else "clean"):
        return None
    total, offset = sum_catalog(build_catalog(read)), sum_difference(drift.changes)
    return Request("settle", version=f"{total:x}", agree=(f"{offset:x}",))
