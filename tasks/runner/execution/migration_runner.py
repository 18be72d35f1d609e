"""The runner: it prepares a plan from files and ledger, and runs it under the lock."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg

from tasks.runner.database.session import begin_own, connect, run_sql
from tasks.runner.errors import RunnerError
from tasks.runner.files.checkout import Migrations, read_migrations
from tasks.runner.identity import Identity
from tasks.runner.ledger.environment_label import Belonging, check_environment
from tasks.runner.ledger.line_ends import ignore_line_ends
from tasks.runner.ledger.reading import Ledger, read_ledger
from tasks.runner.ledger.renames import read_renames
from tasks.runner.ledger.replaced import list_replacements, rename_back
from tasks.runner.ledger.view import view_ledger
from tasks.runner.planning.choice import Goal, MigrateGoal, RollbackGoal, choose
from tasks.runner.planning.faults import find_faults
from tasks.runner.planning.half_applied import find_half_applied, merge_findings
from tasks.runner.planning.plan import Plan, plan
from tasks.runner.retries import RetryPolicy
from tasks.runner.signals import Stop

if TYPE_CHECKING:
    from tasks.runner.events import Event


@dataclass(frozen=True, slots=True)
class Preparation:
    """The plan of a goal, with the ledger and the files that it was made from."""

    ledger: Ledger
    migrations: Migrations
    plan: Plan


class MigrationRunner:
    """The runner of a folder of migrations on one database.

    `environment` (or `fly_app`, its Fly app) is compared with the label of the database; `confirmed`: a user confirmed
    a local environment on another machine; `stop` lets a signal end a run at a safe point; with `watch_drift`, the ledger stores
    the expected schema.
    """

    def __init__(
        self,
        database_url: str,
        *,
        migrations_dir: str | Path = "migrations",
        seeds_dir: str | Path = "seeds",
        environment: str = "",
        fly_app: str = "",
        confirmed: bool = False,
        policy: RetryPolicy | None = None,
        identity: Identity | None = None,
        stop: Stop | None = None,
        watch_drift: bool = True,
    ) -> None:
        self.url = database_url
        self.migrations_dir = Path(migrations_dir)
        self.seeds_dir = Path(seeds_dir)
        self.environment = environment
        self.belonging = Belonging(environment, fly_app, confirmed)
        self.policy = policy or RetryPolicy()
        self.identity = identity or Identity()
        self.stop = stop or Stop()
        self.watch_drift = watch_drift

    def ensure_migration_table(self) -> None:
        """Create the ledger's tables if they do not exist; waits for a run that is in progress."""
        for _ in self.run(Plan("migrate", ())):
            pass

    def create_ledger(self) -> None:
        """Create an empty ledger in the first schema of search_path, whatever the database has; waits for a run in progress.

        It is for a database, or a tenant's schema, of which no migration was applied though a run is refused there.
        """
        from tasks.runner.execution.new_ledger import create_ledger

        try:
            create_ledger(self.url, self.identity, self.belonging, self.stop)
        except psycopg.Error as error:
            raise self.explain(error, "Nothing was changed.") from error

    def get_applied_migrations(self) -> list[str]:
        """Return the applied versions, sorted by name."""
        with self.read() as connection:
            return sorted(read_ledger(connection).checksums)

    def apply_migration(self, path: str | Path) -> bool:
        """Apply the migration of a file if it is pending; return True if it was."""
        file = Path(path)
        folder = file.parent.parent if file.parent.name == "up" else file.parent
        return file.stem in self._finish(MigrateGoal(only=file.stem), folder)

    def run_migrations(self, migrations_dir: str | Path | None = None) -> list[str]:
        """Apply every pending migration of a folder; return the versions that this call applied."""
        return self._finish(MigrateGoal(), Path(migrations_dir or self.migrations_dir))

    def rollback(self, steps: int = 1, to: str = "") -> list[str]:
        """Roll back the last `steps` migrations, or all after version `to`; return the versions in the order of the rollback."""
        return self._finish(RollbackGoal(steps=steps, to=to), self.migrations_dir)

    @contextmanager
    def read(self) -> Iterator[psycopg.Connection]:
        """Yield a connection in a READ ONLY transaction with one snapshot."""
        connection = connect(self.url, name=f"migrate-read {self.identity.run_id}")
        try:
            begin_own(connection, "ISOLATION LEVEL REPEATABLE READ READ ONLY")
            yield connection
        except psycopg.Error as error:
            raise self.explain(error, "Nothing was changed.", connection) from error
        finally:
            connection.close()

    def prepare(self, goal: Goal, migrations_dir: Path | None = None) -> Preparation:
        """Return the plan of a goal, made from the files and from a READ ONLY transaction that reads the ledger."""
        migrations = read_migrations(migrations_dir or self.migrations_dir)
        with self.read() as connection:
            renames = read_renames(migrations.folder, migrations.checksums)
            recorded = read_ledger(connection)
            ledger, todo, ledger_findings = view_ledger(recorded, renames, migrations.checksums)
            ledger = ignore_line_ends(connection, ledger, migrations)
            check_environment(ledger, self.belonging)
            choice = choose(migrations, ledger, goal)
            faults = find_faults(connection, recorded, migrations)
            half_applied = find_half_applied(migrations, ledger, choice)
            choice = replace(choice, findings=merge_findings(faults, ledger_findings, half_applied, choice.findings))
            if not choice.versions and not choice.findings:
                return Preparation(ledger, migrations, Plan(choice.action, ()))
            from tasks.runner.planning.sources import add_diffs, check_syntax, read_sources

            choice = replace(choice, findings=add_diffs(connection, ledger, migrations, choice.findings))
            sources = read_sources(connection, ledger, migrations, choice)
            # Parsing can take longer than a transaction should be open.
            run_sql(connection, "ROLLBACK")
            new_plan = plan(choice, sources, ledger.attempts, ledger.schema)
            todo = (*todo, *rename_back(ledger, choice.versions if choice.action == "rollback" else ()))
            new_plan = replace(new_plan, renames=todo, replaced=list_replacements(renames))
            check_syntax(connection, new_plan)
        return Preparation(ledger, migrations, new_plan)

    def run(self, plan: Plan) -> Iterator[Event]:
        """Run a plan under the lock; raises RunnerError at the first failure, after logging it.

        The ledger is read again once the lock is acquired, and steps that another run did in the meantime are skipped.
        """
        from tasks.runner.execution.context import RunSettings
        from tasks.runner.execution.failure_report import describe_finished
        from tasks.runner.execution.locked_run import LockedRun

        plan.raise_refusals()
        settings = RunSettings(
            self.url, self.identity, self.stop, self.policy, self.belonging, self.migrations_dir, self.watch_drift
        )
        finished = 0
        try:
            for event in LockedRun(settings).run(plan):
                finished += event.kind == "step_finished"
                yield event
        except psycopg.Error as error:
            raise self.explain(error, describe_finished(plan.action, finished)) from error

    def _finish(self, goal: Goal, folder: Path) -> list[str]:
        """Prepare and run a goal, and return the versions of its finished steps."""
        from tasks.runner.events import StepFinished

        prepared = self.prepare(goal, folder).plan
        prepared.raise_refusals()
        if not prepared.steps and not prepared.renames:
            return []
        return [event.version for event in self.run(prepared) if isinstance(event, StepFinished)]

    def explain(self, error: psycopg.Error, state: str, connection: psycopg.Connection | None = None) -> RunnerError:
        """Return the error for one that the server raised outside any statement of a file.

        The server is asked for facts about it, on this connection or on a new one.
        """
        from tasks.runner.planning.failures import describe_server_error

        if connection is not None:
            return describe_server_error(error, self.url, state, connection=connection)
        try:
            with connect(self.url, name=f"migrate-read {self.identity.run_id}") as session:
                return describe_server_error(error, self.url, state, connection=session)
        except RunnerError:
            return describe_server_error(error, self.url, state)
