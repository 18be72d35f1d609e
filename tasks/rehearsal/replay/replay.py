"""Run migrations one by one on scratch, with the schema after each; and scratch databases in the state after them, cached."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

import psycopg

from tasks.catalog import Catalog
from tasks.rehearsal.errors import LockedOutError
from tasks.rehearsal.model import Direction, Outcome, RehearsedMigration, Trial
from tasks.rehearsal.replay.left_out import LeftOut
from tasks.rehearsal.replay.rehearsal import Rehearsal
from tasks.rehearsal.scratch import cache
from tasks.rehearsal.scratch.server import ScratchDatabase, ScratchServer
from tasks.runner.errors import RunnerError

__all__ = [
    "Direction",
    "LeftOut",
    "Outcome",
    "RehearsedMigration",
    "Trial",
    "read_left_out",
    "replay",
    "run_migration",
    "state_after",
    "try_migration",
]


def replay(
    server: ScratchServer, migrations: Sequence[RehearsedMigration], *, timeout_s: float | None = None
) -> Iterator[Outcome]:
    """Run the up of each migration on one scratch database, empty at first, and yield the outcomes.

    A migration that fails leaves no changes behind. `timeout_s` is the time limit of each migration, in seconds. Raises
    RunnerError if something other than a migration fails.
    """
    done: list[RehearsedMigration] = []
    with ExitStack() as stack:
        rehearsal = stack.enter_context(Rehearsal(stack.enter_context(server.make()), timeout_s=timeout_s))
        before = rehearsal.read_catalog()
        for migration in migrations:
            trial = rehearsal.run(migration, "up")
            after = before
            if trial.error is None:
                done.append(migration)
                after = rehearsal.read_catalog()
            elif not trial.clean:
                # What it committed can only be undone by starting over without it.
                stack.close()
                rehearsal = stack.enter_context(Rehearsal(stack.enter_context(state_after(server, done)), timeout_s=timeout_s))
            yield Outcome(migration, trial.error, before, after, trial.unchecked, trial.lacking, trial.roles)
            before = after


@contextmanager
def state_after(
    server: ScratchServer,
    migrations: Sequence[RehearsedMigration],
    *,
    timeout_s: float | None = None,
    check: Callable[[], None] = lambda: None,
    cached: bool = True,
) -> Iterator[ScratchDatabase]:
    """Yield a scratch database in the state after the migrations; start from the longest cached prefix, and cache the result.

    Raises the error of the first migration that fails; then the state before it is cached, unless the migration left changes.
    `check` is called before each migration, and may raise RunnerError to end the replay. Not `cached` is a state that is needed
    once, or that takes no longer to make than to copy.
    """
    names = cache.name_states(migrations, server.version, server.state_key)
    with ExitStack() as stack:
        database, count = begin_replay(server, names, stack)
        error: RunnerError | None = None
        done, clean = 0, True
        if count < len(migrations):
            with Rehearsal(database, timeout_s=timeout_s) as rehearsal:
                done, clean, error = run_forward(rehearsal, migrations[count:], check)
        if done and clean and cached:
            server.cache_state(database, names[count + done - 1])
        if error is not None:
            raise error
        yield database


def run_forward(
    rehearsal: Rehearsal, migrations: Sequence[RehearsedMigration], check: Callable[[], None] = lambda: None
) -> tuple[int, bool, RunnerError | None]:
    """Run migrations until one fails or the check before it raises RunnerError.

    Return how many succeeded, whether the failed one left no changes, and its error.
    """
    for done, migration in enumerate(migrations):
        error, clean = _run_one(rehearsal, migration, check)
        if error is not None:
            return done, clean, error
    return len(migrations), True, None


def _run_one(rehearsal: Rehearsal, migration: RehearsedMigration, check: Callable[[], None]) -> tuple[RunnerError | None, bool]:
    """Run a migration if the check raises nothing; return the error, and whether a failed run left no changes."""
    try:
        check()
    except RunnerError as error:
        return error, True
    trial = rehearsal.run(migration, "up")
    return trial.error, trial.clean


def try_migration(
    database: ScratchDatabase,
    migration: RehearsedMigration,
    direction: Direction,
    *,
    before: Catalog | None = None,
    timeout_s: float | None = None,
    look: Callable[[psycopg.Connection], str] = lambda _: "",
) -> Outcome:
    """Run one direction of a migration on a scratch database, and return the outcome with the schemas.

    The schema `before` is read if it is None. A file of several transactions that fails leaves those that it committed.
    `look` is called in the same session if the migration succeeds; what it returns is a part of the outcome.
    """
    known = before or Catalog()
    try:
        with Rehearsal(database, timeout_s=timeout_s) as rehearsal:
            known = rehearsal.read_catalog() if before is None else before
            trial = rehearsal.run(migration, direction)
            after = known if trial.error is not None and trial.clean else rehearsal.read_catalog()
            seen = rehearsal.look(look) if trial.error is None else ""
            return Outcome(migration, trial.error, known, after, trial.unchecked, trial.lacking, trial.roles, seen)
    except LockedOutError as error:
        return Outcome(migration, error, known, known)


def run_migration(
    database: ScratchDatabase, migration: RehearsedMigration, direction: Direction, *, timeout_s: float | None = None
) -> RunnerError | None:
    """Run one direction of a migration on a scratch database, and return its error, if any."""
    try:
        with Rehearsal(database, timeout_s=timeout_s) as rehearsal:
            return rehearsal.run(migration, direction).error
    except LockedOutError as error:
        return error


def read_left_out(database: ScratchDatabase) -> tuple[LeftOut, ...]:
    """Return the statements that were left out in a database, because of excluded extensions or for lack of rights."""
    with Rehearsal(database) as rehearsal:
        return rehearsal.left_out


def begin_replay(server: ScratchServer, names: Sequence[str], stack: ExitStack) -> tuple[ScratchDatabase, int]:
    """Create a copy of the longest cached prefix, to be dropped by `stack`, and return it with its number of migrations.

    A cached state that is dropped in the meantime is passed over.
    """
    count, state = cache.find_longest(server.administer(), names)
    while state:
        failed: RunnerError | None = None
        try:
            database = stack.enter_context(server.make(state.database))
        except RunnerError as error:
            failed = error
        if cache.is_cached(server.administer(), state):
            if failed:
                raise failed
            cache.touch(server.administer(), state.database)
            return database, count
        count, state = cache.find_longest(server.administer(), names[: count - 1])
    return stack.enter_context(server.make()), 0
