"""The tables whose rows decide whether a generated statement succeeds."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import suppress

from tasks.catalog import Catalog
from tasks.lint.trees import read_names, walk
from tasks.postgres.quoting import quote_qualified
from tasks.postgres.tokens import NAME
from tasks.rehearsal.sql_diff.shapes import parse_column
from tasks.runner.errors import RunnerError
from tasks.runner.parsing import read_script

_UPDATED = re.compile(rf"\bUPDATE\s+(?:ONLY\s+)?((?:{NAME}\.)?{NAME})", re.IGNORECASE)
"""The table that a block fills in parts; the names in a generated block are qualified."""
_CHANGE = re.compile(r"(?:DO|UPDATE|INSERT|DELETE)\b", re.IGNORECASE)


def find_relations(text: str, line: int, catalog: Catalog) -> tuple[str, ...]:
    """Return the relations that the statement in a line of a file names, the first one first; those that use its domain too."""
    return tuple(dict.fromkeys(_list_relations(_find_statement(text, line), catalog)))


def changes_rows(text: str, line: int) -> bool:
    """Return True for a statement, or a block, that changes rows, so that triggers of the table run."""
    return _CHANGE.match(_find_statement(text, line)) is not None


def _find_statement(text: str, line: int) -> str:
    with suppress(RunnerError):
        script = read_script(text, file="", version="generated")
        return next((each.text for each in reversed(script.statements) if each.line <= line), "")
    return ""


def _list_relations(statement: str, catalog: Catalog) -> Iterator[str]:
    from pglast.parser import ParseError, parse_sql_json

    if re.match(r"DO\b", statement, re.IGNORECASE):
        yield from (match[1] for match in _UPDATED.finditer(statement))
        return
    tree: object = {}
    with suppress(ParseError):
        tree = json.loads(parse_sql_json(statement))
    for key, node in walk(tree):
        if isinstance(node, dict) and "relname" in node:
            yield quote_qualified(node.get("schemaname", "public"), node["relname"])
        if key == "AlterDomainStmt":
            domain = quote_qualified(*read_names(node.get("typeName")))
            for column, definition in catalog.of_kind("column"):
                if parse_column(definition)[0].type.removesuffix("[]") == domain:
                    yield column.parent
