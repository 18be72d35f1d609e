"""Make the files of a safe migration on scratch, and check that they have the result of the migration that they replace."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from tasks.catalog import COLUMN_ORDER, Catalog, compare
from tasks.generation.dividing.composing import Composer, RunFailedError, StepFailedError
from tasks.generation.dividing.downs import IRREVERSIBLE, derive_down
from tasks.generation.dividing.drafts import FileDraft, join_drafts
from tasks.generation.dividing.scheduling import NoOrderError, Schedule, keep_order, schedule
from tasks.generation.dividing.units import Unit
from tasks.rehearsal.model import RehearsedMigration
from tasks.rehearsal.replay.rehearsal import Rehearsal
from tasks.rehearsal.replay.replay import state_after
from tasks.rehearsal.scratch.server import ScratchServer
from tasks.rehearsal.sql_diff import write_sql
from tasks.rehearsal.sql_diff.details.finding import find_details

_LOSS = "-- deletes data"


@dataclass(frozen=True, slots=True)
class Making:
    """What the files are made of; `kept` gets the statements without a safe form, each with the reason."""

    server: ScratchServer
    base: Sequence[RehearsedMigration]
    proposed: RehearsedMigration
    units: Sequence[Unit]
    wanted: Catalog
    kept: dict[int, str]
    timeout_s: float | None

    def make(self) -> list[FileDraft] | None:
        """Return the files, or None if no form but the proposed one leads to its result.

        Where safe forms lead to another one, first those of the tables that differ then are left out, and at last all of them.
        """
        best: Schedule | None = None
        if len(self.units) > 1:
            with suppress(NoOrderError):
                best = schedule(self.server, self.base, self.units, timeout_s=self.timeout_s)
        schedules = [each for each in (best, keep_order(self.units)) if each is not None]
        while True:
            differing: set[str] = set()
            for each in schedules:
                drafts = self._compose(each, differing)
                if drafts is not None:
                    return drafts
            rewritten = {unit.number: unit for unit in self.units if unit.rewritten and unit.number not in self.kept}
            if not rewritten:
                return None
            suspects = [number for number, unit in rewritten.items() if differing.intersection(unit.existing)] or rewritten
            self.kept.update(dict.fromkeys(suspects, "its safe form has another result"))

    def _compose(self, planned: Schedule, differing: set[str]) -> list[FileDraft] | None:
        """Return the files of a schedule; None if they do not lead to the wanted schema: `differing` gets the tables then."""
        while True:
            with (
                state_after(self.server, self.base, timeout_s=self.timeout_s) as database,
                Rehearsal(database, timeout_s=self.timeout_s) as rehearsal,
            ):
                start = rehearsal.read_catalog()
                composer = Composer(database, rehearsal, self.units, self.proposed.down, self.wanted, self.kept)
                try:
                    drafts = self._complete(composer, composer.compose(planned))
                    if drafts is None:
                        found = compare(composer.read_catalog(), self.wanted).without({COLUMN_ORDER})
                        differing |= {change.key.parent or change.key.name for change in found.changes}
                        return None
                    joined = join_drafts(drafts)
                    back = _leads_back(rehearsal, joined, start)
                except StepFailedError as error:
                    if error.number in self.kept:
                        return None
                    self.kept[error.number] = f"its safe form fails on scratch: {error}"
                    continue
                except RunFailedError:
                    return None
            return joined if back else self._correct_downs(joined)

    def _complete(self, composer: Composer, drafts: list[FileDraft]) -> list[FileDraft] | None:
        """Add a file with what a safe form does not carry over, such as a comment on a column that it exchanges."""
        reached = composer.read_catalog()
        if _is_same(reached, self.wanted):
            details = write_sql(reached, self.wanted) if find_details(reached, self.wanted) else None
            if details is not None and details.statements:
                self._add(composer, "complete names", details.write())
            return composer.drafts
        rest = write_sql(reached, self.wanted, recreate=True)
        if not rest.statements or any(_LOSS in each for each in rest.statements):
            return None
        describes = all(each.startswith("COMMENT ") for each in rest.statements)
        if describes and not drafts[-1].joins and "CONCURRENTLY" not in drafts[-1].up:
            composer.extend(rest.write())
        else:
            self._add(composer, "complete the change", rest.write())
        return composer.drafts if _is_same(composer.read_catalog(), self.wanted) else None

    def _add(self, composer: Composer, words: str, statements: str) -> None:
        composer.add(FileDraft(words, statements, "", composer.drafts[-1].after_deploy))

    def _correct_downs(self, drafts: list[FileDraft]) -> list[FileDraft]:
        """Return the files with downs that lead back exactly, each checked in the state in which it runs."""
        with (
            state_after(self.server, self.base, timeout_s=self.timeout_s) as database,
            Rehearsal(database, timeout_s=self.timeout_s) as rehearsal,
        ):
            states = [rehearsal.read_catalog()]
            for number, draft in enumerate(drafts):
                rehearsal.run(RehearsedMigration(f"file_{number}", draft.up), "up")
                states.append(rehearsal.read_catalog())
            checked = list(drafts)
            for number in reversed(range(_count_irreversible(drafts), len(drafts))):
                checked[number] = _undo(rehearsal, drafts[number], states[number], states[number + 1])
            return checked


def _leads_back(rehearsal: Rehearsal, drafts: Sequence[FileDraft], start: Catalog) -> bool:
    """Run the downs and return whether they lead to the schema at the start; False if one is irreversible."""
    if _count_irreversible(drafts):
        return False
    for draft in reversed(drafts):
        if rehearsal.run(RehearsedMigration(draft.words, draft.up, draft.down), "down").error is not None:
            return False
    return _is_same(rehearsal.read_catalog(), start)


def _count_irreversible(drafts: Sequence[FileDraft]) -> int:
    """Return the number of files up to the last one that is irreversible: their downs never run."""
    return max((number for number, draft in enumerate(drafts, 1) if IRREVERSIBLE in draft.down), default=0)


def _undo(rehearsal: Rehearsal, draft: FileDraft, before: Catalog, after: Catalog) -> FileDraft:
    """Run a down and return the draft with one that leads to the schema before it."""
    name = draft.words
    if rehearsal.run(RehearsedMigration(name, draft.up, draft.down), "down").error is not None:
        draft = replace(draft, down=derive_down(before, after))
        rehearsal.run(RehearsedMigration(name, draft.up, draft.down), "down")
    reached = rehearsal.read_catalog()
    if _is_same(reached, before):
        return draft
    rest = write_sql(reached, before, recreate=True).write()
    rehearsal.run(RehearsedMigration(f"{name} (rest)", rest), "up")
    return replace(draft, down=f"{draft.down.rstrip()}\n\n{rest}")


def _is_same(first: Catalog, second: Catalog) -> bool:
    return not compare(first, second).without({COLUMN_ORDER}).changes
