"""Reading the queries that an application runs in a database, from pg_stat_statements, as one event.

https://www.postgresql.org/docs/current/pgstatstatements.html
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import psycopg
from psycopg import sql

from tasks.postgres.masking import mask_secrets
from tasks.postgres.quoting import show_identifier
from tasks.runner.command_lines import compose_command
from tasks.runner.database.addresses import describe_connection
from tasks.runner.errors import RefusedError
from tasks.runner.events import Event, LeftOutQueries, QueriesRead, RunningQuery
from tasks.runner.execution.migration_runner import MigrationRunner
from tasks.runner.ledger.environment_label import check_environment
from tasks.runner.ledger.reading import read_ledger
from tasks.runner.parsing.plain_queries import read_query

_EXTENSION = "pg_stat_statements"
_LONGEST = 64 * 1024
"""The length in bytes of the longest query that is read."""
_MOST = 20_000
_MOST_BYTES = 16 * 1024 * 1024
_SHORTEST_HOURS = 1.0
"""Calls that are counted for a shorter time are no rate."""
_LIMIT = "SET LOCAL statement_timeout = '60s'; SET LOCAL lock_timeout = '2s'"
_FIND = """
SELECT n.nspname::text, p.proargnames::text[],
       EXISTS (SELECT FROM pg_proc o WHERE o.pronamespace = n.oid AND o.proname = 'pg_stat_statements_info'),
       has_schema_privilege(n.oid, 'USAGE')
  FROM pg_extension e
  JOIN pg_depend d ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid AND d.deptype = 'e'
                  AND d.classid = 'pg_proc'::regclass
  JOIN pg_proc p ON p.oid = d.objid JOIN pg_namespace n ON n.oid = p.pronamespace
 WHERE e.extname = 'pg_stat_statements' AND p.proname = 'pg_stat_statements'
"""
_READ = """
SELECT CASE WHEN octet_length(s.query) <= {longest} THEN s.query END, s.calls::bigint, s.queryid IS NULL, r.rolname::text,
       coalesce(extract(epoch FROM now() - {since})::float8 / 3600, 0), coalesce({path}, '')
  FROM {schema}.pg_stat_statements(true) s LEFT JOIN pg_roles r ON r.oid = s.userid
 WHERE s.dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
 ORDER BY s.calls DESC LIMIT {most}
"""
_PATH = """
(SELECT substr(c, length('search_path=') + 1) FROM pg_db_role_setting g, unnest(g.setconfig) c
  WHERE c LIKE 'search\\_path=%' AND g.setdatabase IN (0, s.dbid) AND g.setrole IN (0, s.userid)
  ORDER BY g.setrole = 0, g.setdatabase = 0 LIMIT 1)
"""
"""The setting of a role in a database comes before that of the role, and that before the one of the database:
https://www.postgresql.org/docs/current/sql-alterrole.html"""
_TOO_LONG = f"longer than {_LONGEST // 1024} kB"
_OWN = "without a table of the application"


@dataclass(frozen=True, slots=True)
class _Source:
    """Where pg_stat_statements is, and what its version can report."""

    schema: str
    columns: tuple[str, ...]
    has_info: bool

    def compose(self) -> sql.Composed:
        """Return the query that reads it. Columns: docs/current/pgstatstatements.html; stats_since is new in 17."""
        schema = sql.Identifier(self.schema)
        reset = sql.SQL("(SELECT i.stats_reset FROM {}.pg_stat_statements_info() i)").format(schema)
        since = sql.SQL("s.stats_since") if "stats_since" in self.columns else reset if self.has_info else sql.SQL("NULL")
        return sql.SQL(_READ).format(
            schema=schema, since=since, path=sql.SQL(_PATH), longest=sql.Literal(_LONGEST), most=sql.Literal(_MOST)
        )


