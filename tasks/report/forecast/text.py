"""A forecast as lines of text: its sum, the worst statements first, what is not known, and the timeline."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from tasks.console.cells import clean, clean_lines, cut
from tasks.console.formatters import format_error, register_formatters
from tasks.console.lines import INDENT, Line, Role, Style, count, format_duration, format_place, format_seconds, hang
from tasks.forecast.events import ForecastFailed, ForecastStarted, StatementForecast
from tasks.forecast.ranking import VERDICTS
from tasks.report.annotations import Annotation, find_file
from tasks.report.forecast.collecting import CompleteForecast
from tasks.report.forecast.picture import draw_timeline
from tasks.report.forecast.words import (
    describe_kept_out,
    describe_verdict,
    format_bytes,
    format_range,
    format_rows,
    name_relations,
)
from tasks.report.verification import warn_of_version
from tasks.runner.events.numbers import OpenTransaction, RelationLock

_MAJOR = 10000
_SIGNS: dict[str, tuple[str, Role]] = {
    "loses_rows": ("❌ ", "bad"),
    "blocks_all": ("❌ ", "bad"),
    "blocks_writes": ("⚠️  ", "warn"),
    "brief": ("⏳ ", "plain"),
    "harmless": ("✅ ", "good"),
}
_COUNTED = {
    "loses_rows": ("loses rows", "lose rows"),
    "blocks_all": ("blocks everything", "block everything"),
    "blocks_writes": ("blocks writes", "block writes"),
    "brief": ("brief", "brief"),
    "harmless": ("harmless", "harmless"),
}
"""The verdicts after the number of statements, for one and for several."""
_WEAK = frozenset({"AccessShareLock", "RowShareLock", "RowExclusiveLock"})
"""The locks that keep no query out."""
_MOST_PLACES = 3
_LEAST_DISK = 1_000_000
"""Less disk than this is not worth a line."""


def register_messages() -> None:
    """Register the formatters for forecasts."""
    register_formatters({ForecastStarted: _format_start, CompleteForecast: format_forecast})


def format_forecast(event: CompleteForecast, style: Style) -> list[Line]:
    """Return the lines of a forecast."""
    lines = [*summarize(event), *_list_statements(event, style)]
    for failure in event.failures:
        lines += list_failure(failure, style)
    lines += _show_not_known(event)
    return [*lines, *draw_timeline(event, style.width)]


def _format_start(event: ForecastStarted, _style: Style) -> list[Line]:
    text = f"Forecasting {event.count} of {count(event.total, 'migration')} ({clean(event.reason)})"
    if not event.count:
        return []
    lines = [Line(f"{text} on a scratch PostgreSQL {event.server_version // _MAJOR} server", "dim")]
    if event.without:
        lines.append(Line(f"Without {clean(', '.join(event.without))}: statements that need it have no forecast", "warn"))
    return [*lines, *warn_of_version(event)]


def summarize(event: CompleteForecast) -> Iterator[Line]:
    """Yield the lines of the sum: how many statements have which verdict, and the disk that they need."""
    finished = event.finished
    time = format_duration(finished.duration_ms)
    if not event.started.count:
        yield Line(f"✅ Nothing to forecast: no migration is pending{_in(event.started.environment)}", "good")
        return
    found = [f"{number:,} {_COUNTED[verdict][number > 1]}" for verdict in VERDICTS if (number := finished.verdicts.get(verdict))]
    found += [f"{count(finished.found, 'file')} failed on scratch"] if finished.found else []
    worst = event.ranked[0].verdict if event.ranked else "harmless"
    head = f"{count(finished.statements, 'statement')} in {count(finished.count, 'file')}"
    sign, role = _SIGNS["blocks_all"] if finished.found else _SIGNS.get(worst, ("", "plain"))
    yield Line(f"{sign}{head}: {', '.join(found) or 'nothing to do'} ({time})", role)
    if (finished.disk_bytes or 0) >= _LEAST_DISK:
        yield from _describe_disk(event)


def _in(environment: str) -> str:
    return f" in {clean(environment)}" if environment else ""


def _describe_disk(event: CompleteForecast) -> Iterator[Line]:
    needed, free = event.finished.disk_bytes or 0, event.finished.free_bytes
    if free is None:
        text = f"one statement needs {format_bytes(needed)} of disk while it runs; how much is free is not known"
        yield Line(f"{INDENT}Disk: {text}", "dim")
    else:
        text = f"one statement needs {format_bytes(needed)} while it runs, {format_bytes(free)} are free"
        yield Line(f"{INDENT}Disk: {text}", "bad" if needed >= free else "dim")


def _list_statements(event: CompleteForecast, style: Style) -> Iterator[Line]:
    """Yield the statements, the worst first; harmless ones are only counted, unless the output is verbose."""
    for statement in event.ranked:
        if statement.verdict != "harmless" or style.verbose:
            yield Line("")
            yield from format_statement(event, statement, style)


def format_statement(event: CompleteForecast, statement: StatementForecast, style: Style) -> list[Line]:
    """Return the lines of one statement: verdict and place, its text, what waits and until when, its work, who is in the way."""
    lines = [format_verdict(statement), *_show_text(statement, style)]
    lines += [Line(INDENT + text) for text in describe_locks(event, statement, verbose=style.verbose)]
    lines += [Line(INDENT + text) for text in describe_work(event, statement)]
    lines += [Line(INDENT + text, "warn") for text in describe_blockers(event, statement)]
    if statement.source == "known":
        lines.append(Line(f"{INDENT}not observed: its locks are those that the manual documents", "dim"))
    return lines


def format_verdict(statement: StatementForecast) -> Line:
    """Return the line with the verdict and the place of a statement."""
    sign, role = _SIGNS.get(statement.verdict, ("", "plain"))
    return Line(f"{sign}{describe_verdict(statement)}: {format_place(statement.version, statement.line)}", role)


def _show_text(statement: StatementForecast, style: Style) -> list[Line]:
    """Return the text of a statement on one line, as much as fits; all of it if the output is verbose."""
    if style.verbose:
        return [Line(INDENT + line, "sql") for line in clean_lines(statement.statement)]
    text = clean(" ".join(statement.statement.split()))
    return [Line(INDENT + cut(text, max(style.width - len(INDENT), 1)), "code")]


def describe_locks(event: CompleteForecast, statement: StatementForecast, *, verbose: bool = False) -> Iterator[str]:
    """Yield a text for each set of relations with the same lock: what has to wait, and to which line."""
    modes = {lock.relation: lock.mode for lock in statement.locks}
    groups: dict[tuple[str, str], list[str]] = {}
    for relation, kept in statement.keeps_out.items():
        if kept:
            groups.setdefault((describe_kept_out(kept), modes.get(relation, "")), []).append(relation)
    until = _describe_end(statement)
    for (kept_out, mode), relations in groups.items():
        lock = f" ({mode})" if mode else ""
        yield f"{name_relations(relations, event.parents)}: {kept_out} wait{until}{lock}"
    if statement.briefly:
        locks = (f"{mode} on {_name_locked(event, statement.briefly, mode)}" for mode in _list_modes(statement.briefly))
        yield f"for a moment: {'; '.join(locks)}"
    others = [lock for lock in statement.locks if not statement.keeps_out.get(lock.relation)]
    for mode in _list_modes(others):
        if verbose or mode not in _WEAK:
            yield f"{_name_locked(event, others, mode)}: {clean(mode)}{until}"


def _list_modes(locks: Iterable[RelationLock]) -> list[str]:
    return list(dict.fromkeys(lock.mode for lock in locks))


def _name_locked(event: CompleteForecast, locks: Iterable[RelationLock], mode: str) -> str:
    return name_relations([lock.relation for lock in locks if lock.mode == mode], event.parents)


def _describe_end(statement: StatementForecast) -> str:
    if not statement.transactional or statement.held_to is None:
        return " while it runs"
    return " until its end" if statement.held_to == statement.line else f" until the end of line {statement.held_to}"


def describe_work(event: CompleteForecast, statement: StatementForecast) -> Iterator[str]:
    """Yield what a statement rewrites and scans, with sizes; how long it runs; and the disk that it needs."""
    parts = [
        f"{verb} {_measure(event, names)}"
        for verb, names in (("rewrites", statement.rewrites), ("scans", statement.scans))
        if names
    ]
    if statement.seconds and (parts or statement.blocked_seconds != statement.seconds):
        parts.append(f"runs for {format_range(statement.seconds)}")
    if statement.disk_bytes is not None and statement.disk_bytes >= _LEAST_DISK:
        free = event.finished.free_bytes
        beside = "" if free is None else f" ({format_bytes(free)} are free)"
        parts.append(f"needs {format_bytes(statement.disk_bytes)} of disk{beside}")
    if parts:
        yield "; ".join(parts)


def _measure(event: CompleteForecast, names: Sequence[str]) -> str:
    """Return the names of relations with the sum of their sizes, as far as it is known."""
    # The size of a table includes its indexes.
    facts = [event.facts[name] for name in names if name in event.facts and event.facts[name].index_of not in names]
    sizes = [each.bytes for each in facts if each.bytes is not None]
    rows = [each.rows for each in facts if each.rows is not None]
    known = [*([format_bytes(sum(sizes))] if sizes else []), *([format_rows(sum(rows))] if rows else [])]
    return name_relations(names, event.parents) + (f" ({', '.join(known)})" if known else "")


def describe_blockers(event: CompleteForecast, statement: StatementForecast) -> Iterator[str]:
    """Yield for what a statement has to wait: older transactions, and the sessions that are in the way now."""
    if statement.needs_old_transactions_to_end:
        yield "it can finish only when all transactions that are older have ended"
    if statement.waits_for:
        who = "; ".join(_describe_session(pid, event.sessions.get(pid)) for pid in statement.waits_for)
        yield f"in the way now: {who}"


def _describe_session(pid: int, session: OpenTransaction | None) -> str:
    if session is None:
        return f"pid {pid}"
    age = f"transaction open for {format_seconds(round(session.age_s))}" if session.age_s >= 0 else ""
    facts = ", ".join(filter(None, (clean(session.application), clean(session.user), clean(session.state), age)))
    return f"pid {pid} ({facts})" if facts else f"pid {pid}"


def list_failure(failure: ForecastFailed, style: Style) -> list[Line]:
    """Return the lines for a migration that fails on scratch, with the error."""
    after = f"; {count(failure.left_out, 'file')} after it are not forecast" if failure.left_out else ""
    after = after.replace("1 file after it are", "1 file after it is")
    lines = [Line(""), Line(f"❌ {clean(failure.version)} fails on scratch{after}", "bad")]
    return [*lines, *(Line(INDENT + line.text, line.role) for line in format_error(failure.error, style))]


def list_not_known(event: CompleteForecast) -> Iterator[str]:
    """Yield what is not known, each reason once, with the first of the statements that it concerns."""
    for text, statements in event.not_known.items():
        places = list(dict.fromkeys(format_place(each.version, each.line) for each in statements))
        more = f" and {len(places) - _MOST_PLACES} more" if len(places) > _MOST_PLACES else ""
        yield f"{text} ({', '.join(places[:_MOST_PLACES])}{more})" if places else text


def _show_not_known(event: CompleteForecast) -> Iterator[Line]:
    texts = list(list_not_known(event)) if event.started.count else []
    if texts:
        yield from (Line(""), Line("Not known:", "head"))
        for text in texts:
            yield from hang(f"{INDENT}- ", text, "dim")


def annotate(event: StatementForecast | ForecastFailed, folder: Path) -> Iterable[Annotation]:
    """Yield the annotation for a statement that blocks or loses rows, and for a file that fails."""
    if isinstance(event, ForecastFailed):
        path = find_file(folder, event.version)
        line = event.error.line if path and Path(event.error.file).name == path.name else 0
        yield Annotation("error", "db.plan", f"fails on scratch\n{event.error.message}", path, line)
    elif event.verdict not in {"harmless", "brief"}:
        yield Annotation("warning", "db.plan", describe_verdict(event), find_file(folder, event.version), event.line)
