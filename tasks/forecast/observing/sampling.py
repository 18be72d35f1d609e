"""Statements that change no row on scratch, rewritten to change a few: their conditions match rows of a live table.

Only a changed row shows what the checks of foreign keys, cascades and triggers lock and scan.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tasks.postgres.quoting import quote_identifier, quote_qualified, show_literal
from tasks.runner.parsing import Statement

_ROWS = 5
_DO_NOTHING = "INSERT INTO t DEFAULT VALUES ON CONFLICT DO NOTHING"
BEGIN_SAMPLE = "SAVEPOINT sampled; SET LOCAL statement_timeout = '5s'"
END_SAMPLE = "ROLLBACK TO SAVEPOINT sampled; RELEASE SAVEPOINT sampled"


@dataclass(frozen=True, slots=True)
class FewRows:
    """A statement on a few rows: its target, a query for the rows that it changes ("" if it adds some), and its parse tree."""

    target: str
    rows: str
    tree: Any

    def compose(self, rows: str | None) -> str:
        """Return the text of the statement for the rows that the query returned."""
        if self.rows:
            alias = self.tree.relation.alias
            name = quote_identifier(alias.aliasname if alias else self.tree.relation.relname)
            condition = f"{name}.ctid OPERATOR(pg_catalog.=) ANY ({show_literal(rows or '{}')}::pg_catalog.tid[])"
            self.tree.whereClause = _parse(f"SELECT WHERE {condition}").whereClause
        return _write(self.tree)


def find_sample(statement: Statement) -> FewRows | None:
    """Return what changes a few rows instead of those that meet a condition; None if there is none, or it is too complex."""
    if statement.kind not in ("UpdateStmt", "DeleteStmt", "InsertStmt"):
        return None
    tree = _parse(statement.text)
    if tree.withClause:
        return None
    target = quote_qualified(tree.relation.schemaname or "", tree.relation.relname)
    if statement.kind == "InsertStmt":
        # A generated row may have the same key.
        tree.onConflictClause = tree.onConflictClause or _parse(_DO_NOTHING).onConflictClause
        return FewRows(target, "", tree) if _shorten(tree.selectStmt) else None
    others = tree.fromClause if statement.kind == "UpdateStmt" else tree.usingClause
    if not tree.whereClause or len(others or ()) > 1 or type(tree.whereClause).__name__ == "CurrentOfExpr":
        return None
    # No row of another table refers to the last ones.
    from_ = target if tree.relation.inh else f"ONLY {target}"
    last = f"SELECT ctid AS c FROM {from_} ORDER BY ctid DESC LIMIT {_ROWS}"
    return FewRows(target, f"SELECT pg_catalog.array_agg(c)::pg_catalog.text FROM ({last}) s", tree)


def _shorten(query: Any) -> bool:
    """Replace the condition of a query by a limit of a few rows; return False if it has no condition or is too complex."""
    if query is None or query.withClause or query.larg or query.valuesLists or not query.whereClause:
        return False
    limited = _parse(f"SELECT LIMIT {_ROWS}")
    query.whereClause = None
    query.limitCount, query.limitOption = limited.limitCount, limited.limitOption
    return True


def _parse(text: str) -> Any:
    from pglast import parse_sql

    return parse_sql(text)[0].stmt


def _write(tree: Any) -> str:
    from pglast.stream import RawStream

    return str(RawStream()(tree))
