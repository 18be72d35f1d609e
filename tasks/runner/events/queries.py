"""The queries of an application, as pg_stat_statements has them."""

from __future__ import annotations

from dataclasses import dataclass

from tasks.runner.events.registry import Event, event


@dataclass(frozen=True, slots=True)
class RunningQuery:
    """A query that an application runs: its text without comments, and how often it is called.

    `search_path` is the setting of its role in the database, as SQL; empty for the default. `calls_per_hour` is None if the
    calls are counted since less than an hour, or it is not known since when.
    """

    text: str
    calls: int
    calls_per_hour: float | None = None
    role: str = ""
    """The role that calls it most."""
    search_path: str = ""


@dataclass(frozen=True, slots=True)
class LeftOutQueries:
    """How many queries were left out, and why."""

    reason: str
    count: int


@event("queries_read")
@dataclass(frozen=True, slots=True)
class QueriesRead(Event):
    """The queries that pg_stat_statements has of a database, the most called first.

    Only plain queries are in it: statements such as CREATE USER … PASSWORD contain values and never leave the server.
    """

    environment: str
    database: str
    server_version: int
    queries: tuple[RunningQuery, ...]
    left_out: tuple[LeftOutQueries, ...] = ()
    not_known: tuple[str, ...] = ()
    """What could not be read, as sentences."""
