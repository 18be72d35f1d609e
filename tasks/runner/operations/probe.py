"""Checks of a database that change nothing: whether a run would work."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import psycopg
from psycopg import sql

from tasks.postgres.quoting import show_identifier
from tasks.runner.command_lines import compose_command
from tasks.runner.database.addresses import describe_connection
from tasks.runner.database.own_connection import find_schemas
from tasks.runner.database.session import is_pooled
from tasks.runner.errors import RunnerError
from tasks.runner.events import CheckMade, Event, ProbeRead
from tasks.runner.execution.migration_runner import MigrationRunner
from tasks.runner.files.checkout import read_migrations, read_source
from tasks.runner.ledger.environment_label import check_environment
from tasks.runner.ledger.privileges import compose_revokes, describe_grants
from tasks.runner.ledger.reading import Ledger, read_ledger
from tasks.runner.operations.closing import find_ledger_access
from tasks.runner.operations.dangers import find_dangers
from tasks.runner.parsing.created_extensions import list_created_extensions
from tasks.runner.planning.faults import find_folder_faults

_FACTS = """
SELECT quote_ident(current_user), (SELECT quote_ident(nspname) FROM pg_namespace WHERE nspname = {schema}),
       (SELECT has_schema_privilege(oid, 'CREATE') FROM pg_namespace WHERE nspname = {schema}),
       pg_is_in_recovery(), current_setting('default_transaction_read_only') = 'on'
"""
_EXTENSIONS = """
SELECT coalesce(string_agg(extname || ' ' || extversion, ', ' ORDER BY extname), 'none')
  FROM pg_extension WHERE extname <> 'plpgsql'
"""
_MISSING_EXTENSIONS = """
SELECT needed.name,
       EXISTS (SELECT FROM pg_available_extensions a WHERE a.name = needed.name),
       EXISTS (SELECT FROM pg_available_extension_versions v, pg_roles r
                WHERE v.name = needed.name AND r.rolname = current_user
                  AND (r.rolsuper OR ((v.trusted OR NOT v.superuser)
                                      AND has_database_privilege(current_database(), 'CREATE'))))
  FROM unnest(%s::text[]) WITH ORDINALITY AS needed (name, number)
 WHERE NOT EXISTS (SELECT FROM pg_extension WHERE extname = needed.name)
 ORDER BY number
"""
_LEDGER_TABLES = """
SELECT coalesce(string_agg(c.oid::regclass::text, ', ' ORDER BY c.relname), ''), quote_ident(current_user)
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname = %s AND c.relkind = 'r' AND c.relname ~ '^schema_migrations(_log|_meta|_scripts|_seeds)?$'
   AND NOT (has_table_privilege(c.oid, 'SELECT') AND has_table_privilege(c.oid, 'INSERT')
            AND has_table_privilege(c.oid, 'UPDATE') AND has_table_privilege(c.oid, 'DELETE'))
