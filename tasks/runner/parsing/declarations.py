"""What a statement declares that rows can violate, and what statements create: for the hint after an error."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from tasks.postgres.quoting import quote_identifier, quote_qualified


@dataclass(frozen=True, slots=True)
class Declaration:
    """A constraint, a unique index or the type of a column; names and expressions are SQL."""

    table: str
    columns: tuple[str, ...] = ()
    condition: str = ""
    """The expression of a CHECK, or the WHERE of a partial index."""
    referenced: str = ""
    referenced_columns: tuple[str, ...] = ()
    nulls_equal: bool = False
    """Whether two NULLs are duplicates: NULLS NOT DISTINCT."""


def find_unique(text: str, name: str) -> Declaration | None:
    """Return the unique index or constraint of a name that a statement creates."""
    node = _parse(text)
    if type(node).__name__ == "IndexStmt" and node.unique:
        columns = tuple(quote_identifier(part.name) if part.name else _write(part.expr) for part in node.indexParams)
        condition = _write(node.whereClause) if node.whereClause else ""
        return Declaration(_write_table(node.relation), columns, condition, nulls_equal=bool(node.nulls_not_distinct))
    found = _find_constraint(node, name, "CONSTR_UNIQUE", "CONSTR_PRIMARY")
    if found is None or not found.keys:
        return None
    return Declaration(_write_table(node.relation), _read_names(found.keys), nulls_equal=bool(found.nulls_not_distinct))


def find_check(text: str, name: str) -> Declaration | None:
    """Return the CHECK constraint of a name that a statement adds."""
    node = _parse(text)
    found = _find_constraint(node, name, "CONSTR_CHECK")
    return Declaration(_write_table(node.relation), condition=_write(found.raw_expr)) if found is not None else None


def find_reference(text: str, name: str) -> Declaration | None:
    """Return the foreign key of a name that a statement adds; its referenced columns are empty if it does not name them."""
    node = _parse(text)
    found = _find_constraint(node, name, "CONSTR_FOREIGN")
    if found is None or not found.fk_attrs:
        return None
    return Declaration(
        _write_table(node.relation),
        _read_names(found.fk_attrs),
        referenced=_write_table(found.pktable),
        referenced_columns=_read_names(found.pk_attrs or ()),
    )


def find_shortened(text: str) -> Declaration | None:
    """Return the column that an ALTER TABLE changes to a type of limited length; `condition` is what its values violate."""
    node = _parse(text)
    for command in _list_commands(node):
        lengths = getattr(command.def_.typeName, "typmods", None) if command.subtype.name == "AT_AlterColumnType" else None
        if lengths and len(lengths) == 1 and hasattr(lengths[0].val, "ival"):
            column = quote_identifier(command.name)
            return Declaration(_write_table(node.relation), (column,), f"length({column}::text) > {lengths[0].val.ival}")
    return None


def find_names(text: str) -> tuple[str, ...]:
    """Return the names of the tables that a statement mentions, as SQL; none for a text that the parser does not know."""
    return tuple(dict.fromkeys(_walk_tables(_parse(text))))


def find_extension(text: str) -> str:
    """Return the extension that a statement creates, or an empty text."""
    node = _parse(text)
    return str(node.extname) if type(node).__name__ == "CreateExtensionStmt" else ""


def find_created(texts: Iterable[str]) -> frozenset[str]:
    """Return the tables, as `name`, and the columns, as `table.column`, that statements create or rename, without schemas."""
    return frozenset(name for text in texts for name in _list_created(_parse(text)))


def _list_created(node: Any) -> Iterator[str]:
    kind = type(node).__name__
    if kind == "CreateStmt":
        yield node.relation.relname
    elif kind == "CreateTableAsStmt":
        yield node.into.rel.relname
    elif kind == "RenameStmt" and node.relation is not None:
        yield f"{node.relation.relname}.{node.newname}" if node.subname else node.newname
    for command in _list_commands(node):
        if command.subtype.name == "AT_AddColumn":
            yield f"{node.relation.relname}.{command.def_.colname}"


def _find_constraint(node: Any, name: str, *kinds: str) -> Any:
    """Return the constraint of a name that an ALTER TABLE adds, or its only one of these kinds if that has no name."""
    added = [
        command.def_
        for command in _list_commands(node)
        if command.subtype.name == "AT_AddConstraint" and command.def_.contype.name in kinds
    ]
    named = [constraint for constraint in added if constraint.conname == name]
    unnamed = [constraint for constraint in added if not constraint.conname]
    return named[0] if named else unnamed[0] if len(unnamed) == 1 else None


def _list_commands(node: Any) -> list[Any]:
    return list(node.cmds or ()) if type(node).__name__ == "AlterTableStmt" else []


def _walk_tables(node: Any) -> Iterator[str]:
    if type(node).__name__ == "RangeVar":
        yield _write_table(node)
    elif isinstance(node, tuple):
        for part in node:
            yield from _walk_tables(part)
    elif hasattr(node, "__slots__") and type(node).__module__.startswith("pglast"):
        for slot in node.__slots__:
            yield from _walk_tables(getattr(node, slot, None))


def _parse(text: str) -> Any:
    """Return the tree of a statement, None for one that the parser does not know."""
    from pglast import parse_sql
    from pglast.parser import ParseError

    try:
        statements = parse_sql(text)
    except (ParseError, RecursionError):
        return None
    return statements[0].stmt if statements else None


def _write(node: Any) -> str:
    from pglast.stream import RawStream

    return str(RawStream()(node))


def _write_table(table: Any) -> str:
    return quote_qualified(table.schemaname or "", table.relname)


def _read_names(nodes: Iterable[Any]) -> tuple[str, ...]:
    return tuple(quote_identifier(node.sval) for node in nodes)
