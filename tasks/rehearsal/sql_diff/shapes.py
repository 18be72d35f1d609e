"""Parsed definitions of columns and tables, and a catalog split into the parts for which SQL is generated separately."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from tasks.catalog import COLUMN_ORDER, LOCAL_COLUMN, LOCAL_CONSTRAINT, Catalog, Key
from tasks.postgres.tokens import NAME
from tasks.rehearsal.sql_diff.details.parameters import put_in_order
from tasks.rehearsal.sql_diff.kinds.domains import split_domain
from tasks.rehearsal.sql_diff.names import CHAIN, last_part, split_list

_COLUMN = re.compile(
    rf"""(?P<type>(?:"(?:[^"]|"")*"|[^"])+?)
    (?:\ COLLATE\ (?P<collation>{CHAIN}))?
    (?P<required>\ NOT\ NULL)?
    (?:\ GENERATED\ (?P<identity>ALWAYS|BY\ DEFAULT)\ AS\ IDENTITY(?:\ \((?P<options>.*?)\))?)?
    (?:\ DEFAULT\ (?P<default>.*)|\ GENERATED\ ALWAYS\ AS\ \((?P<expression>.*)\)\ (?P<storage>STORED|VIRTUAL))?""",
    re.VERBOSE | re.DOTALL,
)
_TABLE = re.compile(
    rf"""(?P<unlogged>UNLOGGED)?\ ?
    (?:OF\ (?P<type>{CHAIN}))?\ ?
    (?:PARTITION\ OF\ (?P<partition_of>{CHAIN})\ (?P<bound>
        DEFAULT|FOR\ VALUES\ .*?\)(?=\ PARTITION\ BY|\ USING|\ WITH\ \(\w|\ TABLESPACE|$))
      |INHERITS\ \((?P<parents>[^()]*)\))?\ ?
    (?:PARTITION\ BY\ (?P<partitioned>(?:RANGE|LIST|HASH)\ \(.*?\)(?=\ USING|\ WITH\ \(|\ TABLESPACE|$)))?\ ?
    (?:USING\ (?P<method>{CHAIN}))?\ ?
    (?:WITH\ \((?P<settings>[^()]*)\))?\ ?
    (?:TABLESPACE\ (?P<tablespace>{CHAIN}))?""",
    re.VERBOSE | re.DOTALL,
)
_NOT_INHERITED = re.compile(rf"NOT NULL (?P<column>{NAME}) NO INHERIT(?: NOT VALID)?")
_SEQUENCE_NAME = re.compile(rf"SEQUENCE NAME ({CHAIN})")
_INDEX = re.compile(
    rf"(?P<own>.*?)(?:;\nALTER INDEX (?P<parent>{CHAIN}) ATTACH PARTITION {CHAIN})?(?P<invalid>\n-- INVALID)?", re.DOTALL
)
_STATE = re.compile(r"(?:;\nALTER TABLE .* (DISABLE|ENABLE REPLICA|ENABLE ALWAYS) TRIGGER .*)?$")
_OWNED = re.compile(rf" OWNED BY (?P<column>{CHAIN})$")

_ATTRIBUTE = re.compile(rf"(?P<name>{CHAIN}) (?P<type>.*)", re.DOTALL)

DEFAULT, OWNED, ATTACHED, STATE = "default", "sequence owner", "attachment", "trigger state"
"""Kinds for the parts of a column, a sequence, a table, and a trigger of a partitioned table."""
_IMPLIED = frozenset({COLUMN_ORDER, LOCAL_COLUMN, LOCAL_CONSTRAINT})
"""Kinds for which there are no statements: statements for other objects decide them."""


@dataclass(frozen=True, slots=True)
class Column:
    """The definition of a column without its default."""

    type: str
    collation: str | None
    required: bool
    identity: str | None
    options: str | None
    expression: str | None
    storage: str | None

    @property
    def sequence(self) -> str | None:
        """Return the name of the sequence of an identity column if it is not the default one."""
        match = _SEQUENCE_NAME.match(self.options or "")
        return match[1] if match else None

    def write(self, default: str | None = None, constraint: str | None = None) -> str:
        """Return the definition as in CREATE TABLE; `constraint` is the name of its NOT NULL."""
        parts = (
            self.type,
            self.collation and f"COLLATE {self.collation}",
            (f"CONSTRAINT {constraint} NOT NULL" if constraint else "NOT NULL") if self.required else None,
            self.identity and f"GENERATED {self.identity} AS IDENTITY" + (f" ({self.options})" if self.options else ""),
            self.expression and f"GENERATED ALWAYS AS ({self.expression}) {self.storage}",
            default and f"DEFAULT {default}",
        )
        return " ".join(part for part in parts if part)


@dataclass(frozen=True, slots=True)
class Table:
    """The definition of a table without its columns."""

    unlogged: bool
    type: str | None
    partition_of: str | None
    bound: str | None
    parents: str | None
    partitioned: str | None
    method: str | None
    settings: str | None
    tablespace: str | None

    @property
    def attachments(self) -> str:
        """Return the parents of the table, with the bounds of a partition."""
        return f"{self.partition_of} {self.bound}" if self.partition_of else self.parents or ""

    def list_parents(self) -> list[str]:
        """Return the names of the parents."""
        return [self.partition_of] if self.partition_of else split_list(self.parents or "")

    @property
    def fixed(self) -> tuple[str | None, ...]:
        """Return the properties that ALTER TABLE cannot change."""
        return self.partitioned, self.method


@dataclass(frozen=True, slots=True)
class Index:
    """The definition of an index or constraint, the index to which it is attached, and whether it is not valid."""

    own: str
    parent: str | None
    invalid: bool


def parse_index(definition: str) -> Index:
    """Return the definition of an index or constraint; the parent is known only if it is not derived from it."""
    match = _INDEX.fullmatch(definition)
    assert match is not None
    return Index(match["own"], match["parent"], bool(match["invalid"]))


def name_index(key: Key) -> str:
    """Return the name of an index, or of the index of a constraint."""
    return key.name if key.kind == "index" else key.parent.removesuffix(last_part(key.parent)) + key.name


def find_index(name: str, objects: Iterable[Key]) -> Key | None:
    """Return the index, or the constraint with the index, of a name."""
    return next((key for key in objects if key.kind in {"index", "constraint"} and name_index(key) == name), None)


def parse_column(definition: str) -> tuple[Column, str | None]:
    """Return a column's definition and its default."""
    match = _COLUMN.fullmatch(definition)
    if match is None:
        return Column(definition, None, False, None, None, None, None), None
    names = ("collation", "required", "identity", "options", "expression", "storage")
    collation, required, identity, options, expression, storage = (match[name] for name in names)
    return Column(match["type"], collation, bool(required), identity, options, expression, storage), match["default"]


def parse_table(definition: str) -> Table | None:
    """Return a table's definition; None if it cannot be parsed."""
    match = _TABLE.fullmatch(definition)
    if match is None:
        return None
    unlogged, *others = match.groups()
    return Table(bool(unlogged), *others)


def read_attributes(definition: str) -> dict[str, str]:
    """Return the types of the attributes of a row type by name; none for another type."""
    parts = split_list(definition[4:-1]) if definition.startswith("AS (") else []
    return {match["name"]: match["type"] for part in parts if (match := _ATTRIBUTE.fullmatch(part))}


def split_sequence(definition: str) -> tuple[str, str | None]:
    """Return the definition of a sequence without its owner, and the column that owns it."""
    match = _OWNED.search(definition)
    return (definition[: match.start()], match["column"]) if match else (definition, None)


def read_state(definition: str) -> str:
    """Return when a trigger fires, as in ALTER TABLE."""
    match = _STATE.search(definition)
    return (match and match[1]) or "ENABLE"


def split_order(definition: str) -> list[str]:
    """Return the columns of a column order."""
    return split_list(definition) if '"' in definition else definition.split(", ") if definition else []


def expand(catalog: Catalog) -> dict[Key, str]:
    """Return a catalog's objects, with separate ones for defaults, parts of domains, owners of sequences and attachments."""
    objects: dict[Key, str] = {}
    apart = find_separate(catalog)
    copies = _find_copies(catalog)
    tables = {key.name for key in catalog.objects if key.kind in {"table", "foreign table"}}
    for key, definition in catalog.objects.items():
        if key.kind == "column":
            _expand_column(objects, key, definition, table=key.parent in tables, apart=key in apart)
        elif key.kind == "sequence":
            objects[key], owner = split_sequence(definition)
            if owner is not None:
                objects[Key(OWNED, key.name)] = owner
        elif key.kind == "domain":
            objects |= split_domain(key, definition)
        elif key.kind == "table" and (table := parse_table(definition)) and table.attachments:
            objects[key] = definition
            objects |= {Key(ATTACHED, key.name, parent): table.bound or "" for parent in table.list_parents()}
        elif key.kind == LOCAL_CONSTRAINT and (own := Key("constraint", key.name, key.parent)) in catalog.derived:
            objects[own] = catalog.derived[own]
        elif key in copies:
            objects[Key(STATE, key.name, key.parent)] = read_state(definition)
        elif key.kind not in _IMPLIED:
            objects[key] = definition
    put_in_order(objects, catalog.derived)
    return objects


def _find_copies(catalog: Catalog) -> set[Key]:
    """Return the triggers of partitions that are parts of those of their parents: they are read if their state is another."""
    parents = {key.name: parse_table(definition) for key, definition in catalog.of_kind("table")}
    triggers = {(key.parent, key.name) for key, _ in catalog.of_kind("trigger")}
    copies = set()
    for table, trigger in triggers:
        shape = parents.get(table)
        while shape is not None and shape.partition_of:
            if (shape.partition_of, trigger) in triggers:
                copies.add(Key("trigger", trigger, table))
            shape = parents.get(shape.partition_of)
    return copies


def find_separate(catalog: Catalog) -> set[Key]:
    """Return the columns whose NOT NULL is a constraint that the column cannot include, because it is not inherited."""
    constraints = catalog.of_kind("constraint")
    matches = ((key, _NOT_INHERITED.fullmatch(definition)) for key, definition in constraints)
    return {Key("column", match["column"], key.parent) for key, match in matches if match}


def _expand_column(objects: dict[Key, str], key: Key, definition: str, *, table: bool, apart: bool) -> None:
    column, default = parse_column(definition) if table else (None, definition.partition(" DEFAULT ")[2] or None)
    if column is not None:
        objects[key] = replace(column, required=column.required and not apart).write()
    if default is not None:
        objects[Key(DEFAULT, key.name, key.parent)] = default


def list_orders(catalog: Catalog) -> Mapping[str, list[str]]:
    """Return the columns of each table in their order."""
    return {key.name: split_order(definition) for key, definition in catalog.of_kind(COLUMN_ORDER)}