"""
_WHERE = {"vector": "install pgvector on the server (https://github.com/pgvector/pgvector)."}
_FROM_PACKAGE = "install its package on the server."


def probe(runner: MigrationRunner) -> Iterator[Event]:
    """Check a database: version, privileges, pooler, extensions, and the ledger.

    Raises ConnectError if the connection fails; a later error of the server is a failed check.
    """
    checks: list[CheckMade] = []
    try:
        with runner.read() as connection:
            checks.append(CheckMade("database", True, describe_connection(connection)))
            checks += _check_server(connection)
            checks += _check_user(connection)
            checks.append(_check_extensions(connection, _list_needed(runner, connection)))
            checks += find_dangers(connection, find_schemas(connection), runner.environment)
            checks += _check_ledger(runner, connection)
    except RunnerError as error:
        if not checks:
            raise
        checks.append(CheckMade("ledger", False, error.message, error.hint))
    yield ProbeRead(tuple(checks))


def _check_server(connection: psycopg.Connection) -> Iterator[CheckMade]:
    number = connection.info.server_version
    yield CheckMade("server version", True, f"PostgreSQL {number // 10000}.{number % 10000}")
    if is_pooled(connection):
        found = "the connection goes through one, which limits the handling of lock waits"
        yield CheckMade("pooler", True, found, "Set DIRECT_DATABASE_URL to a direct connection, bypassing the pooler.")
    else:
        yield CheckMade("pooler", True, "none")


def _check_user(connection: psycopg.Connection) -> Iterator[CheckMade]:
    schema = next(iter(find_schemas(connection)), None)
    row = connection.execute(sql.SQL(_FACTS).format(schema=sql.Literal(schema))).fetchone()
    if row is None:
        return
    user, schema, may_create, replica, read_only = row
    if schema is None:
        hint = "CREATE SCHEMA public; or set search_path in the URL (?options=-csearch_path%3Dmyschema)."
        yield CheckMade("privileges", False, "search_path contains no schema that exists", hint)
    elif not may_create:
        hint = f"GRANT CREATE, USAGE ON SCHEMA {schema} TO {user};"
        yield CheckMade("privileges", False, f"{user} may not create tables in the schema {schema}", hint)
    else:
        yield CheckMade("privileges", True, f"{user} may create tables in the schema {schema}")
    if replica:
        hint = "Use the URL of the primary; on Fly that is port 5432, not 5433."
        yield CheckMade("writable", False, "this server is a read-only replica", hint)
    elif read_only:
        hint = f"ALTER ROLE {user} RESET default_transaction_read_only; or remove it from the URL, or use another user."
        yield CheckMade("writable", False, "default_transaction_read_only is on", hint)
    else:
        yield CheckMade("writable", True, "yes")


def _list_needed(runner: MigrationRunner, connection: psycopg.Connection) -> list[str]:
    """Return the extensions that migrations create which the ledger does not have; none if they cannot be read."""
    with suppress(RunnerError):
        migrations, ledger = read_migrations(runner.migrations_dir), read_ledger(connection, partial=True)
        pending = [version for version in migrations.checksums if version not in ledger.checksums]
        texts = [read_source(migrations.up_path(version)).text for version in pending]
        return list(dict.fromkeys(name for text in texts for name in list_created_extensions(text)))
    return []


def _check_extensions(connection: psycopg.Connection, needed: list[str]) -> CheckMade:
    """Return which extensions the database has, and whether it can get those that are needed."""
    row = connection.execute(_EXTENSIONS).fetchone()
    assert row is not None
    found, hints = [row[0]], []
    for name, available, may_create in connection.execute(_MISSING_EXTENSIONS, [needed]).fetchall():
        if not available:
            found.append(f"{name} is not available")
            hints.append(f"A pending migration creates the extension {name}: {_WHERE.get(name, _FROM_PACKAGE)}")
        elif not may_create:
            found.append(f"{name} is available, but this user may not create it")
            hints.append(f"Ask an administrator to run: CREATE EXTENSION {show_identifier(name)};")
        else:
            found.append(f"{name} is available")
    return CheckMade("extensions", not hints, "; ".join(found), "\n".join(hints))


def _check_ledger(runner: MigrationRunner, connection: psycopg.Connection) -> Iterator[CheckMade]:
    ledger = read_ledger(connection, partial=True)
    fault = next((each for each in find_folder_faults(connection, ledger, runner.migrations_dir) if each.refuses), None)
    if fault:
        yield CheckMade("ledger", False, fault.message, fault.hint)
        return
    if not ledger.exists:
        yield CheckMade("ledger", True, "none yet; the first run creates it")
        return
    check_environment(ledger, runner.belonging)
    environment = f", belongs to {ledger.environment}" if ledger.environment else ""
    row = connection.execute(_LEDGER_TABLES, [ledger.schema]).fetchone()
    barred, user = row or ("", "")
    if barred:
        hint = f"GRANT SELECT, INSERT, UPDATE, DELETE ON {barred} TO {user};"
        yield CheckMade("ledger", False, f"{user} may not read and write {barred}", hint)
    else:
        yield CheckMade("ledger", True, f"{len(ledger.checksums)} applied{environment}")
    yield from _check_privileges(runner, connection, ledger)


def _check_privileges(runner: MigrationRunner, connection: psycopg.Connection, ledger: Ledger) -> Iterator[CheckMade]:
    """Yield a warning if others than the owner may use the ledger, and one for readers that may not."""
    access = find_ledger_access(connection, ledger, runner.ledger_readers)
    repair = compose_command("db.repair", env=runner.environment)
    foreign = [grant for grant in access.grants if grant.is_foreign]
    if foreign:
        by_hand = [grant for grant in foreign if not grant.is_closable]
        hints = [f"Revoke that: {repair}"] if len(by_hand) < len(foreign) else []
        if by_hand:
            statements = "\n".join(f"  {statement};" for statement in compose_revokes(access, by_hand))
            hints.append(
                f"db.repair revokes nothing from roles of the current user, nor for another owner. As the owner:\n{statements}"
            )
        found = "\n".join(("roles other than the owner have privileges on it:", *describe_grants(access, foreign)))
        yield CheckMade("ledger privileges", True, found, "\n".join(hints), warning=True)
    if access.unknown_readers or access.lacking:
        found = ", ".join((*access.unknown_readers, *(reader for reader, _ in access.lacking)))
        hint = f"Create the roles that do not exist, then grant the privileges: {repair}"
        yield CheckMade(
            "ledger readers", True, f"LEDGER_READERS names roles that lack privileges on it: {found}", hint, warning=True
        )
