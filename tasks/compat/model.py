"""The queries that are checked, and what the server makes of them in one state of the schema."""

from __future__ import annotations

from dataclasses import dataclass, field

from tasks.compat.row_rules import InsertTarget
from tasks.runner.errors import Place

NOT_NULL = "23502"
NO_ARBITER = "42P10"


@dataclass(frozen=True, slots=True)
class CheckedQuery:
    """A query of the running code: where it comes from, how often it is called, and with which search_path."""

    text: str
    place: Place | None = None
    """Its place in a file; None for one of pg_stat_statements."""
    calls: int = 0
    calls_per_hour: float | None = None
    role: str = ""
    search_path: str = ""
    targets: tuple[InsertTarget, ...] = ()
    """The tables into which it inserts."""
    fingerprint: str = ""


@dataclass(frozen=True, slots=True)
class QueryProblem:
    """Why a query cannot run: PostgreSQL's code and message."""

    sqlstate: str
    message: str
    position: int = 0
    """The character of the query at which the error is, from 1; 0 if the error has none."""


@dataclass(frozen=True, slots=True)
class PreparedQuery:
    """A query in one state of the schema: its problem, or the columns of its result and its parameters, with their types."""

    problem: QueryProblem | None = None
    columns: tuple[tuple[str, str], ...] = ()
    parameters: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class QueryBreak:
    """A query that can be prepared before a migration and not after it."""

    query: CheckedQuery
    version: str
    problem: QueryProblem
    works_again: str = ""
    """The later migration after which it can be prepared again."""


@dataclass(frozen=True, slots=True)
class QueryChange:
    """A query whose result or parameters are others after a migration, though it can be prepared."""

    query: CheckedQuery
    version: str
    changes: tuple[str, ...] = field(default=())
