"""Guarded environments: a change is shown as a plan, and confirmed by typing the environment's name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from tasks.console.prompts import confirm_by_typing, explain_no_prompt
from tasks.options import Options
from tasks.report import report
from tasks.runner.errors import RefusedError
from tasks.runner.events import Event, PlanMade
from tasks.runner.operations.requests import Request
from tasks.runner.signals import Stop

if TYPE_CHECKING:
    from tasks.config.environments import Environment

_STATE = "Nothing was changed."


def confirm_guarded(
    environment: Environment,
    request: Request,
    options: Options,
    stop: Stop,
    open_events: Callable[[Request], Iterator[Event]],
) -> None:
    """Print the plan of a request that writes to a guarded environment, and ask for the environment's name.

    Raises RefusedError if another answer is typed, or if the question cannot be asked and --yes is missing.
    """
    if not environment.guarded or not request.writes or options.yes:
        return
    name = environment.name
    again = f"inv db.{request.command} --env={name}"
    if options.upload:
        raise RefusedError(
            f"{name} is guarded, and --upload would run files there that were not deployed",
            hint=f"Deploy first. Or check the plan (--dry-run), then confirm it: {again} --upload --yes",
            state=_STATE,
        )
    reason = explain_no_prompt(json=options.json)
    if reason:
        raise RefusedError(
            f"{name} is guarded and asks for confirmation, but {reason}",
            hint=f"Check the plan first (--dry-run), then confirm it: {again} --yes",
            state=_STATE,
        )
    if not _has_steps(report_plan(request, open_events)):
        return
    confirm_by_typing(f"This will change {name}.", name, stop)


def report_plan(request: Request, open_events: Callable[[Request], Iterator[Event]]) -> PlanMade | None:
    """Print what a request would do, and return the plan."""
    plans: list[PlanMade] = []

    def keep(events: Iterator[Event]) -> Iterator[Event]:
        for event in events:
            if isinstance(event, PlanMade):
                plans.append(event)
            yield event

    report(keep(open_events(replace(request, dry_run=True))))
    return plans[-1] if plans else None


def _has_steps(plan: PlanMade | None) -> bool:
    """Return True if there is something to confirm; a repair has no plan and is always confirmed."""
    return plan is None or bool(plan.steps)
