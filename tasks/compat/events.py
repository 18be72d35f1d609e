"""The events of db.compat."""

from __future__ import annotations

from dataclasses import dataclass

from tasks.runner.events import ErrorRaised, Event, LeftOutQueries, event


@event("compat_started")
@dataclass(frozen=True, slots=True)
class CompatStarted(Event):
    """The start of a check: how many queries and pending migrations, where the queries come from, and on which server."""

    environment: str
    queries: int
    source: str
    """pg_stat_statements, or the name of a file."""
    migrations: int
    reason: str
    server_version: int


@event("query_broken")
@dataclass(frozen=True, slots=True)
class QueryBroken(Event):
    """A query that can be prepared before a migration and not after it.

    `line` is that of the statement that breaks it, 0 if it was not found. `after_deploy` is True for a migration that runs when
    the code with this query is gone: that is expected, and no finding. `proposal` is the next step.
    """

    version: str
    line: int
    statement: str
    query: str
    place: str
    """FILE:LINE of a query from a file, else empty."""
    calls: int
    calls_per_hour: float | None
    role: str
    sqlstate: str
    message: str
    works_again: str = ""
    """The later migration after which it can be prepared again."""
    after_deploy: bool = False
    proposal: str = ""


@event("query_changed")
@dataclass(frozen=True, slots=True)
class QueryChanged(Event):
    """A query that can be prepared before and after a migration, with another result or other types of parameters."""

    version: str
    query: str
    place: str
    calls: int
    calls_per_hour: float | None
    changes: tuple[str, ...]


@event("compat_checked")
@dataclass(frozen=True, slots=True)
class CompatChecked(Event):
    """The end of a check: how many queries were checked, how many break, and what was not checked.

    `expected` counts those that only break in migrations marked after-deploy. `failed` is the error of a pending migration on
    scratch: the files after it were not checked.
    """

    environment: str
    queries: int
    broken: int
    expected: int
    changed: int
    left_out: tuple[LeftOutQueries, ...]
    """The queries that could not be checked, by reason, most first."""
    not_known: tuple[str, ...]
    unchecked: tuple[str, ...]
    """The statements of migrations that could not be rehearsed."""
    duration_ms: int
    failed_version: str = ""
    failed: ErrorRaised | None = None
    migrations: int = 0
    """How many migrations were to be checked."""
