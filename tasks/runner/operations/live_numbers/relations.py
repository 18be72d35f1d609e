"""The sizes, statistics and activity of the relations of a database: an observation that waits for no lock."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg

from tasks.postgres.quoting import quote_qualified, show_identifier
from tasks.runner.events.numbers import ColumnNumbers, RelationNumbers
from tasks.runner.ledger.tables import TABLE, TABLES

_TRIES = 3
"""How often the sizes are asked for, if another session locks a relation at that moment."""
_SHOWN = 5
_OUTSIDE = r"n.nspname !~ '^(pg_toast|pg_temp_|pg_catalog$|information_schema$)'"
_RELATIONS = f"""
WITH locked AS MATERIALIZED (
    SELECT relation FROM pg_locks WHERE locktype = 'relation' AND mode = 'AccessExclusiveLock'
       AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))
SELECT c.oid, n.nspname::text, c.relname::text, c.relkind::text, x.indrelid, p.inhparent,
       c.reltuples::float8, c.relpages::bigint, t.relpages::bigint,
       CASE WHEN c.relkind NOT IN ('r', 'm', 'i') OR %(estimate)s OR c.oid IN (TABLE locked)
                 OR c.reltoastrelid IN (TABLE locked) OR x.indrelid IN (TABLE locked) THEN NULL
            ELSE pg_table_size(c.oid) END,
       CASE WHEN c.relkind NOT IN ('r', 'm') OR %(estimate)s OR c.oid IN (TABLE locked) THEN NULL
            ELSE pg_relation_size(c.oid) END
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_index x ON x.indexrelid = c.oid
  LEFT JOIN pg_class t ON t.oid = c.reltoastrelid
  LEFT JOIN pg_inherits p ON p.inhrelid = c.oid AND c.relispartition
 WHERE c.relkind IN ('r', 'p', 'm', 'i', 'I', 'v', 'f', 'S') AND {_OUTSIDE}
 ORDER BY c.oid
"""
"""The sizes are read with a lock on each relation, which is not requested where it would wait:
https://www.postgresql.org/docs/current/functions-admin.html#FUNCTIONS-ADMIN-DBOBJECT"""
_COLUMNS = f"""
SELECT c.oid, a.attname::text, s.null_frac::float8, s.avg_width, s.n_distinct::float8, s.correlation::float8,
       has_column_privilege(c.oid, a.attnum, 'SELECT') AND NOT row_security_active(c.oid)
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
  LEFT JOIN (SELECT schemaname, tablename, attname, inherited, null_frac, avg_width, n_distinct, correlation FROM pg_stats) s
    ON s.schemaname = n.nspname AND s.tablename = c.relname AND s.attname = a.attname AND s.inherited = (c.relkind = 'p')
 WHERE c.relkind IN ('r', 'p', 'm') AND {_OUTSIDE}
 ORDER BY c.oid, a.attnum
"""
"""Most common values, histograms and bounds of pg_stats are customers' data, and are not read.
https://www.postgresql.org/docs/current/view-pg-stats.html"""
_LOOK = """
SELECT clock_timestamp(), (SELECT stats_reset FROM pg_stat_database WHERE datname = current_database()),
       pg_postmaster_start_time(), current_setting('track_counts') = 'on', pg_is_in_recovery()
"""
_COUNTERS = """
SELECT relid, coalesce(seq_scan, 0) + coalesce(idx_scan, 0), n_tup_ins + n_tup_upd + n_tup_del, n_live_tup,
       coalesce(last_vacuum, last_autovacuum, last_analyze, last_autoanalyze) IS NOT NULL
  FROM pg_stat_all_tables
"""
"""https://www.postgresql.org/docs/current/monitoring-stats.html#MONITORING-PG-STAT-ALL-TABLES-VIEW"""


@dataclass(frozen=True, slots=True)
class Counters:
    """The counters of a table since its statistics were reset: scans begun, rows written, rows that it has."""

    reads: int
    writes: int
    live: int
    counted: bool
    """Whether a VACUUM or ANALYZE has set `live` since then."""


@dataclass(frozen=True, slots=True)
class Look:
    """One look at the cumulative statistics."""

    at: datetime
    reset: tuple[datetime | None, datetime]
    """The last reset and the start of the server: counters of different values cannot be compared."""
    counts: bool
    standby: bool
    tables: Mapping[int, Counters]


@dataclass(frozen=True, slots=True)
class MeasuredRelation:
    """A relation as its catalog and its files describe it; sizes are None where they were not read."""

    oid: int
    schema: str
    name: str
    kind: str
    table: int | None
    parent: int | None
    tuples: float
    pages: int
    toast_pages: int | None
    bytes: int | None
    main_bytes: int | None

    @property
    def qualified(self) -> str:
        """Return the name as SQL, quoted as for the newest supported server."""
        return quote_qualified(self.schema, self.name)


def look(connection: psycopg.Connection) -> Look:
    """Return the counters of the cumulative statistics, in a transaction that has not read them before."""
    (now, reset, started, counts, standby) = connection.execute(_LOOK).fetchone() or ()
    tables = {oid: Counters(*values) for oid, *values in connection.execute(_COUNTERS).fetchall()}
    return Look(now, (reset, started), counts, standby, tables)


