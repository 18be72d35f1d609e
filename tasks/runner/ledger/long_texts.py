"""Storing long texts in parts: as literals of a statement, there would be several copies of them at once."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
from psycopg import sql

LONG_TEXT = 1024 * 1024
"""The characters above which a text is stored in parts."""
_PART = 64 * 1024
_COPY = "COPY {} (version, up_text, down_text) FROM STDIN (FORMAT text, ENCODING 'UTF8')"


def copy_texts(connection: psycopg.Connection, table: sql.Identifier, version: str, *texts: str | None) -> None:
    """Insert the row of a version with its up and down text, in the open transaction.

    https://www.postgresql.org/docs/current/sql-copy.html#id-1.9.3.55.9.2
    """
    with connection.cursor() as cursor, cursor.copy(sql.SQL(_COPY).format(table)) as copy:
        copy.write(_escape(version).encode())
        for text in texts:
            copy.write(b"\t")
            for part in [b"\\N"] if text is None else _divide(text):
                copy.write(part)
        copy.write(b"\n")


def _divide(text: str) -> Iterator[bytes]:
    for start in range(0, len(text), _PART):
        yield _escape(text[start : start + _PART]).encode()


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")
