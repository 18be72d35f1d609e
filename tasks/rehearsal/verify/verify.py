"""Proving migrations on scratch: each goes up, down and up again, in the state that its predecessors leave."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field

import psycopg

from tasks.catalog import Catalog, compare, read_catalog
from tasks.rehearsal.errors import ScratchError
from tasks.rehearsal.events import Found, MigrationVerified, VerifyFinished, VerifyStarted
from tasks.rehearsal.model import Outcome, Piece
from tasks.rehearsal.replay.replay import state_after, try_piece
from tasks.rehearsal.scratch.server import ScratchDatabase, ScratchServer
from tasks.rehearsal.selection import Selection
from tasks.rehearsal.verify.findings import counts, find_changes, find_error
from tasks.rehearsal.verify.with_data import try_with_rows
from tasks.runner.database.session import connect
from tasks.runner.errors import RefusedError, RunnerError
from tasks.runner.events import Event
from tasks.runner.parsing import read_script
from tasks.runner.planning.failures import describe_server_error

_NO_DOWN = (
    "Write {path}.\nIf there is no way back, let that file hold nothing but the reason:\n"
    "-- migrate: irreversible the dropped rows are gone"
)


@dataclass(frozen=True, slots=True)
class VerifyOptions:
    """Say how migrations are verified: with rows in the tables, and how many seconds each of their runs may take."""

    with_data: bool = False
    timeout_s: float | None = None


@dataclass(slots=True)
class _Notes:
    """Gather what is learnt of one migration."""

    works: bool = False
    restores: bool | None = None
    repeats: bool | None = None
    irreversible: str = ""
    late: str = ""
    findings: list[Found] = field(default_factory=list)
    unchecked: list[str] = field(default_factory=list)


def verify(server: ScratchServer, selection: Selection, thoroughness: VerifyOptions) -> Iterator[Event]:
    """Verify the chosen migrations, an answer for each as it is done; raises RunnerError only for what is none's fault."""
    begun = time.monotonic()
    chosen = selection.list_chosen()
    yield VerifyStarted(len(chosen), len(selection.pieces), selection.reason, server.version, server.without)
    found = mild = 0
    for piece in chosen:
        verified = _Verification(server, selection, piece, thoroughness).run()
        if not verified.works:
            selection = selection.without({piece.name})
        found += any(counts(each) for each in verified.findings)
        mild += sum(each.mild for each in verified.findings)
        yield verified
    yield VerifyFinished(len(chosen), found, mild, _count_ms(begun))


