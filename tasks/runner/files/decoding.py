"""The bytes of a file as text: in UTF-8, or in the encoding that the file itself sets.

The runner sends UTF-8, so a statement that sets another client_encoding could only corrupt text. It is blanked, and noted,
where it is certain what the bytes of the file mean; else the file is refused.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass

from tasks.postgres.encodings import SQL_ASCII, UTF8, decode_as, find_encoding
from tasks.postgres.tokens import BLANKS, Token, is_closed, read_string, tokenize
from tasks.runner.command_lines import quote_words
from tasks.runner.errors import FilesError, Place
from tasks.runner.parsing.psql import END_OF_DATA
from tasks.runner.parsing.source_text import BYTE_ORDER_MARK, blank

_MAY_CHANGE = ("client_encoding", "names", "\\encoding")
_NAME_VALUE = re.compile(r"set (?:(?:session|local) )?(?:client_encoding (?:to|=)|names) (.+)|reset client_encoding()")
_SELECTED = re.compile(
    r"select (?:pg_catalog \. )?set_config \( client_encoding , (\S+) , (?:'?(?:true|false|t|f|on|off)'?)(?: :: bool(?:ean)?)? \)"
)
_END_OF_LINE = re.compile(r"$", re.MULTILINE)
_CONVERT = (
    "Save it as UTF-8 in an editor that shows its text correctly. Or, if you know its encoding, write that into the first line,\n"
    "and a run reads the file in it, for example: SET client_encoding = 'WIN1252';"
)


@dataclass(frozen=True, slots=True)
class DecodedText:
    """The text of a file, without the statements that set client_encoding, and a note for each of these."""

    text: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Change:
    """A statement or psql command that sets client_encoding; `encoding` is empty for one that PostgreSQL does not know."""

    start: int
    end: int
    line: int
    encoding: str
    is_command: bool = False

    @property
    def is_skipped(self) -> bool:
        """Return True if it would change the encoding, or if only psql understands it."""
        return self.encoding not in ("", UTF8) or (self.is_command and self.encoding == UTF8)


def decode_source(data: bytes, shown: str) -> DecodedText:
    """Decode the bytes of a file.

    Raises FilesError if it is not certain which characters they are, or if they contain NUL.
    """
    try:
        decoded = _skip_changes(data.decode("utf-8"), shown)
    except UnicodeDecodeError as error:
        decoded = _decode_as_set(data, shown, error)
    text = decoded.text
    nul = text.find("\0")
    if nul >= 0:
        line = text.count("\n", 0, nul) + 1
        raise FilesError(
            f"{shown}:{line} contains a NUL byte (U+0000), which PostgreSQL does not accept",
            (),
            hint="It may be UTF-16, or not a text file. Save it as UTF-8.",
            place=Place(shown, line, nul - text.rfind("\n", 0, nul)),
        )
    return decoded


def skip_encoding(text: str) -> str:
    """Return a text that was decoded correctly, as those in the ledger, without the statements that set client_encoding."""
    return _blank(text, [change for change in _find_changes(text) if change.is_skipped])


def changes_encoding(text: str) -> bool:
    """Return True if a text begins with a statement, or a psql command, that sets client_encoding and cannot be run."""
    return any(change.start == 0 and change.is_skipped for change in _find_changes(text))


def _skip_changes(text: str, shown: str) -> DecodedText:
    """Return a text that is UTF-8 without its changes; raises FilesError for one that contradicts the bytes of the file."""
    changes = [change for change in _find_changes(text) if change.is_skipped]
    wrong = next((change for change in changes if change.encoding not in (UTF8, SQL_ASCII)), None)
    is_ascii = text.removeprefix(BYTE_ORDER_MARK).isascii()
    if wrong is not None and not is_ascii:
        lines = text.removeprefix(BYTE_ORDER_MARK).split("\n")
        other = next(number for number, line in enumerate(lines, 1) if not line.isascii())
        raise FilesError(
            f"{shown}:{wrong.line} sets client_encoding to {wrong.encoding}, but the file is UTF-8: see line {other}",
            (),
            hint=f"Delete line {wrong.line}, if an editor shows the text correctly as UTF-8: a run sends UTF-8 anyway.\n"
            f"If line {other} is wrong, restore the original file: in {wrong.encoding}, it can run as it is.",
            place=Place(shown, wrong.line),
        )
    state = "the file is plain ASCII" if is_ascii else "the file is UTF-8"
    return DecodedText(
        _blank(text, changes),
        tuple(f"line {change.line}, which sets client_encoding to {change.encoding}, is skipped: {state}" for change in changes),
    )


def _decode_as_set(data: bytes, shown: str, error: UnicodeDecodeError) -> DecodedText:
    """Return bytes that are not UTF-8 as text in the one encoding that the file sets; raises FilesError without one."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        hint = f"Convert it: iconv -f utf-16 -t utf-8 {quote_words(shown)} > converted.sql"
        raise _refuse_bytes(data, shown, error, "UTF-8", hint) from error
    # Statements are ASCII in all encodings, and Latin-1 has a character for each byte.
    changes = _find_changes(data.decode("latin-1"))
    encodings = {change.encoding for change in changes}
    if not changes or (UTF8 in encodings and len(encodings) == 1):
        raise _refuse_bytes(data, shown, error, "UTF-8", _CONVERT) from error
    if len(encodings) > 1:
        named = ", ".join(f"{change.encoding or 'unknown'} on line {change.line}" for change in changes)
        hint = "Convert the file to UTF-8, each part from its encoding, and delete these lines."
        raise _refuse_bytes(data, shown, error, "UTF-8, and sets more than one encoding", f"{named}. {hint}") from error
    (encoding,) = encodings
    hint = f"Convert the file to UTF-8 from its encoding, and delete line {changes[0].line}."
    try:
        text = decode_as(data, encoding)
    except UnicodeDecodeError as second:
        named = f"{encoding}, which line {changes[0].line} sets, nor UTF-8"
        raise _refuse_bytes(data, shown, second, named, hint) from second
    if text is None or [change.line for change in _find_changes(text)] != [change.line for change in changes]:
        named = f"UTF-8, and {encoding or 'the encoding'} of line {changes[0].line} cannot be read here"
        raise _refuse_bytes(data, shown, error, named, hint) from error
    skipped = _find_changes(text)
    note = f"the file is not UTF-8, and is read in {encoding}, which line {changes[0].line} sets; that line is skipped"
    return DecodedText(_blank(text, skipped), (note,))


