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
from tasks.runner.files.checkout import read_source, show_path
from tasks.runner.ledger.tool_tables import exclude_tool_tables

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


def _load(server: ScratchServer, path: Path, shown: str, timeout_s: float | None) -> KeptSchema:
    source = read_source(path)
    migration = RehearsedMigration("schema_file", clean(source.text, shown), shown=shown)
    is_large = len(source.text) > _SMALL
    try:
        return read_schema_state(server, [migration], timeout_s=timeout_s, cached=is_large)
    except RefusedError:
        raise
    except RunnerError as error:
        raise RefusedError(
            f"the schema file does not load on scratch: {error.message}",
            hint="Correct the file, then run the command again.\n"
            "It must make the complete schema in an empty database, as the output of pg_dump -s does.",
            state=UNWRITTEN,
            place=error.place,
            sqlstate=error.sqlstate,
        ) from error
