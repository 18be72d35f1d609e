"""Reading the schema of a database and the texts in its ledger, as one event, to compare it on another machine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import psycopg

from tasks.catalog import Catalog, Key, read_catalog
from tasks.postgres.other_tools import ALEMBIC, OTHER_TOOLS
from tasks.runner.clock import read_time
from tasks.runner.database.addresses import describe_connection
from tasks.runner.events import NOT_COMPARED, CatalogRead, Event, OtherRecord, StoredScript, UnfinishedAttempt
from tasks.runner.execution.migration_runner import MigrationRunner
from tasks.runner.ledger.alembic import find_version_table
from tasks.runner.ledger.elsewhere import find_distant_ledgers
from tasks.runner.ledger.environment_label import check_environment
from tasks.runner.ledger.expected_schema import parse_expectation, sum_catalog
from tasks.runner.ledger.foreign import LedgerRow, OtherLedger, find_other_ledger
from tasks.runner.ledger.privileges import describe_unreadable
from tasks.runner.ledger.reading import Ledger, read_ledger
from tasks.runner.ledger.vouching import StoredTexts, Trust, read_stored


def read_schema(runner: MigrationRunner) -> Iterator[Event]:
    """Yield the objects of the database, and the texts that were applied to it, in the order of their history."""
    version_table = find_version_table(runner.migrations_dir)
    with runner.read(version_table=version_table) as connection:
        database = describe_connection(connection)
        other = find_other_ledger(connection, version_table)
        ledger = Ledger() if other is not None and other.is_in_the_way else read_ledger(connection, partial=True)
        check_environment(ledger, runner.belonging)
        catalog = read_catalog(connection)
        scripts = _read_scripts(connection, ledger)
        elsewhere = () if ledger.exists or ledger.helpers else find_distant_ledgers(connection, ledger)
    yield CatalogRead(
        runner.environment or ledger.environment,
        database,
        catalog.server_version,
        _list_objects(catalog.objects),
        scripts,
        None if other is None else describe_record(other),
        unfinished=_list_unfinished(ledger),
        status=_describe_drift(ledger, catalog) if runner.watch_drift and ledger.exists and ledger.may_read("_meta") else "",
        has_ledger=ledger.exists,
        elsewhere=tuple(each.schema for each in elsewhere),
        replaced=ledger.replaced,
        unknown=_describe_unknown(ledger),
        derived=_list_objects(catalog.derived),
    )


def _list_objects(objects: Mapping[Key, str]) -> tuple[tuple[str, str, str, str], ...]:
    return tuple((key.kind, key.name, key.parent, definition) for key, definition in objects.items())


def _list_unfinished(ledger: Ledger) -> tuple[UnfinishedAttempt, ...]:
    return tuple(
        UnfinishedAttempt(version, found.action, found.segments_done, found.segments_total, found.segments_checksum)
        for version, found in ledger.attempts.items()
        if found.interrupted and found.action == ("rollback" if version in ledger.checksums else "migrate")
    )


def _describe_drift(ledger: Ledger, catalog: Catalog) -> str:
    """Return what db.status reports of the drift of a schema."""
    expectation = parse_expectation(ledger.expected)
    if expectation is None:
        return NOT_COMPARED
    return "drifted" if expectation.has_drifted(sum_catalog(catalog)) else "clean"


def _describe_unknown(ledger: Ledger) -> str:
    unknown = [suffix for suffix in ("_log", "_scripts") if suffix in ledger.unreadable]
    return describe_unreadable(ledger.schema, unknown) if unknown else ""


def build_catalog(event: CatalogRead) -> Catalog:
    """Return the schema in an event."""
    objects, derived = (
        {Key(kind, name, parent): definition for kind, name, parent, definition in listed}
        for listed in (event.objects, event.derived)
    )
    return Catalog(objects, event.server_version, derived)


def describe_record(other: OtherLedger) -> OtherRecord:
    """Return another tool's record as the value of an event."""
    rows = tuple(
        (row.version, row.name, row.applied_at.isoformat() if row.applied_at else "", row.checksum, _describe_row(row))
        for row in other.rows
    )
    return OtherRecord(other.schema, other.tool.table, other.tool.name, rows, other.unread)


def _describe_row(row: LedgerRow) -> str:
    return ("baseline" if row.baseline else "true") if row.ok else ""


def build_record(record: OtherRecord | None) -> OtherLedger | None:
    """Return another tool's record from the value of an event; None if there is none, or if the tool is unknown."""
    tools = [
        tool if tool is not ALEMBIC else tool._replace(table=record.table)
        for tool in OTHER_TOOLS
        if record and tool.name == record.tool and (tool is ALEMBIC or tool.table == record.table)
    ]
    if record is None or not tools:
        return None
    rows = tuple(
        LedgerRow(version, name, read_time(at), checksum, bool(ok), ok == "baseline")
        for version, name, at, checksum, ok in record.rows
    )
    return OtherLedger(tools[0], record.schema, rows, record.unread)


def _read_scripts(connection: psycopg.Connection, ledger: Ledger) -> tuple[StoredScript, ...]:
    """Return the applied versions with those of their stored texts for which the log vouches; the others are not sent."""
    stored = read_stored(connection, ledger, ledger.checksums)
    return tuple(_judge(version, checksum, stored.get(version, StoredTexts())) for version, checksum in ledger.checksums.items())


def _judge(version: str, checksum: str | None, stored: StoredTexts) -> StoredScript:
    up, down = stored.judge_up(checksum), stored.judge_down()
    return StoredScript(
        version,
        checksum or "",
        stored.up if up.trust == Trust.VOUCHED else None,
        stored.down if down.trust == Trust.VOUCHED else None,
        vouched=True,
        reason="" if up.trust == Trust.ABSENT else up.reason,
        size=stored.voucher.up_size if up.trust == Trust.ABSENT else None,
    )
