"""The formatter of every event: a pure function from an event to lines of text."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tasks.console.blockers import format_blockers, format_ended
from tasks.console.cells import clean, clean_lines, cut, first_line, point_at
from tasks.console.environments import format_environments, format_lost, format_outcome, format_probe, format_statuses
from tasks.console.lines import (
    INDENT,
    Line,
    Style,
    count,
    describe_active_run,
    format_database,
    format_duration,
    format_place,
    format_progress,
    format_seconds,
    format_session,
    hang,
)
from tasks.console.plans import format_plan, format_repair
from tasks.console.schema_files import format_checked, format_written
from tasks.console.sql_files import format_sql
from tasks.console.tables import format_history, format_status
from tasks.runner import events

_RUNNING = {
    "migrate": "Migrating",
    "rollback": "Rolling back",
    "seed": "Seeding",
    "repair": "Repairing",
    "load": "Loading",
    "adopt": "Recording",
    "redo": "Redoing",
    "mark": "Marking",
}
_DONE = {"rollback": "↩️  Rolled back", "seed": "🌱 Seeded", "repair": "🔧 Repaired"}
_IDLE = {
    "rollback": "✅ Nothing to roll back",
    "seed": "✅ Nothing to do: the seeds are up to date",
    "repair": "✅ Nothing to repair",
    "mark": "✅ Nothing to do: the ledger records that already",
}
_RUN_ID = 8
_SOURCE_CELLS = 20
_WARNINGS = {"WARNING", "ERROR", "FATAL", "PANIC"}

Formatter = Callable[[Any, Style], list[Line]]


def register_formatters(formatters: Mapping[type[events.Event], Formatter]) -> None:
    """Add the formatters for the events of a package that is imported only by the commands that need it."""
    FORMATTERS.update({event.kind: formatter for event, formatter in formatters.items()})


def format_event(event: events.Event, style: Style) -> list[Line]:
    """Return the lines for an event; none for an event that prints nothing."""
    formatter = FORMATTERS.get(event.kind)
    return formatter(event, style) if formatter else []


def _start_run(event: events.RunStarted, style: Style) -> list[Line]:
    verb = _RUNNING.get(event.action, f"{clean(event.action)}:")
    run = clean(event.run_id) if style.verbose else clean(event.run_id)[:_RUN_ID]
    where = format_database(event.environment, event.database)
    return [Line(f"{verb} {where}, run {run} by {clean(event.actor)}", "dim")]


def _find_files(event: events.FilesFound, _style: Style) -> list[Line]:
    return [Line(f"Found {count(event.count, f'{clean(event.what)} file')}")]


def _skip(event: events.Skipped, style: Style) -> list[Line]:
    if style.verbose:
        return [Line(f"⏭️  Skipping {clean(version)} (already applied)", "dim") for version in event.versions]
    if not event.versions:
        return []
    return [Line(f"⏭️  Skipping {count(len(event.versions), style.what)} (already applied)", "dim")]


def _await_lock(event: events.LockAwaited, _style: Style) -> list[Line]:
    time = f" for {format_seconds(event.seconds_s)}" if event.seconds_s >= 1 else ""
    if event.run:
        return [Line(f"⏳ Another run is in progress: {describe_active_run(event.run)}; waiting{time}", "warn")]
    holder = f": {format_session(event.holder, query=False)}" if event.holder else ""
    who = "A session that is not a run of this tool has the lock of runs" if event.stranger else "Another run has the lock"
    return [Line(f"⏳ {who}{holder}; waiting{time}", "warn")]


def _start_step(event: events.StepStarted, style: Style) -> list[Line]:
    place = f"{event.position}/{event.total}"
    if event.done:
        done = f"an earlier run completed {event.done} of {count(event.statements, 'statement')}"
        return [Line(f"⏩ Resuming {clean(event.version)}: {done}")]
    if style.verbose:
        text = f"▶️  {place} {clean(event.action)} {clean(event.version)} ({count(event.statements, 'statement')})"
        return [Line(text, "dim")]
    return []


def _start_statement(event: events.StatementStarted, style: Style) -> list[Line]:
    if not style.verbose:
        return []
    head = f"{INDENT}{event.number}/{event.total} line {event.line}: "
    return [Line(cut(head + first_line(event.text), style.width), "code")]


def _finish_statement(event: events.StatementFinished, style: Style) -> list[Line]:
    if not style.verbose:
        return []
    done = f"{INDENT}{event.number}/{event.total} line {event.line}: done ({format_duration(event.duration_ms)})"
    return [Line(done, "dim")]


def _wait(event: events.Waiting, _style: Style) -> list[Line]:
    spot, time = format_place(event.version, event.line), format_seconds(event.seconds_s)
    if not event.blockers:
        return [Line(f"⏳ {spot} has been running for {time}", "dim")]
    return _name_blockers(f"⏳ {spot} has waited {time} for ", event.blockers)


def _name_blockers(head: str, blockers: tuple[events.Session, ...]) -> list[Line]:
    if len(blockers) == 1:
        return [Line(head + format_session(blockers[0]), "warn")]
    indent = " " * (len(head) - len(head.lstrip())) + INDENT
    named = [Line(f"{indent}{format_session(blocker)}", "warn") for blocker in blockers]
    return [Line(f"{head}{count(len(blockers), 'session')}:", "warn"), *named]


def _advance_index(event: events.IndexAdvanced, _style: Style) -> list[Line]:
    return [Line(f"🔨 {format_place(event.version, event.line)} {format_progress(event)}", "dim")]


def _hold_back(event: events.HeldBack, _style: Style) -> list[Line]:
    """Return the lines for a transaction that is held back: who has which locks, and how long it waits at most."""
    on = f" with locks on {', '.join(map(clean, event.relations))}" if event.relations else ""
    spent = f"{format_seconds(event.seconds_s)} of at most {format_seconds(event.patience_s)}"
    place = format_place(event.version, event.line)
    several = f"{count(len(event.blockers), 'transaction')}{on} to end"
    lines = [
        Line(f"✋ {place} is held back ({spent}), so that no other session queues behind it: it waits for {several}", "warn")
    ]
    return [*lines, *(Line(f"{INDENT}{format_session(blocker)}", "warn") for blocker in event.blockers)]


def _retry(event: events.Retried, _style: Style) -> list[Line]:
    head = f"🔁 {format_place(event.version, event.line)} was rolled back (attempt {event.attempt} of {event.attempts}): "
    when = "when those that blocked it have ended" if event.holds_back else f"in {format_seconds(event.pause_s)}"
    again = f"{INDENT}The transaction is retried {when}"
    lines = [*hang(head, event.reason, "warn"), Line(again, "warn")]
    return [*lines, *_name_blockers(f"{INDENT}Blocked by ", event.blockers)] if event.blockers else lines


def format_repeated_retry(event: events.Retried) -> list[Line]:
    """Return the line for a retry with the same reason and the same blockers as the one before."""
    head = f"🔁 {format_place(event.version, event.line)} was rolled back again"
    when = "when those that blocked it have ended" if event.holds_back else f"in {format_seconds(event.pause_s)}"
    return [Line(f"{head} (attempt {event.attempt} of {event.attempts}); retried {when}", "warn")]


def _notice(event: events.NoticeRaised, _style: Style) -> list[Line]:
    severity = clean(event.severity)
    if severity in _WARNINGS:
        return hang(f"⚠️  {clean(event.version)}: {severity}: ", event.message, "warn")
    return hang(f"ℹ️  {clean(event.version)}: {severity}: ", event.message, "dim")


def _finish_step(event: events.StepFinished, _style: Style) -> list[Line]:
    done = _DONE.get(event.action, "✅ Applied")
    return [Line(f"{done} {clean(event.version)} ({format_duration(event.duration_ms)})", "good")]


def _fail_step(event: events.StepFailed, _style: Style) -> list[Line]:
    return hang(f"❌ Failed {clean(event.version)}: ", event.message, "bad")


def _write_adoption(event: events.AdoptionWritten, _style: Style) -> list[Line]:
    recorded = f"✅ Recorded {count(len(event.versions), 'migration')} as applied"
    lines = [Line(recorded if event.versions else "✅ Created an empty ledger: every migration is pending", "good")]
    if event.kept:
        lines.append(Line(f"{INDENT}The other tool's table is kept as {clean(event.kept)}", "dim"))
    return lines


def _finish_run(event: events.RunFinished, style: Style) -> list[Line]:
    if event.dry_run:
        return [Line("✅ Dry run: nothing was changed", "good")]
    if event.renamed and not event.steps:
        return [Line(f"✅ No migration to run; {count(event.renamed, 'row')} of the ledger renamed", "good")]
    if event.proposed and not event.steps:
        return [Line(f"✅ Nothing was changed: {count(event.proposed, 'change')} proposed, none confirmed", "good")]
    if not event.steps:
        return [Line(_IDLE.get(event.action, "✅ Nothing to do: the database is up to date"), "good")]
    closing = {
        "rollback": f"✅ Rolled back {count(event.steps, 'migration')}",
        "seed": "✅ All seeds completed!",
        "repair": f"✅ Repaired the ledger: {count(event.steps, 'change')}",
        "redo": "✅ Redone: the newest migration was rolled back and applied again"
        if event.steps > 1
        else "✅ Redone: the migration was applied again",
        "mark": "✅ Changed the ledger; no statement of a migration was run",
        "load": f"✅ Loaded the schema of {count(event.steps, 'migration')}",
    }
    lines = [Line(closing.get(event.action, "✅ All migrations completed!"), "good")]
    if style.verbose:
        lines.append(Line(f"{INDENT}{count(event.steps, 'step')} in {format_duration(event.duration_ms)}", "dim"))
    return lines


def _repair(event: events.RepairProposed, _style: Style) -> list[Line]:
    return format_repair(event)


def format_error(
    event: events.ErrorRaised, style: Style, *, announced: events.Event | None = None, printed: bool = False
) -> list[Line]:
    """Return the lines for an error, so that it is reported once.

    `announced` is the event before it, which may contain a part of it; `printed` means that the reader has seen that event.
    """
    sqlstate = f"({clean(event.sqlstate)})" if event.sqlstate else ""
    head, *rest = clean_lines(event.message) or ["unknown error"]
    failed = announced if isinstance(announced, events.StepFailed) and announces(announced, event) else None
    continues = failed is not None and printed
    if continues:
        lines = hang(INDENT, "\n".join(rest)) if rest else []
    elif printed and _is_refused(announced, event):
        lines = [Line("❌ Refused: see above", "bad")]
    else:
        sign = f"❌ Failed {clean(failed.version)}: " if failed else "❌ "
        lines = hang(sign, "\n".join([f"{head} {sqlstate}".rstrip(), *rest]), "bad")
    spot = ":".join([clean(event.file), *(str(part) for part in (event.line, event.column) if part)])
    place = f"{spot if event.file else ''} {sqlstate if continues else ''}".strip()
    lines += [Line(INDENT + place)] if place else []
    if event.source.strip():
        lines += _show_source(event, style)
    for label, text in (("State: ", event.state), ("Next:  ", event.hint)):
        lines += hang(INDENT + label, text) if text.strip() else []
    return lines


def announces(announced: events.Event | None, error: events.ErrorRaised) -> bool:
    """Return True if a failed step was announced with the first line of its error."""
    head = (clean_lines(error.message) or [""])[0]
    return isinstance(announced, events.StepFailed) and (clean_lines(announced.message) or [""])[0].startswith(head)


def _is_refused(announced: events.Event | None, error: events.ErrorRaised) -> bool:
    """Return True if an error only repeats the findings of a plan that refuse it."""
    if not isinstance(announced, events.PlanMade):
        return False
    refusals = [finding for finding in announced.findings if finding.refuses]
    return bool(refusals) and all(clean(finding.message) in clean(error.message) for finding in refusals)


def _show_source(event: events.ErrorRaised, style: Style) -> list[Line]:
    number = f"{event.line or '':>5} | "
    room = max(style.width - len(number), _SOURCE_CELLS)
    text = event.source.strip("\r\n").splitlines()[0]
    # Of a very long line, the source is only a part, in which the column is not known.
    source, caret = point_at(text, event.column if event.column <= len(text) + 1 else 0, room)
    lines = [Line(number + source, "code")]
    return [*lines, Line(f"{'| ':>{len(number)}}{caret}", "caret")] if caret else lines


FORMATTERS: dict[str, Formatter] = {
    "run_started": _start_run,
    "files_found": _find_files,
    "skipped": _skip,
    "plan_made": format_plan,
    "lock_awaited": _await_lock,
    "step_started": _start_step,
    "statement_started": _start_statement,
    "statement_finished": _finish_statement,
    "waiting": _wait,
    "index_advanced": _advance_index,
    "held_back": _hold_back,
    "retried": _retry,
    "notice_raised": _notice,
    "step_finished": _finish_step,
    "step_failed": _fail_step,
    "run_finished": _finish_run,
    "sql_written": format_sql,
    "schema_written": format_written,
    "schema_checked": format_checked,
    "adoption_written": _write_adoption,
    "status_read": format_status,
    "history_read": format_history,
    "blockers_read": format_blockers,
    "session_ended": format_ended,
    "repair_proposed": _repair,
    "environments_listed": format_environments,
    "probe_read": format_probe,
    "statuses_read": format_statuses,
    "connection_lost": format_lost,
    "outcome_read": format_outcome,
    "error_raised": format_error,
}
"""The formatters by the kinds of the events."""
