"""Saying what stands in the database after a step broke off, and what cannot stand at all behind a pooler."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tasks.runner.errors import RESUME_HINT, STEPS_ARE_RECOUNTED, Place, RefusedError
from tasks.runner.execution.nontransactional_run import COMMITTING_KINDS
from tasks.runner.planning.plan import Plan, Step

if TYPE_CHECKING:
    from tasks.runner.execution.segment_run import SegmentRun

_ACTS = {
    "migrate": ("migration", "{}", ", or {} again if the server crashed"),
    "seed": ("seed", "{}", ", or {} again if the server crashed"),
    "rollback": ("rollback", "the rollback of {}", ", unless the server crashed"),
}
"""What each action calls its steps, how it names one, and what a crash of the server makes of those that it has done."""


def describe_outcome(step: Step, run: SegmentRun, *, before: int, unknown: bool, lost: bool) -> str:
    """Say what of a step stands, and how many steps before it.

    `unknown` says that the run did not see how its last act ended; `lost`, that the session is gone, perhaps with the server.
    """
    parts = []
    total, alone = len(step.script.segments), run.alone
    act, name, crashed = _ACTS[step.action]
    name = name.format(step.version)
    if run.done:
        parts.append(f"{run.done} of {total} segments of {name} stand; the next run goes on after them.")
    if unknown and alone is not None:
        found_out = alone.target is not None and alone.target.kind != "other"
        following = "finds out" if found_out else "runs it again"
        parts.append(f"Whether the statement on line {alone.line} took effect is not known; the next run {following}.")
    elif unknown and run.committing:
        parts.append(f"Whether {'more of ' if run.done else ''}{name} was committed is not known; the next run finds out.")
    elif not run.done and (alone is None or alone.kind not in COMMITTING_KINDS):
        parts.append(f"Nothing of {name} was kept.")
    if run.note:
        parts.append(run.note)
    if before:
        several = before > 1
        # What a step has waited for is on the disk with all before it.
        crash = crashed.format("run" if several else "runs") if lost and not run.awaits_disk else ""
        parts.append(f"{before} {act}{'s' if several else ''} before it in this run stand{'' if several else 's'}{crash}.")
    return " ".join(parts)


def describe_next_step(plan: Plan, run: SegmentRun, *, before: int, lost: bool) -> str:
    """Say how to go on after a step broke off with so many done before it: the same rollback would count its steps anew."""
    if plan.action != "rollback" or not (before or (lost and run.committing)):
        return RESUME_HINT
    if lost:
        return f"{STEPS_ARE_RECOUNTED} inv db.status"
    return f"A rollback counts its steps anew; what is left of this one: --steps {len(plan.steps) - before}"


def refuse_settings(plan: Plan) -> None:
    """Raise RefusedError for a statement outside a transaction that relies on settings, which a pooler does not keep."""
    for step in plan.steps:
        for index, segment in enumerate(step.script.segments):
            settings = step.script.settings_before(index)
            if segment.transactional or not settings or index < step.done:
                continue
            alone, setting = segment.statements[0], settings[-1]
            raise RefusedError(
                f"{alone.label} runs outside a transaction, and a pooler does not keep for it what line {setting.line} sets: "
                f"{setting.label}",
                hint="Set DIRECT_DATABASE_URL to the server itself: DATABASE_URL leads to a pooler.\n"
                "Or do without the setting, for example by writing the schema before the name.",
                state="Nothing was changed.",
                place=Place(step.source.shown, alone.line),
            )
