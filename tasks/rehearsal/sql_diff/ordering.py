"""The order of the statements: an object is created after, and dropped before, what it depends on."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from tasks.catalog import Key
from tasks.rehearsal.sql_diff.dependencies import Schema, find_referenced
from tasks.rehearsal.sql_diff.folding import Folding
from tasks.rehearsal.sql_diff.inheritance.inheriting import Inheritance, Step
from tasks.rehearsal.sql_diff.kinds.domains import DOMAIN_PARTS, is_unchecked
from tasks.rehearsal.sql_diff.planning import RANKS, Actions
from tasks.rehearsal.sql_diff.shapes import DEFAULT, OWNED

_PARTS = {"column": "table", DEFAULT: "column", **dict.fromkeys(DOMAIN_PARTS, "domain")}
_CIRCULAR = DOMAIN_PARTS | {"constraint", DEFAULT, "index", "statistics", "trigger", "policy", "rule"}
"""The parts that may need what needs their owner, such as a function that takes its rows."""
_CONTAINERS = frozenset({"schema", "extension"})
"""What they contain is not in the schema, so that nothing shows what needs it: they are created first and dropped late."""


@dataclass
class Order:
    """The order of the actions on the objects of a schema."""

    actions: Actions
    before: Schema
    after: Schema
    positions: Mapping[Key, int]
    """The position of each column in its table."""
    inheritance: Inheritance
    folding: Folding

    def list_steps(self) -> list[Step]:
        """Return the steps in order, without those that another step includes."""
        steps = [self.drop(key) for key in sorted(self.actions.dropped, key=self._rank, reverse=True)]
        steps += [("carry", key) for key in sorted(self.actions.carried, key=self._rank)]
        steps += [self.alter(key) for key in sorted(self.actions.altered, key=self._rank)]
        steps += [self.create(key) for key in sorted(self.actions.created, key=self._rank)]
        self._conditions = self._find_conditions()
        done: dict[Step, bool] = {}
        listed: list[Step] = []
        for step in sorted(dict.fromkeys(steps), key=self._sort):
            self._visit(step, done, listed)
        return listed

    def drop(self, key: Key) -> Step:
        """Return the step that drops an object: its own, or that of its owner or of the same part of a parent."""
        included = self.inheritance.find_step("drop", key)
        if included is not None:
            return self.drop(included[1]) if included[0] == "drop" and included[1] != key else included
        reference = self.inheritance.find_reference(key)
        above = self.drop(reference) if reference is not None else None
        return above if above is not None and above[1].kind == key.kind else self._drop_apart(key)

    def _drop_apart(self, key: Key) -> Step:
        owner = self.before.find_owner(key)
        if key.kind == OWNED and Key("sequence", key.name) not in self.actions.dropped:
            return "drop", key
        if owner is None or owner not in self.actions.dropped:
            return "drop", key
        # What is attached to an index can only be dropped with it.
        table = Key("table", key.parent) if key.kind == DEFAULT else owner
        if owner.kind in {"index", "constraint"} or not self._is_circular(key, table, self.before, self.actions.dropped):
            return self.drop(owner)
        return "drop", key

    def create(self, key: Key) -> Step:
        """Return the step that creates an object: its own, or that of the table, column or parent which includes it."""
        included = self.inheritance.find_step("create", key)
        if included is not None:
            return self.create(included[1]) if included[0] == "create" and included[1] != key else included
        table = self.folding.tables.get(key)
        if table is not None and not self._is_circular(key, table, self.after, self.actions.created):
            return "create", table
        owner = self.after.find_owner(key) if key.kind in _PARTS else None
        if owner is not None and owner in self.actions.created and owner.kind == _PARTS[key.kind]:
            return ("create", key) if self._is_separate(key, owner) else self.create(owner)
        return "create", key

    def _is_separate(self, key: Key, owner: Key) -> bool:
        """Return True for a part that the statement for its owner cannot include."""
        if key.kind == "column":
            return False
        whole = Key("table", key.parent) if key.kind == DEFAULT else owner
        circular = self._is_circular(key, whole, self.after, self.actions.created)
        return circular or is_unchecked(key, self.after.objects.get(key, ""))

    def alter(self, key: Key) -> Step:
        """Return the step that alters an object: its own, or that of the same part of a parent."""
        return self.inheritance.find_step("alter", key) or ("alter", key)

    def _visit(self, step: Step, done: dict[Step, bool], listed: list[Step]) -> None:
        if step in done:
            return
        done[step] = True
        for condition in sorted(self._conditions.get(step, ()), key=self._sort):
            self._visit(condition, done, listed)
        listed.append(step)

    def _find_conditions(self) -> dict[Step, set[Step]]:
        conditions: dict[Step, set[Step]] = {}
        for step, condition in self._list_conditions():
            if step != condition:
                conditions.setdefault(step, set()).add(condition)
        return conditions

    def _list_conditions(self) -> Iterator[tuple[Step, Step]]:
        actions = self.actions
        for key in [*actions.created, *actions.altered]:
            step = self.create(key) if key in actions.created else self.alter(key)
            for needed in self.after.needs.get(key, ()):
                yield from ((step, found) for found in self._find_making(needed))
        for key in [*actions.dropped, *actions.altered, *actions.carried]:
            step = self.drop(key) if key in actions.dropped else ("carry", key) if key in actions.carried else self.alter(key)
            for needing in self.before.needed_by.get(key, ()):
                if needing in actions.dropped:
                    yield step, self.drop(needing)
                elif needing in actions.carried and key in actions.dropped:
                    yield step, ("carry", needing)
                elif needing in actions.altered and key in actions.dropped:
                    yield step, self.alter(needing)
        yield from self._order_logging()
        yield from self.inheritance.list_conditions(self.drop, self.alter, self.create)
        taken: dict[str, list[Key]] = {}
        for key in actions.dropped:
            taken.setdefault(self._name(key), []).append(key)
        for key in actions.created:
            yield from ((self.create(key), self.drop(other)) for other in taken.get(self._name(key), ()))

    def _order_logging(self) -> Iterator[tuple[Step, Step]]:
        """Yield conditions for tables that become logged or unlogged: a logged one cannot refer to an unlogged one."""
        for key, definition in self.after.objects.items():
            target = find_referenced(definition) if key.kind == "constraint" else None
            pair = Key("table", key.parent), Key("table", target or "")
            if pair[0] == pair[1] or not all(table in self.actions.altered for table in pair):
                continue
            becomes_unlogged = self.after.objects[pair[0]].startswith("UNLOGGED")
            step, condition = pair[::-1] if becomes_unlogged else pair
            yield ("alter", step), ("alter", condition)

    def _find_making(self, key: Key) -> Iterator[Step]:
        if key in self.actions.created:
            yield self.create(key)
        elif key in self.actions.altered:
            yield self.alter(key)

    def _is_circular(self, key: Key, owner: Key, schema: Schema, among: Collection[Key]) -> bool:
        """Return True if a part of a table or domain needs something that needs that, so that neither can be first."""
        if key.kind not in _CIRCULAR:
            return False
        seen: set[Key] = set()
        waiting = [each for each in schema.needs.get(key, ()) if each.parent != owner.name and each != owner]
        while waiting:
            each = waiting.pop()
            if each == owner:
                return True
            if each in seen or each not in among:
                continue
            seen.add(each)
            waiting += schema.needs.get(each, ())
            if each.kind == "table":
                parts = (part for part in schema.needed_by.get(each, ()) if part.parent == each.name)
                waiting += [needed for part in parts if part.kind in {"constraint", DEFAULT} for needed in schema.needs[part]]
        return False

    def _name(self, key: Key) -> str:
        if key.kind in {"constraint", "column", "trigger", "policy", "rule", DEFAULT, *DOMAIN_PARTS, "grant", "comment", OWNED}:
            return str(key)
        if key.kind in {"schema", "extension", "publication", "event trigger"}:
            return str(key)
        return key.name

    def _sort(self, step: Step) -> tuple[int, int, tuple[int, str, str]]:
        verb, key = step
        rank, position, parent, name = self._rank(key)
        return _find_stage(step), -rank if verb == "drop" else rank, (position, parent, name)

    def _rank(self, key: Key) -> tuple[int, int, str, str]:
        return RANKS[key.kind], self.positions.get(key, 0), key.parent, key.name


def _find_stage(step: Step) -> int:
    verb, key = step
    if key.kind in _CONTAINERS and verb != "alter":
        return 0 if verb == "create" else 4
    return ("", "drop", "carry", "alter", "", "create").index(verb)
