"""The settings of a session: before a file, in its transactions, and when the file's own settings are reset.

Behind a pooler in transaction mode, whatever outlives a transaction reaches another client: no setting may do so.
https://www.pgbouncer.org/features.html#sql-feature-map-for-pooling-modes
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

AT_WORK = " at work"
"""The suffix of the application_name of a session that changes the schema.

A pooler leaves the name of one client to the next client, if that has none. Only a name that was set later, in a session of our
own or for one transaction, proves that the session belongs to a run."""

_LIMITS_SINCE = {"idle_in_transaction_session_timeout": 0, "idle_session_timeout": 140000, "transaction_timeout": 170000}
"""The limits that are meant for the sessions of an application, by the server version that has them.

A run has idle sessions and long transactions by design, so none of its sessions keeps such a limit; a file's statements too run
without it. https://www.postgresql.org/docs/current/runtime-config-client.html
"""
_OWN = {"statement_timeout": "0", "row_security": "off", "search_path": "pg_catalog, pg_temp"}
"""What our own SQL needs beyond that, and the statements of a file do not get.

With another search_path, a function or an operator that another role created could be called with the rights of this one: it is
preferred if its types fit better. https://www.postgresql.org/docs/current/sql-createfunction.html#SQL-CREATEFUNCTION-SECURITY
Without row_security = off, a policy would hide rows of the ledger; with it, the server refuses the query instead.
https://www.postgresql.org/docs/current/runtime-config-client.html#GUC-ROW-SECURITY
"""
SESSION_DEFAULTS = """
(SELECT coalesce(string_agg(concat_ws(' ', s.setdatabase, s.setrole, s.setconfig), ' ' ORDER BY s.setdatabase, s.setrole), '')
   FROM pg_db_role_setting s
  WHERE s.setdatabase IN (0, (SELECT d.oid FROM pg_database d WHERE d.datname = current_database()))
    AND s.setrole IN (0, quote_ident(session_user)::regrole))"""
"""A query for what ALTER DATABASE and ALTER ROLE … SET have set: what a new session starts with, and an open one does not notice.

https://www.postgresql.org/docs/current/catalog-pg-db-role-setting.html
"""
_OPENED = "migrate.opened"
"""A setting of one transaction, in which the first statement of a message leaves its result for the next one."""
_READ_OPENED = f"pg_catalog.current_setting('{_OPENED}')::pg_catalog.json"
PROBED_SCHEMAS = f"ARRAY(SELECT pg_catalog.json_array_elements_text({_READ_OPENED} OPERATOR(pg_catalog.->) 'schemas'))"
"""SQL for the schemas of the role's own search_path, in a query that is sent with the settings of a session."""
_DEFERRED = {"synchronous_commit": "off"}
_OWN_ROLE = "SET LOCAL SESSION AUTHORIZATION DEFAULT; SET LOCAL role TO DEFAULT"
_CHECKS_CONNECTION_SINCE = 140000
_CHECK_CONNECTION = {"client_connection_check_interval": "5s"}
"""With it, the server notices within seconds that its client has gone.

https://www.postgresql.org/docs/current/runtime-config-connection.html#GUC-CLIENT-CONNECTION-CHECK-INTERVAL
"""
_DISCARD = "CLOSE ALL; UNLISTEN *; SELECT pg_catalog.pg_advisory_unlock_all(); DISCARD TEMP"
_DEALLOCATE = """DO $forget$ DECLARE statement pg_catalog.text; BEGIN
FOR statement IN SELECT name FROM pg_catalog.pg_prepared_statements WHERE from_sql AND name !~ '^migrate_guard_'
LOOP EXECUTE pg_catalog.format('DEALLOCATE %I', statement); END LOOP;
END $forget$"""
_RESTORE_CONSTRAINTS = """DO $restore$ DECLARE named text; BEGIN
SELECT string_agg(format('%I.%I', n.nspname, c.conname), ', ') INTO named
  FROM pg_constraint c JOIN pg_namespace n ON n.oid = c.connamespace WHERE c.condeferrable AND NOT c.condeferred;
SET CONSTRAINTS ALL DEFERRED;
IF named <> '' THEN EXECUTE format('SET CONSTRAINTS %s IMMEDIATE', named); END IF;
END $restore$"""
"""There is no RESET CONSTRAINTS: those that are not initially deferred are named.
https://www.postgresql.org/docs/current/sql-set-constraints.html"""
_ROLE_PATH = "SET LOCAL search_path TO DEFAULT"
"""Puts the search_path in force with which the session was opened: behind a pooler, another client can have set another one."""


