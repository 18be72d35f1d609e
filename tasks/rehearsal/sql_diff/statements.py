"""Generate the SQL for the difference of two schemas."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from tasks.catalog import NAMED_NULL, Catalog, Change, Key
from tasks.rehearsal.sql_diff.altering import fill_generated, keeps_generated
from tasks.rehearsal.sql_diff.creating import add_column, create_object, create_table, drop_object, reset_column_settings
from tasks.rehearsal.sql_diff.dependencies import RELATIONS, Schema
from tasks.rehearsal.sql_diff.details.null_names import change_nulls
from tasks.rehearsal.sql_diff.details.part_names import change_part_names
from tasks.rehearsal.sql_diff.folding import fold
from tasks.rehearsal.sql_diff.inheritance.inheriting import Inheritance, Step
from tasks.rehearsal.sql_diff.inheritance.lineage import relate
from tasks.rehearsal.sql_diff.inheritance.reconciling import reconcile
from tasks.rehearsal.sql_diff.kinds.constraint_indexes import find_constraint, reset_parameters, set_parameters
from tasks.rehearsal.sql_diff.kinds.default_privileges import DefaultPrivileges
from tasks.rehearsal.sql_diff.kinds.domains import DOMAIN_PARTS, create_domain
from tasks.rehearsal.sql_diff.kinds.foreign_tables import fold_foreign_tables
from tasks.rehearsal.sql_diff.kinds.typed_tables import release_typed
from tasks.rehearsal.sql_diff.left_by_hand import list_by_hand
from tasks.rehearsal.sql_diff.names import CHAIN
from tasks.rehearsal.sql_diff.ordering import Order
from tasks.rehearsal.sql_diff.planning import Actions, changes_type, decide
from tasks.rehearsal.sql_diff.recreation.carrying import carry, write_carry
from tasks.rehearsal.sql_diff.recreation.copying import Copying, plan_copying
from tasks.rehearsal.sql_diff.recreation.recreating import clear
from tasks.rehearsal.sql_diff.recreation.staging import find_between
from tasks.rehearsal.sql_diff.shapes import DEFAULT, list_orders, parse_column, parse_index, parse_table

_NEWEST = 170000
"""The first version in which the expression of a generated column can be changed."""
_LOSS = "-- deletes data\n"
_ROWS = "-- fails if the table has rows\n"
_CAST = "-- fails if a value cannot be converted to the new type\n"
_UNCHECKED_BODIES = "SET LOCAL check_function_bodies = off"
_NEW_LABEL = re.compile(rf"ALTER TYPE {CHAIN} ADD VALUE (?P<label>'(?:[^']|'')*')")


@dataclass(frozen=True, slots=True)
class WrittenSql:
    """The statements from one schema to another, in order, and the changes that are left to be done by hand."""

    statements: tuple[str, ...]
    by_hand: tuple[Change, ...] = ()
    first: int = 0
    """How many of the statements must be committed before the others: those that add labels which the others use."""
    kept: tuple[Key, ...] = ()
    """The details that stay as they are, because no statement changes them."""

    def write(self) -> str:
        """Return the statements as the text of a file, in two transactions if some must be committed first."""
        parts = [f"{statement};\n" for statement in self.statements]
        if self.first:
            begin = "-- A new label can be used once it is committed.\nBEGIN;\n"
            parts = [begin, *parts[: self.first], "COMMIT;\n\nBEGIN;\n", *parts[self.first :], "COMMIT;\n"]
        return "\n".join(parts)


def write_sql(before: Catalog, after: Catalog, *, recreate: bool = False) -> WrittenSql:
    """Return the SQL that changes one schema into another.

    Changes for which it cannot be generated exactly are returned separately: a column order alone, removed or reordered labels of
    an enum, objects that need superusers or secrets, and objects whose definition is not in the catalog; and, unless they may be
    dropped with their rows to `recreate` them, tables that become partitioned or plain.
    """
    written = _write_recreating(before, after) if recreate else _write_change(before, after)
    return _complete(written)


def _write_recreating(before: Catalog, after: Catalog) -> WrittenSql:
    """Return the SQL for a change that creates tables again which no statement changes in place."""
    between = find_between(before, after)
    if between is not None:
        return _join(_write_recreating(before, between), _write_recreating(between, after))
    copying = plan_copying(before, after)
    if copying is not None:
        return _write_copying(before, after, copying)
    cleared = clear(before, after)
    if cleared is not None:
        removing = _write_change(before, cleared)
        if not removing.by_hand:
            return _join(removing, _write_change(cleared, after))
    return _write_change(before, after)


def _write_copying(before: Catalog, after: Catalog, copying: Copying) -> WrittenSql:
    """Return the SQL for a change that creates tables again with their rows."""
    joined = _join(
        WrittenSql(copying.saving),
        _write_change(before, copying.bare),
        WrittenSql(copying.renaming),
        _write_change(copying.aside, copying.made),
        WrittenSql(copying.filling),
        _write_change(copying.made, copying.filled),
        _write_change(copying.filled, after),
    )
    return replace(joined, statements=tuple(text.removeprefix(_LOSS) for text in joined.statements))


def _join(*parts: WrittenSql) -> WrittenSql:
    by_hand = {change.key: change for part in parts for change in part.by_hand}
    return WrittenSql(
        tuple(text for part in parts for text in part.statements),
        tuple(change for _, change in sorted(by_hand.items())),
        kept=tuple(key for part in parts for key in part.kept),
    )


def _complete(written: WrittenSql) -> WrittenSql:
    """Return statements, of which those come first that must be committed before the others."""
    others = list(written.statements)
    first = _take_labels(others)
    if any(text.startswith(("CREATE OR REPLACE FUNCTION", "CREATE OR REPLACE PROCEDURE")) for text in others):
        others.insert(0, _UNCHECKED_BODIES)
    return replace(written, statements=(*first, *others), first=len(first))


def _write_change(before: Catalog, after: Catalog) -> WrittenSql:
    released = release_typed(before, after)
    before, after = released.before, released.after
    family = relate(before, after)
    old, new = reconcile(_fold(before), _fold(after), family)
    schemas = Schema(old, family.old), Schema(new, family.new)
    newest = min(before.server_version, after.server_version) >= _NEWEST
    actions = decide(*schemas, family, newest=newest)
    writer = _Writer(actions, *schemas, after, Inheritance(family, actions, *schemas, newest=newest))
    steps = [(_find_place(step, *schemas), writer.write(step)) for step in writer.order.list_steps()]
    first, others, last = ([text for place, texts in steps if place == each for text in texts] for each in range(3))
    nulls = change_nulls(before, after, family, actions.dropped, actions.created)
    parts, kept = change_part_names(before, after, family, actions.dropped, old)
    left = tuple(list_by_hand(before, after, actions, family, released.typed))
    whole = (*released.releasing, *first, *nulls.first, *parts, *others, *nulls.last, *last, *released.typing)
    return WrittenSql(whole, left, kept=(*nulls.left, *kept))


def _find_place(step: Step, old: Schema, new: Schema) -> int:
    """Return 0 or 2 for a comment on what other statements rename, such as NOT NULL: it goes before, and comes after them."""
    verb, key = step
    schema = old if verb == "drop" else new
    owner = schema.find_owner(key) if key.kind == "comment" and key.name.startswith("constraint ") else None
    if owner is None or owner.kind not in RELATIONS | {"domain"}:
        return 1
    return 0 if verb == "drop" else 2


def _needs_value(definition: str) -> bool:
    """Return True for a column that cannot be null, and has no value of its own."""
    column = parse_column(definition)[0]
    return column.required and not column.identity and column.expression is None


def _take_labels(statements: list[str]) -> list[str]:
    """Remove the statements that add labels to enums, and return them, if another statement uses one of the labels.

    A label cannot be used in the transaction that adds it: https://www.postgresql.org/docs/current/sql-altertype.html
    """
    added = {text: match for text in statements if (match := _NEW_LABEL.match(text))}
    others = [text for text in statements if text not in added]
    if not any(match["label"] in text for match in added.values() for text in others):
        return []
    statements[:] = others
    return list(added)


def _fold(catalog: Catalog) -> Catalog:
    return replace(catalog, objects=fold_foreign_tables(catalog))


class _Writer:
    def __init__(self, actions: Actions, old: Schema, new: Schema, after: Catalog, inheritance: Inheritance) -> None:
        self.actions, self.old, self.new, self.inheritance = actions, old, new, inheritance
        self.columns = list_orders(after)
        self.nulls = {
            key._replace(kind="column" if key.parent else "domain"): name
            for key, name in after.derived.items()
            if key.kind == NAMED_NULL
        }
        positions = {
            Key("column", name, table): place for table, names in self.columns.items() for place, name in enumerate(names)
        }
        self.defaults = DefaultPrivileges(old.objects, actions.dropped)
        lineage = inheritance.family.new
        related = {*lineage.parents, *(parent for parents in lineage.parents.values() for parent in parents)}
        self.folding = fold(new.objects, actions.created, related)
        self.order = Order(actions, old, new, positions, inheritance, self.folding)

    def write(self, step: Step) -> list[str]:
        """Return the statements of one step."""
        return self.inheritance.adjust(step, self._write(step))

    def _write(self, step: Step) -> list[str]:
        verb, key = step
        if verb == "drop":
            return self._drop(key)
        if verb == "alter":
            note = _CAST if key in self.actions.carried or changes_type(key, self.old.objects, self.new.objects) else ""
            altered = [(note if " USING " in text else "") + text for text in self.actions.altered[key]]
            return altered + [text for each in self._list_gained(key) for text in self.defaults.correct(each, self.new.objects)]
        if verb == "carry":
            return [write_carry(key, carry(key, self.old, self.actions.dropped), self.old, self.new)]
        definition = self.new.objects[key]
        if find_constraint(key, self.new.objects.keys()):
            return set_parameters(key, definition)
        if key.kind == "column" and key in self.old.objects and keeps_generated(key, self.old.objects, self.new.objects):
            return fill_generated(key, self.old.objects[key], definition, self.new.objects)
        return self._create(key, definition) + [
            text for each in self._list_new(key) for text in self.defaults.correct(each, self.new.objects)
        ]

    def _create(self, key: Key, definition: str) -> list[str]:
        if key.kind == "table":
            whole = key.name in self.inheritance.family.whole
            return create_table(key, definition, self._list_columns(key.name), self._list_constraints(key), inherits=whole)
        if key.kind == "column":
            note = _ROWS if _needs_value(definition) and Key(DEFAULT, key.name, key.parent) not in self.new.objects else ""
            return [note + add_column(key, definition, self.new.objects, self.nulls.get(key))]
        if key.kind == "domain":
            parts = [part for part in self.new.needed_by.get(key, ()) if part.kind in DOMAIN_PARTS and part.parent == key.name]
            included = {part: self.new.objects[part] for part in parts if self.order.create(part) == ("create", key)}
            return [create_domain(key, definition, included, self.nulls.get(key))]
        return create_object(key, definition, self.new.objects)

    def _list_new(self, key: Key) -> list[Key]:
        """Return an object and the columns that its creation includes, whose sequences have privileges of their own."""
        names = self.columns.get(key.name, ()) if key.kind == "table" else ()
        return [key, *(Key("column", name, key.name) for name in names), *self.folding.parts.get(key, ())]

    def _list_gained(self, key: Key) -> list[Key]:
        """Return what creates the sequence that a column gets when it is altered: the column for an identity."""
        if key.kind != "column":
            return []
        old, new = (parse_column(schema.objects[key])[0] for schema in (self.old, self.new))
        if new.identity or not old.identity:
            return [key] if new.identity and not old.identity else []
        needed = self.new.needs.get(Key(DEFAULT, key.name, key.parent), ())
        own = (each for each in needed if each.kind == "sequence" and each not in self.old.objects)
        return [each for each in own if each not in self.actions.created]

    def _drop(self, key: Key) -> list[str]:
        definition = self.old.objects[key]
        if constraint := find_constraint(key, self.old.objects.keys()):
            return [] if constraint in self.actions.dropped else reset_parameters(key, definition)
        if key.kind == "column settings":
            return reset_column_settings(key, definition, self.old.objects)
        lost = key.kind == "table" or (key.kind == "column" and parse_column(definition)[0].expression is None)
        return [(_LOSS if lost else "") + text for text in drop_object(key, definition)]

    def _list_constraints(self, table: Key) -> list[tuple[str, str]]:
        """Return name and definition of the constraints that the creation of a table includes."""
        parts = self.folding.parts.get(table, ())
        constraints = (key for key in parts if key.kind == "constraint" and self.order.create(key) == ("create", table))
        return [(key.name, parse_index(self.new.objects[key]).own) for key in constraints]

    def _list_columns(self, table: str) -> list[str]:
        """Return the columns that the creation of a table includes; one of a composite type names only those with options."""
        objects = self.new.objects
        shape = parse_table(objects[Key("table", table)])
        columns: list[str] = []
        for name in self.columns.get(table, ()):
            if self.inheritance.is_implied(Key("column", name, table)):
                continue
            column, default = Key("column", name, table), Key(DEFAULT, name, table)
            constraint, parsed = self.nulls.get(column), parse_column(objects[column])[0]
            if (serial := self.folding.serials.get(column)) is not None:
                columns.append(f"{name} {replace(parsed, type=serial).write(None, constraint)}")
                continue
            separate = self.order.create(default) == ("create", default)
            value = None if separate else objects.get(default)
            if shape is None or shape.type is None:
                columns.append(f"{name} {parsed.write(value, constraint)}")
            elif options := replace(parsed, type="", collation=None).write(value, constraint):
                columns.append(f"{name} WITH OPTIONS {options}")
        return columns
