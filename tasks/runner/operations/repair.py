"""Repair: bring the ledger in line with the files, with each change shown and confirmed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import psycopg
from psycopg import sql

from tasks.postgres.representable import store_text
from tasks.runner.clock import count_ms
from tasks.runner.database.run_lock import RunLock
from tasks.runner.database.session import connect, is_pooled, read_encoding
from tasks.runner.errors import RefusedError
from tasks.runner.events import Event, Finding, RepairProposed, RunFinished
from tasks.runner.execution.migration_runner import MigrationRunner
from tasks.runner.files.checkout import Migrations, read_migrations, read_source
from tasks.runner.identity import read_revision
from tasks.runner.ledger.environment_label import check_environment
from tasks.runner.ledger.expected_schema import record_uncompared
from tasks.runner.ledger.reading import Ledger, ensure_ledger, read_ledger
from tasks.runner.ledger.renames import Rename, filter_renames
from tasks.runner.ledger.view import read_renamed_ledger
from tasks.runner.ledger.writing import Entry, Recorder
from tasks.runner.operations.migrate import start
from tasks.runner.operations.rebuild import REBUILDING, propose_rebuilding, rebuild
from tasks.runner.planning.choice import find_differences
from tasks.runner.planning.failures import describe_uncommitted
from tasks.runner.planning.sources import add_diffs

Confirm = Callable[[RepairProposed], bool]
_CHANGES = {
    "record checksum": "UPDATE {ledger} SET checksum = %(checksum)s WHERE version = %(version)s",
    "drop row": "DELETE FROM {ledger} WHERE version = %(version)s",
}
_TEXTS = {
    "record checksum": "INSERT INTO {scripts} (version, up_text, down_text) VALUES (%(version)s, %(up)s, %(down)s)"
    " ON CONFLICT (version) DO UPDATE SET up_text = excluded.up_text, down_text = excluded.down_text",
    "drop row": "DELETE FROM {scripts} WHERE version = %(version)s",
}


@dataclass(frozen=True, slots=True)
class _Session:
    connection: psycopg.Connection
    ledger: Ledger
    migrations: Migrations


def repair(runner: MigrationRunner, confirm: Confirm | None) -> Iterator[Event]:
    """Record new checksums, drop the rows of missing files and clear interrupted attempts, each if `confirm` returns True.

    It never runs a migration: only the ledger changes, not the schema. Raises RefusedError, after showing all changes, if there
    is something to confirm and no way to ask (None).
    """
    yield start(runner, "repair")
    started_at = time.monotonic()
    migrations = read_migrations(runner.migrations_dir)
    with runner.read() as connection:
        ledger, renames, _ = read_renamed_ledger(connection, migrations)
        check_environment(ledger, runner.belonging)
        proposals = propose_rebuilding(connection, ledger, runner.environment)
        proposals += propose_repairs(ledger, add_diffs(connection, ledger, migrations, find_differences(migrations, ledger)))
    confirmed = []
    for proposal in proposals:
        yield proposal
        if confirm is not None and confirm(proposal):
            confirmed.append(proposal)
    if proposals and confirm is None:
        raise build_unconfirmed_error()
    if confirmed:
        _apply(runner, migrations, confirmed, renames)
    yield RunFinished("repair", len(confirmed), count_ms(started_at))


def build_unconfirmed_error() -> RefusedError:
    """Return the error for changes that need confirmation where no question can be asked."""
    return RefusedError(
        "cannot ask for confirmation: the input is not a terminal, or --json is set",
        hint="Run the command in a terminal, or confirm every change with --yes.",
        state="Nothing was changed.",
    )


def propose_repairs(ledger: Ledger, findings: tuple[Finding, ...]) -> tuple[RepairProposed, ...]:
    """Return the changes that would resolve findings and unfinished attempts."""
    proposals = [
        RepairProposed(
            finding.version,
            "record checksum",
            "the file was edited after it was applied: record its new text as the applied one",
            finding.diff,
        )
        for finding in findings
        if finding.kind == "edited" and finding.version not in ledger.newer_names
    ]
    proposals += [
        RepairProposed(version, "record checksum", "it was recorded without a checksum: record that of the file")
        for version, checksum in ledger.checksums.items()
        if checksum is None
        and version not in {finding.version for finding in findings}
        and version not in ledger.absorbed
        and version not in ledger.newer_names
    ]
    proposals += [
        RepairProposed(
            finding.version,
            "drop row",
            "this checkout has no file for it: drop its row and its stored texts "
            "(its changes to the schema stay, and can no longer be rolled back)",
        )
        for finding in findings
        if finding.kind == "missing" and finding.version not in ledger.absorbed.values()
    ]
    proposals += [
        RepairProposed(
            version,
            "forget attempt",
            f"a {attempt.action} stopped after {attempt.segments_done} of {attempt.segments_total} segments: clear that, "
            "so that it starts from its first statement (the committed changes stay in the schema)",
        )
        for version, attempt in ledger.attempts.items()
        if attempt.interrupted and attempt.action in ("migrate", "rollback")
    ]
    return tuple(proposals)


def _apply(runner: MigrationRunner, migrations: Migrations, confirmed: list[RepairProposed], renames: tuple[Rename, ...]) -> None:
    """Write the confirmed changes in one transaction, under the lock."""
    lock = RunLock(runner.url, run_id=runner.identity.run_id, stop=runner.stop)
    try:
        for _ in lock.acquire():
            continue
        with connect(runner.url, name=f"migrate-run {runner.identity.run_id}") as connection:
            ledger = read_ledger(connection)
            if not ledger.current:
                ensure_ledger(connection, ledger)
                ledger = read_ledger(connection)
            prepare = not is_pooled(connection)
            recorder = Recorder(connection, ledger, runner.identity, read_revision(runner.migrations_dir), prepare)
            with connection.transaction():
                recorder.record_renames(filter_renames(renames, ledger))
                for proposal in confirmed:
                    if proposal.change in REBUILDING:
                        rebuild(recorder, migrations, proposal, runner.belonging)
                    else:
                        _write(_Session(connection, ledger, migrations), recorder, proposal)
                record_uncompared(connection, ledger)
    except psycopg.Error as error:
        raise runner.explain(error, describe_uncommitted(error, "Nothing was changed.")) from error
    finally:
        lock.release()


def _write(session: _Session, recorder: Recorder, proposal: RepairProposed) -> None:
    values: dict[str, object] = {"version": proposal.version}
    if proposal.change == "record checksum":
        up = read_source(session.migrations.up_path(proposal.version))
        down = session.migrations.down_path(proposal.version)
        has_down = proposal.version in session.migrations.downs
        encoding = read_encoding(session.connection)
        texts = {"up": up.text, **({"down": read_source(down).text} if has_down else {})}
        values |= {"checksum": up.checksum, "down": None, **{name: store_text(text, encoding) for name, text in texts.items()}}
    ledger = session.ledger
    for query in (_CHANGES.get(proposal.change), _TEXTS.get(proposal.change)):
        if query:
            composed = sql.SQL(query).format(ledger=ledger.table(), scripts=ledger.table("_scripts"))
            session.connection.execute(composed, values)
    recorder.log(Entry("repair", "finished", proposal.version, note=proposal.change))
