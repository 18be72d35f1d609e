"""Writing a plan as one script for psql, which is read and run by others; nothing is changed here."""

from __future__ import annotations

import time
from collections.abc import Iterator

import psycopg

from tasks.runner.clock import count_ms
from tasks.runner.database.session import read_encoding
from tasks.runner.database.session_settings import SessionState
from tasks.runner.errors import PlanChangedError, UsageError
from tasks.runner.events import Event, FilesFound, PlanMade, RunFinished, Skipped, SqlWritten
from tasks.runner.execution.migration_runner import MigrationRunner
from tasks.runner.execution.preparation import Preparation
from tasks.runner.identity import read_revision
from tasks.runner.ledger.environment_label import check_environment, choose_label, is_on_this_machine
from tasks.runner.ledger.expected_schema import open_expectation
from tasks.runner.ledger.reading import Ledger, read_ledger
from tasks.runner.ledger.replaced import add_replacements
from tasks.runner.operations.migrate import CHECK_PLAN, RunMode, start
from tasks.runner.planning.choice import MigrateGoal
from tasks.runner.planning.faults import find_folder_faults
from tasks.runner.planning.plan import Plan, show_plan
from tasks.runner.planning.renewal import identify_plan
from tasks.runner.settings import LOCAL
from tasks.runner.sql_script.opening import Expected
from tasks.runner.sql_script.recorder import ScriptRecorder
from tasks.runner.sql_script.script import write_script
from tasks.runner.sql_script.segments import StepWriter
from tasks.runner.sql_script.state import rename_rows

_FACTS = """
SELECT current_setting('server_version'), current_database()::text, session_user::text,
       (SELECT reset_val FROM pg_settings WHERE name = 'search_path')
"""


def write_sql(runner: MigrationRunner, goal: MigrateGoal, mode: RunMode) -> Iterator[Event]:
    """Yield the script that does what a run of the goal would do now; raises RunnerError for what a run would refuse."""
    if goal.atomic:
        raise UsageError(
            "--sql and --atomic cannot be combined: the script has the transactions of a run without --atomic",
            hint="Use one of them.",
            state="Nothing was changed.",
        )
    yield start(runner, "migrate")
    started_at = time.monotonic()
    prepared = runner.prepare(goal)
    plan = prepared.plan
    yield FilesFound(len(prepared.migrations.checksums))
    skipped = tuple(v for v in prepared.migrations.checksums if v in prepared.ledger.checksums)
    if skipped:
        yield Skipped(skipped)
    plan_id = identify_plan(plan)
    yield PlanMade(plan.action, True, show_plan(plan, whole=mode.verbose), plan.findings, plan_id, "script")
    plan.raise_refusals()
    if mode.plan_id and plan_id != mode.plan_id:
        raise PlanChangedError(
            f"the plan is no longer {mode.plan_id}: it is {plan_id} now", hint=CHECK_PLAN, state="Nothing was changed."
        )
    with runner.read() as connection:
        text = _compose(connection, runner, prepared, plan_id)
    yield SqlWritten(text, len(plan.steps))
    yield RunFinished(plan.action, 0, count_ms(started_at), dry_run=True)


def _compose(connection: psycopg.Connection, runner: MigrationRunner, prepared: Preparation, plan_id: str) -> str:
    """Return the script; raises PlanChangedError if the ledger has changed since the plan was made."""
    ledger = read_ledger(connection)
    check_environment(ledger, runner.belonging)
    Plan("", (), find_folder_faults(connection, ledger, runner.migrations_dir)).raise_refusals()
    plan = prepared.renew(connection, ledger, exact=True)
    plan.raise_refusals()
    version, database, role, path = connection.execute(_FACTS).fetchone() or ("", "", "", "")
    state = SessionState(
        f"migrate-script {runner.identity.run_id}",
        False,
        connection.info.server_version,
        runner.policy.lock_timeout_ms,
    )
    revision = read_revision(runner.migrations_dir)
    recorder = ScriptRecorder(connection, ledger, runner.identity, revision, keep_text=runner.keep_text)
    writer = StepWriter(ledger, recorder, state, read_encoding(connection))
    replaced = add_replacements(ledger, plan.replaced)
    expected = Expected(
        path,
        role,
        ledger.checksums,
        rename_rows(ledger.checksums, plan.renames),
        label=_choose_label(connection, runner, ledger),
        replaced="" if replaced == ledger.replaced else replaced,
        schema=open_expectation(connection, ledger, watch=runner.watch_drift),
        readers=runner.ledger_readers,
    )
    commit = f", commit {revision.commit}{' with changes' if revision.dirty else ''}" if revision.commit else ""
    migrations = "1 migration" if len(plan.steps) == 1 else f"{len(plan.steps)} migrations"
    heading = (
        f"Plan {plan_id}: {migrations} for the database {database} on PostgreSQL {version}{commit}.\n"
        f"Written by {runner.identity.actor}. Apply it with: psql --file=THIS_FILE URL\n"
        "Each transaction takes the lock of runs and checks that the ledger is as it was planned. If the script stops, fix the\n"
        "cause and run it again: it continues where it stopped. Use a direct connection, not a pooler in transaction mode."
    )
    return write_script(writer, plan, expected, heading)


def _choose_label(connection: psycopg.Connection, runner: MigrationRunner, ledger: Ledger) -> str:
    run = runner.belonging
    return choose_label(ledger.environment, run, on_this_machine=run.name != LOCAL or is_on_this_machine(connection))
