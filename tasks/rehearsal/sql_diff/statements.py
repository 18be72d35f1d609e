"""Generate the SQL for the difference of two schemas."""

from __future__ import annotations

from dataclasses import dataclass

from tasks.catalog import COLUMN_ORDER, Catalog, Change, Key, compare
from tasks.rehearsal.sql_diff.creating import create_object, create_table, detach, drop_object, reset_column_settings
from tasks.rehearsal.sql_diff.dependencies import Schema
from tasks.rehearsal.sql_diff.ordering import Order, Step
from tasks.rehearsal.sql_diff.planning import Actions, changes_type, decide
from tasks.rehearsal.sql_diff.shapes import ATTACHED, DEFAULT, OWNED, expand, list_orders, parse_column

_NEWEST = 170000
"""The first version in which the expression of a generated column can be changed."""
_LOSS = "-- deletes data\n"
_CAST = "-- fails if a value cannot be converted to the new type\n"
_UNCHECKED_BODIES = "SET LOCAL check_function_bodies = off"
_SYNTHETIC = {DEFAULT: "column", OWNED: "sequence", ATTACHED: "table"}


@dataclass(frozen=True, slots=True)
class WrittenSql:
    """The statements from one schema to another, in order, and the changes that are left to be done by hand."""

    statements: tuple[str, ...]
    by_hand: tuple[Change, ...]


def write_sql(before: Catalog, after: Catalog) -> WrittenSql:
    """Return the SQL that changes one schema into another.

    Changes for which it cannot be generated exactly are returned separately: a column order alone, removed or reordered labels of
    an enum, objects that need superusers or secrets, and objects whose definition is not in the catalog.
    """
    schemas = Schema(expand(before)), Schema(expand(after))
    newest = min(before.server_version, after.server_version) >= _NEWEST
    actions = decide(*schemas, newest=newest)
    writer = _Writer(actions, *schemas, after)
    statements = [text for step in writer.order.list_steps() for text in writer.write(step)]
    if any(text.startswith(("CREATE OR REPLACE FUNCTION", "CREATE OR REPLACE PROCEDURE")) for text in statements):
        statements.insert(0, _UNCHECKED_BODIES)
    return WrittenSql(tuple(statements), tuple(_list_by_hand(before, after, actions)))


class _Writer:
    def __init__(self, actions: Actions, old: Schema, new: Schema, after: Catalog) -> None:
        self.actions, self.old, self.new = actions, old, new
        self.columns = list_orders(after)
        positions = {
            Key("column", name, table): place for table, names in self.columns.items() for place, name in enumerate(names)
        }
        self.order = Order(actions, old, new, positions)

    def write(self, step: Step) -> list[str]:
        """Return the statements of one step."""
        verb, key = step
        if verb == "drop":
            return self._drop(key)
        if verb == "alter":
            note = _CAST if changes_type(key, self.old.objects, self.new.objects) else ""
            return [(note if " USING " in text else "") + text for text in self.actions.altered[key]]
        definition = self.new.objects[key]
        if key.kind == "table":
            return create_table(key, definition, self._list_columns(key.name))
        return create_object(key, definition, self.new.objects)

    def _drop(self, key: Key) -> list[str]:
        definition = self.old.objects[key]
        if key.kind == ATTACHED:
            return detach(key, self.old.objects[Key("table", key.name)])
        if key.kind == "column settings":
            return reset_column_settings(key, definition, self.old.objects)
        lost = key.kind == "table" or (key.kind == "column" and parse_column(definition)[0].expression is None)
        return [(_LOSS if lost else "") + text for text in drop_object(key, definition)]

    def _list_columns(self, table: str) -> list[tuple[str, str, str | None]]:
        objects = self.new.objects
        return [
            (name, objects[Key("column", name, table)], objects.get(Key(DEFAULT, name, table))) for name in self.columns[table]
        ]


def _list_by_hand(before: Catalog, after: Catalog, actions: Actions) -> list[Change]:
    keys = {Key(_SYNTHETIC.get(key.kind, key.kind), key.name, key.parent) for key in actions.by_hand}
    keys |= {Key(COLUMN_ORDER, key.name) for key in actions.by_hand if key.kind in {"table", "foreign table"}}
    orders, targets = list_orders(before), list_orders(after)
    for table, names in orders.items():
        target = targets.get(table)
        if target is not None and target != _predict_order(table, names, target, actions):
            keys.add(Key(COLUMN_ORDER, table))
    return [
        Change(change.key, change.before, change.after) for change in compare(before, after).changes if change.key in keys
    ] + [Change(key, before.objects[key], after.objects[key]) for key in sorted(keys) if _is_unchanged(key, before, after)]


def _is_unchanged(key: Key, before: Catalog, after: Catalog) -> bool:
    """Return True for a column order that is the same in both schemas, but not after the statements."""
    return key in before.objects and before.objects.get(key) == after.objects.get(key)


def _predict_order(table: str, names: list[str], target: list[str], actions: Actions) -> list[str]:
    """Return the column order after the statements, which add columns at the end."""
    gone = {key.name for key in actions.dropped if key.kind == "column" and key.parent == table}
    kept = [name for name in names if name not in gone]
    return kept + [name for name in target if name not in kept]
