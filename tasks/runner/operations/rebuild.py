"""Rebuilding tables of the ledger that were emptied or dropped, as a part of repair."""

from __future__ import annotations

import psycopg

from tasks.runner.events import RepairProposed
from tasks.runner.files.checkout import Migrations, read_source
from tasks.runner.ledger.damage import find_lost_rows, lacks_texts, restore_rows
from tasks.runner.ledger.environment_label import Belonging, record_environment
from tasks.runner.ledger.reading import HELPER_TABLES, Ledger, read_ledger
from tasks.runner.ledger.writing import Entry, Recorder

_RESTORE, _REBUILD, _STORE = "restore rows", "rebuild table", "store texts"
REBUILDING = frozenset({_RESTORE, _REBUILD, _STORE})
"""The changes of a repair that concern a table, whose name they have in place of a version."""
_MOST_NAMED = 5


def propose_rebuilding(connection: psycopg.Connection, ledger: Ledger, environment: str) -> tuple[RepairProposed, ...]:
    """Return the changes that would restore the emptied or dropped tables of a ledger."""
    if not ledger.helpers:
        return ()
    proposals = []
    lost = find_lost_rows(connection, ledger)
    if lost:
        versions = [row.version for row in lost]
        more = f" and {len(versions) - _MOST_NAMED} more" if len(versions) > _MOST_NAMED else ""
        what = f"it lost its rows: record again as applied {', '.join(versions[:_MOST_NAMED])}{more}"
        proposals.append(RepairProposed("schema_migrations", _RESTORE, what))
    elif not ledger.exists:
        proposals.append(RepairProposed("schema_migrations", _REBUILD, "it was dropped: create it again"))
    for suffix in HELPER_TABLES:
        what = _describe_rebuilding(ledger, suffix, environment)
        if what:
            proposals.append(RepairProposed(f"schema_migrations{suffix}", _REBUILD, what))
    if "_scripts" not in ledger.helpers or lacks_texts(connection, ledger):
        what = "it lost the texts of applied migrations: store those of the files that have not changed since"
        proposals.append(RepairProposed("schema_migrations_scripts", _STORE, what))
    return tuple(proposals)


def _describe_rebuilding(ledger: Ledger, suffix: str, environment: str) -> str:
    """Return what rebuilding a table means, or an empty text if it needs none."""
    if suffix == "_meta" and not ledger.format:
        named = f", and that this database is {environment}" if environment and not ledger.environment else ""
        return f"it lost the format of the ledger: record it again{named}"
    if suffix not in ledger.helpers:
        return "it was dropped: create it again, empty"
    if suffix == "_log" and "_log" not in ledger.filled and "_scripts" in ledger.filled:
        return "it is empty: begin a new log (that an earlier run was interrupted is no longer known)"
    return ""


def rebuild(recorder: Recorder, migrations: Migrations, proposal: RepairProposed, run: Belonging) -> None:
    """Make a change that `propose_rebuilding` proposed, and log it; all tables exist again, and the caller has the lock."""
    connection, ledger = recorder.connection, recorder.ledger
    if proposal.change == _RESTORE:
        restore_rows(connection, ledger, find_lost_rows(connection, ledger))
    elif proposal.change == _STORE:
        _store_texts(recorder, migrations)
    elif proposal.version == "schema_migrations_meta":
        record_environment(connection, ledger, run)
    recorder.log(Entry("repair", "finished", note=f"{proposal.change} {proposal.version}"))


def _store_texts(recorder: Recorder, migrations: Migrations) -> None:
    for version, checksum in read_ledger(recorder.connection).checksums.items():
        if checksum is not None and migrations.checksums.get(version) == checksum:
            up = read_source(migrations.up_path(version))
            down = read_source(migrations.down_path(version)).text if version in migrations.downs else None
            recorder.store_texts(version, up.text, down)
