"""Divide scheduled statements into files, replace those that have a safe form, and write the downs, all in the real states."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tasks.catalog import Catalog, Key
from tasks.generation.dividing.downs import NOTHING, derive_down, undo_renames
from tasks.generation.dividing.drafts import BRIEF, SLOW, FileDraft
from tasks.generation.dividing.replacing import replace_object
from tasks.generation.dividing.scheduling import Schedule, UnitBlock
from tasks.generation.dividing.units import Unit, write_units
from tasks.lint.files import read_file
from tasks.lint.model import LintContext
from tasks.lint.reading import read_schema
from tasks.lint.rewriting.names import NamesInUse
from tasks.lint.rewriting.statements import add_comments, rewrite_statement
from tasks.lint.rewriting.steps import NotRewritableError, SafeStep
from tasks.postgres.quoting import quote_identifier
from tasks.rehearsal.model import RehearsedMigration
from tasks.rehearsal.replay.rehearsal import Rehearsal
from tasks.rehearsal.scratch.server import ScratchDatabase
from tasks.rehearsal.sql_diff.shapes import parse_column
from tasks.runner.database.session import connect

_INDEX_OF_KEY = "foreign-key-without-index"
_VALIDATE, _FILL = "validate", "fill "
_WORDS = {
    "AlterDomainStmt": "change domain",
    "AlterEnumStmt": "add label",
    "CommentStmt": "comment",
    "DoStmt": "name",
    "GrantStmt": "grant",
}


class StepFailedError(Exception):
    """A safe form that does not run on scratch; `number` is the statement that it replaces."""

    def __init__(self, number: int, reason: str) -> None:
        super().__init__(reason)
        self.number = number


class Composer:
    """The files of a migration, in the order in which they run on a scratch database."""

    def __init__(
        self,
        database: ScratchDatabase,
        rehearsal: Rehearsal,
        units: Sequence[Unit],
        down: str | None,
        wanted: Catalog,
        kept: dict[int, str],
    ) -> None:
        self._wanted = wanted
        self._database, self._rehearsal, self._units, self._down, self._kept = database, rehearsal, units, down, kept
        self._catalog: Catalog | None = None
        self._late: list[tuple[Unit, SafeStep]] = []
        self._deferred: list[tuple[Unit, SafeStep]] = []
        self.drafts: list[FileDraft] = []

    def compose(self, schedule: Schedule) -> list[FileDraft]:
        """Run the files on scratch and return them; raises StepFailedError."""
        for blocks, after_deploy in ((schedule.before, False), (schedule.after, True)):
            self._write(blocks, after_deploy=after_deploy)
            self._validate(after_deploy=after_deploy)
            deferred, self._deferred = self._deferred, []
            for unit, step in deferred:
                self._add_step(unit, step, after_deploy=True)
        return self.drafts

    def read_catalog(self) -> Catalog:
        """Return the current schema."""
        if self._catalog is None:
            self._catalog = self._rehearsal.read_catalog()
        return self._catalog

    def _write(self, blocks: Sequence[UnitBlock], *, after_deploy: bool) -> None:
        group: list[Unit] = []
        for block in blocks:
            if block.rewritten or not _fits(group, block):
                self._add_units(group, after_deploy=after_deploy)
                group = []
            if (block.rewritten and self._is_exchanged(block)) or self._has_default(block.units[0]):
                continue
            if block.units[-1].changes_type:
                self._validate(after_deploy=after_deploy)
            if block.rewritten and block.units[-1].detaches and block.units[-1].number not in self._kept:
                self._detach(block.units[-1], after_deploy=after_deploy)
                continue
            steps = self._rewrite(block) if block.rewritten else None
            if steps is not None:
                self._add_steps(block.units[-1], steps, after_deploy=after_deploy)
            else:
                group += block.units
            if block.together:
                self._add_units(group, after_deploy=after_deploy)
                group = []
        self._add_units(group, after_deploy=after_deploy)

    def _is_exchanged(self, block: UnitBlock) -> bool:
        """Return True for a constraint or index that is dropped only while a type changes, which a second column spares."""
        unit = block.units[-1]
        if len(block.units) == 1 or not unit.existing:
            return False
        table = unit.existing[0]
        if not any(each.type_of[:1] == (table,) and each.number not in self._kept for each in self._units):
            return False
        key = Key("index" if unit.statement.kind == "IndexStmt" else "constraint", quote_identifier(unit.created), table)
        return key in self._wanted.objects and self.read_catalog().objects.get(key) == self._wanted.objects[key]

    def _has_default(self, unit: Unit) -> bool:
        """Return True for the default of a column that is not exchanged yet, or that took it along as it should be in the end."""
        if not any(unit.default_of and each.type_of == unit.default_of and each.number not in self._kept for each in self._units):
            return False
        key = Key("column", quote_identifier(unit.default_of[1]), unit.default_of[0])
        texts = [each.objects.get(key) for each in (self.read_catalog(), self._wanted)]
        (now, default), (wanted, wanted_default) = (parse_column(text or "") for text in texts)
        if now.type != wanted.type:
            return True
        value, _, type_ = (default or "").rpartition("::")
        return bool(value) and type_ == now.type and (wanted_default or "").rpartition("::")[0] == value

    def _detach(self, unit: Unit, *, after_deploy: bool) -> None:
        """Detach a partition CONCURRENTLY, and drop the CHECK with its bounds that this adds.

        https://www.postgresql.org/docs/current/sql-altertable.html#SQL-ALTERTABLE-DETACH-PARTITION
        """
        before, up = self.read_catalog(), f"{unit.statement.text} CONCURRENTLY;\n"
        try:
            self._run(up)
            known = before.objects.keys() | self._wanted.objects.keys()
            added = [key for key, _ in self.read_catalog().of_kind("constraint") if key not in known]
            drops = "".join(f"ALTER TABLE {key.parent} DROP CONSTRAINT {key.name};\n" for key in added)
            if drops:
                self._run(drops)
        except RunFailedError as error:
            raise StepFailedError(unit.number, str(error)) from error
        down = derive_down(before, self.read_catalog())
        words, replaces = f"detach from {unit.existing[0].rpartition('.')[2]}", frozenset({unit.number})
        self.drafts.append(FileDraft(words, f"{up}{drops}", down, after_deploy, replaces=replaces))

    def _run(self, up: str) -> None:
        trial = self._rehearsal.run(RehearsedMigration(f"file_{len(self.drafts)}", up), "up")
        self._catalog = None
        if trial.error is not None:
            raise RunFailedError(trial.error.message)

    def _rewrite(self, block: UnitBlock) -> list[SafeStep] | None:
        """Return the steps of the safe form of a statement, or None if there is none."""
        unit = block.units[-1]
        rules = {finding.rule for finding in unit.findings} - {_INDEX_OF_KEY}
        if not rules or unit.number in self._kept:
            return None
        with connect(self._database.url, name="migrate-generation") as connection:
            facts = read_schema(connection)
        file = read_file(RehearsedMigration("statement", unit.text))
        context = LintContext(file, facts, server_version=self._database.server.oldest_version)
        numbers = {finding.command for finding in unit.findings}
        commands = set() if -1 in numbers else numbers
        names = NamesInUse(facts)
        try:
            steps = rewrite_statement(context, file.statements[0], unit.text, commands, names)
        except NotRewritableError as error:
            self._kept[unit.number] = str(error)
            return None
        except (LookupError, ValueError, StopIteration):
            self._kept[unit.number] = "it has a form that is not known"
            return None
        steps = [step for step in steps if not step.extra]
        leading = unit.text[: unit.text.index(unit.statement.text)]
        steps = add_comments(steps, leading)
        return replace_object(block.units[0], unit, steps, names) if len(block.units) > 1 else steps

    def _add_steps(self, unit: Unit, steps: Sequence[SafeStep], *, after_deploy: bool) -> None:
        postponed = steps[-1:] if len(steps) > 1 and steps[-1].words.startswith(_VALIDATE) else []
        for step in steps[: len(steps) - len(postponed)]:
            if step.after_deploy and not after_deploy:
                self._deferred.append((unit, step))
            else:
                self._add_step(unit, step, after_deploy=after_deploy)
        self._late += [(unit, step) for step in postponed]

    def _validate(self, *, after_deploy: bool) -> None:
        late, self._late = self._late, []
        for unit, step in late:
            self._add_step(unit, step, after_deploy=after_deploy)

    def _add_step(self, unit: Unit, step: SafeStep, *, after_deploy: bool) -> None:
        lasts = step.words.startswith((_VALIDATE, _FILL))
        builds = all("CONCURRENTLY" in part for part in step.up.strip().split(";\n"))
        joins = SLOW if lasts or builds else ""
        draft = FileDraft(
            step.words,
            step.up,
            step.down or "",
            after_deploy,
            joins,
            separate=lasts,
            separate_down=step.alone_down,
            replaces=frozenset({unit.number}),
        )
        try:
            self.add(draft, derive=step.down is None)
        except RunFailedError as error:
            raise StepFailedError(unit.number, str(error)) from error

    def _add_units(self, units: Sequence[Unit], *, after_deploy: bool) -> None:
        if not units:
            return
        renames = [unit for unit in units if unit.renames]
        if 0 < len(renames) < len(units):
            self._add_units([unit for unit in units if not unit.renames], after_deploy=after_deploy)
            self.extend(write_units(renames), undo_renames(renames, self._units, self._down))
            return
        down = undo_renames(units, self._units, self._down) if all(unit.renames for unit in units) else None
        joins = BRIEF if all(_is_brief(unit) for unit in units) else ""
        draft = FileDraft(_choose_words(units), write_units(units), down or "", after_deploy, joins)
        self.add(draft, derive=down is None)

    def add(self, draft: FileDraft, *, derive: bool = True) -> None:
        """Run a file, and add it with the down that follows from its effect, or its own; raises RunFailedError."""
        before = self.read_catalog() if derive else None
        self._run(draft.up)
        if before is not None:
            draft = replace(draft, down=derive_down(before, self.read_catalog()))
            if draft.down == NOTHING:
                # Such as a default that is dropped and set again around the change of a type, which is another file.
                return
        self.drafts.append(draft)

    def extend(self, up: str, down: str = "") -> None:
        """Run statements as a part of the last file, which `down` undoes; raises RunFailedError."""
        self._run(up)
        last = self.drafts[-1]
        self.drafts[-1] = replace(last, up=f"{last.up.rstrip()}\n\n{up}", down=f"{down}\n{last.down}".lstrip("\n"))


class RunFailedError(Exception):
    """A file that fails on scratch."""


def _fits(group: Sequence[Unit], block: UnitBlock) -> bool:
    """Return True if a block can share a transaction with others: none of them locks another existing table."""
    if not group:
        return True
    unit, last = block.units[0], group[-1]
    replaces = unit.concerns_type and last.concerns_type
    if block.together or unit.adds_label != last.adds_label or unit.alone or last.alone:
        return False
    if unit.renames != last.renames and not replaces:
        return False
    locked = {name for each in group for name in each.exclusive}
    needed = {name for each in block.units for name in each.exclusive}
    return not needed or not locked or needed <= locked


def _is_brief(unit: Unit) -> bool:
    """Return True if a statement only changes or drops an existing table, so that it can have a transaction of its own."""
    alters = unit.statement.kind in ("AlterTableStmt", "DropStmt") and bool(unit.existing)
    return unit.statement.kind == "CommentStmt" or (alters and (unit.after_deploy or not (unit.removed or unit.findings)))


def _choose_words(units: Sequence[Unit]) -> str:
    """Return what statements do, in the words of a file's name."""
    tables = list(dict.fromkeys(name.rpartition(".")[2] for unit in units for name in unit.existing))
    created = [unit.created for unit in units if unit.created and not unit.existing]
    removed = [name for unit in units for name in unit.removed if not unit.existing or unit.after_deploy]
    kind = units[0].statement.kind
    verb, names = next(
        (verb, found)
        for verb, found in (("create", created), ("drop", removed), ("change", tables), (_WORDS.get(kind, "continue"), [""]))
        if found
    )
    if all(unit.renames for unit in units):
        verb = "rename"
    return f"{verb} {names[0]}{' and others' if len(set(names)) > 1 else ''}".strip()
