"""What a schema is to become according to models: what they state, and everything else as it is.

Models state schemas, tables, columns, keys and checks, indexes, comments of tables and columns, and the types and sequences that
their DDL creates. What they lack of that is removed; of the rest nothing is.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace

from tasks.catalog import COLUMN_ORDER, LOCAL_COLUMN, LOCAL_CONSTRAINT, Catalog, Change, Key
from tasks.generation.goal import WantedSchema
from tasks.models.creating import CreatedModels
from tasks.models.importing import ModelTable
from tasks.models.names import split_name
from tasks.models.partitions import follow_parents
from tasks.models.references import TableName
from tasks.models.table_scope import MergedTable, TablePair, list_next_values, merge_table
from tasks.rehearsal.sql_diff.names import split_list
from tasks.rehearsal.sql_diff.shapes import parse_table, split_sequence

_OF_TABLE = frozenset({"table", "column", "column settings", COLUMN_ORDER, LOCAL_COLUMN, LOCAL_CONSTRAINT, "constraint", "index"})
"""The kinds that are merged for each table; comments too, where they belong to one."""
_COMMENTED = frozenset({"table", "column", "constraint", "index"})
_NAMED_BY_TABLE = frozenset({"table", COLUMN_ORDER, "row security", "replica identity", "clustering"})
"""The kinds whose name is that of the table."""
_RELATIONS = frozenset({"view", "materialized view", "foreign table"})
_TYPES = {"TYPE": "type", "DOMAIN": "domain", "SEQUENCE": "sequence"}
_NEVER_LISTED = frozenset({"schema", "grant", "default privilege", "comment", "sequence", "column settings"})
_BUILT_IN = Key("extension", "plpgsql")
"""Every new database has it."""
_PUBLICATION = re.compile(r"^FOR (?P<what>.*?)(?P<rest> ?WITH \(publish = .*)$", re.DOTALL)


@dataclass(frozen=True, slots=True)
class _Sides:
    """The objects of both schemas by the table that they belong to, and which tables are what."""

    before: Mapping[str, Mapping[Key, str]]
    wanted: Mapping[str, Mapping[Key, str]]
    compared: frozenset[str]
    """The tables of both."""
    new: frozenset[str]
    removed: frozenset[str]
    kept: frozenset[str]
    """The tables that are not compared, and so stay as they are."""


def narrow(before: Catalog, models: CreatedModels, exclude: Collection[TableName] = ()) -> WantedSchema:
    """Return the schema that models lead to from a schema before, and what stays although they lack it."""
    sides = _sort_tables(before, models, exclude)
    facts = {table.name: table for table in models.models.tables}
    objects: dict[Key, str] = {}
    left_out: list[Change] = []
    for name in sorted(sides.compared):
        merged = _merge(name, sides, facts)
        objects |= merged.objects
        left_out += merged.left_out
    for name in sides.new:
        objects |= _take_new(sides.wanted[name])
    gone = {key for name in sides.removed for key in sides.before[name]}
    for key, text in before.list_unordered():
        owner = find_table(key)
        if key in gone or (owner in sides.compared and _is_merged(key)):
            continue
        if not _belongs_to_gone(key, objects, sides):
            objects[key] = _drop_from_publication(text, sides.removed) if key.kind == "publication" else text
            left_out += _list_left_out(key, text, sides)
    _add_schemas(objects, models.catalog, sides)
    _merge_sequences(objects, before, models, sides)
    left_out += _merge_types(objects, before, models, sides)
    follow_parents(objects, before)
    derived = {key: text for key, text in before.derived.items() if find_table(key) not in sides.removed}
    derived |= {key: text for key, text in models.catalog.derived.items() if find_table(key) in sides.new}
    return WantedSchema(replace(before, objects=objects, derived=derived), tuple(sorted(left_out, key=lambda each: each.key)))


def find_table(key: Key) -> str:
    """Return the name of the table that an object is or belongs to; empty for another object, or for one of a view."""
    if key.kind in _NAMED_BY_TABLE:
        return key.name
    if key.kind == "comment" and key.name.startswith("table ") and not key.parent:
        return key.name.removeprefix("table ")
    return key.parent


def _sort_tables(before: Catalog, models: CreatedModels, exclude: Collection[TableName]) -> _Sides:
    relations = {key.name: key.kind for key, _ in before.list_unordered() if key.kind in _RELATIONS | {"table"}}
    wanted = {key.name for key, _ in models.catalog.list_unordered() if key.kind == "table"}
    kept = set(exclude) | {each.name for each in models.models.referred}
    unchanged = {name for name in relations.keys() | wanted if split_name(name) in kept}
    unchanged |= {name for name in wanted if relations.get(name, "table") != "table"}
    parents = _find_roots(before)
    compared = {name for name in wanted if relations.get(name) == "table" and name not in parents} - unchanged
    removed = {name for name, kind in relations.items() if kind == "table" and name not in wanted} - unchanged
    removed = {name for name in removed if parents.get(name, name) in removed}
    sides = {"before": before, "wanted": models.catalog}
    grouped = {side: _group(catalog) for side, catalog in sides.items()}
    return _Sides(
        grouped["before"],
        grouped["wanted"],
        frozenset(compared),
        frozenset(wanted - relations.keys() - unchanged),
        frozenset(removed),
        frozenset(unchanged),
    )


def _find_roots(catalog: Catalog) -> dict[str, str]:
    """Return the partitioned table to which each partition belongs in the end."""
    parents = {}
    for key, text in catalog.list_unordered():
        if key.kind == "table" and " PARTITION OF " in f" {text}" and (table := parse_table(text)) and table.partition_of:
            parents[key.name] = table.partition_of
    roots = dict(parents)
    for name in parents:
        while roots[name] in parents:
            roots[name] = parents[roots[name]]
    return roots


def _group(catalog: Catalog) -> Mapping[str, dict[Key, str]]:
    grouped: dict[str, dict[Key, str]] = defaultdict(dict)
    for key, text in sorted(catalog.list_unordered()):
        grouped[find_table(key)][key] = text
        if key.kind == "sequence" and (owner := split_sequence(text)[1]):
            grouped[owner.rpartition(".")[0]][key] = text
    return grouped


def _merge(name: str, sides: _Sides, facts: Mapping[TableName, ModelTable]) -> MergedTable:
    before = sides.before[name]
    table = parse_table(before[Key("table", name)])
    parents = table.list_parents() if table else []
    above = frozenset(key.name for parent in parents for key in sides.before[parent] if key.kind == "column")
    return merge_table(TablePair(name, before, sides.wanted[name], facts.get(split_name(name)), sides.kept, above))


def _is_merged(key: Key) -> bool:
    return key.kind in _OF_TABLE or (key.kind == "comment" and key.name.split(" ")[0] in _COMMENTED)


def _take_new(objects: Mapping[Key, str]) -> dict[Key, str]:
    """Return the objects of a new table: also the privileges that it gets by default, without the work of listeners."""
    return {key: text for key, text in objects.items() if _is_merged(key) or key.kind in {"grant", "sequence"}}


def _belongs_to_gone(key: Key, objects: Mapping[Key, str], sides: _Sides) -> bool:
    """Return True for what goes with a removed table, or with a removed column of another."""
    if find_table(key) in sides.removed:
        return True
    if find_table(key) in sides.compared and key.kind == "grant" and " (" in key.name:
        return Key("column", key.name.rpartition(" (")[2].removesuffix(")"), key.parent) not in objects
    if find_table(key) in sides.compared and key.kind == "statistics":
        lost = _list_names(sides.before[key.parent]) - _list_names(objects, key.parent)
        return any(re.search(rf"(?<![\w\"]){re.escape(name)}(?![\w\"])", sides.before[key.parent][key]) for name in lost)
    return False


def _list_names(objects: Mapping[Key, str], table: str = "") -> set[str]:
    return {key.name for key in objects if key.kind == "column" and key.parent == (table or key.parent)}


def _list_left_out(key: Key, text: str, sides: _Sides) -> list[Change]:
    """Return the object as one that is left out, if it is of interest: what belongs to another is not listed with it."""
    if key.kind in _NEVER_LISTED or find_table(key) in sides.kept or key.kind in {"type", "domain"}:
        return []
    if key.kind in _OF_TABLE and key.kind != "table":
        return []
    return [Change(key, text, None)] if key != _BUILT_IN else []


def _add_schemas(objects: dict[Key, str], wanted: Catalog, sides: _Sides) -> None:
    """Add the schemas of the models' tables, with the privileges that they get by default."""
    for name in {split_schema(table) for table in sides.new}:
        key = Key("schema", name)
        if key in wanted.objects and key not in objects:
            objects[key] = wanted.objects[key]
            objects |= {each: text for each, text in wanted.list_unordered() if each.kind == "grant" and each.parent == name}


