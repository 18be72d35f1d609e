"""Which objects are made, changed in place, made anew or left to a person, on the way from one schema to another. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from tasks.catalog import Key
from tasks.rehearsal.sql_diff.altering import alter_object
from tasks.rehearsal.sql_diff.dependencies import Schema
from tasks.rehearsal.sql_diff.names import last_part
from tasks.rehearsal.sql_diff.shapes import ATTACHED, DEFAULT, OWNED, parse_column, parse_table

Verb = Literal["drop", "alter", "create"]

RANKS = {
    kind: rank
    for rank, kind in enumerate(
        ("schema", "extension", "type", "domain", "sequence", "table", "column", DEFAULT, OWNED, "column settings", "index",
         "constraint", ATTACHED, "replica identity", "clustering", "statistics", "view", "materialized view", "function",
         "procedure", "aggregate", "rule", "trigger", "row security", "policy", "publication", "grant", "default privilege",
         "comment", "event trigger")
    )
}  # fmt: skip
"""The kinds that can be written, in the order in which they are created where nothing else decides."""
_HOLDING = frozenset({"schema", "extension", "type", "domain", "sequence", "table", "column"})
"""What holds rows or is held by them, and is not made anew because something beneath it was."""
_BLOCKING = frozenset({"view", "materialized view", "rule", "trigger", "policy", "publication", DEFAULT})
"""What stands in the way of a column's new type."""


@dataclass(slots=True)
class Work:
    """List what is done to which objects."""

    dropped: set[Key] = field(default_factory=set)
    created: set[Key] = field(default_factory=set)
    altered: dict[Key, list[str]] = field(default_factory=dict)
    by_hand: set[Key] = field(default_factory=set)


def decide(before: Schema, after: Schema, *, newest: bool) -> Work:
    """Decide what is done to each object that differs, and to those that stand in the way."""
    work = Work()
    for key in sorted(before.objects.keys() | after.objects.keys()):
        old, new = before.objects.get(key), after.objects.get(key)
        if old == new:
            continue
        if new is None and _is_removable(key, before, after):
            work.dropped.add(key)
        elif new is None or not all(_is_writable(key, schema) for schema in (before, after) if key in schema.objects):
            work.by_hand.add(key)
        elif old is None:
            work.created.add(key)
        else:
            _decide_change(work, key, (before, after), newest=newest)
    _leave_what_needs_hands(work, before, after)
    _leave_what_is_held(work, before, after)
    _make_dependents_anew(work, before, after)
    return work


def changes_type(key: Key, before: Mapping[Key, str], after: Mapping[Key, str]) -> bool:
    """Tell whether a column gets another type or collation."""
    if key.kind != "column" or key not in before or key not in after:
        return False
    old, new = parse_column(before[key])[0], parse_column(after[key])[0]
    return (old.type, old.collation) != (new.type, new.collation)


def _decide_change(work: Work, key: Key, schemas: tuple[Schema, Schema], *, newest: bool) -> None:
    old, new = (schema.objects[key] for schema in schemas)
    statements = alter_object(key, old, new, newest=newest)
    if statements is not None:
        work.altered[key] = statements
    elif key.kind == "table" or (key.kind in {"type", "domain"} and any(_is_used(key, schema) for schema in schemas)):
        work.by_hand.add(key)
    else:
        work.dropped.add(key)
        work.created.add(key)


def _is_used(key: Key, schema: Schema) -> bool:
    return any(each.kind in _HOLDING for each in schema.needed_by.get(key, ()))


def _is_removable(key: Key, before: Schema, after: Schema) -> bool:
    """Tell whether an object can be dropped, or goes with what it belongs to."""
    owner = before.find_owner(key)
    if key.kind not in RANKS:
        return False
    if owner is not None and owner not in after.objects:
        return _is_removable(owner, before, after)
    plain = key.kind in {"table", "index", "column", "type"} and not _is_part(key, before)
    return plain or _is_writable(key, before)


def _is_part(key: Key, schema: Schema) -> bool:
    """Tell of an index that belongs to a constraint, and of whatever belongs to a foreign table."""
    constraint = key.kind == "index" and Key("constraint", last_part(key.name), key.parent) in schema.objects
    return constraint or Key("foreign table", key.parent) in schema.objects


def _is_writable(key: Key, schema: Schema) -> bool:
    definition = schema.objects[key]
    owner = schema.find_owner(key)
    if key.kind not in RANKS or _is_part(key, schema) or (owner is not None and not _is_writable(owner, schema)):
        return False
    if key.kind == "table":
        table = parse_table(definition)
        return table is not None and table.type is None
    if key.kind == "type":
        return definition.startswith(("AS ENUM (", "AS (", "AS RANGE ("))
    if key.kind == "grant":
        return not key.parent.startswith(("server ", "foreign-data wrapper "))
    unwritable = {"index": "-- INVALID", "replica identity": "that was dropped", "column": "SEQUENCE NAME "}
    return key.kind not in unwritable or unwritable[key.kind] not in definition


def _leave_what_needs_hands(work: Work, before: Schema, after: Schema) -> None:
    """Leave to a person what needs a new object that is left to a person."""
    waiting = [key for key in work.by_hand if key not in before.objects]
    while waiting:
        key = waiting.pop()
        owner = after.find_owner(key) if key.kind == "column" else None
        for each in {*after.needed_by.get(key, ()), *({owner} if owner else ())}:
            if each in work.created or each in work.altered:
                work.altered.pop(each, None)
                work.dropped.discard(each)
                work.created.discard(each)
                work.by_hand.add(each)
                if each not in before.objects:
                    waiting.append(each)


def _leave_what_is_held(work: Work, before: Schema, after: Schema) -> None:
    """Leave to a person the dropping of what is needed by an old object that a person must drop first."""
    waiting = [key for key in work.by_hand if key not in after.objects]
    while waiting:
        for needed in before.needs.get(waiting.pop(), ()):
            if needed in work.dropped and needed not in after.objects:
                work.dropped.discard(needed)
                work.by_hand.add(needed)
                waiting.append(needed)


def _make_dependents_anew(work: Work, before: Schema, after: Schema) -> None:
    """Add what must go because something beneath it goes, and come again after it."""
    waiting = [*work.dropped, *(key for key in work.altered if changes_type(key, before.objects, after.objects))]
    while waiting:
        key = waiting.pop()
        for each in before.needed_by.get(key, ()):
            if each in work.dropped or each in work.by_hand or each not in after.objects or each.kind not in RANKS:
                continue
            if _must_go(each, key, before, gone=key in work.dropped):
                work.altered.pop(each, None)
                work.dropped.add(each)
                work.created.add(each)
                waiting.append(each)


def _must_go(each: Key, key: Key, before: Schema, *, gone: bool) -> bool:
    definition = before.objects[each]
    if each.kind == "column" and parse_column(definition)[0].expression is None:
        return before.find_owner(each) == key and gone
    if gone:
        return each.kind not in _HOLDING - {"column"}
    return each.kind in _BLOCKING | {"column"} or (each.kind == "constraint" and definition.startswith("FOREIGN KEY"))
