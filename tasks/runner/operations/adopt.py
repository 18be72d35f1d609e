"""Writing an adoption to a database: under the lock, in one transaction, if nothing changed since it was examined.

The adoptions are packed into one argument, so that a run on another machine writes exactly what was confirmed.
"""

from __future__ import annotations

import base64
import hashlib
import json
import time
import zlib
from collections.abc import Iterator, Sequence
from datetime import datetime

import psycopg

from tasks.catalog import Catalog, read_catalog
from tasks.runner.clock import count_ms
from tasks.runner.database.session import connect
from tasks.runner.errors import RefusedError, UsageError
from tasks.runner.events import AdoptionWritten, Event
from tasks.runner.execution.migration_runner import MigrationRunner
from tasks.runner.files.checkout import Migrations, read_migrations
from tasks.runner.identity import read_revision
from tasks.runner.ledger.alembic import find_version_table
from tasks.runner.ledger.creation import create_tables
from tasks.runner.ledger.damage import find_damage
from tasks.runner.ledger.environment_label import check_environment, record_environment
from tasks.runner.ledger.foreign import OtherLedger, find_other_ledger
from tasks.runner.ledger.reading import Ledger, read_ledger
from tasks.runner.ledger.renames import apply_renames, filter_renames, read_renames
from tasks.runner.ledger.replaced import list_replacements, record_replacements
from tasks.runner.ledger.takeover import Adoption, record_adoptions, take_over
from tasks.runner.ledger.view import view_ledger
from tasks.runner.ledger.writing import Recorder
from tasks.runner.operations.migrate import start
from tasks.runner.planning.failures import describe_uncommitted
from tasks.runner.planning.plan import Plan


def adopt(runner: MigrationRunner, fingerprint: str, confirmed: Sequence[str]) -> Iterator[Event]:
    """Write the ledger's rows, each with its evidence in the log; nothing else in the database is changed.

    `fingerprint` is the result of `fingerprint_state` when the database was examined, `confirmed` are adoptions from `pack`.
    Raises RefusedError if the schema or the record has changed since, and UsageError for adoptions that cannot be unpacked.
    """
    yield start(runner, "adopt")
    started_at = time.monotonic()
    adoptions = tuple(adoption for word in confirmed for adoption in unpack(word))
    migrations = read_migrations(runner.migrations_dir)
    lock = runner.make_lock()
    kept = None
    try:
        yield from lock.acquire()
        name = f"migrate-run {runner.identity.run_id}"
        with connect(runner.url, name=name, ledger_owner=runner.ledger_owner) as connection:
            kept = _write(connection, runner, migrations, fingerprint, adoptions)
            record_environment(connection, read_ledger(connection), runner.belonging)
    except psycopg.Error as error:
        state = "The migrations are recorded; the name of the environment is not."
        if kept is None:
            state = describe_uncommitted(error, "Nothing was changed.")
        raise runner.explain(error, state) from error
    finally:
        lock.release()
    duration_ms = count_ms(started_at)
    yield AdoptionWritten(tuple(adoption.version for adoption in adoptions), kept, duration_ms)


def fingerprint_state(live: Catalog, recorded: Sequence[str], other: OtherLedger | None) -> str:
    """Return a hash of the state of a database: its schema, its ledger and the record of another tool."""
    rows = [] if other is None else [other.schema, other.tool.table, *map(repr, other.rows)]
    return hashlib.sha256(json.dumps([live.fingerprint, list(recorded), rows]).encode()).hexdigest()


def pack(adoptions: Sequence[Adoption]) -> str:
    """Return adoptions as one argument, without characters that a shell would change."""
    rows = [
        (each.version, each.evidence, each.applied_at.isoformat() if each.applied_at else "", each.checksum) for each in adoptions
    ]
    return base64.urlsafe_b64encode(zlib.compress(json.dumps(rows).encode())).decode()


def unpack(word: str) -> tuple[Adoption, ...]:
    """Return the adoptions in a result of `pack`; raises UsageError for any other text."""
    try:
        rows = json.loads(zlib.decompress(base64.urlsafe_b64decode(word)))
        return tuple(
            Adoption(version, evidence, datetime.fromisoformat(at) if at else None, *checksum)
            for version, evidence, at, *checksum in rows
        )
    except (ValueError, TypeError, zlib.error) as error:
        raise UsageError(
            "these adoptions cannot be read", hint="inv db.adopt --apply passes them.", state="Nothing was changed."
        ) from error


def read_state(
    connection: psycopg.Connection, runner: MigrationRunner, migrations: Migrations
) -> tuple[Catalog, Ledger, OtherLedger | None]:
    """Return a schema, the ledger under the current names, and another tool's record."""
    other = find_other_ledger(connection, find_version_table(migrations.folder))
    ledger = Ledger()
    if other is None or not other.is_in_the_way:
        ledger = read_ledger(connection)
        check_environment(ledger, runner.belonging)
        Plan("adopt", (), find_damage(connection, ledger)).raise_refusals()
        ledger = view_or_refuse(ledger, migrations)
    if ledger.checksums:
        other = None
    return read_catalog(connection), ledger, other


def view_or_refuse(recorded: Ledger, migrations: Migrations) -> Ledger:
    """Return a ledger under the names of a checkout; raises RefusedError if it has only a part of what a squash replaced."""
    ledger, _, findings = view_ledger(recorded, read_renames(migrations.folder, migrations.checksums), migrations.checksums)
    Plan("adopt", (), tuple(finding for finding in findings if finding.kind == "partial")).raise_refusals()
    return ledger


def _write(
    connection: psycopg.Connection,
    runner: MigrationRunner,
    migrations: Migrations,
    fingerprint: str,
    adoptions: tuple[Adoption, ...],
) -> str:
    """Write everything in one transaction, and return the new name of another tool's table."""
    live, recorded, other = read_state(connection, runner, migrations)
    if fingerprint_state(live, tuple(recorded.checksums), other) != fingerprint:
        raise RefusedError(
            "the schema or the ledger changed since it was examined",
            hint="Is it being changed manually or by a deploy? Run the command again when that has ended.",
            state="Nothing was changed.",
        )
    revision, kept = read_revision(runner.migrations_dir), ""
    renames = read_renames(migrations.folder, migrations.checksums)
    with connection.transaction():
        if other is not None and (other.is_in_the_way or not other.unread):
            kept = take_over(
                connection,
                other,
                adoptions,
                migrations=migrations,
                identity=runner.identity,
                revision=revision,
                readers=runner.ledger_readers,
                keep_text=runner.keep_text,
            )
        else:
            ledger = read_ledger(connection)
            _, todo = apply_renames(ledger, renames)
            if not ledger.current:
                create_tables(connection, ledger, runner.ledger_readers)
            recorder = Recorder(connection, ledger, runner.identity, revision, prepare=False, keep_text=runner.keep_text)
            recorder.record_renames(filter_renames(todo, ledger))
            record_adoptions(recorder, adoptions, migrations)
        record_replacements(connection, read_ledger(connection), list_replacements(renames))
    return kept
