"""Read the tables and foreign keys of a diagram from a catalog, and mark what pending migrations change."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from tasks.catalog import COLUMN_ORDER, Catalog, Change, Difference, Key
from tasks.diagram.model import Diagram, DrawnColumn, DrawnTable, ForeignKey, Mark, shorten
from tasks.postgres.tokens import NAME
from tasks.rehearsal.sql_diff.names import CHAIN, split_list
from tasks.rehearsal.sql_diff.shapes import parse_column, parse_table, split_order

_LIST = rf"(?:PERIOD )?{NAME}(?:, (?:PERIOD )?{NAME})*"
_FOREIGN_KEY = re.compile(rf"FOREIGN KEY \((?P<columns>{_LIST})\) REFERENCES (?P<target>{CHAIN})\((?P<targets>{_LIST})\)")
_UNIQUE = re.compile(rf"(?P<kind>PRIMARY KEY|UNIQUE(?: NULLS NOT DISTINCT)?) \((?P<columns>{_LIST}(?: WITHOUT OVERLAPS)?)\)")
_UNIQUE_INDEX = re.compile(
    rf"CREATE UNIQUE INDEX .*? USING btree \((?P<columns>{_LIST})\)(?: INCLUDE \(.*\))?(?: NULLS NOT DISTINCT)?(?:;\n.*)?",
    re.DOTALL,
)
_TABLES = ("table", "foreign table")
_SHORT_TYPES = {
    "character varying": "varchar",
    "character": "char",
    "double precision": "float8",
    "time without time zone": "time",
    "time with time zone": "timetz",
    "timestamp without time zone": "timestamp",
    "timestamp with time zone": "timestamptz",
    "bit varying": "varbit",
}
"""The usual short names: https://www.postgresql.org/docs/current/datatype.html"""
_LONG_TYPE = re.compile(
    rf"(?P<name>{'|'.join(sorted(_SHORT_TYPES, key=len, reverse=True))})(?=[(\[]|$)|"
    r"(?P<base>time|timestamp)(?P<precision>\(\d\)) (?P<zone>with|without) time zone"
)


@dataclass(slots=True)
class _Parts:
    """The parts of a schema that are drawn, by table."""

    columns: dict[str, dict[str, str]] = field(default_factory=lambda: defaultdict(dict))
    orders: dict[str, list[str]] = field(default_factory=dict)
    parents: dict[str, str] = field(default_factory=dict)
    """The partitions, with the tables of which they are a part."""
    tables: set[str] = field(default_factory=set)
    primary: dict[str, frozenset[str]] = field(default_factory=dict)
    unique: dict[str, set[frozenset[str]]] = field(default_factory=lambda: defaultdict(set))
    foreign: dict[tuple[str, str], re.Match[str]] = field(default_factory=dict)

    def find_root(self, table: str) -> str:
        """Return the table that is drawn: the partitioned one in place of its partitions."""
        while table in self.parents:
            table = self.parents[table]
        return table


def build_diagram(before: Catalog, effect: Difference) -> Diagram:
    """Return the diagram of a schema with the effect of pending migrations; what they drop is drawn and marked too."""
    old = dict(before.objects) | {change.key: change.before for change in effect.changes if change.before is not None}
    for change in effect.changes:
        if change.before is None:
            # What an unfinished migration has already committed.
            old.pop(change.key, None)
    new = dict(old.items())
    for change in effect.changes:
        new.pop(change.key, None)
        if change.after is not None:
            new[change.key] = change.after
    was, now = _read_parts(old), _read_parts(new)
    touched = {_find_table(change) for change in effect.changes}
    roots = {now.find_root(was.find_root(name)) for name in touched}
    names = sorted((was.tables | now.tables) - was.parents.keys() - now.parents.keys())
    tables = tuple(_draw_table(name, was, now, touched=name in roots) for name in names)
    return Diagram(tables, tuple(_draw_keys(was, now, frozenset(names))))


def find_partitions(catalog: Catalog) -> Mapping[str, str]:
    """Return the partitions of a schema, each with the table that is drawn in its place."""
    parts = _read_parts(catalog.objects)
    return {name: parts.find_root(name) for name in parts.parents}


