"""Reading the schema of a database, with what its ledger says should be there: as one event, for a comparison elsewhere."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
from psycopg import sql

from tasks.catalog import Catalog, Key, read_catalog
from tasks.runner.events import CatalogRead, Event, StoredScript
from tasks.runner.ledger import Ledger, check_environment, read_ledger
from tasks.runner.runner import MigrationRunner
from tasks.runner.session import describe_database

_SCRIPTS = """
SELECT l.version, coalesce(l.checksum, ''), s.up_text, s.down_text
  FROM {ledger} l LEFT JOIN {scripts} s USING (version) ORDER BY l.applied_at NULLS FIRST, l.version COLLATE "C"
"""


def read_schema(runner: MigrationRunner) -> Iterator[Event]:
    """Give the objects of the database, and the texts that were applied to it, in the order of their application."""
    with runner.read() as connection:
        ledger = read_ledger(connection)
        check_environment(ledger, runner.environment)
        catalog = read_catalog(connection)
        scripts = _read_scripts(connection, ledger)
    yield CatalogRead(
        runner.environment or ledger.environment,
        describe_database(runner.url),
        catalog.server_version,
        tuple((key.kind, key.name, key.parent, definition) for key, definition in catalog.objects.items()),
        scripts,
    )


def build_catalog(event: CatalogRead) -> Catalog:
    """Make the schema of the event that carries it."""
    objects = {Key(kind, name, parent): definition for kind, name, parent, definition in event.objects}
    return Catalog(objects, event.server_version)


def _read_scripts(connection: psycopg.Connection, ledger: Ledger) -> tuple[StoredScript, ...]:
    if not ledger.complete:
        return tuple(StoredScript(version, checksum or "", None, None) for version, checksum in ledger.checksums.items())
    query = sql.SQL(_SCRIPTS).format(ledger=ledger.table(), scripts=ledger.table("_scripts"))
    return tuple(StoredScript(*row) for row in connection.execute(query))
