"""Taking over the record of another tool: rename its table, create ours and write the rows, in one transaction."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql

from tasks.postgres.other_tools import ALEMBIC
from tasks.runner.errors import RefusedError
from tasks.runner.files.checkout import show_path
from tasks.runner.ledger.creation import create_tables
from tasks.runner.ledger.foreign import VersionTable, find_other_ledger
from tasks.runner.ledger.ownership import read_ledger_owner
from tasks.runner.ledger.reading import Ledger, read_ledger
from tasks.runner.ledger.tool_tables import KEPT_NAME
from tasks.runner.ledger.vouching import read_texts
from tasks.runner.ledger.writing import Recorder
from tasks.runner.settings import KEEP_TEXT

if TYPE_CHECKING:
    from tasks.runner.files.checkout import Migrations
    from tasks.runner.identity import Identity, Revision
    from tasks.runner.ledger.foreign import OtherLedger

_LOCK_TIMEOUT = "5s"


@dataclass(frozen=True, slots=True)
class Adoption:
    """A version that a database already has, with the evidence, and since when if that is known (UTC)."""

    version: str
    evidence: str
    applied_at: datetime | None = None
    checksum: str = ""
    """The checksum of the file that was examined; empty for any."""


def take_over(
    connection: psycopg.Connection,
    other: OtherLedger,
    adoptions: Iterable[Adoption],
    *,
    migrations: Migrations,
    identity: Identity,
    revision: Revision,
    readers: tuple[str, ...] = (),
    keep_text: int = KEEP_TEXT,
) -> str:
    """Create our ledger beside that of another tool and record the adoptions, in one transaction; the caller has the lock.

    A table of another tool that is named schema_migrations is renamed, and the new name is returned; any other is kept. Raises
    RefusedError if the other record has changed, and FilesError for a file that cannot be read.
    """
    with connection.transaction():
        kept = _move_away(connection, other)
        ours = Ledger(schema=other.schema, owner=read_ledger_owner(connection), doubtful=True)
        ledger = ours if kept else read_ledger(connection)
        create_tables(connection, ledger, readers)
        recorder = Recorder(connection, ledger, identity, revision, prepare=False, keep_text=keep_text)
        record_adoptions(recorder, adoptions, migrations)
    return kept


def record_adoptions(recorder: Recorder, adoptions: Iterable[Adoption], migrations: Migrations) -> None:
    """Record versions that a database already has, with the current texts and checksums of their files."""
    for adoption in adoptions:
        texts = read_texts(migrations, adoption.version)
        if adoption.checksum not in ("", texts.up_digest):
            raise RefusedError(
                f"{show_path(migrations.up_path(adoption.version))} changed since it was examined",
                hint="Run the command again.",
                state="Nothing was changed.",
            )
        recorder.record_adopted(adoption.version, texts, applied_at=adoption.applied_at, evidence=adoption.evidence)


def _move_away(connection: psycopg.Connection, other: OtherLedger) -> str:
    """Lock the other table, check that it is unchanged, rename it if it has our name, and return the new name."""
    table = sql.Identifier(other.schema, other.tool.table)
    _lock(connection, other, table)
    alembic = VersionTable(other.tool.table, other.schema) if other.tool.name == ALEMBIC.name else None
    if find_other_ledger(connection, alembic) != other:
        raise RefusedError(
            f"{other.schema}.{other.tool.table} changed since it was examined",
            hint="Is the other tool still running? Examine the database again when it has ended.",
            state="Nothing was changed.",
        )
    if not other.is_in_the_way:
        return ""
    name = _find_free_name(connection, other.schema)
    connection.execute(sql.SQL("ALTER TABLE {} RENAME TO {}").format(table, sql.Identifier(name)))
    _rename_key(connection, sql.Identifier(other.schema, name), f"{name}_pkey")
    return name


def _lock(connection: psycopg.Connection, other: OtherLedger, table: sql.Identifier) -> None:
    """Lock the other table until the end of the transaction; a table that is only read is not locked without the privilege.

    Raises RefusedError if another session has locked it.
    """
    mode = "ACCESS EXCLUSIVE" if other.is_in_the_way else "SHARE"
    try:
        with connection.transaction():
            connection.execute(f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT}'")
            connection.execute(sql.SQL(f"LOCK TABLE {{}} IN {mode} MODE").format(table))
    except psycopg.errors.LockNotAvailable as error:
        raise RefusedError(
            f"another session has locked {other.schema}.{other.tool.table}",
            hint="Is the other tool still running? Run the command again when it has ended.",
            state="Nothing was changed.",
        ) from error
    except psycopg.errors.InsufficientPrivilege:
        if other.is_in_the_way:
            raise


def _rename_key(connection: psycopg.Connection, table: sql.Identifier, name: str) -> None:
    """Rename the primary key of a table, because our table needs the name of its index."""
    query = "SELECT conname::text FROM pg_constraint WHERE contype = 'p' AND conrelid = %s::regclass"
    for (key,) in connection.execute(query, [table.as_string(connection)]).fetchall():
        rename = sql.SQL("ALTER TABLE {} RENAME CONSTRAINT {} TO {}")
        connection.execute(rename.format(table, sql.Identifier(key), sql.Identifier(name)))


def _find_free_name(connection: psycopg.Connection, schema: str) -> str:
    query = (
        "SELECT relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace"
        " WHERE nspname = %s AND starts_with(relname, %s)"
    )
    taken = {row[0] for row in connection.execute(query, [schema, KEPT_NAME])}
    number = 1
    name = KEPT_NAME
    while name in taken:
        number += 1
        name = f"{KEPT_NAME}{number}"
    return name
