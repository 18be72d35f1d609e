"""The runner: it prepares a plan from files and ledger, and runs it under the lock."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg

from tasks.runner.database.session import connect
from tasks.runner.errors import RunnerError, describe_error
from tasks.runner.execution.preparation import prepare
from tasks.runner.files.checkout import read_migrations
from tasks.runner.identity import Identity
from tasks.runner.ledger.environment_label import Belonging, check_environment
from tasks.runner.ledger.line_ends import ignore_line_ends
from tasks.runner.ledger.reading import read_ledger
from tasks.runner.ledger.renames import read_renames
from tasks.runner.ledger.snapshot import begin_reading, compose_probe
from tasks.runner.ledger.view import view_ledger
from tasks.runner.planning.choice import MigrateGoal, RollbackGoal
from tasks.runner.planning.currency import is_current
from tasks.runner.planning.plan import Plan
from tasks.runner.planning.unverified import build_unverified_error, list_unverified
from tasks.runner.retries import RetryPolicy
from tasks.runner.settings import KEEP_TEXT
from tasks.runner.signals import Stop

if TYPE_CHECKING:
    from tasks.runner.database.run_lock import RunLock
    from tasks.runner.events import Event, StatementVerdict
    from tasks.runner.execution.locked_run import Renew
    from tasks.runner.execution.preparation import Preparation, Prepared
    from tasks.runner.ledger.foreign import VersionTable
    from tasks.runner.planning.choice import Goal

HEALTH_CHECK_S = 5.0
"""How long a health check waits by default: that of Kubernetes, Fly or a load balancer has a limit too."""


class MigrationRunner:
    """The runner of a folder of migrations on one database.

    `environment` (or `fly_app`, its Fly app) is compared with the label of the database; `confirmed`: a user confirmed
    a local environment on another machine; `stop` lets a signal end a run at a safe point; with `watch_drift`, the ledger stores
    the expected schema; `ledger_owner` is a role that may own the ledger, beside those that always may; `ledger_readers` are the
    roles that may read the log of a ledger that this runner creates or repairs; files of more than `keep_text` bytes are recorded
    without their texts; `on_event` is called with each event of the methods that return when the run has ended.
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
        ledger_owner: str = "",
        ledger_readers: tuple[str, ...] = (),
        keep_text: int = KEEP_TEXT,
        on_event: Callable[[Event], None] | None = None,
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
        self.ledger_owner = ledger_owner
        self.ledger_readers = ledger_readers
        self.keep_text = keep_text
        self.on_event = on_event
        self.forecast: tuple[StatementVerdict, ...] = ()
        """The forecast that was shown before the run: it is logged beside what the statements did."""

    def ensure_migration_table(self) -> None:
        """Create the ledger's tables if they do not exist; waits for a run that is in progress."""
        for _ in self._run_locked("migrate", lambda _connection, _ledger: Plan("migrate", ())):
            pass

    def create_ledger(self) -> None:
        """Create an empty ledger in the first schema of search_path, whatever the database has; waits for a run in progress.

        It is for a database, or a tenant's schema, of which no migration was applied though a run is refused there.
        """
        from tasks.runner.execution.new_ledger import create_ledger

        try:
            create_ledger(self.url, self.identity, self.belonging, self.make_lock(), self.ledger_owner, self.ledger_readers)
        except psycopg.Error as error:
            raise self.explain(error, "Nothing was changed.") from error

    def get_applied_migrations(self) -> list[str]:
        """Return the applied versions, sorted by name."""
        with self.read() as connection:
            return sorted(read_ledger(connection, partial=True).checksums)

    def is_current(self, *, timeout_s: float = HEALTH_CHECK_S) -> bool:
        """Return True if each migration of the folder is applied completely, with the text of its file.

        For the start or the health check of an application: it only reads, waits for no run and creates nothing. Migrations that
        only the database has do not count, so that the older release stays healthy during a rolling deployment. `timeout_s` is
        the limit for connecting and for each query. Raises RunnerError if the answer is not known, for example if the database
        cannot be reached.
        """
        migrations = read_migrations(self.migrations_dir)
        with self.read(limit_s=timeout_s) as connection:
            recorded = read_ledger(connection, partial=True)
            check_environment(recorded, self.belonging)
            renames = read_renames(migrations.folder, migrations.checksums)
            ledger, _, _ = view_ledger(recorded, renames, migrations.checksums)
            return is_current(migrations, ignore_line_ends(connection, ledger, migrations))

    async def is_current_async(self, *, timeout_s: float = HEALTH_CHECK_S) -> bool:
        """Return what `is_current` does, without blocking the event loop of asyncio: it runs in a thread."""
        import asyncio

        return await asyncio.to_thread(self.is_current, timeout_s=timeout_s)

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
    def read(self, *, limit_s: float = math.inf, version_table: VersionTable | None = None) -> Iterator[psycopg.Connection]:
        """Yield a connection in a READ ONLY transaction with one snapshot; `limit_s` limits connecting and each statement.

        A `version_table` of Alembic with another name or schema than usual can be read in it, too.
        """
        name = f"migrate-read {self.identity.run_id}"
        owner = self.ledger_owner
        connection = connect(self.url, name=name, ledger_owner=owner, limit_s=limit_s, compose_probe=compose_probe)
        try:
            begin_reading(connection, limit_s=limit_s, version_table=version_table)
            yield connection
        except psycopg.Error as error:
            raise self.explain(error, "Nothing was changed.", connection) from error
        finally:
            connection.close()

    def make_lock(self) -> RunLock:
        """Return the lock of this run, not acquired yet; release it in the end. Raises ConnectError."""
        from tasks.runner.database.run_lock import RunLock
        from tasks.runner.ledger.active_run import find_active_run

        return RunLock(self.url, run_id=self.identity.run_id, stop=self.stop, policy=self.policy, find_run=find_active_run)

    def prepare(self, goal: Goal, migrations_dir: Path | None = None) -> Preparation:
        """Return the plan of a goal, made from the files and from a READ ONLY transaction that reads the ledger."""
        migrations = read_migrations(migrations_dir or self.migrations_dir)
        with self.read() as connection:
            return prepare(connection, migrations, goal, self.belonging)

    def run(self, prepared: Prepared, *, exact: bool = False) -> Iterator[Event]:
        """Run a plan under the lock; raises RunnerError at the first failure, after logging it.

        The choice is made again once the lock is acquired. Steps that another run did in the meantime are left out, unless the
        plan must run `exact`; any other difference raises PlanChangedError.
        """
        prepared.plan.raise_refusals()
        return self._run_locked(prepared.plan.action, partial(prepared.renew, exact=exact))

    def _run_locked(self, action: str, renew: Renew) -> Iterator[Event]:
        from tasks.runner.execution.context import RunSettings
        from tasks.runner.execution.failure_report import describe_finished
        from tasks.runner.execution.locked_run import LockedRun

        settings = RunSettings(
            self.url,
            self.identity,
            self.stop,
            self.policy,
            self.belonging,
            self.migrations_dir,
            self.watch_drift,
            self.ledger_owner,
            self.ledger_readers,
            self.forecast,
            self.keep_text,
        )
        finished = 0
        try:
            for event in LockedRun(settings).run(renew):
                finished += event.kind == "step_finished"
                yield event
        except psycopg.Error as error:
            raise self.explain(error, describe_finished(action, finished)) from error

    def _finish(self, goal: Goal, folder: Path) -> list[str]:
        """Prepare and run a goal, pass on its events, and return the versions of its finished steps."""
        from tasks.runner.events import StepFinished

        try:
            prepared = self.prepare(goal, folder)
            prepared.plan.raise_refusals()
            unverified = list_unverified(prepared.plan.findings)
            if unverified:
                raise build_unverified_error(unverified)
            if not prepared.plan.steps and not prepared.plan.renames:
                return []
            finished = []
            for event in self.run(prepared):
                self._pass_on(event)
                finished += [event.version] if isinstance(event, StepFinished) else []
            return finished
        except RunnerError as error:
            self._pass_on(describe_error(error, self.url))
            raise

    def _pass_on(self, event: Event) -> None:
        """Call `on_event`, whose failure does not end the run."""
        if self.on_event is not None:
            try:
                self.on_event(event)
            except Exception:
                import logging

                logging.getLogger(__name__).exception("on_event failed for the event %s", event.kind)

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
