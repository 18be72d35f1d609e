"""The safe form of a generated migration: the files that have its result, that keep out no one for long, and that lint clean."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from tasks.catalog import Catalog
from tasks.generation.dividing.enums import spare_text
from tasks.generation.dividing.ignoring import add_ignores
from tasks.generation.dividing.making import Making
from tasks.generation.dividing.scheduling import list_recreated
from tasks.generation.dividing.texts import AFTER_DEPLOY, MigrationFile, write_files
from tasks.generation.dividing.units import ReadMigration, read_units
from tasks.lint.engine import LintKnowledge, build_contexts, check_file
from tasks.lint.files import read_file
from tasks.lint.model import LintFinding, SafeFile
from tasks.lint.replaying import replay_files
from tasks.lint.rewriting.files import to_description
from tasks.lint.rewriting.steps import NotRewritableError
from tasks.rehearsal.model import RehearsedMigration
from tasks.rehearsal.replay.replay import state_after, try_migration
from tasks.rehearsal.scratch.server import ScratchServer
from tasks.rehearsal.selection import Selection
from tasks.rehearsal.sql_diff.recreation.copying import COPIES
from tasks.runner.errors import RunnerError

_LAST = "99999999999999"
"""A version behind all others."""
_ROUNDS = 4
_COPIED = "all statements are in one transaction, because a table is created again with its rows"


@dataclass(frozen=True, slots=True)
class Risk:
    """A statement of which no safe form is known: the number of its file, from 0, its rule, and what it does to whom."""

    file: int
    rule: str
    statement: str
    reason: str


@dataclass(frozen=True, slots=True)
class SafeMigration:
    """The files of a safe migration in their order, and the risks that are left, which comments in the files name."""

    files: tuple[SafeFile, ...]
    risks: tuple[Risk, ...] = ()
    replaced: tuple[Mapping[int, str], ...] = ()
    """For each file, the statements of whose safe forms it is a part: their numbers, and the tables that these change.

    It is empty if the files are not divided.
    """

    def suspect(self, file: int | None, table: str) -> frozenset[int]:
        """Return the statements whose safe forms may be why a file, or the rows of a table, are not as they should be."""
        own = self.replaced[file] if self.replaced and file is not None else {}
        every = {number: name for each in self.replaced for number, name in each.items()}
        return frozenset(own or {number for number, name in every.items() if name == table} or every)


def make_safe(
    server: ScratchServer,
    base: Sequence[RehearsedMigration],
    proposed: RehearsedMigration,
    *,
    keep: Mapping[int, str] | None = None,
    timeout_s: float | None = None,
) -> SafeMigration:
    """Return the files that replace a generated migration, which runs on scratch after `base`.

    Every table that exists is taken to be large and in use. The first file keeps the header of `proposed`; none has a line
    with its version. The schema after them is exactly that after `proposed`, apart from the order of columns. What has no safe
    form stays as it is, below a comment that ignores the finding of the lint; so do the statements with the numbers in `keep`,
    which has the reasons. Raises RunnerError if `proposed` fails.
    """
    proposed = replace(proposed, name=f"{_LAST}_{proposed.name}")
    if COPIES in proposed.up:
        _run(server, base, proposed, timeout_s)
        texts = [statement.text for statement in read_file(proposed).statements]
        return _finish(server, base, [_take_whole(proposed)], dict.fromkeys(texts, _COPIED), timeout_s)
    spared = spare_text(proposed)
    if spared is not None:
        with suppress(NotRewritableError, RunnerError):
            wanted = _run(server, base, proposed, timeout_s)
            read = read_units(server, base, spared, timeout_s=timeout_s)
            divides = not list_recreated(read.units)
            safe = _divide(server, base, spared, read, wanted, dict(keep or {}), timeout_s) if divides else None
            if safe is not None:
                return safe
    whole = [_take_whole(proposed)]
    try:
        read = read_units(server, base, proposed, timeout_s=timeout_s)
    except NotRewritableError:
        _run(server, base, proposed, timeout_s)
        return _finish(server, base, whole, {}, timeout_s)
    wanted = read.after or _run(server, base, proposed, timeout_s)
    if read.clean and proposed.down:
        return SafeMigration((SafeFile(to_description(""), proposed.up, proposed.down),))
    if read.clean:
        return _finish(server, base, whole, {}, timeout_s)
    safe = _divide(server, base, proposed, read, wanted, dict(keep or {}), timeout_s)
    return safe or _finish(server, base, whole, {}, timeout_s)


def _divide(
    server: ScratchServer,
    base: Sequence[RehearsedMigration],
    proposed: RehearsedMigration,
    read: ReadMigration,
    wanted: Catalog,
    kept: dict[int, str],
    timeout_s: float | None,
) -> SafeMigration | None:
    """Return the files into which a migration is divided; None if they do not lead to the wanted schema."""
    drafts = Making(server, base, proposed, read.units, wanted, kept, timeout_s).make()
    if not drafts:
        return None
    texts = write_files(read.header, proposed.down or "", drafts)
    reasons = {unit.statement.text: kept[unit.number] for unit in read.units if unit.number in kept}
    safe = _finish(server, base, texts, reasons, timeout_s)
    tables = {unit.number: next(iter(unit.existing), "") for unit in read.units}
    return replace(safe, replaced=tuple({number: tables[number] for number in text.replaces} for text in texts))


def keep_whole(
    server: ScratchServer, base: Sequence[RehearsedMigration], proposed: RehearsedMigration, *, timeout_s: float | None = None
) -> SafeMigration:
    """Return a generated migration as it is, with a comment for each finding: its safe form is not proved."""
    return _finish(server, base, [_take_whole(proposed)], {}, timeout_s)


def _take_whole(proposed: RehearsedMigration) -> MigrationFile:
    return MigrationFile("", proposed.up, proposed.down or "")


def _run(
    server: ScratchServer, base: Sequence[RehearsedMigration], proposed: RehearsedMigration, timeout_s: float | None
) -> Catalog:
    with state_after(server, base, timeout_s=timeout_s) as database:
        outcome = try_migration(database, proposed, "up", timeout_s=timeout_s)
    if outcome.error is not None:
        raise outcome.error
    return outcome.after


def _finish(
    server: ScratchServer,
    base: Sequence[RehearsedMigration],
    texts: Sequence[MigrationFile],
    reasons: Mapping[str, str],
    timeout_s: float | None,
) -> SafeMigration:
    """Return the files, with a comment for each finding of a lint that is left."""
    made = replayed = [_make(number, text) for number, text in enumerate(texts)]
    selection = Selection((*base, *made), tuple(each.name for each in made), "generated")
    known = replay_files(server, selection, timeout_s=timeout_s)
    for _ in range(_ROUNDS):
        findings = _lint(made, _move(known, replayed, made))
        if not any(findings.values()):
            break
        made = [replace(each, up=add_ignores(read_file(each), findings.get(each.name, ()), reasons)) for each in made]
    files = [SafeFile(to_description(text.words), each.up, each.down or "") for text, each in zip(texts, made, strict=True)]
    return SafeMigration(tuple(files), tuple(risk for number, each in enumerate(made) for risk in _list_risks(number, each)))


def _make(number: int, text: MigrationFile) -> RehearsedMigration:
    shown = f"part {number + 1} of the generated migration"
    after_deploy = AFTER_DEPLOY in text.up
    return RehearsedMigration(f"{_LAST}_{number:04}", text.up, text.down, shown, f"{shown} (down)", after_deploy=after_deploy)


def _lint(made: Sequence[RehearsedMigration], known: LintKnowledge) -> dict[str, list[LintFinding]]:
    contexts = build_contexts([read_file(each) for each in made], known)
    return {context.file.version: check_file(context, {}).findings for context in contexts}


def _move(known: LintKnowledge, replayed: Sequence[RehearsedMigration], made: Sequence[RehearsedMigration]) -> LintKnowledge:
    """Return what is known of files for the same files with more comments: their statements are on other lines."""
    observed = dict(known.observed)
    for before, after in zip(replayed, made, strict=True):
        pairs = zip(read_file(before).statements, read_file(after).statements, strict=True)
        lines = {old.line: new.line for old, new in pairs}
        if before.name in observed:
            observed[before.name] = [
                replace(
                    each, line=lines.get(each.line, each.line), held_to=each.held_to and lines.get(each.held_to, each.held_to)
                )
                for each in observed[before.name]
            ]
    return replace(known, observed=observed)


def _list_risks(number: int, migration: RehearsedMigration) -> Iterator[Risk]:
    file = read_file(migration)
    for ignore in file.ignores:
        statement = next((each for each in reversed(file.statements) if each.line <= ignore.target), None)
        if statement is not None:
            yield Risk(number, ignore.rule, statement.text, ignore.reason)