def read_queries(runner: MigrationRunner) -> Iterator[Event]:
    """Yield the plain queries of the database; raises RefusedError if pg_stat_statements cannot be read."""
    with runner.read() as connection:
        database = describe_connection(connection)
        ledger = read_ledger(connection, partial=True)
        check_environment(ledger, runner.belonging)
        environment = runner.environment or ledger.environment
        connection.execute(_LIMIT.encode())
        rows = _read_rows(connection, database, environment)
        role = connection.info.user
        version = connection.info.server_version
    hidden = sum(1 for row in rows if row[2])
    queries, left_out = _choose(row for row in rows if not row[2])
    yield QueriesRead(environment, database, version, queries, left_out, _describe_hidden(hidden, len(rows), role))


def _read_rows(connection: psycopg.Connection, database: str, environment: str) -> list[tuple[object, ...]]:
    found = connection.execute(_FIND).fetchone()
    if found is None:
        raise _refuse(
            f"{database} does not have the extension pg_stat_statements, which counts the queries of an application",
            f"Create it as a superuser: CREATE EXTENSION {_EXTENSION};\n"
            f"It needs shared_preload_libraries = '{_EXTENSION}' and a restart of the server.",
            environment,
        )
    schema, columns, has_info, usable = found
    if not usable:
        role = show_identifier(connection.info.user)
        raise _refuse(
            f"the role {connection.info.user} may not use the schema {schema}, where pg_stat_statements is",
            f"Grant it as the owner of the schema: GRANT USAGE ON SCHEMA {show_identifier(schema)} TO {role};",
            environment,
        )
    try:
        with connection.transaction():
            return connection.execute(_Source(schema, tuple(columns), has_info).compose()).fetchall()
    except psycopg.errors.ObjectNotInPrerequisiteState as error:
        raise _refuse(
            f"the server of {database} does not collect queries: pg_stat_statements is not in shared_preload_libraries",
            f"Set shared_preload_libraries = '{_EXTENSION}' and restart the server.",
            environment,
            sqlstate=error.sqlstate or "",
        ) from error


def _refuse(message: str, hint: str, environment: str, *, sqlstate: str = "") -> RefusedError:
    instead = compose_command("db.compat", "--queries=FILE", env=environment)
    return RefusedError(
        message, hint=f"{hint}\nOr list the queries in a file: {instead}", state="Nothing was changed.", sqlstate=sqlstate
    )


def _choose(rows: Iterable[tuple[object, ...]]) -> tuple[tuple[RunningQuery, ...], tuple[LeftOutQueries, ...]]:
    """Return the plain queries, each once per search_path, and how many others there are."""
    chosen: dict[tuple[str, str], RunningQuery] = {}
    left_out: Counter[str] = Counter()
    size = 0
    for text, calls, _, role, hours, path in rows:
        if not isinstance(text, str):
            left_out[_TOO_LONG] += 1
            continue
        query = read_query(text)
        if query.reason or query.is_of_the_catalog:
            left_out[query.reason or _OWN] += 1
            continue
        shown = mask_secrets(query.text)
        key, number = (shown, str(path)), int(str(calls))
        rate = number / float(str(hours)) if float(str(hours)) >= _SHORTEST_HOURS else None
        known = chosen.get(key)
        if known is not None:
            together = known.calls_per_hour + rate if known.calls_per_hour is not None and rate is not None else None
            chosen[key] = RunningQuery(shown, known.calls + number, together, known.role, known.search_path)
            continue
        size += len(shown.encode())
        if size > _MOST_BYTES:
            left_out[f"beyond {_MOST_BYTES // 1024 // 1024} MB of queries"] += 1
            continue
        chosen[key] = RunningQuery(shown, number, rate, str(role or ""), str(path))
    queries = sorted(chosen.values(), key=lambda query: -query.calls)
    return tuple(queries), tuple(LeftOutQueries(reason, number) for reason, number in left_out.most_common())


def _describe_hidden(hidden: int, total: int, role: str) -> tuple[str, ...]:
    """Return what is not known of the queries of other roles, and of more queries than are read."""
    notes = []
    if hidden:
        grant = f"GRANT pg_read_all_stats TO {show_identifier(role)};"
        subject = "1 query of another role is" if hidden == 1 else f"{hidden} queries of other roles are"
        notes.append(f"{subject} not shown to {role}. As a superuser: {grant}")
    if total >= _MOST:
        notes.append(f"only the {_MOST} most called queries were read")
    return tuple(notes)
