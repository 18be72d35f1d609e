"""Choosing the values of one row. Pure but for the rows of referenced tables, which are given.

Row 0 has a value in every column; row 1 the same values as far as unique columns allow, so that a new UNIQUE meets duplicates;
row 2 is NULL wherever it may be, so that a new NOT NULL meets NULLs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tasks.rehearsal.rows.shapes import ColumnToFill, Reference, Shapes, TableToFill
from tasks.rehearsal.rows.values import suggest

ROWS = 3
FIRST = 1
"""The number that the values of the first row are made of."""
_NULLS = ROWS - 1

Row = dict[int, str | None]
"""Values by column number; a column that is not in it is left to the server."""


class UnfillableError(Exception):
    """Say why a table gets no rows."""


@dataclass(slots=True)
class Recipe:
    """Hold what the rows of a table are made of.

    `parents` are the key values of the rows that a foreign key may refer to, None where it is to be left out; `forced` are values
    that rows of other tables refer to already.
    """

    shapes: Shapes
    table: TableToFill
    parents: Mapping[Reference, Sequence[tuple[str, ...]] | None] = field(default_factory=dict)
    forced: Mapping[int, Sequence[str]] = field(default_factory=dict)

    def list_varying(self, *, eager: bool = False) -> set[int]:
        """List the columns whose values differ from row to row, as few as the unique keys need; with `eager`, all in them."""
        varying = {number for number, column in self.table.columns.items() if column.generated or column.counts}
        if eager:
            return varying.union(*self.table.uniques)
        referring = {own for reference in self.table.references for own, _ in reference.columns}
        for key in sorted(self.table.uniques, key=len):
            if key and varying.isdisjoint(key):
                varying.add(max(key, key=lambda number: (number not in referring, number)))
        return varying

    def make_row(self, index: int, *, shift: int = 0) -> Row:
        """Make a row; `shift` moves its unique values on, and all of them. Raises UnfillableError."""
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
        """Suggest values for a column of a row."""
        number = FIRST + index if column.number in self.list_varying() else FIRST
        return suggest(column.type, column.modifier, number, self.shapes.types)

    def _suggest(self, column: ColumnToFill, number: int) -> str | None:
        suggested = suggest(column.type, column.modifier, number, self.shapes.types)
        if suggested:
            return suggested[0]
        if column.not_null:
            raise UnfillableError(f"no value is known for column {column.name} of type {column.type.name}")
        return None

    def _refer(self, reference: Reference, row: Row, *, number: int, index: int) -> None:
        """Choose the row that a foreign key refers to, among those that fit what is chosen already."""
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
            raise UnfillableError(f"no row of {target.name if target else 'another table'} is there to refer to")
        chosen = fitting[number % len(fitting)]
        row.update({own: value for (own, _), value in zip(reference.columns, chosen, strict=True)})

    def _refer_to_itself(self, reference: Reference, row: Row, index: int) -> None:
        """Let the first row of a table refer to itself."""
        for own, other in reference.columns:
            if other not in row:
                row[other] = self._suggest(self.table.columns[other], FIRST + index)
            row[own] = row[other]
