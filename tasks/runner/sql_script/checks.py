"""What each transaction of a script does first: it takes the run's lock, and checks that the ledger is as it was planned."""

from __future__ import annotations

from collections.abc import Iterable

from tasks.postgres.quoting import quote_qualified
from tasks.runner.database.lock_holder import LOCK_KEY
from tasks.runner.database.session_settings import compose_own_settings
from tasks.runner.ledger.guard import compose_guard
from tasks.runner.ledger.reading import INTERRUPTED, Ledger
from tasks.runner.ledger.tables import TABLE
from tasks.runner.planning.plan import Step, checksum_segments
from tasks.runner.sql_script.psql_text import quote_text, write_block, write_error
from tasks.runner.sql_script.state import DIGEST

_LOCKED = "another run of migrations has the lock"
_AGAIN = "Run this script again when that run has ended: it continues where it stopped."
CHANGED = "the ledger is not as it was when this script was written"
REWRITE = "Write the script again, with the same command."
_OPEN = """
 FROM {log} l
WHERE version = {version} AND outcome <> 'finished' AND outcome IN ('started', 'failed', 'resumed')
  AND id = (SELECT max(id) FROM {log} later WHERE later.version = l.version
               AND action IN ('migrate', 'rollback', 'repair', 'seed', 'adopt', 'rename')
               AND outcome IN ('started', 'failed', 'resumed', 'finished'))"""
"""The unfinished attempt at a version, as a run finds it."""


def take_lock(*, session: bool = False) -> str:
    """Return the block that takes the lock of runs until the end of the transaction, or of the session, or raises an error.

    It is in force before any setting of ours, so it names every schema.
    """
    function = "pg_try_advisory_lock" if session else "pg_try_advisory_xact_lock"
    error = write_error(_LOCKED, _AGAIN)
    return write_block(f"IF NOT pg_catalog.{function}({LOCK_KEY}) THEN\n  {error}\nEND IF;")


def release_lock() -> str:
    """Return the block that releases the lock of a session."""
    return write_block(f"PERFORM pg_catalog.pg_advisory_unlock({LOCK_KEY});")


def isolate(lines: Iterable[str], *, server_version: int, lock_timeout_ms: int) -> list[str]:
    """Return lines that run under our own settings, after which the transaction has its settings again."""
    own = compose_own_settings(server_version, pooled=False, lock_timeout_ms=lock_timeout_ms)
    return [
        "SAVEPOINT migrate_check;",
        f"{own};",
        *lines,
        "ROLLBACK TO SAVEPOINT migrate_check;",
        "RELEASE SAVEPOINT migrate_check;",
    ]


class StateChecks:
    """The checks of the tables of one ledger, as lines for a transaction under our own settings."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._table = quote_qualified(ledger.schema, TABLE)
        self._log = quote_qualified(ledger.schema, f"{TABLE}_log")

    def check_step(self, step: Step, expected: str) -> list[str]:
        """Return the lines that raise an error unless the version is recorded with its checksum, or everything is as planned.

        Afterwards `migrate_todo` is true if the version is not recorded.
        """
        version, checksum = quote_text(step.version), quote_text(step.source.checksum)
        other = write_error(f"{step.version} was recorded with another text", "Compare them: inv db.status")
        body = (
            f"SELECT coalesce(checksum, '') INTO recorded FROM {self._table} WHERE version = {version};\n"
            f"IF recorded <> {checksum} THEN\n  {other}\n"
            f"ELSIF recorded IS NULL AND (SELECT {DIGEST} FROM {self._table}) <> '{expected}' THEN\n"
            f"  {write_error(CHANGED, REWRITE)}\nEND IF;"
        )
        return [
            self._guard([TABLE]),
            write_block(body, "recorded text"),
            f"SELECT NOT EXISTS (SELECT FROM {self._table} WHERE version = {version}) AS migrate_todo \\gset",
        ]

    def read_attempt(self, step: Step) -> list[str]:
        r"""Return the lines that set `migrate_done` to the number of committed segments, and raise an error if they are others.

        `migrate_resumed`: whether an attempt was interrupted; `migrate_unsure`: whether the first segment that is left may have
        taken effect.
        """
        known = [checksum_segments(step.script, count) for count in range(len(step.script.segments) + 1)]
        pairs = ", ".join(f"({count}, {quote_text(checksum)})" for count, checksum in enumerate(known))
        changed = write_error(f"the interrupted attempt at {step.version} is not one that this script continues", REWRITE)
        found = _OPEN.format(log=self._log, version=quote_text(step.version))
        body = (
            f"IF EXISTS (SELECT {found} AND (action <> 'migrate' OR (segments_done, coalesce(segments_checksum, ''))"
            f" NOT IN ({pairs}))) THEN\n  {changed}\nEND IF;"
        )
        lost = ", ".join(quote_text(state) for state in sorted(INTERRUPTED))
        return [
            self._guard([f"{TABLE}_log"]),
            write_block(body),
            "SELECT coalesce(max(segments_done), 0) AS migrate_done,\n"
            "       coalesce(bool_or(outcome <> 'failed' OR segments_done > 0), false) AS migrate_resumed,\n"
            f"       coalesce(bool_or(outcome <> 'failed' OR coalesce(sqlstate, '') IN ({lost})), false) AS migrate_unsure"
            f"{found}\n\\gset",
        ]

    def check_attempt(self, step: Step, done: int) -> list[str]:
        """Return the lines that raise an error unless exactly so many segments of a step are committed."""
        found = _OPEN.format(log=self._log, version=quote_text(step.version))
        body = (
            f"IF coalesce((SELECT segments_done {found}), 0) <> {done} THEN\n"
            f"  {write_error(CHANGED, 'Run this script again: it continues where the other run stopped.')}\nEND IF;"
        )
        return [self._guard([f"{TABLE}_log"]), write_block(body)]

    def _guard(self, tables: Iterable[str]) -> str:
        return f"{compose_guard(self._ledger.schema, tables, 'ACCESS SHARE')};"
