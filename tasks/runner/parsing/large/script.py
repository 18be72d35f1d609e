"""Reading the script of a large file: its statements are parsed in parts, and only their places are kept."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from tasks.postgres.targets import Node
from tasks.runner.parsing.checks import check_escapes, find_escapes
from tasks.runner.parsing.directives import UNWRITTEN, Header, may_have_directives, read_header, refuse_unwritten
from tasks.runner.parsing.invisible import describe_invisible, find_invisible, is_invisible
from tasks.runner.parsing.large.places import ChunkText, LargePlaces
from tasks.runner.parsing.large.scan import StatementSpan, scan_statements
from tasks.runner.parsing.large.table import StatementTable
from tasks.runner.parsing.large.text import LargeText, TextRange
from tasks.runner.parsing.ledger_statements import LEDGER, LedgerChecks
from tasks.runner.parsing.parser import PLAIN_WORDS, check_statements, parse_script, parse_statements
from tasks.runner.parsing.psql import refuse_variable, take_copy_data
from tasks.runner.parsing.script import MENTIONS, PARAMETER, Script, Segment, Statement
from tasks.runner.parsing.segments import group
from tasks.runner.parsing.source_text import ScriptError
from tasks.runner.parsing.unparsed import ParseFailure

MOST_WHOLE = 64 * 1024 * 1024
"""The bytes up to which a file is read whole where it has what parts of it do not show."""
LARGE_STATEMENT = 1024 * 1024
"""The bytes of a statement up to which it is parsed, if its first word shows what it is."""
MAX_MESSAGE = 0x3FFFFFFF - 64
"""The longest statement that a server accepts, in bytes: PQ_LARGE_MESSAGE_LIMIT in src/include/libpq/libpq.h."""
_CHUNK = 128 * 1024
_TAIL = 4096
_PARAMETER = re.compile(r"\$[0-9]")
_DECIDING = frozenset({LEDGER, 'u&"'})
"""What makes the parser's tree of any statement necessary."""
_LONGEST_WORD = 32
_PLAIN = frozenset(word.encode() for word in PLAIN_WORDS)
_COUNTING = ("--", "/*", LEDGER, 'u&"', "set_config")
"""What may make a difference in a statement that only reads or changes rows, or be a comment at its end."""
_SPLIT = "Divide the file into several migrations of at most 64 MB, or move this part to a migration of its own."

_Item = tuple[Statement, Node]


class NeedsWholeError(Exception):
    """Something that only the entire text shows; with the message and the hint for a file that is too large for that."""

    def __init__(self, error: ScriptError) -> None:
        super().__init__(error.message)
        self.error = error


def parse_large(text: LargeText, *, file: str, version: str, ledger_schema: str) -> Script:
    """Read the script of a large file; raises ScriptError for one that cannot be run, and FilesError once it is edited."""
    try:
        return _LargeScript(text, LedgerChecks(version, ledger_schema)).read()
    except NeedsWholeError as reason:
        if text.size > MOST_WHOLE:
            raise reason.error from None
    return parse_script(text.load(), file=file, version=version, ledger_schema=ledger_schema)


def read_large_header(text: LargeText) -> Header:
    """Return the directives at the top of a file; raises ScriptError for a wrong one."""
    first = next(scan_statements(text), None)
    if first is None:
        return Header()
    try:
        return _LargeScript(text, LedgerChecks("", "")).read_head(first)
    except NeedsWholeError:
        return Header()


