"""Measure what a statement really does to other sessions: they try to read, write and create indexes while it is open."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg import errors

from tasks.postgres.lock_modes import find_strongest
from tests.kit.databases import Database

SCHEMA = (Path(__file__).parent / "schema.sql").read_text()
ROWS = (Path(__file__).parent / "rows.sql").read_text()
PROBES: Mapping[str, Mapping[str, str]] = {
    "public.customers": {
        "insert": "INSERT INTO customers (id, name, email, city) VALUES (-1, 'x', 'x', 'x')",
        "update": "UPDATE customers SET city = city",
        "delete": "DELETE FROM customers WHERE id = 7",
    },
    "public.orders": {"insert": "INSERT INTO orders (customer_id) VALUES (7)", "update": "UPDATE orders SET note = note"},
    "public.lines": {"insert": "INSERT INTO lines VALUES (7, 99, 1)", "update": "UPDATE lines SET product = product"},
    "public.products": {
        "insert": "INSERT INTO products VALUES (-1, 'x', 1)",
        "update": "UPDATE products SET code = code",
    },
    "public.tickets": {"insert": "INSERT INTO tickets (title) VALUES ('x')", "update": "UPDATE tickets SET title = title"},
    "public.events_2024": {
        "insert": "INSERT INTO events_2024 VALUES ('2024-12-31', 'x') ON CONFLICT DO NOTHING",
        "update": "UPDATE events_2024 SET kind = kind",
    },
    "public.events_2025": {
        "insert": "INSERT INTO events_2025 VALUES ('2025-12-31', 'x')",
        "update": "UPDATE events_2025 SET kind = kind",
    },
    "public.events_2026": {
        "insert": "INSERT INTO events_2026 VALUES ('2026-12-31', 'x')",
        "update": "UPDATE events_2026 SET kind = kind",
    },
    "public.audit": {"insert": "INSERT INTO audit (what) VALUES ('x')", "update": "UPDATE audit SET what = what"},
    "public.totals": {},
}
"""By relation: an INSERT and an UPDATE that touch its rows; every session may also read, delete and create an index."""
OPTIONAL = ("public.cities", "public.events")
"""Relations that wait only because of those below them, or that an application need not use directly."""
_KEPT_OUT = "lock_timeout = '20ms'"
_RELATIONS = """
SELECT c.oid::int8, n.nspname || '.' || c.relname, c.relkind::text, c.relfilenode::int8
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p', 'v', 'm', 'S', 'i', 'I')
"""
_LOCKS = "SELECT relation::int8, mode FROM pg_locks WHERE pid = %s AND locktype = 'relation' AND granted"
_SCANS = "SELECT schemaname || '.' || relname FROM pg_stat_xact_user_tables WHERE seq_scan > 0"


@dataclass(frozen=True, slots=True)
class Truth:
    """What a statement did: locks by relation, rewritten and scanned relations, and the operations that had to wait."""

    locks: dict[str, str]
    rewrites: set[str]
    scans: set[str]
    keeps_out: dict[str, set[str]]


def measure(database: Database, before: Sequence[str], statement: str) -> Truth:
    """Run a statement in a transaction after others that are committed, look at it from other sessions, and roll it back."""
    for text in before:
        database.execute(text)
    with database.connect(autocommit=False) as session:
        session.execute("SET max_parallel_maintenance_workers = 0; SET max_parallel_workers_per_gather = 0")
        session.commit()
        relations = _read_relations(session)
        session.commit()
        session.execute(statement.encode())
        rows = database.query(_LOCKS, session.info.backend_pid)
        keeps_out = dict(_probe(database))
        scans = {row[0] for row in session.execute(_SCANS)} & {name for name, *_ in relations.values()}
        after = _read_relations(session)
        session.rollback()
    modes: dict[str, list[str]] = {}
    for oid, mode in rows:
        if oid in relations:
            modes.setdefault(relations[oid][0], []).append(mode)
    rewrites = set(_find_rewritten(relations, after))
    return Truth(
        {name: find_strongest(found) for name, found in modes.items()},
        rewrites,
        scans - rewrites,
        {name: operations for name, operations in keeps_out.items() if operations},
    )


def _read_relations(session: psycopg.Connection[Any]) -> dict[int, tuple[str, str, int]]:
    return {oid: (name, kind, filenode) for oid, name, kind, filenode in session.execute(_RELATIONS)}


def _find_rewritten(before: Mapping[int, tuple[str, str, int]], after: Mapping[int, tuple[str, str, int]]) -> Iterator[str]:
    """Yield the relations whose file is another one, and the indexes that were rebuilt under their names."""
    anew = {name: filenode for oid, (name, kind, filenode) in after.items() if kind == "i" and oid not in before}
    for oid, (name, kind, filenode) in before.items():
        if kind in "rmi" and filenode != (after[oid][2] if oid in after else anew.get(name, filenode)):
            yield name


def _probe(database: Database) -> Iterator[tuple[str, set[str]]]:
    with database.connect(autocommit=False) as other:
        other.execute(f"SET {_KEPT_OUT}")
        other.commit()
        for name, probes in PROBES.items():
            others = {
                "select": f"SELECT * FROM {name} LIMIT 1",
                "delete": f"DELETE FROM {name}",
                "ddl": f"CREATE INDEX ON {name} ((1))",
            }
            tried = {**others, **probes} if probes else {each: others[each] for each in ("select", "ddl")}
            yield name, {operation for operation, text in tried.items() if _waits(other, text)}


def _waits(session: psycopg.Connection[Any], text: str) -> bool:
    try:
        session.execute(text.encode())
    except errors.LockNotAvailable:
        return True
    except psycopg.Error:
        return False
    finally:
        session.rollback()
    return False
