"""Replay the files on scratch: the schema before each file to lint, and what its statements do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack

import psycopg

from tasks.forecast.model import ObservedStatement
from tasks.forecast.observing.observe import observe
from tasks.lint.engine import LintKnowledge
from tasks.lint.files import read_file
from tasks.lint.reading import read_schema
from tasks.lint.schema import SchemaFacts
from tasks.lint.trees import list_commands
from tasks.rehearsal.errors import ScratchError
from tasks.rehearsal.model import RehearsedMigration
from tasks.rehearsal.replay.rehearsal import Rehearsal
from tasks.rehearsal.replay.replay import state_after
from tasks.rehearsal.scratch.server import ScratchServer
from tasks.rehearsal.selection import Selection
from tasks.runner.database.session import connect
from tasks.runner.errors import RunnerError, describe_error
from tasks.runner.redaction import redact

_REWRITING = frozenset({"AT_AddColumn", "AT_AlterColumnType"})
_CHANGING_ROWS = frozenset({"UpdateStmt", "DeleteStmt"})
_WITHOUT_LOCKS = frozenset({"VariableSetStmt", "CommentStmt", "SelectStmt"})


def replay_files(server: ScratchServer, selection: Selection, *, timeout_s: float | None = None) -> LintKnowledge:
    """Replay all files up to the last chosen one in the order in which the environment runs them, and observe the chosen ones.

    The files after one that fails are not replayed: they would build on a state that does not exist. Raises ScratchError.
    """
    chosen = [migration.name for migration in selection.list_chosen()]
    schemas: dict[str, SchemaFacts] = {}
    observed: dict[str, list[ObservedStatement]] = {}
    notes: list[str] = []
    try:
        for name, schema, error in _read_schemas(server, selection, timeout_s):
            schemas[name] = schema
            if error is not None:
                notes += _explain(name, error, [each for each in chosen if each > name], server.url)
        only = {migration.name for migration in selection.list_chosen() if _depends_on_effects(migration)}
        for each in observe(server, selection, only=only, timeout_s=timeout_s) if only else ():
            if isinstance(each, ObservedStatement):
                observed.setdefault(each.version, []).append(each)
    except ScratchError:
        raise
    except psycopg.Error as error:
        notes.append(f"the schema could not be read on scratch: {redact(str(error), server.url)}")
    except RunnerError as error:
        # A file that fails is in the notes already, once its schema was to be read.
        notes = notes or _explain("a file before them", error, [each for each in chosen if each not in schemas], server.url)
    version = selection.server_version or server.version
    return LintKnowledge(version, schemas, observed, not_checked=tuple(dict.fromkeys(notes)))


def _read_schemas(
    server: ScratchServer, selection: Selection, timeout_s: float | None
) -> Iterator[tuple[str, SchemaFacts, RunnerError | None]]:
    """Yield the schema before each file from the first chosen one on, up to one that fails, with its error."""
    earlier = [migration for migration in selection.migrations if _runs_before(selection, migration.name)]
    last = max(selection.chosen, default="")
    later = [migration for migration in selection.migrations if migration not in earlier and migration.name <= last]
    with ExitStack() as stack:
        database = stack.enter_context(state_after(server, earlier, timeout_s=timeout_s))
        rehearsal = stack.enter_context(Rehearsal(database, timeout_s=timeout_s))
        for migration in later:
            # A session of its own for each look: what a file does may end the sessions of its database.
            with connect(database.url, name="migrate-lint") as connection:
                schema = read_schema(connection)
            trial = rehearsal.run(migration, "up")
            yield migration.name, schema, trial.error
            if trial.error is not None:
                return


def _depends_on_effects(migration: RehearsedMigration) -> bool:
    """Return True if a rule looks at what a statement of the file did on scratch.

    That is a change of a column or of rows, or several statements in a transaction, whose locks add up.
    """
    try:
        file = read_file(migration)
    except RunnerError:
        return True
    segments = Counter(each.segment for each in file.statements if each.transactional and each.kind not in _WITHOUT_LOCKS)
    changes = {command.get("subtype") for each in file.statements for command in list_commands(each)}
    kinds = {each.kind for each in file.statements}
    return bool(changes & _REWRITING or kinds & _CHANGING_ROWS) or any(count > 1 for count in segments.values())


def _runs_before(selection: Selection, version: str) -> bool:
    """Return True for a version that has run when the first chosen one runs; late files run after all applied ones."""
    if version in selection.chosen:
        return False
    return version in selection.applied or version < min(selection.chosen, default="")


def _explain(version: str, error: RunnerError, rest: list[str], url: str) -> list[str]:
    place = f"{error.place}: " if error.place else ""
    reason = f"{version} fails on scratch: {place}{describe_error(error, url).message}"
    if not rest:
        return [reason]
    return [f"{reason}; rules that need the schema were not checked in {', '.join(rest)}"]