def split_schema(name: str) -> str:
    """Return the schema of an object as the catalog has it."""
    parts = re.match(r'("(?:[^"]|"")*"|[^".]+)\.', name)
    return parts[1] if parts else ""


def _merge_sequences(objects: dict[Key, str], before: Catalog, models: CreatedModels, sides: _Sides) -> None:
    """Drop the sequences of columns that no longer count with them, add those of new ones, and take declared ones."""
    used = {sequence for _, sequence in list_next_values(objects)}
    were = {sequence for key, sequence in list_next_values(before.objects) if key.parent in sides.compared}
    declared = {name for word, name in models.declared if word == "SEQUENCE"}
    for key, text in before.list_unordered():
        if key.kind != "sequence":
            continue
        own, owner = split_sequence(text)
        table, column = (owner or "").rpartition(".")[0], (owner or "").rpartition(".")[2]
        is_gone = table in sides.compared and Key("column", column, table) not in objects
        is_unused = table in sides.compared and key.name in were - used
        if table in sides.removed or is_gone or (is_unused and split_name(key.name) not in declared):
            _drop(objects, key)
    for key, text in models.catalog.list_unordered():
        if key.kind != "sequence":
            continue
        is_declared = split_name(key.name) in declared
        if key not in before.objects and (is_declared or key.name in used):
            objects[key] = text
            objects |= _find_grants(models.catalog, key.name)
        elif is_declared and key in objects:
            own, owner = split_sequence(text)
            owner = owner or split_sequence(before.objects[key])[1]
            objects[key] = f"{own} OWNED BY {owner}" if owner else own


