"""Queries from a file: SQL, each statement ended by `;`, with parameters such as $1."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from tasks.compat.model import CheckedQuery
from tasks.compat.row_rules import read_targets
from tasks.postgres.tokens import BLANKS, Token, tokenize
from tasks.runner.errors import FilesError, Place, UsageError
from tasks.runner.events import LeftOutQueries
from tasks.runner.files.checkout import show_path
from tasks.runner.parsing.plain_queries import read_query

_STATE = "Nothing was changed."
_LONGEST = 1024 * 1024
_MOST_NAMED = 10


def read_query_file(path: Path) -> tuple[tuple[CheckedQuery, ...], tuple[LeftOutQueries, ...]]:
    """Return the queries of a file, and what of it was left out, with its place.

    SET search_path = … applies to the queries after it. Raises UsageError for a file that cannot be read or has no query, and
    FilesError for one that is not UTF-8.
    """
    shown = show_path(path)
    queries: list[CheckedQuery] = []
    left_out: Counter[str] = Counter()
    search_path = ""
    for statement, line in split_statements(_read_text(path, shown)):
        setting = _read_search_path(statement)
        if setting is not None:
            search_path = setting
            continue
        query = read_query(statement) if len(statement) <= _LONGEST else None
        reason = f"longer than {_LONGEST // 1024} kB" if query is None else query.reason
        if query is None or reason:
            left_out[f"{reason} ({shown}:{line})"] += 1
            continue
        place = Place(shown, line)
        queries.append(CheckedQuery(query.text, place, search_path=search_path, targets=read_targets(query)))
    if not queries and not left_out:
        raise UsageError(
            f"{shown} contains no query", hint="Write SQL into it, each statement ended by ; and parameters as $1.", state=_STATE
        )
    named = [LeftOutQueries(reason, number) for reason, number in left_out.items()]
    rest = sum(each.count for each in named[_MOST_NAMED:])
    more = (LeftOutQueries("of the file that are not plain queries, too", rest),) if rest else ()
    return tuple(queries), (*named[:_MOST_NAMED], *more)


def split_statements(text: str) -> list[tuple[str, int]]:
    """Return the statements of a text, each with the line of its first word, from 1; a BEGIN ATOMIC body is not a query."""
    found: list[tuple[str, int]] = []
    current: list[Token] = []
    line, counted = 1, 0

    def finish() -> None:
        nonlocal line, counted
        if current:
            start, end = current[0].start, current[-1].end
            line += text.count("\n", counted, start)
            counted = start
            found.append((text[start:end], line))
            current.clear()

    for token in tokenize(text, skip=BLANKS):
        if token.kind == "punctuation" and token.text == ";":
            finish()
        else:
            current.append(token)
    finish()
    return found


def _read_text(path: Path, shown: str) -> str:
    try:
        data = path.read_bytes()
    except OSError as error:
        hint = "Name a file of SQL, for example --queries=queries.sql"
        raise UsageError(f"cannot read {shown}: {error.strerror or error}", hint=hint, state=_STATE) from error
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        message = f"{shown}:{line} is not UTF-8: byte 0x{data[error.start]:02x}"
        raise FilesError(message, (), hint="Convert the file to UTF-8.", place=Place(shown, line)) from error


def _read_search_path(statement: str) -> str | None:
    """Return the value of a SET search_path, None for any other statement."""
    words = [token.text for token in tokenize(statement, skip=BLANKS)]
    lowered = [word.lower() for word in words[:3]]
    if len(words) < 4 or lowered[:2] != ["set", "search_path"] or lowered[2] not in {"=", "to"}:
        return None
    return " ".join(f'"{word[1:-1]}"' if word.startswith("'") else word for word in words[3:])