class _LargeScript:
    """What the parts of a file have shown so far."""

    def __init__(self, text: LargeText, ledger: LedgerChecks) -> None:
        self._text = text
        self._ledger = ledger
        self._records_itself = False
        self._mentions: set[str] = set()
        self._invisible: list[str] = []

    def read(self) -> Script:
        """Return the script."""
        pieces = scan_statements(self._text)
        first = next(pieces, None)
        if first is None:
            raise self._need_whole(0, "the file contains no statement")
        header = self.read_head(first)
        table = StatementTable.create(self._text)
        items = self._parse(first, pieces)
        segments = group(items, LargePlaces(self._text), no_transaction=header.no_transaction, collected=table)
        return Script(
            segments or (Segment((), True),),
            self._records_itself,
            after_deploy=header.after_deploy,
            lock_timeout_ms=header.lock_timeout_ms,
            whole=table,
            invisible=tuple(self._invisible),
            mentions=frozenset(self._mentions),
        )

    def read_head(self, first: StatementSpan) -> Header:
        """Return the directives before the first statement."""
        head = self._cut(3 if self._text.read(0, 3) == b"\xef\xbb\xbf" else 0, first.start)
        if UNWRITTEN in head.text:
            refuse_unwritten(head)
        header = read_header(head) if may_have_directives(head.text.lower()) else Header()
        if header.irreversible is not None:
            raise self._need_whole(header.at + head.shift, "the file is marked as irreversible, but contains SQL")
        return header

    def _parse(self, first: StatementSpan, pieces: Iterator[StatementSpan]) -> Iterator[_Item]:
        """Yield the statements with their nodes; consecutive small ones are parsed together."""
        begin, end, spans = first.start, first.start, list[StatementSpan]()
        for piece in _chain(first, pieces):
            if piece.fault is not None:
                self._refuse_fault(begin, piece.fault)
            is_large = piece.end - piece.start > LARGE_STATEMENT
            if is_large or (end > begin and piece.end - begin > _CHUNK):
                yield from self._parse_chunk(begin, end, spans)
                begin, spans = end, []
            if is_large and (kind := self._recognise(piece)):
                yield self._make_large(piece, kind), {}
                begin = piece.after
            elif piece.data is not None:
                yield from self._parse_chunk(begin, piece.end, [], piece)
                begin, spans = piece.after, []
            else:
                spans.append(piece)
            end = piece.after
        yield from self._parse_chunk(begin, self._text.size, spans)

    def _cut(self, start: int, end: int) -> ChunkText:
        before, lines = self._text.count_before(start)
        part = self._text.read(start, end).decode()
        return ChunkText(self._text.shown, part, before, lines + 1, self._text, start)

    def _parse_chunk(
        self, start: int, end: int, spans: list[StatementSpan], copy: StatementSpan | None = None
    ) -> Iterator[_Item]:
        """Yield the statements of a part of the file, at the `spans` that it has without `copy`, which is followed by data."""
        sql = self._cut(start, end)
        lowered = sql.text.lower()
        self._check_words(sql, lowered)
        if _is_plain(lowered, spans) and _count_statements(sql) == len(spans):
            yield from self._list_plain(sql, spans)
            return
        copies: dict[int, str | TextRange] = {}
        if copy is not None and copy.data is not None:
            copies[len(self._text.read(start, copy.start).decode())] = TextRange(self._text, *copy.data)
        parsed = parse_statements(sql, copies)
        if isinstance(parsed, ParseFailure):
            refuse_variable(sql, parsed.offset)
            raise self._need_whole(
                parsed.offset + sql.shift,
                f"{parsed.message} (and a file of more than {MOST_WHOLE // 1024**2} MB must be parsed)",
                hint="Fix this line. If it is SQL of a newer server, move it to a migration of its own.",
            )
        self._records_itself |= check_statements(parsed, sql, self._ledger)
        if any(map(is_invisible, set(sql.text))):
            self._invisible += _list_invisible(parsed, sql)
        position, place = start, 0
        for statement, node in parsed:
            at = statement.offset - sql.shift
            position += _count_bytes(sql.text[place:at])
            place = at
            yield replace(statement, content=TextRange(self._text, position, position + statement.size)), node

    def _list_plain(self, sql: ChunkText, spans: list[StatementSpan]) -> Iterator[_Item]:
        """Yield statements that only read or change rows, in plain ASCII, without making their texts."""
        line, place = sql.line, 0
        for span in spans:
            at = span.start - sql.start
            line += sql.text.count("\n", place, at)
            place = at
            end = span.start + len(sql.text[at : span.end - sql.start].rstrip())
            content, kind = TextRange(self._text, span.start, end), PLAIN_WORDS[span.word.decode()]
            yield Statement(content, line, sql.shift + at, kind, True), {}

    def _check_words(self, sql: ChunkText, lowered: str) -> None:
        """Raise ScriptError for a directive or a mark at the wrong place."""
        if may_have_directives(lowered):
            read_header(sql, in_head=False)
        if UNWRITTEN in sql.text:
            refuse_unwritten(sql)
        off = find_escapes(sql.text)
        if off is not None:
            raise self._need_whole(
                off.start() + sql.shift, "standard_conforming_strings = off changes where the strings of the file end"
            )
        self._mention(lowered)

    def _mention(self, lowered: str) -> None:
        for word in MENTIONS:
            if word not in self._mentions and (word in lowered if word != PARAMETER else _has_parameter(lowered)):
                self._mentions.add(word)

    def _recognise(self, piece: StatementSpan) -> str:
        """Return the kind of a large statement that need not be parsed; empty for one that has to be."""
        if piece.end - piece.start > MAX_MESSAGE:
            error = self._build_error(
                self._text.count_before(piece.start)[0],
                f"the statement has {piece.end - piece.start:,} bytes, and a server accepts at most 1 GB in a statement",
                "Divide it, or copy the rows: COPY … FROM stdin;",
            )
            raise error
        kind = PLAIN_WORDS.get(piece.word.decode(errors="replace"), "")
        if not kind:
            return ""
        found = self._search(TextRange(self._text, piece.start, piece.end))
        return "" if found & _DECIDING or ("set_config" in found and kind == "SelectStmt") else kind

    def _search(self, content: TextRange) -> set[str]:
        """Return which words that decide how a statement is read are in a large one, and take note of the others."""
        found, before = set[str](), ""
        for block in content.read_blocks():
            lowered = before + block.decode(errors="replace").lower()
            self._mention(lowered)
            found.update(word for word in (*_DECIDING, "set_config") if word in lowered)
            before = lowered[-_LONGEST_WORD:]
        return found

    def _make_large(self, piece: StatementSpan, kind: str) -> Statement:
        tail = self._text.read(max(piece.end - _TAIL, piece.start), piece.end)
        content = TextRange(self._text, piece.start, piece.end - len(tail) + len(tail.rstrip()))
        before, lines = self._text.count_before(piece.start)
        return Statement(content, lines + 1, before, kind, transactional=True)

    def _refuse_fault(self, start: int, fault: int) -> None:
        """Raise ScriptError for a command of psql, or a text after a COPY, which ends the part that begins at `start`."""
        sql = self._cut(start, min(fault + _TAIL, self._text.find_line_end(fault)))
        check_escapes(sql)
        take_copy_data(sql)
        raise self._need_whole(self._text.count_before(fault)[0], "the text is not SQL")

    def _need_whole(self, offset: int, message: str, hint: str = _SPLIT) -> NeedsWholeError:
        return NeedsWholeError(self._build_error(offset, message, hint))

    def _build_error(self, offset: int, message: str, hint: str) -> ScriptError:
        return LargePlaces(self._text).error(offset, message, hint=hint)


def _chain(first: StatementSpan, others: Iterator[StatementSpan]) -> Iterator[StatementSpan]:
    yield first
    yield from others


def _has_parameter(text: str) -> bool:
    return "$" in text and _PARAMETER.search(text) is not None


def _is_plain(lowered: str, spans: list[StatementSpan]) -> bool:
    """Return True if the first words of statements show their kinds, and nothing else in them counts."""
    if not spans or not lowered.isascii() or any(word in lowered for word in _COUNTING):
        return False
    return all(span.word in _PLAIN for span in spans) and not any(map(is_invisible, set(lowered)))


def _count_statements(sql: ChunkText) -> int:
    """Return how many statements the parser finds; 0 if it refuses the text."""
    from pglast.parser import ParseError, split

    try:
        return len(split(sql.text, only_slices=True))
    except (ParseError, RecursionError):
        return 0


def _list_invisible(items: list[_Item], sql: ChunkText) -> list[str]:
    found = []
    for statement, _ in items:
        for at in find_invisible(statement.text):
            start = statement.offset - sql.shift + at
            found.append(describe_invisible(sql.text[start], sql.place(start)))
    return found


def _count_bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())
