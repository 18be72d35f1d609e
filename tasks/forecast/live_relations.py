"""The relations of a live database as a forecast needs them: what is used, what has rows, and which partitions a table has."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from tasks.runner.events.numbers import NumbersRead, RelationNumbers


@dataclass(frozen=True, slots=True)
class LiveRelations:
    """The relations of a live database by their names; none of them is known without numbers."""

    numbers: NumbersRead | None
    _named: dict[str, RelationNumbers] = field(default_factory=dict)
    _partitions: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def __post_init__(self) -> None:
        """Index the relations by name and by parent."""
        for each in self.numbers.relations if self.numbers else ():
            self._named[each.relation] = each
            if each.parent:
                self._partitions[each.parent].append(each.relation)

    @property
    def known(self) -> bool:
        """Return True if it is known which relations the database has."""
        return bool(self._named)

    def find(self, relation: str) -> RelationNumbers | None:
        """Return the numbers of a relation; None if it does not exist there, or is not known."""
        return self._named.get(relation)

    def is_used(self, relation: str) -> bool:
        """Return True if queries may want a relation: it has rows or traffic, or that is not known.

        A relation that an earlier pending file creates does not exist yet, and no query uses it.
        """
        found = self.find(relation)
        if found is None:
            return not self.known
        leaves = self.list_leaves([relation])
        return any(self._has_rows(each) or self._has_traffic(each) for each in (found, *leaves))

    def list_leaves(self, relations: Iterable[str]) -> tuple[RelationNumbers, ...]:
        """Return the relations that contain the rows of some tables: each once, partitions instead of a partitioned table."""
        found: dict[str, RelationNumbers] = {}
        waiting = list(relations)
        while waiting:
            name = waiting.pop()
            relation = self.find(name)
            if relation is not None and relation.kind in ("p", "I"):
                waiting += self._partitions.get(name, ())
            elif relation is not None:
                found[name] = relation
        return tuple(found.values())

    def _has_rows(self, relation: RelationNumbers) -> bool:
        if relation.kind not in ("r", "m", "p"):
            return relation.kind not in ("i", "I")
        return relation.rows > 0 or (relation.rows < 0 and relation.heap_bytes > 0)

    def _has_traffic(self, relation: RelationNumbers) -> bool:
        if relation.kind in ("p", "i", "I"):
            return False
        return relation.reads is None or relation.writes is None or relation.reads > 0 or relation.writes > 0
