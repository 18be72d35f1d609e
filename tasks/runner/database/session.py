"""Sessions: connecting to a database, and running a statement without blocking the caller."""

from __future__ import annotations

import json
import math
import re
import select
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Protocol

import psycopg
from psycopg import errors, pq

from tasks.postgres.encodings import SQL_ASCII, UTF8, find_encoding
from tasks.postgres.representable import fit_comments
from tasks.runner.database.addresses import describe_connection, describe_database, lists_hosts, resolve
from tasks.runner.database.connect_failures import (
    OLDEST_VERSION,
    build_connect_error,
    build_too_old_error,
    build_unreadable_error,
)
from tasks.runner.database.own_connection import (
    OwnConnection,
    OwnCursor,
    find_missing_settings,
    find_own_settings,
    mark_own,
)
from tasks.runner.database.session_settings import (
    compose_opening,
    compose_own_settings,
    compose_role_path,
    list_start_settings,
)
from tasks.runner.errors import Interruption, RunnerError
from tasks.runner.urls import find_fault

if TYPE_CHECKING:
    from tasks.runner.signals import Stop

_CONNECT_DEFAULTS = {"connect_timeout": "10", "keepalives_idle": "30", "keepalives_interval": "10"}
"""Used where neither the URL nor a service file nor the environment states a value."""
_HOSTS = ("host", "hostaddr", "port")
_COPY_CHUNK = 65536
_HANDLED = frozenset({pq.ExecStatus.FATAL_ERROR, pq.ExecStatus.COPY_IN, pq.ExecStatus.COPY_OUT, pq.ExecStatus.COPY_BOTH})
_CANCEL_TIMEOUT_S = 10.0
_COMMANDS = re.compile("BEGIN|COMMIT|ROLLBACK|RESET |SET CONSTRAINTS |SET application_name |DROP INDEX CONCURRENTLY ")
"""The beginnings of what `run_sql` sends as it is: it begins or ends what our own settings apply to, or needs no transaction."""


def connect(
    url: str,
    *,
    name: str,
    runs_files: bool = False,
    lock_timeout_ms: int = 0,
    limit_s: float = math.inf,
    ledger_owner: str = "",
    compose_probe: Callable[[OwnConnection], str] | None = None,
) -> OwnConnection:
    """Return an autocommit connection with `name` as its application_name, under our own settings.

    If it `runs_files`, their statements get the settings of the role and the database instead, and only our own SQL gets ours,
    with this lock_timeout. Nothing is prepared implicitly: a file may deallocate it, a pooler may not have it, and the portal of
    a prepared statement keeps a snapshot, for which CREATE INDEX CONCURRENTLY waits. `ledger_owner`: the setting LEDGER_OWNER.
    `compose_probe`: returns a query of one JSON value, which is sent with the settings; the answer is in `probed`.

    Raises ConnectError with the server's reason and what to check; it never contains the password. Raises RefusedError if the
    server is older than OLDEST_VERSION.
    """
    fault = find_fault(url)
    if fault:
        raise build_unreadable_error(fault)
    # psycopg has a timeout of its own, for which it does not read service files.
    stated = resolve(url).options
    defaults = {keyword: stated.get(keyword) or value for keyword, value in _CONNECT_DEFAULTS.items()}
    hosts = {keyword: stated[keyword] for keyword in _HOSTS if keyword in stated}
    # Migrations are sent as UTF-8, whatever the encoding of the database.
    fixed = {"application_name": name, "client_encoding": "UTF8"}
    limits = {"connect_timeout": str(math.ceil(limit_s))} if limit_s < math.inf else {}
    parameters: dict[str, Any] = {**defaults, **hosts, **fixed, **limits}
    try:
        connection = OwnConnection.connect(url, autocommit=True, prepare_threshold=None, **parameters)
        version = connection.info.server_version
        if version < OLDEST_VERSION:
            connection.close()
            raise build_too_old_error(version, url)
        options = stated.get("options", "")
        connection.ledger_owner = ledger_owner
        # Our own transactions see what was committed before their locks, whatever default_transaction_isolation is.
        connection.isolation_level = psycopg.IsolationLevel.READ_COMMITTED
        probe = compose_probe(connection) if compose_probe else ""
        _settle(connection, options, probe, runs_files=runs_files, lock_timeout_ms=lock_timeout_ms, limit_s=limit_s)
    except (psycopg.Error, UnicodeError) as error:
        raise build_connect_error(error, url, parameters) from error
    if read_encoding(connection) == SQL_ASCII:
        connection.load_any_bytes()
    return connection


