"""Collations, operators, casts and others: how they are created, changed and dropped, and which of them the catalog describes.

https://www.postgresql.org/docs/current/sql-createcollation.html, sql-createoperator.html, sql-createcast.html,
sql-createtsconfig.html, sql-createtsdictionary.html, sql-createconversion.html, sql-createlanguage.html,
sql-create-access-method.html, sql-createforeigndatawrapper.html, sql-alterserver.html
"""

from __future__ import annotations

import re

from tasks.catalog import Key
from tasks.postgres.quoting import show_literal
from tasks.postgres.tokens import NAME
from tasks.rehearsal.sql_diff.names import split_list

WRAPPER = "foreign-data wrapper"
KINDS = frozenset(
    {"collation", "operator", "cast", "text search dictionary", "text search configuration", "conversion", "language",
     "access method", WRAPPER}
)  # fmt: skip
_HIDDEN = "'***'"
"""What the catalog has in place of an option that may be a secret."""
_CONVERSION = re.compile(r"(?P<default>DEFAULT )?FOR (?P<source>\S+) TO (?P<target>\S+) FROM (?P<function>.+)")
_OPTIONS = re.compile(r"(?P<before>.*?) ?OPTIONS \((?P<options>.*)\)", re.DOTALL)
_OPTION = re.compile(rf"(?P<name>{NAME}) (?P<value>.*)", re.DOTALL)
_LOCALE = re.compile(r"LOCALE = ('(?:[^']|'')*'), LC_CTYPE")
_OPERATOR = re.compile(r"(COMMUTATOR|NEGATOR) = (\S+?)\([^()]*\)")
_ARGUMENTS = re.compile(r"(?P<name>.+?)\((?P<left>.+),(?P<right>.+)\)", re.DOTALL)
_MAPPING = re.compile(r"(\S+) WITH (.+)", re.DOTALL)


def is_described(key: Key, definition: str) -> bool:
    """Return True if the definition is complete. The locale of ICU is not in it, because the server rewrites it."""
    if key.kind == WRAPPER:
        return _HIDDEN not in definition
    return key.kind != "collation" or definition.startswith(("PROVIDER = libc", "PROVIDER = builtin"))


def create_other(key: Key, definition: str) -> list[str]:
    """Return the statements that create an object of these kinds."""
    if key.kind == "cast":
        return [f"CREATE CAST {key.name} {definition}"]
    if key.kind == "conversion" and (match := _CONVERSION.fullmatch(definition)):
        source, target = (show_literal(match[name]) for name in ("source", "target"))
        return [f"CREATE {match['default'] or ''}CONVERSION {key.name} FOR {source} TO {target} FROM {match['function']}"]
    if key.kind == "language":
        rest = definition.removeprefix("TRUSTED ")
        return [f"CREATE {'TRUSTED ' if rest != definition else ''}LANGUAGE {key.name} {rest}"]
    if key.kind in {"access method", WRAPPER}:
        return [f"CREATE {_name_kind(key)} {key.name} {definition}".rstrip()]
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
    return f"DROP {_name_kind(key)} {key.name}"


def alter_options(key: Key, before: str, after: str) -> list[str] | None:
    """Return the statement that changes the options of a wrapper or a server; None if something else changes."""
    (start, old), (other, new) = (_split_options(text) for text in (before, after))
    if start != other:
        return None
    actions = [f"DROP {name}" for name in old if name not in new]
    actions += [f"SET {name} {value}" for name, value in new.items() if name in old and old[name] != value]
    actions += [f"ADD {name} {value}" for name, value in new.items() if name not in old]
    return [f"ALTER {_name_kind(key)} {key.name} OPTIONS ({', '.join(actions)})"]


def _split_options(definition: str) -> tuple[str, dict[str, str]]:
    """Return a definition without its options, and these."""
    match = _OPTIONS.fullmatch(definition)
    if match is None:
        return definition, {}
    options = (_OPTION.fullmatch(item) for item in split_list(match["options"]))
    return match["before"], {option["name"]: option["value"] for option in options if option}


def _name_kind(key: Key) -> str:
    return "FOREIGN DATA WRAPPER" if key.kind == WRAPPER else key.kind.upper()


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
