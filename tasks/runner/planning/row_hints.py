"""Hints for rows that violate a constraint: the query that shows them, ready to paste."""

from __future__ import annotations

import re

from tasks.postgres.quoting import show_identifier, show_literal
from tasks.runner.parsing.declarations import Declaration, find_check, find_created, find_reference, find_shortened, find_unique
from tasks.runner.planning.fault import ServerFault

_KEY = re.compile(r"\((?P<columns>.+?)\)=\((?P<values>.*)\)", re.DOTALL)
"""The key in the DETAIL of a duplicate or an orphan, the same in every language: Key (a, b)=(1, 2) already exists."""
_CHANGES_ROWS = frozenset({"InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt", "CopyStmt"})
_OWN_ROWS = "The rows come from this file or its new table: change the statements before line {line}."


def hint_duplicates(fault: ServerFault) -> str:
    """Return the query that shows the duplicates, or the row that exists already."""
    key = _KEY.search(fault.detail)
    declared = find_unique(fault.statement, fault.constraint) if fault.statement else None
    stored = fault.facts.constraint
    table = declared.table if declared else fault.full_table or (stored.table if stored else "")
    columns = (key["columns"],) if key else declared.columns if declared else stored.columns if stored else ()
    if not table or not columns:
        return ""
    listed = ", ".join(columns)
    if declared is None:
        return _hint_existing(fault, table, key)
    if _is_new(fault, table, declared.columns):
        return _OWN_ROWS.format(line=fault.line)
    distinct = "" if declared.nulls_equal else f"num_nulls({listed}) = 0"
    conditions = " AND ".join(part for part in (distinct, f"({declared.condition})" if declared.condition else "") if part)
    where = f" WHERE {conditions}" if conditions else ""
    groups = ", ".join(str(number) for number in range(1, len(declared.columns) + 1))
    query = f"SELECT {listed}, count(*) FROM {table}{where} GROUP BY {groups} HAVING count(*) > 1;"
    return f"Change or delete the duplicates first. They are:\n{query}"


def _hint_existing(fault: ServerFault, table: str, key: re.Match[str] | None) -> str:
    """Return the hint for a statement that writes a key which is there, or twice."""
    if fault.kind and fault.kind not in _CHANGES_ROWS:
        return ""
    constraint = show_identifier(fault.constraint) if fault.constraint else "a unique index"
    first = f"The statement writes a row whose key {constraint} of {table} has already, or writes it twice."
    query = _select_row(table, key["columns"], key["values"]) if key and not _is_new(fault, table, ()) else ""
    return f"{first} The existing row:\n{query}" if query else first


def hint_nulls(fault: ServerFault) -> str:
    """Return the query that shows the rows without a value, or what the statement lacks."""
    if not fault.column:
        return ""
    column, table = show_identifier(fault.column), fault.full_table
    if not table:
        return f"The domain {fault.datatype} accepts no NULL." if fault.datatype else ""
    if fault.kind in _CHANGES_ROWS or not fault.statement:
        return f"The statement writes no value for {column} of {table}, and the column has no default."
    if f"{fault.table}.{fault.column}" in find_created([fault.statement]):
        return (
            f"{table} has rows: add {column} with a DEFAULT, or in three steps: add it without NOT NULL, "
            f"fill it (UPDATE {table} SET {column} = …), then ALTER COLUMN {column} SET NOT NULL."
        )
    if _is_new(fault, table, (column,)):
        return f"Fill the column before line {fault.line}: UPDATE {table} SET {column} = … WHERE {column} IS NULL;"
    return f"Set a value in these rows first:\nSELECT * FROM {table} WHERE {column} IS NULL;"


def hint_violations(fault: ServerFault) -> str:
    """Return the query that shows the rows that violate a CHECK."""
    stored = fault.facts.constraint
    declared = find_check(fault.statement, fault.constraint) if fault.statement else None
    table = declared.table if declared else fault.full_table
    condition = declared.condition if declared else stored.condition if stored else ""
    constraint = show_identifier(fault.constraint)
    if not table:
        return f"The value violates the constraint {constraint} of the domain {fault.datatype}." if fault.datatype else ""
    if fault.kind in _CHANGES_ROWS or not fault.statement:
        return f"The statement writes a row that violates {constraint} of {table}{f': {condition}' if condition else ''}."
    if not condition:
        return ""
    if _is_new(fault, table, ()):
        return _OWN_ROWS.format(line=fault.line)
    return f"Change these rows first:\nSELECT * FROM {table} WHERE NOT ({condition});"


def hint_orphans(fault: ServerFault) -> str:
    """Return the query that shows the rows without a referenced row, or those that still refer to one."""
    stored = fault.facts.constraint
    declared = find_reference(fault.statement, fault.constraint) if fault.statement else None
    if declared is None and stored is not None:
        declared = Declaration(stored.table, stored.columns, "", stored.referenced, stored.referenced_columns)
    if declared is None:
        return ""
    key = _KEY.search(fault.detail)
    referenced = declared.referenced_columns or fault.facts.primary_key
    if fault.kind in _CHANGES_ROWS:
        is_removed = fault.kind == "DeleteStmt" or bool(key and key["columns"] == ", ".join(referenced))
        if is_removed and key and key["columns"] != ", ".join(declared.columns):
            query = _select_row(declared.table, ", ".join(declared.columns), key["values"])
            return f"Rows of {declared.table} refer to this one:\n{query}" if query else ""
        return f"Write the row of {declared.referenced} first, to which the statement refers."
    if _is_new(fault, declared.table, declared.columns) or not referenced:
        return _OWN_ROWS.format(line=fault.line) if referenced else ""
    matches = " AND ".join(f"r.{theirs} = t.{ours}" for ours, theirs in zip(declared.columns, referenced, strict=False))
    complete = " AND ".join(f"t.{column} IS NOT NULL" for column in declared.columns)
    query = (
        f"SELECT t.* FROM {declared.table} t WHERE {complete}\n"
        f"   AND NOT EXISTS (SELECT FROM {declared.referenced} r WHERE {matches});"
    )
    return f"Add the missing rows of {declared.referenced}, or change these first:\n{query}"


def hint_too_long(fault: ServerFault) -> str:
    """Return the query that shows the values that are too long for the new type of a column."""
    declared = find_shortened(fault.statement) if fault.statement else None
    if declared is None:
        return "A value is longer than its column allows."
    if _is_new(fault, declared.table, declared.columns):
        return _OWN_ROWS.format(line=fault.line)
    return f"Shorten these values first:\nSELECT {declared.columns[0]} FROM {declared.table} WHERE {declared.condition};"


def _is_new(fault: ServerFault, table: str, columns: tuple[str, ...]) -> bool:
    """Return True if the table or a column was created in the transaction, so that a query cannot see it after the rollback."""
    created = find_created([*fault.before, fault.statement])
    name = table.rpartition(".")[2].strip('"')
    return name in created or any(f"{name}.{column.strip(chr(34))}" in created for column in columns)


def _select_row(table: str, columns: str, values: str) -> str:
    """Return the query for the row with a key, as the server's DETAIL shows both; none where a value contains a separator."""
    names, shown = columns.split(", "), values.split(", ")
    if len(names) != len(shown) or "(" in columns:
        return ""
    literals = ("NULL" if value == "null" else show_literal(value) for value in shown)
    pairs = (f"{name} IS NULL" if value == "NULL" else f"{name} = {value}" for name, value in zip(names, literals, strict=True))
    return f"SELECT * FROM {table} WHERE {' AND '.join(pairs)};"