def _settle(
    connection: OwnConnection, options: str, probe: str, *, runs_files: bool, lock_timeout_ms: int, limit_s: float
) -> None:
    """Put our own settings in force for the session, in one round trip; behind a pooler, prepare that for each transaction."""
    version = connection.info.server_version
    settings = list_start_settings(version, runs_files=runs_files)
    try:
        opening = compose_opening(options, settings, connection.pgconn.backend_pid, probe)
        found = json.loads(run_sql(connection, opening, limit_s=limit_s) or "{}")
        if probe:
            found, connection.probed = found["opened"], found["probed"]
        connection.pooled = bool(found["pooled"])
        connection.schemas = tuple(name for name in found["schemas"] if not name.startswith("pg_temp_"))
    except BaseException:
        connection.close()
        raise
    if connection.pooled:
        connection.path = compose_role_path(options)
    if runs_files or connection.pooled:
        connection.own_settings = compose_own_settings(version, pooled=connection.pooled, lock_timeout_ms=lock_timeout_ms)
        connection.cursor_factory = OwnCursor


def begin_own(connection: psycopg.Connection, mode: str, *following: str) -> str | None:
    """Begin a transaction under our own settings, with options as in BEGIN, and run what follows, other settings at first.

    Return the first value of the last result.
    """
    return run_sql(connection, "; ".join(filter(None, (f"BEGIN {mode}", find_own_settings(connection), *following))))


def read_encoding(connection: psycopg.Connection) -> str:
    """Return the encoding of the database, by PostgreSQL's own name; that of most databases once the connection is closed."""
    if connection.closed:
        return UTF8
    return find_encoding((connection.pgconn.parameter_status(b"server_encoding") or b"UTF8").decode())


def describe_server(url: str, *, name: str) -> str:
    """Return user, host, port and database of a URL; of several hosts, the one that is reached. Raises ConnectError."""
    if not lists_hosts(url):
        return describe_database(url)
    with connect(url, name=name) as connection:
        return describe_connection(connection)


class BlockSource(Protocol):
    """A text that is read when it is sent, in UTF-8."""

    def read(self) -> bytes:
        """Return all of it."""

    def read_blocks(self) -> Iterable[bytes]:
        """Return it in parts."""


