"""Replay the files on scratch: the schema before each file to lint, and what its statements do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import psycopg

from tasks.forecast.model import ObservedStatement
from tasks.forecast.observing.observe import observe
from tasks.lint.effects import depends_on_effects
from tasks.lint.engine import LintKnowledge
from tasks.lint.files import read_file
from tasks.lint.reading import read_schema
from tasks.lint.schema import SchemaFacts
from tasks.rehearsal.errors import ScratchError
from tasks.rehearsal.model import RehearsedMigration
from tasks.rehearsal.replay.rehearsal import Rehearsal
from tasks.rehearsal.replay.replay import state_after
from tasks.rehearsal.scratch.server import ScratchServer
from tasks.rehearsal.selection import Selection
from tasks.runner.database.session import connect
from tasks.runner.errors import RunnerError, describe_error
from tasks.runner.redaction import redact


def replay_files(
    server: ScratchServer,
    selection: Selection,
    *,
    timeout_s: float | None = None,
    look: Callable[[Rehearsal], None] = lambda _: None,
) -> LintKnowledge:
    """Replay all files up to the last chosen one in the order in which the environment runs them, and observe the chosen ones.

    The files after one that fails are not replayed: they would build on a state that does not exist. `look` is called in the
    state after the last one, unless one fails. Raises ScratchError.
    """
    chosen = [migration.name for migration in selection.list_chosen()]
    schemas: dict[str, SchemaFacts] = {}
    observed: dict[str, list[ObservedStatement]] = {}
    notes: list[str] = []
    try:
        for name, schema, error in _read_schemas(server, selection, timeout_s, look):
            schemas[name] = schema
            if error is not None:
                notes += _explain(name, error, [each for each in chosen if each > name], server.url)
        only = {
            migration.name for migration in selection.list_chosen() if _depends_on_effects(migration, schemas.get(migration.name))
        }
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
    server: ScratchServer, selection: Selection, timeout_s: float | None, look: Callable[[Rehearsal], None]
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
        look(rehearsal)


def _depends_on_effects(migration: RehearsedMigration, schema: SchemaFacts | None) -> bool:
    try:
        return depends_on_effects(read_file(migration), schema)
    except RunnerError:
        return True


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
