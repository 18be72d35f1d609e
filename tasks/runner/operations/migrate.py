"""The operations that people call: each is an iterator of events, the same under Invoke, on a server, and in a test."""

from __future__ import annotations

import time
from collections.abc import Iterator

from tasks.runner.database.session import describe_database
from tasks.runner.events import Event, FilesFound, PlanMade, RunFinished, RunStarted, Skipped
from tasks.runner.execution.migration_runner import MigrationRunner
from tasks.runner.planning.plan import MigrateGoal, Plan, RollbackGoal, show_plan


def migrate(runner: MigrationRunner, goal: MigrateGoal, *, dry_run: bool = False) -> Iterator[Event]:
    """Bring the database to the newest migration, or to the one that the goal names."""
    yield start(runner, "migrate")
    begun = time.monotonic()
    prepared = runner.prepare(goal)
    yield FilesFound(len(prepared.migrations.checksums))
    skipped = tuple(v for v in prepared.migrations.checksums if v in prepared.ledger.checksums)
    if skipped:
        yield Skipped(skipped)
    yield from run_plan(runner, prepared.plan, begun, dry_run=dry_run)


def rollback(runner: MigrationRunner, goal: RollbackGoal, *, dry_run: bool = False) -> Iterator[Event]:
    """Undo the last migrations by their down files, newest application first."""
    yield start(runner, "rollback")
    begun = time.monotonic()
    prepared = runner.prepare(goal)
    yield from run_plan(runner, prepared.plan, begun, dry_run=dry_run)


def start(runner: MigrationRunner, action: str) -> RunStarted:
    """Open the stream of events of an operation."""
    return RunStarted(runner.identity.run_id, action, runner.environment, describe_database(runner.url), runner.identity.actor)


def run_plan(runner: MigrationRunner, made: Plan, begun: float, *, dry_run: bool) -> Iterator[Event]:
    """Show a plan and, unless it is only to be shown, run it."""
    done = 0
    yield PlanMade(made.action, dry_run, show_plan(made), made.findings)
    made.raise_refusals()
    if (made.steps or made.renames) and not dry_run:
        for event in runner.run(made):
            done += event.kind == "step_finished"
            yield event
    yield RunFinished(made.action, done, round((time.monotonic() - begun) * 1000), dry_run)