class Execution:
    """The execution of one statement; iterating it runs the statement and yields the elapsed seconds at each interval.

    The statement is sent with the simple query protocol, so that everything that psql accepts is accepted too, and the caller
    can do other work (who blocks us?) meanwhile. Iterating raises psycopg.Error if the server refuses the statement, and
    Interruption, after cancelling it, when a stop is requested.
    """

    def __init__(
        self,
        connection: psycopg.Connection,
        sql: str | BlockSource,
        *,
        copy_data: str | BlockSource | None = None,
        stop: Stop | None = None,
        interval_s: float = 1.0,
    ) -> None:
        self._connection = connection
        self._pgconn = connection.pgconn
        self._sql = sql
        self._copy_data = copy_data
        self._stop = stop
        self._interval_s = interval_s
        self._refusal: pq.abc.PGresult | None = None
        self.value: str | None = None
        """The first value of the last result that has one."""

    def __iter__(self) -> Iterator[float]:
        """Send the statement and wait for it, and yield the elapsed seconds at each interval."""
        start = time.monotonic()
        mark_own(self._connection, own=False)
        try:
            if self._stop:
                self._stop.check()
            self._restore_encoding()
            # A long text is sent and dropped: libpq makes two copies of it.
            self._pgconn.send_query(self._encode())
            while True:
                if self._pgconn.is_busy():
                    yield from self._wait(start)
                result = self._pgconn.get_result()
                if result is None:
                    break
                if result.status in _HANDLED:
                    self._handle(result)
                elif result.ntuples and result.nfields:
                    value = result.get_value(0, 0)
                    self.value = None if value is None else value.decode(errors="replace")
        except psycopg.Error:
            # The last error of the server explains more than that the session is closed.
            self._raise_refusal()
            raise
        except BaseException:
            self._cancel()
            raise
        self._raise_refusal()

    def _encode(self) -> bytes:
        """Return the text as it is sent."""
        encoding = read_encoding(self._connection)
        if isinstance(self._sql, str):
            return fit_comments(self._sql, encoding).encode()
        data = self._sql.read()
        return data if encoding in (UTF8, SQL_ASCII) or data.isascii() else fit_comments(data.decode(), encoding).encode()

    def finish(self) -> None:
        """Run the statement to its end."""
        for _ in self:
            pass

    def _restore_encoding(self) -> None:
        """Set client_encoding again if a statement changed it: the text is sent in UTF-8 whatever the session expects.

        In a failed transaction the server refuses that, as it refuses the text.
        """
        # A pooler need not report it.
        if self._pgconn.parameter_status(b"client_encoding") not in (None, UTF8.encode()):
            self._pgconn.exec_(f"SET client_encoding = '{UTF8}'".encode())

    def _wait(self, start: float) -> Iterator[float]:
        """Wait for an answer; yield at each interval, raise Interruption on a stop."""
        readers: list[int | Stop] = [self._pgconn.socket, *([self._stop] if self._stop else [])]
        while True:
            unsent = self._pgconn.flush()
            if not self._pgconn.is_busy() and not unsent:
                return
            writers = [self._pgconn.socket] if unsent else []
            ready, writable, _ = select.select(readers, writers, [], self._interval_s)
            if self._stop and self._stop in ready:
                raise Interruption(self._stop.signal_name)
            if self._pgconn.socket in ready:
                self._pgconn.consume_input()
            elif not writable:
                yield time.monotonic() - start

    def _raise_refusal(self) -> None:
        if self._refusal is not None:
            raise errors.error_from_result(self._refusal, encoding="utf-8")

    def _handle(self, result: pq.abc.PGresult) -> None:
        """Keep an error, and send the data of a COPY ... FROM STDIN."""
        if result.status == pq.ExecStatus.FATAL_ERROR:
            self._refusal = self._refusal or result
        elif result.status == pq.ExecStatus.COPY_IN:
            self._send_copy_data()
        else:
            raise errors.FeatureNotSupported("COPY ... TO STDOUT has no client to send its rows to in a migration")

    def _send_copy_data(self) -> None:
        """Send the inline data of a COPY."""
        if self._copy_data is None:
            self._pgconn.put_copy_end(b"the file contains no data after this COPY ... FROM STDIN")
        else:
            try:
                self._send_blocks(self._copy_data)
            except (RunnerError, Interruption):
                self._pgconn.put_copy_end(b"the run was stopped")
                raise
            self._pgconn.put_copy_end()
        self._drain()

    def _send_blocks(self, source: str | BlockSource) -> None:
        """Send data in parts; raises Interruption between two of them when a stop is requested."""
        for data in (source.encode(),) if isinstance(source, str) else source.read_blocks():
            for start in range(0, len(data), _COPY_CHUNK):
                if self._stop:
                    self._stop.check()
                while self._pgconn.put_copy_data(data[start : start + _COPY_CHUNK]) == 0:
                    self._drain()
                self._drain()

    def _drain(self) -> None:
        """Flush the buffer to the server, and read what it sends meanwhile, so that neither side blocks."""
        while self._pgconn.flush():
            ready, _, _ = select.select([self._pgconn.socket], [self._pgconn.socket], [])
            if ready:
                self._pgconn.consume_input()

    def _cancel(self) -> None:
        """Cancel the statement and read the remaining results, so that the session can be used for the rollback."""
        if self._pgconn.status != pq.ConnStatus.OK:
            return
        try:
            self._connection.cancel_safe(timeout=_CANCEL_TIMEOUT_S)
            deadline = time.monotonic() + _CANCEL_TIMEOUT_S
            while time.monotonic() < deadline:
                self._pgconn.consume_input()
                if not self._pgconn.is_busy() and self._pgconn.get_result() is None:
                    return
                select.select([self._pgconn.socket], [], [], 0.1)
            self._connection.close()
        except psycopg.Error:
            self._connection.close()
        except KeyboardInterrupt:
            # After a second interrupt, do not wait for an answer; the closed session keeps everything else from waiting too.
            self._connection.close()
            raise


def run_sql(connection: psycopg.Connection, sql: str, *, limit_s: float = math.inf) -> str | None:
    """Run one or several of our own statements, in one round trip, and return the first value of the last result.

    They run under our own settings, unless the first one begins or ends what these apply to, or runs in no transaction.
    Without an answer within the limit, the connection is closed, and psycopg.OperationalError is raised.
    """
    own, missing = find_own_settings(connection), find_missing_settings(connection)
    if missing and not sql.startswith(missing) and not _COMMANDS.match(sql):
        sql = f"{missing};\n{sql}"
    execution = Execution(connection, sql, interval_s=min(1.0, limit_s))
    for seconds in execution:
        if seconds >= limit_s:
            connection.close()
            raise psycopg.OperationalError(f"the server did not answer within {limit_s:g} s")
    mark_own(connection, own=not missing or own in sql)
    return execution.value


def roll_back(connection: psycopg.Connection) -> None:
    """Roll back the open transaction, if there is one; the server does that for a session that is gone."""
    if connection.closed or connection.broken or connection.info.transaction_status == pq.TransactionStatus.IDLE:
        return
    run_sql(connection, "ROLLBACK")


def send_rollback(connection: psycopg.Connection) -> None:
    """Send a ROLLBACK, and do not wait for its answer: nothing but `pq.PGconn.prepare` may use the connection afterwards."""
    connection.pgconn.send_query(b"ROLLBACK")
    connection.pgconn.flush()


def is_pooled(connection: psycopg.Connection) -> bool:
    """Return True if the connection goes through a pooler."""
    return isinstance(connection, OwnConnection) and connection.pooled
