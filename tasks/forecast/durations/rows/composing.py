"""The INSERT that fills a table: its columns as expressions of the number of a row."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from psycopg import sql

from tasks.forecast.durations.rows.blueprints import Condition
from tasks.forecast.durations.rows.partitions import Leaf
from tasks.forecast.durations.rows.values import ColumnForm, compose_value, default_width
from tasks.rehearsal.rows.shapes import ColumnToFill, Reference, Shapes, TableToFill
from tasks.runner.events.numbers import ColumnNumbers

_GOLDEN = 0.6180339887
_ORDERED = 0.7
"""The correlation from which a column counts as in the order of the table."""
_PARTS = 1000
_CONTINUOUS = {
    **dict.fromkeys(("timestamptz", "timestamp"), "{low} + ({high} - {low}) * {part}"),
    "date": "{low} + (({high} - {low}) * {part})::int",
    **dict.fromkeys(("int2", "int4", "int8", "numeric"), "{low} + floor(({high} - {low}) * {part})::int8"),
}
"""The types of partition keys between whose bounds values are spread."""


@dataclass(slots=True)
class TableRecipe:
    """How the rows of a table are generated: `rows` of them, each column in a form, or as a key of a referenced table.

    `parents` are the numbers of rows that each foreign key may refer to; 0 leaves it NULL. `filters` are conditions that
    generated rows may violate; such rows are left out. `empty` are columns that stay NULL.
    """

    table: TableToFill
    shapes: Shapes
    rows: int
    forms: dict[int, ColumnForm]
    null_fracs: Mapping[int, float]
    parents: Mapping[Reference, int] = field(default_factory=dict)
    leaves: tuple[Leaf, ...] = ()
    filters: list[Condition] = field(default_factory=list)
    empty: set[int] = field(default_factory=set)

    @property
    def referring(self) -> set[int]:
        """Return the columns that foreign keys fill."""
        return {own for reference in self.parents for own, _ in reference.columns}

    def list_columns(self) -> list[ColumnToFill]:
        """Return the columns that an INSERT names: those that the server does not number or generate itself."""
        referring = self.referring
        return [
            column
            for number, column in self.table.columns.items()
            if not column.generated and (number in referring or not column.counts)
        ]

    def compose_rows(self, first: int, last: int) -> sql.Composed:
        """Return the query of the rows with these numbers."""
        values = [
            sql.SQL("{} AS {}").format(self._compose_column(column), sql.Identifier(column.name))
            for column in self.list_columns()
        ]
        query = sql.SQL("SELECT {} FROM ({}) AS s").format(sql.SQL(", ").join(values), self._compose_keys(first, last))
        for place, (reference, count) in enumerate(self.parents.items()):
            if count:
                query += self._compose_join(place, reference)
        return query

    def compose_insert(self, first: int, last: int) -> sql.Composed:
        """Return the INSERT of the rows with these numbers, without those that violate a constraint."""
        columns = self.list_columns()
        names = sql.SQL(", ").join(sql.Identifier(column.name) for column in columns)
        conditions = sql.SQL(" AND ").join(sql.SQL("({}) IS NOT FALSE").format(sql.SQL(each.text)) for each in self.filters)
        query = sql.SQL("INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE SELECT * FROM ({}) AS t{} ON CONFLICT DO NOTHING").format(
            sql.SQL(self.table.name),
            names,
            self.compose_rows(first, last),
            sql.SQL(" WHERE ") + conditions if self.filters else sql.SQL(""),
        )
        return (
            query
            if columns
            else sql.SQL("INSERT INTO {} SELECT FROM generate_series({}, {})").format(
                sql.SQL(self.table.name), sql.Literal(first), sql.Literal(last)
            )
        )

    def _compose_keys(self, first: int, last: int) -> sql.Composed:
        """Return the query of the numbers that the values of a row are made from."""
        keys = [sql.SQL("i")]
        for number, form in self.forms.items():
            keys.append(sql.SQL(f"{_compose_key(form, self.rows, number)} AS k{number}"))
        for place, (reference, count) in enumerate(self.parents.items()):
            if count:
                keys.append(sql.SQL(f"{self._compose_parent_key(place, reference, count)} AS r{place}"))
        return sql.SQL("SELECT {} FROM generate_series({}::int8, {}::int8) AS g(i)").format(
            sql.SQL(", ").join(keys), sql.Literal(first), sql.Literal(last)
        )

    def _compose_parent_key(self, place: int, reference: Reference, count: int) -> str:
        numbers = [own for own, _ in reference.columns]
        form = self.forms.get(numbers[0], ColumnForm(8, self.rows))
        if any(set(numbers) <= key <= self.referring for key in self.table.uniques):
            # Pairs of keys that differ: the second one advances when the first one has had all its values.
            before = math.prod(list(self.parents.values())[:place]) or 1
            key = f"(i - 1) / {before} % {count}"
        else:
            key = f"{_compose_key(replace(form, distinct=min(form.distinct, count)), self.rows, numbers[0])} % {count}"
        return self._with_nulls(numbers, key)

    def _with_nulls(self, numbers: Iterable[int], value: str) -> str:
        fraction = max((self.null_fracs.get(number, 0.0) for number in numbers), default=0.0)
        optional = any(not self.table.columns[number].not_null for number in numbers)
        if not optional or fraction <= 0:
            return value
        salt = 7919 + 2 * min(numbers)
        return f"CASE WHEN (i * {salt}) % {_PARTS} < {round(fraction * _PARTS)} THEN NULL ELSE {value} END"

    def _compose_join(self, place: int, reference: Reference) -> sql.Composed:
        target = self.shapes.tables[reference.target]
        columns = [sql.Identifier(target.columns[other].name) for _, other in reference.columns]
        names = sql.SQL(", ").join(
            sql.SQL("{} AS {}").format(column, sql.Identifier(f"c{own}"))
            for column, (own, _) in zip(columns, reference.columns, strict=True)
        )
        present = sql.SQL(" AND ").join(sql.SQL("{} IS NOT NULL").format(column) for column in columns)
        return sql.SQL(
            " LEFT JOIN (SELECT row_number() OVER () - 1 AS p, {} FROM {} WHERE {} LIMIT {}) AS {} ON {}.p = s.{}"
        ).format(
            names,
            sql.SQL(target.name),
            present,
            sql.Literal(self.parents[reference]),
            sql.Identifier(f"j{place}"),
            sql.Identifier(f"j{place}"),
            sql.Identifier(f"r{place}"),
        )

    def _compose_column(self, column: ColumnToFill) -> sql.Composable:
        number = column.number
        if number in self.empty:
            return self._compose_null(number)
        for place, (reference, count) in enumerate(self.parents.items()):
            targets = dict(reference.columns)
            if number in targets and reference.target == self.table.oid and column.not_null:
                return self._compose_column(self.table.columns[targets[number]])
            if number in targets:
                return sql.Identifier(f"j{place}", f"c{number}") if count else self._compose_null(number)
        bounds = [leaf.bounds[column.name] for leaf in self.leaves if column.name in leaf.bounds]
        if bounds and len(bounds) == len(self.leaves):
            return _compose_bounded(column, self.forms[number], bounds)
        value = compose_value(column, self.forms[number], f"k{number}", self.shapes)
        if value is None:
            return self._compose_null(number)
        fraction = 0.0 if column.not_null else self.null_fracs.get(number, 0.0)
        if fraction <= 0:
            return value
        return sql.SQL("CASE WHEN (i * {}) % {} < {} THEN NULL ELSE {} END").format(
            sql.Literal(7919 + 2 * number), sql.Literal(_PARTS), sql.Literal(round(fraction * _PARTS)), value
        )

    def _compose_null(self, number: int) -> sql.SQL:
        return sql.SQL("NULL::" + self.forms[number].type_name)


def build_form(column: ColumnToFill, numbers: ColumnNumbers | None, type_name: str, *, rows: int, unique: bool) -> ColumnForm:
    """Return the form of a column from its statistics; without them, all values differ, in no order."""
    if numbers is None:
        return ColumnForm(default_width(column.type), rows, ordered=unique, type_name=type_name)
    n_distinct = numbers.n_distinct
    distinct = rows if n_distinct == 0 else round(-n_distinct * rows) if n_distinct < 0 else round(n_distinct)
    distinct = rows if unique else max(1, min(distinct, rows))
    return ColumnForm(numbers.avg_width, distinct, (numbers.correlation or 0.0) >= _ORDERED, type_name)


def _compose_key(form: ColumnForm, rows: int, number: int) -> str:
    """Return the SQL of a number from 0 to `distinct` - 1 for the row `i`: ascending, or scattered over the table."""
    rows, distinct = max(rows, 1), max(form.distinct, 1)
    if form.ordered:
        return f"(i - 1) * {distinct} / {rows}"
    step = max(1, int(rows * ((_GOLDEN * (number + 1)) % 1)))
    while math.gcd(step, rows) != 1:
        step += 1
    if distinct >= rows:
        return f"(i * {step}) % {rows}"
    return f"(hashint8extended(i, {number}) & 1073741823) % {distinct}"


def _compose_bounded(column: ColumnToFill, form: ColumnForm, bounds: list[tuple[str, str | None]]) -> sql.Composed:
    """Return the expression of a partition key: row by row in the next partition, spread between its bounds if it has both."""
    place = sql.SQL("[1 + (i % {})::int]").format(sql.Literal(len(bounds)))

    def choose(texts: Iterable[str]) -> sql.Composed:
        listed = sql.SQL(", ").join(sql.Literal(text) for text in texts)
        return sql.SQL("((ARRAY[{}]){}::{})").format(listed, place, sql.SQL(form.type_name))

    low = choose(low for low, _ in bounds)
    spread = _CONTINUOUS.get(column.type.name)
    if spread is None:
        return low
    high = choose(high if high is not None else low for low, high in bounds)
    part = sql.SQL("((i * 7919) % 997 / 1000.0)")
    return sql.SQL("({})::{}").format(sql.SQL(spread).format(low=low, high=high, part=part), sql.SQL(form.type_name))
