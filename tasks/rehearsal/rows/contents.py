"""What tables hold, as a value, and what of it is no longer there later."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import psycopg
from psycopg import sql

from tasks.rehearsal.rows.reading import read_shapes


@dataclass(frozen=True, slots=True)
class Contents:
    """Hold how many rows a table has, and for each column a digest of every value with its number."""

    rows: int
    columns: Mapping[str, Counter[str | None]]


def read_rows(connection: psycopg.Connection) -> dict[str, Contents]:
    """Read what all tables hold, by their quoted names."""
    return {
        table.name: _read_table(connection, table.name, [column.name for column in table.columns.values()])
        for table in read_shapes(connection).tables.values()
    }


def compare_rows(before: Mapping[str, Contents], after: Mapping[str, Contents]) -> Iterator[str]:
    """Say for each table which of its rows, columns and values are gone; what came is not told."""
    for name, held in before.items():
        if not held.rows:
            continue
        left = after.get(name)
        if left is None:
            yield f"- table {name}: all {_count(held.rows)}"
            continue
        if left.rows < held.rows:
            yield f"- table {name}: {held.rows - left.rows} of {_count(held.rows)}"
        for column, values in held.columns.items():
            lost = (values - left.columns.get(column, Counter())).total()
            if lost > max(held.rows - left.rows, 0):
                yield f"- column {column} of {name}: {lost} of {held.rows} values"


def _read_table(connection: psycopg.Connection, name: str, columns: list[str]) -> Contents:
    digests = sql.SQL(", ").join(sql.SQL("md5(({})::text)").format(sql.Identifier(column)) for column in columns)
    rows = connection.execute(sql.SQL("SELECT {} FROM ").format(digests) + sql.SQL(name)).fetchall()
    return Contents(len(rows), {column: Counter(row[index] for row in rows) for index, column in enumerate(columns)})


def _count(rows: int) -> str:
    return f"{rows} row" if rows == 1 else f"{rows} rows"
