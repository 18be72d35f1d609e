"""Tables of the ledger that were emptied or dropped, for example by a test suite that truncates, or a partial restore."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

import psycopg
from psycopg import sql

from tasks.postgres.quoting import show_qualified
from tasks.runner.events import Finding
from tasks.runner.ledger.guard import write_guarded
from tasks.runner.ledger.history import FOUND
from tasks.runner.ledger.tables import HELPER_TABLES

if TYPE_CHECKING:
    from tasks.runner.ledger.reading import Ledger

_LOST = """
WITH change AS (
    SELECT id, version::text AS version, true AS applied, at, actor, duration_ms FROM {log}
     WHERE outcome = 'finished' AND action IN ('migrate', 'adopt', 'rename') AND version IS NOT NULL
    UNION ALL
    SELECT id, version, false, at, actor, NULL FROM {log} l
     WHERE outcome = 'finished' AND version IS NOT NULL
       AND (action = 'rollback' OR action = 'repair' AND (note = 'drop row' OR note IS NULL AND NOT {is_stored}))
    UNION ALL
    SELECT id, regexp_replace(note, '^(was|dropped:) ', ''), false, at, actor, NULL FROM {log}
     WHERE outcome = 'finished' AND action = 'rename' AND note ~ '^(was|dropped:) '
), last AS (SELECT DISTINCT ON (version) * FROM change ORDER BY version, id DESC)
SELECT version, at AT TIME ZONE 'UTC', actor, duration_ms,
       (SELECT to_jsonb(l) ->> 'up_digest' FROM {log} l
         WHERE l.version = last.version AND l.outcome = 'finished' AND to_jsonb(l) ->> 'up_digest' IS NOT NULL
         ORDER BY l.id DESC LIMIT 1)
  FROM last WHERE applied ORDER BY id
"""
"""The versions that are applied according to the log. A repair that dropped a row deleted its texts too,
by which it is recognised where the log of an older version of this tool has no note."""
_STORED = "SELECT version, up_text FROM {scripts}"
_RESTORE = """
INSERT INTO {ledger} (version, applied_at, applied_by, checksum, execution_time_ms) VALUES (%s, %s, %s, %s, %s)
    ON CONFLICT (version) DO NOTHING
"""
_HAS_TEXTS = """
SELECT EXISTS (SELECT FROM {log} l JOIN {ledger} USING (version)
                WHERE action IN ('migrate', 'adopt') AND outcome = 'finished' AND to_jsonb(l) ->> 'note' IS DISTINCT FROM %s)
"""
"""A version that was only found in the ledger has no texts."""
_REBUILD = "Rebuild it: inv db.repair"


class LostRow(NamedTuple):
    """A row that schema_migrations should have: what the log and the stored texts know of it."""

    version: str
    applied_at: datetime | None = None
    applied_by: str | None = None
    checksum: str | None = None
    duration_ms: int | None = None


def find_damage(connection: psycopg.Connection, ledger: Ledger) -> tuple[Finding, ...]:
    """Return findings about the tables of a ledger that were emptied or dropped; empty for a ledger that has only one table."""
    if not ledger.helpers:
        return ()
    return tuple(_find_damage(connection, ledger))


def _find_damage(connection: psycopg.Connection, ledger: Ledger) -> Iterator[Finding]:
    missing = [suffix for suffix in HELPER_TABLES if suffix not in ledger.helpers]
    for suffix in missing:
        yield _describe(ledger, suffix, "is missing")
    if ledger.may_read("_meta") and not ledger.format:
        yield _describe(ledger, "_meta", "has lost the format of the ledger, and with it the name of the environment")
    if ledger.may_read("_log") and "_log" not in ledger.filled and "_scripts" in ledger.filled:
        yield _describe(ledger, "_log", "is empty, so that half-applied migrations would start again")
    lost = find_lost_rows(connection, ledger)
    if lost:
        named = f"{lost[0].version}{f' to {lost[-1].version}' if len(lost) > 1 else ''}"
        yield Finding(
            "damaged",
            "",
            f"the ledger's table {_name(ledger, '')} is {'empty' if ledger.exists else 'missing'}, "
            f"but {len(lost)} migration{'s' if len(lost) > 1 else ''} {'were' if len(lost) > 1 else 'was'} applied ({named})",
            refuses=True,
            hint="Restore the rows from the log: inv db.repair\n"
            "If the database was emptied on purpose, empty the log too, and the run starts from the first migration:\n"
            f"  TRUNCATE {_name(ledger, '_log')}, {_name(ledger, '_scripts')};",
        )
    elif lacks_texts(connection, ledger):
        yield _describe(ledger, "_scripts", "is empty, so that a rollback needs the down files", refuses=False)


def _describe(ledger: Ledger, suffix: str, what: str, *, refuses: bool = True) -> Finding:
    return Finding("damaged", "", f"the ledger's table {_name(ledger, suffix)} {what}", refuses=refuses, hint=_REBUILD)


def _name(ledger: Ledger, suffix: str) -> str:
    return show_qualified(ledger.schema, f"schema_migrations{suffix}")


def find_lost_rows(connection: psycopg.Connection, ledger: Ledger) -> tuple[LostRow, ...]:
    """Return the rows that an empty or dropped schema_migrations should have, in the order of application."""
    if ledger.checksums or not ledger.filled or ledger.unreadable:
        return ()
    names = {"log": ledger.table("_log"), "scripts": ledger.table("_scripts")}
    stored: dict[str, str | None] = {}
    if "_scripts" in ledger.filled:
        from tasks.postgres.representable import restore_text

        stored = {
            version: _find_digest(None if text is None else restore_text(text))
            for version, text in connection.execute(sql.SQL(_STORED).format(**names))
        }
    if "_log" not in ledger.filled:
        return tuple(LostRow(version, checksum=stored[version]) for version in sorted(stored))
    is_stored = "EXISTS (SELECT FROM {scripts} s WHERE s.version = l.version)" if stored else "false"
    query = sql.SQL(_LOST).format(log=names["log"], is_stored=sql.SQL(is_stored).format(**names))
    return tuple(
        LostRow(version, at, actor, digest or stored.get(version), duration_ms)
        for version, at, actor, duration_ms, digest in connection.execute(query)
    )


def _find_digest(text: str | None) -> str | None:
    """Return the checksum of a stored text, None if it is not that of a file."""
    from tasks.runner.ledger.vouching import is_masked

    return None if text is None or is_masked(text) else hashlib.sha256(text.encode()).hexdigest()


def restore_rows(connection: psycopg.Connection, ledger: Ledger, rows: tuple[LostRow, ...]) -> None:
    """Insert rows into schema_migrations."""
    query = sql.SQL(_RESTORE).format(ledger=ledger.table())
    for row in rows:
        values = [row.version, row.applied_at, row.applied_by, row.checksum, row.duration_ms]
        write_guarded(connection, ledger.schema, ["schema_migrations"], query, values)


def lacks_texts(connection: psycopg.Connection, ledger: Ledger) -> bool:
    """Return True if no texts are stored, though this tool applied or adopted a version that is recorded."""
    if not ledger.complete or not ledger.checksums or "_scripts" in ledger.filled or ledger.unreadable & {"_log", "_scripts"}:
        return False
    query = sql.SQL(_HAS_TEXTS).format(log=ledger.table("_log"), ledger=ledger.table())
    row = connection.execute(query, [FOUND]).fetchone()
    return row is not None and bool(row[0])
