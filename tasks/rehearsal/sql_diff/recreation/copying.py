"""Tables that are created again with their rows: the old one gets another name, the rows are copied, and then it is dropped.

No statement changes the partition key of a table, or the type of a column in it, and none makes a column only inherited:
https://www.postgresql.org/docs/current/ddl-partitioning.html, sql-altertable.html
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace

from tasks.catalog import COLUMN_ORDER, LOCAL_COLUMN, LOCAL_CONSTRAINT, NAMED_NULL, Catalog, Key, compare
from tasks.rehearsal.sql_diff.altering import convert_value
from tasks.rehearsal.sql_diff.dependencies import Schema
from tasks.rehearsal.sql_diff.inheritance.lineage import read_lineage
from tasks.rehearsal.sql_diff.inheritance.reconciling import find_owner
from tasks.rehearsal.sql_diff.names import last_part, list_names
from tasks.rehearsal.sql_diff.recreation.carrying import TYPES
from tasks.rehearsal.sql_diff.recreation.copied_numbers import choose_name, find_moves
from tasks.rehearsal.sql_diff.recreation.recreating import ROWS, find_dependents, find_rewritten, forget_default
from tasks.rehearsal.sql_diff.shapes import (
    DEFAULT,
    Column,
    expand,
    list_orders,
    name_index,
    parse_column,
    parse_table,
    split_sequence,
)

COPIES = "-- copies all rows; until the transaction ends, no other session can use the table\n"
_DESCRIBING = frozenset({"comment", "grant", "column settings"})
"""What stays with the old table, because it is in the way of nothing."""
_MARKS = frozenset({LOCAL_COLUMN, LOCAL_CONSTRAINT})


@dataclass(frozen=True, slots=True)
class Copying:
    """The schemas on the way from one to another, and the statements between them."""

    tables: frozenset[str]
    """The tables that keep their rows."""
    gone: frozenset[str]
    """These, and the partitions that they have before."""
    saving: tuple[str, ...]
    bare: Catalog
    """After `saving`: the old tables have only their columns."""
    renaming: tuple[str, ...]
    aside: Catalog
    made: Catalog
    """With the new tables, which have only what decides about rows."""
    filling: tuple[str, ...]
    filled: Catalog
    """Without the old tables."""


def plan_copying(before: Catalog, after: Catalog) -> Copying | None:
    """Return how tables that no statement changes in place are created again with their rows.

    None if there are no such tables, or if the rows cannot stay: a partition becomes a table of its own,
    or the reverse; other tables have columns of the row type; defaults need the row type.
    """
    planning = _open_planning(before, after)
    return planning.plan() if planning else None


def separate_copying(before: Catalog, after: Catalog) -> Catalog | None:
    """Return the schema after all changes but those of the tables that are copied, and of what depends on these.

    None if no tables are copied, or if nothing else changes.
    """
    planning = _open_planning(before, after)
    if planning is None:
        return None
    between = planning.separate()
    return between if compare(before, between) and compare(between, after) else None


def _open_planning(before: Catalog, after: Catalog) -> _Planning | None:
    tables = find_rewritten(before, after)
    if not tables:
        return None
    planning = _Planning(before, after, tables)
    return planning if planning.is_possible() else None


class _Planning:
    def __init__(self, before: Catalog, after: Catalog, tables: frozenset[str]) -> None:
        self.before, self.after, self.tables = before, after, tables
        self.old, self.new = read_lineage(before), read_lineage(after)
        self.gone = tables.union(*(self.old.list_descendants(table) for table in tables))
        existing = {key.name for key, _ in before.of_kind("table")}
        below = {child for table in tables for child in self.new.list_descendants(table)}
        self.made = tables | {child for child in below if child in self.gone or child not in existing}
        self._attached = below - self.made
        taken = {name_index(key) if key.kind == "constraint" else key.name for each in (before, after) for key in each.objects}
        shapes = ((table, parse_table(before.objects[Key("table", table)])) for table in sorted(self.gone))
        self.leaves = {table: choose_name(table, taken) for table, shape in shapes if shape and not shape.partitioned}
        """The tables with rows before, each with the name that it gets."""
        self._removed = find_dependents(expand(before), self.gone, self.old)
        self._needed = expand(after)
        self._waiting = find_dependents(self._needed, self.made, self.new)
        self._schema = Schema(self._needed, self.new)

    def is_possible(self) -> bool:
        """Return True if all rows can be copied."""
        alone = {name for name in self.gone - self.made if Key("table", name) in self.after.objects}
        others = any(key.kind in ROWS and (key.parent or key.name) not in self.gone for key in self._removed)
        columns = (key for key in self._needed if key.kind in {"column", DEFAULT} and key.parent in self.made)
        return not alone and not others and not self._attached and all(self._is_independent(key) for key in columns)

    def plan(self) -> Copying:
        """Return the schemas and statements."""
        bare = self._strip()
        aside = self._move(bare)
        made = self._make(aside)
        old = {Key("table", name) for name in self.leaves.values()}
        rest = {key: text for key, text in made.objects.items() if key not in old and key.parent not in self.leaves.values()}
        filled = replace(made, objects={key: text for key, text in rest.items() if key.name not in self.leaves.values()})
        moves = find_moves(self.before, self.after, self.tables)
        saving = tuple(text for each in moves for text in each.save())
        renaming = tuple(f"ALTER TABLE {name} RENAME TO {last_part(new)}" for name, new in self.leaves.items())
        filling = (*self._copy(), *(text for each in moves for text in each.restore()))
        return Copying(self.tables, self.gone, saving, bare, renaming, aside, made, filling, filled)

    def separate(self) -> Catalog:
        """Return the schema after with these tables, and what depends on them, as they are before."""
        objects = {key: text for key, text in self.after.objects.items() if not concerns(key, self._waiting, self.made)}
        objects |= {key: text for key, text in self.before.objects.items() if concerns(key, self._removed, self.gone)}
        derived = {key: text for key, text in self.after.derived.items() if key.parent not in self.made}
        derived |= {key: text for key, text in self.before.derived.items() if key.parent in self.gone}
        return replace(self.after, objects=objects, derived=derived)

    def _strip(self) -> Catalog:
        """Return the schema before in which the old tables have only the columns that are copied."""
        kept = ((key, self._strip_object(key, text)) for key, text in self.before.objects.items())
        derived = {key: text for key, text in self.before.derived.items() if key.parent not in self.gone}
        return replace(self.before, objects={key: text for key, text in kept if text is not None}, derived=derived)

    def _strip_object(self, key: Key, text: str) -> str | None:
        table = key.name if key.kind in {"table", COLUMN_ORDER} else key.parent
        if table in self.leaves:
            return self._strip_part(key, text, table)
        if table in self.gone:
            return None
        if key in self._removed:
            return split_sequence(text)[0] if key.kind == "sequence" and key in self.after.objects else None
        return forget_default(text) if Key(DEFAULT, key.name, key.parent) in self._removed else text

    def _strip_part(self, key: Key, text: str, table: str) -> str | None:
        if key.kind == "table":
            return _detach(text)
        if key.kind == COLUMN_ORDER:
            return ", ".join(self._list_copied(table))
        if key.kind == "column":
            return _make_plain(parse_column(text)[0]).write() if key.name in self._list_copied(table) else None
        return text if key.kind in _DESCRIBING else None

    def _move(self, bare: Catalog) -> Catalog:
        """Return a schema with the old tables under their other names."""
        objects: dict[Key, str] = {}
        for key, text in bare.objects.items():
            if key.parent in self.leaves:
                if key.kind == "column":
                    objects[key._replace(parent=self.leaves[key.parent])] = text
            elif key.name in self.leaves and key.kind in {"table", COLUMN_ORDER}:
                objects[key._replace(name=self.leaves[key.name])] = text
            else:
                objects[key] = text
        return replace(bare, objects=objects)

    def _make(self, aside: Catalog) -> Catalog:
        """Return the schema after, with the old tables, in which the new ones have only what decides about rows."""
        objects = {key: text for key, text in self.after.objects.items() if self._is_made_first(key)}
        others = {key: text for key, text in aside.objects.items() if key.parent in self.leaves.values()}
        others |= {key: text for key, text in aside.objects.items() if key.name in self.leaves.values()}
        # The method of an old table is dropped after it.
        others |= {key: text for key, text in aside.objects.items() if key.kind == "access method"}
        for old, name in self.leaves.items():
            for column in self._list_copied(old):
                others[Key("column", column, name)] = self._find_readable(old, column).write()
        derived = {key: text for key, text in self.after.derived.items() if self._is_derived_first(key, text, objects)}
        return replace(self.after, objects=objects | others, derived=derived)

    def _is_made_first(self, key: Key) -> bool:
        if key.kind == "sequence":
            owner = split_sequence(self.after.objects[key])[1] or ""
            return key not in self._waiting or any(owner.startswith(f"{table}.") for table in self.made)
        if key.kind == "constraint" and key.parent in self.made:
            return self.after.objects[key].startswith(("CHECK ", "NOT NULL ")) and self._is_independent(key)
        table = key.name if key.kind in {"table", COLUMN_ORDER} else key.parent if key.kind in {"column", *_MARKS} else ""
        return table in self.made or (key not in self._waiting and key.parent not in self.made)

    def _is_derived_first(self, key: Key, text: str, objects: Mapping[Key, str]) -> bool:
        if key.parent not in self.made or key.kind == NAMED_NULL or text.startswith(("CHECK ", "NOT NULL ")):
            return True
        # A partition gets the indexes of a parent that is not created again.
        return find_owner(text, self.after, objects) is not None

    def _is_independent(self, key: Key) -> bool:
        """Return True if a part of a new table needs nothing that needs the table."""
        needs = self._schema.needs.get(key, set()) & self._waiting
        return all(each.kind == "sequence" or each.name in self.made or each.parent in self.made for each in needs)

    def _list_copied(self, table: str) -> list[str]:
        """Return the columns of an old table whose values the new one gets, in the order of the new one."""
        target = self._find_target(table)
        return [name for name in list_orders(self.after).get(target, ()) if self._is_copied(name, table, target)]

    def _is_copied(self, name: str, table: str, target: str) -> bool:
        text = self.before.objects.get(Key("column", name, table))
        is_stored = text is not None and parse_column(text)[0].storage != "VIRTUAL"
        return is_stored and self._find_new(name, target).expression is None

    def _find_target(self, table: str) -> str:
        """Return the table that gets the rows of an old one."""
        return [each for each in (table, *self.old.list_ancestors(table)) if each in self.tables][-1]

    def _find_new(self, name: str, target: str) -> Column:
        return parse_column(self.after.objects[Key("column", name, target)])[0]

    def _find_readable(self, table: str, name: str) -> Column:
        """Return the column of an old table with a type that exists when it is read."""
        column = _make_plain(parse_column(self.before.objects[Key("column", name, table)])[0])
        names = list_names(f"{column.type} {column.collation or ''}")
        if any(key.kind in TYPES and key not in self.after.objects and key.name in names for key in self.before.objects):
            new = self._find_new(name, self._find_target(table))
            return replace(column, type=new.type, collation=new.collation)
        return column

    def _copy(self) -> Iterator[str]:
        for old, name in self.leaves.items():
            target = self._find_target(old)
            columns = self._list_copied(old)
            new = {column: self._find_new(column, target) for column in columns}
            values = (_convert(column, self._find_readable(old, column), new[column]) for column in columns)
            override = " OVERRIDING SYSTEM VALUE" if any(column.identity for column in new.values()) else ""
            listed = f" ({', '.join(columns)})" if columns else ""
            yield f"{COPIES}INSERT INTO {target}{listed}{override}\nSELECT {', '.join(values)} FROM {name}"


def concerns(key: Key, dependents: Collection[Key], tables: Collection[str]) -> bool:
    """Return True for tables, their parts, and what depends on them."""
    return key in dependents or key.parent in tables or (key.kind == COLUMN_ORDER and key.name in tables)


def _detach(definition: str) -> str:
    """Return the definition of a table without its parents."""
    table = parse_table(definition)
    assert table is not None
    parts = (
        "UNLOGGED" if table.unlogged else None,
        table.method and f"USING {table.method}",
        table.settings and f"WITH ({table.settings})",
        table.tablespace and f"TABLESPACE {table.tablespace}",
    )
    return " ".join(part for part in parts if part)


def _make_plain(column: Column) -> Column:
    """Return a column with nothing but its type; a NOT NULL has a name, which the new one would not get while this one has it."""
    return Column(column.type, column.collation, required=False, identity=None, options=None, expression=None, storage=None)


def _convert(name: str, old: Column, new: Column) -> str:
    """Return the value of a column in its new type, as ALTER COLUMN TYPE converts it."""
    return name if old.type == new.type else convert_value(name, old.type, new.type)
