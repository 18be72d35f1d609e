"""Replacing what this tool created in a ledger, where it calls code outside pg_catalog.

Older versions of this tool did not qualify the operators in ledger.sql: a constraint or an index that was created while another
role had an operator of the same name on search_path calls that operator whenever a row is written.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from tasks.postgres.quoting import quote_identifier, quote_qualified

if TYPE_CHECKING:
    from tasks.runner.ledger.ownership import TableFault

_LOG = "schema_migrations_log"
_DEFINITIONS = {
    (_LOG, "constraint", f"{_LOG}_action_check"): "CHECK (action OPERATOR(pg_catalog.~) '^[a-z]+$')",
    (_LOG, "constraint", f"{_LOG}_outcome_check"): "CHECK (outcome OPERATOR(pg_catalog.~) '^[a-z]+$')",
    (_LOG, "constraint", f"{_LOG}_segments_done_check"): "CHECK (segments_done OPERATOR(pg_catalog.>=) 0)",
    (_LOG, "constraint", f"{_LOG}_check"): "CHECK (segments_done OPERATOR(pg_catalog.<=) segments_total)",
    (_LOG, "constraint", f"{_LOG}_check1"): "CHECK (outcome OPERATOR(pg_catalog.<>) 'failed' OR error IS NOT NULL)",
    (_LOG, "index", f"{_LOG}_version"): "(version, id)",
    (_LOG, "index", f"{_LOG}_open"): "(id) WHERE version IS NOT NULL AND outcome OPERATOR(pg_catalog.<>) 'finished'",
    (_LOG, "default", "segments_done"): "0",
    (_LOG, "default", "segments_total"): "0",
    (_LOG, "default", "at"): "pg_catalog.clock_timestamp()",
    ("schema_migrations", "default", "applied_at"): "CURRENT_TIMESTAMP",
    ("schema_migrations_seeds", "default", "applied_at"): "CURRENT_TIMESTAMP",
}
"""By table, kind and name: the definitions in ledger.sql."""


def list_replaceable() -> tuple[tuple[str, str, str], ...]:
    """Return table, kind and name of everything that can be replaced."""
    return tuple(_DEFINITIONS)


def is_replaceable(fault: TableFault) -> bool:
    """Return True if this tool created what calls foreign code, so that it can be defined again."""
    return (fault.table, fault.kind, fault.name) in _DEFINITIONS


def compose_replacing(schema: str, objects: Iterable[tuple[str, str, str]]) -> str:
    """Return the SQL that drops these objects, all of them first, and creates them again; it plans no query of the tables.

    The log gets the column that the row about this has, which the log of an older version lacks.
    """
    known = list(dict.fromkeys(objects))
    column = f"ALTER TABLE IF EXISTS {quote_qualified(schema, _LOG)} ADD COLUMN IF NOT EXISTS locks pg_catalog.text;"
    return "\n".join([column, *(_drop(schema, *each) for each in known), *(_create(schema, *each) for each in known)])


def list_objects(faults: Sequence[TableFault]) -> list[tuple[str, str, str]]:
    """Return table, kind and name of what calls foreign code."""
    return [(fault.table, fault.kind, fault.name) for fault in faults]


def _drop(schema: str, table: str, kind: str, name: str) -> str:
    if kind == "index":
        return f"DROP INDEX {quote_qualified(schema, name)};"
    what = f"ALTER COLUMN {quote_identifier(name)} DROP DEFAULT" if kind == "default" else f"DROP CONSTRAINT {name}"
    return f"ALTER TABLE {quote_qualified(schema, table)} {what};"


def _create(schema: str, table: str, kind: str, name: str) -> str:
    definition = _DEFINITIONS[table, kind, name]
    qualified = quote_qualified(schema, table)
    if kind == "index":
        return f"CREATE INDEX {name} ON {qualified} {definition};"
    if kind == "default":
        return f"ALTER TABLE {qualified} ALTER COLUMN {quote_identifier(name)} SET DEFAULT {definition};"
    return f"ALTER TABLE {qualified} ADD CONSTRAINT {name} {definition};"
