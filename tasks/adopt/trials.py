"""Trying migrations on scratch in the states that a search asks about; a few databases are kept open, each in one of these."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType

from tasks.adopt.search import Effect, Node, SearchLimit, find_effect
from tasks.catalog import Catalog
from tasks.rehearsal.model import Piece
from tasks.rehearsal.replay.rehearsal import Rehearsal
from tasks.rehearsal.scratch.server import ScratchServer
from tasks.runner.errors import RunnerError

_BENCHES = 5
TIMEOUT_S = 60.0


@dataclass(slots=True)
class _Bench:
    """Hold an open scratch database and which migrations it has."""

    stack: ExitStack
    rehearsal: Rehearsal
    done: tuple[int, ...] = ()


class Trials:
    """Run migrations on scratch databases; to be used in a `with`. `limit` bounds how many are tried."""

    def __init__(self, server: ScratchServer, pieces: Sequence[Piece], *, limit: int) -> None:
        self._server = server
        self._pieces = pieces
        self._benches: list[_Bench] = []
        self._limit = limit
        self.count = 0
        self.errors: dict[int, RunnerError] = {}
        """How each migration failed that was seen to fail, the first time."""
        self.worked: set[int] = set()
        """Which migrations were seen to work."""

    def __enter__(self) -> Trials:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for bench in self._benches:
            bench.stack.close()
        self._benches.clear()

    def read_empty(self) -> Catalog:
        """Read the schema of an empty scratch database."""
        return self._reach(()).rehearsal.read_catalog()

    def attempt(self, index: int, node: Node) -> Effect | None:
        """Run a migration where a node is, and give its effect; None where it fails. Raises SearchLimit."""
        if self.count >= self._limit:
            raise SearchLimit
        self.count += 1
        bench = self._reach(node.path)
        trial = bench.rehearsal.run(self._pieces[index], "up")
        if trial.error is None:
            self.worked.add(index)
            bench.done = (*node.path, index)
            return find_effect(Catalog(node.state), bench.rehearsal.read_catalog())
        self.errors.setdefault(index, trial.error)
        if not trial.clean:
            self._drop(bench)
        return None

    def replay(self, path: tuple[int, ...]) -> Catalog:
        """Read the schema after some of the migrations, run from an empty database on."""
        for bench in self._benches[:]:
            self._drop(bench)
        return self._reach(path).rehearsal.read_catalog()

    def _reach(self, path: tuple[int, ...]) -> _Bench:
        """Give a database that has exactly these migrations; raises the error of one that fails now."""
        fits = [bench for bench in self._benches if path[: len(bench.done)] == bench.done]
        bench = max(fits, key=lambda each: len(each.done), default=None) or self._open()
        self._benches.remove(bench)
        self._benches.append(bench)
        for index in path[len(bench.done) :]:
            trial = bench.rehearsal.run(self._pieces[index], "up")
            if trial.error is not None:
                self._drop(bench)
                raise trial.error
            bench.done = (*bench.done, index)
        return bench

    def _open(self) -> _Bench:
        if len(self._benches) >= _BENCHES:
            self._drop(self._benches[0])
        stack = ExitStack()
        rehearsal = stack.enter_context(Rehearsal(stack.enter_context(self._server.make()), timeout_s=TIMEOUT_S))
        self._benches.append(_Bench(stack, rehearsal))
        return self._benches[-1]

    def _drop(self, bench: _Bench) -> None:
        self._benches.remove(bench)
        bench.stack.close()
