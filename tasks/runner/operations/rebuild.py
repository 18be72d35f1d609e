"""Rebuilding tables of the ledger that were emptied or dropped, as a part of repair."""

from __future__ import annotations

from collections.abc import Mapping

import psycopg

from tasks.runner.events import RepairProposed
from tasks.runner.files.checkout import Migrations
from tasks.runner.ledger.damage import find_lost_rows, lacks_texts, restore_rows
from tasks.runner.ledger.environment_label import Belonging, record_environment
from tasks.runner.ledger.reading import Ledger, read_ledger
from tasks.runner.ledger.tables import HELPER_TABLES
from tasks.runner.ledger.vouching import STORE, StoredTexts, Trust, has_password, read_stored, read_texts
from tasks.runner.ledger.writing import Entry, Recorder

_RESTORE, _REBUILD, _STORE, _MASK = "restore rows", "rebuild table", "store texts", "mask passwords"
REBUILDING = frozenset({_RESTORE, _REBUILD, _STORE, _MASK})
"""The changes of a repair that concern a table, whose name they have in place of a version."""
_SCRIPTS = "schema_migrations_scripts"
_MOST_NAMED = 5


def propose_rebuilding(
    connection: psycopg.Connection, ledger: Ledger, migrations: Migrations, environment: str
) -> tuple[RepairProposed, ...]:
    """Return the changes that would restore the emptied or dropped tables of a ledger, and the stored texts."""
    if not ledger.helpers:
        return ()
    proposals = []
    lost = find_lost_rows(connection, ledger)
    if lost:
        what = f"it lost its rows: record again as applied {_name([row.version for row in lost])}"
        proposals.append(RepairProposed("schema_migrations", _RESTORE, what))
    elif not ledger.exists:
        proposals.append(RepairProposed("schema_migrations", _REBUILD, "it was dropped: create it again"))
    for suffix in HELPER_TABLES:
        what = _describe_rebuilding(ledger, suffix, environment)
        if what:
            proposals.append(RepairProposed(f"schema_migrations{suffix}", _REBUILD, what))
    if "_scripts" not in ledger.helpers or lacks_texts(connection, ledger):
        what = "it lost the texts of applied migrations: store those of the files that have not changed since"
        proposals.append(RepairProposed(_SCRIPTS, _STORE, what))
        return tuple(proposals)
    stored = read_stored(connection, ledger, ledger.checksums)
    replaced = _list_replaced(stored, ledger, migrations)
    if replaced:
        what = f"it has other texts than those that this tool applied: store those of the files again, of {_name(replaced)}"
        proposals.append(RepairProposed(_SCRIPTS, _STORE, what))
    clear = _list_clear(stored)
    if clear:
        what = (
            f"it has passwords in clear: mask those of {_name(clear)} "
            "(a text whose passwords are masked does not run: a rollback of its version needs the down file)"
        )
        proposals.append(RepairProposed(_SCRIPTS, _MASK, what))
    return tuple(proposals)


def _name(versions: list[str]) -> str:
    more = f" and {len(versions) - _MOST_NAMED} more" if len(versions) > _MOST_NAMED else ""
    return f"{', '.join(versions[:_MOST_NAMED])}{more}"


def _list_replaced(stored: Mapping[str, StoredTexts], ledger: Ledger, migrations: Migrations) -> list[str]:
    """Return the versions with a stored text that this tool did not apply, and an unchanged file."""
    return [
        version
        for version, texts in stored.items()
        if Trust.REFUSED in (texts.judge_up(ledger.checksums[version]).trust, texts.judge_down().trust)
        and _is_unchanged(version, ledger, migrations)
    ]


def _list_clear(stored: Mapping[str, StoredTexts]) -> list[str]:
    """Return the versions with a stored text that has passwords."""
    return [
        version
        for version, texts in stored.items()
        if any(text is not None and has_password(text) for text in (texts.up, texts.down))
    ]


def _is_unchanged(version: str, ledger: Ledger, migrations: Migrations) -> bool:
    checksum = ledger.checksums[version]
    return checksum is not None and migrations.checksums.get(version) == checksum


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
    elif proposal.change == _MASK:
        _mask_texts(recorder)
    elif proposal.version == "schema_migrations_meta":
        record_environment(connection, ledger, run)
    recorder.log(Entry("repair", "finished", note=f"{proposal.change} {proposal.version}"))


def _store_texts(recorder: Recorder, migrations: Migrations) -> None:
    """Store the texts of the unchanged files, in place of those that were lost or that this tool did not apply."""
    ledger = read_ledger(recorder.connection)
    stored = read_stored(recorder.connection, ledger, ledger.checksums)
    chosen = _list_replaced(stored, ledger, migrations)
    if "_scripts" not in ledger.filled:
        chosen = [version for version in ledger.checksums if _is_unchanged(version, ledger, migrations)]
    for version in chosen:
        recorder.store_texts(Entry(STORE, "finished", version), read_texts(migrations, version))


def _mask_texts(recorder: Recorder) -> None:
    ledger = read_ledger(recorder.connection)
    stored = read_stored(recorder.connection, ledger, ledger.checksums)
    for version in _list_clear(stored):
        recorder.mask_texts(version, stored[version].up, stored[version].down)
