"""Run pending files on two scratch databases: on one as in a run, on the other with each statement in its own transaction."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import psycopg
from psycopg import sql

from tasks.forecast.limits import Limit
from tasks.forecast.observing.effects import EffectObserver
from tasks.forecast.observing.relations import ScratchSchema, read_scratch_schema
from tasks.forecast.observing.row_readers import may_read_rows
from tasks.forecast.observing.rows import fill, find_touched
from tasks.forecast.observing.separating import needs_separation, separate
from tasks.forecast.observing.statements import ObservedRun
from tasks.rehearsal.model import RehearsedMigration, Trial
from tasks.rehearsal.replay.rehearsal import Rehearsal
from tasks.rehearsal.replay.replay import state_after
from tasks.rehearsal.scratch.server import ScratchDatabase, ScratchServer, is_ended
from tasks.runner.database.session import connect
from tasks.runner.errors import RunnerError


@dataclass(frozen=True, slots=True)
class ObservedFile:
    """A file that ran on scratch: its error, or what was seen of it.

    `apart` is the run in which each statement has its own transaction, None if there was none; `unchecked` are the statements
    that were not run, `failed_on_rows` the error on generated rows of a file that was observed on empty tables.
    """

    together: ObservedRun
    apart: ObservedRun | None = None
    error: RunnerError | None = None
    unchecked: tuple[str, ...] = ()
    failed_on_rows: str = ""


class ReplayPair:
    """Two scratch databases with the same state; to be used in a `with`.

    The second one is made when a file has several statements in a transaction, whose locks add up there.
    """

    def __init__(
        self, server: ScratchServer, before: Sequence[RehearsedMigration], timeout_s: float | None, limit: Limit
    ) -> None:
        self._server = server
        self._limit = limit
        self._done = list(before)
        self._timeout_s = timeout_s
        self._together: _Replay | None = None
        self._apart: _Replay | None = None

    def __enter__(self) -> ReplayPair:
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def run(self, migration: RehearsedMigration) -> None:
        """Run a migration that is not observed; raises its error."""
        for replay in filter(None, (self._open(), self._apart)):
            trial = replay.run(migration)
            if trial.error is not None:
                raise trial.error
        self._done.append(migration)

    def observe(self, migration: RehearsedMigration) -> ObservedFile:
        """Run a migration.

        One that fails on generated rows runs again on empty tables: the rows of the environment may be others.
        """
        separated = _needs_separation(migration)
        together = self._open()
        if separated:
            self._copy(together)
        if _may_read_rows(migration):
            for replay in filter(None, (together, self._apart)):
                replay.fill(migration)
        trial, seen = together.observe(migration)
        failed_on_rows = ""
        if trial.error is not None and together.filled:
            failed_on_rows = trial.error.message.partition("\n")[0]
            self._close()
            together = self._open()
            if separated:
                self._copy(together)
            trial, seen = together.observe(migration)
        if trial.error is not None:
            return ObservedFile(seen, error=trial.error)
        apart = self._observe_apart(migration)
        self._done.append(migration)
        return ObservedFile(seen, apart if separated else None, None, trial.unchecked, failed_on_rows)

    def _observe_apart(self, migration: RehearsedMigration) -> ObservedRun | None:
        """Run a migration on the second database, and drop that if the statements need a common transaction."""
        if self._apart is None:
            return None
        trial, seen = self._apart.observe(migration)
        if trial.error is None:
            return seen
        self._apart.close()
        self._apart = None
        return None

    def _open(self) -> _Replay:
        """Return the first database, without rows at first."""
        if self._together is None:
            stack = ExitStack()
            try:
                state = state_after(self._server, self._done, timeout_s=self._timeout_s, check=self._limit.check)
                database = stack.enter_context(state)
                self._together = _Replay(database, stack, self._timeout_s)
            except BaseException:
                stack.close()
                raise
        return self._together

    def _copy(self, together: _Replay) -> None:
        """Make the second database as a copy of the first one, unless there is one."""
        if self._apart is not None:
            return
        stack = ExitStack()
        try:
            with together.without_session():
                database = stack.enter_context(self._server.make(together.database.name))
            self._apart = _Replay(database, stack, self._timeout_s, together.filled, apart=True)
        except BaseException:
            stack.close()
            raise

    def _close(self) -> None:
        for replay in filter(None, (self._apart, self._together)):
            replay.close()
        self._apart = self._together = None


class _Replay:
    """A scratch database, the session that runs files on it, and the names of its tables that were filled with rows."""

    def __init__(
        self,
        database: ScratchDatabase,
        stack: ExitStack,
        timeout_s: float | None,
        filled: Collection[str] = (),
        *,
        apart: bool = False,
    ) -> None:
        self.database = database
        self.filled = set(filled)
        self._stack = stack
        self._timeout_s = timeout_s
        self._apart = apart
        self._schema = ScratchSchema()
        self._is_current = False
        self._beside: psycopg.Connection | None = None
        _forbid_workers(database)
        self.rehearsal = self._begin()

    def close(self) -> None:
        """End the sessions, and drop the database."""
        self._end()
        self._stack.close()

    @contextmanager
    def without_session(self) -> Iterator[None]:
        """End the sessions while the database is copied."""
        self._end()
        yield
        self.rehearsal = self._begin()

    def fill(self, migration: RehearsedMigration) -> None:
        """Fill the tables that a migration touches, if one of its statements may read rows."""
        schema = self._read_schema()
        named = {oid: schema.relations[oid].name for oid in find_touched(schema, migration.up) if oid in schema.relations}
        new = {oid for oid, name in named.items() if name not in self.filled}
        if new:
            fill(self._connect(), schema, new)
            self._is_current = False
        self.filled.update(named.values())

    def observe(self, migration: RehearsedMigration) -> tuple[Trial, ObservedRun]:
        """Run a migration, and look at the database after each of its statements."""
        schema = self._read_schema()
        observer = EffectObserver(self.database, schema)
        self.rehearsal.observe(observer)
        try:
            return self.run(migration), ObservedRun(schema, observer.effects)
        finally:
            self.rehearsal.observe(None)

    def run(self, migration: RehearsedMigration) -> Trial:
        """Run a migration."""
        self._is_current = False
        return self.rehearsal.run(migration, "up")

    def _read_schema(self) -> ScratchSchema:
        """Return the relations of the database, which are read again if something ran since."""
        if not self._is_current:
            self._schema = read_scratch_schema(self._connect(), self._schema)
            self._is_current = True
        return self._schema

    def _connect(self) -> psycopg.Connection:
        """Return a session beside that of the rehearsal; a new one if a migration ended it."""
        if self._beside is not None and not is_ended(self._beside):
            return self._beside
        self._beside = connect(self.database.url, name="migrate-observe")
        return self._beside

    def _end(self) -> None:
        self.rehearsal.__exit__(None, None, None)
        if self._beside is not None:
            self._beside.close()

    def _begin(self) -> Rehearsal:
        return Rehearsal(self.database, timeout_s=self._timeout_s, reshape=separate if self._apart else None)


def _may_read_rows(migration: RehearsedMigration) -> bool:
    try:
        return may_read_rows(migration.make_step("up").script)
    except RunnerError:
        return False


def _needs_separation(migration: RehearsedMigration) -> bool:
    try:
        return needs_separation(migration.make_step("up").script)
    except RunnerError:
        return False


def _forbid_workers(database: ScratchDatabase) -> None:
    """Disable parallel workers, whose scans do not count for the session of a statement."""
    for name in ("max_parallel_workers_per_gather", "max_parallel_maintenance_workers"):
        query = sql.SQL("ALTER DATABASE {} SET {} = 0").format(sql.Identifier(database.name), sql.Identifier(name))
        database.server.administer().execute(query)
