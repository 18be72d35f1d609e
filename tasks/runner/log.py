"""Writing to the ledger: applied rows, stored texts, and the log."""

from __future__ import annotations

from dataclasses import dataclass

import psycopg
from psycopg import sql

from tasks.runner.identity import Identity, Revision
from tasks.runner.ledger import Ledger

_LOG_COLUMNS = (
    "run_id, version, action, outcome, segments_done, segments_total, segments_checksum,"
    " actor, host, git_revision, git_dirty, tool_version, sqlstate, error, duration_ms"
)
_LOG_VALUES = (
    "%(run_id)s, %(version)s, %(action)s, %(outcome)s, %(done)s, %(total)s, %(segments_checksum)s,"
    " %(actor)s, %(host)s, %(commit)s, %(dirty)s, %(tool)s, %(sqlstate)s, %(error)s, %(duration_ms)s"
)
_LOG = f"INSERT INTO {{log}} ({_LOG_COLUMNS}) VALUES ({_LOG_VALUES})"
_WITH_LOG = f"WITH log AS (INSERT INTO {{log}} ({_LOG_COLUMNS}) VALUES ({_LOG_VALUES}))"
_APPLIED = f"""
{_WITH_LOG},
     script AS (INSERT INTO {{scripts}} (version, up_text, down_text) VALUES (%(version)s, %(up_text)s, %(down_text)s)
                ON CONFLICT (version) DO UPDATE SET up_text = excluded.up_text, down_text = excluded.down_text)
INSERT INTO {{ledger}} AS row (version, applied_at, applied_by, checksum, execution_time_ms)
VALUES (%(version)s, clock_timestamp() AT TIME ZONE 'UTC', %(actor)s, %(checksum)s, %(duration_ms)s)
"""
_COMPLETE_OWN_ROW = """
ON CONFLICT (version) DO UPDATE
   SET applied_at = excluded.applied_at, applied_by = coalesce(row.applied_by, excluded.applied_by),
       checksum = excluded.checksum, execution_time_ms = excluded.execution_time_ms
"""
_REVERTED = f"""
{_WITH_LOG},
     script AS (DELETE FROM {{scripts}} WHERE version = %(version)s)
DELETE FROM {{ledger}} WHERE version = %(version)s
"""
_SEEDED = f"""
{_WITH_LOG}
INSERT INTO {{seeds}} (name, applied_at, applied_by, checksum, execution_time_ms)
VALUES (%(version)s, clock_timestamp() AT TIME ZONE 'UTC', %(actor)s, %(checksum)s, %(duration_ms)s)
ON CONFLICT (name) DO UPDATE
   SET applied_at = excluded.applied_at, applied_by = excluded.applied_by,
       checksum = excluded.checksum, execution_time_ms = excluded.execution_time_ms
"""


@dataclass(frozen=True, slots=True)
class Entry:
    """Describe one row for the log; an empty version speaks of the run as a whole."""

    action: str
    outcome: str
    version: str = ""
    done: int = 0
    total: int = 0
    segments_checksum: str = ""
    sqlstate: str = ""
    error: str = ""
    duration_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Recorder:
    """Write to the ledger of one database on behalf of one run.

    Statements are prepared on the server only where no pooler stands between.
    """

    connection: psycopg.Connection
    ledger: Ledger
    identity: Identity
    revision: Revision
    prepare: bool

    def log(self, entry: Entry) -> None:
        """Append a row to the log."""
        self._execute(_LOG, self._describe(entry))

    def record_applied(self, entry: Entry, *, checksum: str, up_text: str, down_text: str | None, own_row: bool) -> None:
        """Record a migration as applied, with its texts and its row in the log.

        `own_row` says that the file inserted its own row, which is completed; otherwise a row that exists already raises
        UniqueViolation, because somebody else applied the version.
        """
        values = {"checksum": checksum, "up_text": up_text, "down_text": down_text, **self._describe(entry)}
        self._execute(_APPLIED + (_COMPLETE_OWN_ROW if own_row else ""), values)

    def record_reverted(self, entry: Entry) -> None:
        """Take a migration's row and texts out of the ledger, and log that."""
        self._execute(_REVERTED, self._describe(entry))

    def record_seeded(self, entry: Entry, checksum: str) -> None:
        """Record a seed with the checksum of the text that ran, and log that."""
        self._execute(_SEEDED, {"checksum": checksum, **self._describe(entry)})

    def _execute(self, query: str, values: dict[str, object]) -> None:
        composed = sql.SQL(query).format(
            ledger=self.ledger.table(),
            log=self.ledger.table("_log"),
            scripts=self.ledger.table("_scripts"),
            seeds=self.ledger.table("_seeds"),
        )
        self.connection.execute(composed, values, prepare=self.prepare)

    def _describe(self, entry: Entry) -> dict[str, object]:
        return {
            "run_id": self.identity.run_id,
            "version": entry.version or None,
            "action": entry.action,
            "outcome": entry.outcome,
            "done": entry.done,
            "total": entry.total,
            "segments_checksum": entry.segments_checksum or None,
            "actor": self.identity.actor,
            "host": self.identity.host,
            "commit": self.revision.commit or None,
            "dirty": self.revision.dirty,
            "tool": self.identity.tool_version,
            "sqlstate": entry.sqlstate or None,
            "error": entry.error or None,
            "duration_ms": entry.duration_ms,
        }
