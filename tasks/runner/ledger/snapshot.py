"""A transaction that reads the ledger and the tables of other tools under one snapshot, begun in as few round trips as can be."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import psycopg

from tasks.postgres.other_tools import OTHER_TOOLS
from tasks.runner.database.own_connection import OwnConnection, find_own_settings, find_schemas, mark_own
from tasks.runner.database.session import roll_back, run_sql
from tasks.runner.database.session_settings import PROBED_SCHEMAS, SESSION_DEFAULTS
from tasks.runner.ledger.guard import LOCK_TIMEOUT, compose, compose_lock
from tasks.runner.ledger.layout import LedgerLayout, ReadAhead, compose_layout, take_results
from tasks.runner.ledger.ownership import is_trusted, read_ledger_owner
from tasks.runner.ledger.reading import build_empty, compose_queries
from tasks.runner.ledger.tables import TABLES

if TYPE_CHECKING:
    from tasks.runner.ledger.foreign import VersionTable
    from tasks.runner.ledger.layout import Rows

_READING = "ISOLATION LEVEL REPEATABLE READ READ ONLY"
_CANDIDATES = f"""
SELECT n.nspname::text, c.relname::text FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname = ANY ({{schemas}}::pg_catalog.name[]) AND c.relname = ANY (%(tables)s::pg_catalog.name[]) AND c.relkind = 'r'
   AND pg_catalog.has_table_privilege(c.oid, 'SELECT')
   AND {is_trusted("c.relowner", "%(owner)s")} AND {is_trusted("n.nspowner", "%(owner)s")}
"""
"""The tables that can be locked for reading: no other role can make us wait for a lock on them."""

Table = tuple[str, str]


def compose_probe(connection: psycopg.Connection) -> str:
    """Return the query that `connect` sends with the settings: what `begin_reading` would have to read first, as JSON."""
    return f"""
SELECT pg_catalog.json_build_object(
    'tables', (SELECT pg_catalog.json_agg(pg_catalog.json_build_array(x.nspname, x.relname))
                 FROM ({_compose_candidates(connection, PROBED_SCHEMAS)}) x),
    'layout', (SELECT pg_catalog.row_to_json(x) FROM ({compose_layout(connection, PROBED_SCHEMAS)}) x))
"""


def compose_work_probe(connection: psycopg.Connection) -> str:
    """Return the query that `connect` sends for a session that runs files, for `take_defaults` and `read_with`."""
    return f"""
SELECT pg_catalog.json_build_object(
    'defaults', {SESSION_DEFAULTS},
    'layout', (SELECT pg_catalog.row_to_json(x) FROM ({compose_layout(connection, PROBED_SCHEMAS)}) x))
