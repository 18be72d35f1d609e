"""The statements of a file, and its segments: statements that share a transaction."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tasks.runner.redaction import redact

if TYPE_CHECKING:
    from tasks.postgres.targets import Target

_LABEL_LENGTH = 80


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
    session: bool = False
    """Whether it changes a setting of the session, which a resumed run has to repeat."""

    @property
    def label(self) -> str:
        """Return the first line of the text, for display: shortened, and without passwords."""
        line = redact(self.text.lstrip().partition("\n")[0].rstrip())
        return line if len(line) <= _LABEL_LENGTH else line[: _LABEL_LENGTH - 1] + "…"


@dataclass(frozen=True, slots=True)
class Segment:
    """Consecutive statements that share a transaction, or one that runs outside a transaction."""

    statements: tuple[Statement, ...]
    transactional: bool
    begin: str = ""
    """The file's own BEGIN where it has options, for example an isolation level."""

    @property
    def checksum(self) -> str:
        """Return the SHA-256 of the segment's statements, without the comments between them and whatever its line ends are."""
        digest = hashlib.sha256(b"transaction" if self.transactional else b"alone")
        for statement in self.statements:
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
