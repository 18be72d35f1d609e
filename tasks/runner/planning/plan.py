"""Deciding what to do: files + ledger + goal → Plan. Pure: no database, no clock, no printing.

It goes in two halves, so that only the texts that will run are ever read: `choose` picks versions by name and checksum,
`plan` makes steps of their texts. Dry run, status and the runner all use the same values.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tasks.runner.errors import RefusedError, UsageError
from tasks.runner.events import Finding, PlannedStatement, PlannedStep
from tasks.runner.files.checkout import Migrations
from tasks.runner.ledger.reading import Attempt, Ledger
from tasks.runner.ledger.renames import Rename

if TYPE_CHECKING:
    from tasks.runner.parsing import Script

CHANGES_SCHEMA = frozenset({"migrate", "rollback"})
"""The actions that change the schema."""


@dataclass(frozen=True, slots=True)
class MigrateGoal:
    """Ask for every pending migration, up to one version, or for just one; `strict` refuses late files."""

    to: str = ""
    only: str = ""
    strict: bool = False


@dataclass(frozen=True, slots=True)
class RollbackGoal:
    """Ask to undo the last `steps` migrations, or everything after version `to` ("0" undoes all)."""

    steps: int = 1
    to: str = ""

    def __post_init__(self) -> None:
        """Raise UsageError for a number that counts nothing."""
        if self.steps < 1:
            raise UsageError(f"a rollback of {self.steps} steps undoes nothing", state="Nothing was changed.")


Goal = MigrateGoal | RollbackGoal


@dataclass(frozen=True, slots=True)
class Choice:
    """Name the versions that a goal means, in the order in which they will run, and what was noticed."""

    action: str
    versions: tuple[str, ...]
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class Source:
    """Hold the text that a step runs, the file's name to show, and both texts and the checksum for the ledger."""

    shown: str
    text: str
    checksum: str = ""
    down_text: str | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """Describe one file to run: its script, and how many of its segments an earlier run finished."""

    action: str
    version: str
    source: Source
    script: Script
    done: int = 0
    resumed: bool = False
    unsure: bool = False
    """Whether the first segment to run may have taken effect already, in an attempt that broke off."""

    @property
    def position(self) -> int:
        """Count the statements that need not run again."""
        return sum(len(segment.statements) for segment in self.script.segments[: self.done])


@dataclass(frozen=True, slots=True)
class Plan:
    """List the steps to take and the findings; a finding that refuses stops the run before its first step."""

    action: str
    steps: tuple[Step, ...]
    findings: tuple[Finding, ...] = ()
    renames: tuple[Rename, ...] = ()
    """The rows of the ledger that get the names of today before the first step."""

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
            "\n".join(f"{finding.version} {finding.message}" for finding in refusals),
            hint="\n".join(dict.fromkeys(finding.hint for finding in refusals if finding.hint)),
            state="Nothing was changed.",
        )


def choose(migrations: Migrations, ledger: Ledger, goal: Goal) -> Choice:
    """Pick the versions that a goal means; raises UsageError for a version that nobody knows."""
    if isinstance(goal, RollbackGoal):
        return _choose_rollback(migrations, ledger, goal)
    pending = [version for version in migrations.checksums if version not in ledger.checksums]
    newest = max(ledger.checksums, default="")
    findings = find_differences(migrations, ledger)
    if goal.to:
        limit = find_version(goal.to, migrations.checksums)
        pending = [version for version in pending if version <= limit]
    if goal.only:
        _refuse_unknown_file(goal.only, migrations)
        pending = [version for version in pending if version == goal.only]
    late = [version for version in pending if version < newest]
    findings += [_describe_late(version, newest, goal.strict) for version in late]
    findings += [
        Finding(
            "interrupted",
            version,
            f"is half rolled back: {attempt.segments_done} of {attempt.segments_total} segments of its down file are done",
            refuses=True,
            hint="Finish it first: inv db.rollback",
        )
        for version, attempt in ledger.attempts.items()
        if attempt.action == "rollback" and attempt.interrupted and version in ledger.checksums
    ]
    return Choice("migrate", tuple(pending), tuple(findings))


def find_differences(migrations: Migrations, ledger: Ledger) -> list[Finding]:
    """Find the applied versions whose file is edited or missing."""
    findings = []
    for version, recorded in ledger.checksums.items():
        checksum = migrations.checksums.get(version)
        if checksum is None:
            findings.append(Finding("missing", version, "is applied, but there is no file for it in this checkout"))
        elif recorded is not None and checksum != recorded:
            findings.append(
                Finding(
                    "edited",
                    version,
                    "differs from what was applied",
                    refuses=True,
                    hint="Put the file back and make a new migration for the change (inv db.new NAME),\n"
                    "or record the new text as the applied one: inv db.repair",
                )
            )
    return findings


def plan(choice: Choice, sources: Mapping[str, Source], attempts: Mapping[str, Attempt]) -> Plan:
    """Make the steps of a choice from the texts; raises ScriptError for a text that no run can take."""
    from tasks.runner.parsing import read_script

    steps: list[Step] = []
    findings = list(choice.findings)
    for version in choice.versions:
        source = sources[version]
        script = read_script(source.text, file=source.shown, version=version)
        _refuse_irreversible(choice.action, version, source, script)
        step = Step(choice.action, version, source, script)
        steps.append(_resume(step, attempts.get(version), findings))
    return Plan(choice.action, tuple(steps), tuple(findings))


