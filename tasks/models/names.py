"""Names of the catalog, taken apart."""

from __future__ import annotations

import re

from tasks.models.references import TableName, unquote
from tasks.postgres.tokens import NAME

_QUALIFIED = re.compile(rf"(?:(?P<schema>{NAME})\.)?(?P<name>{NAME})")


def split_name(name: str) -> TableName:
    """Return the schema and the name of an object of the catalog without quotes; the schema is public if it is not written."""
    match = _QUALIFIED.fullmatch(name)
    return (unquote(match["schema"] or "public"), unquote(match["name"])) if match else ("", name)
