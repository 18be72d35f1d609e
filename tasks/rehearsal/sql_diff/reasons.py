"""Why a change is left to be done by hand."""

from __future__ import annotations

from collections.abc import Sequence

from tasks.catalog import LOCAL_COLUMN, LOCAL_CONSTRAINT, Change
from tasks.rehearsal.sql_diff.shapes import parse_table
from tasks.runner.errors import RefusedError

_LOCAL = "no statement makes a table only inherit what it has itself"
_DEPENDENT = "it depends on something else in this list"
_REASONS = {
    **dict.fromkeys((LOCAL_COLUMN, LOCAL_CONSTRAINT), _LOCAL),
    **dict.fromkeys(("constraint", "trigger", "rule", "policy", "row security", "replica identity", "clustering"), _DEPENDENT),
    **dict.fromkeys(("statistics", "column settings", "column order", "comment", "view", "materialized view"), _DEPENDENT),
    "user mapping": "its options may contain a password, which is not read",
    "foreign-data wrapper": "an option of it may be a secret, which is not read",
    "grant": _DEPENDENT,
    "server": "an option of it may be a secret, which is not read",
    "foreign table": "an option of it may be a secret, which is not read, or it has a parent",
    "sequence": "it belongs to an object that is not written",
}
_NOT_READ = "its definition is not in the catalog, or needs a function in C"
_IN_USE = "columns use it whose type cannot be changed: of a composite type, a partition key, a typed table or a foreign table"


def refuse_by_hand(changes: Sequence[Change], *, hint: str, state: str) -> None:
    """Raise RefusedError for changes that no statement makes exactly."""
    if changes:
        raise RefusedError(
            "the migration cannot be written, because no statement makes these changes exactly:\n"
            + "\n".join(f"  {change.word} {change.key}: {explain(change)}" for change in changes),
            hint=hint,
            state=state,
        )


def explain(change: Change) -> str:
    """Return why no statement is written for a change, as the end of a sentence."""
    kind, before, after = change.key.kind, change.before, change.after
    if kind == "table":
        return _explain_table(before, after)
    if kind in {"type", "domain", "collation"} and before is not None and after is not None:
        return _IN_USE
    if kind == "collation":
        return "the locale of an ICU collation is not read, because the versions of the server write it differently"
    if kind == "index" and "-- INVALID" in f"{before}{after}":
        return "the index is not valid; build it again, or drop it"
    if kind == "index":
        return _DEPENDENT
    if kind == "column":
        return "it belongs to a table that is not written"
    return _REASONS.get(kind, _NOT_READ)


def _explain_table(before: str | None, after: str | None) -> str:
    tables = [parse_table(text) for text in (before, after) if text is not None]
    if any(table is None for table in tables):
        return "its definition cannot be read"
    old, new = tables[0], tables[-1]
    assert old is not None
    assert new is not None
    if before == after:
        return "a typed table needs its columns in the order of its type, and no statement changes the order of columns"
    if old.fixed == new.fixed:
        return "its parent cannot be changed"
    if old.partitioned != new.partitioned:
        return "a table cannot become partitioned, or plain, or get another partition key; create another one and copy the rows"
    return "the access method of a table is not changed, because that rewrites it"
