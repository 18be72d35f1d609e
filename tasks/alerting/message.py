"""What a message about a run in trouble says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from tasks.alerting.progress import LockWait, RunProgress
from tasks.console.cells import clean, clean_lines, cut
from tasks.console.lines import write_seconds, write_session
from tasks.runner.errors import ReportedError, RunnerError, describe_error
from tasks.runner.events import ErrorRaised
from tasks.runner.identity import Identity, read_revision
from tasks.runner.redaction import redact

if TYPE_CHECKING:
    from tasks.config.environments import Environment

Kind = Literal["failed", "waits", "trial"]

_TITLE_CELLS = 150
_STATEMENT_CELLS = 500
_ERROR_LINES = 20
_COMMIT = 12
_UNKNOWN_END = "What was done stands, what was open is rolled back."


@dataclass(frozen=True, slots=True)
class Alert:
    """Hold what a message says; nothing in it is a secret."""

    kind: Kind
    environment: str
    action: str
    actor: str
    commit: str
    run_id: str = ""
    version: str = ""
    statement: str = ""
    error: str = ""
    place: str = ""
    state: str = ""
    hint: str = ""


def describe_alert(alert: Alert) -> tuple[str, str]:
    """Write title and body of the message. Pure."""
    sign = {"failed": "❌", "waits": "⏳", "trial": "🔔"}[alert.kind]
    first = alert.error.partition("\n")[0]
    title = cut(f"{sign} {alert.environment}: {alert.action} {alert.kind}: {first}", _TITLE_CELLS)
    if alert.kind == "trial":
        title = f"{sign} {alert.environment}: a test message"
    rows = (
        ("Environment", alert.environment),
        ("Seed" if alert.action == "seed" else "Migration", alert.version),
        ("Statement", alert.statement),
        ("Waits" if alert.kind == "waits" else "Error", alert.error),
        ("Where", alert.place),
        ("State", alert.state),
        ("Next", alert.hint),
        ("Who", alert.actor),
        ("Commit", alert.commit),
        ("Run", alert.run_id),
    )
    return title, "\n".join(f"{name}: {_indent(text)}" for name, text in rows if text)


def describe_end(error: BaseException, progress: RunProgress, environment: Environment, action: str) -> Alert | None:
    """Say how a run ended that was stopped by an error; None for wrong usage and refusals.

    These changed nothing, and whoever typed the command has the answer before their eyes.
    """
    if isinstance(error, RunnerError) and error.exit_code != RunnerError.exit_code:
        return None
    told = _tell(error, progress, environment)
    place = ":".join(str(part) for part in (told.file, told.line, told.column) if part)
    return _build(
        "failed",
        environment,
        action,
        progress,
        error=f"{told.message} ({told.sqlstate})" if told.sqlstate else told.message,
        place=place,
        state=told.state,
        hint=told.hint,
    )


def describe_wait(progress: RunProgress, hold: LockWait, seconds_s: float, environment: Environment, action: str) -> Alert:
    """Say for whom a run has been waiting, and what may be done about it."""
    sessions = "\n".join(write_session(blocker) for blocker in hold.blockers)
    what = "a lock" if hold.statement else "another run"
    pids = "".join(f" SELECT pg_terminate_backend({blocker.pid});" for blocker in hold.blockers)
    hint = f"End what it waits for, if that may be:{pids}" if pids else "Find out what it waits for: pg_stat_activity"
    return _build(
        "waits",
        environment,
        action,
        progress,
        error="\n".join(filter(None, (f"for {what}, {write_seconds(round(seconds_s))} so far", sessions))),
        state="The run goes on waiting; nothing of what it has open counts yet.",
        hint=hint if hold.statement else f"Nothing, if that run is meant: inv db.history --env={environment.name}",
    )


def describe_test_message(environment: Environment) -> Alert:
    """Say that this is a trial."""
    return _build("trial", environment, "trial", RunProgress(), error="none, this is a trial", hint="Nothing.")


def _tell(error: BaseException, progress: RunProgress, environment: Environment) -> ErrorRaised:
    """Put what stopped a run into words, unless an event did so already."""
    hint = f"Look: inv db.status --env={environment.name} ; inv db.history --env={environment.name}"
    if isinstance(error, ReportedError):
        failed = RunnerError(error.message or f"the run ended with {error.exit_code}", state=_UNKNOWN_END, hint=hint)
        return progress.error or describe_error(failed, environment.settings.database_url)
    if isinstance(error, RunnerError):
        return describe_error(error, environment.settings.database_url)
    reason = "stopped at once" if isinstance(error, KeyboardInterrupt | GeneratorExit) else f"{type(error).__name__}: {error}"
    return describe_error(RunnerError(reason, state=_UNKNOWN_END, hint=hint), environment.settings.database_url)


def _build(
    kind: Kind,
    environment: Environment,
    action: str,
    progress: RunProgress,
    *,
    error: str = "",
    place: str = "",
    state: str = "",
    hint: str = "",
) -> Alert:
    """Put together what is known, without passwords and without what a terminal would obey."""
    url, statement = environment.settings.database_url, redact(progress.statement, environment.settings.database_url)
    identity = Identity()

    def tidy(text: str) -> str:
        return "\n".join(clean_lines(redact(text, url, beside=progress.statement))[:_ERROR_LINES])

    return Alert(
        kind,
        environment.name,
        action,
        f"{clean(identity.actor)} on {clean(identity.host)}",
        _describe_commit(environment),
        progress.run_id,
        clean(progress.version),
        f"line {progress.line}: {cut(clean(statement), _STATEMENT_CELLS)}" if statement else "",
        tidy(error),
        clean(place),
        tidy(state),
        tidy(hint),
    )


def _describe_commit(environment: Environment) -> str:
    revision = read_revision(environment.settings.migrations_dir)
    if not revision.commit:
        return "unknown"
    return f"{revision.commit[:_COMMIT]}{' and changes that are not committed' if revision.dirty else ''}"


def _indent(text: str) -> str:
    return text.replace("\n", "\n  ")
