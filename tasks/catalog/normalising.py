"""What the versions of the server, or a text and what it is after a replay, write differently, and how it is written alike.

15: The schema public has another owner, and no longer the standard comment, which is left out. The privileges of two versions are
    compared in tasks/catalog/comparing.py. https://www.postgresql.org/docs/release/15.0/
15: a column of the constant true or false is named ?column?. The name of a column is dropped where it is the type of a constant.
    https://github.com/postgres/postgres/commit/941460fcf731a32e6a90691508d5cfa3d1f8eeaf
16: a view that selects from one relation is written without its name before each column. The name is dropped for 14 and 15.
    https://github.com/postgres/postgres/commit/47bb9db75996232ea71fc1e1888ffb0e70579b54
16: words such as json became keywords, so that names like them are quoted. The quotes are dropped where they are not needed.
    https://www.postgresql.org/docs/current/sql-keywords-appendix.html
16: XMLSERIALIZE is written with NO INDENT, its default. https://www.postgresql.org/docs/release/16.0/
16: system_user became a reserved word. It is always quoted.
17: a partition has the identity columns of its parent. The identity of a column of a partition is never written.
    https://www.postgresql.org/docs/release/17.0/
17: NOT NULL of a domain is a constraint too. It is read from the domain. https://www.postgresql.org/docs/release/17.0/
18: NOT NULL of a column is a constraint with a name. It is read from the column; only NOT VALID and NO INHERIT ones, which 17
    cannot have, are read as constraints. https://www.postgresql.org/docs/release/18.0/
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from tasks.catalog.conditions import CONDITION_MARKS, join_conditions

if TYPE_CHECKING:
    from tasks.postgres.tokens import Token

LATER_KEYWORDS = frozenset(
    {
        "json",
        "json_array",
        "json_arrayagg",
        "json_exists",
        "json_object",
        "json_objectagg",
        "json_query",
        "json_scalar",
        "json_serialize",
        "json_table",
        "json_value",
        "merge_action",
    }
)
"""Words that pg_get_keywords() of 18 lists as neither unreserved nor reserved, and that of 14 does not list."""

_NO_INDENT = (" NO INDENT)", ")")
"""What 16 and later write for the default of XMLSERIALIZE."""
_RESERVED, _RESERVES_IT = "system_user", 160000

_TEXT_AFTER = {"function": "\nAS ", "procedure": "\nAS ", "comment": " IS '"}
"""What comes before the text that a user wrote, which is not changed."""

_CAST_ITEM = r"\('(?:[^']|'')*'::character varying(?:\(\d+\))?\)::text"
_CAST_ITEMS = re.compile(rf"ARRAY\[({_CAST_ITEM}(?:, {_CAST_ITEM})*)\]")
_CAST = re.compile(r"\(('(?:[^']|'')*'::character varying(?:\(\d+\))?)\)::text")
"""How the server writes `x IN ('a', 'b')` for a varchar after a dump was loaded: with a cast of each string, not one of the list.
Both are the same schema."""

_CAST_MARKS = (")::text, (", ")::text]")
_KEYWORD_MARKS = ('"json', '"merge_action"')
"""Without one of these, a text needs no change."""

_VIEWS = frozenset({"view", "materialized view"})
_QUERIES = _VIEWS | {"rule", "function", "procedure", "policy"}
"""What may contain a query with columns whose names are not visible."""

_TYPE_NAMES = {
    "bigint": "int8",
    "bit varying": "varbit",
    "boolean": "bool",
    "character": "bpchar",
    "character varying": "varchar",
    "double precision": "float8",
    "integer": "int4",
    "real": "float4",
    "smallint": "int2",
    "time with time zone": "timetz",
    "time without time zone": "time",
    "timestamp with time zone": "timestamptz",
    "timestamp without time zone": "timestamp",
}
"""The names in pg_type of types that have another name in SQL."""
_WORDS = r"bit\ varying|character\ varying|double\ precision"


@cache
def _compile_named_constant() -> re.Pattern[str]:
    """Return what matches a constant with a name, or else a string or a quoted name."""
    from tasks.postgres.tokens import NAME

    chain = rf"(?:{NAME}\.)*{NAME}"
    return re.compile(
        rf"""(?P<constant>(?:'(?:[^']|'')*'|\bNULL)::(?P<type>{_WORDS}|{chain})(?:\(\d+(?:,\d+)?\))?"""
        rf"""(?P<zone>\ with(?:out)?\ time\ zone)?(?:\[\])*|\b(?:true|false))\ AS\ (?P<name>{NAME})"""
        r"""|'(?:[^']|'')*'|"(?:[^"]|"")*\"""",
        re.VERBOSE,
    )


_MARKS = (*_CAST_MARKS, *CONDITION_MARKS, *_KEYWORD_MARKS, _RESERVED)


def is_normal(rows: Sequence[Sequence[Any]], server_version: int) -> bool:
    """Return True if `normalise` and `write_names` would change nothing in these rows, which start with their kinds."""
    if any(row[0] in _QUERIES for row in rows):
        return False
    text = "\n".join([value for row in rows for value in row if isinstance(value, str)])
    return not any(mark in text for mark in _MARKS)


def normalise(kind: str, definition: str, server_version: int) -> str:
    """Return a definition as all supported versions would write it."""
    if kind in _VIEWS and server_version < 160000:
        from tasks.catalog.qualifiers import drop_qualifiers

        definition = drop_qualifiers(definition)
    if kind in _TEXT_AFTER:
        written, mark, text = definition.partition(_TEXT_AFTER[kind])
        return _normalise_text(kind, written, server_version) + mark + text
    return _normalise_text(kind, definition, server_version)


def _normalise_text(kind: str, text: str, server_version: int) -> str:
    if kind in _QUERIES:
        text = drop_type_names(text).replace(*_NO_INDENT)
    return join_conditions(join_casts(write_names(text, server_version)))


def join_casts(text: str) -> str:
    """Return a text with one cast for a list of strings, as the server wrote it before a dump was loaded."""
    if not any(mark in text for mark in _CAST_MARKS):
        return text
    return _CAST_ITEMS.sub(lambda match: "(ARRAY[" + _CAST.sub(r"\1", match[1]) + "])::text[]", text)


def drop_type_names(text: str) -> str:
    """Return a text without the names of columns that are the type of a constant.

    A constant in a query whose names are not visible has no name at first, and that of its type after its text was read again:
    `EXISTS ( SELECT 'x'::text` becomes `EXISTS ( SELECT 'x'::text AS text`. Elsewhere the server writes every name.
    """
    return _compile_named_constant().sub(_drop_type_name, text) if " AS " in text else text


def _drop_type_name(match: re.Match[str]) -> str:
    if match["constant"] is None:
        return match[0]
    written = (match["type"] or "boolean") + (match["zone"] or "")
    name = _TYPE_NAMES.get(written, written.rpartition(".")[2])
    return match["constant"] if match["name"].strip('"') == name.strip('"') else match[0]


def write_names(text: str, server_version: int) -> str:
    """Return the text with names that became keywords as all versions can read them."""
    if not any(mark in text for mark in _KEYWORD_MARKS) and (_RESERVED not in text or server_version >= _RESERVES_IT):
        return text
    from tasks.postgres.tokens import tokenize

    return "".join(_write_name(token, server_version) for token in tokenize(text))


def _write_name(token: Token, server_version: int) -> str:
    if token.kind == "identifier" and token.text[1:-1] in LATER_KEYWORDS:
        return token.text[1:-1]
    if token.text == _RESERVED and token.kind == "word" and server_version < _RESERVES_IT:
        return f'"{token.text}"'
    return token.text