def compose_role_path(options: str) -> str:
    """Return the SQL that puts the role's own search_path in force for a transaction, whatever a pooler's session has.

    If the `options` of the connection contain one, the pooler sets it for this client before each transaction (PgBouncer:
    track_extra_parameters), so nothing is to be done.
    """
    return "" if "search_path" in options else _ROLE_PATH


def compose_opening(options: str, settings: Mapping[str, str], backend_pid: int, probe: str = "") -> str:
    """Return the SQL that sets the start settings, unless behind a pooler, and returns as JSON what the session is.

    It runs under the role's own search_path, which it reads, so it names every schema. The server sends its process id at the
    start of a session (BackendKeyData); a pooler sends an invented one.
    https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-START-UP
    `probe`: a query of one JSON value, which runs under our own settings; both are then in one JSON value.
    """
    own = f"pg_catalog.pg_backend_pid() OPERATOR(pg_catalog.=) '{backend_pid}'"
    calls = ", ".join(f"pg_catalog.set_config('{name}', '{value}', false)" for name, value in settings.items())
    found = f"pg_catalog.json_build_object('pooled', NOT {own}, 'schemas', role.schemas)"
    if probe:
        found = f"pg_catalog.set_config('{_OPENED}', {found}::pg_catalog.text, true)"
    # The schemas are read first: without MATERIALIZED, they could be read when search_path is set.
    query = f"""
WITH role AS MATERIALIZED (SELECT pg_catalog.array_to_json(pg_catalog.current_schemas(false)) AS schemas)
SELECT {found}, CASE WHEN {own} THEN ROW({calls}) END FROM role
"""
    parts = [compose_role_path(options), query]
    if probe:
        both = f"pg_catalog.json_build_object('opened', {_READ_OPENED}, 'probed', ({probe}))"
        parts += [*_compose_pinned(), f"SELECT {both}"]
    return "; ".join(filter(None, parts))


def list_start_settings(server_version: int, *, runs_files: bool) -> dict[str, str]:
    """Return the settings to set for a session as a whole, when it is opened; never behind a pooler."""
    limits = dict.fromkeys(_list_limits(server_version), "0")
    if runs_files:
        return limits | (_CHECK_CONNECTION if server_version >= _CHECKS_CONNECTION_SINCE else {})
    return limits | {"lock_timeout": "0", **_OWN}


def compose_own_settings(server_version: int, *, pooled: bool, lock_timeout_ms: int) -> str:
    """Return the SQL that puts our own role and settings in force for the open transaction."""
    limits = dict.fromkeys(_list_limits(server_version) if pooled else (), "0")
    settings = {**limits, "lock_timeout": str(lock_timeout_ms), **_OWN}
    return "; ".join((_OWN_ROLE, *(f"SET LOCAL {name} = {value}" for name, value in settings.items())))


