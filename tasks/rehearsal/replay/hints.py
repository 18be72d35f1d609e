"""Saying what an error on a scratch database means for who wrote the migration. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from tasks.rehearsal.errors import UNTOUCHED, MissingExtensionError, TimeLimitError
from tasks.rehearsal.replay.extensions import find_unavailable
from tasks.rehearsal.replay.walk import Failure
from tasks.runner.errors import Place, RunnerError, StatementError
from tasks.runner.planning.plan import Step

_MISSING_ROLE = (
    "If the target has this role, make it on the scratch server too (CREATE ROLE …;),\nor in a migration before this one."
)
_MISSING_SCHEMA = "No migration before this one makes this schema. If the target has it by hand, make it in a migration."


def explain(failure: Failure, step: Step, timeout_s: float | None, without: Sequence[str]) -> RunnerError:
    """Make the error to show of a failure."""
    error, statement = failure.error, failure.statement
    place = error.place or Place(step.source.shown, statement.line if statement else 0)
    if failure.late:
        label = f": {statement.label}" if statement else ""
        return TimeLimitError(
            f"{place} was not done after {timeout_s:g} s, and was stopped{label}",
            hint="Give it more time (--timeout), or look for what never ends.",
            state=UNTOUCHED,
            place=place,
        )
    extension = find_unavailable(error, statement.text) if statement else ""
    if extension:
        return MissingExtensionError(extension, place=place, sqlstate=error.sqlstate)
    hints = [error.hint, _find_hint(error, without)]
    hint = "\n".join(part for part in hints if part)
    return StatementError(error.message, hint=hint, state=UNTOUCHED, place=error.place, sqlstate=error.sqlstate)


def _find_hint(error: RunnerError, without: Sequence[str]) -> str:
    if error.sqlstate == "42704" and error.message.startswith("role "):
        return _MISSING_ROLE
    if error.sqlstate == "3F000":
        return _MISSING_SCHEMA
    if error.sqlstate in ("42704", "42883") and without:
        return f"It runs without {', '.join(without)}; if what is missing belongs to that, use a scratch server that has it."
    return ""
