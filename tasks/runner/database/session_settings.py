"""What a session is set to: before a file, in its transactions, and when the file's own settings are taken back.

Behind a pooler that lends its backends by the transaction, whatever outlives a transaction reaches another client: there, nothing
that is set may. https://www.pgbouncer.org/features.html#sql-feature-map-for-pooling-modes
"""

from __future__ import annotations

from dataclasses import dataclass

AT_WORK = " at work"
"""Ends the name of a session that changes the schema.

A pooler leaves the name that one client came with to the next client, if that has none. Only a name that was set later, in a
session of our own or for one transaction, tells that the session is a run's."""

_CHECKS_CONNECTION_SINCE = 140000
_FORGET = "CLOSE ALL; UNLISTEN *; SELECT pg_advisory_unlock_all(); DISCARD TEMP"
_FORGET_PREPARED = """DO $forget$ DECLARE statement text; BEGIN
FOR statement IN SELECT name FROM pg_prepared_statements WHERE from_sql LOOP EXECUTE format('DEALLOCATE %I', statement); END LOOP;
END $forget$"""


@dataclass(frozen=True, slots=True)
class SessionState:
    """Write the SQL that prepares a session for files, and that takes back what a file did to it. Pure."""

    name: str
    pooled: bool
    server_version: int
    lock_timeout_ms: int
    awaits_disk: bool = True
    """Whether each commit waits until it is on the disk.

    The server writes its log in order, so a crash takes only the newest commits, each with its record: of a run that goes on,
    nobody has to wait for each. https://www.postgresql.org/docs/current/wal-async-commit.html
    """

    def begin_work(self) -> str:
        """Say once, before the first file, what holds for the whole run; nothing where a pooler stands between."""
        return "" if self.pooled else self._settings

    def begin(self, text: str = "") -> str:
        """Begin a transaction; only SETs, because what follows may be SET TRANSACTION."""
        name = f"; SET LOCAL application_name = '{self.name}{AT_WORK}'" if self.pooled else ""
        return f"{text or 'BEGIN'}; {self._for_transaction}{name}"

    def before_ledger(self, *, ends: bool, prepares: bool) -> str:
        """Run deferred checks while the file's settings hold, then become ourselves, to write the ledger.

        For the time of the transaction only, unless the file `ends`, or its session does: then what the session keeps beside its
        settings is dropped too. RESET ALL takes back what SET LOCAL set too, so that is set again.
        """
        if not ends and not self.pooled:
            ourselves = "SET LOCAL SESSION AUTHORIZATION DEFAULT; SET LOCAL role TO DEFAULT"
            return f"SET CONSTRAINTS ALL IMMEDIATE; {ourselves}; {self._for_transaction}"
        ourselves = "RESET SESSION AUTHORIZATION; RESET ROLE; RESET ALL"
        forget = f"{_FORGET}; {_FORGET_PREPARED}" if prepares else _FORGET
        return f"SET CONSTRAINTS ALL IMMEDIATE; {ourselves}; {self._settings}; {self._for_transaction}; {forget}"

    @property
    def _settings(self) -> str:
        if self.pooled:
            # RESET ALL goes by what the pooler's own session began with.
            own = f"SET application_name = '{self.name}'; SET client_encoding = 'UTF8'"
            return f"{own}; SET LOCAL application_name = '{self.name}{AT_WORK}'"
        name = f"SET application_name = '{self.name}{AT_WORK}'"
        if self.server_version < _CHECKS_CONNECTION_SINCE:
            return name
        return f"{name}; SET client_connection_check_interval = '5s'"

    @property
    def _for_transaction(self) -> str:
        commit = "" if self.awaits_disk else "; SET LOCAL synchronous_commit = off"
        return f"SET LOCAL lock_timeout = {self.lock_timeout_ms}{commit}"
