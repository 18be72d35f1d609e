"""Lines with a role, and the formats of counts, times and sessions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from tasks.console.cells import clean, clean_lines, first_line
from tasks.runner.command_lines import compose_command

if TYPE_CHECKING:
    from tasks.runner.events import ActiveRun, IndexAdvanced, Session, StatusRow

Role = Literal["plain", "good", "bad", "warn", "dim", "head", "code", "caret", "added", "removed", "sql"]

INDENT = "   "
_SECOND_MS = 1000
_MINUTE_S, _HOUR_S = 60, 3600
_MOMENT = len("2025-01-01T00:00:00")


class Line(NamedTuple):
    """A line of text; a terminal colours it by its role."""

    text: str
    role: Role = "plain"


class Style(NamedTuple):
    """How events are printed: how verbose, how wide in cells, and the noun for the files."""

    verbose: bool = False
    width: int = 100
    what: str = "migration"


def count(number: int, noun: str) -> str:
    """Return a number with its noun in the singular or plural."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def format_duration(milliseconds: float) -> str:
    """Return a duration as text, less precise the longer it is: milliseconds below a second, else as seconds are shown."""
    if round(milliseconds) < _SECOND_MS:
        return f"{milliseconds:.0f} ms"
    return format_seconds(milliseconds / _SECOND_MS)


def format_seconds(seconds: float) -> str:
    """Return seconds as text, with minutes and hours if there are any."""
    if seconds < _MINUTE_S:
        return f"{seconds:.1f}".removesuffix(".0") + " s"
    whole = round(seconds)
    if whole < _HOUR_S:
        return f"{whole // _MINUTE_S} min {whole % _MINUTE_S} s"
    return f"{whole // _HOUR_S} h {whole % _HOUR_S // _MINUTE_S} min"


def format_time(moment: str) -> str:
    """Return an ISO 8601 time as text, to the second. Times in events are UTC."""
    return clean(moment)[:_MOMENT].replace("T", " ")


def format_database(environment: str, database: str) -> str:
    """Return the name of a database, with its environment if that is known."""
    return f"{clean(database)} ({clean(environment)})" if environment else clean(database)


def format_place(version: str, line: int) -> str:
    """Return the file and line of a statement; without a version, the text refers to the run."""
    if not version:
        return "The run"
    return f"{clean(version)}.sql:{line}" if line else f"{clean(version)}.sql"


def format_progress(event: IndexAdvanced) -> str:
    """Return the progress of an index build; the percentage restarts in each phase."""
    percent = "" if event.percent < 0 else f", {event.percent} %"
    return f"index build: {clean(event.phase).removeprefix('building index: ')}{percent}"


def format_session(session: Session, *, query: bool = True) -> str:
    """Return a description of a session: process id, user, application, state and query."""
    since = f" since {format_time(session.since)} UTC" if session.since else ""
    client = f"from {clean(session.client)}" if session.client not in {"", "local"} else ""
    facts = [clean(session.user), clean(session.application), client, f"{clean(session.state)}{since}".strip()]
    known = ", ".join(fact for fact in facts if fact)
    text = f"pid {session.pid} ({known})" if known else f"pid {session.pid}"
    return f"{text}: {first_line(session.query)}" if query and session.query.strip() else text


def describe_active_run(run: ActiveRun) -> str:
    """Return what a run does, who started it, and since when."""
    by = f"{clean(run.actor)}@{clean(run.host)}" if run.host else clean(run.actor)
    at = f", at {clean(run.version)}" if run.version else ""
    what = f"{clean(run.action)} by {by}" if run.action else f"of role {by}"
    return f"{what} since {format_time(run.since)} UTC{at}"


def format_active_run(run: ActiveRun, environment: str = "", *, several: bool = False) -> list[Line]:
    """Return the lines for a run in progress, with its statement; in which environment, if there are `several`."""
    where = f" in {clean(environment)}" if several else ""
    head = f"⏳ A run is in progress{where}: {describe_active_run(run)}"
    if not run.run_id:
        since = f" since {format_time(run.since)} UTC" if run.since else ""
        who = f"pid {run.pid} of role {clean(run.actor) or 'unknown'}{since}"
        head = f"⏳ A session that is not a run of this tool has the lock of runs{where}: {who}"
    lines = [Line(head, "warn")]
    if run.statement:
        lines.append(Line(f"{INDENT}Runs since {format_time(run.statement_since)} UTC: {clean(run.statement)}", "warn"))
    if run.blocked_by:
        pids = ", ".join(f"pid {pid}" if pid else "a prepared transaction" for pid in run.blocked_by)
        lines.append(Line(f"{INDENT}Waits for {pids}: see {compose_command('db.blockers', env=environment)}", "warn"))
    return lines


def describe_state(row: StatusRow) -> str:
    """Return the state of a version for people; of an applied one, that its rollback failed."""
    if row.failed and row.state not in {"interrupted", "failed"}:
        return "rollback failed" if row.applied_at or row.state == "applied" else "failed"
    return clean(row.state)


def hang(first: str, text: str, role: Role = "plain") -> list[Line]:
    """Return a text of several lines with a hanging indent below `first`."""
    head, *rest = clean_lines(text) or [""]
    indent = " " * len(first) if first.startswith(" ") else INDENT
    return [Line(first + head, role), *(Line(indent + line if line else "", role) for line in rest)]


def format_diff(diff: str, limit: int | None = None) -> list[Line]:
    """Return an indented diff; beyond the limit, only the number of lines left out."""
    lines = clean_lines(diff)
    shown = lines if limit is None else lines[:limit]
    roles: dict[str, Role] = {"+": "added", "-": "removed", "@": "dim"}
    written = [Line(f"{INDENT}  {line}", roles.get(line[:1], "plain")) for line in shown]
    rest = len(lines) - len(shown)
    return [*written, Line(f"{INDENT}  … {count(rest, 'more line')} (--verbose shows all)", "dim")] if rest else written
