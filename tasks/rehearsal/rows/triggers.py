"""Insert into a table while its triggers are disabled, which its owner may do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import sql

_FIRING = """
SELECT tgname::text, CASE tgenabled WHEN 'A' THEN 'ENABLE ALWAYS' ELSE 'ENABLE' END FROM pg_catalog.pg_trigger
 WHERE tgrelid = %s AND NOT tgisinternal AND tgenabled IN ('O', 'A')
"""


@contextmanager
def without_triggers(connection: psycopg.Connection, oid: int, name: str) -> Iterator[None]:
    """Disable the user's triggers of a table, by its oid and quoted name, and enable them again unless an error is raised.

    After an error, the caller's transaction or savepoint undoes it.
    """
    triggers = connection.execute(_FIRING, [oid]).fetchall()
    for trigger, _ in triggers:
        _set_trigger(connection, name, "DISABLE", trigger)
    yield
    for trigger, word in triggers:
        _set_trigger(connection, name, word, trigger)


def _set_trigger(connection: psycopg.Connection, table: str, word: str, name: str) -> None:
    connection.execute(sql.SQL("ALTER TABLE {} " + word + " TRIGGER {}").format(sql.SQL(table), sql.Identifier(name)))
