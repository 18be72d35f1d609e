"""Looking at a database without changing it: what a run there would meet."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg

from tasks.runner.errors import RunnerError
from tasks.runner.events import CheckMade, Event, ProbeRead
from tasks.runner.ledger import read_ledger
from tasks.runner.runner import MigrationRunner
from tasks.runner.session import connect, describe_database, is_pooled

_OLDEST_SERVER = 140000
_FACTS = """
SELECT current_user, has_schema_privilege(current_schema(), 'CREATE'), pg_is_in_recovery(),
       current_setting('default_transaction_read_only'), current_schema(),
       (SELECT coalesce(string_agg(extname || ' ' || extversion, ', ' ORDER BY extname), 'none')
          FROM pg_extension WHERE extname <> 'plpgsql'),
       (SELECT coalesce(string_agg(name, ', ' ORDER BY name), '') FROM pg_available_extensions WHERE name = 'vector')
"""


def probe(runner: MigrationRunner) -> Iterator[Event]:
    """Check a database: version, privileges, pooler, extensions, and what the ledger says of itself."""
    with connect(runner.url, name=f"migrate-read {runner.identity.run_id}") as connection:
        checks = (*_check_server(runner.url, connection), _check_ledger(runner, connection))
    yield ProbeRead(checks)


def _check_server(url: str, connection: psycopg.Connection) -> Iterator[CheckMade]:
    number = connection.info.server_version
    yield CheckMade("database", True, describe_database(url))
    yield CheckMade(
        "server version",
        number >= _OLDEST_SERVER,
        f"PostgreSQL {number // 10000}.{number % 10000}",
        "" if number >= _OLDEST_SERVER else "PostgreSQL 14 is the oldest that this tool knows.",
    )
    pooled = is_pooled(connection)
    yield CheckMade(
        "pooler",
        True,
        "a pooler stands between; plain SETs are left out" if pooled else "none",
        "Set DIRECT_DATABASE_URL to go round it." if pooled else "",
    )
    row = connection.execute(_FACTS).fetchone()
    if row is None:
        return
    user, may_create, replica, read_only, schema, extensions, available = row
    yield CheckMade(
        "privileges",
        bool(may_create),
        f"{user} {'may' if may_create else 'may not'} create tables in {schema}",
        "" if may_create else f"GRANT CREATE, USAGE ON SCHEMA {schema} TO {user};",
    )
    writable = not replica and read_only == "off"
    yield CheckMade("writable", writable, "yes" if writable else "no", "" if writable else "Use the primary's URL.")
    has_vector = "vector " in f"{extensions} " or bool(available)
    yield CheckMade(
        "extensions",
        has_vector,
        f"{extensions}{'' if 'vector' in extensions or not available else '; vector is available'}",
        "" if has_vector else "Gaia's migrations need pgvector: install it on the server.",
    )


def _check_ledger(runner: MigrationRunner, connection: psycopg.Connection) -> CheckMade:
    try:
        ledger = read_ledger(connection)
    except RunnerError as error:
        return CheckMade("ledger", False, error.message, error.hint)
    if ledger.environment and runner.environment and ledger.environment != runner.environment:
        return CheckMade("ledger", False, f"the database says that it is {ledger.environment}", "Check the URL.")
    said = f", says that it is {ledger.environment}" if ledger.environment else ""
    return CheckMade("ledger", True, f"{len(ledger.checksums)} applied{said}" if ledger.exists else "none yet")
