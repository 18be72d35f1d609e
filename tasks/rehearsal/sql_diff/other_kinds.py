"""Collations, operators, casts and text search: how they are created and dropped, and which of them the catalog describes.

https://www.postgresql.org/docs/current/sql-createcollation.html, sql-createoperator.html, sql-createcast.html,
sql-createtsconfig.html, sql-createtsdictionary.html
"""

from __future__ import annotations

import re

from tasks.catalog import Key
from tasks.rehearsal.sql_diff.names import split_list

KINDS = frozenset({"collation", "operator", "cast", "text search dictionary", "text search configuration"})
_LOCALE = re.compile(r"LOCALE = ('(?:[^']|'')*'), LC_CTYPE")
_OPERATOR = re.compile(r"(COMMUTATOR|NEGATOR) = (\S+?)\([^()]*\)")
_ARGUMENTS = re.compile(r"(?P<name>.+?)\((?P<left>.+),(?P<right>.+)\)", re.DOTALL)
_MAPPING = re.compile(r"(\S+) WITH (.+)", re.DOTALL)


def is_described(key: Key, definition: str) -> bool:
    """Return True if the definition is complete. The locale of ICU is not in it, because the server rewrites it."""
    return key.kind != "collation" or definition.startswith(("PROVIDER = libc", "PROVIDER = builtin"))


def create_other(key: Key, definition: str) -> list[str]:
    """Return the statements that create an object of these kinds."""
    if key.kind == "cast":
        return [f"CREATE CAST {key.name} {definition}"]
    if key.kind == "operator":
        return [_create_operator(key, definition)]
    if key.kind == "text search configuration":
        mappings = (_MAPPING.fullmatch(item) for item in _list_mappings(definition))
        return [
            f"CREATE TEXT SEARCH CONFIGURATION {key.name} (PARSER = pg_catalog.default)",
            *(f"ALTER TEXT SEARCH CONFIGURATION {key.name} ADD MAPPING FOR {m[1]} WITH {m[2]}" for m in mappings if m),
        ]
    options = _LOCALE.sub(r"LC_COLLATE = \1, LC_CTYPE", definition)
    return [f"CREATE {key.kind.upper()} {key.name} ({options})"]


def drop_other(key: Key) -> str:
    """Return the statement that drops an object of these kinds."""
    return f"DROP {key.kind.upper()} {key.name}"


def _create_operator(key: Key, definition: str) -> str:
    match = _ARGUMENTS.fullmatch(key.name)
    assert match is not None
    sides = [f"{side} = {match[part]}" for side, part in (("LEFTARG", "left"), ("RIGHTARG", "right")) if match[part] != "NONE"]
    options = _OPERATOR.sub(r"\1 = OPERATOR(\2)", definition)
    return f"CREATE OPERATOR {match['name']} ({', '.join([*sides, options])})"


def _list_mappings(definition: str) -> list[str]:
    """Return the mappings, of which each may name several dictionaries."""
    mappings: list[str] = []
    for item in split_list(definition):
        if " WITH " in item or not mappings:
            mappings.append(item)
        else:
            mappings[-1] += f", {item}"
    return mappings
