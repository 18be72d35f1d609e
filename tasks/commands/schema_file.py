"""Keep migrations/schema.sql up to date with the migrations, so that a reviewer sees what a migration changes.

Its text comes from a replay of the files on the scratch server. So it does not contain what was changed in a database by hand,
and is the same whatever version of PostgreSQL the database has.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from difflib import unified_diff
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg

from tasks.catalog import COLUMN_ORDER, Catalog, Difference, compare, read_catalog, show_difference
from tasks.checkout.writing import refuse_links, write_file
from tasks.commands.scratch import open_scratch
from tasks.postgres.server.cluster import ServerError
from tasks.runner.errors import RefusedError, RunnerError
from tasks.runner.events import Event, NoticeRaised, RunFinished, SchemaChecked, SchemaWritten
from tasks.runner.files.checkout import Migrations, read_migrations, read_source, show_path
from tasks.runner.files.schema_file import NAME, WRITE_HINT, SchemaFile, describe_staleness
from tasks.runner.ledger.line_ends import ignore_line_ends
from tasks.runner.ledger.reading import read_ledger
from tasks.runner.ledger.tool_tables import exclude_tool_tables
from tasks.runner.planning.server_texts import describe_text
from tasks.runner.redaction import redact

if TYPE_CHECKING:
    from tasks.rehearsal.replay.left_out import LeftOut
    from tasks.rehearsal.replay.schema_replay import ReplayedSchema
    from tasks.rehearsal.scratch.server import ScratchServer
    from tasks.runner.execution.migration_runner import MigrationRunner
    from tasks.runner.settings import Settings

_WRITING = frozenset({"InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt", "CopyStmt"})
"""The parser's names of the statements that change rows."""
TIMEOUT_S = 600
_MOST_LINES = 40
_UNCHANGED = f"{NAME} is unchanged. No database was changed."


@dataclass(frozen=True, slots=True)
class _Live:
    """What the local database has: the versions that are applied, and its schema."""

    versions: frozenset[str]
    catalog: Catalog
    server_version: int


def keep_schema_file(events: Iterator[Event], runner: MigrationRunner, settings: Settings) -> Iterator[Event]:
    """Yield the events of a run, and write the schema file before the last one if the run changed something."""
    for event in events:
        if isinstance(event, RunFinished) and not event.dry_run:
            for written in write_schema_file(runner, settings, changed=event.steps > 0 or event.renamed > 0):
                yield replace(written, action=event.action) if isinstance(written, SchemaWritten) else written
        yield event


def write_schema_file(runner: MigrationRunner, settings: Settings, *, changed: bool = True) -> Iterator[Event]:
    """Write the file if the schema `changed` or there is none yet; else report whether it is out of date.

    A problem is reported, and stops nothing. A flat folder has no such file: there every .sql file is a migration.
    """
    path = runner.migrations_dir / NAME
    shown = show_path(path)
    try:
        migrations = read_migrations(runner.migrations_dir)
        if migrations.flat:
            return
        needed = changed or not path.exists()
        live = _read_live(runner, migrations, with_schema=needed)
        if not needed:
            stale = describe_staleness(migrations, live.versions)
            if stale:
                yield NoticeRaised(NAME, "WARNING", f"{stale}\n{WRITE_HINT}")
            return
        # Nothing is replayed for a file that cannot be written.
        refuse_links([path], runner.migrations_dir)
        text, written = _compose(runner, settings, migrations, live)
        written = replace(written, path=shown, unchanged=_write(path, text))
    except (RunnerError, ServerError) as error:
        place = f"{error.place}: " if isinstance(error, RunnerError) and error.place else ""
        yield SchemaWritten(shown, f"{place}{redact(error.message, runner.url)}", hint=error.hint)
    except psycopg.Error as error:
        yield SchemaWritten(shown, redact(describe_text(error), runner.url))
    except OSError as error:
        yield SchemaWritten(shown, error.strerror or str(error))
    else:
        if written.differences or not written.unchanged:
            yield written


def write_from_files(settings: Settings, *, check: bool, as_superuser: bool, timeout_s: float) -> Iterator[Event]:
    """Write the file from all migration files, or `check` whether it is what they make; no other database is read.

    Raises RefusedError for a flat folder, and if statements need rights that the rehearsal does not have.
    """
    migrations = read_migrations(settings.migrations_dir)
    path = migrations.folder / NAME
    if migrations.flat:
        raise RefusedError(
            f"{show_path(migrations.folder)} has no up/ and down/: in a flat folder, {NAME} would be a migration",
            hint="Move the migrations to up/: inv db.cleanup-legacy",
            state=_UNCHANGED,
        )
    if not check:
        refuse_links([path], migrations.folder)
    with open_scratch(settings, as_superuser=as_superuser) as server:
        replayed = _replay(server, migrations, migrations.checksums, timeout_s)
    if replayed.left_out:
        raise RefusedError(
            f"the rehearsal's role may not do what these statements do, so the schema is not known:\n{_list(replayed.left_out)}",
            hint="If you trust the migrations, replay them with all rights of the scratch server's role: "
            "inv db.schema --as-superuser",
            state=_UNCHANGED,
        )
    text = _make_file(replayed.text, migrations, migrations.checksums)
    if check:
        yield SchemaChecked(show_path(path), _diff(path, text))
    else:
        unchanged = _write(path, text)
        yield SchemaWritten(show_path(path), unchanged=unchanged)


