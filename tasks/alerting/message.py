"""The text of an alert."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from tasks.alerting.inert import make_inert
from tasks.alerting.progress import LockWait, RunProgress
from tasks.console.cells import clean, clean_lines, cut
from tasks.console.lines import format_seconds, format_session
from tasks.postgres.masking import mask_secrets
from tasks.runner.command_lines import compose_command
from tasks.runner.errors import ReportedError, RunnerError, describe_error
from tasks.runner.events import ErrorRaised
from tasks.runner.identity import identify, read_revision
from tasks.runner.redaction import redact

if TYPE_CHECKING:
    from tasks.config.environments import Environment

Kind = Literal["failed", "waits", "trial"]

_TITLE_CELLS = 150
_STATEMENT_CELLS = 500
_ERROR_LINES = 20
_COMMIT = 12
_UNKNOWN_END = "Completed steps stay applied; the open transaction was rolled back."


@dataclass(frozen=True, slots=True)
class Alert:
    """The content of an alert, without secrets."""

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
    """Return the title and the body of an alert, in which no service finds a mention or a link."""
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
    return make_inert(title), make_inert("\n".join(f"{name}: {_indent(text)}" for name, text in rows if text))


def describe_end(error: BaseException, progress: RunProgress, environment: Environment, action: str) -> Alert | None:
    """Return the alert for a run that was stopped by an error, or None for wrong usage and refusals.

    These changed nothing, and their message is printed where the command was typed.
    """
    if isinstance(error, RunnerError) and error.exit_code != RunnerError.exit_code:
        return None
    error_event = _find_error(error, progress, environment)
    place = ":".join(str(part) for part in (error_event.file, error_event.line, error_event.column) if part)
    return _build(
        "failed",
        environment,
        action,
        progress,
        error=f"{error_event.message} ({error_event.sqlstate})" if error_event.sqlstate else error_event.message,
        place=place,
        state=error_event.state,
        hint=error_event.hint,
    )


def describe_wait(progress: RunProgress, wait: LockWait, seconds_s: float, environment: Environment, action: str) -> Alert:
    """Return the alert for a run that has been waiting, with its blockers and how to end them."""
    sessions = "\n".join(format_session(blocker) for blocker in wait.blockers)
    what = "a lock" if wait.statement else "the lock of runs" if wait.stranger else "another run"
    pids = "".join(f" SELECT pg_terminate_backend({blocker.pid});" for blocker in wait.blockers)
    hint = f"If you may end the blocking session:{pids}" if pids else "Look for the blocking session in pg_stat_activity."
    if not wait.statement and not wait.stranger:
        hint = f"Nothing, if the other run is expected: {compose_command('db.history', env=environment.name)}"
    return _build(
        "waits",
        environment,
        action,
        progress,
        error="\n".join(filter(None, (f"for {what}, {format_seconds(round(seconds_s))} so far", sessions))),
        state="The run keeps waiting. Nothing of the open transaction is committed yet.",
        hint=hint,
    )


def describe_test_message(environment: Environment) -> Alert:
    """Return the test message."""
    return _build("trial", environment, "trial", RunProgress(), error="none, this is a test", hint="Nothing.")


def _find_error(error: BaseException, progress: RunProgress, environment: Environment) -> ErrorRaised:
    """Return the error that stopped a run: its event, or one made from the exception."""
    status, history = (compose_command(task, env=environment.name) for task in ("db.status", "db.history"))
    hint = f"See {status} and {history}"
    if isinstance(error, ReportedError):
        failed = RunnerError(error.message or f"the run ended with exit code {error.exit_code}", state=_UNKNOWN_END, hint=hint)
        return progress.error or describe_error(failed, environment.settings.database_url)
    if isinstance(error, RunnerError):
        return describe_error(error, environment.settings.database_url)
    reason = "stopped by Ctrl-C" if isinstance(error, KeyboardInterrupt | GeneratorExit) else f"{type(error).__name__}: {error}"
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
    """Return an alert of what is known, without passwords and control characters."""
    url = environment.settings.database_url
    statement = redact(mask_secrets(progress.statement), url)
    identity = identify(environment.settings)

    def tidy(text: str) -> str:
        return "\n".join(clean_lines(redact(text, url, statement=progress.statement))[:_ERROR_LINES])

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
    return f"{revision.commit[:_COMMIT]}{' with uncommitted changes' if revision.dirty else ''}"


def _indent(text: str) -> str:
    return text.replace("\n", "\n  ")
