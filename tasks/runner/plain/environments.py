"""The words for environments: what is known of them, what they lack, side by side, and how a run there ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tasks.runner.plain.cells import clean, clean_lines
from tasks.runner.plain.lines import INDENT, Line, Manner, Role, count, write_moment

if TYPE_CHECKING:
    from tasks.runner.events import (
        ConnectionLost,
        EnvironmentsListed,
        OutcomeRead,
        ProbeRead,
        StatusesRead,
        StatusRow,
    )

_RUN_ID = 8
_DAY = len("2025-01-01")
_OUTCOMES = {
    "finished": "✅ The run {run} had finished over there: {steps}",
    "failed": "❌ The run {run} had failed over there, after {steps}",
    "running": "⏳ The run {run} goes on over there; waiting for its end ({steps} so far)",
    "died": "❌ The run {run} died over there, after {steps}",
    "unknown": "❌ The log knows nothing of the run {run}",
}


def say_environments(event: EnvironmentsListed, _manner: Manner) -> list[Line]:
    """List the environments with what is known of each."""
    from tasks.runner.plain.tables import align

    rows = [("environment", "reached", "guarded", "alerts")]
    rows += [
        (clean(known.name), clean(known.reached), "guarded" if known.guarded else "", str(known.alerts or ""))
        for known in event.environments
    ]
    head, *body = align(rows)
    return [Line(head, "head"), *map(Line, body)]


def say_probe(event: ProbeRead, _manner: Manner) -> list[Line]:
    """Say of each check whether it passed, and what to do where it did not."""
    lines: list[Line] = []
    for check in event.checks:
        first, *rest = clean_lines(check.found) or [""]
        lines.append(Line(f"{'✅' if check.passed else '❌'} {clean(check.name)}: {first}", "good" if check.passed else "bad"))
        lines += [Line(f"{INDENT}{text}") for text in (*rest, *clean_lines(check.hint))]
    return lines


def say_statuses(event: StatusesRead, _manner: Manner) -> list[Line]:
    """Show a row for each migration and a column for each environment."""
    from tasks.runner.plain.tables import align

    heads = [clean(column.environment) for column in event.environments]
    rows: list[tuple[str, ...]] = [("version", *heads)]
    for version, cells in order_rows(event):
        written = (
            "not reached" if column.error else write_cell(row) for column, row in zip(event.environments, cells, strict=True)
        )
        rows.append((clean(version), *written))
    head, *body = align(rows)
    unreached = [
        Line(f"❌ {clean(column.environment)}: {'; '.join(clean_lines(column.error))}", "bad")
        for column in event.environments
        if column.error
    ]
    return [
        Line(head, "head"),
        *(Line(text, _choose_role(text)) for text in body),
        *([Line("")] if unreached else []),
        *unreached,
    ]


def order_rows(event: StatusesRead) -> tuple[tuple[str, tuple[StatusRow | None, ...]], ...]:
    """Give a row for each version, oldest first, with what each environment says of it."""
    columns = [{row.version: row for row in column.rows} for column in event.environments]
    versions = sorted({version for column in columns for version in column})
    return tuple((version, tuple(column.get(version) for column in columns)) for version in versions)


def write_cell(row: StatusRow | None) -> str:
    """Write what one environment says of one version: its state, and when it was applied."""
    if row is None:
        return "-"
    if row.failed:
        return "failed"
    return write_moment(row.applied_at)[:_DAY] if row.state == "applied" and row.applied_at else clean(row.state)


def say_lost(event: ConnectionLost, _manner: Manner) -> list[Line]:
    """Say that the connection broke, and what is done about it."""
    run = clean(event.run_id)[:_RUN_ID]
    return [Line(f"⚠️  The connection broke ({clean(event.reason)}). Asking the log how the run {run} ended.", "warn")]


def say_outcome(event: OutcomeRead, _manner: Manner) -> list[Line]:
    """Say how a run ended whose connection had broken."""
    text = _OUTCOMES.get(event.outcome, "The run {run}: " + clean(event.outcome))
    line = text.format(run=clean(event.run_id)[:_RUN_ID], steps=count(len(event.steps), "migration"))
    role: Role = "good" if event.outcome == "finished" else "warn" if event.outcome == "running" else "bad"
    return [Line(line, role), *(Line(f"{INDENT}✅ {clean(version)}") for version in event.steps)]


def _choose_role(text: str) -> Role:
    bad = ("failed", "edited", "missing", "interrupted")
    return "bad" if any(f" {word}" in text for word in bad) else "warn" if " pending" in text or " late" in text else "plain"
