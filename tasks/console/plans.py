"""The formatters of plans: dry runs, findings, proposed changes of the ledger."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from tasks.console.cells import clean, clean_lines, cut, first_line
from tasks.console.lines import INDENT, Line, count, format_diff, hang

if TYPE_CHECKING:
    from tasks.console.lines import Role, Style
    from tasks.runner.events import Finding, PlanMade, PlannedStatement, PlannedStep, RepairProposed

_DIFF_LINES = 60
_HEADS = {"confirm": "The plan", "changed": "The plan now", "script": "The plan"}
_WOULD = {"rollback": ("migration", "rolled back"), "seed": ("seed", "run"), "redo": ("step", "run")}


def format_plan(event: PlanMade, style: Style) -> list[Line]:
    """Return the lines for the findings and, where the plan is to be checked, for every step and how to run exactly this plan."""
    lines = format_findings(event.findings, style, hints=event.dry_run)
    if (not event.dry_run and not event.purpose) or (event.purpose == "script" and not style.verbose):
        return lines
    head = _HEADS.get(event.purpose, "Dry run")
    if not event.steps:
        return [*lines, Line(f"{head}: nothing to do", "head")]
    noun, done = _WOULD.get(event.action, ("migration", "applied"))
    together = ", all in one transaction" if event.atomic else ""
    lines += [Line(f"{head}: {count(len(event.steps), noun)} would be {done}{together}", "head"), Line("")]
    mixed = len({step.action for step in event.steps}) > 1
    for number, step in enumerate(event.steps, 1):
        lines += [*_format_step(number, step, style, mixed=mixed), Line("")]
    if not event.plan_id or any(finding.refuses for finding in event.findings):
        return lines
    if event.purpose:
        return [*lines, Line(f"Plan {clean(event.plan_id)}", "dim")]
    flag = f"--plan={clean(event.plan_id)}"
    return [*lines, Line(f"To run exactly this plan: the same command with {flag} instead of --dry-run", "dim")]


def _format_step(number: int, step: PlannedStep, style: Style, *, mixed: bool) -> list[Line]:
    head = f"{number:>3}. "
    does = {"migrate": "apply ", "rollback": "roll back "}.get(step.action, "") if mixed else ""
    lines = [
        Line(f"{head}{does}{clean(step.version)}", "head"),
        Line(f"{' ' * len(head)}{clean(step.file)}, {_format_transactions(step)}", "dim"),
    ]
    by_segment: dict[int, list[PlannedStatement]] = defaultdict(list)
    for statement in step.statements:
        by_segment[statement.segment].append(statement)
    digits = max((len(str(statement.line)) for statement in step.statements), default=1)
    for segment, statements in sorted(by_segment.items()):
        if len(step.segments) > 1:
            lines.append(Line(f"{' ' * len(head)}{_format_segment(step, segment)}", "dim"))
        for each in statements:
            place = f"{' ' * len(head)}  line {each.line:>{digits}}"
            if style.verbose and each.sql:
                lines += _format_whole(place, each)
            else:
                lines.append(Line(cut(f"{place}  {first_line(each.text)}", style.width), "code"))
    if step.more:
        lines.append(Line(f"{' ' * len(head)}  and {count(step.more, 'more statement')}", "dim"))
    return lines


def _format_whole(place: str, statement: PlannedStatement) -> list[Line]:
    """Return the lines for a whole statement, which a terminal highlights."""
    code = clean_lines(statement.sql)
    if not code[-1].endswith(";"):
        code[-1] += ";"
    if statement.copied:
        code.append(f"-- {count(statement.copied, 'line')} of data")
    indent = " " * (len(place) - len(place.lstrip()) + 2)
    return [Line(place, "dim"), *(Line(f"{indent}{line}".rstrip(), "sql") for line in code)]


def _format_transactions(step: PlannedStep) -> str:
    if len(step.segments) > 1:
        done = f", {step.done} completed by an earlier run" if step.done else ""
        return f"{len(step.segments)} segments{done}"
    return "in one transaction" if all(step.segments) else "outside a transaction"


def _format_segment(step: PlannedStep, segment: int) -> str:
    style = "in one transaction" if step.segments[segment - 1] else "outside a transaction"
    done = " (completed by an earlier run, skipped)" if segment <= step.done else ""
    return f"segment {segment} of {len(step.segments)}, {style}{done}"


def format_findings(findings: tuple[Finding, ...], style: Style, *, hints: bool = True) -> list[Line]:
    """Return the lines for findings with their diffs; without `hints`, an error with the hints follows."""
    lines: list[Line] = []
    for finding in findings:
        lines += _format_finding(finding, style, hint=hints or not finding.refuses)
    return lines


def _format_finding(finding: Finding, style: Style, *, hint: bool) -> list[Line]:
    sign = "❌ " if finding.refuses else "⚠️  "
    role: Role = "bad" if finding.refuses else "warn"
    # The name of a file contains its version, but does not name the migration.
    named = not finding.version or finding.version in finding.message.replace(f"{finding.version}.sql", "")
    head = sign if named else f"{sign}{clean(finding.version)} ({clean(finding.kind)}): "
    lines = hang(head, finding.message, role)
    lines += format_diff(finding.diff, None if style.verbose else _DIFF_LINES)
    return [*lines, *hang(f"{INDENT}Next:  ", finding.hint)] if hint and finding.hint.strip() else lines


def format_repair(event: RepairProposed) -> list[Line]:
    """Return the lines for one proposed change of the ledger, with its complete diff."""
    head = f"🔧 {clean(event.version)}: {clean(event.change)}"
    lines = [Line(head, "head"), *(hang(INDENT, event.message) if event.message.strip() else [])]
    return [*lines, *format_diff(event.diff)]
