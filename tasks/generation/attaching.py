"""The bounds of a partition as a check of the table that becomes it: with a valid one, ATTACH PARTITION reads no row.

Without it, it reads the table while readers and writers wait: https://www.postgresql.org/docs/current/ddl-partitioning.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from tasks.catalog import Catalog, Key
from tasks.postgres.quoting import quote_identifier, unquote_identifier
from tasks.postgres.tokens import NAME
from tasks.rehearsal.sql_diff import WrittenSql
from tasks.rehearsal.sql_diff.names import CHAIN, last_part, split_list
from tasks.rehearsal.sql_diff.recreation.copying import COPIES
from tasks.rehearsal.sql_diff.shapes import parse_table

_ATTACH = re.compile(rf"ALTER TABLE (?P<parent>{CHAIN}) ATTACH PARTITION (?P<table>{CHAIN}) FOR VALUES (?P<bound>.*)", re.DOTALL)
_KEY = re.compile(rf"(?:RANGE|LIST) \((?P<column>{NAME})\)")
_VALUE = r"E?'(?:[^']|'')*'|[^'()]+"
_RANGE = re.compile(rf"FROM \((?P<first>{_VALUE})\) TO \((?P<end>{_VALUE})\)")
_LONGEST = 50
"""The bytes of a table's name that the name of the check keeps: a name has at most 63."""


def add_bounds(written: WrittenSql, before: Catalog, after: Catalog) -> WrittenSql:
    """Return statements that attach existing tables while they have their bounds as a check.

    Others stay as they are: those of a copy, which is one transaction, and bounds that are not of one column.
    """
    if any(text.startswith(COPIES) for text in written.statements):
        return written
    statements = [each for text in written.statements for each in _surround(text, before, after)]
    return replace(written, statements=tuple(statements))


def _surround(text: str, before: Catalog, after: Catalog) -> Iterator[str]:
    match = _ATTACH.fullmatch(text)
    condition = _find_condition(match, after) if match and Key("table", match["table"]) in before.objects else ""
    if match is None or not condition:
        yield text
        return
    table = match["table"]
    own = unquote_identifier(last_part(table)).encode()[:_LONGEST].decode(errors="ignore")
    name = quote_identifier(f"{own}_bounds")
    if any(Key("constraint", name, table) in objects for each in (before, after) for objects in (each.objects, each.derived)):
        yield text
        return
    yield f"ALTER TABLE {table} ADD CONSTRAINT {name} CHECK ({condition}) NOT VALID"
    yield f"ALTER TABLE {table} VALIDATE CONSTRAINT {name}"
    yield text
    yield f"ALTER TABLE {table} DROP CONSTRAINT {name}"


def _find_condition(match: re.Match[str], after: Catalog) -> str:
    """Return what the rows of a partition must be, in the form in which the server recognises it; empty if it is not written."""
    shape = parse_table(after.objects.get(Key("table", match["parent"]), ""))
    key = _KEY.fullmatch(shape.partitioned or "") if shape else None
    if key is None:
        return ""
    column, bound = key["column"], match["bound"]
    if limits := _RANGE.fullmatch(bound):
        first, end = limits["first"], limits["end"]
        lowest = [] if first == "MINVALUE" else [f"{column} >= {first}"]
        highest = [] if end == "MAXVALUE" else [f"{column} < {end}"]
        return " AND ".join([f"{column} IS NOT NULL", *lowest, *highest])
    values = split_list(bound.removeprefix("IN (").removesuffix(")"))
    listed = ", ".join(value for value in values if value != "NULL")
    known = f"{column} IN ({listed})" if listed else "false"
    return f"{column} IS NULL OR {known}" if "NULL" in values else f"{column} IS NOT NULL AND {known}"
