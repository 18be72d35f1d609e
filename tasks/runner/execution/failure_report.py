"""The state of the database and the next step after a step failed; and the refusal of what a pooler cannot run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tasks.postgres.targets import COMMITTING
from tasks.runner.errors import RESUME_HINT, STEPS_ARE_RECOUNTED, Place, RefusedError
from tasks.runner.planning.plan import Plan, Step

if TYPE_CHECKING:
    from tasks.runner.execution.segment_run import SegmentRun

_TERMS = {
    "migrate": ("migration", "{}", "applied", ", or {} again if the server crashed"),
    "seed": ("seed", "{}", "applied", ", or {} again if the server crashed"),
    "rollback": ("rollback", "the rollback of {}", "in effect", ", unless the server crashed"),
    "redo": ("step", "{}", "in effect", ", unless the server crashed"),
}
"""By action: the word for its steps, the name of one, the state of one that is done, and what a crash of the server changes."""


def describe_outcome(step: Step, run: SegmentRun, *, before: int, unknown: bool, lost: bool, redo: bool = False) -> str:
    """Return what of a failed step is committed, and how many earlier steps of the run are; in a redo, that is the rollback.

    `unknown` means that the run did not see how its last action ended; `lost`, that the session is gone, perhaps with the server.
    """
    parts = []
    total, statement = len(run.step.script.segments), run.nontransactional
    word, name, state, crashed = _TERMS[step.action]
    name = name.format(step.version)
    if run.done:
        committed, last = ("is", "it") if run.done == 1 else ("are", "them")
        parts.append(f"{run.done} of {total} segments of {name} {committed} committed; the next run resumes after {last}.")
    if unknown and statement is not None:
        can_check = statement.target is not None and statement.target.kind not in ("other", "commits")
        following = "checks that" if can_check else "runs it again"
        parts.append(f"It is not known whether the statement on line {statement.line} took effect; the next run {following}.")
    elif unknown and run.committing:
        more = "more of " if run.done else ""
        parts.append(f"It is not known whether {more}{name} was committed; the next run checks that.")
    elif not run.done and statement is None:
        subject = f"The rollback of {step.version} was undone" if step.action == "rollback" else f"{name} was rolled back"
        parts.append(f"{subject} completely.")
    elif not run.done and statement is not None and statement.target != COMMITTING:
        parts.append(f"Nothing of {name} was applied.")
    if run.leftover_note:
        parts.append(run.leftover_note)
    if before and redo:
        parts.append(_describe_pending(step))
    elif before:
        several = before > 1
        # A synchronous commit has flushed all commits before it too.
        crash = crashed.format("run" if several else "runs") if lost and not run.synchronous else ""
        stay = "s of this run stay" if several else " of this run stays"
        parts.append(f"{before} earlier {word}{stay} {state}{crash}.")
    return " ".join(parts)


def describe_finished(action: str, finished: int) -> str:
    """Return the state after an error outside all steps, with this number of steps finished before it."""
    if not finished:
        return "No migration was run." if action == "migrate" else "Nothing was run."
    word, _, state, _ = _TERMS[action]
    return f"{finished} {word}s of this run are {state}." if finished > 1 else f"1 {word} of this run is {state}."


def describe_unstarted(step: Step, *, before: int, redo: bool = False) -> str:
    """Return what of a run stays when it stops before a step."""
    if redo:
        return _describe_pending(step)
    word, _, state, _ = _TERMS[step.action]
    several = "s of this run stay" if before > 1 else " of this run stays"
    return f"{before} earlier {word}{several} {state}; {step.version} was not started."


def _describe_pending(step: Step) -> str:
    return f"The rollback of {step.version} stays in effect: it is pending."


def describe_next_step(plan: Plan, run: SegmentRun, *, before: int, lost: bool) -> str:
    """Return the next step after a step failed with `before` steps done: the same rollback would count its steps from there."""
    if plan.action == "redo" and before:
        return "Fix the file, then run the same command again: it only applies this migration."
    if plan.action == "redo" and plan.uncompared:
        return (
            "The edited down file ran. To run the text that was stored when the migration was applied: inv db.redo --stored-down"
        )
    if plan.action != "rollback" or not (before or (lost and run.committing)):
        return RESUME_HINT
    if lost:
        return f"{STEPS_ARE_RECOUNTED} inv db.status"
    return f"A rollback counts its steps from the current state. To finish this one, use --steps={len(plan.steps) - before}."


def refuse_settings(plan: Plan) -> None:
    """Raise RefusedError for a statement outside a transaction that depends on settings, which a pooler does not keep."""
    for step in plan.steps:
        for index, segment in enumerate(step.script.segments):
            settings = step.script.settings_before(index)
            if segment.transactional or not settings or index < step.done:
                continue
            statement, setting = segment.statements[0], settings[-1]
            raise RefusedError(
                f"{statement.label} runs outside a transaction, where a pooler does not keep the setting of line {setting.line}: "
                f"{setting.label}",
                hint="Set DIRECT_DATABASE_URL to a URL of the server itself: DATABASE_URL is that of a pooler.\n"
                "Or remove the setting, for example by qualifying names with their schema.",
                state="Nothing was changed.",
                place=Place(step.source.shown, statement.line),
            )
