"""Keep migrations/schema.sql up to date with the local database, so that a reviewer sees what a migration changes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from tasks.checkout.writing import write_file
from tasks.config.environments import PROJECT
from tasks.postgres.server.cluster import ServerError
from tasks.runner.errors import RunnerError
from tasks.runner.events import Event, RunFinished, SchemaWritten
from tasks.runner.files.checkout import Migrations, read_migrations, read_source, show_path
from tasks.runner.files.schema_file import NAME, SchemaFile
from tasks.runner.ledger.line_ends import ignore_line_ends
from tasks.runner.ledger.reading import read_ledger
from tasks.runner.redaction import redact

if TYPE_CHECKING:
    from tasks.runner.execution.migration_runner import MigrationRunner

_WRITING = frozenset({"InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt", "CopyStmt"})
"""The parser's names of the statements that change rows."""


def keep_schema_file(events: Iterator[Event], runner: MigrationRunner) -> Iterator[Event]:
    """Yield the events of a run, and write the schema file before the last one if the run changed something."""
    for event in events:
        if isinstance(event, RunFinished) and not event.dry_run:
            yield from write_schema_file(runner, changed=event.steps > 0 or event.renamed > 0)
        yield event


def write_schema_file(runner: MigrationRunner, *, changed: bool = True) -> Iterator[SchemaWritten]:
    """Write the file if the schema `changed` or there is none yet; a problem is reported, and stops nothing.

    A flat folder has none: there every .sql file is a migration.
    """
    path = runner.migrations_dir / NAME
    if not (changed or not path.exists()):
        return
    try:
        migrations = read_migrations(runner.migrations_dir)
        if migrations.flat:
            return
        text = _compose(runner, migrations)
        if path.exists() and path.read_bytes() == text.encode():
            return
        write_file(path, text.encode(), within=runner.migrations_dir)
    except (RunnerError, ServerError) as error:
        yield SchemaWritten(show_path(path), redact(error.message, runner.url))
    except OSError as error:
        yield SchemaWritten(show_path(path), error.strerror or str(error))
    else:
        yield SchemaWritten(show_path(path))


def _compose(runner: MigrationRunner, migrations: Migrations) -> str:
    from tasks.rehearsal.scratch.dump import dump_schema

    with runner.read() as connection:
        applied = ignore_line_ends(connection, read_ledger(connection), migrations).checksums
    unknown = sorted(version for version, checksum in applied.items() if migrations.checksums.get(version) != checksum)
    if unknown:
        raise RunnerError(f"the database has {unknown[0]}, which this checkout does not have as it was applied")
    body = dump_schema(runner.url, embedded_directory=PROJECT / ".postgres")
    checksums = {version: migrations.checksums[version] for version in applied}
    return SchemaFile(body, checksums, frozenset(v for v in checksums if _writes_rows(migrations.up_path(v)))).write()


def _writes_rows(path: Path) -> bool:
    """Return True if a statement of a migration changes rows, which a schema does not contain."""
    from tasks.runner.parsing import read_script

    source = read_source(path)
    script = read_script(source.text, file=source.shown, version=path.stem)
    return any(statement.kind in _WRITING for statement in script.statements)