def _read_live(runner: MigrationRunner, migrations: Migrations, *, with_schema: bool) -> _Live:
    """Return what the local database has; raises RunnerError for a version that this checkout does not have as it was applied."""
    with runner.read() as connection:
        applied = ignore_line_ends(connection, read_ledger(connection), migrations).checksums
        unknown = sorted(version for version, checksum in applied.items() if migrations.checksums.get(version) != checksum)
        if unknown:
            raise RunnerError(f"the database has {unknown[0]}, which this checkout does not have as it was applied")
        catalog = read_catalog(connection) if with_schema else Catalog()
        return _Live(frozenset(applied), catalog, connection.info.server_version)


def _compose(runner: MigrationRunner, settings: Settings, migrations: Migrations, live: _Live) -> tuple[str, SchemaWritten]:
    """Return the text of the file, and what to report about it.

    What the replay leaves out for lack of rights is taken from the database, if nothing else differs.
    """
    from tasks.rehearsal.replay.left_out import exclude_left_out
    from tasks.rehearsal.scratch.dump import dump_as_is
    from tasks.rehearsal.scratch.opening import check_version

    with open_scratch(settings, target=runner.url) as server:
        check_version(server, live.server_version)
        replayed = _replay(server, migrations, live.versions, TIMEOUT_S)
    actual = exclude_tool_tables(live.catalog, made=replayed.catalog)
    changes = exclude_left_out(compare(replayed.catalog, actual), replayed.left_out).without({COLUMN_ORDER})
    body, differences = replayed.text, _name(changes)
    if replayed.left_out:
        if changes or actual != live.catalog:
            raise RunnerError(
                "the rehearsal's role may not do what these statements do, and the database has other changes"
                f" ({', '.join(differences) or 'the record of another tool'}):\n{_list(replayed.left_out)}",
                hint="If you trust the migrations, write it from the files: inv db.schema --as-superuser",
            )
        body = dump_as_is(runner.url)
    unchecked = tuple(entry.shown for entry in replayed.left_out)
    return _make_file(body, migrations, live.versions), SchemaWritten("", differences=differences, unchecked=unchecked)


def _replay(server: ScratchServer, migrations: Migrations, versions: Iterable[str], timeout_s: float) -> ReplayedSchema:
    """Replay versions in the order of their names: the text depends on the files, not on the order in which they were applied."""
    from tasks.rehearsal.model import read_migration_pairs
    from tasks.rehearsal.replay.schema_replay import replay_schema

    return replay_schema(server, read_migration_pairs(migrations, sorted(versions), with_downs=False), timeout_s=timeout_s)


def _make_file(body: str, migrations: Migrations, versions: Iterable[str]) -> str:
    checksums = {version: migrations.checksums[version] for version in versions}
    return SchemaFile(body, checksums, frozenset(v for v in checksums if _writes_rows(migrations.up_path(v)))).write()


def _write(path: Path, text: str) -> bool:
    """Write the file if it differs; return True if it does not."""
    if path.exists() and path.read_bytes() == text.encode():
        return True
    write_file(path, text.encode(), within=path.parent)
    return False


def _diff(path: Path, text: str) -> tuple[str, ...]:
    """Return the first lines of the difference from the file to what it should contain; none if it is up to date."""
    data = path.read_bytes() if path.exists() else b""
    if data.replace(b"\r\n", b"\n") == text.encode():
        return ()
    before = data.decode(errors="replace").split("\n")
    lines = unified_diff(before, text.split("\n"), show_path(path), "from the files", n=0, lineterm="")
    return tuple(islice(lines, _MOST_LINES))


def _name(changes: Difference) -> tuple[str, ...]:
    """Return the names of what changed, without the definitions, which may contain secrets."""
    return tuple(line for line in show_difference(changes) if not line.startswith(" "))


def _list(left_out: Iterable[LeftOut]) -> str:
    return "\n".join(f"  {entry.shown}" for entry in left_out)


def _writes_rows(path: Path) -> bool:
    """Return True if a statement of a migration changes rows, which a schema does not contain."""
    from tasks.runner.parsing import read_script

    source = read_source(path)
    script = read_script(source.text, file=source.shown, version=path.stem)
    return any(statement.kind in _WRITING for statement in script.statements)
