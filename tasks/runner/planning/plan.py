"""Make a Plan of a Choice and the texts of its files, without database, clock or output.

`choose` selects versions by name and checksum, `plan` makes steps of their texts, so that only the texts that run are read. Dry
run, status and the runner use the same values.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from tasks.runner.errors import RefusedError
from tasks.runner.events import Finding
from tasks.runner.planning.sections import refuse_other_direction
from tasks.runner.planning.separations import restore_separations
from tasks.runner.planning.unverified import describe_unverified

if TYPE_CHECKING:
    from tasks.runner.events import PlannedStatement, PlannedStep
    from tasks.runner.files.loadable_text import LoadableText
    from tasks.runner.ledger.reading import Attempt
    from tasks.runner.ledger.renames import Rename
    from tasks.runner.ledger.replaced import Replacement
    from tasks.runner.parsing import Script, Statement
    from tasks.runner.parsing.large.text import LargeText, TextRange
    from tasks.runner.parsing.session_objects import SessionNeed
    from tasks.runner.planning.choice import Choice

CHANGES_SCHEMA = frozenset({"migrate", "rollback", "redo"})
"""The actions that change the schema."""

MOST_SHOWN = 1000
"""How many statements of a large file a plan shows."""
_LONGEST_SHOWN = 64 * 1024
"""The bytes of a statement up to which a plan shows all of it."""
_EMPTY = {
    "migrate": "contains no statement: a run records it, and changes nothing else",
    "rollback": "has a down file that contains no statement: a rollback records that it was reverted, and changes nothing else",
}


class Source(NamedTuple):
    """The text that a step runs, the file's name to show, and the down file and the checksum for the ledger.

    `notes` are about the encoding of the file.
    """

    shown: str
    content: str | LargeText
    checksum: str = ""
    down: LoadableText | None = None
    notes: tuple[str, ...] = ()
    size: int = 0
    """The number of the file's bytes."""
    unverified: str = ""
    """Why it is not known whether a stored text is the one that was applied; it needs a confirmation."""

    @property
    def text(self) -> str:
        """Return the text, which is read now if the file is large."""
        return self.content if isinstance(self.content, str) else self.content.load()

    @property
    def digest(self) -> str:
        """Return the SHA-256 of the text; that of a large file is the checksum of its bytes."""
        if isinstance(self.content, str):
            return hashlib.sha256(self.content.encode()).hexdigest()
        return self.content.checksum


@dataclass(frozen=True, slots=True)
class Step:
    """A file to run: its script, and how many of its segments an earlier run finished."""

    action: str
    version: str
    source: Source
    script: Script
    done: int = 0
    resumed: bool = False
    unsure: bool = False
    """Whether the first segment to run may have taken effect already, in an interrupted attempt."""
    separated: frozenset[int] = frozenset()
    """The statements that the server refused in a transaction, by number from 1; the script's segments are divided for them."""

    @property
    def position(self) -> int:
        """Return the number of statements that need not run again."""
        return sum(len(segment.statements) for segment in self.script.segments[: self.done])


@dataclass(frozen=True, slots=True)
class Plan:
    """The steps to run and the findings; a finding that refuses stops the run before its first step."""

    action: str
    steps: tuple[Step, ...]
    findings: tuple[Finding, ...] = ()
    renames: tuple[Rename, ...] = ()
    """The rows of the ledger that get their current names before the first step."""
    replaced: tuple[Replacement, ...] = ()
    """The names that the files of the checkout replaced, for the ledger to keep."""
    atomic: bool = False
    """Whether all steps run in one transaction."""
    basis: str = ""
    """What a plan was proved for, beside its own texts: the applied versions, for the rollback of only one of them."""
    uncompared: bool = False
    """Whether the schema need not be that of the migrations afterwards, so that it must be compared with them."""

    @property
    def refusals(self) -> tuple[Finding, ...]:
        """Return the findings that stop a run."""
        return tuple(finding for finding in self.findings if finding.refuses)

    def raise_refusals(self) -> None:
        """Raise RefusedError if a finding stops the run."""
        refusals = self.refusals
        if not refusals:
            return
        raise RefusedError(
            "\n".join(f"{finding.version} {finding.message}".lstrip() for finding in refusals),
            hint="\n".join(dict.fromkeys(finding.hint for finding in refusals if finding.hint)),
            state="Nothing was changed.",
        )


def plan(choice: Choice, sources: Mapping[str, Source], attempts: Mapping[str, Attempt], ledger_schema: str = "public") -> Plan:
    """Return the plan of a choice, made from the texts; raises ScriptError for a text that cannot be run."""
    from tasks.runner.parsing import read_script
    from tasks.runner.planning.openings import find_openings

    steps: list[Step] = []
    findings = list(choice.findings)
    for version in choice.versions:
        source = sources[version]
        script = read_script(source.content, file=source.shown, version=version, ledger_schema=ledger_schema)
        _refuse_misplaced(choice.action, version, source, script)
        refuse_other_direction(choice.action, version, source.content, source.shown, source.down)
        step = Step(choice.action, version, source, script)
        findings += find_notes(step)
        findings += find_openings(version, script.statements, ledger_schema)
        steps.append(resume(step, attempts.get(version), findings))
    return Plan(choice.action, tuple(steps), tuple(findings))


