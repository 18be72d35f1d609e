"""The order of old files: by number, and for equal or missing numbers the order in which most files apply on scratch."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType

from tasks.catalog import compare
from tasks.legacy.reading.dates import FileDate
from tasks.legacy.reading.files import OldFile
from tasks.rehearsal.model import RehearsedMigration
from tasks.rehearsal.replay.rehearsal import Rehearsal
from tasks.rehearsal.replay.replay import state_after
from tasks.rehearsal.scratch.server import ScratchServer
from tasks.runner.errors import RunnerError

ORDERS = 60
"""The maximum number of orders that are tried."""

_PERMUTATIONS = 24
"""The maximum number of orders of files with the same number: all orders of up to four files."""

Order = tuple[int, ...]
Errors = Mapping[int, RunnerError | None]


@dataclass(frozen=True, slots=True)
class Chosen:
    """An order, the error of each file in it, the reasons for places that no number decides, and how many orders were tried."""

    order: Order
    errors: Errors
    reasons: Mapping[int, str] = field(default_factory=dict)
    tried: int = 1

    @property
    def count(self) -> int:
        """Return the number of files that apply."""
        return sum(error is None for error in self.errors.values())


class Replays:
    """Replays files on scratch in one order after another, as a context manager.

    A file that fails leaves nothing, so its result depends only on those that worked before it; results are cached by these.
    """

    def __init__(
        self, server: ScratchServer, migrations: Mapping[int, RehearsedMigration], *, timeout_s: float | None = None
    ) -> None:
        self._server = server
        self._migrations = migrations
        self._timeout_s = timeout_s
        self._known: dict[tuple[int, int], RunnerError | None] = {}
        """By state and file: the error of the file in that state."""
        self._states: dict[tuple[int, int], int] = {}
        """By state and file that works in it: the state after it; 0 is the state of an empty database."""
        self._stack = ExitStack()
        self._rehearsal: Rehearsal | None = None
        self._at = 0

    def __enter__(self) -> Replays:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._close()

    def run(self, order: Order) -> dict[int, RunnerError | None]:
        """Return for each file in an order its error, or None."""
        errors, _, _ = self._walk(order)
        return errors

    def changes_schema(self, before: Order, index: int) -> bool:
        """Return True if a file works after others and changes the schema."""
        _, done, state = self._walk(before)
        rehearsal = self._reach(done, state)
        schema = rehearsal.read_catalog()
        self._known[state, index] = error = self._try(done, state, index)
        return error is None and bool(compare(schema, rehearsal.read_catalog()))

    def _walk(self, order: Order) -> tuple[dict[int, RunnerError | None], list[int], int]:
        """Return the error of each file in an order, those that work, and the state after them."""
        errors: dict[int, RunnerError | None] = {}
        done: list[int] = []
        state = 0
        for index in order:
            if (state, index) not in self._known:
                self._known[state, index] = self._try(done, state, index)
            errors[index] = self._known[state, index]
            if errors[index] is None:
                done.append(index)
                state = self._follow(state, index)
        return errors, done, state

    def _follow(self, state: int, index: int) -> int:
        """Return the state after a file that works; equal sequences of such files have the same state."""
        return self._states.setdefault((state, index), len(self._states) + 1)

    def _try(self, done: Sequence[int], state: int, index: int) -> RunnerError | None:
        rehearsal = self._reach(done, state)
        trial = rehearsal.run(self._migrations[index], "up")
        if trial.error is None:
            self._at = self._follow(state, index)
        elif not trial.clean:
            self._close()
        return trial.error

    def _reach(self, done: Sequence[int], state: int) -> Rehearsal:
        if self._rehearsal is None or self._at != state:
            self._close()
            database = state_after(self._server, [self._migrations[index] for index in done], timeout_s=self._timeout_s)
            self._rehearsal = self._stack.enter_context(Rehearsal(self._stack.enter_context(database), timeout_s=self._timeout_s))
            self._at = state
        return self._rehearsal

    def _close(self) -> None:
        self._rehearsal = None
        self._stack.close()


def choose_order(run: Callable[[Order], Errors], files: Mapping[int, OldFile], default: Order, *, limit: int = ORDERS) -> Chosen:
    """Return the order in which most files apply, the one nearest to `default` among equals.

    Files with one number change places among each other; those without any come first or last. Files that are not in
    `files` have their place.
    """
    best = Chosen(default, run(default))
    tried = {default}
    improved = True
    while improved and best.count < len(default):
        improved = False
        for order, moved, reason in _vary(files, best.order):
            if order in tried:
                continue
            if len(tried) >= limit:
                return replace(best, tried=len(tried))
            tried.add(order)
            errors = run(order)
            more = sum(error is None for error in errors.values()) - best.count
            if more > 0:
                text = reason.format(more=f"{more} more file{'s apply' if more > 1 else ' applies'}")
                best = Chosen(order, errors, {**best.reasons, **dict.fromkeys(moved, text)})
                improved = True
    return replace(best, tried=len(tried), reasons={**_explain_equals(files, best.order), **best.reasons})


def settle_dates(files: Sequence[OldFile], dates: Mapping[Path, FileDate]) -> dict[Path, FileDate]:
    """Replace a modification time by an earlier, certain date of a later file: a checkout makes files look new."""
    settled = dict(dates)
    earliest: datetime | None = None
    for file in reversed(files):
        date = dates[file.path]
        if date.source == "modification time" and earliest is not None and date.at >= earliest:
            date = replace(date, at=earliest - timedelta(seconds=1))
        settled[file.path] = date
        if date.source != "modification time" or earliest is not None:
            earliest = date.at if earliest is None else min(earliest, date.at)
    return settled


def _vary(files: Mapping[int, OldFile], order: Order) -> Iterator[tuple[Order, tuple[int, ...], str]]:
    """Yield orders similar to this one, the files that are moved, and the reason to report if it is better."""
    loose = tuple(index for index in order if index in files and files[index].name.kind in ("unnumbered", "repeatable"))
    for moved in [*((index,) for index in loose), *([loose] if len(loose) > 1 else [])]:
        yield _put_first(order, moved), moved, "has no number; placed before the others, {more}"
    for group in _list_equals(files, order):
        places = [order.index(index) for index in group]
        for members in itertools.islice(itertools.permutations(group), 1, _PERMUTATIONS):
            varied = list(order)
            for place, index in zip(places, members, strict=True):
                varied[place] = index
            yield tuple(varied), members, "shares its number with another file; in this order {more}"


def _put_first(order: Order, moved: tuple[int, ...]) -> Order:
    return (*moved, *(index for index in order if index not in moved))


def _list_equals(files: Mapping[int, OldFile], order: Order) -> list[tuple[int, ...]]:
    groups: dict[object, list[int]] = {}
    for index in order:
        if index in files and files[index].name.kind in ("numbered", "timestamped"):
            groups.setdefault((files[index].name.number, files[index].name.timestamp), []).append(index)
    return [tuple(group) for group in groups.values() if len(group) > 1]


def _explain_equals(files: Mapping[int, OldFile], order: Order) -> dict[int, str]:
    text = "shares its number with another file; ordered by name, since no other order makes more files work"
    return {index: text for group in _list_equals(files, order) for index in group}
