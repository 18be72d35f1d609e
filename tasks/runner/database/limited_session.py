"""A session in which nothing takes longer than a limit, for queries that only observe."""

from __future__ import annotations

import select
import time
from collections.abc import Sequence

import psycopg
from psycopg import pq, sql
from psycopg.conninfo import make_conninfo

from tasks.runner.errors import Interruption
from tasks.runner.signals import Stop

_READS, _WRITES = pq.PollingStatus.READING, pq.PollingStatus.WRITING


class NoAnswerError(psycopg.OperationalError):
    """Nothing was heard within the limit."""


class LimitedSession:
    """A session that is given up after `limit_s` seconds without a connection or an answer, and at once on a stop.

    All methods raise psycopg.Error, after which the session must be closed, and Interruption. The limit is ours, because the
    server's timeouts do not end the wait for a pooler that has no backend. libpq resolves the name of the host without a limit.
    """

    def __init__(self, url: str, *, name: str, stop: Stop, limit_s: float) -> None:
        self._stop = stop
        self._limit_s = limit_s
        self._pgconn = pq.PGconn.connect_start(make_conninfo(url, application_name=name, client_encoding="UTF8").encode())
        try:
            self._connect()
        except BaseException:
            self._pgconn.finish()
            raise

    def query(self, queries: Sequence[str], **values: str) -> list[list[tuple[str, ...]]]:
        """Return the rows of each query, all from one READ ONLY transaction in one round trip; NULL is an empty text.

        The settings are those of the transaction: behind a pooler, others would reach the next client.
        """
        settings = f"SET LOCAL statement_timeout = {round(self._limit_s * 1000)}; SET LOCAL search_path = pg_catalog, pg_temp"
        literals = {name: sql.quote(value) for name, value in values.items()}
        text = ";".join(query % literals for query in queries)
        deadline = time.monotonic() + self._limit_s
        self._pgconn.send_query(f"BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY; {settings}; {text}; COMMIT".encode())
        found: list[list[tuple[str, ...]]] = []
        while True:
            while (unsent := self._pgconn.flush()) or self._pgconn.is_busy():
                self._wait(_WRITES if unsent else _READS, deadline)
                self._pgconn.consume_input()
            result = self._pgconn.get_result()
            if result is None:
                return found
            if result.status == pq.ExecStatus.FATAL_ERROR:
                raise psycopg.errors.error_from_result(result, encoding="utf-8")
            if result.status == pq.ExecStatus.TUPLES_OK:
                found.append(_read_rows(result))

    def close(self) -> None:
        """Close the session, without waiting for the server."""
        self._pgconn.finish()

    def _connect(self) -> None:
        deadline = time.monotonic() + self._limit_s
        # https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PQCONNECTSTARTPARAMS
        status = _WRITES
        while self._pgconn.status != pq.ConnStatus.BAD and status != pq.PollingStatus.OK:
            if status == pq.PollingStatus.FAILED:
                break
            self._wait(status, deadline)
            status = pq.PollingStatus(self._pgconn.connect_poll())
        if self._pgconn.status != pq.ConnStatus.OK:
            raise psycopg.OperationalError(self._pgconn.get_error_message())
        self._pgconn.nonblocking = 1

    def _wait(self, status: pq.PollingStatus, deadline: float) -> None:
        """Wait until the socket is ready to be read or written."""
        socket = [self._pgconn.socket]
        readers: list[int | Stop] = [*(socket if status == _READS else []), self._stop]
        writers = socket if status == _WRITES else []
        remaining = max(deadline - time.monotonic(), 0.0)
        ready, writable, _ = select.select(readers, writers, [], remaining)
        if self._stop in ready:
            raise Interruption(self._stop.signal_name)
        if not ready and not writable:
            raise NoAnswerError("no answer in time")


def _read_rows(result: pq.abc.PGresult) -> list[tuple[str, ...]]:
    columns = range(result.nfields)
    return [tuple((result.get_value(row, column) or b"").decode() for column in columns) for row in range(result.ntuples)]
