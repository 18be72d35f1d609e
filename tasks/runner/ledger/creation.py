"""The creation of the ledger's tables, and their upgrade to the current format."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import psycopg

from tasks.postgres.quoting import quote_identifier
from tasks.runner.database.own_connection import OwnConnection
from tasks.runner.database.session import roll_back, run_sql
from tasks.runner.ledger.guard import compose_new_guard
from tasks.runner.ledger.layout import LedgerLayout, ReadAhead, compose_layout
from tasks.runner.ledger.privileges import close_tables, compose_access, read_access
from tasks.runner.ledger.reading import Ledger, compose_queries, read_ledger
from tasks.runner.ledger.snapshot import begin_with
from tasks.runner.ledger.tables import HELPER_TABLES, TABLE

_CHECK = "-- Here, the tables are checked.\n"
"""The line of ledger.sql that the check of its tables takes the place of."""
_SCHEMA_VARIABLE = ':"schema"'
"""Stands for the ledger's schema in ledger.sql, as psql's variables do: psql --set=schema=public --file=ledger.sql"""


def ensure_ledger(connection: psycopg.Connection, ledger: Ledger, readers: tuple[str, ...] = ()) -> Ledger:
    """Create the missing tables of the ledger, and migrate them to the current format; the caller has the lock.

    Return the ledger as it is then; the message that creates the tables reads it. `readers` are the roles that may read some of
    the created tables. Raises RefusedError if one of them does not exist.
    """
    access = _compose_access(connection, ledger, readers)
    whole = replace(ledger, exists=True, helpers=frozenset(HELPER_TABLES))
    reading = (compose_layout(connection), *compose_queries(connection, whole))
    try:
        *before, layout, _, records, others = begin_with(connection, f"{compose_tables(ledger)}{access}", *reading)
        if access:
            close_tables(connection, read_access(ledger.schema, before[-1][0][0], readers))
        run_sql(connection, "COMMIT")
    except BaseException:
        roll_back(connection)
        raise
    if isinstance(connection, OwnConnection):
        connection.ahead = ReadAhead(LedgerLayout(*layout[0]), (records, others))
    return read_ledger(connection)


def create_tables(connection: psycopg.Connection, ledger: Ledger, readers: tuple[str, ...] = ()) -> None:
    """Create the ledger's tables in the open transaction, closed to others, in one message if no privileges must be changed."""
    access = _compose_access(connection, ledger, readers)
    answer = run_sql(connection, f"{compose_tables(ledger)}{access}")
    if access:
        close_tables(connection, read_access(ledger.schema, answer, readers))


def _compose_access(connection: psycopg.Connection, ledger: Ledger, readers: tuple[str, ...]) -> str:
    """Return the query for the privileges on the tables that are created, empty if all exist."""
    suffixes = [*([] if ledger.exists else [""]), *(each for each in HELPER_TABLES if each not in ledger.helpers)]
    created = [f"{TABLE}{suffix}" for suffix in suffixes]
    return compose_access(connection, ledger.schema, created, readers) if created else ""


def compose_tables(ledger: Ledger) -> str:
    """Return the SQL that creates the ledger's tables; it needs a transaction.

    A table may have been created by others after the ledger was read: they are checked again before anything else is done.
    """
    text = (Path(__file__).parent / "ledger.sql").read_text(encoding="utf-8")
    text = text.replace(_SCHEMA_VARIABLE, quote_identifier(ledger.schema))
    text = text.replace(_CHECK, compose_new_guard(ledger.schema, ledger.owner, doubtful=ledger.doubtful), 1)
    return f"SET LOCAL client_min_messages = warning;\n{text}\n"
