"""Migrate and rollback: iterators of events, the same under Invoke, on a server, and in a test."""

from __future__ import annotations

import time
from collections.abc import Iterator

from tasks.runner.clock import count_ms
from tasks.runner.database.session import describe_server
from tasks.runner.events import Event, FilesFound, PlanMade, RunFinished, RunStarted, Skipped
from tasks.runner.execution.migration_runner import MigrationRunner
from tasks.runner.operations.losses import add_losses
from tasks.runner.planning.choice import MigrateGoal, RollbackGoal
from tasks.runner.planning.plan import Plan, show_plan


def migrate(runner: MigrationRunner, goal: MigrateGoal, *, dry_run: bool = False) -> Iterator[Event]:
    """Migrate the database to the newest migration, or to the one of the goal."""
    yield start(runner, "migrate")
    started_at = time.monotonic()
    prepared = runner.prepare(goal)
    yield FilesFound(len(prepared.migrations.checksums))
    skipped = tuple(v for v in prepared.migrations.checksums if v in prepared.ledger.checksums)
    if skipped:
        yield Skipped(skipped)
    yield from run_plan(runner, prepared.plan, started_at, dry_run=dry_run)


def rollback(runner: MigrationRunner, goal: RollbackGoal, *, dry_run: bool = False) -> Iterator[Event]:
    """Roll back the last migrations with their down files, in the reverse order of application."""
    yield start(runner, "rollback")
    started_at = time.monotonic()
    plan = runner.prepare(goal).plan
    if not plan.refusals:
        plan = add_losses(runner, plan)
    yield from run_plan(runner, plan, started_at, dry_run=dry_run)


def start(runner: MigrationRunner, action: str) -> RunStarted:
    """Return the first event of an operation."""
    database = describe_server(runner.url, name=f"migrate-read {runner.identity.run_id}")
    return RunStarted(runner.identity.run_id, action, runner.environment, database, runner.identity.actor)


def run_plan(runner: MigrationRunner, plan: Plan, started_at: float, *, dry_run: bool) -> Iterator[Event]:
    """Show a plan and, unless this is a dry run, run it."""
    done = 0
    yield PlanMade(plan.action, dry_run, show_plan(plan), plan.findings)
    plan.raise_refusals()
    if (plan.steps or plan.renames) and not dry_run:
        for event in runner.run(plan):
            done += event.kind == "step_finished"
            yield event
    yield RunFinished(plan.action, done, count_ms(started_at), dry_run, renamed=0 if dry_run else len(plan.renames))
