"""What the triggers of a table do when a file fills one of its columns: the values that they change are not lost."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import psycopg

from tasks.generation.proof.kept_rows import Rows, rename_table
from tasks.postgres.quoting import quote_identifier
from tasks.postgres.tokens import NAME
from tasks.rehearsal.rows import read_rows
from tasks.rehearsal.rows.contents import Contents
from tasks.rehearsal.sql_diff.renames import ObjectRename

_UPDATED = re.compile(rf"\bUPDATE\s+(?:ONLY\s+)?((?:{NAME}\.)?{NAME})\s+SET\b", re.IGNORECASE)
_OF_FILES = "SET LOCAL statement_timeout = '10s'; SET LOCAL row_security = on; SET LOCAL search_path TO DEFAULT"
"""The settings under which the functions of triggers run when a file does."""
_OWN = "SET LOCAL row_security = off; SET LOCAL search_path = pg_catalog, pg_temp"
_PROBE = "migrate_probe_of_triggers"
_TRIGGERS = """
SELECT t.tgname::text FROM pg_catalog.pg_trigger t
 WHERE t.tgrelid = %s::regclass AND NOT t.tgisinternal AND t.tgenabled IN ('O', 'A') AND t.tgtype & 16 <> 0
   AND t.tgattr = ''::pg_catalog.int2vector ORDER BY 1
"""
"""The triggers that an UPDATE of a new column runs: https://www.postgresql.org/docs/current/catalog-pg-trigger.html"""


@dataclass(frozen=True, slots=True)
class TriggerEffect:
    """A table that files update, its triggers, and what they change: columns of tables, or without a column their rows."""

    table: str
    triggers: tuple[str, ...]
    changed: tuple[tuple[str, str], ...]

    @property
    def sentence(self) -> str:
        """Return what happens, for a person."""
        names = [quote_identifier(name) for name in self.triggers]
        changes = ", ".join(
            f"{quote_identifier(column) if column else 'the rows'}{'' if column and table == self.table else f' of {table}'}"
            for table, column in self.changed
        )
        word = "trigger" if len(names) == 1 else "triggers"
        return f"the UPDATE of all rows of {self.table} runs its {word} {', '.join(names)}, which may change {changes}"


def find_effects(
    connection: psycopg.Connection, texts: Sequence[str], rows: Rows, renames: Sequence[ObjectRename]
) -> tuple[TriggerEffect, ...]:
    """Return what triggers change when the UPDATEs in some texts run on tables with rows, which stay as they are."""
    updated = {match[1] for text in texts for match in _UPDATED.finditer(text)}
    tables = [table for table in rows if updated & {table, rename_table(table, renames)}]
    return tuple(effect for table in tables for effect in _try_update(connection, table, rows))


def _try_update(connection: psycopg.Connection, table: str, rows: Rows) -> Iterator[TriggerEffect]:
    """Yield the effect of an UPDATE that changes nothing but a column that is new, as the files do."""
    triggers = tuple(row[0] for row in connection.execute(_TRIGGERS, [table]))
    if not triggers:
        return
    found: Rows = {}
    with suppress(psycopg.Error), connection.transaction(force_rollback=True):
        connection.execute(f"ALTER TABLE {table} ADD COLUMN {_PROBE} integer".encode())
        connection.execute(_OF_FILES)
        connection.execute(f"UPDATE {table} SET {_PROBE} = 1".encode())
        connection.execute(_OWN)
        found = read_rows(connection)
    changed = tuple(each for name, now in found.items() if name in rows for each in _compare(name, rows[name], now))
    if changed:
        yield TriggerEffect(table, triggers, changed)


def _compare(table: str, before: Contents, after: Contents) -> Iterator[tuple[str, str]]:
    if before.rows != after.rows:
        yield table, ""
        return
    for column, values in before.columns.items():
        if after.columns.get(column, Counter()) != values:
            yield table, column


def leave_out(rows: Rows, effects: Sequence[TriggerEffect]) -> Rows:
    """Return rows without the values that triggers change."""
    changed = {each for effect in effects for each in effect.changed}
    return {
        table: replace(each, columns={name: values for name, values in each.columns.items() if (table, name) not in changed})
        for table, each in rows.items()
        if (table, "") not in changed
    }
