"""The files one by one on scratch, with the schema after each; and the state that they lead to, kept for the next time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

import psycopg

from tasks.catalog import Catalog
from tasks.rehearsal.model import Direction, Outcome, Piece, Trial
from tasks.rehearsal.replay.rehearsal import Rehearsal
from tasks.rehearsal.scratch import cache
from tasks.rehearsal.scratch.server import ScratchDatabase, ScratchServer
from tasks.runner.errors import RunnerError

__all__ = ["Direction", "Outcome", "Piece", "Trial", "read_left_out", "replay", "run_piece", "state_after", "try_piece"]


def replay(server: ScratchServer, pieces: Sequence[Piece], *, timeout_s: float | None = None) -> Iterator[Outcome]:
    """Run the up of each piece on one scratch database, from empty on; a piece that fails leaves nothing there.

    `timeout_s` bounds each piece, in seconds. Raises RunnerError only for what is no piece's fault.
    """
    done: list[Piece] = []
    with ExitStack() as stack:
        rehearsal = stack.enter_context(Rehearsal(stack.enter_context(server.make()), timeout_s=timeout_s))
        before = rehearsal.read_catalog()
        for piece in pieces:
            trial = rehearsal.run(piece, "up")
            after = before
            if trial.error is None:
                done.append(piece)
                after = rehearsal.read_catalog()
            elif not trial.clean:
                # What it had committed can only be undone by starting again without it.
                stack.close()
                rehearsal = stack.enter_context(Rehearsal(stack.enter_context(state_after(server, done)), timeout_s=timeout_s))
            yield Outcome(piece, "up", trial.error, before, after, trial.unchecked)
            before = after


@contextmanager
def state_after(server: ScratchServer, pieces: Sequence[Piece], *, timeout_s: float | None = None) -> Iterator[ScratchDatabase]:
    """Give a scratch database in the state after the pieces, from the longest beginning that is kept; keeps the end.

    Raises the error of the first piece that fails; the state before that piece is kept then, if the piece left nothing.
    """
    names = cache.name_states(pieces, server.version, server.without)
    with ExitStack() as stack:
        database, count = _begin(server, names, stack)
        error: RunnerError | None = None
        done, clean = count, True
        if count < len(pieces):
            with Rehearsal(database, timeout_s=timeout_s) as rehearsal:
                for piece in pieces[count:]:
                    trial = rehearsal.run(piece, "up")
                    error, clean = trial.error, trial.clean
                    if error is not None:
                        break
                    done += 1
        if done > count and clean:
            server.keep_state(database, names[done - 1])
        if error is not None:
            raise error
        yield database


def try_piece(
    database: ScratchDatabase,
    piece: Piece,
    direction: Direction,
    *,
    before: Catalog | None = None,
    timeout_s: float | None = None,
) -> Outcome:
    """Run one direction of a piece on a scratch database, and tell what it did.

    The schema `before` is read unless it is given. A file of several transactions that fails leaves those that it committed.
    """
    with Rehearsal(database, timeout_s=timeout_s) as rehearsal:
        known = rehearsal.read_catalog() if before is None else before
        trial = rehearsal.run(piece, direction)
        after = known if trial.error is not None and trial.clean else rehearsal.read_catalog()
        return Outcome(piece, direction, trial.error, known, after, trial.unchecked)


def run_piece(
    database: ScratchDatabase, piece: Piece, direction: Direction, *, timeout_s: float | None = None
) -> RunnerError | None:
    """Run one direction of a piece on a scratch database, and give what went wrong."""
    with Rehearsal(database, timeout_s=timeout_s) as rehearsal:
        return rehearsal.run(piece, direction).error


def read_left_out(database: ScratchDatabase) -> tuple[str, ...]:
    """List what was left out of a database's state because of extensions that are done without: file, line and first words."""
    with Rehearsal(database) as rehearsal:
        return rehearsal.left_out


def _begin(server: ScratchServer, names: Sequence[str], stack: ExitStack) -> tuple[ScratchDatabase, int]:
    """Make a copy of the longest kept beginning, and count its pieces; one that goes away meanwhile is passed over."""
    count = cache.find_longest(server.administer(), names)
    while count:
        try:
            database = stack.enter_context(server.make(names[count - 1]))
        except RunnerError as error:
            if not isinstance(error.__cause__, psycopg.errors.InvalidCatalogName):
                raise
            count = cache.find_longest(server.administer(), names[: count - 1])
        else:
            cache.touch(server.administer(), names[count - 1])
            return database, count
    return stack.enter_context(server.make()), 0
