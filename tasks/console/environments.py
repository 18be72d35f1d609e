"""The words for environments: what is known of them, what they lack, side by side, and how a run there ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tasks.console.cells import clean, clean_lines
from tasks.console.lines import INDENT, Line, Role, Style, count, hang, write_moment

if TYPE_CHECKING:
    from tasks.runner.events import (
        ConnectionLost,
        EnvironmentKnown,
        EnvironmentsListed,
        OutcomeRead,
        ProbeRead,
        StatusesRead,
        StatusRow,
    )

ENVIRONMENT_COLUMNS = ("environment", "reached", "guarded", "alerts")
DAY, MINUTE = len("2025-01-01"), len("2025-01-01 00:00")
"""How much of a moment is written."""

_RUN_ID = 8
_BAD = frozenset({"failed", "edited", "missing", "interrupted", "unreached"})
_OPEN = frozenset({"pending", "late"})
_OUTCOMES = {
    "finished": "✅ The run {run} had finished over there: {steps}",
    "failed": "❌ The run {run} had failed over there, after {steps}",
    "running": "⏳ The run {run} goes on over there; waiting for its end ({steps} so far)",
    "died": "❌ The run {run} died over there, after {steps}",
    "unknown": "❌ The log knows nothing of the run {run}",
}


def say_environments(event: EnvironmentsListed, _style: Style) -> list[Line]:
    """List the environments with what is known of each."""
    from tasks.console.tables import align

    head, *body = align([ENVIRONMENT_COLUMNS, *map(write_environment_row, event.environments)])
    return [Line(head, "head"), *map(Line, body)]


def write_environment_row(known: EnvironmentKnown) -> tuple[str, ...]:
    """Give the cells of an environment's row, in the order of ENVIRONMENT_COLUMNS."""
    alerts = f"to {known.alerts} address{'es' if known.alerts > 1 else ''}" if known.alerts else ""
    return clean(known.name), clean(known.reached), "guarded" if known.guarded else "", alerts


def say_probe(event: ProbeRead, _style: Style) -> list[Line]:
    """Say of each check whether it passed, and what to do where it did not."""
    lines: list[Line] = []
    for check in event.checks:
        first, *rest = clean_lines(check.found) or [""]
        lines.append(Line(f"{'✅' if check.passed else '❌'} {clean(check.name)}: {first}", "good" if check.passed else "bad"))
        lines += [Line(f"{INDENT}{text}") for text in rest]
        lines += hang(INDENT if check.passed else f"{INDENT}Next:  ", check.hint) if check.hint.strip() else []
    return lines


def say_statuses(event: StatusesRead, _style: Style) -> list[Line]:
    """Show a row for each migration and a column for each environment."""
    from tasks.console.tables import align

    lines = say_side_by_side(event)
    rows = order_rows(event)
    if rows:
        heads = ("version", *(clean(column.environment) for column in event.environments))
        written = [(clean(version), *(write_cell(cell) for cell in cells)) for version, cells in rows]
        head, *body = align([heads, *written])
        roles = (_choose_role(cells) for _, cells in rows)
        lines += [Line(""), Line(head, "head"), *(Line(text, role) for text, role in zip(body, roles, strict=True))]
    unreached = say_unreached(event)
    return [*lines, Line(""), *unreached] if unreached else lines


def say_side_by_side(event: StatusesRead) -> list[Line]:
    """Say what the table below is about."""
    shown = len(order_rows(event))
    versions = count(event.total, "version") if shown == event.total else f"the newest {shown} of {count(event.total, 'version')}"
    names = ", ".join(clean(column.environment) for column in event.environments)
    return [Line(f"{names}: {versions}; times are UTC", "head")]


def say_unreached(event: StatusesRead) -> list[Line]:
    """Say of each environment that could not be reached why, and what to do; and which have drifted."""
    lines: list[Line] = []
    for column in event.environments:
        if column.drifted:
            name = clean(column.environment)
            lines += hang(f"⚠️  {name} has drifted: ", f"inv db.drift --env={name} shows what somebody changed by hand", "warn")
        if column.error:
            lines += hang(f"❌ {clean(column.environment)} was not reached: ", column.error, "bad")
            lines += hang(f"{INDENT}Next:  ", column.hint) if column.hint.strip() else []
    return lines


@dataclass(frozen=True, slots=True)
class Cell:
    """Hold what one environment says of one version: a kind, and the row where there is one.

    `kind` is a state, or failed (the last try did), none (it does not know the version), or unreached.
    """

    kind: str
    row: StatusRow | None = None


def order_rows(event: StatusesRead) -> tuple[tuple[str, tuple[Cell, ...]], ...]:
    """Give a row for each version, oldest first, with what each environment says of it."""
    columns = [{row.version: row for row in column.rows} for column in event.environments]
    versions = sorted({version for column in columns for version in column})
    reached = [not column.error for column in event.environments]
    return tuple(
        (version, tuple(_make_cell(column.get(version), is_there) for column, is_there in zip(columns, reached, strict=True)))
        for version in versions
    )


def write_cell(cell: Cell, length: int = MINUTE) -> str:
    """Write what one environment says of one version: when it was applied (so much of the moment), or its state."""
    row = cell.row
    if row is None:
        return "not reached" if cell.kind == "unreached" else "-"
    if cell.kind == "applied":
        return write_moment(row.applied_at)[:length] or "applied"
    return "rollback failed" if cell.kind == "failed" and row.state == "applied" else clean(cell.kind)


def _make_cell(row: StatusRow | None, is_there: bool) -> Cell:
    if row is None:
        return Cell("none" if is_there else "unreached")
    return Cell("failed" if row.failed else row.state, row)


def say_lost(event: ConnectionLost, _style: Style) -> list[Line]:
    """Say that the connection broke, and what is done about it."""
    run = clean(event.run_id)[:_RUN_ID]
    return [Line(f"⚠️  The connection broke ({clean(event.reason)}). Asking the log how the run {run} ended.", "warn")]


def say_outcome(event: OutcomeRead, _style: Style) -> list[Line]:
    """Say how a run ended whose connection had broken."""
    text = _OUTCOMES.get(event.outcome, "The run {run}: " + clean(event.outcome))
    line = text.format(run=clean(event.run_id)[:_RUN_ID], steps=count(len(event.steps), "migration"))
    role: Role = "good" if event.outcome == "finished" else "warn" if event.outcome == "running" else "bad"
    return [Line(line, role), *(Line(f"{INDENT}✅ {clean(version)}") for version in event.steps)]


def _choose_role(cells: tuple[Cell, ...]) -> Role:
    kinds = {cell.kind for cell in cells}
    return "bad" if kinds & _BAD else "warn" if kinds & _OPEN else "plain"
