"""The formatters of environments: settings, checks, side-by-side status, and the outcome of a remote run."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from tasks.console.cells import clean, clean_lines
from tasks.console.lines import INDENT, Line, count, describe_state, format_active_run, format_time, hang
from tasks.runner.command_lines import compose_command

if TYPE_CHECKING:
    from tasks.console.lines import Role, Style
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
"""How many characters of a time are written."""

_RUN_ID = 8
_BAD = frozenset({"failed", "edited", "missing", "interrupted", "unreached"})
_OPEN = frozenset({"pending", "late"})
_OUTCOMES = {
    "finished": "✅ Run {run} finished on the machine: {steps}",
    "failed": "❌ Run {run} failed on the machine, after {steps}",
    "running": "⏳ Run {run} is still running on the machine; waiting for its end ({steps} so far)",
    "died": "❌ Run {run} died on the machine, after {steps}",
    "unknown": "❌ The log has no entry of run {run}",
}


def format_environments(event: EnvironmentsListed, _style: Style) -> list[Line]:
    """Return the lines for the list of environments."""
    from tasks.console.tables import align

    head, *body = align([ENVIRONMENT_COLUMNS, *map(format_environment_row, event.environments)])
    return [Line(head, "head"), *map(Line, body)]


def format_environment_row(known: EnvironmentKnown) -> tuple[str, ...]:
    """Return the cells of an environment's row, in the order of ENVIRONMENT_COLUMNS."""
    alerts = f"to {known.alerts} address{'es' if known.alerts > 1 else ''}" if known.alerts else ""
    return clean(known.name), clean(known.reached), "guarded" if known.guarded else "", alerts


def format_probe(event: ProbeRead, _style: Style) -> list[Line]:
    """Return the lines for checks: whether each passed, and the next step if it did not."""
    lines: list[Line] = []
    for check in event.checks:
        first, *rest = clean_lines(check.found) or [""]
        role: Role
        sign, role = ("❌", "bad") if not check.passed else ("⚠️ ", "warn") if check.warning else ("✅", "good")
        lines.append(Line(f"{sign} {clean(check.name)}: {first}", role))
        lines += [Line(f"{INDENT}{text}") for text in rest]
        next_step = check.warning or not check.passed
        lines += hang(f"{INDENT}Next:  " if next_step else INDENT, check.hint) if check.hint.strip() else []
    return lines


def format_statuses(event: StatusesRead, _style: Style) -> list[Line]:
    """Return the lines for a table with a row for each migration and a column for each environment."""
    from tasks.console.tables import align

    lines = format_heading(event)
    rows = order_rows(event)
    if rows:
        heads = ("version", *(clean(column.environment) for column in event.environments))
        written = [(clean(version), *(format_cell(cell) for cell in cells)) for version, cells in rows]
        head, *body = align([heads, *written])
        roles = (_choose_role(cells) for _, cells in rows)
        lines += [Line(""), Line(head, "head"), *(Line(text, role) for text, role in zip(body, roles, strict=True))]
    unreached = format_below(event)
    return [*lines, Line(""), *unreached] if unreached else lines


def format_heading(event: StatusesRead) -> list[Line]:
    """Return the heading of the side-by-side table."""
    shown, versions = len(order_rows(event)), count(event.total, "version")
    if shown != event.total:
        versions = f"{shown} of {versions} (the newest, and all that are not applied)"
    names = ", ".join(clean(column.environment) for column in event.environments)
    return [Line(f"{names}: {versions}; times are UTC", "head")]


def format_below(event: StatusesRead) -> list[Line]:
    """Return the lines below the table: how many versions are in each state of each environment, notes, and what is wrong."""
    from tasks.console.tables import format_notes, summarize_states

    counted = [(column.environment, summarize_states(column.counts, column.rows)) for column in event.environments]
    lines = [Line(f"{clean(name)}: {states}") for name, states in counted if states]
    for column in event.environments:
        lines += format_notes(column.rows, column.environment)
        if column.run:
            lines += format_active_run(column.run, column.environment, several=True)
        if column.drifted:
            name = clean(column.environment)
            command = compose_command("db.drift", env=column.environment)
            lines += hang(f"⚠️  {name} has drifted: ", f"{command} shows what was changed outside the migrations", "warn")
        if column.unknown:
            lines += hang(f"⚠️  {clean(column.environment)}: ", column.unknown, "warn")
        if column.error:
            lines += hang(f"❌ {clean(column.environment)} could not be reached: ", column.error, "bad")
            lines += hang(f"{INDENT}Next:  ", column.hint) if column.hint.strip() else []
    return lines


class Cell(NamedTuple):
    """The state of one version in one environment, with its row if there is one.

    `kind` is a state, or failed (the last attempt failed), none (the version is unknown there), or unreached.
    """

    kind: str
    row: StatusRow | None = None


def order_rows(event: StatusesRead) -> tuple[tuple[str, tuple[Cell, ...]], ...]:
    """Return a row for each version, oldest first, with its state in each environment."""
    columns = [{row.version: row for row in column.rows} for column in event.environments]
    versions = sorted({version for column in columns for version in column})
    reached = [not column.error for column in event.environments]
    return tuple(
        (version, tuple(_make_cell(column.get(version), is_there) for column, is_there in zip(columns, reached, strict=True)))
        for version in versions
    )


def format_cell(cell: Cell, length: int = MINUTE) -> str:
    """Return the text of a cell: when the version was applied, cut to a length, or its state."""
    row = cell.row
    if row is None:
        return "not reached" if cell.kind == "unreached" else "-"
    if cell.kind == "applied":
        return format_time(row.applied_at)[:length] or "applied"
    return describe_state(row)


def _make_cell(row: StatusRow | None, is_there: bool) -> Cell:
    if row is None:
        return Cell("none" if is_there else "unreached")
    return Cell("failed" if row.failed and row.state != "interrupted" else row.state, row)


def format_lost(event: ConnectionLost, _style: Style) -> list[Line]:
    """Return the line for a lost connection."""
    run = clean(event.run_id)[:_RUN_ID]
    return [Line(f"⚠️  The connection was lost ({clean(event.reason)}). Reading the log for the outcome of run {run}.", "warn")]


def format_outcome(event: OutcomeRead, _style: Style) -> list[Line]:
    """Return the lines for the outcome of a run whose connection was lost."""
    text = _OUTCOMES.get(event.outcome, "Run {run}: " + clean(event.outcome))
    line = text.format(run=clean(event.run_id)[:_RUN_ID], steps=count(len(event.steps), "migration"))
    role: Role = "good" if event.outcome == "finished" else "warn" if event.outcome == "running" else "bad"
    return [Line(line, role), *(Line(f"{INDENT}✅ {clean(version)}") for version in event.steps)]


def _choose_role(cells: tuple[Cell, ...]) -> Role:
    kinds = {cell.kind for cell in cells}
    return "bad" if kinds & _BAD else "warn" if kinds & _OPEN else "plain"
