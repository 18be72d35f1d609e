"""Migrate and rollback: iterators of events, the same under Invoke, on a server, and in a test."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from tasks.runner.clock import count_ms
from tasks.runner.database.session import describe_server
from tasks.runner.errors import PlanChangedError, RefusedError, RunnerError
from tasks.runner.events import FilesFound, PlanMade, RunFinished, RunStarted, Skipped
from tasks.runner.planning.plan import show_plan
from tasks.runner.planning.renewal import identify_plan
from tasks.runner.planning.unverified import build_unverified_error, list_unverified

if TYPE_CHECKING:
    from tasks.runner.events import Event, RepairProposed
    from tasks.runner.execution.migration_runner import MigrationRunner
    from tasks.runner.execution.preparation import Preparation, Prepared
    from tasks.runner.planning.choice import MigrateGoal, RollbackGoal

Approve = Callable[[], None]
"""Ask for a confirmation of what was shown; raises RefusedError if it is not given."""
Confirm = Callable[["RepairProposed"], bool]
"""Return True if one change is confirmed."""


class RunMode(NamedTuple):
    """Whether a plan is only shown, which plan must be run if there is one, and how it is confirmed once it was shown.

    `confirm` confirms each stored text that cannot be verified, unless the plan was approved or its id was stated; None means
    that the question cannot be asked.
    """

    dry_run: bool = False
    plan_id: str = ""
    approve: Approve | None = None
    confirm: Confirm | None = None
    verbose: bool = False
    """Whether the plan has whole statements."""


DEFAULT_MODE = RunMode()
CHECK_PLAN = "Check the plan above. To run it, run the same command with its id."


def migrate(runner: MigrationRunner, goal: MigrateGoal, mode: RunMode = DEFAULT_MODE) -> Iterator[Event]:
    """Migrate the database to the newest migration, or to the one of the goal."""
    yield start(runner, "migrate")
    started_at = time.monotonic()
    prepared = runner.prepare(goal)
    yield FilesFound(len(prepared.migrations.checksums))
    skipped = tuple(v for v in prepared.migrations.checksums if v in prepared.ledger.checksums)
    if skipped:
        yield Skipped(skipped)
    yield from run_plan(runner, prepared, started_at, mode, lambda: runner.prepare(goal))


def rollback(runner: MigrationRunner, goal: RollbackGoal, mode: RunMode = DEFAULT_MODE) -> Iterator[Event]:
    """Roll back the last migrations with their down files, in the reverse order of their history."""
    from tasks.runner.operations.losses import add_losses

    def prepare() -> Preparation:
        prepared = runner.prepare(goal)
        return prepared if prepared.plan.refusals else replace(prepared, plan=add_losses(runner, prepared.plan))

    yield start(runner, "rollback")
    started_at = time.monotonic()
    yield from run_plan(runner, prepare(), started_at, mode, prepare)


def start(runner: MigrationRunner, action: str) -> RunStarted:
    """Return the first event of an operation."""
    database = describe_server(runner.url, name=f"migrate-read {runner.identity.run_id}")
    return RunStarted(runner.identity.run_id, action, runner.environment, database, runner.identity.actor)


def run_plan(
    runner: MigrationRunner, prepared: Prepared, started_at: float, mode: RunMode, prepare: Callable[[], Prepared]
) -> Iterator[Event]:
    """Show a plan and, unless this is a dry run, run it: exactly the plan that was confirmed or asked for.

    `prepare` makes the plan again, to show it if it has changed.
    """
    plan, done = prepared.plan, 0
    plan_id = identify_plan(plan)
    other = bool(mode.plan_id) and plan_id != mode.plan_id
    runs = bool(plan.steps) and not mode.dry_run and not plan.refusals
    asks = mode.approve is not None and runs
    unverified = () if asks or mode.plan_id or not runs else list_unverified(plan.findings)
    purpose = "changed" if other else "confirm" if asks or unverified else ""
    yield PlanMade(plan.action, mode.dry_run, show_plan(plan, whole=mode.verbose), plan.findings, plan_id, purpose, plan.atomic)
    plan.raise_refusals()
    if other:
        raise PlanChangedError(
            f"the plan is no longer {mode.plan_id}: it is {plan_id} now", hint=CHECK_PLAN, state="Nothing was changed."
        )
    if asks and mode.approve is not None:
        mode.approve()
    confirm_unverified(unverified, mode.confirm)
    if (plan.steps or plan.renames) and not mode.dry_run:
        try:
            for event in runner.run(prepared, exact=asks or bool(unverified) or bool(mode.plan_id)):
                done += event.kind == "step_finished"
                yield event
        except PlanChangedError:
            with suppress(RunnerError):
                plan = prepare().plan
                shown = show_plan(plan, whole=mode.verbose)
                yield PlanMade(plan.action, False, shown, plan.findings, identify_plan(plan), "changed", plan.atomic)
            raise
    renamed = 0 if mode.dry_run else len(plan.renames)
    yield RunFinished(plan.action, done, count_ms(started_at), mode.dry_run, renamed=renamed)


def confirm_unverified(versions: tuple[str, ...], confirm: Confirm | None) -> None:
    """Ask whether each stored text may run; raises RefusedError if one is not confirmed, or if the question cannot be asked."""
    if versions and confirm is None:
        raise build_unverified_error(versions)
    if not versions:
        return
    from tasks.runner.events import RepairProposed

    for version in versions:
        if confirm is not None and not confirm(RepairProposed(version, "run the stored down text", "")):
            hint = "Run the same command again to be asked again."
            raise RefusedError(f"the stored down text of {version} was not confirmed", hint=hint, state="Nothing was changed.")
