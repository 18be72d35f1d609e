"""Reading a schema from a database: one query for each class of objects, all of them in one snapshot and one message."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
from psycopg.pq import TransactionStatus
from psycopg.rows import tuple_row

from tasks.catalog.classes import CLASSES
from tasks.catalog.normalising import normalise, unquote_keywords
from tasks.catalog.values import Catalog, Key

SETTINGS = {
    "search_path": "",
    "client_encoding": "UTF8",
    "quote_all_identifiers": "off",
    "standard_conforming_strings": "on",
    "DateStyle": "ISO, MDY",
    "IntervalStyle": "postgres",
    "TimeZone": "UTC",
    "extra_float_digits": "1",
    "bytea_output": "hex",
    "lc_monetary": "C",
    "jit": "off",
}
"""What the text of a definition depends on, for as long as the reading takes: with no search_path every name has its schema.

Compilation is switched off because it costs more than these queries do.
"""


def read_catalog(connection: psycopg.Connection) -> Catalog:
    """Read the schema of a database: everything that people made in it, without the members of extensions and the ledger.

    On an idle connection it reads in a transaction of its own, REPEATABLE READ and READ ONLY; else in the one that is open.
    Either way nothing of the session is changed afterwards. No privileges are needed beyond the right to connect. It waits for a
    lock only where someone else holds ACCESS EXCLUSIVE on a table that a view or an expression reads from. Raises psycopg.Error.
    """
    idle = connection.info.transaction_status == TransactionStatus.IDLE
    version = connection.info.server_version
    with connection.transaction(force_rollback=True):
        if idle:
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        return Catalog(dict(_read_objects(connection, version)), version)


def _read_objects(connection: psycopg.Connection, version: int) -> Iterator[tuple[Key, str]]:
    settings = ", ".join(f"set_config('{name}', '{value}', true)" for name, value in SETTINGS.items())
    queries = [each.query for each in CLASSES if each.since <= version // 10000 <= each.until]
    with connection.cursor(row_factory=tuple_row) as cursor:
        cursor.execute(";\n".join((f"SELECT {settings}", *queries)))
        while cursor.nextset():
            for kind, name, parent, definition in cursor.fetchall():
                if definition is not None:
                    key = Key(kind, unquote_keywords(name), unquote_keywords(parent))
                    yield key, normalise(kind, definition, version)
