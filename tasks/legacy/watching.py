"""Run old files once in their order, and see what each changes: the schema, rows, or nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from tasks.catalog import Catalog
from tasks.legacy.needs import list_created
from tasks.legacy.verdicts import list_names
from tasks.rehearsal.model import Outcome, RehearsedMigration
from tasks.rehearsal.replay.rehearsal import Rehearsal
from tasks.rehearsal.replay.replay import state_after
from tasks.rehearsal.rows.contents import Contents, read_rows
from tasks.rehearsal.scratch.server import ScratchDatabase, ScratchServer
from tasks.runner.database.session import connect
from tasks.runner.parsing import ScriptError, read_script

EXACT = 200
"""The number of files up to which the schema is read after each: later files make it larger, so that this is quadratic."""

_CREATES = frozenset({"CreateStmt", "IndexStmt", "CreateEnumStmt", "CompositeTypeStmt", "CreateSchemaStmt", "CreateSeqStmt"})
_ROWS = frozenset({"InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt", "TruncateStmt", "CopyStmt"})
_CALLS = frozenset({"DoStmt", "CallStmt", "SelectStmt"})
_UNSURE = re.compile(r"\bif\s+not\s+exists\b|\btemp(?:orary)?\b|\bdrop\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Seen:
    """What a file changed. The schemas in `outcome` are complete only if they were read."""

    outcome: Outcome
    schema: bool = False
    rows: bool = False
    names: frozenset[str] = frozenset()
    """The unqualified names of what it created or changed in the schema."""


def watch(
    server: ScratchServer, migrations: Sequence[RehearsedMigration], *, exact: bool, timeout_s: float | None = None
) -> Iterator[Seen]:
    """Run the up of each migration on one scratch database, empty at first, and yield what it changed.

    A migration that fails leaves no changes behind. Unless `exact`, the schema is not read after files whose statements show
    that they change it, or that they cannot.
    """
    done: list[RehearsedMigration] = []
    schema: Catalog | None = None
    rows: dict[str, Contents] | None = None
    with ExitStack() as stack:
        database = stack.enter_context(server.make())
        rehearsal = stack.enter_context(Rehearsal(database, timeout_s=timeout_s))
        for migration in migrations:
            kinds = _list_kinds(migration.up)
            sure = not exact and bool(kinds & _CREATES) and not _UNSURE.search(migration.up)
            only_rows = not exact and bool(kinds) and kinds <= _ROWS
            if not sure and not only_rows:
                schema = schema or rehearsal.read_catalog()
            measured = not sure and bool(kinds & (_ROWS | _CALLS))
            rows = (rows or read_all_rows(database)) if measured else None
            before = schema or Catalog()
            trial = rehearsal.run(migration, "up")
            if trial.error is not None:
                if not trial.clean:
                    # What it committed can only be undone by starting over without it.
                    stack.close()
                    database = stack.enter_context(state_after(server, done, timeout_s=timeout_s))
                    rehearsal = stack.enter_context(Rehearsal(database, timeout_s=timeout_s))
                yield Seen(Outcome(migration, trial.error, before, before, trial.unchecked, trial.lacking, trial.roles))
                continue
            done.append(migration)
            if sure:
                schema, rows = None, None
                yield Seen(
                    Outcome(migration, None, before, before, trial.unchecked, trial.lacking, trial.roles),
                    True,
                    False,
                    list_created(migration.up),
                )
                continue
            schema = schema if only_rows else rehearsal.read_catalog()
            outcome = Outcome(migration, None, before, schema or before, trial.unchecked, trial.lacking, trial.roles)
            effect = outcome.effect
            previous, rows = rows, read_all_rows(database) if rows is not None and not effect else None
            yield Seen(outcome, bool(effect), rows != previous and not effect, frozenset(list_names(effect)))


def read_all_rows(database: ScratchDatabase) -> dict[str, Contents]:
    """Return the contents of all tables of a scratch database."""
    with connect(database.url, name="migrate-cleanup") as connection:
        return read_rows(connection)


def _list_kinds(text: str) -> frozenset[str]:
    try:
        return frozenset(statement.kind for statement in read_script(text, file="", version="").statements)
    except ScriptError:
        return frozenset()
