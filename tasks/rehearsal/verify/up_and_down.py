"""Run a migration up, down and up again on a scratch database, and compare the schemas."""

from __future__ import annotations

from dataclasses import dataclass

from tasks.catalog import Catalog, compare
from tasks.rehearsal.events import RehearsalFinding
from tasks.rehearsal.findings import counts, find_changes, find_error
from tasks.rehearsal.lacks import NotChecked
from tasks.rehearsal.model import Direction, Outcome, RehearsedMigration
from tasks.rehearsal.replay.replay import try_migration
from tasks.rehearsal.rows import UNKNOWN, read_state
from tasks.rehearsal.scratch.server import ScratchDatabase
from tasks.runner.errors import RefusedError, RunnerError

_NO_DOWN = (
    "Write {path}.\nIf the migration cannot be undone, write only the reason into that file:\n"
    "-- migrate: irreversible the dropped rows are gone"
)


@dataclass(frozen=True, slots=True)
class UpAndDownTrial:
    """The result of running a migration up, down and up again; None for what could not be tried."""

    works: bool = False
    restores: bool | None = None
    repeats: bool | None = None
    findings: tuple[RehearsalFinding, ...] = ()
    unchecked: tuple[str, ...] = ()
    lacking: tuple[NotChecked, ...] = ()
    roles: frozenset[str] = frozenset()
    after: Catalog | None = None
    """The schema of the database, if it is exactly as if only the up had run, with all rows; None if that is not certain."""


class UpAndDown:
    """The test of one migration; `irreversible` is the reason why it cannot be undone, or "", and `url` is the server's."""

    def __init__(self, migration: RehearsedMigration, irreversible: str, url: str, *, timeout_s: float | None) -> None:
        self._migration = migration
        self._irreversible = irreversible
        self._timeout_s = timeout_s
        self._url = url
        self._findings: list[RehearsalFinding] = []
        self._unchecked: list[str] = []
        self._lacking: list[NotChecked] = []
        self._roles: set[str] = set()

    def run(self, database: ScratchDatabase, before: Catalog | None = None) -> UpAndDownTrial:
        """Run the migration on a database in the state before it, whose schema may be known, and return the findings."""
        first = self._try(database, "up", before)
        if first.error is not None:
            self._add_error("up_fails", "up fails", first.error)
            return self._conclude(works=False)
        if self._migration.down is None:
            hint = _NO_DOWN.format(path=self._migration.shown_down)
            self._findings.append(RehearsalFinding("no_down", "there is no down file", hint=hint))
            return self._conclude()
        second = self._try(database, "down", first.after)
        if self._irreversible:
            self._check_refusal(second)
            return self._conclude()
        if second.error is not None:
            self._add_error("down_fails", "down fails", second.error)
            return self._conclude(restores=False)
        restores = self._compare("not_restored", "down does not restore the schema", first.before, second.after)
        third = self._try(database, "up", second.after)
        if third.error is not None:
            self._add_error("up_again_fails", "up fails after down", third.error)
            return self._conclude(restores=restores, repeats=False)
        repeats = self._compare("not_repeated", "up after down does not produce the same schema", first.after, third.after)
        is_same = first.seen == third.seen != UNKNOWN and not self._findings and not self._unchecked
        return self._conclude(restores=restores, repeats=repeats, after=third.after if is_same else None)

    def _try(self, database: ScratchDatabase, direction: Direction, before: Catalog | None) -> Outcome:
        look = read_state if direction == "up" else lambda _: ""
        outcome = try_migration(database, self._migration, direction, before=before, timeout_s=self._timeout_s, look=look)
        self._unchecked += outcome.unchecked
        self._lacking += outcome.lacking
        self._roles.update(outcome.roles)
        return outcome

    def _check_refusal(self, outcome: Outcome) -> None:
        """Add a finding if a rollback did not refuse an irreversible migration, or changed the schema."""
        if not isinstance(outcome.error, RefusedError) or outcome.effect:
            message = "is marked irreversible, but a rollback does not refuse it"
            self._findings.append(RehearsalFinding("not_refused", message))

    def _add_error(self, what: str, message: str, error: RunnerError) -> None:
        self._findings.append(find_error(what, message, error, self._url))

    def _compare(self, what: str, message: str, expected: Catalog, actual: Catalog) -> bool:
        """Add findings for the difference, and return True if the schemas are equal except for the order of columns."""
        found = list(find_changes(what, message, compare(expected, actual)))
        self._findings += found
        return not any(counts(each) for each in found)

    def _conclude(
        self,
        *,
        works: bool = True,
        restores: bool | None = None,
        repeats: bool | None = None,
        after: Catalog | None = None,
    ) -> UpAndDownTrial:
        findings, unchecked, roles = tuple(self._findings), tuple(self._unchecked), frozenset(self._roles)
        return UpAndDownTrial(works, restores, repeats, findings, unchecked, tuple(self._lacking), roles, after)
