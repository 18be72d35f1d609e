"""What a file of one transaction sends through a pipeline, and which files can be run in one."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator

from tasks.postgres.representable import fit_comments
from tasks.runner.database.pipeline import Pipeline, PipelineCommand
from tasks.runner.parsing import Script, Statement
from tasks.runner.parsing.script import PARAMETER, Statements

_MOST_CHARACTERS = 1_000_000
"""The longest statement that is sent in a pipeline."""
_KINDS_WITH_PARAMETERS = frozenset(
    {
        "SelectStmt",
        "InsertStmt",
        "UpdateStmt",
        "DeleteStmt",
        "MergeStmt",
        "ExplainStmt",
        "DeclareCursorStmt",
        "CreateTableAsStmt",
        "CallStmt",
    }
)
"""The statements in which the extended protocol takes $1 for a parameter of the client.

The server analyses the others only when it runs them. https://www.postgresql.org/docs/current/protocol-flow.html
"""
_PARAMETER = re.compile(r"\$[0-9]")
_CONFORMING = "standard_conforming_strings"
_MAY_WARN = re.compile(r'\\|\w{22}|"[^"]{22}')
"""What the server may raise a notice about while it parses: an escape, or a name that has more than 63 bytes."""
_LONG = 4096
"""A longer text is not searched for that: the search takes longer than an empty command."""
_NOTHING = PipelineCommand(b"")
_SET_ENCODING = PipelineCommand(b"SET client_encoding = 'UTF8'")


def fits_pipeline(script: Script, *, conforming: bool) -> bool:
    """Return True if a script can run in a pipeline with the same effect.

    `conforming`: whether backslashes are ordinary characters in the session, as they are to the parser.
    """
    if not script.parsed or not script.single_transaction:
        return False
    statements = script.segments[0].statements
    if isinstance(statements, Statements):
        return _fits_large(script, statements, conforming)
    return all(map(_fits, statements)) and (all(map(_is_certainly_one, statements)) or (conforming and _keeps(statements)))


def _fits_large(script: Script, statements: Statements, conforming: bool) -> bool:
    """Return True if the statements of a large file fit, by what is known of all of them."""
    if "CopyStmt" in statements.kinds or statements.largest > _MOST_CHARACTERS or PARAMETER in script.mentions:
        return False
    return "\\" not in script.mentions or (conforming and _CONFORMING not in script.mentions)


def _fits(statement: Statement) -> bool:
    text = statement.text
    if statement.kind == "CopyStmt" or len(text) > _MOST_CHARACTERS:
        return False
    return "$" not in text or statement.kind not in _KINDS_WITH_PARAMETERS or _PARAMETER.search(text) is None


def _is_certainly_one(statement: Statement) -> bool:
    """Return True if the text is one statement, whatever a backslash means."""
    return "\\" not in statement.text or ";" not in statement.text


def _keeps(statements: Iterable[Statement]) -> bool:
    return not any(_CONFORMING in statement.text.lower() for statement in statements)


class PipelinedFile:
    """The commands of one file in a pipeline: a probe, its BEGIN, its statements, and what precedes its record.

    They are sent as far as the pipeline has room, and the rest as answers arrive. The text is sent in UTF-8, whatever an earlier
    statement has made of client_encoding.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        statements: Iterable[Statement],
        *,
        probe: Iterable[PipelineCommand],
        opening: Iterable[PipelineCommand],
        closing: Iterable[PipelineCommand],
        encoding: str,
    ) -> None:
        self._pipeline = pipeline
        self._probe = tuple(probe)
        self._opening = tuple(opening)
        self._closing = tuple(closing)
        self._encoding = encoding
        self._groups: Iterator[tuple[tuple[PipelineCommand, ...], ...]] | None = self._list_groups(statements)
        self._counts: deque[int] = deque()

    @property
    def has_probe(self) -> bool:
        """Return True if the first group is a probe."""
        return bool(self._probe)

    def send(self) -> bool:
        """Send what the pipeline has room for; return True if that is anything."""
        before = len(self._counts)
        while self._groups is not None and self._pipeline.has_room:
            group = next(self._groups, None)
            if group is None:
                self._groups = None
                break
            for commands in group:
                self._pipeline.send(*commands)
                self._pipeline.request_answers()
            self._counts.append(sum(map(len, group)))
        return len(self._counts) > before

    def send_more(self) -> None:
        """Send more if few commands are not answered yet."""
        if self._groups is not None and not self._pipeline.is_filled:
            self.send()

    def take_count(self) -> int:
        """Return the number of answers of the next group: the probe, the beginning, a statement with its SET, or the end."""
        if not self._counts:
            self.send()
        return self._counts.popleft()

    def _list_groups(self, statements: Iterable[Statement]) -> Iterator[tuple[tuple[PipelineCommand, ...], ...]]:
        """Yield the groups, each in parts that are answered when they are done.

        What precedes a statement is answered at once: how long a statement runs is counted from there.
        """
        if self._probe:
            yield (self._probe,)
        yield (self._opening,)
        for number, statement in enumerate(statements):
            text = statement.text
            command = PipelineCommand(fit_comments(text, self._encoding).encode())
            if number and not text.isascii():
                yield (_SET_ENCODING,), (command,)
            elif number and (len(text) > _LONG or _MAY_WARN.search(text)):
                # libpq takes a notice as soon as it arrives, so it must not follow the answer to another statement directly.
                yield (_NOTHING,), (command,)
            else:
                yield ((command,),)
        yield (self._closing,)
