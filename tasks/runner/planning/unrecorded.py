"""Databases that have what pending migrations create, and no ledger: a run would create it a second time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psycopg

from tasks.runner.database.own_connection import find_schemas
from tasks.runner.errors import FilesError
from tasks.runner.events import Finding
from tasks.runner.files.checkout import read_source
from tasks.runner.ledger.alembic import map_record
from tasks.runner.ledger.elsewhere import build_distant_ledgers, compose_distant_ledgers
from tasks.runner.ledger.foreign import compose_tool_tables, read_other_ledgers
from tasks.runner.ledger.guard import compose
from tasks.runner.ledger.layout import fetch_each
from tasks.runner.parsing.created_tables import list_created_tables

if TYPE_CHECKING:
    from tasks.runner.files.checkout import Migrations
    from tasks.runner.ledger.elsewhere import DistantLedger
    from tasks.runner.ledger.foreign import OtherLedger
    from tasks.runner.ledger.layout import Rows
    from tasks.runner.ledger.reading import Ledger

_MOST_NAMED = 5
_ADOPT = (
    "Find out what it has, and record that: inv db.adopt\n"
    "If none of it comes from these migrations, inv db.adopt --apply creates an empty ledger."
)
_TABLES = """
SELECT n.nspname::text, c.relname::text, n.nspname = ANY (%(path)s::text[])
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'p', 'f', 'm', 'v') AND c.relpersistence <> 't'
   AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
   AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
   AND (%(names)s::text[] IS NULL OR c.relname = ANY (%(names)s))
"""
"""All tables and views, without those of extensions; only these names, unless it is NULL."""
_ANY_TABLE = f"SELECT EXISTS ({_TABLES})"


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a database without a ledger has instead; `tool_tables` are for `read_other_ledgers`."""

    distant: tuple[DistantLedger, ...]
    has_tables: bool
    tool_tables: Rows


def read_surroundings(connection: psycopg.Connection, ledger: Ledger) -> Surroundings:
    """Read in one round trip what a database has that has no ledger where search_path leads."""
    any_table = compose(connection, _ANY_TABLE, {"names": None, "path": find_schemas(connection)})
    queries = (compose_distant_ledgers(connection, ledger), any_table, compose_tool_tables(connection))
    distant, exists, tool_tables = fetch_each(connection, queries)
    return Surroundings(build_distant_ledgers(connection, distant), bool(exists[0][0]), tool_tables)


def find_unrecorded(connection: psycopg.Connection, migrations: Migrations, found: Surroundings) -> Iterator[Finding]:
    """Yield refusals for a database without a ledger that has tables, or another tool's record, of these migrations."""
    tables = list(_list_tables(connection, migrations)) if found.has_tables else []
    if tables:
        more = f" and {len(tables) - _MOST_NAMED} more" if len(tables) > _MOST_NAMED else ""
        named = ", ".join(f"{table} ({version})" for table, version in tables[:_MOST_NAMED])
        yield Finding(
            "unrecorded",
            "",
            f"this database has no ledger, but it has tables that pending migrations create: {named}{more}",
            refuses=True,
            hint=_ADOPT,
        )
        return
    for other in _read_records(connection, found.tool_tables):
        matched = map_record(other, migrations)[0].matched
        where = f"{other.schema}.{other.tool.table}"
        if other.is_locked:
            yield Finding(
                "unrecorded",
                "",
                f"this database has no ledger, and {where} of {other.tool.name} could not be read: {other.unread}",
                refuses=True,
                hint="Run the same command again when that session has ended.",
            )
        if matched:
            yield Finding(
                "unrecorded",
                "",
                f"this database has no ledger, but {where} of {other.tool.name} records {len(matched)} of these migrations",
                refuses=True,
                hint="Take over that record: inv db.adopt",
            )


def _list_tables(connection: psycopg.Connection, migrations: Migrations) -> Iterator[tuple[str, str]]:
    """Yield each table that exists and that a file creates, with the version of the first such file."""
    path = find_schemas(connection)
    created = list(_list_created(migrations))
    # A name that no file contains may have bytes that the server cannot send.
    existing = connection.execute(_TABLES, {"names": [name for _, _, name in created], "path": path}).fetchall()
    qualified = {(schema, name) for schema, name, _ in existing}
    reached = {name: schema for schema, name, on_path in existing if on_path}
    seen = set()
    for version, schemas, name in created:
        places = schemas or ((reached[name],) if name in reached else ())
        for place in places:
            if (place, name) in qualified and (place, name) not in seen:
                seen.add((place, name))
                yield f"{place}.{name}", version


def _list_created(migrations: Migrations) -> Iterator[tuple[str, tuple[str, ...], str]]:
    """Yield the version, the schemas and the name of each table that a file creates."""
    for version in migrations.checksums:
        try:
            source = read_source(migrations.up_path(version))
        except FilesError:
            continue  # the plan reports it
        for schemas, name in list_created_tables(source.content, file=source.shown, version=version):
            yield version, tuple(schemas), name


def _read_records(connection: psycopg.Connection, tables: Rows) -> tuple[OtherLedger, ...]:
    """Return the records of other tools; none if one of them has values that cannot be read."""
    if not tables:
        return ()
    try:
        with connection.transaction():
            return tuple(read_other_ledgers(connection, tables))
    except psycopg.Error:
        if connection.closed or connection.broken:
            raise
        return ()
