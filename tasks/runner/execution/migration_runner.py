"""The runner: prepares a plan from files and ledger, and runs it under the lock."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg

from tasks.runner.database.session import connect, run_sql
from tasks.runner.errors import RunnerError
from tasks.runner.files.checkout import Migrations, read_migrations
from tasks.runner.identity import Identity
from tasks.runner.ledger.reading import Ledger, check_environment, read_ledger
from tasks.runner.ledger.renames import read_renamed_ledger
from tasks.runner.planning.plan import Goal, MigrateGoal, Plan, RollbackGoal, choose, plan
from tasks.runner.retries import RetryPolicy
from tasks.runner.signals import Stop

if TYPE_CHECKING:
    from tasks.runner.events import Event


@dataclass(frozen=True, slots=True)
class Preparation:
    """Hold what a goal came to: the plan, and what it was made of."""

    ledger: Ledger
    migrations: Migrations
    plan: Plan


class MigrationRunner:
    """Bring one database to the schema that a folder of migrations says.

    `environment` is checked against what the database says of itself; `stop` lets a signal end a run at a safe point; with
    `watch_drift`, the ledger keeps what the schema should be.
    """

    def __init__(
        self,
        database_url: str,
        *,
        migrations_dir: str | Path = "migrations",
        seeds_dir: str | Path = "seeds",
        environment: str = "",
        policy: RetryPolicy | None = None,
        identity: Identity | None = None,
        stop: Stop | None = None,
        watch_drift: bool = True,
    ) -> None:
        self.url = database_url
        self.migrations_dir = Path(migrations_dir)
        self.seeds_dir = Path(seeds_dir)
        self.environment = environment
        self.policy = policy or RetryPolicy()
        self.identity = identity or Identity()
        self.stop = stop or Stop()
        self.watch_drift = watch_drift

    def ensure_migration_table(self) -> None:
        """Create the ledger's tables if they are not there; waits for a run that is under way."""
        for _ in self.run(Plan("migrate", ())):
            pass

    def get_applied_migrations(self) -> list[str]:
        """List the applied versions, oldest name first."""
        with self.read() as connection:
            return sorted(read_ledger(connection).checksums)

    def apply_migration(self, path: str | Path) -> bool:
        """Apply the one migration of a file, if it is pending; tells whether it was."""
        file = Path(path)
        folder = file.parent.parent if file.parent.name == "up" else file.parent
        return file.stem in self._finish(MigrateGoal(only=file.stem), folder)

    def run_migrations(self, migrations_dir: str | Path | None = None) -> list[str]:
        """Apply every pending migration of a folder; lists the versions that this call applied."""
        return self._finish(MigrateGoal(), Path(migrations_dir or self.migrations_dir))

    def rollback(self, steps: int = 1, to: str = "") -> list[str]:
        """Undo the last `steps` migrations, or everything after version `to`; lists the versions in the order undone."""
        return self._finish(RollbackGoal(steps=steps, to=to), self.migrations_dir)

    @contextmanager
    def read(self) -> Iterator[psycopg.Connection]:
        """Open a session in one READ ONLY transaction, whose answers belong to one moment."""
        connection = connect(self.url, name=f"migrate-read {self.identity.run_id}")
        try:
            run_sql(connection, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            yield connection
        except psycopg.Error as error:
            raise self._describe(error) from error
        finally:
            connection.close()

    def prepare(self, goal: Goal, migrations_dir: Path | None = None) -> Preparation:
        """Read files and ledger and make the plan of a goal; nothing is written, in a READ ONLY transaction."""
        migrations = read_migrations(migrations_dir or self.migrations_dir)
        with self.read() as connection:
            ledger, renames, told = read_renamed_ledger(connection, migrations)
            check_environment(ledger, self.environment)
            choice = choose(migrations, ledger, goal)
            choice = replace(choice, findings=(*told, *choice.findings))
            if not choice.versions and not choice.findings:
                return Preparation(ledger, migrations, Plan(choice.action, ()))
            from tasks.runner.planning.sources import add_diffs, check_syntax, read_sources

            choice = replace(choice, findings=add_diffs(connection, ledger, migrations, choice.findings))
            made = plan(choice, read_sources(connection, ledger, migrations, choice), ledger.attempts)
            made = replace(made, renames=renames)
            run_sql(connection, "ROLLBACK")
            check_syntax(connection, made)
        return Preparation(ledger, migrations, made)

    def run(self, made: Plan) -> Iterator[Event]:
        """Run a plan under the lock; raises RunnerError at what stops it, after the log has it.

        The ledger is read again once the lock is held, and steps that somebody else did meanwhile are left out.
        """
        from tasks.runner.execution.context import RunSettings
        from tasks.runner.execution.locked_run import LockedRun

        made.raise_refusals()
        settings = RunSettings(
            self.url, self.identity, self.stop, self.policy, self.environment, self.migrations_dir, self.watch_drift
        )
        try:
            yield from LockedRun(settings).run(made)
        except psycopg.Error as error:
            raise self._describe(error) from error

    def _finish(self, goal: Goal, folder: Path) -> list[str]:
        """Prepare and run a goal without looking at the events, and list the versions that were done."""
        from tasks.runner.events import StepFinished

        made = self.prepare(goal, folder).plan
        made.raise_refusals()
        if not made.steps and not made.renames:
            return []
        return [event.version for event in self.run(made) if isinstance(event, StepFinished)]

    def _describe(self, error: psycopg.Error) -> RunnerError:
        """Make an error for a person of one that the server raised outside any statement of a file."""
        from tasks.runner.planning.failures import describe_server_error

        return describe_server_error(error, self.url)
