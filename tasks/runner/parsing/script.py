"""The statements of a file, and its segments: statements that share a transaction."""

from __future__ import annotations

import hashlib
import re
from abc import abstractmethod
from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, groupby
from operator import attrgetter

from tasks.postgres.masking import mask_secrets
from tasks.postgres.targets import COMMITTING, Target
from tasks.runner.parsing.large.text import TextRange, load

_LABEL_LENGTH = 80
_LABEL_SOURCE = 16 * 1024
"""How many characters of a long statement its label is made of."""
_SETS_TIMEOUT = re.compile(r"SET\s+(?:LOCAL\s+|SESSION\s+)?\"?(?:[a-z_]+_timeout)\b", re.IGNORECASE)


PARAMETER = "$1"
"""Stands for a parameter of any number in `MENTIONS`."""
MENTIONS = ("lock_timeout", "standard_conforming_strings", "\\", PARAMETER)
"""What it is useful to know about all statements of a large file, in lower case."""


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement of a file."""

    content: str | TextRange
    """Its exact text, without space and comments around it, and without its semicolon; of a large one, where that is."""
    line: int
    """The line of the file in which `text` begins, from 1."""
    offset: int
    """The character of the file's text at which `text` begins, from 0; a byte order mark counts."""
    kind: str
    """The parser's name of it, for example CreateStmt; empty for a file that the parser does not know."""
    transactional: bool
    """Whether it runs in a transaction block: False if the server refuses that, or if it may end transactions itself."""
    copy_data: str | TextRange | None = None
    """The inline data of a COPY … FROM stdin; of a large file, where that is."""
    target: Target | None = None
    """For a statement outside a transaction: what in the catalog shows whether it took effect."""
    pair: int = 0
    """The number of the file's own BEGIN … COMMIT that contains it, from 1; 0 outside of them."""
    session: bool = False
    """Whether it changes a setting of the session, which a resumed run has to repeat."""

    @property
    def text(self) -> str:
        """Return its exact text, which is read from the file if it is large."""
        return load(self.content)

    @property
    def size(self) -> int:
        """Return the number of bytes of its text."""
        if isinstance(self.content, str):
            return len(self.content) if self.content.isascii() else len(self.content.encode())
        return self.content.size

    @property
    def data(self) -> str:
        """Return the inline data of a COPY, which is read from the file if that is large; empty without data."""
        return load(self.copy_data or "")

    @property
    def mark(self) -> str:
        """Return the beginning of a SHA-256 of its text, by which a later run recognises it."""
        digest = hashlib.sha256()
        for block in _read_blocks(self.content):
            digest.update(block)
        return digest.hexdigest()[:16]

    @property
    def sets_timeout(self) -> bool:
        """Return True if it only sets a timeout, on which no result depends."""
        return self.kind == "VariableSetStmt" and _SETS_TIMEOUT.match(self.head) is not None

    @property
    def head(self) -> str:
        """Return the beginning of the text, from which a statement is recognised."""
        if isinstance(self.content, str):
            return self.content[:_LABEL_SOURCE]
        return self.content.file.read(self.content.start, min(self.content.start + _LABEL_SOURCE, self.content.end)).decode(
            errors="ignore"
        )

    @property
    def shown(self) -> str:
        """Return the text for display: without secrets."""
        return mask_secrets(self.text)

    @property
    def label(self) -> str:
        """Return the first line of the text, for display: shortened, and without secrets."""
        line = mask_secrets(self.head).lstrip().partition("\n")[0].rstrip()
        return line if len(line) <= _LABEL_LENGTH else line[: _LABEL_LENGTH - 1] + "…"


class Statements(Sequence[Statement]):
    """The statements of a large file, which are made when they are asked for."""

    @property
    @abstractmethod
    def kinds(self) -> frozenset[str]:
        """Return the kinds of the statements."""

    @property
    @abstractmethod
    def largest(self) -> int:
        """Return the bytes of the longest statement."""

    @abstractmethod
    def select(self, kinds: Collection[str]) -> Iterator[Statement]:
        """Yield the statements of some kinds, in order."""

    @abstractmethod
    def list_sessions(self) -> Iterable[Statement]:
        """Yield the statements that change a setting of the session."""

    @abstractmethod
    def divide(self) -> Iterator[tuple[int, Sequence[Statement]]]:
        """Yield the parts that are in the same transaction of the file, each with its number; 0 outside of them."""


def select(statements: Iterable[Statement], kinds: Collection[str]) -> Iterator[Statement]:
    """Return an iterator over the statements of some kinds, in order."""
    if isinstance(statements, Statements):
        return statements.select(kinds)
    return (statement for statement in statements if statement.kind in kinds)


def find_place(statements: Sequence[Statement], statement: Statement) -> int:
    """Return the place of a statement in a sequence that has it, from 0: the texts of all begin at different offsets."""
    if isinstance(statements, Statements):
        return statements.index(statement)
    return bisect_left(statements, statement.offset, key=attrgetter("offset"))


