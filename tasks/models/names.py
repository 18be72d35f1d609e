"""Names of the catalog, taken apart."""

from __future__ import annotations

import re

from tasks.models.references import TableName
from tasks.postgres.quoting import quote_qualified, unquote_identifier
from tasks.postgres.tokens import NAME

_QUALIFIED = re.compile(rf"(?:(?P<schema>{NAME})\.)?(?P<name>{NAME})")


def split_name(name: str) -> TableName:
    """Return the schema and the name of an object of the catalog without quotes; the schema is public if it is not written."""
    match = _QUALIFIED.fullmatch(name)
    return (unquote_identifier(match["schema"] or "public"), unquote_identifier(match["name"])) if match else ("", name)


def show_table(name: TableName) -> str:
    """Return the name of a table as it is written in SQL: one of public without its schema."""
    return quote_qualified("" if name[0] == "public" else name[0], name[1])
