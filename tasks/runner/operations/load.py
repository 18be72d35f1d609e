"""Building a database from migrations/schema.sql: its schema and its ledger, in one transaction."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import suppress

import psycopg

from tasks.catalog import Catalog, read_catalog
from tasks.postgres.representable import count_characters
from tasks.runner.clock import count_ms
from tasks.runner.database.own_connection import find_own_settings
from tasks.runner.database.session import Execution, connect, read_encoding, roll_back, run_sql
from tasks.runner.errors import Interruption, Place, RefusedError, RunInterruptedError, StatementError
from tasks.runner.events import Event, FilesFound, NoticeRaised, RunFinished
from tasks.runner.execution.migration_runner import MigrationRunner
from tasks.runner.files.checkout import Migrations, SourceFile, read_migrations, read_source, show_path
from tasks.runner.files.schema_file import NAME, WRITE_HINT, SchemaFile, find_outdated, name_versions, parse_schema_file
from tasks.runner.identity import read_revision
from tasks.runner.ledger.creation import ensure_ledger
from tasks.runner.ledger.environment_label import check_environment, record_environment
from tasks.runner.ledger.expected_schema import ExpectationWriter
from tasks.runner.ledger.reading import read_ledger
from tasks.runner.ledger.renames import read_renames
from tasks.runner.ledger.replaced import list_replacements, record_replacements
from tasks.runner.ledger.takeover import Adoption, record_adoptions
from tasks.runner.ledger.writing import Recorder
from tasks.runner.operations.migrate import Approve, start
from tasks.runner.planning.failures import describe_uncommitted, find_place, is_lost
from tasks.runner.planning.fault import build_fault
from tasks.runner.planning.faults import find_faults
from tasks.runner.planning.hints import hint_missing
from tasks.runner.planning.plan import Plan
from tasks.runner.planning.server_texts import describe_text
from tasks.runner.redaction import redact
from tasks.runner.signals import describe_signal

_EVERYWHERE = frozenset({"schema", "extension", "comment", "grant", "default privilege", "default privileges"})
"""The kinds of objects that an empty database may contain."""
_UNCHANGED = "Nothing was changed."
_ROLLED_BACK = "Everything was rolled back."
_LOAD_HINT = "inv db.migrate runs the migrations instead, and shows which statement fails."
_DENIED = "42501"
_MEMBER_HINT = "Load it as the role that runs the migrations: it must be a member of each role that FOR ROLE names."
_MAINTAIN_SINCE = 170000
_MAINTAIN = re.compile(r"(?<=,)MAINTAIN,|,MAINTAIN(?= ON )|(?<= )MAINTAIN,")
_GRANT = re.compile(r"^(?:GRANT|REVOKE|ALTER DEFAULT PRIVILEGES) .*\bMAINTAIN\b.*;$", re.MULTILINE)


def load_schema(runner: MigrationRunner, approve: Approve | None = None) -> Iterator[Event]:
    """Create the schema of the schema file in an empty database, and record its migrations as applied, once that is approved.

    Raises RefusedError if the database is not empty, or if the file does not match the migrations of this checkout.
    """
    yield start(runner, "load")
    started_at = time.monotonic()
    migrations = read_migrations(runner.migrations_dir)
    path = migrations.folder / NAME
    if not path.exists():
        raise RefusedError(
            f"there is no {show_path(path)}",
            hint=f"{WRITE_HINT}\nOr migrate this database: inv db.migrate",
            state=_UNCHANGED,
            place=Place(show_path(path)),
        )
    source = read_source(path)
    schema = parse_schema_file(source.text, source.shown)
    refuse_outdated(schema, migrations, source.shown)
    yield FilesFound(len(schema.checksums))
    if schema.writing:
        yield _warn_about_rows(schema)
    pending = [version for version in migrations.checksums if version not in schema.checksums]
    if pending:
        yield _warn_about_pending(pending)
    if approve is not None:
        approve()
    lock = runner.make_lock()
    try:
        yield from lock.acquire()
        name, owner = f"migrate-run {runner.identity.run_id}", runner.ledger_owner
        with connect(runner.url, name=name, runs_files=True, ledger_owner=owner) as connection:
            _load(runner, connection, migrations, source, schema)
    except psycopg.Error as error:
        raise runner.explain(error, describe_uncommitted(error, _ROLLED_BACK)) from error
    finally:
        lock.release()
    yield RunFinished("load", len(schema.checksums), count_ms(started_at))


def refuse_outdated(schema: SchemaFile, migrations: Migrations, shown: str) -> None:
    """Raise RefusedError if the schema file was made from other migrations than those of the folder, or from none of them."""
    outdated = find_outdated(schema, migrations)
    if not schema.checksums and migrations.checksums:
        raise RefusedError(
            f"{shown} is out of date: it contains none of the {len(migrations.checksums)} migrations",
            hint=f"{WRITE_HINT}\nOr migrate this database: inv db.migrate",
            state=_UNCHANGED,
            place=Place(shown),
        )
    if outdated:
        raise RefusedError(
            f"{shown} does not match these migrations: {', '.join(outdated)}",
            hint=WRITE_HINT,
            state=_UNCHANGED,
            place=Place(shown),
        )


def _load(
    runner: MigrationRunner, connection: psycopg.Connection, migrations: Migrations, source: SourceFile, schema: SchemaFile
) -> None:
    """Load the schema and record the migrations in one transaction; the caller has the lock."""
    ledger = read_ledger(connection)
    check_environment(ledger, runner.belonging)
    Plan("load", (), find_faults(connection, ledger, None)).raise_refusals()
    _refuse_nonempty(bool(ledger.checksums), read_catalog(connection))
    if not ledger.current:
        ledger = ensure_ledger(connection, ledger, runner.ledger_readers)
    record_environment(connection, ledger, runner.belonging)
    expecter = ExpectationWriter(ledger, watch=runner.watch_drift)
    try:
        run_sql(connection, "BEGIN")
        _run_body(runner, connection, source, schema)
        run_sql(connection, f"RESET SESSION AUTHORIZATION; RESET ROLE; RESET ALL; {find_own_settings(connection)}")
        revision, keep = read_revision(runner.migrations_dir), runner.keep_text
        recorder = Recorder(connection, ledger, runner.identity, revision, prepare=False, keep_text=keep)
        record_adoptions(recorder, (Adoption(version, f"loaded from {NAME}") for version in schema.checksums), migrations)
        replacements = list_replacements(read_renames(migrations.folder, migrations.checksums))
        record_replacements(connection, ledger, replacements)
        run_sql(connection, "COMMIT")
    except BaseException:
        if not is_lost(connection):
            with suppress(psycopg.Error):
                roll_back(connection)
        raise
    expecter.begin(connection)
    expecter.settle(connection)


def _fit_privileges(body: str, server_version: int) -> str:
    """Return the SQL without the privilege MAINTAIN in lists, of the same length, for a server that does not have it.

    The file lists it where migrations revoked others of ALL. https://www.postgresql.org/docs/release/17.0/
    """
    if server_version >= _MAINTAIN_SINCE:
        return body
    return _GRANT.sub(lambda grant: _MAINTAIN.sub(lambda each: " " * len(each[0]), grant[0]), body)


def _run_body(runner: MigrationRunner, connection: psycopg.Connection, source: SourceFile, schema: SchemaFile) -> None:
    try:
        Execution(connection, _fit_privileges(schema.body, connection.info.server_version), stop=runner.stop).finish()
    except Interruption as stopped:
        raise RunInterruptedError(
            f"stopped by {describe_signal(stopped.signal_name)}",
            hint="Run the same command again.",
            state=_ROLLED_BACK,
        ) from stopped
    except psycopg.Error as error:
        text = source.text.replace("\r\n", "\n")
        at = error.diag.statement_position
        before = count_characters(schema.body, int(at) - 1, read_encoding(connection)) if at else 0
        place = find_place(text, source.shown, len(text) - len(schema.body) + before) if at else Place(source.shown)
        member = _MEMBER_HINT if error.sqlstate == _DENIED else ""
        raise StatementError(
            redact(describe_text(error), runner.url, statement=schema.body),
            hint="\n".join(filter(None, (error.diag.message_hint, member, hint_missing(build_fault(error)), _LOAD_HINT))),
            state=_ROLLED_BACK,
            place=place,
            sqlstate=error.sqlstate or "",
        ) from error


def _refuse_nonempty(has_rows: bool, catalog: Catalog) -> None:
    objects = [str(key) for key in catalog.objects if key.kind not in _EVERYWHERE]
    if has_rows or objects:
        content = "a ledger with applied migrations" if has_rows else objects[0]
        raise RefusedError(
            f"the database is not empty: it contains {content}",
            hint="Load into a new database (set DATABASE_URL, then inv db.create), or migrate this one: inv db.migrate",
            state=_UNCHANGED,
        )


def _warn_about_rows(schema: SchemaFile) -> NoticeRaised:
    versions = ", ".join(sorted(schema.writing))
    message = f"these migrations also write rows, which {NAME} does not contain: {versions}"
    return NoticeRaised(NAME, "WARNING", message)


def _warn_about_pending(pending: list[str]) -> NoticeRaised:
    message = f"it is out of date and does not contain {name_versions(pending)}: after the load, run inv db.migrate"
    return NoticeRaised(NAME, "WARNING", f"{message}\n{WRITE_HINT}")
