"""Decide which objects are created, altered, dropped, recreated, or left to be changed by hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from tasks.catalog import Key
from tasks.rehearsal.sql_diff.altering import alter_object
from tasks.rehearsal.sql_diff.dependencies import Schema
from tasks.rehearsal.sql_diff.inheritance.lineage import Family
from tasks.rehearsal.sql_diff.kinds.constraint_indexes import find_constraint
from tasks.rehearsal.sql_diff.kinds.domains import DOMAIN_CHECK, DOMAIN_DEFAULT
from tasks.rehearsal.sql_diff.kinds.foreign_tables import FOREIGN, is_foreign_writable
from tasks.rehearsal.sql_diff.kinds.generators import find_generator_changes
from tasks.rehearsal.sql_diff.kinds.other_kinds import KINDS, WRAPPER, is_described
from tasks.rehearsal.sql_diff.recreation.carrying import (
    TYPES,
    carry,
    find_users,
    is_carried,
    is_contained,
    is_inherited,
    is_replaceable,
)
from tasks.rehearsal.sql_diff.shapes import ATTACHED, DEFAULT, OWNED, STATE, parse_column, parse_index, parse_table

Verb = Literal["drop", "carry", "alter", "create"]

RANKS = {
    kind: rank
    for rank, kind in enumerate(
        ("language", "schema", "extension", "access method", "conversion", WRAPPER, "collation", "type", "domain",
         DOMAIN_DEFAULT, DOMAIN_CHECK, "operator", "cast", "text search dictionary", "text search configuration", "server",
         "sequence", "table", "foreign table", "column", DEFAULT, OWNED, "column settings", "index", "constraint", ATTACHED,
         "replica identity", "clustering", "statistics", "view", "materialized view", "function", "procedure", "aggregate",
         "rule", "trigger", STATE, "row security", "policy", "publication", "grant", "default privilege", "comment",
         "event trigger")
    )
}  # fmt: skip
"""The kinds for which SQL can be generated, in the default order of creation."""
_WITH_ROWS = frozenset({"schema", "extension", "collation", "type", "domain", "sequence", "table", "column"})
"""Kinds that store rows, or that stored rows need: they are not recreated when an object that they depend on is."""
_BLOCKING = frozenset({"view", "materialized view", "rule", "trigger", "policy", "publication", DEFAULT})
"""Kinds that prevent changing the type of a column."""


@dataclass(slots=True)
class Actions:
    """The actions on the objects of a schema."""

    dropped: set[Key] = field(default_factory=set)
    created: set[Key] = field(default_factory=set)
    altered: dict[Key, list[str]] = field(default_factory=dict)
    carried: set[Key] = field(default_factory=set)
    """The columns that get a basic type while their own type is dropped and created again."""
    by_hand: set[Key] = field(default_factory=set)


def decide(before: Schema, after: Schema, family: Family, *, newest: bool) -> Actions:
    """Return the actions on each object that differs, and on those that prevent its change."""
    actions = Actions()
    for key in sorted(before.objects.keys() | after.objects.keys()):
        old, new = before.objects.get(key), after.objects.get(key)
        if old == new:
            continue
        if new is None and _is_removable(key, before, after):
            actions.dropped.add(key)
        elif new is None or not all(_is_writable(key, schema) for schema in (before, after) if key in schema.objects):
            actions.by_hand.add(key)
        elif old is None:
            actions.created.add(key)
        else:
            _decide_change(actions, key, (before, after), newest=newest)
    _alter_children(actions, before, after, family, newest=newest)
    _leave_parts(actions, before, after)
    _leave_attached_indexes(actions, before, after)
    _leave_dependents(actions, before, after)
    _leave_dependencies(actions, before, after)
    _recreate_dependents(actions, before, after)
    if _recreate_domains(actions, before, after):
        _recreate_dependents(actions, before, after)
    _keep_last_values(actions, before, after)
    for column in actions.carried:
        statements = alter_object(column, carry(column, before, actions.dropped), after.objects[column], newest=newest)
        actions.altered[column] = statements or []
    return actions


def _keep_last_values(actions: Actions, before: Schema, after: Schema) -> None:
    """Change columns between an identity and a sequence of their own by statements that keep the last value."""
    for change in find_generator_changes(before, after):
        others = [text for text in actions.altered.get(change.column, []) if " IDENTITY" not in text]
        parts = actions.dropped if change.becomes_identity else actions.created
        if change.column in actions.altered and parts.issuperset(change.parts):
            parts.difference_update(change.parts)
            # An identity needs NOT NULL, so that it comes after and goes before the other changes.
            statements = [*others, change.statement] if change.becomes_identity else [change.statement, *others]
            actions.altered[change.column] = statements


def changes_type(key: Key, before: Mapping[Key, str], after: Mapping[Key, str]) -> bool:
    """Return True if a column gets another type or collation."""
    if key.kind != "column" or key not in before or key not in after:
        return False
    old, new = parse_column(before[key])[0], parse_column(after[key])[0]
    return (old.type, old.collation) != (new.type, new.collation)


def _decide_change(actions: Actions, key: Key, schemas: tuple[Schema, Schema], *, newest: bool) -> None:
    old, new = (schema.objects[key] for schema in schemas)
    statements = None if find_constraint(key, schemas[1].objects.keys()) else alter_object(key, old, new, newest=newest)
    if (
        statements
        and key.kind == "type"
        and find_users(key, schemas[0])
        and any(" ALTER ATTRIBUTE " in each for each in statements)
    ):
        # The server adds and drops attributes of a row type that a column has, but does not change their types.
        statements = None
    if statements is not None:
        actions.altered[key] = statements
    elif key.kind == "table" or (key.kind in TYPES and not is_replaceable(key, *schemas)):
        actions.by_hand.add(key)
    else:
        actions.dropped.add(key)
        actions.created.add(key)


def _alter_children(actions: Actions, before: Schema, after: Schema, family: Family, *, newest: bool) -> None:
    """Alter the columns of partitions and children only in what the statements for their parents do not do.

    Some of these columns do not differ, but have to be changed back.
    """
    for key in before.objects.keys() & after.objects.keys():
        if key.kind != "column" or not family.kept.get(key.parent) or key in actions.dropped or key in actions.by_hand:
            continue
        old, new = family.predict(key, before.objects, after.objects), after.objects[key]
        statements = alter_object(key, old, new, newest=newest)
        if statements is None or (not statements and key not in actions.altered):
            continue
        loses = parse_column(before.objects[key])[0].required and not parse_column(new)[0].required
        if loses and not statements and key.parent not in family.new.partitions:
            # Since 18, a column that also has NOT NULL itself keeps it when the parent's is dropped.
            statements = [f"ALTER TABLE ONLY {key.parent} ALTER COLUMN {key.name} DROP NOT NULL"]
        actions.altered[key] = statements


def _leave_parts(actions: Actions, before: Schema, after: Schema) -> None:
    """Leave to be done by hand what depends on a table that cannot be changed in place."""
    waiting = [key for key in actions.by_hand if key.kind == "table" and key in before.objects and key in after.objects]
    while waiting:
        key = waiting.pop()
        for each in before.needed_by.get(key, set()) | after.needed_by.get(key, set()):
            found = [each, Key("table", each.name)] if each.kind == ATTACHED and each.parent == key.name else [each]
            for part in found:
                if part in actions.dropped or part in actions.created or part in actions.altered:
                    actions.dropped.discard(part)
                    actions.created.discard(part)
                    actions.altered.pop(part, None)
                    actions.by_hand.add(part)
                    waiting.append(part)


def _leave_attached_indexes(actions: Actions, before: Schema, after: Schema) -> None:
    """Recreate an index of a partitioned table if one is attached or taken away: attached indexes cannot be dropped."""
    for keys, schema in ((actions.dropped, before), (actions.created, after)):
        owners = {owner for key in keys if key.kind in {"index", "constraint"} and (owner := schema.find_owner(key))}
        for owner in owners - keys:
            if owner.kind in {"index", "constraint"} and owner in before.objects and owner in after.objects:
                actions.altered.pop(owner, None)
                actions.dropped.add(owner)
                actions.created.add(owner)


def _is_removable(key: Key, before: Schema, after: Schema) -> bool:
    """Return True if an object can be dropped, or is dropped with its owner."""
    owner = before.find_owner(key)
    if key.kind not in RANKS:
        return False
    if owner is not None and owner not in after.objects:
        return _is_removable(owner, before, after)
    plain = key.kind in KINDS | FOREIGN | {"table", "index", "column", "type"} and not _is_part(key, before)
    return plain or _is_writable(key, before)


def _is_part(key: Key, schema: Schema) -> bool:
    """Return True for the index of a constraint."""
    return find_constraint(key, schema.objects.keys()) is not None


def _is_writable(key: Key, schema: Schema) -> bool:
    definition = schema.objects[key]
    owner = schema.find_owner(key)
    if find_constraint(key, schema.objects.keys()):
        return "-- INVALID" not in definition
    if key.kind not in RANKS or _is_part(key, schema) or (owner is not None and not _is_writable(owner, schema)):
        return False
    if key.kind == "table":
        return parse_table(definition) is not None
    if key.kind == "type":
        return definition.startswith(("AS ENUM (", "AS (", "AS RANGE ("))
    if key.kind in FOREIGN:
        return is_foreign_writable(definition)
    if key.kind in KINDS:
        return is_described(key, definition)
    if key.kind in {"index", "constraint"} and parse_index(definition).invalid:
        return "PARTITION BY" in schema.objects.get(Key("table", key.parent), "")
    return key.kind != "replica identity" or "that was dropped" not in definition


def _leave_dependents(actions: Actions, before: Schema, after: Schema) -> None:
    """Leave to be done by hand what depends on a new object that is created by hand."""
    waiting = [key for key in actions.by_hand if key not in before.objects]
    while waiting:
        key = waiting.pop()
        owner = after.find_owner(key) if key.kind == "column" else None
        for each in {*after.needed_by.get(key, ()), *({owner} if owner else ())}:
            if each in actions.created or each in actions.altered:
                actions.altered.pop(each, None)
                actions.dropped.discard(each)
                actions.created.discard(each)
                actions.by_hand.add(each)
                if each not in before.objects:
                    waiting.append(each)


def _leave_dependencies(actions: Actions, before: Schema, after: Schema) -> None:
    """Leave to be done by hand the dropping of what an old object needs that must be dropped by hand first."""
    waiting = [key for key in actions.by_hand if key not in after.objects]
    while waiting:
        for needed in before.needs.get(waiting.pop(), ()):
            if needed in actions.dropped and needed not in after.objects:
                actions.dropped.discard(needed)
                actions.by_hand.add(needed)
                waiting.append(needed)


def _recreate_domains(actions: Actions, before: Schema, after: Schema) -> bool:
    """Recreate the domains whose values in arrays, rows or ranges the server cannot check; return True if there are any.

    It refuses to add a check: https://www.postgresql.org/docs/current/sql-alterdomain.html
    """
    checked = {Key("domain", key.parent) for key in actions.created if key.kind == DOMAIN_CHECK}
    checked |= {key for key in actions.altered if key.kind == "domain" and after.objects[key].endswith(" NOT NULL")}
    both = (checked - actions.dropped) & before.objects.keys() & after.objects.keys()
    found = {key for key in both if is_contained(key, before) and is_replaceable(key, before, after)}
    for key in found:
        actions.altered.pop(key, None)
    actions.dropped |= found
    actions.created |= found
    return bool(found)


def _recreate_dependents(actions: Actions, before: Schema, after: Schema) -> None:
    """Recreate what must be dropped because an object that it depends on is dropped or changed."""
    waiting = [*actions.dropped, *(key for key in actions.altered if changes_type(key, before.objects, after.objects))]
    while waiting:
        key = waiting.pop()
        for each in before.needed_by.get(key, ()):
            if each in actions.dropped or each in actions.by_hand or each not in after.objects or each.kind not in RANKS:
                continue
            carried = is_carried(key, before, actions.dropped)
            if _must_recreate(each, key, before, gone=key in actions.dropped, carried=carried):
                actions.altered.pop(each, None)
                actions.dropped.add(each)
                actions.created.add(each)
                waiting.append(each)
            elif key.kind in TYPES and key in actions.dropped and each.kind == "column" and each not in actions.carried:
                if not is_inherited(each, before):
                    actions.carried.add(each)
                waiting.append(each)


def _must_recreate(each: Key, key: Key, before: Schema, *, gone: bool, carried: bool) -> bool:
    definition = before.objects[each]
    if each.kind == "column" and parse_column(definition)[0].expression is None:
        return before.find_owner(each) == key and gone
    if gone:
        return each.kind not in _WITH_ROWS - {"column"} or (key.kind in TYPES and each.kind in TYPES)
    if carried and each.kind in {"index", "constraint"}:
        return True
    if each.kind in {"function", "procedure"}:
        # The body of a routine in the SQL standard's form depends on the columns that it names.
        return "\nBEGIN ATOMIC" in definition or "\nRETURN " in definition
    return each.kind in _BLOCKING | {"column"} or (each.kind == "constraint" and definition.startswith("FOREIGN KEY"))
