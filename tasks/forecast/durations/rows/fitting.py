"""Choose other values for the columns of a table where the usual ones do not satisfy its constraints."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import psycopg
from psycopg import errors, sql

from tasks.forecast.durations.rows.blueprints import Condition, list_conditions
from tasks.forecast.durations.rows.composing import TableRecipe
from tasks.forecast.durations.rows.values import compose_value
from tasks.rehearsal.rows.literals import read_literals
from tasks.rehearsal.rows.shapes import ColumnToFill
from tasks.rehearsal.rows.values import suggest

_PROBED = 40
_MOST_CANDIDATES, _MOST_VALUES = 60, 20
_FEW = 0.3
"""The share of rows from which those that violate a constraint are only left out."""
_SUGGESTED = 8


def fit_values(connection: psycopg.Connection, recipe: TableRecipe) -> None:
    """Change a recipe in place so that its rows satisfy the table's constraints, as far as values for that are found."""
    for column in recipe.list_columns():
        if column.number not in recipe.referring:
            _fit_type(connection, recipe, column)
    for condition in list_conditions(recipe.table):
        _fit_condition(connection, recipe, condition)


def _fit_type(connection: psycopg.Connection, recipe: TableRecipe, column: ColumnToFill) -> None:
    """Find values that the type of a column accepts, a domain with its constraints included; else leave it NULL."""
    form = recipe.forms[column.number]
    made = compose_value(column, form, "i", recipe.shapes)
    if made is not None and _accepts(connection, made):
        return
    passing = []
    for candidate in _list_candidates(recipe, column, " ".join(text for _, text in column.checks)):
        if _accepts(connection, sql.SQL("{}::{}").format(sql.Literal(candidate), sql.SQL(form.type_name))):
            passing.append(candidate)
        if len(passing) == _MOST_VALUES:
            break
    if passing:
        recipe.forms[column.number] = replace(form, literals=tuple(passing), exclusive=True)
    else:
        recipe.empty.add(column.number)


def _fit_condition(connection: psycopg.Connection, recipe: TableRecipe, condition: Condition) -> None:
    """Find values that satisfy a check constraint; leave out rows that violate it if enough of them do not."""
    share = _measure_share(connection, recipe, condition)
    if share is None or share >= 1:
        return
    if share < _FEW:
        _search(connection, recipe, condition)
    recipe.filters.append(condition)


def _search(connection: psycopg.Connection, recipe: TableRecipe, condition: Condition) -> None:
    own = {column.number: column for column in recipe.list_columns() if column.number not in recipe.referring}
    columns = [own[number] for number in condition.columns if number in own]
    for column in columns:
        before = recipe.forms[column.number]
        passing = []
        for candidate in _list_candidates(recipe, column, condition.text):
            recipe.forms[column.number] = replace(before, literals=(candidate,), exclusive=True)
            share = _measure_share(connection, recipe, condition)
            if share is not None and share >= _FEW:
                passing.append(candidate)
            if len(passing) == _MOST_VALUES:
                break
        recipe.forms[column.number] = replace(before, literals=tuple(passing), exclusive=True) if passing else before
        if passing:
            return
    # A condition on NULL is not violated.
    recipe.empty.update(column.number for column in columns if not column.not_null)


def _list_candidates(recipe: TableRecipe, column: ColumnToFill, text: str) -> Iterator[str]:
    """Yield values for a column: those that a condition names, and those suggested for its type."""
    types = recipe.shapes.types
    usual = [value for n in range(1, _SUGGESTED) for value in suggest(column.type, column.modifier, n, types)]
    literals = read_literals(text)
    yield from list(dict.fromkeys((*literals, *usual)))[:_MOST_CANDIDATES]


def _measure_share(connection: psycopg.Connection, recipe: TableRecipe, condition: Condition) -> float | None:
    """Return the share of generated rows that satisfy a condition; None if that cannot be computed."""
    query = sql.SQL("SELECT avg(CASE WHEN ({}) IS NOT FALSE THEN 1.0 ELSE 0 END)::float8 FROM ({}) AS t").format(
        sql.SQL(condition.text), recipe.compose_rows(1, _PROBED)
    )
    try:
        with connection.transaction():
            row = connection.execute(query).fetchone()
    except errors.Error:
        return None
    return row[0] if row else None


def _accepts(connection: psycopg.Connection, value: sql.Composable) -> bool:
    query = sql.SQL("SELECT count({}) FROM generate_series(0::int8, {}::int8) AS g(i)").format(value, sql.Literal(_PROBED))
    try:
        with connection.transaction():
            connection.execute(query)
    except errors.Error:
        return False
    return True