def _refuse_bytes(data: bytes, shown: str, error: UnicodeDecodeError, encoding: str, hint: str) -> FilesError:
    line = data.count(b"\n", 0, error.start) + 1
    message = f"{shown}:{line} is not {encoding}: byte 0x{data[error.start]:02x}"
    return FilesError(message, (), hint=hint, place=Place(shown, line))


def _blank(text: str, changes: list[_Change]) -> str:
    for change in changes:
        text = text[: change.start] + blank(text[change.start : change.end]) + text[change.end :]
    return text


def _find_changes(text: str) -> list[_Change]:
    """Return the statements that set client_encoding by themselves, to a constant; the default is UTF8."""
    lowered = text.lower()
    if not any(word in lowered for word in _MAY_CHANGE):
        return []
    found = []
    for statement in _split(text):
        value = _read_value(statement)
        if value is not None:
            start, end = statement[0].start, statement[-1].end
            line, is_command = text.count("\n", 0, start) + 1, statement[0].text == "\\"
            found.append(_Change(start, end, line, find_encoding(value) if value else UTF8, is_command and value != ""))
    return found


def _read_value(statement: list[Token]) -> str | None:
    """Return the encoding that a statement sets, empty for the default, or None for any other statement."""
    words = [_read_word(token) for token in statement[:16]]
    if words[:2] == ["\\", "encoding"]:
        return "".join(words[2:])
    for pattern in (_NAME_VALUE, _SELECTED):
        match = pattern.fullmatch(" ".join(words))
        if match and len(statement) <= 16:
            value = match[1] or ""
            return "" if value == "default" else value
    return None


def _read_word(token: Token) -> str:
    """Return a token in lower case, a string or a quoted name as its content."""
    if token.kind in ("string", "escape_string") and is_closed(token):
        return read_string(token).lower()
    return token.text.strip('"').lower()


def _split(text: str) -> Iterator[list[Token]]:
    """Yield the tokens of each statement and of each psql command, without the inline data of COPY."""
    position: int | None = 1 if text.startswith(BYTE_ORDER_MARK) else 0
    while position is not None:
        start, position = position, None
        statement: list[Token] = []
        for token in tokenize(text, start, skip=BLANKS):
            if token.text == "\\" and token.kind == "other":
                position = _find_line_end(text, token.start)
                yield list(tokenize(text[:position], token.start, skip=BLANKS))
                break
            if token.text != ";":
                statement.append(token)
                continue
            yield statement
            if _reads_client(statement):
                data = END_OF_DATA.search(text, _find_line_end(text, token.end))
                position = data.end() if data else len(text)
                break
            statement = []
        else:
            yield statement


def _reads_client(statement: list[Token]) -> bool:
    words = [token.text.lower() for token in statement]
    return words[:1] == ["copy"] and any(words[at : at + 2] == ["from", "stdin"] for at in range(len(words)))


def _find_line_end(text: str, position: int) -> int:
    end = _END_OF_LINE.search(text, position)
    return end.start() if end else len(text)
