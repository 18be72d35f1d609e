"""Run migrations on scratch in the states that a search needs; a few databases stay open, each in one state."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType

from tasks.adopt.search import Effect, Node, SearchLimit, find_effect
from tasks.catalog import Catalog
from tasks.rehearsal.lacks import find_lack_error
from tasks.rehearsal.model import RehearsedMigration
from tasks.rehearsal.replay.rehearsal import Rehearsal
from tasks.rehearsal.scratch.server import ScratchServer
from tasks.runner.errors import RunnerError

_BENCHES = 5
TIMEOUT_S = 60.0


@dataclass(slots=True)
class _Replica:
    """An open scratch database and the migrations that it has."""

    stack: ExitStack
    rehearsal: Rehearsal
    done: tuple[int, ...] = ()


class Trials:
    """Runs migrations on scratch databases, as a context manager. `limit` is the maximum number of trials."""

    def __init__(self, server: ScratchServer, migrations: Sequence[RehearsedMigration], *, limit: int) -> None:
        self._server = server
        self._migrations = migrations
        self._replicas: list[_Replica] = []
        self._limit = limit
        self.count = 0
        self.errors: dict[int, RunnerError] = {}
        """The first error of each migration that failed."""
        self.worked: set[int] = set()
        """The migrations that succeeded."""

    def __enter__(self) -> Trials:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for replica in self._replicas:
            replica.stack.close()
        self._replicas.clear()

    def read_empty(self) -> Catalog:
        """Read the schema of an empty scratch database."""
        return self._find_or_make(()).rehearsal.read_catalog()

    def attempt(self, index: int, node: Node) -> Effect | None:
        """Run a migration in the state of a node and return its effect, None if it fails. Raises SearchLimit."""
        if self.count >= self._limit:
            raise SearchLimit
        self.count += 1
        replica = self._find_or_make(node.path)
        trial = replica.rehearsal.run(self._migrations[index], "up")
        error = trial.error or find_lack_error(trial.lacking)
        if error is None:
            self.worked.add(index)
            replica.done = (*node.path, index)
            return find_effect(Catalog(node.state), replica.rehearsal.read_catalog())
        self.errors.setdefault(index, error)
        if trial.error is None or not trial.clean:
            self._drop(replica)
        return None

    def replay(self, path: tuple[int, ...]) -> Catalog:
        """Return the schema after some of the migrations, run on an empty database."""
        for replica in self._replicas[:]:
            self._drop(replica)
        return self._find_or_make(path).rehearsal.read_catalog()

    def _find_or_make(self, path: tuple[int, ...]) -> _Replica:
        """Return a database that has exactly these migrations; raises the error of one that fails now."""
        fits = [replica for replica in self._replicas if path[: len(replica.done)] == replica.done]
        replica = max(fits, key=lambda each: len(each.done), default=None) or self._open()
        self._replicas.remove(replica)
        self._replicas.append(replica)
        for index in path[len(replica.done) :]:
            trial = replica.rehearsal.run(self._migrations[index], "up")
            if trial.error is not None:
                self._drop(replica)
                raise trial.error
            replica.done = (*replica.done, index)
        return replica

    def _open(self) -> _Replica:
        if len(self._replicas) >= _BENCHES:
            self._drop(self._replicas[0])
        stack = ExitStack()
        rehearsal = stack.enter_context(Rehearsal(stack.enter_context(self._server.make()), timeout_s=TIMEOUT_S))
        self._replicas.append(_Replica(stack, rehearsal))
        return self._replicas[-1]

    def _drop(self, replica: _Replica) -> None:
        self._replicas.remove(replica)
        replica.stack.close()
