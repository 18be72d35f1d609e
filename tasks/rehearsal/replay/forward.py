"""The states of a history one after the other: one database runs each migration once, and copies of it are the states."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from types import TracebackType

from tasks.rehearsal.model import RehearsedMigration
from tasks.rehearsal.replay.rehearsal import Rehearsal
from tasks.rehearsal.replay.replay import begin_replay, run_forward
from tasks.rehearsal.scratch import cache
from tasks.rehearsal.scratch.server import ScratchDatabase, ScratchServer


class ForwardReplay:
    """A scratch database to which migrations are applied in their order; to be used in a `with`.

    A state that does not begin with the migrations that are applied costs a new replay, from the longest cached state.
    """

    def __init__(self, server: ScratchServer, *, timeout_s: float | None = None) -> None:
        self._server = server
        self._timeout_s = timeout_s
        self._stack = ExitStack()
        self._database: ScratchDatabase | None = None
        self._done: list[str] = []
        """The names of the states that the database was in; it is in the last one."""
        self._cached = 0
        """How many of them the state has from which it began."""
        self._is_first = True
        self.failed = ""
        """The migration that failed when a state was made the last time."""

    def __enter__(self) -> ForwardReplay:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            if error is None:
                self._cache()
        finally:
            self._forget()

    @contextmanager
    def copy_state(self, migrations: Sequence[RehearsedMigration]) -> Iterator[ScratchDatabase]:
        """Yield a scratch database in the state after the migrations; raises the error of the first that fails.

        The first state is not copied, because it is often the only one.
        """
        database = self._advance(migrations)
        if not self._is_first:
            with self._server.make(database.name) as copied:
                yield copied
            return
        self._is_first = False
        self._cache()
        stack, self._stack = self._stack, ExitStack()
        self._forget()
        with stack:
            yield database

    def _advance(self, migrations: Sequence[RehearsedMigration]) -> ScratchDatabase:
        self.failed = ""
        names = cache.name_states(migrations, self._server.version, self._server.state_key)
        if self._database is None or self._done != names[: len(self._done)]:
            self._forget()
            self._database, count = begin_replay(self._server, names, self._stack)
            self._done, self._cached = names[:count], count
        database, count = self._database, len(self._done)
        if count < len(migrations):
            with Rehearsal(database, timeout_s=self._timeout_s) as rehearsal:
                done, clean, error = run_forward(rehearsal, migrations[count:])
            self._done = names[: count + done]
            if error is not None:
                self.failed = migrations[count + done].name
                if not clean:
                    self._forget()
                raise error
        return database

    def _cache(self) -> None:
        if self._database is not None and len(self._done) > self._cached:
            self._server.cache_state(self._database, self._done[-1])
            self._cached = len(self._done)

    def _forget(self) -> None:
        self._stack.close()
        self._database, self._done, self._cached = None, [], 0
