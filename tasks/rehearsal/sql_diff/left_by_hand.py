"""The changes that the statements do not make, among them orders of columns."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from tasks.catalog import COLUMN_ORDER, Catalog, Change, Key, compare
from tasks.rehearsal.sql_diff.inheritance.lineage import Family
from tasks.rehearsal.sql_diff.kinds.domains import DOMAIN_PARTS
from tasks.rehearsal.sql_diff.planning import Actions
from tasks.rehearsal.sql_diff.shapes import ATTACHED, DEFAULT, OWNED, STATE, list_orders

_SYNTHETIC = {DEFAULT: "column", OWNED: "sequence", STATE: "trigger"}


def list_by_hand(before: Catalog, after: Catalog, actions: Actions, family: Family, typed: Collection[str]) -> list[Change]:
    """Return the changes that are left to be done by hand; `typed` are the tables that get a type, with its order of columns."""
    keys = {_name_whole(key) for key in actions.by_hand if key.kind != ATTACHED}
    keys |= {Key("table", key.name) for key in actions.by_hand if key.kind == ATTACHED}
    keys |= {Key(COLUMN_ORDER, key.name) for key in actions.by_hand if key.kind in {"table", "foreign table"}}
    foreign = {key.name for key in actions.by_hand if key.kind == "foreign table"}
    keys |= {key for key in (*before.objects, *after.objects) if key.kind == "column" and key.parent in foreign}
    orders, targets = dict(list_orders(before)), list_orders(after)
    for table in family.whole:
        # The columns of the parents come first.
        inherited = (name for parent in family.new.parents[table] for name in _predict(parent, orders, targets, actions))
        orders[table] = list(dict.fromkeys(inherited))
    for table, names in orders.items():
        target = targets.get(table) if Key("foreign table", table) not in after.objects else None
        if target is not None and target != _predict_order(table, names, target, actions):
            keys |= {Key(COLUMN_ORDER, table), *([Key("table", table)] if table in typed else [])}
    unmarked = [Change(key, before.objects.get(key, ""), None) for key in sorted(family.unmarked)]
    return [
        *unmarked,
        *(Change(change.key, change.before, change.after) for change in compare(before, after).changes if change.key in keys),
    ] + [Change(key, before.objects[key], after.objects[key]) for key in sorted(keys) if _is_unchanged(key, before, after)]


def _name_whole(key: Key) -> Key:
    """Return the object of the catalog that a separate part belongs to."""
    if key.kind in DOMAIN_PARTS:
        return Key("domain", key.parent)
    return Key(_SYNTHETIC.get(key.kind, key.kind), key.name, key.parent)


def _is_unchanged(key: Key, before: Catalog, after: Catalog) -> bool:
    """Return True for a column order, or a table, that is the same in both schemas, but not after the statements."""
    return key in before.objects and before.objects.get(key) == after.objects.get(key)


def _predict(table: str, orders: Mapping[str, list[str]], targets: Mapping[str, list[str]], actions: Actions) -> list[str]:
    return _predict_order(table, orders.get(table, []), targets.get(table, []), actions)


def _predict_order(table: str, names: list[str], target: list[str], actions: Actions) -> list[str]:
    """Return the column order after the statements, which add columns at the end."""
    gone = {key.name for key in actions.dropped if key.kind == "column" and key.parent == table}
    kept = [name for name in names if name not in gone]
    return kept + [name for name in target if name not in kept]
