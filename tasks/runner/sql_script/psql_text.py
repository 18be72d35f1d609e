r"""SQL as psql reads it: statements in which it replaces nothing, data of COPY, conditions, and blocks that raise errors.

https://www.postgresql.org/docs/current/app-psql.html#APP-PSQL-VARIABLES
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from psycopg import sql

from tasks.postgres.tokens import tokenize

_VARIABLE = re.compile(r"""['"{]|[^\W\d]|[^\x00-\x7f]""")
"""What psql takes for a variable after a colon."""


def protect(text: str) -> str:
    """Return SQL with a space after each colon that psql could take for the beginning of a variable, as in `a[1:n]`.

    psql replaces no variable in strings, quoted names and comments.
    """
    if ":" not in text:
        return text
    pieces: list[str] = []
    for token in tokenize(text):
        pieces.append(token.text)
        if token.text == ":" and _VARIABLE.match(text, token.end):
            pieces.append(" ")
    return "".join(pieces)


def quote_text(text: str) -> str:
    r"""Return a string constant that is the same whatever standard_conforming_strings is, and after a change of line ends."""
    literal = sql.Literal(text).as_string().strip()
    if "\r" not in text:
        return literal
    escaped = literal if literal.startswith("E") else f"E{literal}"
    return escaped.replace("\r", "\\r")


def write_statement(text: str, *, parsed: bool) -> str:
    """Return a statement of a file; one that was not parsed can end in a comment."""
    return f"{protect(text)};" if parsed else f"{protect(text)}\n;"


def write_copy(text: str, data: str) -> str:
    r"""Return a COPY … FROM stdin with its data, which psql also skips where a condition is not met.

    There, psql reads the lines of the data as SQL, so they are between dollar quotes. Where the COPY runs, it takes these lines
    before psql reads the closing quote, and the string is empty but for a line break.
    """
    mark = _choose_mark(data, "data")
    lines = data if not data or data.endswith("\n") else f"{data}\n"
    return f"{protect(text)}; SELECT {mark}\n{lines}\\.\n{mark} AS migrate_data \\gset"


def write_condition(variable: str, then: Iterable[str], otherwise: Iterable[str] = ()) -> list[str]:
    r"""Return the lines that run where a variable of psql is true, and those where it is not."""
    alternative = list(otherwise)
    return [f"\\if :{variable}", *then, *(["\\else", *alternative] if alternative else []), "\\endif"]


def write_block(body: str, *declarations: str) -> str:
    """Return a DO block in PL/pgSQL."""
    mark = _choose_mark(body, "migrate")
    declared = f"DECLARE {' '.join(f'{each};' for each in declarations)}\n" if declarations else ""
    return f"DO {mark}\n{declared}BEGIN\n{body}\nEND {mark};"


def write_error(message: str, hint: str, *, values: Iterable[str] = ()) -> str:
    """Return a RAISE EXCEPTION; each % of the message stands for one of the values, which are SQL."""
    arguments = "".join(f", {value}" for value in values)
    return f"RAISE EXCEPTION {quote_text(message)}{arguments} USING HINT = {quote_text(hint)};"


def write_echo(message: str) -> str:
    r"""Return the \echo of a message."""
    quoted = message.replace("\\", "\\\\").replace("'", "''").replace("\n", " ")
    return f"\\echo '{quoted}'"


def write_comment(text: str) -> list[str]:
    """Return the lines of a text as comments."""
    return [f"-- {line}".rstrip() for line in text.splitlines()]


def _choose_mark(text: str, word: str) -> str:
    """Return a dollar quote that the text does not contain."""
    mark, number = f"${word}$", 0
    while mark in text:
        number += 1
        mark = f"${word}{number}$"
    return mark
