"""The statements of a file, and its segments: statements that share a transaction."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import groupby
from operator import attrgetter

from tasks.postgres.masking import mask_secrets
from tasks.postgres.targets import COMMITTING, Target

_LABEL_LENGTH = 80
_SETS_TIMEOUT = re.compile(r"SET\s+(?:LOCAL\s+|SESSION\s+)?\"?(?:[a-z_]+_timeout)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement of a file."""

    text: str
    """Its exact text, without space and comments around it, and without its semicolon."""
    line: int
    """The line of the file in which `text` begins, from 1."""
    offset: int
    """The character of the file's text at which `text` begins, from 0; a byte order mark counts."""
    kind: str
    """The parser's name of it, for example CreateStmt; empty for a file that the parser does not know."""
    transactional: bool
    """Whether it runs in a transaction block: False if the server refuses that, or if it may end transactions itself."""
    copy_data: str | None = None
    """The inline data of a COPY … FROM stdin."""
    target: Target | None = None
    """For a statement outside a transaction: what in the catalog shows whether it took effect."""
    pair: int = 0
    """The number of the file's own BEGIN … COMMIT that contains it, from 1; 0 outside of them."""
    session: bool = False
    """Whether it changes a setting of the session, which a resumed run has to repeat."""

    @property
    def mark(self) -> str:
        """Return the beginning of a SHA-256 of its text, by which a later run recognises it."""
        return hashlib.sha256(self.text.encode()).hexdigest()[:16]

    @property
    def sets_timeout(self) -> bool:
        """Return True if it only sets a timeout, on which no result depends."""
        return self.kind == "VariableSetStmt" and _SETS_TIMEOUT.match(self.text) is not None

    @property
    def shown(self) -> str:
        """Return the text for display: without secrets."""
        return mask_secrets(self.text)

    @property
    def label(self) -> str:
        """Return the first line of the text, for display: shortened, and without secrets."""
        line = self.shown.lstrip().partition("\n")[0].rstrip()
        return line if len(line) <= _LABEL_LENGTH else line[: _LABEL_LENGTH - 1] + "…"


@dataclass(frozen=True, slots=True)
class Segment:
    """Consecutive statements that share a transaction, or one that runs outside a transaction."""

    statements: tuple[Statement, ...]
    transactional: bool
    begin: str = ""
    """The file's own BEGIN where it has options, for example an isolation level."""

    def checksum(self, *, timeouts: bool) -> str:
        """Return the SHA-256 of the segment's statements, whatever its line ends are; empty if no statement counts.

        The comments between them do not count. `timeouts`: whether the statements that set a timeout count too.
        """
        statements = [statement for statement in self.statements if timeouts or not statement.sets_timeout]
        if not statements:
            return ""
        digest = hashlib.sha256(b"transaction" if self.transactional else b"alone")
        for statement in statements:
            for part in (statement.text, statement.copy_data):
                data = b"" if part is None else part.replace("\r\n", "\n").encode()
                digest.update(b"%d:" % (-1 if part is None else len(data)))
                digest.update(data)
        return digest.hexdigest()


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

    @property
    def statements(self) -> tuple[Statement, ...]:
        """Return the statements of all segments, in order."""
        return tuple(statement for segment in self.segments for statement in segment.statements)

    @property
    def single_transaction(self) -> bool:
        """Return True if all statements run in one transaction."""
        return len(self.segments) == 1 and self.segments[0].transactional

    def settings_before(self, segment: int) -> tuple[Statement, ...]:
        """Return the statements before a segment (by its index) that change a setting of the session.

        A run that resumes there has to repeat them: a SET search_path decides where an index is built.
        """
        return tuple(statement for done in self.segments[:segment] for statement in done.statements if statement.session)

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


def _split(segment: Segment, statements: Iterable[Statement]) -> list[Segment]:
    """Return segments of statements that share a transaction of the file, or are between two of them."""
    return [Segment(tuple(group), True, segment.begin if pair else "") for pair, group in groupby(statements, attrgetter("pair"))]
