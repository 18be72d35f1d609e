"""What one statement does to the relations that existed before its file: the values that all parts of a forecast exchange."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from tasks.runner.events.numbers import RelationLock

ForecastSource = Literal["observed", "known"]
Verdict = Literal["harmless", "brief", "blocks_writes", "blocks_all", "loses_rows"]
Operation = Literal["select", "insert", "update", "delete", "ddl"]


@dataclass(frozen=True, slots=True)
class ObservedStatement:
    """What a statement did on scratch, or what is known of it where it cannot be observed.

    Relations are qualified with their schemas and quoted where SQL needs it. `line` is the line of the first word of the
    statement, from 1. `held_to` is the line of the statement at whose end the locks are released: the last one of the
    transaction, or the statement itself; None if it has no locks and keeps nothing out. `drops` are the relations that existed
    before and that it drops, `empties` those that it truncates; `deletes` is the share of the rows of a table that a DELETE
    removes on scratch.
    """

    version: str
    number: int
    """Its number in the file, from 1; two statements may begin on one line."""
    line: int
    statement: str
    """The text of the statement, with passwords masked."""
    node: str
    """The name of its parse node: AlterTableStmt, IndexStmt, …; "" where the parser does not know it."""
    transactional: bool
    locks: tuple[RelationLock, ...] = ()
    held_to: int | None = None
    rewrites: tuple[str, ...] = ()
    scans: tuple[str, ...] = ()
    keeps_out: Mapping[str, tuple[Operation, ...]] = field(default_factory=dict)
    drops: tuple[str, ...] = ()
    empties: tuple[str, ...] = ()
    deletes: Mapping[str, float] = field(default_factory=dict)
    needs_old_transactions_to_end: bool = False
    """Whether it waits for older transactions of the database before it can finish, as CREATE INDEX CONCURRENTLY does."""
    source: ForecastSource = "observed"
    not_known: tuple[str, ...] = ()
    dropped_columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The columns that it drops, by table; their names are as in pg_attribute, not quoted."""
    briefly: tuple[RelationLock, ...] = ()
    """Stronger locks that a statement outside a transaction has only for a moment, as DETACH PARTITION CONCURRENTLY has."""


@dataclass(frozen=True, slots=True)
class StatementDuration:
    """How long a statement is expected to run in an environment, in seconds, and the disk that it needs meanwhile, in bytes.

    `seconds` is None where that cannot be estimated, with the reasons in `not_known`.
    """

    seconds: tuple[float, float] | None
    disk_bytes: int | None = None
    not_known: tuple[str, ...] = ()