@dataclass(frozen=True, slots=True)
class SessionState:
    """The state that a session needs for a file, and the SQL that sets it and that resets what a file changed."""

    name: str
    pooled: bool
    server_version: int
    lock_timeout_ms: int
    path: str = ""
    """The SQL that puts the role's own search_path in force; behind a pooler only."""
    synchronous: bool = True
    """Whether each commit waits until it is on disk.

    The server writes its log in order, so a crash loses only the newest commits, each with its record: not every commit of a
    run has to wait. https://www.postgresql.org/docs/current/wal-async-commit.html
    """

    def begin_run(self) -> str:
        """Return the SQL to run once, before the first file; empty behind a pooler."""
        return "" if self.pooled else self._session_settings

    def begin(self, text: str = "") -> str:
        """Return the SQL that begins a transaction of a file: only SETs, because SET TRANSACTION may follow."""
        return "; ".join(self.list_begin(text))

    def list_begin(self, text: str = "") -> tuple[str, ...]:
        """Return what `begin` returns, one statement each."""
        lock_timeout = f"SET LOCAL lock_timeout = {self.lock_timeout_ms}"
        return (text or "BEGIN", lock_timeout, *self._commit_settings, *self._pooled_settings)

    def begin_again(self) -> str:
        """Return the SQL that lets the next file of the open transaction begin with the settings of a new transaction."""
        # RESET ALL resets what SET LOCAL has set too.
        return "; ".join(("RESET ALL", self._session_settings, f"SET LOCAL lock_timeout = {self.lock_timeout_ms}"))

    def restore_constraints(self) -> str:
        """Return the SQL that defers again what `before_ledger` has made immediate, for the next file of the transaction."""
        return _RESTORE_CONSTRAINTS

    def before_ledger(self, *, ends: bool, prepares: bool) -> str:
        """Return the SQL that runs deferred checks with the file's settings, and then restores our own role and settings.

        They are restored for the transaction only, unless the file `ends` or a pooler ends its session: then the rest of the
        session's state is discarded too. RESET ALL also resets what SET LOCAL set, so that is set again.
        """
        parts = ["SET CONSTRAINTS ALL IMMEDIATE"]
        if ends or self.pooled:
            parts += ["RESET SESSION AUTHORIZATION", "RESET ROLE", "RESET ALL"]
        parts += [self._session_settings, self._own_settings, *self._commit_settings]
        if ends or self.pooled:
            parts += [_DISCARD, *([_DEALLOCATE] if prepares else [])]
        return "; ".join(parts)

    def list_before_ledger(self, *, prepares: bool) -> tuple[str, ...]:
        """Return what `before_ledger` returns for a file that ends, one statement each, and as few as can be.

        The settings are set by one SELECT, which begins with the role's own search_path, so it names every schema. It is not for
        a session behind a pooler.
        """
        session = {"application_name": f"{self.name}{AT_WORK}", **list_start_settings(self.server_version, runs_files=True)}
        local = {"lock_timeout": str(self.lock_timeout_ms), **_OWN, **({} if self.synchronous else _DEFERRED)}
        calls = (
            f"pg_catalog.set_config('{name}', '{value}', {mode})"
            for mode, settings in (("false", session), ("true", local))
            for name, value in settings.items()
        )
        select = f"SELECT {', '.join(calls)}, pg_catalog.pg_advisory_unlock_all()"
        reset = ("SET CONSTRAINTS ALL IMMEDIATE", "RESET SESSION AUTHORIZATION", "RESET ROLE", "RESET ALL")
        return (*reset, select, "CLOSE ALL", "UNLISTEN *", "DISCARD TEMP", *([_DEALLOCATE] if prepares else []))

    def restore(self) -> str:
        """Return the SQL that restores the session after a file failed; empty behind a pooler, where nothing outlives a file."""
        return "" if self.pooled else f"RESET SESSION AUTHORIZATION; RESET ROLE; RESET ALL; {self._session_settings}; {_DISCARD}"

    @property
    def _session_settings(self) -> str:
        """Return the settings of the session as a whole; a file can have changed them with RESET ALL or DISCARD ALL."""
        if self.pooled:
            # RESET ALL restores the settings with which the pooler opened its session.
            own = f"SET application_name = '{self.name}'; SET client_encoding = 'UTF8'"
            return "; ".join((own, *self._pooled_settings))
        settings = list_start_settings(self.server_version, runs_files=True)
        name = f"SET application_name = '{self.name}{AT_WORK}'"
        return "; ".join((name, *(f"SET {key} = '{value}'" for key, value in settings.items())))

    @property
    def _pooled_settings(self) -> tuple[str, ...]:
        """Return the settings of the session as a whole, for one transaction behind a pooler."""
        if not self.pooled:
            return ()
        name = f"SET LOCAL application_name = '{self.name}{AT_WORK}'"
        limits = (f"SET LOCAL {limit} = 0" for limit in _list_limits(self.server_version))
        return (name, *([self.path] if self.path else []), *limits)

    @property
    def _own_settings(self) -> str:
        return compose_own_settings(self.server_version, pooled=self.pooled, lock_timeout_ms=self.lock_timeout_ms)

    @property
    def _commit_settings(self) -> tuple[str, ...]:
        return () if self.synchronous else tuple(f"SET LOCAL {name} = {value}" for name, value in _DEFERRED.items())


def _compose_pinned() -> list[str]:
    """Return the SQL that puts our own settings in force for a message, whatever the session has."""
    return [f"SET LOCAL {name} = {value}" for name, value in _OWN.items()]


def _list_limits(server_version: int) -> list[str]:
    return [name for name, since in _LIMITS_SINCE.items() if server_version >= since]
