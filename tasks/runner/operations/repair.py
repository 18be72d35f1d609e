"""Repair: bring the ledger in line with the files, with each change shown and confirmed."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace

import psycopg
from psycopg import sql

from tasks.runner.clock import count_ms
from tasks.runner.database.session import connect, is_pooled
from tasks.runner.errors import PlanChangedError, RefusedError
from tasks.runner.events import Event, Finding, RepairProposed, RunFinished
from tasks.runner.execution.migration_runner import MigrationRunner
from tasks.runner.files.checkout import Migrations, read_migrations
from tasks.runner.identity import read_revision
from tasks.runner.ledger.creation import ensure_ledger
from tasks.runner.ledger.environment_label import check_environment
from tasks.runner.ledger.expected_schema import record_uncompared
from tasks.runner.ledger.guard import write_guarded
from tasks.runner.ledger.reading import Ledger, read_ledger
from tasks.runner.ledger.refusal import ForeignCodeError
from tasks.runner.ledger.renames import Rename
from tasks.runner.ledger.view import read_renamed_ledger
from tasks.runner.ledger.vouching import FileTexts, read_texts
from tasks.runner.ledger.writing import Entry, Recorder
from tasks.runner.operations.closing import CLOSING, change_privileges, propose_closing
from tasks.runner.operations.foreign_code import REPLACING, propose_replacing, replace_code
from tasks.runner.operations.migrate import Approve, Confirm, start
from tasks.runner.operations.rebuild import REBUILDING, propose_rebuilding, rebuild
from tasks.runner.planning.choice import find_differences
from tasks.runner.planning.failures import describe_uncommitted
from tasks.runner.planning.sources import add_diffs

_CHECKSUM = "UPDATE {ledger} SET checksum = %(checksum)s WHERE version = %(version)s"
_DROPPED = (
    "DELETE FROM {ledger} WHERE version = %(version)s",
    "DELETE FROM {scripts} WHERE version = %(version)s",
)

_DIGEST_LENGTH = 16


@dataclass(frozen=True, slots=True)
class _Proposed:
    """The changes that a repair can make, with the texts of the files that they record, and the rows to rename first."""

    changes: tuple[RepairProposed, ...]
    texts: dict[str, FileTexts]
    renames: tuple[Rename, ...]
    migrations: Migrations
    privileges: dict[str, str] = field(default_factory=dict)
    """The SQL of the changes of privileges, by the digest of the change."""


def repair(
    runner: MigrationRunner, confirm: Confirm | None, approve: Approve | None = None, agreed: Collection[str] = ()
) -> Iterator[Event]:
    """Record new checksums, drop the rows of missing files, clear interrupted attempts and close the ledger to other roles.

    Each change is made if `confirm` returns True. `agreed` are the words of changes that were confirmed before, and `approve` is
    asked once for all that are confirmed. A repair never runs a migration: only the ledger changes, not the schema. Raises
    RefusedError, after showing all changes, if there is something to confirm and no way to ask (None), or if a change is no
    longer the one that was shown.
    """
    yield start(runner, "repair")
    started_at = time.monotonic()
    with runner.read() as connection:
        proposed = _propose(runner, connection)
    confirmed = []
    for proposal in proposed.changes:
        yield proposal
        if list_words(proposal) & set(agreed) or (confirm is not None and confirm(proposal)):
            confirmed.append(proposal)
    refuse_changed(set(agreed).difference(*map(list_words, proposed.changes)))
    if proposed.changes and confirm is None and not agreed:
        raise build_unconfirmed_error()
    if confirmed:
        if approve is not None:
            approve()
        _apply(runner, confirmed)
    yield RunFinished("repair", len(confirmed), count_ms(started_at), proposed=len(proposed.changes))


def identify_proposal(proposal: RepairProposed) -> str:
    """Return a proposal as the word that confirms it on another machine."""
    return ":".join(filter(None, (proposal.change, proposal.version, proposal.digest)))


def list_words(proposal: RepairProposed) -> set[str]:
    """Return the words that confirm a proposal; the one without a digest is for people who write it."""
    return {identify_proposal(proposal), f"{proposal.change}:{proposal.version}"}


def refuse_changed(confirmed: Iterable[str]) -> None:
    """Raise PlanChangedError if changes that were confirmed are not among those that are proposed now."""
    changed = sorted(confirmed)
    if changed:
        raise PlanChangedError(
            f"what would be changed is not what was confirmed: {', '.join(changed)}",
            hint="Another run or an edit came first. Run the command again to see the changes as they are now.",
            state="Nothing was changed.",
        )


def build_unconfirmed_error() -> RefusedError:
    """Return the error for changes that need confirmation where no question can be asked."""
    return RefusedError(
        "this needs confirmation, but the input is not a terminal, or --json is set",
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


def _propose(runner: MigrationRunner, connection: psycopg.Connection) -> _Proposed:
    """Return the changes that would bring the ledger in line with the files as both are now."""
    migrations = read_migrations(runner.migrations_dir)
    try:
        ledger, renames, _ = read_renamed_ledger(connection, migrations)
    except ForeignCodeError as error:
        # Nothing can be read before that is replaced.
        return _Proposed(propose_replacing(error.faults), {}, (), migrations)
    check_environment(ledger, runner.belonging)
    proposals = propose_rebuilding(connection, ledger, migrations, runner.environment)
    proposals += propose_repairs(ledger, add_diffs(connection, ledger, migrations, find_differences(migrations, ledger)))
    closing = propose_closing(connection, ledger, runner.ledger_readers)
    texts = {each.version: read_texts(migrations, each.version) for each in proposals if each.change == "record checksum"}
    changes = (replace(each, digest=_digest(each, ledger, texts.get(each.version))) for each in (*proposals, *closing))
    privileges = {_digest(each, ledger, None): text for each, text in closing.items()}
    return _Proposed(tuple(changes), texts, renames, migrations, privileges)


def _digest(proposal: RepairProposed, ledger: Ledger, texts: FileTexts | None) -> str:
    """Return a digest of the row or the attempt that a change concerns, and of the texts that it records."""
    written = [texts.up_digest, texts.down_digest] if texts else []
    state = (proposal.message, ledger.checksums.get(proposal.version), ledger.attempts.get(proposal.version), written)
    return hashlib.sha256(repr(state).encode()).hexdigest()[:_DIGEST_LENGTH]


def _apply(runner: MigrationRunner, confirmed: list[RepairProposed]) -> None:
    """Write the confirmed changes in one transaction, under the lock, if they are still what was shown."""
    lock = runner.make_lock()
    try:
        for _ in lock.acquire():
            continue
        name = f"migrate-run {runner.identity.run_id}"
        with connect(runner.url, name=name, ledger_owner=runner.ledger_owner) as connection:
            proposed = _propose(runner, connection)
            known = {identify_proposal(each) for each in proposed.changes}
            refuse_changed({identify_proposal(each) for each in confirmed} - known)
            if any(each.change == REPLACING for each in confirmed):
                replace_code(connection, runner, confirmed)
                return
            ledger = read_ledger(connection)
            if not ledger.current:
                ledger = ensure_ledger(connection, ledger, runner.ledger_readers)
            revision, prepare = read_revision(runner.migrations_dir), not is_pooled(connection)
            recorder = Recorder(connection, ledger, runner.identity, revision, prepare, keep_text=runner.keep_text)
            with connection.transaction():
                recorder.record_renames(proposed.renames)
                for proposal in confirmed:
                    if proposal.change in CLOSING:
                        change_privileges(recorder, proposal, proposed.privileges[proposal.digest])
                    elif proposal.change in REBUILDING:
                        rebuild(recorder, proposed.migrations, proposal, runner.belonging)
                    else:
                        _write(recorder, proposal, proposed.texts.get(proposal.version))
                if any(proposal.change not in CLOSING for proposal in confirmed):
                    record_uncompared(connection, ledger)
    except psycopg.Error as error:
        raise runner.explain(error, describe_uncommitted(error, "Nothing was changed.")) from error
    finally:
        lock.release()


def _write(recorder: Recorder, proposal: RepairProposed, texts: FileTexts | None) -> None:
    ledger, entry = recorder.ledger, Entry("repair", "finished", proposal.version, note=proposal.change)
    values = {"version": proposal.version, "checksum": texts.up_digest if texts else None}
    tables = ["schema_migrations", "schema_migrations_scripts"]
    for query in (_CHECKSUM,) if texts else _DROPPED if proposal.change == "drop row" else ():
        composed = sql.SQL(query).format(ledger=ledger.table(), scripts=ledger.table("_scripts"))
        write_guarded(recorder.connection, ledger.schema, tables, composed, values)
    if texts:
        recorder.store_texts(entry, texts)
    else:
        recorder.log(entry)
