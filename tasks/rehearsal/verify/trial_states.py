"""The scratch databases on which migrations are tried, each in the state that its predecessors leave.

Up, down and up again mostly leave exactly what one up leaves: the same schema, rows and sequences. Then the next migration is
tried in the same database. Otherwise it gets a copy of one in which each migration before it ran once. Only the place of dropped
columns, which no definition contains, may differ between the two.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack
from types import TracebackType

from tasks.catalog import Catalog
from tasks.rehearsal.model import RehearsedMigration
from tasks.rehearsal.replay.forward import ForwardReplay
from tasks.rehearsal.scratch.server import ScratchDatabase, ScratchServer


class TrialStates:
    """The database of the trials, and the replay from which it is copied; to be used in a `with`."""

    def __init__(self, server: ScratchServer, *, timeout_s: float | None = None) -> None:
        self._server = server
        self._replay = ForwardReplay(server, timeout_s=timeout_s)
        self._trial = ExitStack()
        self._kept: tuple[ScratchDatabase, tuple[RehearsedMigration, ...], Catalog] | None = None

    def __enter__(self) -> TrialStates:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            self._trial.close()
        finally:
            self._replay.__exit__(kind, error, trace)

    def open(self, before: Sequence[RehearsedMigration]) -> tuple[ScratchDatabase, Catalog | None]:
        """Return the database of the next trial, in the state after these migrations, and its schema if it is known.

        The database is there until the next call. Raises the error of the first migration that fails.
        """
        kept, self._kept = self._kept, None
        if kept is not None and kept[1] == tuple(before):
            self._server.restore_role()
            return kept[0], kept[2]
        self._trial.close()
        return self._trial.enter_context(self._replay.copy_state(before)), None

    def keep(self, database: ScratchDatabase, migrations: Sequence[RehearsedMigration], schema: Catalog) -> None:
        """Use the database of the last trial for the next one too, if that begins after these migrations, with this schema."""
        self._kept = database, tuple(migrations), schema

    @property
    def failed(self) -> str:
        """Return the migration that failed when a state was made the last time; empty if none did."""
        return self._replay.failed

    def copy(self, before: Sequence[RehearsedMigration]) -> AbstractContextManager[ScratchDatabase]:
        """Return another database in the state after these migrations, to be used in a `with`."""
        return self._replay.copy_state(before)
