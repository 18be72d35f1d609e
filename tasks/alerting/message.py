"""What a message about a run in trouble says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from tasks.alerting.progress import Course, Hold
from tasks.console.cells import clean, clean_lines, cut
from tasks.console.lines import write_seconds, write_session
from tasks.runner.errors import RunnerError, ToldError, describe_error
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
class Trouble:
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


def describe_trouble(trouble: Trouble) -> tuple[str, str]:
    """Write title and body of the message. Pure."""
    sign = {"failed": "❌", "waits": "⏳", "trial": "🔔"}[trouble.kind]
    first = trouble.error.partition("\n")[0]
    title = cut(f"{sign} {trouble.environment}: {trouble.action} {trouble.kind}: {first}", _TITLE_CELLS)
    if trouble.kind == "trial":
        title = f"{sign} {trouble.environment}: a trial message"
    rows = (
        ("Environment", trouble.environment),
        ("Seed" if trouble.action == "seed" else "Migration", trouble.version),
        ("Statement", trouble.statement),
        ("Waits" if trouble.kind == "waits" else "Error", trouble.error),
        ("Where", trouble.place),
        ("State", trouble.state),
        ("Next", trouble.hint),
        ("Who", trouble.actor),
        ("Commit", trouble.commit),
        ("Run", trouble.run_id),
    )
    return title, "\n".join(f"{name}: {_indent(text)}" for name, text in rows if text)


def describe_end(error: BaseException, course: Course, environment: Environment, action: str) -> Trouble | None:
    """Say how a run ended that was stopped by an error; None for wrong usage and refusals.

    These changed nothing, and whoever typed the command has the answer before their eyes.
    """
    if isinstance(error, RunnerError) and error.exit_code != RunnerError.exit_code:
        return None
    told = _tell(error, course, environment)
    place = ":".join(str(part) for part in (told.file, told.line, told.column) if part)
    return _build(
        "failed",
        environment,
        action,
        course,
        error=f"{told.message} ({told.sqlstate})" if told.sqlstate else told.message,
        place=place,
        state=told.state,
        hint=told.hint,
    )


def describe_wait(course: Course, hold: Hold, seconds_s: float, environment: Environment, action: str) -> Trouble:
    """Say for whom a run has been waiting, and what may be done about it."""
    sessions = "\n".join(write_session(blocker) for blocker in hold.blockers)
    what = "a lock" if hold.statement else "another run"
    pids = "".join(f" SELECT pg_terminate_backend({blocker.pid});" for blocker in hold.blockers)
    hint = f"End what it waits for, if that may be:{pids}" if pids else "Find out what it waits for: pg_stat_activity"
    return _build(
        "waits",
        environment,
        action,
        course,
        error="\n".join(filter(None, (f"for {what}, {write_seconds(round(seconds_s))} so far", sessions))),
        state="The run goes on waiting; nothing of what it has open counts yet.",
        hint=hint if hold.statement else f"Nothing, if that run is meant: inv db.history --env={environment.name}",
    )


def describe_trial(environment: Environment) -> Trouble:
    """Say that this is a trial."""
    return _build("trial", environment, "trial", Course(), error="none, this is a trial", hint="Nothing.")


def _tell(error: BaseException, course: Course, environment: Environment) -> ErrorRaised:
    """Put what stopped a run into words, unless an event did so already."""
    hint = f"Look: inv db.status --env={environment.name} ; inv db.history --env={environment.name}"
    if isinstance(error, ToldError):
        failed = RunnerError(error.message or f"the run ended with {error.exit_code}", state=_UNKNOWN_END, hint=hint)
        return course.error or describe_error(failed, environment.settings.database_url)
    if isinstance(error, RunnerError):
        return describe_error(error, environment.settings.database_url)
    reason = "stopped at once" if isinstance(error, KeyboardInterrupt | GeneratorExit) else f"{type(error).__name__}: {error}"
    return describe_error(RunnerError(reason, state=_UNKNOWN_END, hint=hint), environment.settings.database_url)


def _build(
    kind: Kind,
    environment: Environment,
    action: str,
    course: Course,
    *,
    error: str = "",
    place: str = "",
    state: str = "",
    hint: str = "",
) -> Trouble:
    """Put together what is known, without passwords and without what a terminal would obey."""
    url, statement = environment.settings.database_url, redact(course.statement, environment.settings.database_url)
    identity = Identity()

    def tidy(text: str) -> str:
        return "\n".join(clean_lines(redact(text, url, beside=course.statement))[:_ERROR_LINES])

    return Trouble(
        kind,
        environment.name,
        action,
        f"{clean(identity.actor)} on {clean(identity.host)}",
        _describe_commit(environment),
        course.run_id,
        clean(course.version),
        f"line {course.line}: {cut(clean(statement), _STATEMENT_CELLS)}" if statement else "",
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