def _resume(step: Step, attempt: Attempt | None, findings: list[Finding]) -> Step:
    """Let a step go on where an attempt of the same action stopped, or find that the file no longer allows it."""
    if attempt is None or attempt.action != step.action:
        return replace(step, done=0, resumed=False, unsure=False)
    done = attempt.segments_done
    if sum_segments(step.script, done) != attempt.segments_checksum:
        findings.append(_describe_changed(step.version, attempt, step.source.shown))
    return replace(step, done=done, resumed=attempt.interrupted, unsure=attempt.unsure)


def replan(made: Plan, ledger: Ledger) -> Plan:
    """Make a plan fit the ledger as it is now: leave out what another run did meanwhile, and find out where it stopped."""
    if made.action not in ("migrate", "rollback"):
        return made
    undoing = made.action == "rollback"
    findings = list(made.findings)
    steps: list[Step] = []
    for step in made.steps:
        recorded = ledger.checksums.get(step.version)
        if (step.version in ledger.checksums) == undoing:
            steps.append(_resume(step, ledger.attempts.get(step.version), findings))
        elif not undoing and recorded != step.source.checksum:
            findings.append(_describe_overtaken(step.version))
    return Plan(made.action, tuple(steps), tuple(findings))


def sum_segments(script: Script, count: int) -> str:
    """Give one checksum over the first `count` segments; empty for none, or where the script has fewer."""
    if not 0 < count <= len(script.segments):
        return ""
    digest = hashlib.sha256()
    for segment in script.segments[:count]:
        digest.update(segment.checksum.encode())
    return digest.hexdigest()


def find_version(name: str, versions: Iterable[str]) -> str:
    """Resolve what a person typed (a version, its timestamp, or the beginning of one) to the one version it means."""
    wanted = name.removesuffix(".sql")
    known = list(versions)
    if wanted in known:
        return wanted
    found = [version for version in known if version.startswith(wanted)] if wanted else []
    if len(found) == 1:
        return found[0]
    if found:
        raise UsageError(
            f"{name} means {len(found)} versions: {', '.join(found[:5])}{', …' if len(found) > 5 else ''}",
            hint="Write more of it.",
            state="Nothing was changed.",
        )
    import difflib

    near = difflib.get_close_matches(wanted, known, n=3, cutoff=0.4)
    raise UsageError(
        f"there is no version {name}",
        hint=f"Did you mean {' or '.join(near)}?" if near else "inv db.status lists the versions.",
        state="Nothing was changed.",
    )


def show_plan(plan: Plan) -> tuple[PlannedStep, ...]:
    """Describe the steps for the report."""
    return tuple(
        PlannedStep(
            action=step.action,
            version=step.version,
            file=step.source.shown,
            segments=tuple(segment.transactional for segment in step.script.segments),
            done=step.done,
            statements=tuple(
                PlannedStatement(statement.line, statement.label, number)
                for number, segment in enumerate(step.script.segments, 1)
                for statement in segment.statements
            ),
        )
        for step in plan.steps
    )


def _choose_rollback(migrations: Migrations, ledger: Ledger, goal: RollbackGoal) -> Choice:
    applied = list(ledger.checksums)[::-1]
    if goal.to == "0":
        chosen = applied
    elif goal.to:
        limit = find_version(goal.to, sorted({*ledger.checksums, *migrations.checksums}))
        chosen = [version for version in applied if version > limit]
    else:
        chosen = applied[: goal.steps]
    findings = [
        Finding(
            "interrupted",
            version,
            f"is half applied: {attempt.segments_done} of {attempt.segments_total} segments are in the database",
            refuses=True,
            hint="Finish it first: inv db.migrate; or undo by hand what it did and forget the attempt: inv db.repair",
        )
        for version, attempt in ledger.attempts.items()
        if attempt.action == "migrate" and attempt.interrupted and version not in ledger.checksums
    ]
    return Choice("rollback", tuple(chosen), tuple(findings))


def _refuse_unknown_file(version: str, migrations: Migrations) -> None:
    if version not in migrations.checksums:
        raise UsageError(
            f"there is no migration file {version}.sql",
            hint=f"Name a file of {migrations.up_path(version).parent}.",
            state="Nothing was changed.",
        )


def _describe_late(version: str, newest: str, strict: bool) -> Finding:
    return Finding(
        "late",
        version,
        f"is older than {newest}, which is applied already",
        refuses=strict,
        hint="Give it a later timestamp, or run without --strict." if strict else "",
    )


def _describe_overtaken(version: str) -> Finding:
    return Finding(
        "edited",
        version,
        "was applied a moment ago by another run, with another text than this checkout's",
        refuses=True,
        hint="Pull, then look: inv db.status",
    )


def _describe_changed(version: str, attempt: Attempt, shown: str) -> Finding:
    return Finding(
        "interrupted",
        version,
        f"has {attempt.segments_done} of its {attempt.segments_total} segments done, but {shown} no longer begins with them",
        refuses=True,
        hint="Put the finished statements back as they were (what follows them may change), then run again;\n"
        "or undo by hand what they did and forget the attempt: inv db.repair",
    )


def _refuse_irreversible(action: str, version: str, source: Source, script: Script) -> None:
    if script.irreversible is None:
        return
    if action == "rollback":
        raise RefusedError(
            f"{version} cannot be rolled back: {script.irreversible}",
            hint="Make a new migration that goes forward: inv db.new NAME",
            state="Nothing was changed.",
        )
    raise RefusedError(
        f"{source.shown} says that it is irreversible, but contains no statement",
        hint="`-- migrate: irreversible` belongs into the down file.",
        state="Nothing was changed.",
    )
