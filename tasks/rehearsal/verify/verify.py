"""Verify migrations on scratch databases, each in the state that its predecessors leave."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass

import psycopg

from tasks.postgres.quoting import show_identifier
from tasks.rehearsal.errors import ON_SCRATCH, ScratchError
from tasks.rehearsal.events import MigrationVerified, RehearsalFinding, VerifyFinished, VerifyStarted
from tasks.rehearsal.findings import counts, find_error, find_lacks
from tasks.rehearsal.model import RehearsedMigration
from tasks.rehearsal.replay.replay import state_after
from tasks.rehearsal.scratch.roles import find_created
from tasks.rehearsal.scratch.server import ScratchServer
from tasks.rehearsal.selection import Selection
from tasks.rehearsal.verify.out_of_order import try_out_of_order
from tasks.rehearsal.verify.up_and_down import UpAndDown, UpAndDownTrial
from tasks.rehearsal.verify.with_data import try_with_rows
from tasks.runner.clock import count_ms
from tasks.runner.errors import RunnerError
from tasks.runner.events import Event
from tasks.runner.parsing import read_script
from tasks.runner.planning.failures import describe_server_error


@dataclass(frozen=True, slots=True)
class VerifyOptions:
    """Options of a verification: whether the tables get rows, and the seconds that each run of a migration may take."""

    with_data: bool = False
    timeout_s: float | None = None


def verify(server: ScratchServer, selection: Selection, options: VerifyOptions) -> Iterator[Event]:
    """Verify the selected migrations, and yield an event for each.

    Problems of a migration are findings. Raises RunnerError if something other than a migration fails.
    """
    begun = time.monotonic()
    chosen = selection.list_chosen()
    yield VerifyStarted(
        len(chosen),
        len(selection.migrations),
        selection.reason,
        server.version,
        server.without,
        selection.environment,
        selection.server_version,
    )
    found = mild = 0
    for migration in chosen:
        verified = _verify_one(server, selection, migration, options)
        if not verified.works:
            selection = selection.without({migration.name})
        found += any(counts(finding) for finding in verified.findings)
        mild += sum(finding.mild for finding in verified.findings)
        yield verified
    yield VerifyFinished(len(chosen), found, mild, count_ms(begun))


def _verify_one(
    server: ScratchServer, selection: Selection, migration: RehearsedMigration, options: VerifyOptions
) -> MigrationVerified:
    begun, irreversible, late = time.monotonic(), _read_irreversible(migration), ""
    try:
        trial = _try_up_and_down(server, selection, migration, irreversible, options.timeout_s)
        findings = trial.findings + tuple(find_lacks(trial.lacking, server.version, embedded=server.embedded))
        unchecked = trial.unchecked + tuple(_describe_roles(selection, migration, trial.roles))
        if trial.works:
            findings += tuple(_find_empty(migration))
        if trial.works and options.with_data:
            down = migration.down is not None and not irreversible and trial.restores is not None
            before = selection.list_before(migration.name)
            rows = try_with_rows(server, before, migration, down=down, timeout_s=options.timeout_s)
            findings, unchecked = findings + rows.findings, unchecked + rows.unfilled
        if trial.works and (selection.is_late(migration.name) or selection.is_deferred(migration.name)):
            found = tuple(try_out_of_order(server, selection, migration.name, timeout_s=options.timeout_s))
            findings += found
            late = "differs" if any(counts(finding) for finding in found) else "safe"
    except psycopg.Error as error:
        raise describe_server_error(error, server.url, ON_SCRATCH) from error
    return MigrationVerified(
        migration.name,
        trial.works,
        trial.restores,
        trial.repeats,
        irreversible,
        late,
        options.with_data,
        findings,
        tuple(dict.fromkeys(unchecked)),
        count_ms(begun),
        selection.is_deferred(migration.name),
    )


def _try_up_and_down(
    server: ScratchServer, selection: Selection, migration: RehearsedMigration, irreversible: str, timeout_s: float | None
) -> UpAndDownTrial:
    """Test a migration in the state after its predecessors; a predecessor that fails is a finding."""
    with ExitStack() as stack:
        try:
            before = selection.list_before(migration.name)
            database = stack.enter_context(state_after(server, before, timeout_s=timeout_s))
        except ScratchError:
            raise
        except RunnerError as error:
            message = "cannot be verified because a migration before it fails"
            return UpAndDownTrial(findings=(find_error("predecessor_fails", message, error, server.url),))
        return UpAndDown(migration, irreversible, server.url, timeout_s=timeout_s).run(database)


def _describe_roles(selection: Selection, migration: RehearsedMigration, named: Collection[str]) -> Iterator[str]:
    """Yield a note for each role that a migration names and no migration creates, so that the target must have it."""
    earlier = selection.list_before(migration.name) if named else []
    created = {name for each in (*earlier, migration) for name in find_created(each.up)}
    for name in sorted(set(named) - created):
        yield f"that the target has the role {show_identifier(name)}, which no migration creates"


def _find_empty(migration: RehearsedMigration) -> Iterator[RehearsalFinding]:
    """Yield a mild finding for each text without a statement, which runs and does nothing."""
    for text, name in ((migration.up, "up"), (migration.down, "down")):
        with suppress(RunnerError):
            script = read_script(text, file=migration.shown, version=migration.name) if text is not None else None
            if script is not None and not script.statements and script.irreversible is None:
                yield RehearsalFinding("empty", f"the {name} file contains no statement", mild=True)


def _read_irreversible(migration: RehearsedMigration) -> str:
    """Return the reason why a migration is irreversible, or ""; a down that cannot be parsed fails when it is run."""
    if migration.down is None:
        return ""
    try:
        return read_script(migration.down, file=migration.shown_down, version=migration.name).irreversible or ""
    except RunnerError:
        return ""
