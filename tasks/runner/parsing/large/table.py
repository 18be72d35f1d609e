"""The statements of a large file as compact arrays: one is made when it is asked for."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import NamedTuple, overload

from tasks.postgres.targets import Target
from tasks.runner.parsing.large.text import LARGE_FILE, LargeText, TextRange
from tasks.runner.parsing.script import Statement, Statements


class _Traits(NamedTuple):
    """What many statements have in common."""

    kind: str
    transactional: bool
    target: Target | None
    pair: int
    session: bool


class _Arrays:
    """The statements of a whole file; `shapes` are what the numbers in `shape` stand for."""

    def __init__(self, text: LargeText) -> None:
        self.text = text
        self.start = array("Q")
        self.size = array("I")
        self.line = array("I")
        self.offset = array("Q")
        self.shape = array("I")
        self.shapes: list[_Traits] = []
        self.numbers: dict[_Traits, int] = {}
        self.data: dict[int, TextRange] = {}


class StatementTable(Statements):
    """The statements of a large file, or a part of them, in the order of the file."""

    def __init__(self, arrays: _Arrays, first: int = 0, last: int | None = None) -> None:
        self._arrays = arrays
        self._first = first
        self._last = len(arrays.start) if last is None else last

    @classmethod
    def create(cls, text: LargeText) -> StatementTable:
        """Return a table without statements."""
        return cls(_Arrays(text))

    def append(self, statement: Statement) -> None:
        """Add the next statement of the file, whose text is a range of it; only to the table of the whole file."""
        assert isinstance(statement.content, TextRange)
        arrays = self._arrays
        shape = _Traits(statement.kind, statement.transactional, statement.target, statement.pair, statement.session)
        number = arrays.numbers.get(shape)
        if number is None:
            number = arrays.numbers[shape] = len(arrays.shapes)
            arrays.shapes.append(shape)
        if isinstance(statement.copy_data, TextRange):
            arrays.data[len(arrays.start)] = statement.copy_data
        arrays.start.append(statement.content.start)
        arrays.size.append(statement.content.size)
        arrays.line.append(statement.line)
        arrays.offset.append(statement.offset)
        arrays.shape.append(number)
        self._last += 1

    def part(self, first: int, last: int) -> StatementTable:
        """Return the statements from one place to before another."""
        return StatementTable(self._arrays, self._first + first, self._first + last)

    def __len__(self) -> int:
        return self._last - self._first

    @overload
    def __getitem__(self, place: int) -> Statement: ...
    @overload
    def __getitem__(self, place: slice) -> StatementTable: ...
    def __getitem__(self, place: int | slice) -> Statement | StatementTable:
        if isinstance(place, slice):
            first, last, _ = place.indices(len(self))
            return self.part(first, max(first, last))
        if not -len(self) <= place < len(self):
            raise IndexError(place)
        return self._make(self._first + place % len(self))

    def __iter__(self) -> Iterator[Statement]:
        return map(self._make, range(self._first, self._last))

    def __contains__(self, statement: object) -> bool:
        return isinstance(statement, Statement) and self._find(statement) is not None

    def index(self, statement: Statement, start: int = 0, stop: int | None = None) -> int:
        """Return the place of a statement; raises ValueError if it is not there."""
        place = self._find(statement)
        if place is None or place < start or (stop is not None and place >= stop):
            raise ValueError(statement.line)
        return place

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, StatementTable):
            return NotImplemented
        return (self._arrays, self._first, self._last) == (other._arrays, other._first, other._last)

    def __hash__(self) -> int:
        return hash((id(self._arrays), self._first, self._last))

    @property
    def kinds(self) -> frozenset[str]:
        """Return the kinds of the statements."""
        return frozenset(self._arrays.shapes[number].kind for number in set(self._arrays.shape[self._first : self._last]))

    @property
    def largest(self) -> int:
        """Return the bytes of the longest statement."""
        return max(self._arrays.size[self._first : self._last], default=0)

    def select(self, kinds: Collection[str]) -> Iterator[Statement]:
        """Yield the statements of some kinds, in order."""
        return self._select({number for number, shape in enumerate(self._arrays.shapes) if shape.kind in kinds})

    def list_sessions(self) -> Iterable[Statement]:
        """Yield the statements that change a setting of the session."""
        return self._select({number for number, shape in enumerate(self._arrays.shapes) if shape.session})

    def divide(self) -> Iterator[tuple[int, Sequence[Statement]]]:
        """Yield the parts that are in the same transaction of the file, each with its number; 0 outside of them."""
        arrays, first = self._arrays, self._first
        for place in range(self._first, self._last):
            if arrays.shapes[arrays.shape[place]].pair != arrays.shapes[arrays.shape[first]].pair:
                yield arrays.shapes[arrays.shape[first]].pair, StatementTable(arrays, first, place)
                first = place
        if first < self._last:
            yield arrays.shapes[arrays.shape[first]].pair, StatementTable(arrays, first, self._last)

    def _select(self, numbers: Collection[int]) -> Iterator[Statement]:
        if numbers:
            shape = self._arrays.shape
            yield from (self._make(place) for place in range(self._first, self._last) if shape[place] in numbers)

    def _find(self, statement: Statement) -> int | None:
        place = bisect_left(self._arrays.offset, statement.offset, self._first, self._last)
        found = place < self._last and self._arrays.offset[place] == statement.offset
        return place - self._first if found else None

    def _make(self, place: int) -> Statement:
        arrays = self._arrays
        start, size, shape = arrays.start[place], arrays.size[place], arrays.shapes[arrays.shape[place]]
        content: str | TextRange = TextRange(arrays.text, start, start + size)
        if size <= LARGE_FILE:
            content = arrays.text.read(start, start + size).decode()
        return Statement(
            content,
            arrays.line[place],
            arrays.offset[place],
            shape.kind,
            shape.transactional,
            arrays.data.get(place),
            shape.target,
            shape.pair,
            shape.session,
        )