@dataclass(frozen=True, slots=True)
class Segment:
    """Consecutive statements that share a transaction, or one that runs outside a transaction."""

    statements: Sequence[Statement]
    transactional: bool
    begin: str = ""
    """The file's own BEGIN where it has options, for example an isolation level."""

    def checksum(self, *, timeouts: bool) -> str:
        """Return the SHA-256 of the segment's statements, whatever its line ends are; empty if no statement counts.

        The comments between them do not count. `timeouts`: whether the statements that set a timeout count too.
        """
        digest, counts = hashlib.sha256(b"transaction" if self.transactional else b"alone"), False
        for statement in self.statements:
            if not timeouts and statement.sets_timeout:
                continue
            counts = True
            for part in (statement.content, statement.copy_data):
                digest.update(b"%d:" % (-1 if part is None else sum(map(len, _read_unix(part)))))
                for block in _read_unix(part or ""):
                    digest.update(block)
        return digest.hexdigest() if counts else ""

    @property
    def kinds(self) -> frozenset[str]:
        """Return the kinds of its statements."""
        if isinstance(self.statements, Statements):
            return self.statements.kinds
        return frozenset(statement.kind for statement in self.statements)


@dataclass(frozen=True, slots=True)
class Script:
    """What a run needs to know about the text of a file."""

    segments: tuple[Segment, ...]
    records_itself: bool = False
    """Whether it inserts its own version into schema_migrations."""
    irreversible: str | None = None
    """The reason why it cannot be rolled back, where the file contains only that directive."""
    after_deploy: bool = False
    """Whether it is marked to run when the application of before is gone."""
    lock_timeout_ms: int | None = None
    """How long its statements wait for a lock, if the file sets that."""
    parsed: bool = True
    """Whether the parser knows the text; if not, it is one statement that only the server can judge."""
    whole: Sequence[Statement] | None = None
    """The statements of a large file."""
    invisible: tuple[str, ...] = ()
    """Messages about invisible characters in a large file, which are searched for while it is read."""
    mentions: frozenset[str] = frozenset()
    """What the statements of a large file contain of `MENTIONS`."""

    @property
    def statements(self) -> Sequence[Statement]:
        """Return the statements of all segments, in order."""
        if self.whole is not None:
            return self.whole
        return tuple(statement for segment in self.segments for statement in segment.statements)

    @property
    def kinds(self) -> frozenset[str]:
        """Return the kinds of the statements."""
        return frozenset().union(*(segment.kinds for segment in self.segments))

    @property
    def sets_lock_timeout(self) -> bool:
        """Return True if a statement may set lock_timeout, by its text."""
        if self.whole is not None:
            return "lock_timeout" in self.mentions
        return any("lock_timeout" in statement.text.lower() for statement in self.statements)

    @property
    def single_transaction(self) -> bool:
        """Return True if all statements run in one transaction."""
        return len(self.segments) == 1 and self.segments[0].transactional

    def settings_before(self, segment: int) -> tuple[Statement, ...]:
        """Return the statements before a segment (by its index) that change a setting of the session.

        A run that resumes there has to repeat them: a SET search_path decides where an index is built.
        """
        return tuple(chain.from_iterable(_list_sessions(done.statements) for done in self.segments[:segment]))

    def separate(self, number: int, *, alone: bool = True) -> Script:
        """Return the script in which a statement, by its number from 1, runs outside a transaction.

        Its segment is divided before and after it, and at the file's own BEGIN and COMMIT; without `alone`, only before it and
        there. The script is unchanged if the statement runs outside a transaction anyway, or in a transaction of the file.
        """
        segments: list[Segment] = []
        position = 0
        for segment in self.segments:
            place = number - position - 1
            position += len(segment.statements)
            inside = segment.transactional and 0 <= place < len(segment.statements)
            segments += _divide(segment, place, alone) if inside and not segment.statements[place].pair else [segment]
        return replace(self, segments=tuple(segments))


def _divide(segment: Segment, place: int, alone: bool) -> list[Segment]:
    """Return the parts of a segment; one begins with the statement at a place, or is only that, outside a transaction."""
    after = place + 1 if alone else place
    statement = replace(segment.statements[place], transactional=False, target=COMMITTING)
    middle = [Segment((statement,), False)] if alone else []
    return [*_split(segment, segment.statements[:place]), *middle, *_split(segment, segment.statements[after:])]


def _split(segment: Segment, statements: Sequence[Statement]) -> list[Segment]:
    """Return segments of statements that share a transaction of the file, or are between two of them."""
    parts: Iterable[tuple[int, Sequence[Statement]]]
    if isinstance(statements, Statements):
        parts = statements.divide()
    else:
        parts = ((pair, tuple(group)) for pair, group in groupby(statements, attrgetter("pair")))
    return [Segment(part, True, segment.begin if pair else "") for pair, part in parts]


def _list_sessions(statements: Sequence[Statement]) -> Iterable[Statement]:
    if isinstance(statements, Statements):
        return statements.list_sessions()
    return (statement for statement in statements if statement.session)


def _read_blocks(content: str | TextRange) -> Iterable[bytes]:
    return (content.encode(),) if isinstance(content, str) else content.read_blocks()


def _read_unix(content: str | TextRange) -> Iterator[bytes]:
    """Yield a text in parts, in which lines end without a carriage return."""
    kept = b""
    for block in _read_blocks(content):
        joined = kept + block
        kept = b"\r" if joined.endswith(b"\r") else b""
        yield joined.removesuffix(b"\r").replace(b"\r\n", b"\n")
    yield kept
