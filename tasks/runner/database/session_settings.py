"""The settings of a session: before a file, in its transactions, and when the file's own settings are reset.

Behind a pooler in transaction mode, whatever outlives a transaction reaches another client: no setting may do so.
https://www.pgbouncer.org/features.html#sql-feature-map-for-pooling-modes
"""

from __future__ import annotations

from dataclasses import dataclass

AT_WORK = " at work"
"""The suffix of the application_name of a session that changes the schema.

A pooler leaves the name of one client to the next client, if that has none. Only a name that was set later, in a session of our
own or for one transaction, proves that the session belongs to a run."""

BEGIN_LOCK = (
    "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL idle_in_transaction_session_timeout = 0; SET LOCAL statement_timeout = 0"
)
"""The SQL that begins the transaction of the run lock, which stays open and idle for the time of the run."""

_CHECKS_CONNECTION_SINCE = 140000
_CHECK_CONNECTION = "SET client_connection_check_interval = '5s'"
_DISCARD = "CLOSE ALL; UNLISTEN *; SELECT pg_advisory_unlock_all(); DISCARD TEMP"
_DEALLOCATE = """DO $forget$ DECLARE statement text; BEGIN
FOR statement IN SELECT name FROM pg_prepared_statements WHERE from_sql LOOP EXECUTE format('DEALLOCATE %I', statement); END LOOP;
END $forget$"""


def check_connection(server_version: int) -> str:
    """Return the SQL with which the server notices within seconds that its client has gone; empty if it cannot.

    https://www.postgresql.org/docs/current/runtime-config-connection.html#GUC-CLIENT-CONNECTION-CHECK-INTERVAL
    """
    return _CHECK_CONNECTION if server_version >= _CHECKS_CONNECTION_SINCE else ""


@dataclass(frozen=True, slots=True)
class SessionState:
    """The state that a session needs for a file, and the SQL that sets it and that resets what a file changed."""

    name: str
    pooled: bool
    server_version: int
    lock_timeout_ms: int
    synchronous: bool = True
    """Whether each commit waits until it is on disk.

    The server writes its log in order, so a crash loses only the newest commits, each with its record: not every commit of a
    run has to wait. https://www.postgresql.org/docs/current/wal-async-commit.html
    """

    def begin_run(self) -> str:
        """Return the SQL to run once, before the first file; empty behind a pooler."""
        return "" if self.pooled else self._session_settings

    def begin(self, text: str = "") -> str:
        """Return the SQL that begins a transaction: only SETs, because SET TRANSACTION may follow."""
        name = f"; SET LOCAL application_name = '{self.name}{AT_WORK}'" if self.pooled else ""
        return f"{text or 'BEGIN'}; {self._transaction_settings}{name}"

    def before_ledger(self, *, ends: bool, prepares: bool) -> str:
        """Return the SQL that runs deferred checks with the file's settings, and then restores our own role and settings.

        They are restored for the transaction only, unless the file `ends` or a pooler ends its session: then the rest of the
        session's state is discarded too. RESET ALL also resets what SET LOCAL set, so that is set again.
        """
        if not ends and not self.pooled:
            ourselves = "SET LOCAL SESSION AUTHORIZATION DEFAULT; SET LOCAL role TO DEFAULT"
            return f"SET CONSTRAINTS ALL IMMEDIATE; {ourselves}; {self._transaction_settings}"
        ourselves = "RESET SESSION AUTHORIZATION; RESET ROLE; RESET ALL"
        forget = f"{_DISCARD}; {_DEALLOCATE}" if prepares else _DISCARD
        return f"SET CONSTRAINTS ALL IMMEDIATE; {ourselves}; {self._session_settings}; {self._transaction_settings}; {forget}"

    @property
    def _session_settings(self) -> str:
        if self.pooled:
            # RESET ALL restores the settings with which the pooler opened its session.
            own = f"SET application_name = '{self.name}'; SET client_encoding = 'UTF8'"
            return f"{own}; SET LOCAL application_name = '{self.name}{AT_WORK}'"
        name = f"SET application_name = '{self.name}{AT_WORK}'"
        return "; ".join(filter(None, (name, check_connection(self.server_version))))

    @property
    def _transaction_settings(self) -> str:
        commit = "" if self.synchronous else "; SET LOCAL synchronous_commit = off"
        return f"SET LOCAL lock_timeout = {self.lock_timeout_ms}{commit}"
