"""Verify one migration after the other on scratch, each in the state that its predecessors leave."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType

import psycopg

from tasks.postgres.quoting import show_identifier
from tasks.rehearsal.errors import ON_SCRATCH, ScratchError
from tasks.rehearsal.events import MigrationVerified, RehearsalFinding
from tasks.rehearsal.findings import counts, find_error, find_lacks
from tasks.rehearsal.model import RehearsedMigration
from tasks.rehearsal.scratch.roles import find_created
from tasks.rehearsal.scratch.server import ScratchServer
from tasks.rehearsal.selection import Selection
from tasks.rehearsal.verify.out_of_order import try_out_of_order
from tasks.rehearsal.verify.trial_states import TrialStates
from tasks.rehearsal.verify.up_and_down import UpAndDown, UpAndDownTrial
from tasks.rehearsal.verify.with_data import try_with_rows
from tasks.runner.clock import count_ms
from tasks.runner.errors import RunnerError
from tasks.runner.parsing import read_script
from tasks.runner.planning.failures import describe_server_error


@dataclass(frozen=True, slots=True)
class VerifyOptions:
    """Options of a verification: whether the tables get rows, and the seconds that each run of a migration may take."""

    with_data: bool = False
    timeout_s: float | None = None


class FileVerifier:
    """Verifies migrations in their order; to be used in a `with`."""

    def __init__(self, server: ScratchServer, options: VerifyOptions) -> None:
        self._server = server
        self._options = options
        self._states = TrialStates(server, timeout_s=options.timeout_s)
        self._failing: set[str] = set()

    def __enter__(self) -> FileVerifier:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._states.__exit__(kind, error, trace)

    def verify(self, selection: Selection, migration: RehearsedMigration) -> MigrationVerified:
        """Verify a migration; its problems are findings. Raises RunnerError if something other than a migration fails.

        Selected migrations that fail are left out of the states of those after them: they have findings of their own.
        """
        begun, irreversible, late = time.monotonic(), _read_irreversible(migration), ""
        server, timeout_s = self._server, self._options.timeout_s
        try:
            trial = self._try_up_and_down(selection, migration, irreversible)
            selection = selection.without(self._failing)
            findings = trial.findings + tuple(find_lacks(trial.lacking, server.version, embedded=server.embedded))
            unchecked = trial.unchecked + tuple(_describe_roles(selection, migration, trial.roles))
            if trial.works:
                findings += tuple(_find_empty(migration))
            if trial.works and self._options.with_data:
                down = migration.down is not None and not irreversible and trial.restores is not None
                state = self._states.copy(selection.list_before(migration.name))
                rows = try_with_rows(state, migration, down=down, timeout_s=timeout_s)
                findings, unchecked = findings + rows.findings, unchecked + rows.unfilled
            if trial.works and (selection.is_late(migration.name) or selection.is_deferred(migration.name)):
                found = tuple(try_out_of_order(server, selection, migration.name, timeout_s=timeout_s))
                findings += found
                late = "differs" if any(counts(finding) for finding in found) else "safe"
        except psycopg.Error as error:
            raise describe_server_error(error, server.url, ON_SCRATCH) from error
        if not trial.works:
            self._failing.add(migration.name)
        return MigrationVerified(
            migration.name,
            trial.works,
            trial.restores,
            trial.repeats,
            irreversible,
            late,
            self._options.with_data,
            findings,
            tuple(dict.fromkeys(unchecked)),
            count_ms(begun),
            selection.is_deferred(migration.name),
        )

    def _try_up_and_down(self, selection: Selection, migration: RehearsedMigration, irreversible: str) -> UpAndDownTrial:
        """Test a migration in the state after its predecessors; one that fails and is not selected is a finding."""
        while True:
            before = selection.without(self._failing).list_before(migration.name)
            try:
                database, schema = self._states.open(before)
                break
            except ScratchError:
                raise
            except RunnerError as error:
                if self._states.failed in selection.chosen:
                    self._failing.add(self._states.failed)
                    continue
                message = "cannot be verified because a migration before it fails"
                return UpAndDownTrial(findings=(find_error("predecessor_fails", message, error, self._server.url),))
        up_and_down = UpAndDown(migration, irreversible, self._server.url, timeout_s=self._options.timeout_s)
        trial = up_and_down.run(database, schema)
        if trial.after is not None:
            self._states.keep(database, [*before, migration], trial.after)
        return trial


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
