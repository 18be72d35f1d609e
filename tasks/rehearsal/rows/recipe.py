"""Choose the values of one row.

Row 0 has a value in every column. Row 1 has the same values except in unique columns, so that a new UNIQUE constraint fails on
duplicates. Row 2 is NULL in every nullable column, so that a new NOT NULL constraint fails.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tasks.rehearsal.rows.shapes import ColumnToFill, Reference, Shapes, TableToFill
from tasks.rehearsal.rows.values import suggest

ROWS = 3
FIRST = 1
"""The number from which the values of the first row are generated."""
_NULLS = ROWS - 1

Row = dict[int, str | None]
"""Values by column number; a missing column gets its default from the server."""


class UnfillableError(Exception):
    """A table cannot get rows, with the reason."""


@dataclass(slots=True)
class Recipe:
    """The input from which the rows of a table are generated.

    `parents` are the key values that each foreign key may refer to, None if the key is left NULL; `forced` are values to which
    rows of other tables already refer.
    """

    shapes: Shapes
    table: TableToFill
    parents: Mapping[Reference, Sequence[tuple[str, ...]] | None] = field(default_factory=dict)
    forced: Mapping[int, Sequence[str]] = field(default_factory=dict)

    def list_varying(self, *, eager: bool = False) -> set[int]:
        """Return the columns whose values differ between rows: as few as unique keys need, or all of them with `eager`."""
        varying = {number for number, column in self.table.columns.items() if column.generated or column.counts}
        if eager:
            return varying.union(*self.table.uniques)
        referring = {own for reference in self.table.references for own, _ in reference.columns}
        for key in sorted(self.table.uniques, key=len):
            if key and varying.isdisjoint(key):
                varying.add(max(key, key=lambda number: (number not in referring, number)))
        return varying

    def make_row(self, index: int, *, shift: int = 0) -> Row:
        """Return a row; `shift` is added to its unique values. Raises UnfillableError."""
        varying, row = self.list_varying(eager=shift > 0), Row()
        number = FIRST + index + shift
        for own, values in self.forced.items():
            row[own] = values[index]
        for reference in sorted(self.parents, key=self.table.is_optional):
            self._refer(
                reference, row, number=index + shift if any(own in varying for own, _ in reference.columns) else 0, index=index
            )
        for own, column in self.table.columns.items():
            if own in row or column.generated:
                continue
            if index == _NULLS and not column.not_null:
                row[own] = None
            elif not column.default or (own in varying and not column.counts):
                row[own] = self._suggest(column, number if own in varying else FIRST)
        return row

    def suggest_for(self, column: ColumnToFill, index: int) -> list[str]:
        """Return suggested values for a column of a row."""
        number = FIRST + index if column.number in self.list_varying() else FIRST
        return suggest(column.type, column.modifier, number, self.shapes.types)

    def _suggest(self, column: ColumnToFill, number: int) -> str | None:
        suggested = suggest(column.type, column.modifier, number, self.shapes.types)
        if suggested:
            return suggested[0]
        if column.not_null:
            raise UnfillableError(f"no known value for column {column.name} of type {column.type.name}")
        return None

    def _refer(self, reference: Reference, row: Row, *, number: int, index: int) -> None:
        """Choose the row that a foreign key refers to, among those that match the values chosen so far."""
        parents, optional = self.parents[reference], self.table.is_optional(reference)
        if optional and (parents is None or not parents or index == _NULLS):
            row.update({own: None for own, _ in reference.columns if not self.table.columns[own].not_null and own not in row})
            return
        if reference.target == self.table.oid and not parents:
            self._refer_to_itself(reference, row, index)
            return
        fitting = [
            parent
            for parent in parents or ()
            if all(row.get(own, value) == value for (own, _), value in zip(reference.columns, parent, strict=True))
        ]
        if not fitting:
            target = self.shapes.tables.get(reference.target)
            raise UnfillableError(f"there is no row in {target.name if target else 'another table'} to refer to")
        chosen = fitting[number % len(fitting)]
        row.update({own: value for (own, _), value in zip(reference.columns, chosen, strict=True)})

    def _refer_to_itself(self, reference: Reference, row: Row, index: int) -> None:
        """Set a foreign key of the first row to the row itself."""
        for own, other in reference.columns:
            if other not in row:
                row[other] = self._suggest(self.table.columns[other], FIRST + index)
            row[own] = row[other]