"""


def take_defaults(connection: OwnConnection) -> str:
    """Return the settings with which the session was opened, as SESSION_DEFAULTS reads them."""
    return str(connection.probed["defaults"])


def read_with(connection: psycopg.Connection, query: str, values: Mapping[str, object]) -> Rows:
    """Return the rows of a query; after it, the message also reads the ledger, for the next call of `read_ledger`.

    That is done if the ledger is a plain one, or there is none, as when the session was opened; else the next call reads it.
    """
    text, layout = compose(connection, query, values).decode(), _take_layout(connection)
    try:
        found, *results = begin_with(connection, text, *_compose_ledger(connection, layout), "COMMIT")
    except psycopg.OperationalError:
        raise
    except psycopg.Error:
        # A table was changed since the session was opened: its rows are read with further checks.
        roll_back(connection)
        return connection.execute(text.encode()).fetchall()
    if isinstance(connection, OwnConnection):
        connection.ahead = _build_ahead(layout, results)
    return found


def begin_with(connection: psycopg.Connection, *parts: str) -> list[Rows]:
    """Begin a transaction under our own settings, and return the rows of each query of what follows in the same message."""
    begin = ("BEGIN ISOLATION LEVEL READ COMMITTED", find_own_settings(connection))
    cursor = psycopg.ClientCursor(connection).execute(";\n".join(filter(None, (*begin, *parts))).encode())
    mark_own(connection)
    return take_results(cursor)


def begin_reading(
    connection: psycopg.Connection, *, limit_s: float = math.inf, version_table: VersionTable | None = None
) -> None:
    """Begin a READ ONLY transaction with one snapshot, which is not older than the locks on the tables that are read in it.

    `version_table` is that of Alembic, if it is known to have another name or schema than usual.

    The tables of other tools are not locked if another session has locked one of them for longer than LOCK_TIMEOUT. `limit_s`
    limits each statement of the transaction, waiting for locks included. The message that begins it also reads the ledger, if a
    probe has found a plain one.
    """
    probed = _take_probe(connection)
    if probed is not None and version_table is None:
        tables, layout = probed
        try:
            _begin(connection, tables, layout, limit_s)
            return
        except psycopg.OperationalError:
            raise
        except psycopg.Error:
            # A table was changed since the probe: what it found is not used.
            run_sql(connection, "ROLLBACK")
    query = _compose_candidates(connection, "%(schemas)s", version_table)
    _begin(connection, connection.execute(query.encode()).fetchall(), None, limit_s)


def _begin(connection: psycopg.Connection, tables: Sequence[Table], layout: LedgerLayout | None, limit_s: float) -> None:
    """Begin the transaction, without the tables of other tools if one of them is locked for too long."""
    try:
        _send(connection, tables, layout, limit_s)
    except psycopg.errors.LockNotAvailable:
        run_sql(connection, "ROLLBACK")
        _send(connection, [each for each in tables if each[1] in TABLES], layout, limit_s)


def _send(connection: psycopg.Connection, tables: Sequence[Table], layout: LedgerLayout | None, limit_s: float) -> None:
    """Begin the transaction and lock the tables, in one message, which also reads the ledger if its layout is plain."""
    own = [each for each in tables if each[1] in TABLES]
    others = [each for each in tables if each[1] not in TABLES]
    parts = [f"BEGIN {_READING}", find_own_settings(connection)]
    if limit_s < math.inf:
        parts.append(f"SET LOCAL statement_timeout = {math.ceil(limit_s * 1000)}")
    if others:
        locked = compose_lock(others, "ACCESS SHARE")
        parts += [f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'", locked, "SET LOCAL lock_timeout = 0"]
    if own:
        parts.append(compose_lock(own, "ACCESS SHARE"))
    parts += _compose_ledger(connection, layout)
    cursor = psycopg.ClientCursor(connection).execute(";\n".join(filter(None, parts)).encode())
    mark_own(connection)
    if isinstance(connection, OwnConnection):
        connection.ahead = _build_ahead(layout, take_results(cursor))


def _compose_ledger(connection: psycopg.Connection, layout: LedgerLayout | None) -> list[str]:
    """Return the queries of the layout and, if it was a plain one, of the ledger's rows, which then must be as it was."""
    if layout is None or not layout.is_plain:
        return [compose_layout(connection)]
    empty = build_empty(layout, read_ledger_owner(connection))
    return [compose_layout(connection, certain=True), *compose_queries(connection, empty)]


def _build_ahead(layout: LedgerLayout | None, results: Sequence[Rows]) -> ReadAhead | None:
    """Return what was read; None if the ledger is not as the probe found it, so that it is read again."""
    (rows, *more) = results
    if layout is None or not layout.is_plain:
        return ReadAhead(LedgerLayout(*rows[0]) if rows else None)
    found = LedgerLayout(*rows[0][:-1]) if rows else None
    # The first of the other results is that of the guard.
    return ReadAhead(found, more[1:]) if found == layout else None


def _take_probe(connection: psycopg.Connection) -> tuple[list[Table], LedgerLayout | None] | None:
    """Return the tables that can be locked, and the layout, as they were when the session was opened."""
    if not isinstance(connection, OwnConnection) or connection.probed is None:
        return None
    probed: Mapping[str, Any] = connection.probed
    return [(schema, table) for schema, table in probed["tables"] or ()], _take_layout(connection)


def _take_layout(connection: psycopg.Connection) -> LedgerLayout | None:
    """Return the layout as it was when the session was opened, once."""
    if not isinstance(connection, OwnConnection) or connection.probed is None:
        return None
    layout, connection.probed = connection.probed["layout"], None
    return LedgerLayout(**layout) if layout else None


def _compose_candidates(connection: psycopg.Connection, schemas: str, version_table: VersionTable | None = None) -> str:
    names = {*TABLES, *(tool.table for tool in OTHER_TOOLS), *([version_table.name] if version_table else [])}
    values = {"tables": sorted(names), "owner": read_ledger_owner(connection)}
    if schemas == "%(schemas)s":
        more = [version_table.schema] if version_table and version_table.schema else []
        values["schemas"] = [*find_schemas(connection), *more]
    return compose(connection, _CANDIDATES.format(schemas=schemas), values).decode()
