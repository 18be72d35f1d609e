"""A schema file as a goal: SQL that makes a schema, as schema.sql and pg_dump have it."""

from __future__ import annotations

from pathlib import Path

from tasks.catalog import Catalog
from tasks.generation.goal import Goal, WantedSchema
from tasks.generation.sources.schema_text import clean
from tasks.generation.states import UNWRITTEN, read_schema_state
from tasks.rehearsal.kept.schemas import KeptSchema
from tasks.rehearsal.model import RehearsedMigration
from tasks.rehearsal.scratch.server import ScratchServer
from tasks.runner.errors import RefusedError, RunnerError
from tasks.runner.files.checkout import SourceFile, read_source, show_path
from tasks.runner.ledger.tool_tables import exclude_tool_tables
from tasks.runner.planning.hints import FIX_FILE

_CORRECT = (
    "Correct the file, then run the command again.\n"
    "It must make the complete schema in an empty database, as the output of pg_dump -s does."
)
_NAME = "Name a file of SQL, for example a copy of migrations/schema.sql that you have edited: --from-schema=wanted.sql"
_SMALL = 50_000
"""The characters of a schema of some dozen tables, which takes no longer to load than to copy."""


def open_schema_file(server: ScratchServer, path: Path, *, timeout_s: float | None = None) -> Goal:
    """Load a schema file on scratch, and return its schema as a goal.

    Raises RefusedError for a file that cannot be read or does not load, with its line.
    """
    shown = show_path(path)
    state = _load(server, path, shown, timeout_s)

    def narrow(before: Catalog) -> WantedSchema:
        return WantedSchema(exclude_tool_tables(state.catalog, made=before))

    return Goal(f"the schema file {shown}", narrow, state.left_out, orders_columns=True)


def _read(path: Path) -> SourceFile:
    """Return the file; raises RefusedError."""
    try:
        return read_source(path)
    except RefusedError as error:
        raise RefusedError(error.message, hint=error.hint or _NAME, state=UNWRITTEN, place=error.place) from error


def _load(server: ScratchServer, path: Path, shown: str, timeout_s: float | None) -> KeptSchema:
    source = _read(path)
    migration = RehearsedMigration("schema_file", clean(source.text, shown), shown=shown)
    is_large = len(source.text) > _SMALL
    try:
        return read_schema_state(server, [migration], timeout_s=timeout_s, cached=is_large)
    except RunnerError as error:
        is_text = isinstance(error, RefusedError)
        if is_text and (error.place is None or error.place.file != shown):
            raise
        what = "cannot be read" if is_text else "does not load on scratch"
        raise RefusedError(
            f"the schema file {what}: {error.message}",
            hint=error.hint if is_text and error.hint != FIX_FILE else _CORRECT,
            state=UNWRITTEN,
            place=error.place,
            sqlstate=error.sqlstate,
        ) from error
