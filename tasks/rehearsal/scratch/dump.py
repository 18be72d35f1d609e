"""A schema as readable SQL: the output of the embedded server's pg_dump without comments and settings.

The text is the same for the same schema from each version of the server: see `dump_text.py`.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Sequence
from itertools import groupby

from psycopg.conninfo import make_conninfo

from tasks.postgres.server import embedded
from tasks.postgres.tokens import COMMENTS, SPACE, tokenize
from tasks.programs.service_file import list_parameters, open_service
from tasks.rehearsal.scratch.dump_secrets import hide_options
from tasks.rehearsal.scratch.dump_text import settle
from tasks.rehearsal.scratch.extensions import read_statement
from tasks.rehearsal.scratch.policies import compose_force, list_forced
from tasks.rehearsal.scratch.roles import find_named
from tasks.rehearsal.scratch.server import ScratchDatabase
from tasks.runner.database.session import connect, run_sql
from tasks.runner.errors import RunnerError
from tasks.runner.redaction import redact

_LEDGER = "*.schema_migrations*"
_KEPT_SETTINGS = "SET check_function_bodies = false;\nSELECT pg_catalog.set_config('search_path', '', false);\n"
"""Needed to load the text: a function may refer to a table that is created after it."""
_USUAL = re.compile(
    r"SET \w+ = |SELECT pg_catalog\.set_config\('search_path'"
    r"|(CREATE SCHEMA public|COMMENT ON SCHEMA public IS 'standard public schema')$"
)
"""Settings, and what every database has."""
_PUBLIC_OF_14 = ("REVOKE USAGE ON SCHEMA public FROM PUBLIC", "GRANT ALL ON SCHEMA public TO PUBLIC")
"""What pg_dump writes for the schema public of each database on 14, where everyone may create objects in it.

15 removed that privilege: https://www.postgresql.org/docs/release/15.0/.
"""
_GRANTED_UNTIL = 14
_EXTENSION = re.compile(r"(?:CREATE|COMMENT ON) EXTENSION ")
_RESTRICT = re.compile(r"^\\restrict (\w+)$", re.MULTILINE)
_WITH_OWN_COMMENT = """
SELECT pg_catalog.quote_ident(e.extname) FROM pg_catalog.pg_extension e
  JOIN pg_catalog.pg_available_extensions a
    ON a.name = e.extname AND a.comment = pg_catalog.obj_description(e.oid, 'pg_extension')
"""
"""The extensions whose comment is that of the package, which is not the same everywhere."""
_SOURCE = re.compile(r"^-- Dumped from database version (\d+)", re.MULTILINE)


def dump_as_is(url: str, *, owner: str = "", timeout_s: float | None = None) -> str:
    """Return the schema of a database as SQL, without the ledger, owners, subscriptions and options that are secret.

    `owner` is the owner of its objects, by default the role of the URL. Raises RunnerError if pg_dump fails, or does not finish
    within `timeout_s` seconds.
    """
    role, extensions = _read_facts(url)
    return clean_dump(_run_pg_dump(url, timeout_s=timeout_s), hide_options, owner=owner or role, extensions=extensions)


def dump_scratch(database: ScratchDatabase) -> str:
    """Return the schema of a scratch database likewise, as the administrator: migrations may revoke rights of their own role."""
    server = database.server
    return dump_as_is(make_conninfo(server.url, dbname=database.name), owner=server.role)


def _read_facts(url: str) -> tuple[str, tuple[str, ...]]:
    """Return the role that a URL logs in as, and the extensions that have the comment of their package, as SQL writes them."""
    with connect(url, name="migrate-dump") as connection:
        (role,) = connection.execute("SELECT pg_catalog.quote_ident(current_user)").fetchone() or ("",)
        return role, tuple(row[0] for row in connection.execute(_WITH_OWN_COMMENT))


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
        owner, extensions = _read_facts(url)
        text = clean_dump(_run_pg_dump(url, "--column-inserts"), owner=owner, extensions=extensions)
        statements = [compose_force(table, "FORCE") for table in forced]
        for statement in statements:
            connection.execute(statement)
        return "\n".join([text, *(f"{statement.as_string(connection)};\n" for statement in statements)])


def clean_dump(text: str, change: Callable[[str], str] = str, *, owner: str, extensions: Sequence[str] = ()) -> str:
    """Return a dump without comments, settings, and what every database has; `change` each statement.

    The role that loads the text takes the place of `owner`. The comments of these `extensions` are left out.
    """
    source = _SOURCE.search(text)
    major = int(source[1]) if source else int(embedded.MAJOR_VERSION)
    usual = _PUBLIC_OF_14 if major <= _GRANTED_UNTIL else ()
    # Commands of psql that protect it against a malicious server; the key is random.
    if restrict := _RESTRICT.search(text):
        text = re.sub(rf"^\\(un)?restrict {restrict[1]}$", "", text, flags=re.MULTILINE)
    comments = tuple(f"COMMENT ON EXTENSION {name} IS " for name in extensions)
    own = [each for each in _split(text) if each not in usual and not _USUAL.match(each) and not each.startswith(comments)]
    return "\n".join([_KEPT_SETTINGS, *(f"{settle(change(statement), major=major, owner=owner)};\n" for statement in own)])


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
    options = [content, "--encoding=UTF8", "--no-owner", "--no-tablespaces", "--no-subscriptions", f"--exclude-table={_LEDGER}"]
    if timeout_s is not None:
        options.append(f"--lock-wait-timeout={round(timeout_s * 100)}")
    with open_service(list_parameters(url)) as variables:
        command = [str(program), *options]
        environment = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", **variables}
        try:
            result = subprocess.run(command, env=environment, capture_output=True, check=False, timeout=timeout_s)
        except subprocess.TimeoutExpired as error:
            raise RunnerError(f"pg_dump did not finish within {timeout_s:g} s") from error
    if result.returncode != 0:
        raise RunnerError(redact(result.stderr.decode(errors="replace").strip() or "pg_dump failed", url))
    # Decoded here: subprocess would read each carriage return in a literal as the end of a line.
    return result.stdout.decode()
