"""Guarded environments: whoever changes one sees the plan and types its name first."""

from __future__ import annotations

import select
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from tasks.report import report
from tasks.runner.errors import Interruption, RefusedError
from tasks.runner.events import Event, PlanMade
from tasks.runner.operations.requests import Request
from tasks.runner.signals import Stop

if TYPE_CHECKING:
    from tasks.config.environments import Environment

_STATE = "Nothing was changed."


class Answering(Protocol):
    """What a person decided beforehand."""

    @property
    def json(self) -> bool:
        """Tell whether only JSON may be printed, so that nobody can be asked."""

    @property
    def yes(self) -> bool:
        """Tell whether everything was agreed to."""

    @property
    def upload(self) -> bool:
        """Tell whether files run that nobody deployed."""


def confirm_guarded(
    environment: Environment,
    request: Request,
    options: Answering,
    stop: Stop,
    open_events: Callable[[Request], Iterator[Event]],
) -> None:
    """Show the plan of a request that writes to a guarded environment, and have its name typed.

    Raises RefusedError where it is not, or where nobody can be asked and --yes was not given.
    """
    if not environment.guarded or not request.writes or options.yes:
        return
    name = environment.name
    again = f"inv db.{request.command} --env={name}"
    if options.upload:
        raise RefusedError(
            f"{name} is guarded, and --upload would run files there that nobody deployed",
            hint=f"Deploy first. Or look at the plan (--dry-run), then agree to it: {again} --upload --yes",
            state=_STATE,
        )
    if options.json or not sys.stdin.isatty():
        raise RefusedError(
            f"{name} is guarded, and nobody can be asked: the input is no terminal",
            hint=f"Look at the plan first (--dry-run), then agree to it: {again} --yes",
            state=_STATE,
        )
    if not _has_steps(report_plan(request, open_events)):
        return
    print(f"This changes {name}. Type its name to go on: ", end="", flush=True)
    if _read_answer(stop) != name:
        raise RefusedError("not confirmed", hint="Run the same command again to think again.", state=_STATE)


def _read_answer(stop: Stop) -> str:
    """Read what is typed; a signal and the end of the input are no answer."""
    try:
        select.select([sys.stdin, stop], [], [])
        stop.check()
    except Interruption:
        print()
        return ""
    answer = sys.stdin.readline()
    if not answer:
        print()
    return answer.strip()


def report_plan(request: Request, open_events: Callable[[Request], Iterator[Event]]) -> PlanMade | None:
    """Print what a request would do, and give the plan."""
    plans: list[PlanMade] = []

    def keep(events: Iterator[Event]) -> Iterator[Event]:
        for event in events:
            if isinstance(event, PlanMade):
                plans.append(event)
            yield event

    report(keep(open_events(replace(request, dry_run=True))))
    return plans[-1] if plans else None


def _has_steps(plan: PlanMade | None) -> bool:
    """Tell whether there is something to ask about; a repair has no plan and is always asked about."""
    return plan is None or bool(plan.steps)
