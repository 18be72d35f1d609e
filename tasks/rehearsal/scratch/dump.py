"""A schema as readable SQL: the output of the embedded server's pg_dump without comments and settings.

pg_dump also dumps an older server's schema, but views in the format of that server. To get the same text for the same schema, the
dump of another version is restored into a scratch database of the embedded server, and dumped from there. With objects that only
a superuser can create, it is used as it is.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from itertools import groupby
from pathlib import Path

import psycopg

from tasks.catalog.normalising import join_casts
from tasks.postgres.server import embedded
from tasks.postgres.tokens import COMMENTS, SPACE, tokenize
from tasks.rehearsal.scratch.dump_secrets import hide_options
from tasks.rehearsal.scratch.extensions import UnsafeExtensionError, read_statement
from tasks.rehearsal.scratch.policies import compose_force, list_forced
from tasks.rehearsal.scratch.program_secrets import pass_secrets
from tasks.rehearsal.scratch.roles import find_named
from tasks.rehearsal.scratch.server import ScratchDatabase, open_server
from tasks.runner.database.session import connect, run_sql
from tasks.runner.errors import RunnerError
from tasks.runner.planning.server_texts import describe_text
from tasks.runner.redaction import redact

_LEDGER = "*.schema_migrations*"
_SETTINGS = re.compile(r"(SET \w+ = |SELECT pg_catalog\.set_config\('search_path')")
_KEPT_SETTINGS = "SET check_function_bodies = false;\nSELECT pg_catalog.set_config('search_path', '', false);\n"
"""Needed to load the text: a function may refer to a table that is created after it."""
_OWNER = re.compile(r"ALTER DEFAULT PRIVILEGES FOR ROLE \S+ ")
_TEXTS = ("CREATE FUNCTION", "CREATE PROCEDURE", "COMMENT")
"""Statements that contain free text, which must not change."""
_PUBLIC = re.compile(r"(CREATE SCHEMA public|COMMENT ON SCHEMA public IS 'standard public schema')$")
_PUBLIC_OF_14 = ("REVOKE USAGE ON SCHEMA public FROM PUBLIC", "GRANT ALL ON SCHEMA public TO PUBLIC")
"""What pg_dump writes for the schema public of each database on 14, where everyone may create objects in it.

