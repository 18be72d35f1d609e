"""What a query or the body of a function names: relations, columns and functions."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from tasks.lint.dynamic import read_dynamic
from tasks.lint.model import Node
from tasks.lint.schema import RoutineFacts, SchemaFacts
from tasks.lint.trees import qualify_range, read_names, walk

_OF_TYPE = re.compile(r"^(.+?)(?:\.(\"[^\"]+\"|\w+))?%(?:TYPE|ROWTYPE)$", re.IGNORECASE)
_ASSIGNED = re.compile(r"^\s*(.+?)\s*:?=\s*(.*)$", re.DOTALL)
_ROW_VARIABLES = frozenset({"new", "old"})
_DYNAMIC = {
    "PLpgSQL_stmt_dynexecute": ("query",),
    "PLpgSQL_stmt_dynfors": ("query",),
    "PLpgSQL_stmt_return_query": ("dynquery",),
    "PLpgSQL_stmt_open": ("dynquery",),
    "PLpgSQL_stmt_forc": ("dynquery",),
}
"""The statements of PL/pgSQL that run a text, and where it is in them."""
_STRUCTURAL = frozenset({"name", "colname", "subname", "newname"})


@dataclass(frozen=True, slots=True)
class Mentions:
    """The names in one query: relations by the names that it uses for them, columns with what precedes them, functions."""

    relations: tuple[tuple[str, str], ...] = ()
    """Alias, or name without a schema, and the qualified name."""
    columns: tuple[tuple[str, str], ...] = ()
    """What precedes a column ("" if nothing does), and its name."""
    functions: tuple[str, ...] = ()
    """Without their schemas."""

    def names_relation(self, relation: str) -> bool:
        """Return True if the query names a relation."""
        return any(name == relation for _, name in self.relations)

    def names_column(self, relation: str, column: str, schema: SchemaFacts, rows_of: tuple[str, ...] = ()) -> bool:
        """Return True if the query names a column of a relation; `rows_of` are the tables of NEW and OLD.

        A name without a table that another relation of the query has too is not taken for the column.
        """
        aliases = {alias for alias, name in self.relations if name == relation}
        others = [name for _, name in self.relations if name != relation]
        ambiguous = any(name in schema.tables and column in schema.tables[name].columns for name in others)
        for prefix, name in self.columns:
            if name != column:
                continue
            if prefix in aliases or (prefix.lower() in _ROW_VARIABLES and relation in rows_of):
                return True
            if not prefix and aliases and not ambiguous:
                return True
        return False


def read_mentions(tree: object, schema: SchemaFacts | None) -> Mentions:
    """Return the names in a parse tree; names of common table expressions are none of relations."""
    own = {value["ctename"] for key, value in walk(tree) if key == "CommonTableExpr"}
    relations: list[tuple[str, str]] = []
    columns: list[tuple[str, str]] = []
    functions: list[str] = []
    for key, value in walk(tree):
        if isinstance(value, dict) and "relname" in value and not (value["relname"] in own and "schemaname" not in value):
            alias = value.get("alias", {}).get("aliasname", value["relname"])
            relations.append((alias, qualify_range(value, schema)))
            # A name of a table still counts where an alias hides it: INSERT … AS, and lists of columns.
        columns += _read_columns(key, value)
        if key == "FuncCall":
            functions.append(read_names(value.get("funcname"))[-1])
    return Mentions(tuple(relations), tuple(columns), tuple(functions))


def _read_columns(key: str, value: object) -> Iterator[tuple[str, str]]:
    """Yield the columns that one key of a tree names."""
    if key == "ColumnRef" and isinstance(value, dict):
        names = read_names(value.get("fields"))
        if names:
            yield (names[-2] if len(names) > 1 else ""), names[-1]
    elif key == "ResTarget" and isinstance(value, dict) and value.get("name"):
        yield "", value["name"]
    elif key in _STRUCTURAL and isinstance(value, str):
        yield "", value
    elif key in ("fk_attrs", "pk_attrs", "keys", "including") and isinstance(value, list):
        for name in read_names(value):
            yield "", name


@lru_cache(maxsize=1024)
def list_queries(routine: RoutineFacts) -> tuple[str, ...]:
    """Return the queries in the body of a function, and the types of its variables as queries of their columns."""
    from pglast.parser import ParseError, parse_plpgsql_json

    if routine.language == "sql":
        return (routine.body,)
    try:
        tree = json.loads(parse_plpgsql_json(routine.definition))
    except (ParseError, ValueError, RecursionError):
        return ()
    return tuple(query for key, value in walk(tree) for query in _read_part(key, value))


def _read_part(key: str, value: object) -> Iterator[str]:
    for name in _DYNAMIC.get(key, ()):
        if isinstance(value, dict) and name in value:
            yield from read_dynamic(value[name]["PLpgSQL_expr"]["query"])
    if key == "PLpgSQL_expr" and isinstance(value, dict):
        yield _complete(value.get("query", ""), int(value.get("parseMode", 0)))
    elif key == "typname" and isinstance(value, str):
        match = _OF_TYPE.match(value.strip())
        if match is not None:
            yield f"SELECT {match[2] or '*'} FROM {match[1]}"


def _complete(query: str, mode: int) -> str:
    """Return a query for an expression or an assignment of PL/pgSQL.

    The modes: https://github.com/postgres/postgres/blob/REL_18_STABLE/src/include/parser/parser.h (RawParseMode)
    """
    if mode == 0:
        return query
    match = _ASSIGNED.match(query) if mode > 2 else None
    return f"SELECT {match[1]}, {match[2]}" if match else f"SELECT {query}"


def read_routine(routine: RoutineFacts, schema: SchemaFacts) -> Iterator[Mentions]:
    """Yield what each query of a function names; nothing for one that the parser does not know."""
    from pglast.parser import ParseError, parse_sql_json

    for query in list_queries(routine):
        try:
            tree: Node = json.loads(parse_sql_json(query))
        except (ParseError, RecursionError):
            continue
        yield read_mentions(tree.get("stmts", []), schema)
