"""How many rows an UPDATE or DELETE concerns."""

from __future__ import annotations

from collections.abc import Iterator

from tasks.lint.model import LintContext, LintedStatement
from tasks.lint.moot import is_new, is_small
from tasks.lint.trees import qualify_range, walk


def is_large(context: LintContext, statement: LintedStatement) -> bool:
    """Return True unless an UPDATE or DELETE concerns few rows.

    These are: those of a small or new table, those with certain values of a unique key, and those that an index finds on scratch.
    """
    relation = qualify_range(statement.node["relation"], context.schema)
    if is_new(context, relation, statement.number) or is_small(context, relation):
        return False
    table = context.schema.tables.get(relation) if context.schema else None
    fixed = _list_fixed(statement.node.get("whereClause", {}))
    keys = [set(each.columns) for each in (table.indexes if table else ()) if each.unique and not each.predicate]
    return not any(key <= fixed for key in keys if "" not in key) and _is_scanned(context, statement, relation) is not False


def _is_scanned(context: LintContext, statement: LintedStatement, relation: str) -> bool | None:
    """Return whether a statement read a table, or a part of it, to its end on scratch; None if that is not known."""
    observed = next((each for each in context.observed or () if each.number == statement.number), None)
    if observed is None or observed.source != "observed" or observed.not_known:
        return None
    return any(name == relation or relation in _list_ancestors(context, name) for name in observed.scans)


def _list_ancestors(context: LintContext, relation: str) -> Iterator[str]:
    table = context.schema.tables.get(relation) if context.schema else None
    for parent in table.parents if table else ():
        yield parent
        yield from _list_ancestors(context, parent)


def _list_fixed(where: object) -> set[str]:
    """Return the columns that a condition compares with constants: a = 1, a IN (1, 2), or several such with AND."""
    if not isinstance(where, dict):
        return set()
    if "BoolExpr" in where and where["BoolExpr"].get("boolop") == "AND_EXPR":
        return {name for each in where["BoolExpr"].get("args", ()) for name in _list_fixed(each)}
    found = where.get("A_Expr", {})
    operator = [each["String"]["sval"] for each in found.get("name", ())]
    if found.get("kind") not in ("AEXPR_OP", "AEXPR_IN") or operator != ["="] or _has_column(found.get("rexpr")):
        return set()
    fields = found.get("lexpr", {}).get("ColumnRef", {}).get("fields", ())
    return {fields[-1]["String"]["sval"]} if fields and "String" in fields[-1] else set()


def _has_column(node: object) -> bool:
    """Return True if an expression reads a column or a table."""
    return any(key in ("ColumnRef", "SubLink") for key, _ in walk(node))
