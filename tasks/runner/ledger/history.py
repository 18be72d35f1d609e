"""The order in which the versions of a ledger count as applied: that of the log, never of a clock."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from itertools import accumulate
from typing import Any, NamedTuple

from psycopg import sql

FOUND = "found in the ledger: this tool did not apply it"
"""The note of the log row that a run writes for a version which the log did not know."""

_PLACES = """l.outcome = 'finished' AND (l.action IN ('migrate', 'rollback', 'adopt', 'rename')
           OR l.action = 'repair' AND to_jsonb(l) ->> 'note' = 'drop row')"""
"""The rows of the log that put a version into the ledger or remove it. The column note is missing in format 1."""
_NEWEST = f"""
SELECT r.version, r.checksum, p.id, coalesce(p.action, '')
  FROM {{ledger}} r
  LEFT JOIN (SELECT DISTINCT ON (version) version, id, action FROM {{log}} l
              WHERE version IS NOT NULL AND {_PLACES} ORDER BY version, id DESC) p USING (version)
"""
"""Each version with the newest log row of its name."""
_TRACED = f"""
WITH RECURSIVE trace (version, id, action, names) AS (
    SELECT version::text, 9223372036854775807, 'rename', ARRAY[version::text] FROM {{ledger}}
    UNION ALL
    SELECT t.version, e.id, e.action,
           CASE WHEN e.action <> 'rename' THEN '{{{{}}}}'::text[]
                WHEN e.note LIKE 'was %' THEN ARRAY[substr(e.note, 5)]
                ELSE ARRAY[e.version, substr(e.note, 10)] END
      FROM trace t CROSS JOIN LATERAL unnest(t.names) AS n (name)
     CROSS JOIN LATERAL (
           SELECT l.id, l.action::text, l.version::text, to_jsonb(l) ->> 'note' AS note FROM {{log}} l
            WHERE l.version = n.name AND l.id < t.id AND {_PLACES} ORDER BY l.id DESC LIMIT 1) e
)
SELECT r.version, r.checksum, p.id, coalesce(p.action, '')
  FROM {{ledger}} r
  LEFT JOIN (SELECT DISTINCT ON (version) version, id, action FROM trace
              WHERE id < 9223372036854775807 AND action IN ('migrate', 'adopt') ORDER BY version, id) p USING (version)
"""
"""Each version with the log row that put it there: the newest of its name, or of its older names before it was renamed. A version
that two rows became (a squash, a row that was dropped) counts from the older one."""


class Record(NamedTuple):
    """A row of the ledger, and the id of the log row that put it there; None if the log does not know it."""

    version: str
    checksum: str | None = None
    log_id: int | None = None
    applied_here: bool = False
    """Whether this tool applied it, rather than that it was adopted or found."""


def compose_records(ledger: sql.Identifier, log: sql.Identifier | None, *, traced: bool = False) -> sql.Composed:
    """Return the query for the rows of a ledger; `log` is None if that table does not exist.

    `traced`: with the log rows of older names too, which is slower.
    """
    if log is None:
        return sql.SQL("SELECT version, checksum, NULL, '' FROM {}").format(ledger)
    return sql.SQL(_TRACED if traced else _NEWEST).format(ledger=ledger, log=log)


def needs_trace(rows: Iterable[tuple[Any, ...]]) -> bool:
    """Return True if a version was renamed, so that its place in the history is that of an older name."""
    return any(action == "rename" for *_, action in rows)


def build_records(rows: Iterable[tuple[Any, ...]]) -> tuple[Record, ...]:
    """Return the rows that `compose_records` selects in the order of the ledger's history."""
    return order_records(
        Record(version, checksum, log_id if action in ("migrate", "adopt") else None, action == "migrate")
        for version, checksum, log_id, action in rows
    )


def order_records(records: Iterable[Record]) -> tuple[Record, ...]:
    """Return records in the order of their history, oldest first.

    What this tool applied is in the order of the log. When the others were applied is not known: each comes before what this tool
    applied after it was found, and among what was applied before that it has its place by version. So a migration never comes
    before an older one that it may need.
    """
    everything = tuple(records)
    own = sorted((each for each in everything if each.applied_here), key=lambda each: each.log_id or 0)
    ids = [each.log_id or 0 for each in own]
    newest = list(accumulate((each.version for each in own), max))
    places = {each.version: (place, 1, "") for place, each in enumerate(own)}

    def find_place(record: Record) -> tuple[int, int, str]:
        if record.applied_here:
            return places[record.version]
        followed = len(own) if record.log_id is None else bisect_right(ids, record.log_id)
        return min(followed, bisect_right(newest, record.version)), 0, record.version

    return tuple(sorted(everything, key=find_place))
