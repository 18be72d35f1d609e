"""What the words are made of: lines with a role, and how amounts, moments and sessions are written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from tasks.console.cells import clean, clean_lines, first_line

if TYPE_CHECKING:
    from tasks.runner.events import IndexAdvanced, Session

Role = Literal["plain", "good", "bad", "warn", "dim", "head", "code", "caret", "added", "removed"]

INDENT = "   "
_SECOND_MS = 1000
_PLAIN_MS = 10_000
_MINUTE_S, _HOUR_S = 60, 3600
_MOMENT = len("2025-01-01T00:00:00")


@dataclass(frozen=True, slots=True)
class Line:
    """Hold a line of text; a terminal colours it by its role."""

    text: str
    role: Role = "plain"


@dataclass(frozen=True, slots=True)
class Style:
    """Say how to tell events: how much of them, in how many cells, and what the files are called."""

    verbose: bool = False
    width: int = 100
    what: str = "migration"


def count(number: int, noun: str) -> str:
    """Write an amount of things."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def write_duration(milliseconds: float) -> str:
    """Write a span of time, the coarser the longer it is."""
    seconds = milliseconds / _SECOND_MS
    if milliseconds < _PLAIN_MS:
        return f"{milliseconds:.0f} ms"
    return write_seconds(seconds)


def write_seconds(seconds: float) -> str:
    """Write seconds, with minutes and hours where there are some."""
    if seconds < _MINUTE_S:
        return f"{seconds:.1f}".removesuffix(".0") + " s"
    whole = round(seconds)
    if whole < _HOUR_S:
        return f"{whole // _MINUTE_S} min {whole % _MINUTE_S} s"
    return f"{whole // _HOUR_S} h {whole % _HOUR_S // _MINUTE_S} min"


def write_moment(moment: str) -> str:
    """Write an ISO 8601 moment for people, to the second; the events' moments are UTC."""
    return clean(moment)[:_MOMENT].replace("T", " ")


def write_database(environment: str, database: str) -> str:
    """Name a database, and which environment it is where that is known."""
    return f"{clean(database)} ({clean(environment)})" if environment else clean(database)


def write_spot(version: str, line: int) -> str:
    """Name the line of a version's file; without a version it is the run as a whole that is spoken of."""
    if not version:
        return "The run"
    return f"{clean(version)}.sql:{line}" if line else f"{clean(version)}.sql"


def write_progress(event: IndexAdvanced) -> str:
    """Tell how far an index build is; the server counts the percentage anew in each phase."""
    percent = "" if event.percent < 0 else f", {event.percent} %"
    return f"index build: {clean(event.phase).removeprefix('building index: ')}{percent}"


def write_session(session: Session, *, query: bool = True) -> str:
    """Name a session: its process, who it is, what it is doing."""
    since = f" since {write_moment(session.since)} UTC" if session.since else ""
    client = f"from {clean(session.client)}" if session.client not in {"", "local"} else ""
    facts = [clean(session.user), clean(session.application), client, f"{clean(session.state)}{since}".strip()]
    known = ", ".join(fact for fact in facts if fact)
    text = f"pid {session.pid} ({known})" if known else f"pid {session.pid}"
    return f"{text}: {first_line(session.query)}" if query and session.query.strip() else text


def hang(first: str, text: str, role: Role = "plain") -> list[Line]:
    """Write a text of several lines behind the words of its first one, the others below its beginning."""
    head, *rest = clean_lines(text) or [""]
    indent = " " * len(first) if first.startswith(" ") else INDENT
    return [Line(first + head, role), *(Line(indent + line if line else "", role) for line in rest)]


def write_diff(diff: str, limit: int | None = None) -> list[Line]:
    """Indent a diff; beyond the limit, say how much more there is."""
    lines = clean_lines(diff)
    shown = lines if limit is None else lines[:limit]
    roles: dict[str, Role] = {"+": "added", "-": "removed", "@": "dim"}
    written = [Line(f"{INDENT}  {line}", roles.get(line[:1], "plain")) for line in shown]
    rest = len(lines) - len(shown)
    return [*written, Line(f"{INDENT}  … {count(rest, 'more line')} (--verbose shows all)", "dim")] if rest else written
