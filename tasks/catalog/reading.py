"""Read a schema from a database: a query for each class of objects that exists, all in one snapshot and one message."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import psycopg
from psycopg.pq import TransactionStatus
from psycopg.rows import tuple_row

from tasks.catalog.classes import CLASSES
from tasks.catalog.normalising import normalise, write_names
from tasks.catalog.values import DERIVED, Catalog, Key

SETTINGS = {
    "search_path": "pg_catalog, pg_temp",
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
    "enable_mergejoin": "off",
    "enable_memoize": "off",
    "max_parallel_workers_per_gather": "0",
}
"""The settings on which the text of a definition depends; with this search_path, every name of a user has its schema.

JIT compilation is off because it costs more than the queries, and so are plans that take longer to make than they save, even for
a schema of thousands of tables.
"""


def read_catalog(connection: psycopg.Connection) -> Catalog:
    """Read the schema of a database, without the members of extensions and the ledger.

    An idle connection reads in its own transaction, REPEATABLE READ and READ ONLY; otherwise the open transaction is used. The
    state of the session is the same afterwards. No privileges are needed except CONNECT. The queries wait for a lock only if
    another session has an ACCESS EXCLUSIVE lock on a table that a view or an expression reads. Raises psycopg.Error.
    """
    idle = connection.info.transaction_status == TransactionStatus.IDLE
    version = connection.info.server_version
    with connection.transaction(force_rollback=True):
        if idle:
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        objects, derived = dict[Key, str](), dict[Key, str]()
        for key, definition in _read_objects(connection, version):
            if key.kind.startswith(DERIVED):
                derived[replace(key, kind=key.kind.removeprefix(DERIVED))] = definition
            else:
                objects[key] = definition
        return Catalog(objects, version, derived)


def _read_objects(connection: psycopg.Connection, version: int) -> Iterator[tuple[Key, str]]:
    settings = ", ".join(f"pg_catalog.set_config('{name}', '{value}', true)" for name, value in SETTINGS.items())
    classes = [each for each in CLASSES if each.since <= version // 10000 <= each.until]
    present = ", ".join(f"EXISTS (SELECT {each.trace})" for each in classes)
    with connection.cursor(row_factory=tuple_row) as cursor:
        cursor.execute(f"SELECT {settings};\nSELECT {present}")
        cursor.nextset()
        row = cursor.fetchone()
        assert row is not None
        queries = [each.query for each, is_present in zip(classes, row, strict=True) if is_present]
        cursor.execute(";\n".join(("SELECT", *queries)))
        while cursor.nextset():
            for kind, name, parent, definition in cursor.fetchall():
                if definition is not None:
                    key = Key(kind, write_names(name, version), write_names(parent, version))
                    yield key, normalise(kind, definition, version)
