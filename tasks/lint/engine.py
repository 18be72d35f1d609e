"""Lint the chosen migrations: read them, run squawk and our rules over them, and leave out what is moot or ignored."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from tasks.forecast.model import ObservedStatement
from tasks.lint.events import LintFinished, LintFound, LintStarted
from tasks.lint.files import read_file
from tasks.lint.ignoring import find_faults, is_ignored
from tasks.lint.model import LintContext, LintedFile, LintFinding, LintRule, Rewrite
from tasks.lint.moot import is_moot
from tasks.lint.rewriting import REWRITES
from tasks.lint.rules import RULES
from tasks.lint.schema import SchemaFacts
from tasks.lint.squawk import run_squawk
from tasks.lint.trees import list_created, read_search_path
from tasks.rehearsal.selection import Selection
from tasks.runner.clock import count_ms
from tasks.runner.errors import RunnerError
from tasks.runner.events import Event
from tasks.runner.events.numbers import NumbersRead

_SOURCES = {rule.name: rule.source for rule in RULES}


@dataclass(frozen=True, slots=True)
class LintKnowledge:
    """What is known apart from the files: the schema before each, what their statements do, the numbers of the environment."""

    server_version: int = 0
    schemas: Mapping[str, SchemaFacts] = field(default_factory=dict)
    observed: Mapping[str, Sequence[ObservedStatement]] = field(default_factory=dict)
    numbers: NumbersRead | None = None
    pending: bool = False
    """Whether the chosen migrations are those that are pending in an environment that the user named."""
    not_checked: tuple[str, ...] = ()


@dataclass(slots=True)
class LintResult:
    """The findings of one file, without those that are moot; `ignored` is the number of those that a comment ignores."""

    findings: list[LintFinding]
    ignored: int = 0


def lint(selection: Selection, known: LintKnowledge, rewrites: Mapping[str, Rewrite] = REWRITES) -> Iterator[Event]:
    """Yield the findings of the chosen migrations, in their order; raises SquawkError if there is no squawk."""
    begun = time.monotonic()
    chosen = selection.list_chosen()
    yield LintStarted(
        len(chosen),
        len(selection.migrations),
        selection.reason,
        known.server_version,
        selection.environment,
        known.numbers is not None,
    )
    files: list[LintedFile] = []
    unreadable: list[LintFinding] = []
    for migration in chosen:
        try:
            files.append(read_file(migration))
        except RunnerError as error:
            place = error.place
            line = place.line if place is not None else 0
            unreadable.append(LintFinding(migration.shown, max(line, 1), "refused", error.message, migration.name))
    found = ignored = 0
    for finding in unreadable:
        found += 1
        yield _report(finding)
    for context in build_contexts(files, known):
        result = check_file(context, rewrites)
        found, ignored = found + len(result.findings), ignored + result.ignored
        yield from map(_report, result.findings)
    yield LintFinished(len(chosen), found, ignored, known.not_checked, count_ms(begun))


def build_contexts(files: Sequence[LintedFile], known: LintKnowledge) -> Iterator[LintContext]:
    """Yield the context of each file; raises SquawkError if there is no squawk."""
    warnings = run_squawk(files, known.server_version)
    made: set[str] = set()
    for place, file in enumerate(files):
        schema = known.schemas.get(file.version)
        path = read_search_path(file)
        if schema is not None and path:
            schema = replace(schema, search_path=path)
        observed = known.observed.get(file.version)
        missing = _list_missing(schema, known.numbers)
        yield LintContext(
            file,
            schema,
            tuple(observed) if observed is not None else None,
            known.numbers,
            tuple(files[place + 1 :]),
            warnings.get(file.version, ()),
            frozenset(made | missing if known.pending else missing),
            known.server_version,
        )
        made.update(list_created(file, schema))


def check_file(context: LintContext, rewrites: Mapping[str, Rewrite] = REWRITES) -> LintResult:
    """Return the findings of one file, ordered by line, with the safe migration where there is one."""
    raw = [(rule, finding) for rule in RULES for finding in rule.find(context)]
    kept = [finding for rule, finding in raw if not is_moot(context, rule, finding)]
    found = [_add_safe(context, each, rewrites) for each in kept if not is_ignored(context.file, each)]
    unchecked = {rule.name for rule in RULES if not _is_checked(rule, context)}
    found += find_faults(context.file, [finding for _, finding in raw], unchecked)
    return LintResult(sorted(found, key=lambda each: each.line), sum(is_ignored(context.file, each) for each in kept))


def _is_checked(rule: LintRule, context: LintContext) -> bool:
    return not rule.needs_schema or context.schema is not None


def _add_safe(context: LintContext, finding: LintFinding, rewrites: Mapping[str, Rewrite]) -> LintFinding:
    rewrite = rewrites.get(finding.rule)
    return replace(finding, safe=rewrite(context, finding)) if rewrite is not None else finding


def _list_missing(schema: SchemaFacts | None, numbers: NumbersRead | None) -> set[str]:
    """Return the tables before a file that the environment does not have: earlier pending files create them."""
    if schema is None or numbers is None or not numbers.relations:
        return set()
    present = {each.relation for each in numbers.relations}
    return {name for name, table in schema.tables.items() if table.kind in "rpm" and name not in present}


def _report(finding: LintFinding) -> LintFound:
    return LintFound(
        finding.version,
        finding.file,
        finding.line,
        finding.rule,
        finding.message,
        _SOURCES.get(finding.rule, ""),
        finding.safe,
    )
