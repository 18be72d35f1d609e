"""Explain errors on a scratch database to the author of the migration."""

from __future__ import annotations

from collections.abc import Sequence

from tasks.rehearsal.errors import ON_SCRATCH, TimeLimitError
from tasks.rehearsal.replay.scratch_run import Failure
from tasks.runner.errors import Place, RunnerError, StatementError
from tasks.runner.planning.plan import Step

_MISSING_SCHEMA = "No earlier migration creates this schema. If it was created by hand in the target, create it in a migration."


def explain(failure: Failure, step: Step, timeout_s: float | None, without: Sequence[str]) -> RunnerError:
    """Return the error to show for a failure, with hints."""
    error, statement = failure.error, failure.statement
    place = error.place or Place(step.source.shown, statement.line if statement else 0)
    if failure.timed_out:
        label = f": {statement.label}" if statement else ""
        return TimeLimitError(
            f"{place} did not finish within {timeout_s:g} s and was stopped{label}",
            hint="Allow more time (--timeout), or check whether the statement can finish at all.",
            state=ON_SCRATCH,
            place=place,
        )
    hints = [error.hint, _find_hint(error, without)]
    hint = "\n".join(part for part in hints if part)
    return StatementError(error.message, hint=hint, state=ON_SCRATCH, place=error.place, sqlstate=error.sqlstate)


def _find_hint(error: RunnerError, without: Sequence[str]) -> str:
    if error.sqlstate == "3F000":
        return _MISSING_SCHEMA
    if error.sqlstate in ("42704", "42883") and without:
        excluded = ", ".join(without)
        return f"This run excludes {excluded}. If the missing object belongs to it, use a scratch server that has the extension."
    return ""
