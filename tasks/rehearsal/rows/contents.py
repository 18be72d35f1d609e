"""The contents of tables as values, and the comparison of two."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import psycopg
from psycopg import sql

from tasks.rehearsal.rows.reading import read_shapes
from tasks.rehearsal.scratch.policies import without_policies


@dataclass(frozen=True, slots=True)
class Contents:
    """The number of rows of a table, and for each column the digests of its values, counted."""

    rows: int
    columns: Mapping[str, Counter[str | None]]


def read_rows(connection: psycopg.Connection) -> dict[str, Contents]:
    """Return the contents of all tables by their quoted names."""
    with without_policies(connection):
        return {
            table.name: _read_table(connection, table.name, [column.name for column in table.columns.values()])
            for table in read_shapes(connection).tables.values()
        }


class LostRows(NamedTuple):
    """Rows or values that a table had before: `text` names the table and how many."""

    table: str
    text: str


def compare_rows(before: Mapping[str, Contents], after: Mapping[str, Contents]) -> Iterator[LostRows]:
    """Yield each table and column that lost rows or values; new ones are ignored."""
    for name, old in before.items():
        if not old.rows:
            continue
        new = after.get(name)
        if new is None:
            yield LostRows(name, f"- table {name}: all {_count(old.rows)}")
            continue
        if new.rows < old.rows:
            yield LostRows(name, f"- table {name}: {old.rows - new.rows} of {_count(old.rows)}")
        for column, values in old.columns.items():
            lost = (values - new.columns.get(column, Counter())).total()
            if lost > max(old.rows - new.rows, 0):
                yield LostRows(name, f"- column {column} of {name}: {lost} of {old.rows} values")


def _read_table(connection: psycopg.Connection, name: str, columns: list[str]) -> Contents:
    digests = sql.SQL(", ").join(sql.SQL("md5(({})::text)").format(sql.Identifier(column)) for column in columns)
    rows = connection.execute(sql.SQL("SELECT {} FROM ").format(digests) + sql.SQL(name)).fetchall()
    return Contents(len(rows), {column: Counter(row[index] for row in rows) for index, column in enumerate(columns)})


def _count(rows: int) -> str:
    return f"{rows} row" if rows == 1 else f"{rows} rows"
