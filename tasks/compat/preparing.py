"""Preparing queries in one state of the schema: a Parse message for each, after which nothing is executed.

A Parse analyses one statement: it looks up what it names, and neither plans it nor calls a function of the database. The session
is one of the rehearsal's role, read-only, and with a time limit.
https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-EXT-QUERY
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import groupby

import psycopg
from psycopg import pq

from tasks.compat.model import CheckedQuery, PreparedQuery, QueryProblem
from tasks.compat.row_rules import READ_TABLES, TargetTable, build_table, find_fault
from tasks.postgres.quoting import quote_identifier
from tasks.runner.database.session import connect
from tasks.runner.redaction import redact

_SETTINGS = "SET default_transaction_read_only = on; SET statement_timeout = '10s'; SET lock_timeout = '5s'"
_OWN_PATH = "SET search_path = pg_catalog, pg_temp"
_SET_PATH = "SELECT pg_catalog.set_config('search_path', %s, false)"
_SCHEMAS = "SELECT pg_catalog.current_schemas(false)::pg_catalog.text[]"
_DEFAULT_PATH = '"$user", public'
_TYPES = "SELECT o, m, format_type(o, nullif(m, -1)) FROM unnest(%s::oid[], %s::int[]) AS t (o, m)"
_CATALOGS = (
    "pg_aggregate", "pg_attrdef", "pg_attribute", "pg_cast", "pg_class", "pg_collation", "pg_constraint", "pg_conversion",
    "pg_enum", "pg_index", "pg_inherits", "pg_namespace", "pg_opclass", "pg_operator", "pg_proc", "pg_range", "pg_rewrite",
    "pg_trigger", "pg_ts_config", "pg_ts_dict", "pg_type",
)  # fmt: skip
"""What the analysis of a query and the rules for its rows depend on."""
_STATE = "SELECT " + ", ".join(
    f"(SELECT count(*)::text || ':' || coalesce(sum(hashtext(xmin::text || ctid::text)::bigint), 0)::text FROM {name})"
    for name in _CATALOGS
)
"""A value that every transaction changes that inserts, updates or deletes a row of these catalogs."""
_UNTYPED = frozenset({"42725", "42P18", "42883", "42804", "22P02"})
"""The errors of a query whose parameters were constants with a type: ambiguous and unknown functions, operators and types."""
_UNKNOWN_TYPE = "42P18"
"""The error names the parameter and has no position."""
_PARAMETER = re.compile(r"\$(\d+)")
_MOST_PARAMETERS = 24
_GUESSES = (25, 23, 1184)
"""The types that are tried for a parameter, by their OIDs in pg_type.dat: text, int4, timestamptz."""

Types = Mapping[CheckedQuery, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class _Described:
    """A prepared query with the types of its columns and parameters as OIDs."""

    problem: QueryProblem | None
    columns: tuple[tuple[str, int, int], ...] = ()
    parameters: tuple[int, ...] = ()


class Preparer:
    """A session that prepares queries; to be used as `with open_preparer(…)`."""

    def __init__(self, connection: psycopg.Connection, types: dict[CheckedQuery, tuple[int, ...]]) -> None:
        self._connection = connection
        self._types = types

    def read_state(self) -> tuple[object, ...]:
        """Return a value that is another one after every change of the catalogs on which queries depend."""
        return tuple(self._connection.execute(_STATE.encode()).fetchone() or ())

    def prepare(self, queries: Sequence[CheckedQuery], *, guess: bool = False) -> dict[CheckedQuery, PreparedQuery]:
        """Return what the server makes of each query; with `guess`, types are sought for parameters without one."""
        described: dict[CheckedQuery, _Described] = {}
        schemas: dict[str, list[str]] = {}
        for path, group in groupby(sorted(queries, key=_choose_path), key=_choose_path):
            schemas[path] = self._set_path(path)
            for query in group:
                described[query] = self._prepare(query, guess=guess)
        self._connection.execute(_OWN_PATH)
        tables = self._read_tables(queries)
        names = self._name_types(described.values())
        return {query: _finish(each, query, schemas[_choose_path(query)], tables, names) for query, each in described.items()}

    def _set_path(self, path: str) -> list[str]:
        """Put a search_path in force, that of the scratch role if it is not valid, and return its schemas."""
        try:
            self._connection.execute(_SET_PATH, [path])
        except psycopg.Error:
            self._connection.execute(_SET_PATH, [_DEFAULT_PATH])
        row = self._connection.execute(_SCHEMAS).fetchone()
        return list(row[0]) if row else []

    def _prepare(self, query: CheckedQuery, *, guess: bool) -> _Described:
        types = self._types.get(query, ())
        found = self._parse(query.text, types)
        if found.problem is None or not guess or found.problem.sqlstate not in _UNTYPED:
            return found
        typed, chosen = self._guess(query, found)
        if typed.problem is None:
            self._types[query] = chosen
            return typed
        return found

    def _guess(self, query: CheckedQuery, found: _Described) -> tuple[_Described, tuple[int, ...]]:
        """Return the result with types for the parameters, one after the other, each by which the error comes later."""
        number = max((int(each) for each in _PARAMETER.findall(query.text)), default=0)
        types = [0] * number
        if number > _MOST_PARAMETERS:
            return found, ()
        for place in range(number):
            for guess in _GUESSES:
                tried = self._parse(query.text, [*types[:place], guess, *types[place + 1 :]])
                if _is_better(tried, found):
                    found, types[place] = tried, guess
                    break
            if found.problem is None:
                break
        return found, tuple(types)

    def _parse(self, text: str, types: Sequence[int]) -> _Described:
        pgconn = self._connection.pgconn
        result = pgconn.prepare(b"", text.encode(), types or None)
        if result.status != pq.ExecStatus.COMMAND_OK:
            return _Described(_read_problem(result, text))
        described = pgconn.describe_prepared(b"")
        columns = tuple(
            ((described.fname(number) or b"").decode(), described.ftype(number), described.fmod(number))
            for number in range(described.nfields)
        )
        return _Described(None, columns, tuple(described.param_type(number) for number in range(described.nparams)))

    def _read_tables(self, queries: Sequence[CheckedQuery]) -> dict[tuple[str, str], TargetTable]:
        wanted = sorted({target.table for query in queries for target in query.targets})
        return dict(build_table(row) for row in self._connection.execute(READ_TABLES, [wanted])) if wanted else {}

    def _name_types(self, described: Sequence[_Described] | object) -> dict[tuple[int, int], str]:
        assert isinstance(described, Sequence | type({}.values()))
        wanted = {(kind, mod) for each in described for _, kind, mod in each.columns}
        wanted |= {(kind, -1) for each in described for kind in each.parameters}
        pairs = sorted(wanted)
        rows = self._connection.execute(_TYPES, [[kind for kind, _ in pairs], [mod for _, mod in pairs]])
        return {(kind, mod): name for kind, mod, name in rows}


@contextmanager
def open_preparer(url: str, types: dict[CheckedQuery, tuple[int, ...]]) -> Iterator[Preparer]:
    """Yield a session on a scratch database; `types` are those that were found for parameters, which it completes."""
    with connect(url, name="migrate-compat") as connection:
        connection.execute(_SETTINGS)
        yield Preparer(connection, types)


def _choose_path(query: CheckedQuery) -> str:
    """Return the search_path of a query; where files create tables without a schema on scratch, public, comes last."""
    path = query.search_path or _DEFAULT_PATH
    path = path.replace('"$user"', quote_identifier(query.role)) if query.role else path
    return f"{path}, public"


def _is_better(tried: _Described, found: _Described) -> bool:
    """Return True if an error is gone, or another one comes later in the text."""
    if tried.problem is None or found.problem is None:
        return tried.problem is None
    if tried.problem.sqlstate == found.problem.sqlstate == _UNKNOWN_TYPE:
        return tried.problem.message != found.problem.message
    return tried.problem.sqlstate in _UNTYPED and tried.problem.position > found.problem.position


def _read_problem(result: pq.abc.PGresult, text: str) -> QueryProblem:
    def read(field: pq.DiagnosticField) -> str:
        return (result.error_field(field) or b"").decode(errors="replace")

    message = redact(read(pq.DiagnosticField.MESSAGE_PRIMARY), statement=text)
    position = read(pq.DiagnosticField.STATEMENT_POSITION)
    return QueryProblem(read(pq.DiagnosticField.SQLSTATE), message, int(position or 0))


def _finish(
    described: _Described,
    query: CheckedQuery,
    schemas: Sequence[str],
    tables: Mapping[tuple[str, str], TargetTable],
    names: Mapping[tuple[int, int], str],
) -> PreparedQuery:
    if described.problem is not None:
        return PreparedQuery(described.problem)
    fault = next(filter(None, (find_fault(target, schemas, tables) for target in query.targets)), None)
    columns = tuple((name, names.get((kind, mod), "")) for name, kind, mod in described.columns)
    prepared = PreparedQuery(None, columns, tuple(names.get((kind, -1), "") for kind in described.parameters))
    return replace(prepared, problem=QueryProblem(*fault)) if fault else prepared
