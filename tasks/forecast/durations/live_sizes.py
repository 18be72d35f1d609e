"""The sizes of the relations of a live database, by their names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from tasks.runner.events.numbers import NumbersRead, RelationNumbers

_TABLES = frozenset("rpm")
_ROW_BYTES = 100
"""The width of a row that is assumed where a table was never analysed: its line pointer, header and some columns."""


@dataclass(frozen=True, slots=True)
class LiveSize:
    """The size of a table, with its indexes; `rows` is estimated from its size if `guessed`."""

    rows: float = 0
    heap_bytes: int = 0
    index_bytes: int = 0
    guessed: bool = False

    @property
    def total_bytes(self) -> int:
        """Return the size of the table with its indexes."""
        return self.heap_bytes + self.index_bytes


@dataclass(frozen=True, slots=True)
class LiveSizes:
    """The tables, partitions and materialized views of a live database, and the tables of its indexes, by their names."""

    relations: Mapping[str, RelationNumbers] = field(default_factory=dict)

    def find_table(self, relation: str) -> str:
        """Return the table of a relation that exists there: itself, or that of an index; "" for anything else."""
        found = self.relations.get(relation)
        if found is None:
            return ""
        table = found.table or relation
        known = self.relations.get(table)
        return table if known is not None and known.kind in _TABLES else ""

    def find_tables(self, relations: Iterable[str]) -> tuple[str, ...]:
        """Return the tables of some relations, each once."""
        return tuple(dict.fromkeys(table for relation in relations if (table := self.find_table(relation))))

    def measure(self, table: str) -> LiveSize:
        """Return the size of a table; a partitioned one has none of its own."""
        found = self.relations.get(table)
        if found is None or found.kind == "p":
            return LiveSize()
        known = found.rows > 0 or (found.rows == 0 and not found.heap_bytes)
        rows = found.rows if known else found.heap_bytes / _ROW_BYTES
        return LiveSize(rows, found.heap_bytes, found.index_bytes, guessed=not known)

    def measure_index(self, relation: str) -> int:
        """Return the size of an index in bytes; 0 for anything else."""
        found = self.relations.get(relation)
        return (found.heap_bytes or found.index_bytes) if found is not None and found.table else 0


def read_sizes(numbers: NumbersRead | None) -> LiveSizes:
    """Return the sizes that were read, or none."""
    return LiveSizes({each.relation: each for each in numbers.relations} if numbers else {})
