"""The statements that create an object, and those that drop it.

https://www.postgresql.org/docs/current/sql-commands.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from tasks.catalog import Key
from tasks.rehearsal.sql_diff.kinds.domains import DOMAIN_CHECK, DOMAIN_DEFAULT
from tasks.rehearsal.sql_diff.kinds.other_kinds import KINDS, create_other, drop_other
from tasks.rehearsal.sql_diff.names import strip_arguments
from tasks.rehearsal.sql_diff.shapes import (
    ATTACHED,
    DEFAULT,
    OWNED,
    STATE,
    Index,
    find_index,
    name_index,
    parse_column,
    parse_index,
    parse_table,
)

_OWNER = re.compile(r"\b(TO|FROM|FOR ROLE) OWNER(?= |$)")
_GRANT = re.compile(
    r"(?P<before>ALTER DEFAULT PRIVILEGES .*? )?(?P<verb>GRANT|REVOKE) (?P<what>.*) (?:TO|FROM) (?P<role>.*)", re.DOTALL
)
_TYPE_DEFAULTS = {"numeric": "MAIN", "inet": "MAIN", "cidr": "MAIN"}


def name_owner(statement: str) -> str:
    """Return a statement with CURRENT_USER in place of OWNER."""
    return _OWNER.sub(r"\1 CURRENT_USER", statement)


def create_object(key: Key, definition: str, objects: Mapping[Key, str]) -> list[str]:
    """Return the statements that create an object other than a table."""
    simple = _PREFIXES.get(key.kind)
    if simple is not None:
        return [f"{simple.format(name=key.name, parent=key.parent)} {definition}".rstrip()]
    if key.kind in KINDS:
        return create_other(key, definition)
    if key.kind in {"function", "procedure", "trigger", "rule", "statistics", "comment"}:
        return definition.split(";\nALTER ", 1) if key.kind == "comment" else _split_state(definition)
    return _CREATE[key.kind](key, definition, objects)


def drop_object(key: Key, definition: str) -> list[str]:
    """Return the statements that drop an object."""
    if key.kind == "comment" and key.name == "schema public":
        # Every new database has this comment.
        return ["COMMENT ON SCHEMA public IS 'standard public schema'"]
    if key.kind == "comment":
        return [definition[: definition.index(" IS ", len("COMMENT ON ") + len(key.name.split(" ", 1)[1]))] + " IS NULL"]
    if key.kind in {"grant", "default privilege"}:
        return [_revoke(sentence) for sentence in reversed(definition.split(";\n"))]
    if key.kind in KINDS:
        return [drop_other(key)]
    if key.kind == ATTACHED and definition.strip():
        return [f"ALTER TABLE {key.parent} DETACH PARTITION {key.name}"]
    pattern = _DROPS.get(key.kind, f"DROP {key.kind.upper()} {{name}}")
    return [pattern.format(name=key.name, parent=key.parent)]


def add_column(key: Key, definition: str, objects: Mapping[Key, str], constraint: str | None) -> str:
    """Return the statement that adds a column to a table; `constraint` is the name of its NOT NULL."""
    written = parse_column(definition)[0].write(objects.get(Key(DEFAULT, key.name, key.parent)), constraint)
    return f"ALTER TABLE {key.parent} ADD COLUMN {key.name} {written}"


def create_table(
    key: Key,
    definition: str,
    columns: Sequence[str],
    constraints: Sequence[tuple[str, str]] = (),
    *,
    inherits: bool = False,
) -> list[str]:
    """Return CREATE TABLE with columns, as they are written, and constraints, each of name and definition.

    A table that `inherits` other columns is created with its parents.
    """
    table = parse_table(definition)
    assert table is not None
    unlogged = "UNLOGGED " if table.unlogged else ""
    lines = ",\n".join([*(f"    {text}" for text in columns), *(f"    CONSTRAINT {name} {text}" for name, text in constraints)])
    end = [
        f"INHERITS ({table.parents})" if inherits and table.parents else "",
        f"PARTITION BY {table.partitioned}" if table.partitioned else "",
        f"USING {table.method}" if table.method else "",
        f"WITH ({table.settings})" if table.settings else "",
        f"TABLESPACE {table.tablespace}" if table.tablespace else "",
    ]
    body = f"(\n{lines}\n)" if lines else "" if table.type else "()"
    if table.type:
        body = f"OF {table.type} {body}".rstrip()
    if table.partition_of and inherits:
        body = f"PARTITION OF {table.attachments}"
    return [" ".join(part for part in (f"CREATE {unlogged}TABLE {key.name} {body}", *end) if part)]


def _attach(key: Key, definition: str, objects: Mapping[Key, str]) -> list[str]:
    """Return the statement that attaches a partition to its parent, or adds a parent of a table."""
    if bound := definition.strip():
        return [f"ALTER TABLE {key.parent} ATTACH PARTITION {key.name} {bound}"]
    return [f"ALTER TABLE {key.name} INHERIT {key.parent}"]


def reset_settings(settings: str) -> str:
    """Return the names of storage parameters without their values."""
    return ", ".join(setting.partition("=")[0] for setting in settings.split(", "))


def reset_column_settings(key: Key, definition: str, objects: Mapping[Key, str]) -> list[str]:
    """Return the statements that reset the settings of a column."""
    kind = objects.get(Key("column", key.name, key.parent), "").partition(" ")[0].partition("(")[0]
    actions = []
    for line in definition.split("\n"):
        if line.startswith("SET STORAGE"):
            actions.append(f"SET STORAGE {_TYPE_DEFAULTS.get(kind, 'EXTENDED')}")
        elif line.startswith("SET COMPRESSION"):
            actions.append("SET COMPRESSION default")
        elif line.startswith("SET STATISTICS"):
            actions.append("SET STATISTICS -1")
        else:
            actions.append(f"RESET ({reset_settings(line.removeprefix('SET (').removesuffix(')'))})")
    return [f"ALTER TABLE {key.parent} ALTER COLUMN {key.name} {action}" for action in actions]


def _split_state(definition: str) -> list[str]:
    """Split a definition from the ALTER after it that disables it or sets an option."""
    first, mark, second = definition.rpartition(";\nALTER ")
    return [first, f"ALTER {second}"] if mark and "$" not in second else [definition.rstrip()]


def _revoke(sentence: str) -> str:
    match = _GRANT.fullmatch(sentence.removesuffix(" WITH GRANT OPTION"))
    assert match is not None
    verb, link = ("REVOKE", "FROM") if match["verb"] == "GRANT" else ("GRANT", "TO")
    return name_owner(f"{match['before'] or ''}{verb} {match['what']} {link} {match['role']}")


def _create_view(key: Key, definition: str, objects: Mapping[Key, str]) -> list[str]:
    return [f"CREATE {key.kind.upper()} {key.name} {definition}"]


def _create_index(key: Key, definition: str, objects: Mapping[Key, str]) -> list[str]:
    index = parse_index(definition)
    partitioned = not index.invalid and "PARTITION BY" in objects.get(Key("table", key.parent), "")
    statements = _split_state(index.own.replace(" ON ONLY ", " ON ", 1) if partitioned else index.own)
    return [*statements, *_attach_index(key.name, index, objects)]


def _create_constraint(key: Key, definition: str, objects: Mapping[Key, str]) -> list[str]:
    index = parse_index(definition)
    only = "ONLY " if index.invalid else ""
    statement = f"ALTER TABLE {only}{key.parent} ADD CONSTRAINT {key.name} {index.own}"
    return [statement, *_attach_index(name_index(key), index, objects)]


def _attach_index(name: str, index: Index, objects: Mapping[Key, str]) -> list[str]:
    """Return the statement that attaches an index to one that is not complete. One that is, is created later, and attaches it."""
    parent = find_index(index.parent, objects) if index.parent else None
    invalid = parent is not None and parse_index(objects[parent]).invalid
    return [f"ALTER INDEX {index.parent} ATTACH PARTITION {name}"] if invalid else []


def _create_sequence(key: Key, definition: str, objects: Mapping[Key, str]) -> list[str]:
    rest = definition.removeprefix("UNLOGGED ")
    return [f"CREATE {'UNLOGGED ' if rest != definition else ''}SEQUENCE {key.name} {rest}"]


def _create_settings(key: Key, definition: str, objects: Mapping[Key, str]) -> list[str]:
    return [f"ALTER TABLE {key.parent} ALTER COLUMN {key.name} {line}" for line in definition.split("\n")]


def _create_event_trigger(key: Key, definition: str, objects: Mapping[Key, str]) -> list[str]:
    first, *rest = _split_state(definition)
    return [f"CREATE EVENT TRIGGER {key.name} {first}", *rest]


_PREFIXES = {
    "schema": "CREATE SCHEMA {name}",
    "extension": "CREATE EXTENSION {name}",
    "type": "CREATE TYPE {name}",
    DOMAIN_DEFAULT: "ALTER DOMAIN {parent} SET DEFAULT",
    DOMAIN_CHECK: "ALTER DOMAIN {parent} ADD CONSTRAINT {name}",
    "server": "CREATE SERVER {name}",
    "foreign table": "CREATE FOREIGN TABLE {name}",
    DEFAULT: "ALTER TABLE {parent} ALTER COLUMN {name} SET DEFAULT",
    OWNED: "ALTER SEQUENCE {name} OWNED BY",
    "policy": "CREATE POLICY {name} ON {parent}",
    "replica identity": "ALTER TABLE {name} REPLICA IDENTITY",
    "clustering": "ALTER TABLE {name} CLUSTER",
    "publication": "CREATE PUBLICATION {name}",
}
_CREATE: dict[str, Callable[[Key, str, Mapping[Key, str]], list[str]]] = {
    "view": _create_view,
    "materialized view": _create_view,
    "index": _create_index,
    "constraint": _create_constraint,
    "sequence": _create_sequence,
    "column settings": _create_settings,
    "event trigger": _create_event_trigger,
    "aggregate": lambda key, text, objects: [f"CREATE AGGREGATE {strip_arguments(key.name)}{text}"],
    "grant": lambda key, text, objects: [name_owner(sentence) for sentence in text.split(";\n")],
    "default privilege": lambda key, text, objects: [name_owner(sentence) for sentence in text.split(";\n")],
    "row security": lambda key, text, objects: [f"ALTER TABLE {key.name} {text}"],
    ATTACHED: _attach,
    STATE: lambda key, text, objects: [f"ALTER TABLE {key.parent} {text} TRIGGER {key.name}"],
}
_DROPS = {
    ATTACHED: "ALTER TABLE {name} NO INHERIT {parent}",
    "aggregate": "DROP ROUTINE {name}",
    "column": "ALTER TABLE {parent} DROP COLUMN {name}",
    "constraint": "ALTER TABLE {parent} DROP CONSTRAINT {name}",
    DEFAULT: "ALTER TABLE {parent} ALTER COLUMN {name} DROP DEFAULT",
    DOMAIN_DEFAULT: "ALTER DOMAIN {parent} DROP DEFAULT",
    DOMAIN_CHECK: "ALTER DOMAIN {parent} DROP CONSTRAINT {name}",
    OWNED: "ALTER SEQUENCE {name} OWNED BY NONE",
    "policy": "DROP POLICY {name} ON {parent}",
    "trigger": "DROP TRIGGER {name} ON {parent}",
    "rule": "DROP RULE {name} ON {parent}",
    "row security": "ALTER TABLE {name} DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY",
    "replica identity": "ALTER TABLE {name} REPLICA IDENTITY DEFAULT",
    "clustering": "ALTER TABLE {name} SET WITHOUT CLUSTER",
}
