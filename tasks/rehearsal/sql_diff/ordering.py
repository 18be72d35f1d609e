"""The order of the statements: an object is created after, and dropped before, what it depends on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tasks.catalog import Key
from tasks.rehearsal.sql_diff.dependencies import Schema
from tasks.rehearsal.sql_diff.planning import RANKS, Actions, Verb
from tasks.rehearsal.sql_diff.shapes import DEFAULT, OWNED

Step = tuple[Verb, Key]
_PARTS = {"column": "table", DEFAULT: "column"}


@dataclass
class Order:
    """The order of the actions on the objects of a schema."""

    actions: Actions
    before: Schema
    after: Schema
    positions: Mapping[Key, int]
    """The position of each column in its table."""

    def list_steps(self) -> list[Step]:
        """Return the steps in order, without those that another step includes."""
        steps = [self.drop(key) for key in sorted(self.actions.dropped, key=self._rank, reverse=True)]
        steps += [("alter", key) for key in sorted(self.actions.altered, key=self._rank)]
        steps += [self.create(key) for key in sorted(self.actions.created, key=self._rank)]
        self._conditions = self._find_conditions()
        done: dict[Step, bool] = {}
        listed: list[Step] = []
        for step in sorted(dict.fromkeys(steps), key=self._sort):
            self._visit(step, done, listed)
        return listed

    def drop(self, key: Key) -> Step:
        """Return the step that drops an object: its own, or that of its owner."""
        owner = self.before.find_owner(key)
        if key.kind == OWNED and Key("sequence", key.name) not in self.actions.dropped:
            return "drop", key
        if owner is not None and owner in self.actions.dropped and not self._is_mutual(key, owner):
            return self.drop(owner)
        return "drop", key

    def create(self, key: Key) -> Step:
        """Return the step that creates an object: its own, or that of the table or column which includes it."""
        owner = self.after.find_owner(key) if key.kind in _PARTS else None
        if owner is not None and owner in self.actions.created and owner.kind == _PARTS[key.kind]:
            return self.create(owner)
        return "create", key

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
            step = self.create(key) if key in actions.created else ("alter", key)
            for needed in self.after.needs.get(key, ()):
                yield from ((step, found) for found in self._find_making(needed))
        for key in [*actions.dropped, *actions.altered]:
            step = self.drop(key) if key in actions.dropped else ("alter", key)
            for needing in self.before.needed_by.get(key, ()):
                if needing in actions.dropped:
                    yield step, self.drop(needing)
                elif needing in actions.altered and key in actions.dropped:
                    yield step, ("alter", needing)
        taken: dict[str, list[Key]] = {}
        for key in actions.dropped:
            taken.setdefault(self._name(key), []).append(key)
        for key in actions.created:
            yield from ((self.create(key), self.drop(other)) for other in taken.get(self._name(key), ()))

    def _find_making(self, key: Key) -> Iterator[Step]:
        if key in self.actions.created:
            yield self.create(key)
        elif key in self.actions.altered:
            yield "alter", key

    def _is_mutual(self, key: Key, owner: Key) -> bool:
        """Return True if a foreign key is part of a cycle of tables, so that none of them can be dropped first."""
        if key.kind != "constraint" or not self.before.objects[key].startswith("FOREIGN KEY"):
            return False
        seen, waiting = {owner}, [each for each in self.before.needs[key] if each.kind == "table" and each != owner]
        while waiting:
            table = waiting.pop()
            if table in seen:
                continue
            seen.add(table)
            found = {
                needed
                for other in self.before.needed_by[table]
                if other.kind == "constraint" and other.parent == table.name and other in self.actions.dropped
                for needed in self.before.needs[other]
                if needed.kind == "table"
            } - {table}
            if owner in found:
                return True
            waiting += found
        return False

    def _name(self, key: Key) -> str:
        if key.kind in {"constraint", "column", "trigger", "policy", "rule", DEFAULT, "grant", "comment", OWNED}:
            return str(key)
        if key.kind in {"schema", "extension", "publication", "event trigger"}:
            return str(key)
        return key.name

    def _sort(self, step: Step) -> tuple[int, int, tuple[int, str, str]]:
        verb, key = step
        rank, position, parent, name = self._rank(key)
        return ("drop", "alter", "create").index(verb), -rank if verb == "drop" else rank, (position, parent, name)

    def _rank(self, key: Key) -> tuple[int, int, str, str]:
        return RANKS[key.kind], self.positions.get(key, 0), key.parent, key.name