def measure_relations(connection: psycopg.Connection) -> tuple[MeasuredRelation, ...]:
    """Return the relations of the database without the ledger; a relation that is locked is not measured."""
    for tries in range(_TRIES + 1):
        try:
            with connection.transaction():
                rows = connection.execute(_RELATIONS, {"estimate": tries == _TRIES}).fetchall()
            break
        except psycopg.errors.LockNotAvailable:
            if tries == _TRIES:
                raise
    relations = [MeasuredRelation(*row) for row in rows]
    ledger = {each.oid for each in relations if each.name in TABLES or (each.kind == "S" and each.name.startswith(f"{TABLE}_"))}
    return tuple(each for each in relations if each.oid not in ledger and each.table not in ledger)


def read_columns(connection: psycopg.Connection) -> dict[int, list[tuple[Any, ...]]]:
    """Return name, statistics and whether they may be read of the columns of each table."""
    found: dict[int, list[tuple[Any, ...]]] = defaultdict(list)
    for oid, *column in connection.execute(_COLUMNS).fetchall():
        found[oid].append(tuple(column))
    return found


def list_unreadable(
    measured: Iterable[MeasuredRelation], columns: Mapping[int, list[tuple[Any, ...]]], role: str
) -> Iterator[str]:
    """Yield sentences about the tables whose statistics are missing: those that the role must not read, and those without any."""
    tables = [each for each in measured if each.oid in columns and (each.pages or each.main_bytes)]
    unreadable = [each.qualified for each in tables if not any(column[-1] for column in columns[each.oid])]
    never = [each.qualified for each in tables if each.tuples < 0 and each.qualified not in unreadable]
    if unreadable:
        grant = f"GRANT SELECT ON {', '.join(unreadable[:_SHOWN])} TO {show_identifier(role)};"
        yield f"the statistics of {list_some(unreadable)} are not known: {grant}"
    if never:
        yield f"the statistics of {list_some(never)} are not known: never analysed; run ANALYZE {', '.join(never[:_SHOWN])};"


def list_some(names: Sequence[str]) -> str:
    """Return the first names of a list, and how many others there are."""
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def build_relations(
    measured: Iterable[MeasuredRelation],
    columns: Mapping[int, list[tuple[Any, ...]]],
    looks: tuple[Look, Look] | None,
    vacuumed: frozenset[int],
    block_bytes: int,
) -> tuple[RelationNumbers, ...]:
    """Return the numbers of the relations, `vacuumed` by an autovacuum now; without looks, the rates are not known."""
    relations = {each.oid: each for each in measured}
    index_bytes: dict[int, int] = defaultdict(int)
    for each in relations.values():
        if each.table is not None:
            index_bytes[each.table] += _measure(each, block_bytes)
    names = {oid: each.qualified for oid, each in relations.items()}
    built = []
    for oid, each in relations.items():
        listed = columns.get(oid, [])
        reads, writes = _find_rates(each, looks)
        built.append(
            RelationNumbers(
                relation=each.qualified,
                kind=each.kind,
                table=names.get(each.table or 0, ""),
                rows=_count_rows(each, looks[1].tables.get(oid) if looks else None, block_bytes),
                heap_bytes=_measure(each, block_bytes),
                index_bytes=index_bytes[oid],
                reads=reads,
                writes=writes,
                autovacuum=oid in vacuumed,
                columns=tuple(ColumnNumbers(*column[:-1]) for column in listed if column[1] is not None),
                parent=names.get(each.parent or 0, ""),
                without_statistics=tuple(column[0] for column in listed if column[1] is None),
            )
        )
    return tuple(built)


def _measure(relation: MeasuredRelation, block_bytes: int) -> int:
    """Return the bytes of a relation with its TOAST table, by its last VACUUM or ANALYZE if it could not be measured."""
    if relation.kind not in ("r", "m", "i"):
        return 0
    if relation.bytes is not None:
        return relation.bytes
    return (relation.pages + (relation.toast_pages or 0)) * block_bytes


def _count_rows(relation: MeasuredRelation, counters: Counters | None, block_bytes: int) -> int:
    """Return the rows of a relation, -1 if nothing counted them.

    The counter is exact, unless the statistics were reset, a rewrite began a new file, or the session that wrote the rows has not
    reported them yet: then it may be 0, although there are pages. The density at the last VACUUM or
    ANALYZE is that of PostgreSQL's planner: https://www.postgresql.org/docs/current/row-estimation-examples.html
    """
    if relation.kind not in ("r", "m"):
        return round(max(relation.tuples, -1))
    pages = relation.pages if relation.main_bytes is None else relation.main_bytes // block_bytes
    if not pages and relation.main_bytes is not None:
        return 0
    if counters and (counters.counted or relation.tuples < 0) and (counters.live or relation.tuples == 0):
        return counters.live
    if relation.tuples < 0 or not relation.pages:
        return -1
    return round(relation.tuples / relation.pages * pages)


def _find_rates(relation: MeasuredRelation, looks: tuple[Look, Look] | None) -> tuple[float | None, float | None]:
    """Return the scans and the written rows per second; None where the counters of the two looks cannot be compared."""
    if relation.kind not in ("r", "m"):
        return 0.0, 0.0
    if looks is None or not looks[1].counts or looks[0].reset != looks[1].reset:
        return None, None
    before, after = (each.tables.get(relation.oid) for each in looks)
    seconds = (looks[1].at - looks[0].at).total_seconds()
    if before is None or after is None or seconds <= 0 or after.reads < before.reads or after.writes < before.writes:
        return None, None
    writes = None if looks[1].standby else (after.writes - before.writes) / seconds
    return (after.reads - before.reads) / seconds, writes
