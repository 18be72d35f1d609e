"""Drift: what somebody changed besides the migrations, found by replaying on scratch the texts that were applied.

The texts come from the database's own ledger, so that a checkout which is ahead or behind raises no false alarm.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from tasks.catalog import Catalog, Difference, compare, read_catalog
from tasks.rehearsal.model import Piece
from tasks.rehearsal.replay.replay import read_left_out, state_after
from tasks.rehearsal.scratch.server import ScratchServer, check_version
from tasks.runner.database.session import connect
from tasks.runner.errors import RunnerError
from tasks.runner.events import CatalogRead, StoredScript
from tasks.runner.files.checkout import Migrations, read_source
from tasks.runner.operations.schema import build_catalog

_MOST_NAMED = 5


@dataclass(frozen=True, slots=True)
class DriftRead:
    """Give what differs between the schema that a ledger speaks of and the one that is there; empty where nothing does."""

    kind: ClassVar[str] = "drift_read"
    environment: str
    database: str
    versions: int
    objects: int
    changes: Difference
    unchecked: tuple[str, ...] = ()
    """The statements that were left out of the rehearsal."""


@dataclass(frozen=True, slots=True)
class MigrationWritten:
    """Say that a drift was written as a migration, with what is left to do by hand."""

    kind: ClassVar[str] = "migration_written"
    environment: str
    version: str
    paths: tuple[str, ...]
    by_hand: tuple[str, ...] = ()
    problem: str = ""
    """What the proof on scratch found; empty for a pair that is proved."""


@dataclass(frozen=True, slots=True)
class Drift:
    """Hold both schemas of a comparison, and the pieces that make the expected one."""

    pieces: tuple[Piece, ...]
    expected: Catalog
    live: Catalog
    unchecked: tuple[str, ...]

    @property
    def changes(self) -> Difference:
        """Return what leads from the expected schema to the live one."""
        return compare(self.expected, self.live)


def find_drift(read: CatalogRead, files: Migrations | None, server: ScratchServer, *, timeout_s: float | None = None) -> Drift:
    """Replay what was applied, in the order of its application, and set it beside what is there.

    Raises RunnerError where a text is neither in the ledger nor in this checkout, or fails on scratch.
    """
    check_version(server, read.server_version)
    pieces = choose_texts(read.scripts, files)
    with state_after(server, pieces, timeout_s=timeout_s) as scratch:
        unchecked = read_left_out(scratch)
        with connect(scratch.url, name="migrate-drift") as connection:
            expected = read_catalog(connection)
    return Drift(pieces, expected, build_catalog(read), unchecked)


def choose_texts(scripts: tuple[StoredScript, ...], files: Migrations | None) -> tuple[Piece, ...]:
    """Give the texts that were applied: those of the ledger, else those of the files that have the recorded checksum."""
    pieces, unknown = [], []
    for script in scripts:
        if script.up_text is not None:
            pieces.append(Piece(script.version, script.up_text, script.down_text, shown=f"{script.version} (as applied)"))
        elif files is not None and script.checksum and files.checksums.get(script.version) == script.checksum:
            source = read_source(files.up_path(script.version))
            pieces.append(Piece(script.version, source.text, shown=source.shown))
        else:
            unknown.append(script.version)
    if unknown:
        more = f" and {len(unknown) - _MOST_NAMED} more" if len(unknown) > _MOST_NAMED else ""
        raise RunnerError(
            f"the ledger does not keep the text of {', '.join(unknown[:_MOST_NAMED])}{more}, and this checkout has no such file",
            hint="Check out the revision that has it; or let inv db.adopt find out what is there.",
            state="Nothing was changed.",
        )
    return tuple(pieces)


def answer(read: CatalogRead, drift: Drift) -> Iterator[DriftRead]:
    """Tell what was found."""
    yield DriftRead(read.environment, read.database, len(drift.pieces), len(drift.live), drift.changes, drift.unchecked)