class _Verification:
    """Verify one migration."""

    def __init__(self, server: ScratchServer, selection: Selection, piece: Piece, thoroughness: VerifyOptions) -> None:
        self._server = server
        self._selection = selection
        self._piece = piece
        self._thoroughness = thoroughness
        self._notes = _Notes(irreversible=_read_irreversible(piece))

    def run(self) -> MigrationVerified:
        """Try everything, and tell what came of it."""
        begun, notes = time.monotonic(), self._notes
        try:
            self._try_all()
        except psycopg.Error as error:
            raise describe_server_error(error, self._server.url) from error
        return MigrationVerified(
            self._piece.name,
            notes.works,
            notes.restores,
            notes.repeats,
            notes.irreversible,
            notes.late,
            self._thoroughness.with_data,
            tuple(notes.findings),
            tuple(dict.fromkeys(notes.unchecked)),
            _count_ms(begun),
        )

    def _try_all(self) -> None:
        with ExitStack() as stack:
            database = self._enter_state(stack, self._selection.list_before(self._piece.name))
            if database is None:
                return
            self._try_directions(database)
        if self._notes.works and self._thoroughness.with_data:
            self._try_with_rows()
        if self._notes.works and self._selection.is_late(self._piece.name):
            self._try_late()

    def _enter_state(self, stack: ExitStack, before: list[Piece]) -> ScratchDatabase | None:
        """Go to the state before the migration; a predecessor that fails is a finding."""
        try:
            return stack.enter_context(state_after(self._server, before, timeout_s=self._thoroughness.timeout_s))
        except ScratchError:
            raise
        except RunnerError as error:
            self._note_error("predecessor_fails", "cannot be verified, because a migration before it fails", error)
            return None

    def _try_directions(self, database: ScratchDatabase) -> None:
        notes = self._notes
        first = self._try(database, "up", None)
        if first.error is not None:
            self._note_error("up_fails", "up fails", first.error)
            return
        notes.works = True
        if self._piece.down is None:
            hint = _NO_DOWN.format(path=self._piece.shown_down)
            notes.findings.append(Found("no_down", "there is no down file", hint=hint))
            return
        second = self._try(database, "down", first.after)
        if notes.irreversible:
            self._note_refusal(second)
            return
        if second.error is not None:
            notes.restores = False
            self._note_error("down_fails", "down fails", second.error)
            return
        notes.restores = self._note_changes("not_restored", "down does not restore the schema", first.before, second.after)
        third = self._try(database, "up", second.after)
        if third.error is not None:
            notes.repeats = False
            self._note_error("up_again_fails", "up fails after down", third.error)
            return
        message = "up after down does not give the same schema again"
        notes.repeats = self._note_changes("not_repeated", message, first.after, third.after)

    def _note_refusal(self, outcome: Outcome) -> None:
        """Hold a migration that says it is irreversible to being refused by a rollback that leaves everything as it is."""
        if not isinstance(outcome.error, RefusedError) or outcome.effect:
            message = "says that it is irreversible, but a rollback does not refuse it"
            self._notes.findings.append(Found("not_refused", message))

    def _try_late(self) -> None:
        """Compare the schemas with the migration in its place and after all others."""
        in_place, last = self._selection.list_orders(self._piece.name)
        expected = self._read_state(in_place, "late_fails", "with it in its place, a migration after it fails")
        actual = self._read_state(last, "late_fails", "fails when it runs late, after all others")
        if expected is None or actual is None:
            self._notes.late = "differs"
            return
        message = "run late it gives another schema than in its place"
        hint = "Give it a new timestamp (inv db.new), or make it fit what runs after it."
        difference = compare(expected, actual)
        found = list(find_changes("late_differs", message, difference, hint=hint))
        self._notes.findings += found
        self._notes.late = "differs" if any(counts(each) for each in found) else "safe"

    def _read_state(self, pieces: list[Piece], what: str, message: str) -> Catalog | None:
        try:
            with (
                state_after(self._server, pieces, timeout_s=self._thoroughness.timeout_s) as database,
                connect(database.url, name="migrate-verify") as connection,
            ):
                return read_catalog(connection)
        except ScratchError:
            raise
        except RunnerError as error:
            self._note_error(what, message, error)
            return None

    def _try_with_rows(self) -> None:
        down = self._piece.down is not None and not self._notes.irreversible and self._notes.restores is not None
        before = self._selection.list_before(self._piece.name)
        trial = try_with_rows(self._server, before, self._piece, down=down, timeout_s=self._thoroughness.timeout_s)
        self._notes.findings += trial.findings
        self._notes.unchecked += trial.unfilled

    def _try(self, database: ScratchDatabase, direction: str, before: Catalog | None) -> Outcome:
        outcome = try_piece(
            database,
            self._piece,
            "up" if direction == "up" else "down",
            before=before,
            timeout_s=self._thoroughness.timeout_s,
        )
        self._notes.unchecked += outcome.unchecked
        return outcome

    def _note_error(self, what: str, message: str, error: RunnerError) -> None:
        self._notes.findings.append(find_error(what, message, error, self._server.url))

    def _note_changes(self, what: str, message: str, expected: Catalog, actual: Catalog) -> bool:
        """Note how a schema differs from what was expected, and tell whether it is the same but for the order of columns."""
        found = list(find_changes(what, message, compare(expected, actual)))
        self._notes.findings += found
        return not any(counts(each) for each in found)


def _read_irreversible(piece: Piece) -> str:
    """Read the reason why there is no way back; a text that cannot be read has its error when it is run."""
    if piece.down is None:
        return ""
    try:
        return read_script(piece.down, file=piece.shown_down, version=piece.name).irreversible or ""
    except RunnerError:
        return ""


def _count_ms(begun: float) -> int:
    return round((time.monotonic() - begun) * 1000)
