"""Parsed definitions of columns and tables, and a catalog split into the parts for which SQL is generated separately."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from tasks.catalog import COLUMN_ORDER, Catalog, Key
from tasks.rehearsal.sql_diff.names import CHAIN, split_list

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
_OWNED = re.compile(rf" OWNED BY (?P<column>{CHAIN})$")

DEFAULT, OWNED, ATTACHED = "default", "sequence owner", "attachment"
"""Kinds for the parts of a column, a sequence and a table."""


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

    def write(self, default: str | None = None) -> str:
        """Return the definition as in CREATE TABLE."""
        parts = (
            self.type,
            self.collation and f"COLLATE {self.collation}",
            "NOT NULL" if self.required else None,
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

    @property
    def fixed(self) -> tuple[str | None, ...]:
        """Return the properties that ALTER TABLE cannot change."""
        return self.type, self.partitioned, self.method


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


def split_order(definition: str) -> list[str]:
    """Return the columns of a column order."""
    return split_list(definition)


def expand(catalog: Catalog) -> dict[Key, str]:
    """Return a catalog's objects, with defaults, owners of sequences and attachments of tables as separate ones."""
    objects: dict[Key, str] = {}
    tables = {key.name for key in catalog.objects if key.kind in {"table", "foreign table"}}
    for key, definition in catalog.objects.items():
        if key.kind == "column":
            _expand_column(objects, key, definition, table=key.parent in tables)
        elif key.kind == "sequence" and (match := _OWNED.search(definition)):
            objects[key] = definition[: match.start()]
            objects[Key(OWNED, key.name)] = match["column"]
        elif key.kind == "table" and (table := parse_table(definition)) and table.attachments:
            objects[key] = definition
            objects[Key(ATTACHED, key.name)] = table.attachments
        elif key.kind != COLUMN_ORDER:
            objects[key] = definition
    return objects


def _expand_column(objects: dict[Key, str], key: Key, definition: str, *, table: bool) -> None:
    column, default = parse_column(definition) if table else (None, definition.partition(" DEFAULT ")[2] or None)
    if column is not None:
        objects[key] = column.write()
    if default is not None:
        objects[Key(DEFAULT, key.name, key.parent)] = default


def list_orders(catalog: Catalog) -> Mapping[str, list[str]]:
    """Return the columns of each table in their order."""
    return {key.name: split_order(definition) for key, definition in catalog.of_kind(COLUMN_ORDER)}
