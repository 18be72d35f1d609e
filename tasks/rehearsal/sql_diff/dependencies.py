"""Dependencies of the objects of a schema, found by the names in their definitions."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping

from tasks.catalog import Key
from tasks.rehearsal.sql_diff.inheritance.lineage import Lineage
from tasks.rehearsal.sql_diff.kinds.constraint_indexes import find_constraint
from tasks.rehearsal.sql_diff.kinds.domains import DOMAIN_CHECK
from tasks.rehearsal.sql_diff.kinds.other_kinds import WRAPPER
from tasks.rehearsal.sql_diff.names import cut_body, last_part, list_names, list_type_names, split_list, strip_arguments
from tasks.rehearsal.sql_diff.shapes import ATTACHED, DEFAULT, OWNED, STATE, name_index, parse_index

ROUTINES = frozenset({"function", "procedure", "aggregate"})
RELATIONS = frozenset({"table", "foreign table", "view", "materialized view"})
_TABLE_ATTRIBUTES = frozenset({"row security", "replica identity", "clustering", ATTACHED})
_OPERATOR = re.compile(r"OPERATOR\(([^()\s]+)\)")
_TEMPORAL = re.compile(r"\bPERIOD | WITHOUT OVERLAPS\b")
_FOREIGN_KEY = re.compile(r"FOREIGN KEY \(.*?\) REFERENCES (?P<table>.+?)\((?P<columns>[^()]*)\)")
_KEY_COLUMNS = re.compile(r"^(?:PRIMARY KEY|UNIQUE|CREATE UNIQUE INDEX .*? USING btree) .*?\((?P<columns>[^()]*)\)")


class Schema:
    """The objects of one schema by name, what each depends on, and what it belongs to."""

    def __init__(self, objects: Mapping[Key, str], lineage: Lineage | None = None) -> None:
        self.objects = objects
        self._lineage = lineage or Lineage()
        self._indexes: dict[str, Key] = {}
        self._named: dict[str, set[Key]] = defaultdict(set)
        self._operators: dict[str, set[Key]] = defaultdict(set)
        self._columns: dict[str, dict[str, Key]] = defaultdict(dict)
        self._keys: dict[tuple[str, frozenset[str]], set[Key]] = defaultdict(set)
        for key, definition in objects.items():
            self._enter(key, definition)
        self.needs = {key: self._find_needs(key, definition) - {key} for key, definition in objects.items()}
        self.needed_by: dict[Key, set[Key]] = defaultdict(set)
        for key, needed in self.needs.items():
            for each in needed:
                self.needed_by[each].add(key)

    def find_owner(self, key: Key) -> Key | None:
        """Return the object with which an object is dropped: the column of a default, the table of a trigger."""
        if key.kind in {DEFAULT, "column settings"} and (column := self._columns[key.parent].get(key.name)):
            return column
        if key.kind == OWNED:
            return self._find_owning_column(key)
        if key.kind == "sequence" and (owner := Key(OWNED, key.name)) in self.objects:
            return self._find_owning_column(owner)
        if key.kind == STATE:
            triggers = (Key("trigger", key.name, table) for table in self._lineage.list_ancestors(key.parent))
            return next((trigger for trigger in triggers if trigger in self.objects), None)
        if key.kind in {"index", "constraint"} and (index := self._indexes.get(parse_index(self.objects[key]).parent or "")):
            return index
        if key.kind in _TABLE_ATTRIBUTES:
            return self._find_relation(key.name)
        if key.kind == "comment":
            return self._find_commented(key)
        if key.kind == "grant":
            return self._find_granted(key)
        return self._find_relation(key.parent) if key.parent else None

    def list_equal(self, index: Key) -> set[Key]:
        """Return the constraints of a table with the same columns as a unique index."""
        match = _KEY_COLUMNS.match(self.objects[index])
        keys = self._keys[index.parent, _list_key(match["columns"])] if match else ()
        return {key for key in keys if key.kind == "constraint" and key.parent == index.parent}

    def _enter(self, key: Key, definition: str) -> None:
        if key.kind == "column":
            self._columns[key.parent][key.name] = key
        elif key.kind in ROUTINES:
            self._named[strip_arguments(key.name)].add(key)
        elif key.kind == "operator":
            self._operators[key.name.partition("(")[0]].add(key)
        elif not key.parent and key.kind not in _TABLE_ATTRIBUTES | {OWNED, "comment", "extension", "publication"}:
            for name in list_type_names(key, definition):
                self._named[name].add(key)
        if key.kind in {"index", "constraint"}:
            self._indexes[name_index(key)] = key
        if key.kind in {"constraint", "index"} and (match := _KEY_COLUMNS.match(definition)):
            for table in (key.parent, *self._lineage.list_descendants(key.parent)):
                self._keys[table, _list_key(match["columns"])].add(key)

    def _find_needs(self, key: Key, definition: str) -> set[Key]:
        owner = self.find_owner(key)
        needs = {owner} if owner and key.kind != "sequence" else set()
        if key.kind in {"comment", "schema", "extension"}:
            return needs if key.kind != "extension" else needs | self._find(list_names(definition))
        if key.kind == "grant":
            return needs
        names = list_names(cut_body(definition) if key.kind in ROUTINES else definition)
        names |= list_names(key.name) if key.kind != "column" else set()
        names |= list_names(key.parent) if key.parent else set()
        needs |= self._find(names)
        if self._operators:
            needs |= {found for name in _OPERATOR.findall(definition) for found in self._operators[name]}
        needs |= self._find_columns(names, needs, key)
        return needs | self._find_special(key, definition, names)

    def _find(self, names: set[str]) -> set[Key]:
        return {found for name in names & self._named.keys() for found in self._named[name]}

    def _find_columns(self, names: set[str], needs: set[Key], key: Key) -> set[Key]:
        if key.kind in {"table", "column", DEFAULT, ATTACHED, "sequence"} and key.kind != "column":
            return set()
        tables = {each.name for each in needs if each.kind in RELATIONS}
        if key.kind == "column":
            tables = {key.parent} if " GENERATED ALWAYS AS (" in f" {self.objects[key]}" else set()
        return {self._columns[table][name] for table in tables for name in names & self._columns[table].keys()}

    def _find_special(self, key: Key, definition: str, names: set[str]) -> set[Key]:
        if constraint := find_constraint(key, self.objects.keys()):
            return {constraint}
        if key.kind == STATE:
            tables = {key.parent, *self._lineage.list_ancestors(key.parent)}
            links = {each for each in self.objects if each.kind == ATTACHED and each.name in tables}
            return links | {each for table in tables if (each := Key(STATE, key.name, table)) in self.objects}
        if key.kind == "constraint" and (match := _FOREIGN_KEY.search(definition)):
            return self._find_unique(match["table"], _list_key(match["columns"]))
        if key.kind in {"clustering", "replica identity"}:
            return {
                each
                for each in self.objects
                if each.kind in {"index", "constraint"} and each.parent == key.name and last_part(each.name) in names
            }
        if key.kind in {"view", "materialized view"} and "GROUP BY" in definition:
            tables = {each.name for each in self._find(names)} - {key.name}
            return {each for (table, _), keys in self._keys.items() if table in tables for each in keys}
        return set()

    def _find_unique(self, table: str, columns: frozenset[str]) -> set[Key]:
        """Return the unique keys of these columns, and the links without which a partition does not have those of its parents."""
        found = self._keys[table, columns]
        if any(key.parent == table for key in found):
            return set(found)
        tables = {table, *self._lineage.list_ancestors(table)} - {key.parent for key in found}
        return found | {
            link
            for each in tables
            for parent in self._lineage.parents.get(each, ())
            if (link := Key(ATTACHED, each, parent)) in self.objects
        }

    def _find_relation(self, name: str) -> Key | None:
        kinds = sorted(RELATIONS | {"domain", "type"})
        return next((key for kind in kinds if (key := Key(kind, name)) in self.objects), None)

    def _find_owning_column(self, key: Key) -> Key | None:
        table, column = self.objects[key].removesuffix(name := last_part(self.objects[key]))[:-1], name
        return self._columns[table].get(column)

    def _find_commented(self, key: Key) -> Key | None:
        words = key.name.split(" ")
        for count in range(1, min(len(words), 3) + 1):
            kind, name = " ".join(words[:count]), " ".join(words[count:])
            kind = "type" if kind == "composite type" else kind
            if (found := Key(kind, name, key.parent)) in self.objects:
                return found
            if kind == "index" and (found := Key("constraint", last_part(name), key.parent)) in self.objects:
                return found
            if kind == "constraint" and (found := Key(DOMAIN_CHECK, name, key.parent)) in self.objects:
                return found
        return self._find_relation(key.parent) if key.parent else None

    def _find_granted(self, key: Key) -> Key | None:
        for kind in ("server", "language", WRAPPER):
            if key.parent.startswith(f"{kind} "):
                found = Key(kind, key.parent.removeprefix(f"{kind} "))
                return found if found in self.objects else None
        target = re.search(r" ON (SCHEMA|TABLE|SEQUENCE|FUNCTION|PROCEDURE|TYPE) ", self.objects[key])
        kinds = {"TABLE": sorted(RELATIONS), "TYPE": ["type", "domain"], "FUNCTION": ["function", "aggregate"]}
        for kind in kinds.get(target[1], [target[1].lower()]) if target else []:
            if (found := Key(kind, key.parent)) in self.objects:
                column = key.name.rpartition(" (")[2].removesuffix(")") if " (" in key.name else ""
                return self._columns[key.parent].get(column, found)
        return None


def _list_key(columns: str) -> frozenset[str]:
    """Return the columns of a key; those of a temporal one are written with PERIOD or WITHOUT OVERLAPS."""
    return frozenset(split_list(_TEMPORAL.sub("", columns)))


def find_referenced(definition: str) -> str | None:
    """Return the table to which a foreign key refers; None for another constraint."""
    match = _FOREIGN_KEY.search(definition) if definition.startswith("FOREIGN KEY") else None
    return match["table"] if match else None
