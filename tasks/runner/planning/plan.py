"""Deciding what to do: files + ledger + goal → Plan. These functions are pure: no database, no clock, no output.

There are two stages, so that only the texts that will run are read: `choose` picks versions by name and checksum, `plan`
makes steps from their texts. Dry run, status and the runner all use the same values.
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
_RUNS_ANYWAY = "; it runs anyway (--strict refuses it)"
_MISSING = "is applied, but this checkout has no file for it (another branch?)"
_MISSING_HINT = "inv db.rollback can undo it from the stored text."


@dataclass(frozen=True, slots=True)
class MigrateGoal:
    """The goal to apply all pending migrations, those up to one version, or only one; `strict` refuses late files."""

    to: str = ""
    only: str = ""
    strict: bool = False


@dataclass(frozen=True, slots=True)
class RollbackGoal:
    """The goal to roll back the last `steps` migrations, or all after version `to` ("0" for all)."""

    steps: int = 1
    to: str = ""

    def __post_init__(self) -> None:
        """Raise UsageError for a number below 1."""
        if self.steps < 1:
            raise UsageError(f"a rollback needs at least 1 step, not {self.steps}", state="Nothing was changed.")


Goal = MigrateGoal | RollbackGoal


@dataclass(frozen=True, slots=True)
class Choice:
    """The versions of a goal, in the order in which they will run, and the findings."""

    action: str
    versions: tuple[str, ...]
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class Source:
    """The text that a step runs, the file's name to show, and the down text and the checksum for the ledger."""

    shown: str
    text: str
    checksum: str = ""
    down_text: str | None = None


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
    """Return the versions of a goal; raises UsageError for an unknown version."""
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
            f"is partly rolled back: {attempt.segments_done} of {attempt.segments_total} segments of its down file are committed",
            refuses=True,
            hint="Finish it first: inv db.rollback",
        )
        for version, attempt in ledger.attempts.items()
        if attempt.action == "rollback" and attempt.interrupted and version in ledger.checksums
    ]
    return Choice("migrate", tuple(pending), tuple(findings))


def find_differences(migrations: Migrations, ledger: Ledger) -> list[Finding]:
    """Return findings for the applied versions whose file is edited or missing."""
    findings = []
    for version, recorded in ledger.checksums.items():
        checksum = migrations.checksums.get(version)
        if checksum is None:
            findings.append(Finding("missing", version, _MISSING, hint=_MISSING_HINT))
        elif recorded is not None and checksum != recorded:
            findings.append(
                Finding(
                    "edited",
                    version,
                    "differs from the text that was applied",
                    refuses=True,
                    hint="Restore the file and make a new migration for the change (inv db.new NAME),\n"
                    "or record the new text as the applied one: inv db.repair",
                )
            )
    return findings


def plan(choice: Choice, sources: Mapping[str, Source], attempts: Mapping[str, Attempt]) -> Plan:
    """Return the plan of a choice, made from the texts; raises ScriptError for a text that cannot be run."""
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
    """Return a step that resumes where an attempt of the same action stopped; add a finding if the file no longer allows it."""
    if attempt is None or attempt.action != step.action:
        return replace(step, done=0, resumed=False, unsure=False)
    done = attempt.segments_done
    if checksum_segments(step.script, done) != attempt.segments_checksum:
        findings.append(_describe_changed(step.version, attempt, step.source.shown))
    return replace(step, done=done, resumed=attempt.interrupted, unsure=attempt.unsure)


def replan(plan: Plan, ledger: Ledger) -> Plan:
    """Return a plan that fits the current ledger: without the steps that another run did, and resuming where it stopped."""
    if plan.action not in ("migrate", "rollback"):
        return plan
    undoing = plan.action == "rollback"
    findings = list(plan.findings)
    steps: list[Step] = []
    for step in plan.steps:
        recorded = ledger.checksums.get(step.version)
        if (step.version in ledger.checksums) == undoing:
            steps.append(_resume(step, ledger.attempts.get(step.version), findings))
        elif not undoing and recorded != step.source.checksum:
            findings.append(_describe_overtaken(step.version))
    return Plan(plan.action, tuple(steps), tuple(findings))


def checksum_segments(script: Script, count: int) -> str:
    """Return a checksum over the first `count` segments; empty for none, or if the script has fewer."""
    if not 0 < count <= len(script.segments):
        return ""
    digest = hashlib.sha256()
    for segment in script.segments[:count]:
        digest.update(segment.checksum.encode())
    return digest.hexdigest()


def find_version(name: str, versions: Iterable[str]) -> str:
    """Return the version that an argument means: a version, its timestamp, or the beginning of one; raises UsageError."""
    wanted = name.removesuffix(".sql")
    known = list(versions)
    if wanted in known:
        return wanted
    found = [version for version in known if version.startswith(wanted)] if wanted else []
    if len(found) == 1:
        return found[0]
    if found:
        raise UsageError(
            f"{name} matches {len(found)} versions: {', '.join(found[:5])}{', …' if len(found) > 5 else ''}",
            hint="Write more digits.",
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
    """Return the steps for the report."""
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
            f"is partly applied: {attempt.segments_done} of {attempt.segments_total} segments are committed",
            refuses=True,
            hint="Finish it first: inv db.migrate; or revert it manually, then clear the attempt: inv db.repair",
        )
        for version, attempt in ledger.attempts.items()
        if attempt.action == "migrate" and attempt.interrupted and version not in ledger.checksums
    ]
    return Choice("rollback", tuple(chosen), tuple(findings))


def _refuse_unknown_file(version: str, migrations: Migrations) -> None:
    if version not in migrations.checksums:
        raise UsageError(
            f"there is no migration file {version}.sql",
            hint=f"Use the name of a file in {migrations.up_path(version).parent}.",
            state="Nothing was changed.",
        )


def _describe_late(version: str, newest: str, strict: bool) -> Finding:
    return Finding(
        "late",
        version,
        f"is older than {newest}, which is already applied{'' if strict else _RUNS_ANYWAY}",
        refuses=strict,
        hint="Rename it to a later timestamp, or run without --strict." if strict else "",
    )


def _describe_overtaken(version: str) -> Finding:
    return Finding(
        "edited",
        version,
        "was just applied by another run, with a different text from the one in this checkout",
        refuses=True,
        hint="Pull, then check: inv db.status",
    )


def _describe_changed(version: str, attempt: Attempt, shown: str) -> Finding:
    return Finding(
        "interrupted",
        version,
        f"has {attempt.segments_done} of its {attempt.segments_total} segments committed, but {shown} no longer begins with them",
        refuses=True,
        hint="Restore the committed statements (those after them may change), then run again;\n"
        "or revert them manually, then clear the attempt: inv db.repair",
    )


def _refuse_irreversible(action: str, version: str, source: Source, script: Script) -> None:
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
