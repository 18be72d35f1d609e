"""The names that the server chooses for the indexes of partitions.

https://github.com/postgres/postgres/blob/REL_18_STABLE/src/backend/commands/indexcmds.c (ChooseIndexName)
"""

from __future__ import annotations

from collections.abc import Iterator

from tasks.catalog import Key
from tasks.postgres.quoting import unquote_identifier
from tasks.postgres.tokens import NAMES, SPACE, tokenize
from tasks.rehearsal.sql_diff.names import last_part, split_list

_LONGEST = 63
"""The bytes of the longest name."""


def is_named_by_server(key: Key, definition: str) -> bool:
    """Return True if the index or constraint of a partition has the first name that the server tries.

    Expressions other than calls have a name of which only the usual one is known.
    """
    return unquote_identifier(last_part(key.name)) == _choose(unquote_identifier(last_part(key.parent)), key.kind, definition)


def _choose(table: str, kind: str, definition: str) -> str:
    if definition.startswith("PRIMARY KEY "):
        return _join(table, "", "pkey")
    suffix = "idx" if kind == "index" else "excl" if definition.startswith("EXCLUDE ") else "key"
    return _join(table, "_".join(_list_columns(definition)), suffix)


def _join(table: str, columns: str, suffix: str) -> str:
    """Return a name whose longer parts are cut so that it is short enough."""
    parts = [table.encode(), columns.encode()]
    room = _LONGEST - len(suffix) - (2 if columns else 1)
    while sum(map(len, parts)) > room:
        longer = 0 if len(parts[0]) > len(parts[1]) else 1
        parts[longer] = parts[longer][:-1]
    return "_".join([*(part.decode(errors="ignore") for part in parts if part), suffix])


def _list_columns(definition: str) -> list[str]:
    """Return the names of the columns of an index, also of those that it only includes; each is there once."""
    names: list[str] = []
    for item in _list_items(definition):
        name = _name_item(item)
        names.append(next(each for n in range(len(names) + 1) if (each := f"{name}{n or ''}") not in names))
    return names


def _list_items(definition: str) -> Iterator[str]:
    """Yield the items of the first list in parentheses, and those of INCLUDE."""
    depth, start, words = 0, 0, list[str]()
    for token in tokenize(definition, skip=SPACE):
        if token.text == "(":
            depth += 1
            start = token.end if depth == 1 else start
        elif token.text == ")":
            depth -= 1
            if depth == 0 and (not words or words[-1] == "INCLUDE"):
                yield from split_list(definition[start : token.start])
                words.append("")
        elif depth == 0 and words:
            words.append(token.text)


def _name_item(item: str) -> str:
    """Return the name of a column, or of the function that an expression calls."""
    tokens = list(tokenize(item))
    place = 0
    while [token.text for token in tokens[place + 1 : place + 2]] == ["."]:
        place += 2
    return unquote_identifier(tokens[place].text) if tokens[place].kind in NAMES else "expr"
