"""The steps for partitions and inheritance children: which of them a step for the parent includes, and their order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property

from tasks.catalog import Key
from tasks.rehearsal.sql_diff.altering import alter_object
from tasks.rehearsal.sql_diff.creating import create_object
from tasks.rehearsal.sql_diff.dependencies import Schema, find_referenced
from tasks.rehearsal.sql_diff.inheritance.lineage import Family
from tasks.rehearsal.sql_diff.planning import Actions, Verb
from tasks.rehearsal.sql_diff.shapes import ATTACHED, DEFAULT, STATE, parse_column, parse_index, read_state

Step = tuple[Verb, Key]
_PARTS = frozenset({"column", DEFAULT, "column settings", "constraint", "index"})
_INDEXES = frozenset({"index", "constraint"})
_SETTING = frozenset({DEFAULT, "column settings"})
_Find = Callable[[Key], Step]
_Touched = dict[str, list[tuple[Key, Step]]]


@dataclass
class Inheritance:
    """What the statements for a table do to its partitions and children."""

    family: Family
    actions: Actions
    before: Schema
    after: Schema
    newest: bool

    def find_step(self, verb: Verb, key: Key) -> Step | None:
        """Return the step of a parent that includes one of its child, or that of a part that is not dropped with its table."""
        if key.kind == ATTACHED:
            return self._find_link(verb, key)
        if key.kind == DEFAULT:
            return self._find_default(key)
        if key.kind != "column" or not self.family.kept.get(key.parent):
            return None
        above = (Key("column", key.name, parent) for parent in self.family.kept[key.parent])
        if verb == "create" and self.family.new.is_derived(key):
            return next((("create", column) for column in above if column in self.actions.created), None)
        if verb == "drop" and self.family.old.is_derived(key):
            return next(
                (("drop", column) for column in above if column in self.actions.dropped and not self._keeps_children(column)),
                None,
            )
        return None

    def find_reference(self, key: Key) -> Key | None:
        """Return the foreign key of a parent that a dropped one of a partition comes from, if that is dropped too.

        It may have another name, if the one of the parent was renamed.
        """
        if key.kind != "constraint" or key.parent not in self.family.old.partitions:
            return None
        above = ((parent, self.before.objects.get(key, "")) for parent in self.family.old.list_ancestors(key.parent))
        return next((self._dropped_references[each] for each in above if each in self._dropped_references), None)

    def is_implied(self, key: Key) -> bool:
        """Return True for a column that a new table gets from its parents."""
        return key.parent in self.family.whole and self.family.new.is_derived(key)

    def adjust(self, step: Step, statements: list[str]) -> list[str]:
        """Return the statements of a step without effects on children that differ, and with what makes these differ."""
        verb, key = step
        if verb == "drop" and key.kind == STATE:
            return self._reset_state(key)
        if (key.kind in _SETTING and self._differs(key)) or (
            verb == "drop" and key.kind == "column" and self._keeps_children(key)
        ):
            return [text.replace("ALTER TABLE ", "ALTER TABLE ONLY ", 1) for text in statements]
        if verb == "drop" and key.kind == "index" and self._has_constraints(key):
            return [f"{text} CASCADE" for text in statements]
        if verb == "create" and key.kind == "column":
            return [*statements, *self._correct_children(key)]
        if verb == "create" and key.kind == "table" and key.name in self.family.whole:
            for column in self._list_columns(key.name):
                above = next(
                    found
                    for parent in self.family.new.parents[key.name]
                    if (found := column._replace(parent=parent)) in self.after.objects
                )
                statements += self._correct(column, above)
        return statements

    def list_conditions(self, drop: _Find, alter: _Find, create: _Find) -> Iterator[tuple[Step, Step]]:
        """Yield steps, each with one that must come before it."""
        touched = [*((key, drop(key)) for key in self.actions.dropped), *((key, alter(key)) for key in self.actions.altered)]
        touched += [(key, create(key)) for key in self.actions.created]
        tables: _Touched = {}
        for key, step in touched:
            if key.kind in _PARTS:
                tables.setdefault(key.parent, []).append((key, step))
        yield from self._order_dropped(tables, drop)
        yield from self._order_created(tables, create)
        for child, parents in self.family.kept.items():
            for parent in parents:
                yield from self._order_parts(tables.get(child, []), tables.get(parent, []), drop)
        yield from self._order_indexes(create)

    def _order_dropped(self, tables: _Touched, drop: _Find) -> Iterator[tuple[Step, Step]]:
        """Yield the conditions for links and partitions that are dropped: a link first, a foreign key before a partition.

        A foreign key that goes with that of the parent comes before the link too: two tables may refer to each other.
        A column of a parent may be in the partition key of a table below, which is dropped first.
        """
        for key in self.actions.dropped:
            if key.kind == "table":
                yield from ((drop(key), drop(reference)) for reference in self._list_references(key.name) & self.actions.dropped)
                above = (part for parent in self.family.old.list_ancestors(key.name) for part in tables.get(parent, ()))
                yield from ((step, drop(key)) for part, step in above if step == ("drop", part) and part.kind == "column")
            elif key.kind == ATTACHED and drop(key) == ("drop", key):
                parts = (*tables.get(key.name, ()), *tables.get(key.parent, ()))
                shared = {drop(part) for part, _ in tables.get(key.name, ()) if self.find_reference(part)} - {drop(key)}
                shared = {step for step in shared if step[1].kind == "constraint" and step[1].parent != key.name}
                yield from ((("drop", key), step) for step in shared)
                later = (step for part, step in parts if step not in shared and not self._is_incomplete(part, step))
                yield from ((step, ("drop", key)) for step in later)
                # A partition to whose rows others refer cannot be detached.
                references = self._list_references(key.name) & self.actions.dropped
                yield from ((("drop", key), drop(each)) for each in references if each.parent not in {key.name, key.parent})

    def _order_created(self, tables: _Touched, create: _Find) -> Iterator[tuple[Step, Step]]:
        """Yield the conditions for new links: a table gets a parent when both are complete."""
        for key in self.actions.created:
            if key.kind == ATTACHED and create(key) == ("create", key):
                parts = (*tables.get(key.name, ()), *(each for each in tables.get(key.parent, ()) if each[0].kind == "column"))
                yield from ((create(key), step) for part, step in parts if step[1].kind != "table" and not self._is_waiting(part))
            elif key.kind == "table" and key.name in self.family.whole:
                parts = tuple(each for parent in self.family.new.parents[key.name] for each in tables.get(parent, ()))
                yield from ((create(key), step) for part, step in parts if part.kind in {"column", DEFAULT})

    def _is_incomplete(self, key: Key, step: Step) -> bool:
        """Return True for an index without those of all partitions."""
        return _is_invalid(key, self.before if step[0] == "drop" else self.after)

    def _order_parts(
        self, child: list[tuple[Key, Step]], parent: list[tuple[Key, Step]], drop: _Find
    ) -> Iterator[tuple[Step, Step]]:
        """Yield the conditions for a child and its parent."""
        above = {(key.kind, key.name, step[0]): step for key, step in parent}
        drops = [step for key, step in parent if step[0] == "drop" and key.kind in {"index", "constraint"}]
        for key, step in child:
            same = above.get((key.kind, key.name, step[0]))
            if key.kind == "column" and same is not None:
                if step[0] == "create":
                    yield same, step
                else:
                    yield step, same
                for needing in self.before.needed_by.get(key, ()) if step[0] == "alter" else ():
                    if needing in self.actions.dropped:
                        yield same, drop(needing)
            elif key.kind == "constraint" and same is not None and step[0] == "drop":
                yield step, same
            elif key.kind == "constraint" and step[0] == "alter" and (made := above.get((key.kind, key.name, "create"))):
                yield step, made
            elif key.kind in {"index", "constraint"} and step[0] == "create":
                yield from ((step, other) for other in drops)
            elif key.kind in {"index", "constraint"} and step[0] == "drop" and not _is_attached(key, self.before):
                yield from (
                    (other, step) for each, other in parent if other[0] == "create" and each.kind in {"index", "constraint"}
                )

    def _order_indexes(self, create: _Find) -> Iterator[tuple[Step, Step]]:
        """Yield the conditions for attached indexes: an invalid one of the parent comes first, a valid one last.

        Of a constraint and an index with the same columns, the first one gets the key of a partition that is attached.
        """
        made = [key for key in self.actions.created if key.kind in _INDEXES]
        for key in made:
            if key.kind == "index":
                yield from ((create(key), create(equal)) for equal in self.after.list_equal(key) & self.actions.created)
            if _is_invalid(key, self.after):
                links = (each for each in self.actions.created if each.kind == ATTACHED and each.parent == key.parent)
                yield from ((create(key), create(link)) for link in links)
            owner = self.after.find_owner(key)
            if owner is not None and owner.kind in _INDEXES and owner in self.actions.created:
                steps = create(key), create(owner)
                yield steps if _is_invalid(owner, self.after) else steps[::-1]

    def _reset_state(self, key: Key) -> list[str]:
        """Return the statement that sets a partition's trigger to the state of its parent's, unless the link is dropped."""
        if not self.family.kept.get(key.parent):
            return []
        for table in self.family.new.list_ancestors(key.parent):
            if state := self.after.objects.get(key._replace(parent=table)):
                return create_object(key, state, {})
            if trigger := self.after.objects.get(key._replace(kind="trigger", parent=table)):
                return create_object(key, read_state(trigger), {})
        return []

    def _find_link(self, verb: Verb, key: Key) -> Step | None:
        if verb == "create":
            return ("create", Key("table", key.name)) if key.name in self.family.whole else None
        return ("drop", key) if self._list_references(key.name) - self.actions.dropped else None

    def _find_default(self, key: Key) -> Step | None:
        """Return the step for the parent's default if all children get theirs from it."""
        for parent in self.family.kept.get(key.parent, ()):
            above = key._replace(parent=parent)
            if not self._is_set(above) or self._differs(above):
                continue
            verb: Verb = "alter" if above in self.actions.altered else "create" if above in self.actions.created else "drop"
            return self._find_default(above) or (verb, above)
        return None

    def _is_set(self, key: Key) -> bool:
        """Return True if a default is changed, in a column that stays."""
        column = key._replace(kind="column")
        if column in self.actions.dropped or column in self.actions.created:
            return False
        return key in self.actions.altered or (key in self.actions.created) != (key in self.actions.dropped)

    def _differs(self, key: Key) -> bool:
        """Return True if a table has children in which a setting of a column is, or stays, another than after a change."""
        for child in self.family.list_children(key.parent):
            other = key._replace(parent=child)
            if other._replace(kind="column") not in self.after.objects:
                continue
            if key.kind != DEFAULT or not self._is_set(other) or self.after.objects.get(other) != self.after.objects.get(key):
                return True
            if self._differs(other):
                return True
        return False

    def _keeps_children(self, column: Key) -> bool:
        """Return True if children keep a column that their parent loses."""
        children = (column._replace(parent=child) for child in self.family.list_children(column.parent))
        return any(
            child in self.after.objects and child not in self.actions.dropped and self.family.old.is_derived(child)
            for child in children
        )

    def _correct_children(self, column: Key) -> list[str]:
        statements = []
        for child in self.family.list_children(column.parent):
            own = column._replace(parent=child)
            if own in self.actions.created and self.family.new.is_derived(own):
                statements += [*self._correct(own, column), *self._correct_children(own)]
        return statements

    def _correct(self, column: Key, above: Key) -> list[str]:
        """Return the statements after which a column differs from its parent's, with which it was created."""
        objects = self.after.objects
        copied = replace(parse_column(objects[above])[0], identity=None, options=None).write()
        statements = list(alter_object(column, copied, objects[column], newest=self.newest) or ())
        default, own = objects.get(above._replace(kind=DEFAULT)), objects.get(column._replace(kind=DEFAULT))
        if default != own:
            statements.append(
                f"ALTER TABLE {column.parent} ALTER COLUMN {column.name} " + (f"SET DEFAULT {own}" if own else "DROP DEFAULT")
            )
        return [text.replace("ALTER TABLE ", "ALTER TABLE ONLY ", 1) for text in statements]

    def _list_columns(self, table: str) -> list[Key]:
        return sorted(key for key in self.after.objects if key.kind == "column" and key.parent == table and self.is_implied(key))

    def _list_references(self, table: str) -> set[Key]:
        """Return the foreign keys that refer to a parent of a partition, and so depend on the partition too."""
        parents = self.family.old.list_ancestors(table) if table in self.family.old.partitions else ()
        return {reference for parent in parents for reference in self._references.get(parent, ())}

    @cached_property
    def _references(self) -> dict[str, set[Key]]:
        references: dict[str, set[Key]] = {}
        for key, definition in self.before.objects.items():
            table = find_referenced(definition) if key.kind == "constraint" else None
            if table is not None:
                references.setdefault(table, set()).add(key)
        return references

    @cached_property
    def _dropped_references(self) -> dict[tuple[str, str], Key]:
        found = ((key, self.before.objects[key]) for key in self.actions.dropped if key.kind == "constraint")
        return {(key.parent, text): key for key, text in found if find_referenced(text) is not None}

    def _is_waiting(self, key: Key) -> bool:
        """Return True for what needs a partition to be attached: an index that a statement attaches, a foreign key to its key."""
        if any(needed.kind == ATTACHED for needed in self.after.needs.get(key, ())) and find_referenced(self.after.objects[key]):
            return True
        owner = self.after.find_owner(key) if _is_attached(key, self.after) else None
        return owner is not None and _is_invalid(owner, self.after)

    def _has_constraints(self, index: Key) -> bool:
        """Return True if constraints of partitions have parts of an index: they can only be dropped with it."""
        parts = self.before.needed_by.get(index, ())
        return any(part.kind == "constraint" and self.before.find_owner(part) == index for part in parts)


def _is_invalid(key: Key, schema: Schema) -> bool:
    return key.kind in _INDEXES and key in schema.objects and parse_index(schema.objects[key]).invalid


def _is_attached(key: Key, schema: Schema) -> bool:
    return key.kind in _INDEXES and key in schema.objects and parse_index(schema.objects[key]).parent is not None
