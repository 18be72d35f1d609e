"""The events of migrations that are written from a wanted schema."""

from __future__ import annotations

from dataclasses import dataclass, field

from tasks.catalog import Difference
from tasks.runner.events import Event, event


@dataclass(frozen=True, slots=True)
class ProposalStarted(Event):
    """The start of a comparison and of the proof of its files, which take long without an event.

    It is for people: programs do not get it.
    """

    source: str
    versions: int
    server_version: int


@event("migration_proposed")
@dataclass(frozen=True, slots=True)
class MigrationProposed(Event):
    """The difference from the migrations of a checkout to a wanted schema, and what was proved; no changes, no files."""

    source: str
    """What describes the wanted schema, for example `the schema file schema.sql`."""
    versions: int
    """The number of migrations that were replayed."""
    changes: Difference = field(default_factory=Difference)
    files: tuple[str, ...] = ()
    """The descriptions of the files that make the changes."""
    left_out: Difference = field(default_factory=Difference)
    """What differs, and is not changed because the source cannot express it."""
    orders: tuple[str, ...] = ()
    """The tables whose columns get another order than there, because no statement changes it."""
    renames: tuple[str, ...] = ()
    """What gets another name; the other changes are those after the renames."""
    losses: tuple[str, ...] = ()
    """What loses rows or values, which was allowed."""
    risks: tuple[str, ...] = ()
    """The findings of db.lint for which no safe form is known: each with its rule, and the statement in a second line."""
    conditions: tuple[str, ...] = ()
    """Where the files fail because of rows: the direction, the file if that is not clear, and the message of the server."""
    tables: int = 0
    """The number of tables that had rows when the files ran up, down and up on scratch."""
    unfilled: tuple[str, ...] = ()
    """The tables for which no rows could be generated, each with the reason."""
    irreversible: tuple[str, ...] = ()
    """Why downs contain no statements."""
    unchecked: tuple[str, ...] = ()
    """The statements that scratch left out because their extension is excluded: what they make is not compared."""
    details: tuple[str, ...] = ()
    """What pg_dump shows otherwise and `changes` do not count: names that the server chose, and orders of storage parameters."""
    kept: tuple[str, ...] = ()
    """The names of that kind that stay, because no statement changes them."""
    server_version: int = 0
    """The version of the scratch server that proved the files, as libpq reports it (180006)."""
    oldest_version: int = 0
    """The version for which the files are written: they contain nothing that it does not have."""


@dataclass(frozen=True, slots=True)
class CreatedMigration:
    """The files of a migration that were created."""

    version: str
    paths: tuple[str, ...]
    after_deploy: bool = False


@event("migrations_created")
@dataclass(frozen=True, slots=True)
class MigrationsCreated(Event):
    """The migrations that were created, in their order."""

    migrations: tuple[CreatedMigration, ...]
    notes: tuple[str, ...] = ()