15 removed that privilege: https://www.postgresql.org/docs/release/15.0/.
"""
_GRANTED_UNTIL = 14
_EXTENSION = re.compile(r"(?:CREATE|COMMENT ON) EXTENSION ")
_SOURCE = re.compile(r"^-- Dumped from database version (\d+)", re.MULTILINE)


def dump_schema(url: str, *, embedded_directory: Path) -> str:
    """Return the schema of a database as SQL, without the ledger, owners, subscriptions and options that are secret.

    Raises RunnerError if the embedded server's pg_dump cannot dump it, or the embedded server cannot load it.
    """
    with connect(url, name="migrate-dump") as connection:
        major = connection.info.server_version // 10000
    text = dump_as_is(url)
    if major == int(embedded.MAJOR_VERSION):
        return text
    server = open_server("", embedded_directory=embedded_directory)
    with server.make() as scratch:
        try:
            load_dump(scratch, text)
        except (psycopg.errors.InsufficientPrivilege, UnsafeExtensionError):
            # Only a superuser can create some of its objects, and what comes from a database runs as none.
            return text
        except psycopg.Error as error:
            reason = redact(describe_text(error), url, statement=text)
            raise RunnerError(f"the embedded server cannot load this schema: {reason}") from error
        return dump_as_is(scratch.url)


def dump_as_is(url: str, *, timeout_s: float | None = None) -> str:
    """Return the schema of a database as SQL, in the format of its server's version, without what `dump_schema` leaves out.

    Raises RunnerError if the embedded server's pg_dump cannot dump it, or not within `timeout_s` seconds.
    """
    return clean_dump(_run_pg_dump(url, timeout_s=timeout_s), hide_options)


def load_dump(database: ScratchDatabase, text: str) -> None:
    """Load a dump into an empty scratch database, as its role; the administrator creates the extensions.

    Roles that it names and the server lacks are made. Raises UnsafeExtensionError or psycopg.Error.
    """
    database.server.make_roles(find_named(text))
    if not database.server.limited:
        _load(database, text)
        return
    for about_extensions, group in groupby(_split(text), lambda statement: bool(_EXTENSION.match(statement))):
        statements = list(group)
        if not about_extensions:
            _load(database, _KEPT_SETTINGS + "".join(f"{statement};\n" for statement in statements))
            continue
        for statement in statements:
            wanted = read_statement(statement, "CreateExtensionStmt" if statement.startswith("CREATE") else "CommentStmt")
            if wanted is not None:
                database.server.administer_extension(database, wanted, "public")


def _load(database: ScratchDatabase, text: str) -> None:
    with connect(database.url, name="migrate-dump") as connection:
        run_sql(connection, text)


def dump_with_rows(url: str) -> str:
    """Return schema and rows of a database as SQL, without ledger and owners; indexes, foreign keys and triggers come last.

    Raises RunnerError if the embedded server's pg_dump cannot dump it.
    """
    with connect(url, name="migrate-dump") as connection:
        forced = list_forced(connection)
        for table in forced:
            connection.execute(compose_force(table, "NO FORCE"))
        text = clean_dump(_run_pg_dump(url, "--column-inserts"))
        statements = [compose_force(table, "FORCE") for table in forced]
        for statement in statements:
            connection.execute(statement)
        return "\n".join([text, *(f"{statement.as_string(connection)};\n" for statement in statements)])


def clean_dump(text: str, change: Callable[[str], str] = str) -> str:
    """Return a dump without comments, settings, and what every database of the server's version has; `change` each statement."""
    source = _SOURCE.search(text)
    usual = _PUBLIC_OF_14 if source is not None and int(source[1]) <= _GRANTED_UNTIL else ()
    # Commands of psql that protect it against a malicious server.
    text = re.sub(r"^\\(un)?restrict .*\n", "", text, flags=re.MULTILINE)
    own = [each for each in _split(text) if each not in usual and not _SETTINGS.match(each) and not _PUBLIC.match(each)]
    return "\n".join([_KEPT_SETTINGS, *(f"{change(_settle(statement))};\n" for statement in own)])


def _settle(statement: str) -> str:
    """Return a statement without the owner, and without casts that a restored dump has in addition."""
    if statement.startswith(_TEXTS):
        return statement
    return join_casts(_OWNER.sub("ALTER DEFAULT PRIVILEGES ", statement))


def _split(text: str) -> list[str]:
    """Return the statements of a dump without the comments between them."""
    statements, start, depth = [], -1, 0
    for token in tokenize(text, skip=SPACE):
        if token.kind in COMMENTS and start < 0:
            continue
        if start < 0:
            start = token.start
        # The body of a routine may be written without quotes: BEGIN ATOMIC …; …; END.
        if token.text == "BEGIN" and text[token.end :].lstrip().startswith("ATOMIC"):
            depth = 1
        elif depth and token.text in ("CASE", "END"):
            depth += 1 if token.text == "CASE" else -1
        elif token.text == ";" and not depth:
            statements.append(text[start : token.start])
            start = -1
    return statements


def _run_pg_dump(url: str, content: str = "--schema-only", *, timeout_s: float | None = None) -> str:
    """Run the embedded server's pg_dump on the server that the URL leads to, whatever the environment of pg_dump.

    With a time limit, a tenth of it is the longest wait for locks on tables.
    """
    program = embedded.find_programs() / "pg_dump"
    options = [content, "--no-owner", "--no-tablespaces", "--no-subscriptions", f"--exclude-table={_LEDGER}"]
    if timeout_s is not None:
        options.append(f"--lock-wait-timeout={round(timeout_s * 100)}")
    with pass_secrets(url) as (conninfo, variables):
        command = [str(program), *options, f"--dbname={conninfo}"]
        environment = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", **variables}
        try:
            result = subprocess.run(
                command, env=environment, capture_output=True, encoding="utf-8", check=False, timeout=timeout_s
            )
        except subprocess.TimeoutExpired as error:
            raise RunnerError(f"pg_dump did not finish within {timeout_s:g} s") from error
    if result.returncode != 0:
        raise RunnerError(redact(result.stderr.strip() or "pg_dump failed", url))
    return result.stdout
