"""Files that open the ledger to other roles, because they grant privileges on all tables of its schema."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from tasks.postgres.quoting import fold_identifier
from tasks.postgres.tokens import BLANKS, tokenize
from tasks.runner.events import Finding
from tasks.runner.parsing.script import select

if TYPE_CHECKING:
    from tasks.runner.parsing.script import Statement

_GRANTS = frozenset({("all", "tables"), ("all", "sequences")})


def find_openings(version: str, statements: Sequence[Statement], ledger_schema: str) -> list[Finding]:
    """Return a finding for each statement that grants privileges on whatever the schema of the ledger contains."""
    return [
        Finding(
            "opens the ledger",
            version,
            f"line {statement.line} grants privileges on all tables of schema {ledger_schema}, including those of the ledger: "
            "a role that has them can change what this tool runs",
            hint="Name the tables instead, or revoke that on the ledger after the run: inv db.repair",
        )
        for statement in select(statements, {"GrantStmt"})
        if ledger_schema in _list_schemas(statement.text)
    ]


def _list_schemas(text: str) -> Iterator[str]:
    """Yield the schemas of a GRANT … ON ALL TABLES IN SCHEMA … TO …; nothing for another statement."""
    words = [token.text for token in tokenize(text, skip=BLANKS)]
    keywords = [word.lower() for word in words]
    if keywords[0] != "grant" or "schema" not in keywords or "to" not in keywords:
        return
    at = keywords.index("schema")
    if tuple(keywords[at - 3 : at - 1]) in _GRANTS:
        for word in words[at + 1 : keywords.index("to", at)]:
            yield fold_identifier(word)