def _read_parts(objects: Mapping[Key, str]) -> _Parts:
    parts = _Parts()
    for key, text in objects.items():
        if key.kind in _TABLES:
            parts.tables.add(key.name)
            table = parse_table(text) if "PARTITION OF" in text else None
            if table is not None and table.partition_of:
                parts.parents[key.name] = table.partition_of
        elif key.kind == "column":
            parts.columns[key.parent][key.name] = text
        elif key.kind == COLUMN_ORDER:
            parts.orders[key.name] = split_order(text)
        elif key.kind in ("constraint", "index"):
            _read_key(parts, key, text)
    return parts


def _read_key(parts: _Parts, key: Key, text: str) -> None:
    foreign = _FOREIGN_KEY.match(text)
    if foreign:
        parts.foreign[key.parent, key.name] = foreign
    unique = _UNIQUE.match(text)
    if unique:
        columns = _list_columns(unique["columns"])
        parts.unique[key.parent].add(frozenset(columns))
        if unique["kind"] == "PRIMARY KEY":
            parts.primary[key.parent] = frozenset(columns)
    index = _UNIQUE_INDEX.fullmatch(text)
    if index:
        parts.unique[key.parent].add(frozenset(_list_columns(index["columns"])))


def _list_columns(text: str) -> tuple[str, ...]:
    listed = split_list(text.removesuffix(" WITHOUT OVERLAPS"))
    return tuple(name.removeprefix("PERIOD ") for name in listed)


def _find_table(change: Change) -> str:
    """Return the name of the table that a change may belong to; the name of another object is not that of a table."""
    return change.key.parent or change.key.name


def _draw_table(name: str, was: _Parts, now: _Parts, *, touched: bool) -> DrawnTable:
    mark: Mark = "dropped" if name not in now.tables else "new" if name not in was.tables else "changed" if touched else ""
    order = list(now.orders.get(name, ()))
    order += [column for column in was.orders.get(name, ()) if column not in order]
    foreign = [match for parts in (was, now) for (table, _), match in parts.foreign.items() if table == name]
    references = {column for match in foreign for column in _list_columns(match["columns"])}
    columns = tuple(_draw_column(name, column, was, now, is_reference=column in references) for column in order)
    if mark in ("new", "dropped"):
        columns = tuple(_unmark(column) for column in columns)
    counted = Counter(parts.find_root(partition) for parts in [now if mark != "dropped" else was] for partition in parts.parents)
    return DrawnTable(name, columns, mark, counted[name])


def _unmark(column: DrawnColumn) -> DrawnColumn:
    return DrawnColumn(column.name, column.type, column.keys)


def _draw_column(table: str, name: str, was: _Parts, now: _Parts, *, is_reference: bool) -> DrawnColumn:
    before, after = was.columns[table].get(name), now.columns[table].get(name)
    mark: Mark = "dropped" if after is None else "new" if before is None else "changed" if before != after else ""
    parts = was if after is None else now
    keys = []
    if name in parts.primary.get(table, ()):
        keys.append("PK")
    if is_reference:
        keys.append("FK")
    if frozenset({name}) in parts.unique[table] and parts.primary.get(table) != frozenset({name}):
        keys.append("UK")
    type_now, type_before = _show_type(after or before or ""), _show_type(before or "")
    return DrawnColumn(name, type_now, tuple(keys), mark, type_before if mark == "changed" and type_before != type_now else "")


def _show_type(definition: str) -> str:
    """Return the type of a column as people write it, without the schema public."""
    column, _ = parse_column(definition)
    return shorten(_LONG_TYPE.sub(_shorten_type, column.type))


def _shorten_type(match: re.Match[str]) -> str:
    if match["name"]:
        return _SHORT_TYPES[match["name"]]
    return f"{match['base']}{'tz' if match['zone'] == 'with' else ''}{match['precision']}"


def _draw_keys(was: _Parts, now: _Parts, drawn: frozenset[str]) -> Iterable[ForeignKey]:
    for table, name in sorted(was.foreign.keys() | now.foreign.keys()):
        before, after = was.foreign.get((table, name)), now.foreign.get((table, name))
        parts, match = (was, before) if after is None else (now, after)
        if match is None:
            continue
        mark: Mark = "dropped" if after is None else "new" if before is None else "changed" if before[0] != after[0] else ""
        columns, root, target = _list_columns(match["columns"]), parts.find_root(table), parts.find_root(match["target"])
        if root not in drawn or target not in drawn:
            continue
        definitions = [parse_column(parts.columns[table].get(column, ""))[0] for column in columns]
        optional = not all(column.required for column in definitions)
        single = any(unique <= set(columns) for unique in parts.unique[table])
        yield ForeignKey(name, root, columns, target, _list_columns(match["targets"]), optional, single, mark)
