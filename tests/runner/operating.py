"""Operations on a project's files and database, called as the commands call them: each by a runner of its own."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import pytest

from tasks.console import print_events
from tasks.runner import MigrationRunner
from tasks.runner.errors import RunnerError
from tasks.runner.events import Event, HistoryRead, HistoryRow, RepairProposed, StatusRead, StepFinished
from tasks.runner.ledger.reading import read_ledger
from tasks.runner.operations.history import read_history
from tasks.runner.operations.migrate import RunMode, migrate, rollback
from tasks.runner.operations.repair import repair
from tasks.runner.operations.seed import seed
from tasks.runner.operations.status import read_status
from tasks.runner.planning.choice import MigrateGoal, RollbackGoal
from tasks.runner.retries import RetryPolicy
from tests.kit.databases import Database
from tests.kit.projects import Project
from tests.kit.roles import use_as

A = "20250101000000_create_a"
B = "20250102000000_create_b"
C = "20250103000000_create_c"

ONCE = RetryPolicy(lock_timeout_ms=60_000, attempts=1)
"""A test that waits at a lock on purpose has more time than the slowest machine needs."""

T = TypeVar("T", bound=Event)


@dataclass(frozen=True)
class Operator:
    """Somebody who works on a project; keyword arguments that an operation does not know are for its runner."""

    project: Project
    database: Database
    watch_drift: bool = False
    """Most tests do not need the catalog to be read before and after each run."""
    ledger_readers: tuple[str, ...] = ()
    ledger_owner: str = ""
    url: str = ""
    """The URL that is used, if it is not that of the database: that of another role."""

    def write(self, version: str, up: str, down: str | None = None) -> None:
        """Write the up file of a version, and its down file if there is a text for it."""
        self.project.write_up(version, up)
        if down is not None:
            self.project.write_down(version, down)

    def write_tables(self, *versions: str) -> None:
        """Write migrations that create a table, and drop it again; it is named as the version ends: a, b, c."""
        for version in versions:
            self.write(version, f"CREATE TABLE {version[-1]} (id int);", f"DROP TABLE {version[-1]};")

    def remove(self, version: str) -> None:
        """Remove the files of a version, as in an older checkout."""
        for folder in ("up", "down"):
            (self.project.migrations / folder / f"{version}.sql").unlink(missing_ok=True)

    def make_runner(self, **options: Any) -> MigrationRunner:
        """Return a runner for the project."""
        folders = {"migrations_dir": self.project.migrations, "seeds_dir": self.project.seeds}
        ledger = {"ledger_readers": self.ledger_readers, "ledger_owner": self.ledger_owner}
        chosen = {"policy": ONCE, "watch_drift": self.watch_drift, **ledger}
        return MigrationRunner(self.url or self.database.url, **{**chosen, **folders, **options})

    def migrate(
        self,
        *,
        to: str = "",
        strict: bool = False,
        atomic: bool = False,
        before_deploy: bool = False,
        dry_run: bool = False,
        plan: str = "",
        **options: Any,
    ) -> list[Event]:
        """Migrate, and return all events."""
        goal = MigrateGoal(to=to, strict=strict, atomic=atomic, before_deploy=before_deploy)
        return list(migrate(self.make_runner(**options), goal, RunMode(dry_run, plan)))

    def roll_back(self, *, steps: int = 1, to: str = "", dry_run: bool = False, plan: str = "", **options: Any) -> list[Event]:
        """Roll back, and return all events."""
        return list(rollback(self.make_runner(**options), RollbackGoal(steps, to), RunMode(dry_run, plan)))

    def seed(self, *, dry_run: bool = False, plan: str = "", **options: Any) -> list[Event]:
        """Run the seeds, and return all events."""
        return list(seed(self.make_runner(**options), RunMode(dry_run, plan)))

    def repair(self, confirm: Callable[[RepairProposed], bool] | None = lambda _: True, **options: Any) -> list[Event]:
        """Repair the ledger, confirming everything by default, and return all events."""
        return list(repair(self.make_runner(**options), confirm))

    def read_status(self, *, limit: int = 0, **options: Any) -> StatusRead:
        """Return the status."""
        (status,) = read_status(self.make_runner(**options), limit=limit)
        assert isinstance(status, StatusRead)
        return status

    def read_states(self, **options: Any) -> dict[str, str]:
        """Return the state of each version."""
        return {row.version: row.state for row in self.read_status(**options).rows}

    def read_history(self, *, limit: int = 50, version: str = "") -> tuple[HistoryRow, ...]:
        """Return the rows of the log, newest first."""
        (history,) = read_history(self.make_runner(), limit=limit, version=version)
        assert isinstance(history, HistoryRead)
        return history.rows

    def read_log(self) -> list[tuple[str, str, str]]:
        """Return action, outcome and version of each row of the log, oldest first."""
        return self.database.query("SELECT action, outcome, coalesce(version, '') FROM schema_migrations_log ORDER BY id")

    def read_applied(self) -> list[str]:
        """Return the versions in the ledger, in the order of their history."""
        return self.database.ask(lambda connection: list(read_ledger(connection).checksums))

    def read_tables(self) -> list[str]:
        """Return the names of the tables that are not the ledger's."""
        return [
            row[0]
            for row in self.database.query(
                "SELECT relname::text FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
                " AND relname NOT LIKE 'schema_migrations%%' ORDER BY 1"
            )
        ]


def operate_as(operator: Operator, role: str, **fields: Any) -> Operator:
    """Return an operator that logs in as another role, with other fields."""
    database = use_as(operator.database, role)
    return replace(operator, project=operator.project.at(database.url), database=database, **fields)


def operate_at(operator: Operator, database: Database) -> Operator:
    """Return an operator of the same project on another database."""
    return replace(operator, project=operator.project.at(database.url), database=database)


def pick(events: Iterable[Event], kind: type[T]) -> list[T]:
    """Return the events of a kind."""
    return [event for event in events if isinstance(event, kind)]


def list_done(events: Iterable[Event]) -> list[str]:
    """Return the versions of the steps that were done, in order."""
    return [event.version for event in pick(events, StepFinished)]


def collect_failure(events: Iterable[Event]) -> tuple[list[Event], RunnerError]:
    """Return the events of an operation that fails, and its error."""
    seen: list[Event] = []
    with pytest.raises(RunnerError) as failed:
        print_events(events, seen.append)
    return seen, failed.value
