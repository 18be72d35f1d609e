"""The numbers of a live database that a forecast needs: sizes, activity, locks. No value of a customer's row is among them."""

from __future__ import annotations

from dataclasses import dataclass

from tasks.runner.events.registry import Event, event


@dataclass(frozen=True, slots=True)
class ColumnNumbers:
    """The statistics of a column that leave the database. Values and bounds of pg_stats are customers' data, and stay."""

    name: str
    null_frac: float
    avg_width: int
    n_distinct: float
    correlation: float | None


@dataclass(frozen=True, slots=True)
class RelationNumbers:
    """The size and the activity of a relation: a table, partition, materialized view or index.

    `relation` is qualified and quoted as SQL; `table` is the table of an index, else "". `rows` is -1 if nothing has
    counted them. `heap_bytes` is that of the relation with its TOAST table, `index_bytes` that of its indexes. The rates
    are per second between two looks, None if they are not known.
    """

    relation: str
    kind: str
    """Its relkind in pg_class: r, p, m, i, I, …"""
    table: str = ""
    rows: int = -1
    heap_bytes: int = 0
    index_bytes: int = 0
    reads: float | None = None
    writes: float | None = None
    autovacuum: bool = False
    """Whether an autovacuum of it is running."""
    columns: tuple[ColumnNumbers, ...] = ()
    parent: str = ""
    """The partitioned table of a partition, or the partitioned index of its index. The bytes and the rates of
    a partitioned table are 0: those are in its partitions, which are listed too."""
    without_statistics: tuple[str, ...] = ()
    """The columns that were not analysed, or whose statistics the role must not read."""


@dataclass(frozen=True, slots=True)
class RelationLock:
    """A lock on a relation, by the name of its mode in pg_locks (AccessExclusiveLock)."""

    relation: str
    mode: str


@dataclass(frozen=True, slots=True)
class OpenTransaction:
    """An open transaction: its session, its age in seconds, and its locks on the relations of the database.

    `age_s` is -1 if the role must not read it. `locks` includes the lock that it waits for: who comes later waits behind it.
    `snapshot` is whether it keeps a snapshot, for which CREATE INDEX CONCURRENTLY waits. `prepared` is the name of a prepared
    transaction, which has no session: its `pid` is 0.
    """

    pid: int
    user: str
    application: str
    state: str
    age_s: float
    snapshot: bool
    locks: tuple[RelationLock, ...] = ()
    prepared: str = ""
    autovacuum: bool = False
    wraparound: bool = False
    """Whether it is an autovacuum to prevent wraparound, which PostgreSQL does not cancel for a lock that waits for it."""


@dataclass(frozen=True, slots=True)
class ReplicaNumbers:
    """A replica of the server, and how far it is behind; None if that is not known."""

    name: str
    state: str
    lag_s: float | None
    lag_bytes: int | None


@event("numbers_read")
@dataclass(frozen=True, slots=True)
class NumbersRead(Event):
    """The numbers of a live database; `not_known` are the reasons for what could not be read, as sentences."""

    server_version: int
    relations: tuple[RelationNumbers, ...]
    transactions: tuple[OpenTransaction, ...]
    replicas: tuple[ReplicaNumbers, ...] = ()
    free_bytes: int | None = None
    """The free disk of the server, where that can be known."""
    database_bytes: int | None = None
    not_known: tuple[str, ...] = ()
    block_bytes: int = 8192
