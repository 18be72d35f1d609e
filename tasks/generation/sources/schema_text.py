r"""What a schema file contains that is no part of the schema: pg_dump's guards and settings, and the tables of the ledger.

They are blanked, so that all lines keep their numbers. pg_dump writes `\restrict` and `\unrestrict` to protect psql, and settings
that older servers do not know: https://www.postgresql.org/docs/current/app-pgdump.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress

from tasks.postgres.tokens import BLANKS, tokenize
from tasks.runner.errors import RunnerError
from tasks.runner.parsing.psql import take_copy_data
from tasks.runner.parsing.source_text import SqlText, blank

_LEDGER = "schema_migrations"
_GUARD = re.compile(r"\A((?:[ \t]*(?:--[^\n]*)?\n)*)(\\restrict [^\n]*)|(\n\\unrestrict [^\n]*)(?=\s*\Z)")
_LINE = re.compile(
    r"^(?:SET transaction_timeout = 0|CREATE SCHEMA public|CREATE (?:OR REPLACE )?(?:PROCEDURAL )?LANGUAGE plpgsql);$",
    re.MULTILINE,
)
"""What every new database has: pg_dump writes the schema public for a dump of that alone, and old versions wrote the language."""
_COPIED = re.compile(rf"^COPY (?:\w+\.)?{_LEDGER}\w* [^\n]*FROM stdin;\n(?:[^\n]*\n)*?\\\.$", re.MULTILINE)
_QUOTING = re.compile(r"CREATE (?:OR REPLACE )?(?:FUNCTION|PROCEDURE|VIEW|MATERIALIZED VIEW|RULE)\b", re.IGNORECASE)
"""The statements that name a table without being about it."""


def clean(text: str, shown: str) -> str:
    """Return the text of a schema file without what is no part of the schema."""
    text = _GUARD.sub(lambda match: (match[1] or "") + blank(match[2] or match[3]), text.replace("\r\n", "\n"))
    text = _LINE.sub(lambda match: blank(match[0]), text)
    if _LEDGER not in text:
        return text
    text = _COPIED.sub(lambda match: blank(match[0]), text)
    # A text that cannot be parsed fails when it is loaded, with its line.
    with suppress(RunnerError, ValueError):
        for start, end in list(_find_ledger(take_copy_data(SqlText(shown, text))[0].text)):
            text = text[:start] + blank(text[start:end]) + text[end:]
    return text


def _find_ledger(text: str) -> Iterator[tuple[int, int]]:
    """Yield where the statements on tables of the ledger begin and end, with their semicolons; raises ValueError."""
    import pglast
    from pglast.parser import ParseError

    try:
        places = pglast.split(text, only_slices=True)
    except ParseError as error:
        raise ValueError("it cannot be parsed") from error
    for place in places:
        statement = text[place]
        if _LEDGER in statement and not _QUOTING.match(statement) and _names_ledger(statement):
            yield place.start, place.stop + text[place.stop : place.stop + 1].count(";")


def _names_ledger(statement: str) -> bool:
    return any(token.text.strip("\"'").rpartition(".")[2].startswith(_LEDGER) for token in tokenize(statement, skip=BLANKS))