def find_notes(step: Step) -> list[Finding]:
    """Return findings about a file that runs, but perhaps not as its author expects."""
    from tasks.runner.parsing.invisible import list_invisible
    from tasks.runner.parsing.session_objects import find_session_needs

    found = [Finding("encoding", step.version, note) for note in step.source.notes]
    if step.source.unverified:
        found.append(describe_unverified(step.version, step.source.unverified))
    if not step.script.statements:
        found.append(Finding("empty", step.version, _EMPTY.get(step.action, _EMPTY["migrate"])))
    named: Iterable[str] = step.script.invisible
    if isinstance(step.source.content, str):
        text = step.source.content
        named = (each for statement in step.script.statements for each in list_invisible(text, step.source.shown, statement))
    found += [Finding("invisible", step.version, message) for message in named]
    if len(step.script.segments) > 1:
        found += [_describe_need(step.version, need) for need in find_session_needs(step.script.segments)]
    return found


def resume(step: Step, attempt: Attempt | None, findings: list[Finding]) -> Step:
    """Return a step that resumes where an attempt of the same action stopped; add a finding if the file no longer allows it."""
    if attempt is None or attempt.action != step.action:
        return replace(step, done=0, resumed=False, unsure=False)
    script, separated = restore_separations(step.script, attempt.note, done=attempt.segments_done)
    step = replace(step, script=script, separated=step.separated | separated)
    done = count_done(step.script, attempt.segments_done, attempt.segments_checksum)
    if done is None:
        findings.append(describe_changed(step.version, attempt, step.source.shown))
        done = attempt.segments_done
    return replace(step, done=done, resumed=attempt.interrupted, unsure=attempt.unsure)


def count_done(script: Script, done: int, checksum: str) -> int | None:
    """Return how many segments of a script an attempt has finished, which recorded `done` and their checksum.

    A SET of a timeout may have been inserted, because the statement after it was cancelled. Return None if the script does not
    begin with the finished segments.
    """
    for count in range(len(script.segments) + 1 if done else 1):
        if checksum_segments(script, count) == checksum:
            return count
    # An older version of this tool counted the timeouts.
    return done if checksum_segments(script, done, timeouts=True) == checksum else None


def checksum_segments(script: Script, count: int, *, timeouts: bool = False) -> str:
    """Return a checksum over the first `count` segments; empty if none counts, or if the script has fewer."""
    if count > len(script.segments):
        return ""
    checksums = [segment.checksum(timeouts=timeouts) for segment in script.segments[:count]]
    text = "".join(checksums)
    return hashlib.sha256(text.encode()).hexdigest() if text else ""


def show_plan(plan: Plan, *, whole: bool = False) -> tuple[PlannedStep, ...]:
    """Return the steps for the report, with the first line of each statement, or with the `whole` statements too."""
    if not plan.steps:
        return ()
    from tasks.runner.events import PlannedStep

    return tuple(
        PlannedStep(
            action=step.action,
            version=step.version,
            file=step.source.shown,
            segments=tuple(segment.transactional for segment in step.script.segments),
            done=step.done,
            statements=tuple(islice(_show_statements(step.script, whole=whole), _limit(step.script))),
            more=max(len(step.script.statements) - (_limit(step.script) or len(step.script.statements)), 0),
        )
        for step in plan.steps
    )


def _limit(script: Script) -> int | None:
    """Return how many statements are shown, all of them except of a large file."""
    return MOST_SHOWN if script.whole is not None else None


def _show_statements(script: Script, *, whole: bool) -> Iterator[PlannedStatement]:
    for number, segment in enumerate(script.segments, 1):
        for statement in segment.statements:
            yield _show_statement(statement, number, whole=whole)


def _show_statement(statement: Statement, segment: int, *, whole: bool) -> PlannedStatement:
    from tasks.runner.events import PlannedStatement

    if not whole:
        return PlannedStatement(statement.line, statement.label, segment)
    if statement.size > _LONGEST_SHOWN:
        return PlannedStatement(statement.line, statement.label, segment, statement.label, _count_rows(statement.copy_data))
    return PlannedStatement(statement.line, statement.label, segment, statement.shown, _count_rows(statement.copy_data))


def _count_rows(data: str | TextRange | None) -> int:
    """Return the number of lines of data."""
    if data is None or isinstance(data, str):
        return len((data or "").splitlines())
    return sum(block.count(b"\n") for block in data.read_blocks())


def _describe_need(version: str, need: SessionNeed) -> Finding:
    return Finding(
        "session",
        version,
        f"line {need.line} leaves {need.what} in its session, and line {need.used} needs it in a later segment: "
        "behind a pooler, or when a run resumes there, that is another session",
        hint="Use a permanent object and drop it at the end, or put both statements into one transaction: BEGIN; … COMMIT;",
    )


def describe_changed(version: str, attempt: Attempt, shown: str) -> Finding:
    """Return the refusal of a file that no longer begins with the segments that an attempt committed."""
    return Finding(
        "interrupted",
        version,
        f"has {attempt.segments_done} of its {attempt.segments_total} segments committed, but {shown} no longer begins with them",
        refuses=True,
        hint="Restore the committed statements (those after them may change), then run again;\n"
        "or revert them manually, then clear the attempt: inv db.repair",
    )


def _refuse_misplaced(action: str, version: str, source: Source, script: Script) -> None:
    """Raise RefusedError for a directive that belongs in the other file of the migration, and for an irreversible one."""
    if script.after_deploy and action == "rollback":
        raise RefusedError(
            f"{source.shown} is marked as after-deploy, but is a down file",
            hint="`-- migrate: after-deploy` belongs in the up file.",
            state="Nothing was changed.",
        )
    if script.irreversible is None:
        return
    if action == "rollback":
        raise RefusedError(
            f"{version} cannot be rolled back: {script.irreversible}",
            hint="Write a new migration instead: inv db.new NAME",
            state="Nothing was changed.",
        )
    raise RefusedError(
        f"{source.shown} is marked as irreversible, but contains no statement",
        hint="`-- migrate: irreversible` belongs in the down file.",
        state="Nothing was changed.",
    )
