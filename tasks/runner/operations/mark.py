"""Mark: record a migration as applied without running it, or remove its record without rolling it back."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace

import psycopg
from psycopg import sql

from tasks.runner.clock import count_ms
from tasks.runner.database.session import connect
from tasks.runner.errors import RefusedError
from tasks.runner.events import Event, RepairProposed, RunFinished
from tasks.runner.execution.migration_runner import MigrationRunner
from tasks.runner.files.checkout import Migrations, read_migrations
from tasks.runner.identity import read_revision
from tasks.runner.ledger.creation import ensure_ledger
from tasks.runner.ledger.environment_label import check_environment, record_environment
from tasks.runner.ledger.expected_schema import record_uncompared
from tasks.runner.ledger.guard import write_guarded
from tasks.runner.ledger.line_ends import ignore_line_ends
from tasks.runner.ledger.reading import Ledger, read_ledger
from tasks.runner.ledger.renames import Rename, filter_renames, read_renames
from tasks.runner.ledger.view import view_ledger
from tasks.runner.ledger.vouching import FileTexts, read_texts
from tasks.runner.ledger.writing import Entry, Recorder
from tasks.runner.operations.migrate import Approve, Confirm, start
from tasks.runner.operations.repair import build_unconfirmed_error, identify_proposal, list_words, refuse_changed
from tasks.runner.planning.choice import find_version
from tasks.runner.planning.failures import describe_uncommitted
from tasks.runner.planning.faults import find_faults
from tasks.runner.planning.plan import Plan

MARK, UNMARK = "mark", "unmark"
_EVIDENCE = "marked as applied by hand; this tool did not run it"
_UNMARKED = "drop row"
"""The note of the log by which all versions of this tool know that a version is no longer applied."""
_DELETED = (
    "DELETE FROM {ledger} WHERE version = %(version)s",
    "DELETE FROM {scripts} WHERE version = %(version)s",
)
_UNCHANGED = "Nothing was changed."
_STATUS = "inv db.status lists the versions."


@dataclass(frozen=True, slots=True)
class _Marking:
    """The change that was asked for, None if the ledger records that already; with what it writes."""

    proposal: RepairProposed | None
    version: str
    renames: tuple[Rename, ...]
    texts: FileTexts | None


def mark(
    runner: MigrationRunner,
    name: str,
    confirm: Confirm | None,
    approve: Approve | None = None,
    *,
    unmark: bool = False,
    agreed: Collection[str] = (),
) -> Iterator[Event]:
    """Record the version that `name` means as applied, or with `unmark` as not applied, once that is confirmed.

    No statement of the migration runs: the schema is not changed, and counts as not compared until the next inv db.drift.
    `agreed` are the words of a change that was confirmed before. Raises UsageError for an unknown version, and RefusedError if
    the question cannot be asked (`confirm` is None), or where another command is needed.
    """
    yield start(runner, "mark")
    started_at = time.monotonic()
    migrations = read_migrations(runner.migrations_dir)
    with runner.read() as connection:
        found = _find_marking(connection, runner, migrations, name, unmark=unmark)
    proposal, written = found.proposal, 0
    refuse_changed(set(agreed).difference(list_words(proposal) if proposal else ()))
    if proposal is not None:
        yield proposal
        if confirm is None and not agreed:
            raise build_unconfirmed_error()
        if list_words(proposal) & set(agreed) or (confirm is not None and confirm(proposal)):
            if approve is not None:
                approve()
            yield from _write_locked(runner, migrations, proposal)
            written = 1
    yield RunFinished("mark", written, count_ms(started_at), proposed=int(proposal is not None))


def _find_marking(
    connection: psycopg.Connection, runner: MigrationRunner, migrations: Migrations, name: str, *, unmark: bool
) -> _Marking:
    """Return the change for the ledger as it is now; raises RunnerError as `mark` does."""
    recorded = read_ledger(connection)
    check_environment(recorded, runner.belonging)
    # Marking is how a database that other means created gets a ledger, so that its tables are no fault.
    Plan("mark", (), find_faults(connection, recorded, None)).raise_refusals()
    ledger, renames, findings = view_ledger(recorded, read_renames(migrations.folder, migrations.checksums), migrations.checksums)
    Plan("mark", (), tuple(each for each in findings if each.refuses)).raise_refusals()
    ledger = ignore_line_ends(connection, ledger, migrations)
    version = find_version(name, sorted({*migrations.checksums, *ledger.checksums}))
    _refuse_other_names(ledger, version)
    message = _describe_unmark(ledger, version) if unmark else _describe_mark(ledger, migrations, version)
    if not message:
        return _Marking(None, version, (), None)
    texts = None if unmark else read_texts(migrations, version)
    written = (texts.up_digest, texts.down_digest) if texts else ()
    state = repr((message, ledger.checksums.get(version), ledger.attempts.get(version), written))
    proposal = RepairProposed(version, UNMARK if unmark else MARK, message)
    proposal = replace(proposal, digest=hashlib.sha256(state.encode()).hexdigest()[:16])
    return _Marking(proposal, version, filter_renames(renames, recorded), texts)


def _refuse_other_names(ledger: Ledger, version: str) -> None:
    """Raise RefusedError for a version that is recorded as a part of a squash, or under a name of a newer checkout."""
    squash, newer = ledger.absorbed.get(version), ledger.newer_names.get(version)
    if squash or newer:
        raise RefusedError(
            f"{version} is recorded as a part of {squash}" if squash else f"{version} is recorded under its newer name {newer}",
            hint="Pull, then name the version that the database records: inv db.status",
            state=_UNCHANGED,
        )


def _describe_mark(ledger: Ledger, migrations: Migrations, version: str) -> str:
    """Return what a mark does, or an empty text if the version is recorded; raises RefusedError if that needs another command."""
    attempt = ledger.attempts.get(version)
    recorded = version in ledger.checksums
    if recorded and attempt is not None and attempt.interrupted and attempt.action == "rollback":
        raise RefusedError(
            f"{version} is partly rolled back: {attempt.segments_done} of {attempt.segments_total} segments are committed",
            hint="Finish that: inv db.rollback; or restore what it removed, then clear the attempt: inv db.repair",
            state=_UNCHANGED,
        )
    if recorded:
        checksum = ledger.checksums[version]
        if checksum and migrations.checksums.get(version, checksum) != checksum:
            raise RefusedError(
                f"{version} is recorded as applied, with another text than its file has",
                hint="To record the text of the file instead: inv db.repair",
                state=_UNCHANGED,
            )
        return ""
    parts = ["record it as applied; no statement of it runs, and the schema is not changed"]
    if attempt is not None and attempt.interrupted:
        done = f"{attempt.segments_done} of {attempt.segments_total} segments are committed"
        parts.append(f"its attempt was interrupted: {done}, the others count as done by hand")
    elif attempt is not None and attempt.error:
        parts.append(f"its last attempt failed: {attempt.error.splitlines()[0]}")
    newest = max(ledger.checksums, default="")
    if version < newest:
        parts.append(f"it is older than {newest}, which is already applied")
    return "\n".join(parts)


def _describe_unmark(ledger: Ledger, version: str) -> str:
    """Return what removing the record does, or an empty text if there is none; raises RefusedError for a half-applied version."""
    attempt = ledger.attempts.get(version)
    interrupted = attempt is not None and attempt.interrupted
    if version not in ledger.checksums:
        if attempt is not None and interrupted and attempt.action == "migrate":
            raise RefusedError(
                f"{version} is partly applied: {attempt.segments_done} of {attempt.segments_total} segments are committed",
                hint="Finish it: inv db.migrate; or revert it manually, then clear the attempt: inv db.repair",
                state=_UNCHANGED,
            )
        return ""
    parts = ["remove its record and its stored texts; it is not rolled back, and the schema is not changed"]
    if attempt is not None and interrupted and attempt.action == "rollback":
        done = f"{attempt.segments_done} of {attempt.segments_total} segments of its down file are committed"
        parts.append(f"it is partly rolled back: {done}, the others count as done by hand")
    parts.append("the next migrate runs it again if its file exists")
    return "\n".join(parts)


def _write_locked(runner: MigrationRunner, migrations: Migrations, proposal: RepairProposed) -> Iterator[Event]:
    """Write the change under the lock, in one transaction, if it is still the one that was shown."""
    lock = runner.make_lock()
    try:
        yield from lock.acquire()
        name = f"migrate-run {runner.identity.run_id}"
        with connect(runner.url, name=name, ledger_owner=runner.ledger_owner) as connection:
            unmark = proposal.change == UNMARK
            now = _find_marking(connection, runner, migrations, proposal.version, unmark=unmark)
            if now.proposal is None or identify_proposal(now.proposal) != identify_proposal(proposal):
                refuse_changed([identify_proposal(proposal)])
            ledger = read_ledger(connection)
            if not ledger.current:
                ledger = ensure_ledger(connection, ledger, runner.ledger_readers)
            record_environment(connection, ledger, runner.belonging)
            revision, keep = read_revision(runner.migrations_dir), runner.keep_text
            recorder = Recorder(connection, ledger, runner.identity, revision, prepare=False, keep_text=keep)
            with connection.transaction():
                recorder.record_renames(now.renames)
                _write(recorder, now)
                record_uncompared(connection, ledger, always=runner.watch_drift)
    except psycopg.Error as error:
        raise runner.explain(error, describe_uncommitted(error, _UNCHANGED)) from error
    finally:
        lock.release()


def _write(recorder: Recorder, marking: _Marking) -> None:
    ledger, version = recorder.ledger, marking.version
    recorder.log(Entry(MARK if marking.texts else UNMARK, "finished", version))
    if marking.texts is not None:
        recorder.record_adopted(version, marking.texts, applied_at=None, evidence=_EVIDENCE)
        return
    for query in _DELETED:
        composed = sql.SQL(query).format(ledger=ledger.table(), scripts=ledger.table("_scripts"))
        tables = ["schema_migrations", "schema_migrations_scripts"]
        write_guarded(recorder.connection, ledger.schema, tables, composed, {"version": version})
    recorder.log(Entry("repair", "finished", version, note=_UNMARKED))
