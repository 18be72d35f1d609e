"""The confirmation of what a machine would do: its dry run is shown, and exactly that is run."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from tasks.runner.errors import RefusedError
from tasks.runner.events import Event, PlanMade, RepairProposed, RunFinished
from tasks.runner.operations.forecast_text import pack_forecast
from tasks.runner.operations.migrate import confirm_unverified
from tasks.runner.operations.repair import build_unconfirmed_error, identify_proposal
from tasks.runner.operations.requests import Request
from tasks.runner.planning.unverified import list_unverified

if TYPE_CHECKING:
    from tasks.runner.events import StatementVerdict
    from tasks.runner.operations.migrate import Approve, Confirm

ConfirmRequest = Callable[[Iterator[Event]], Generator[Event, None, Request | None]]
"""Yield the events of a dry run, and return the request to run, or None for nothing."""


def confirm_changes(
    request: Request, events: Iterator[Event], confirm: Confirm | None, approve: Approve | None
) -> Generator[Event, None, Request | None]:
    """Yield the proposed changes, ask for each, and return the request with those that were confirmed, if any."""
    agreed: list[str] = []
    shown = 0
    for event in events:
        if isinstance(event, RunFinished) and shown:
            continue
        yield event
        if isinstance(event, RepairProposed):
            shown += 1
            if confirm is not None and confirm(event):
                agreed.append(identify_proposal(event))
    if shown and confirm is None:
        raise build_unconfirmed_error()
    if agreed and approve is not None:
        approve()
    if shown and not agreed:
        yield RunFinished(request.command, 0, 0, proposed=shown)
    return replace(request, agree=tuple(agreed)) if agreed else None


def confirm_plan(
    request: Request,
    events: Iterator[Event],
    approve: Approve | None,
    get_verdicts: Callable[[], tuple[StatementVerdict, ...]] = tuple,
) -> Generator[Event, None, Request | None]:
    """Yield the plan, ask for its confirmation, and return the request of exactly this plan, if there is something to run.

    Without `approve`, nothing is asked, and any plan is run, as with --yes. `get_verdicts` returns the forecast that was shown.
    """
    made: PlanMade | None = None
    for event in events:
        if isinstance(event, PlanMade):
            asks = approve is not None and event.steps and not any(finding.refuses for finding in event.findings)
            changed = "" if approve else event.purpose
            made = replace(event, dry_run=False, purpose="confirm" if asks else changed)
            yield made
        elif not isinstance(event, RunFinished):
            yield event
        elif approve is not None and (made is None or not _does_something(made)):
            yield replace(event, dry_run=False)
    if approve is None:
        return replace(request, forecast=pack_forecast(get_verdicts()))
    if made is None or not _does_something(made):
        return None
    if not made.plan_id:
        raise RefusedError(
            "the machine has an older version of this tool, which cannot run exactly the plan that was shown",
            hint="Deploy first. Or confirm any plan beforehand: --yes",
            state="Nothing was changed.",
        )
    if made.steps:
        approve()
    return replace(request, plan=made.plan_id, forecast=pack_forecast(get_verdicts()))


def confirm_texts(request: Request, events: Iterator[Event], confirm: Confirm) -> Generator[Event, None, Request]:
    """Yield the plan of a rollback, ask for each stored text that cannot be verified, and return the request of this plan."""
    plan_id, unverified = "", tuple[str, ...]()
    for event in events:
        if isinstance(event, PlanMade):
            plan_id, unverified = event.plan_id, list_unverified(event.findings)
            yield replace(event, dry_run=False, purpose="confirm" if unverified else "")
        elif not isinstance(event, RunFinished):
            yield event
    confirm_unverified(unverified, confirm)
    return replace(request, plan=plan_id)


def _does_something(made: PlanMade) -> bool:
    """Return True if a plan has steps, or rows of the ledger to rename."""
    return bool(made.steps) or any(finding.kind == "renamed" for finding in made.findings)


def approve_at_once(request: Request, approve: Approve) -> Generator[Event, None, Request]:
    """Ask for the confirmation of a request that has no dry run, and return it."""
    yield from ()
    approve()
    return request