def _find_grants(catalog: Catalog, name: str) -> dict[Key, str]:
    return {key: text for key, text in catalog.list_unordered() if key.kind == "grant" and key.parent == name}


def _drop(objects: dict[Key, str], key: Key) -> None:
    """Remove an object, with its privileges and its comment."""
    objects.pop(key, None)
    for each in [each for each in objects if each.kind in {"grant", "comment"}]:
        if (each.kind == "grant" and each.parent == key.name) or each.name == f"{key.kind} {key.name}":
            del objects[each]


def _merge_types(objects: dict[Key, str], before: Catalog, models: CreatedModels, sides: _Sides) -> list[Change]:
    """Take the types that the models create, and drop those that only their columns used; return the others."""
    declared = {(_TYPES[word], name) for word, name in models.declared}
    for key, text in models.catalog.list_unordered():
        if key.kind in {"type", "domain"} and (key.kind, split_name(key.name)) in declared:
            objects[key] = _keep_constraint_names(before.objects.get(key), text)
            if key not in before.objects:
                objects |= _find_grants(models.catalog, key.name)
    left_out = []
    for key, text in before.list_unordered():
        if key.kind not in {"type", "domain"} or (key.kind, split_name(key.name)) in declared:
            continue
        tables = [sides.before[table] for table in sides.compared | sides.removed]
        if _uses((each for table in tables for each in table.items()), key) and not _uses(objects.items(), key):
            _drop(objects, key)
        elif not _uses(((each, item) for each, item in objects.items() if each.parent in sides.compared), key):
            left_out.append(Change(key, text, None))
    return left_out


def _uses(objects: Iterable[tuple[Key, str]], kind: Key) -> bool:
    pattern = re.compile(rf"(?<![\w\".]){re.escape(kind.name)}(?![\w\"])")
    return any(
        pattern.search(text) or (key.kind in {"function", "procedure", "aggregate", "cast"} and pattern.search(key.name))
        for key, text in objects
        if key != kind and key.kind not in {"comment", "grant"}
    )


_CONSTRAINT_NAME = re.compile(r'CONSTRAINT (?:"(?:[^"]|"")*"|[^" ]+) ')


def _keep_constraint_names(before: str | None, wanted: str) -> str:
    """Return a domain as before if only the names of its constraints differ."""
    if before is not None and _CONSTRAINT_NAME.sub("", before) == _CONSTRAINT_NAME.sub("", wanted):
        return before
    return wanted


def _drop_from_publication(text: str, removed: Collection[str]) -> str:
    """Return the definition of a publication without tables that are removed: the server removes them too."""
    match = _PUBLICATION.match(text)
    if match is None or not removed:
        return text
    parts = [part for part in split_list(match["what"]) if not _publishes(part, removed)]
    return f"FOR {', '.join(parts)}{match['rest']}" if parts else match["rest"].lstrip()


def _publishes(part: str, removed: Collection[str]) -> bool:
    name = part.removeprefix("TABLE ")
    return any(name == table or name.startswith(f"{table} ") for table in removed)
