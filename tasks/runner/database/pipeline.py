"""The pipeline mode of libpq: commands are sent before those ahead of them are answered, so that all of them take one round trip.

The server runs them in order, and after an error skips everything up to the next synchronization.
https://www.postgresql.org/docs/current/libpq-pipeline-mode.html
"""

from __future__ import annotations

import select
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

import psycopg
from psycopg import errors, pq

from tasks.runner.database.own_connection import mark_own
from tasks.runner.errors import Interruption
from tasks.runner.signals import Stop

_OLDEST_LIBPQ = 140000
_CANCEL_EVERY_S = 0.2
"""How long to wait before cancelling again: a request that arrives between two commands is without effect."""
_CANCEL_TIMEOUT_S = 10.0
_MOST_COMMANDS = 256
_MOST_BYTES = 1 << 18
"""How much may be sent before it is answered: it bounds the memory of both sides, whatever the size of a file."""
_PIPELINE_ENDS = frozenset({pq.ExecStatus.PIPELINE_SYNC, pq.ExecStatus.PIPELINE_ABORTED})


@dataclass(frozen=True, slots=True)
class PipelineCommand:
    """A command of a pipeline: one statement as SQL, or the name of a prepared one with the values of its parameters."""

    text: bytes
    values: Sequence[bytes | None] | None = None
    prepares: bytes = b""
    """The name under which the text is prepared, instead of being run."""


class Pipeline:
    """The pipeline of one session; the commands that it sends are those of `Execution`, but one statement each.

    The extended query protocol, which a pipeline needs, knows parameters, and so `$1` in a text is one. Reading an answer raises
    psycopg.Error if the server refuses the command, and Interruption on a stop; afterwards `abandon` must be called, before
    anything else is sent in the session. `row` is the first row of the last answer, and `tag` is its command tag.
    """

    def __init__(self, connection: psycopg.Connection) -> None:
        self._connection = connection
        self._pgconn = connection.pgconn
        self._sizes: deque[int] = deque()
        self._bytes = 0
        self._failed = self._is_synchronized = False
        self._is_unsent = True
        """Whether something may be in the buffer of libpq."""
        self._flushed = 0
        """How many of the commands that are not answered yet have left the buffer."""
        self._unheard_at = 0.0
        """The last moment at which an answer had to be waited for."""
        self.started_at = 0.0
        """The earliest moment at which the current command can have begun, as far as that is known."""
        self.row: tuple[str | None, ...] = ()
        self.tag = b""

    @staticmethod
    def is_supported() -> bool:
        """Return True if libpq knows pipelines whose answers can be asked for one by one."""
        return pq.version() >= _OLDEST_LIBPQ and pq.__build_version__ >= _OLDEST_LIBPQ

    @property
    def is_open(self) -> bool:
        """Return True if the session is in pipeline mode."""
        return self._pgconn.status == pq.ConnStatus.OK and self._pgconn.pipeline_status != pq.PipelineStatus.OFF

    @property
    def has_room(self) -> bool:
        """Return True if another command may be sent before one is answered."""
        return not self._sizes or (len(self._sizes) < _MOST_COMMANDS and self._bytes < _MOST_BYTES)

    @property
    def is_filled(self) -> bool:
        """Return True if sending more commands can wait, because enough of them are not answered yet."""
        return len(self._sizes) > _MOST_COMMANDS // 2 or self._bytes > _MOST_BYTES // 2

    def belongs_to(self, connection: psycopg.Connection) -> bool:
        """Return True if the pipeline is that of a session."""
        return self._connection is connection

    def enter(self) -> None:
        """Enter pipeline mode, if the session is not in it."""
        if self.is_open:
            return
        self._sizes.clear()
        self._bytes, self._flushed, self._unheard_at = 0, 0, time.monotonic()
        self._failed = self._is_synchronized = False
        mark_own(self._connection, own=False)
        self._pgconn.enter_pipeline_mode()

    def send(self, *commands: PipelineCommand) -> None:
        """Send commands, at the latest when an answer is waited for."""
        for command in commands:
            if command.prepares:
                self._pgconn.send_prepare(command.prepares, command.text)
            elif command.values is not None:
                self._pgconn.send_query_prepared(command.text, command.values)
            else:
                self._pgconn.send_query_params(command.text, None)
            size = len(command.text) + sum(len(value or b"") for value in command.values or ())
            self._sizes.append(size)
            self._bytes += size
        self._is_unsent = True

    def flush(self) -> None:
        """Send what was not sent yet, as far as the server takes it."""
        self._is_unsent = bool(self._pgconn.flush())
        if not self._is_unsent:
            self._flushed = len(self._sizes)

    def request_answers(self) -> None:
        """Ask the server to send the answers up to here, without waiting for more commands."""
        self._pgconn.send_flush_request()
        self._is_unsent = True

    def read(self, *, stop: Stop | None = None, interval_s: float = 1.0) -> Iterator[float]:
        """Wait for the next answer; yield the elapsed seconds at each interval."""
        if stop:
            stop.check()
        yield from self._wait(stop, interval_s)
        self._take()

    def finish(self, count: int, *, stop: Stop | None = None) -> None:
        """Wait for some answers."""
        for _ in range(count):
            if self._is_unsent or self._pgconn.is_busy():
                for _ in self._wait(stop, 1.0):
                    pass
            else:
                self.started_at = self._unheard_at
            self._take()

    def synchronize(self) -> None:
        """End the pipeline with the commands so far; `leave` waits for that."""
        self._pgconn.pipeline_sync()
        self._is_synchronized = self._is_unsent = True

    def leave(self) -> None:
        """Leave pipeline mode when the server has answered everything."""
        if not self.is_open:
            return
        if not self._is_synchronized:
            self.synchronize()
        self._drain(None)
        self._pgconn.exit_pipeline_mode()

    def abandon(self) -> None:
        """Leave pipeline mode after an error, or to stop: cancel what is not answered; a session without an answer is closed."""
        if not self.is_open:
            return
        try:
            if not self._is_synchronized:
                self.synchronize()
            if self._failed or not self._sizes:
                self._drain(_CANCEL_TIMEOUT_S)
            else:
                self._cancel()
            self._pgconn.exit_pipeline_mode()
        except (psycopg.Error, TimeoutError):
            self._connection.close()
        except KeyboardInterrupt:
            # After a second interrupt, do not wait for an answer; the closed session keeps everything else from waiting too.
            self._connection.close()
            raise

    def _cancel(self) -> None:
        deadline = time.monotonic() + _CANCEL_TIMEOUT_S
        while time.monotonic() < deadline:
            self._connection.cancel_safe(timeout=_CANCEL_TIMEOUT_S)
            with suppress(TimeoutError):
                self._drain(_CANCEL_EVERY_S)
                return
        raise psycopg.OperationalError("the server did not end the statement")

    def _drain(self, limit_s: float | None) -> None:
        """Read all answers up to that of the synchronization; raises TimeoutError after the limit."""
        start = time.monotonic()
        while True:
            for _ in self._wait(None, 1.0 if limit_s is None else limit_s):
                if limit_s is not None and time.monotonic() - start >= limit_s:
                    raise TimeoutError
            result = self._pgconn.get_result()
            if result is not None and result.status == pq.ExecStatus.PIPELINE_SYNC:
                self._sizes.clear()
                self._bytes = self._flushed = 0
                return
            if self._pgconn.status != pq.ConnStatus.OK:
                raise psycopg.OperationalError(self._pgconn.get_error_message())

    def _take(self) -> None:
        """Take the answer that has arrived."""
        result = self._pgconn.get_result()
        if result is None:
            raise psycopg.OperationalError(self._pgconn.get_error_message())
        if result.status == pq.ExecStatus.FATAL_ERROR:
            self._failed = True
            raise self._build_error(result)
        if result.status in _PIPELINE_ENDS:
            raise psycopg.InternalError("an answer to another command")
        # The end of the answers to this command.
        self._pgconn.get_result()
        self._bytes -= self._sizes.popleft()
        self._flushed = max(self._flushed - 1, 0)
        self.tag = result.command_status or b""
        values = (result.get_value(0, column) for column in range(result.nfields if result.ntuples else 0))
        self.row = tuple(None if value is None else value.decode(errors="replace") for value in values)

    def _build_error(self, result: pq.abc.PGresult) -> psycopg.Error:
        """Return the error of a result; libpq makes one itself, without a SQLSTATE, when the connection is lost."""
        if result.error_field(pq.DiagnosticField.SQLSTATE) is None:
            return psycopg.OperationalError(result.error_message.decode(errors="replace").strip())
        return errors.error_from_result(result, encoding="utf-8")

    def _wait(self, stop: Stop | None, interval_s: float) -> Iterator[float]:
        """Send what is unsent, and wait for an answer; yield at each interval, raise Interruption on a stop."""
        pgconn = self._pgconn
        was_sent = self._flushed > 0
        if self._is_unsent:
            self.flush()
        unsent = self._is_unsent
        start = time.monotonic()
        # A command that was sent ahead may have begun, and ended, while nothing was read.
        self.started_at = self._unheard_at if was_sent else start
        if not pgconn.is_busy():
            return
        socket = pgconn.socket
        readers: list[int | Stop] = [socket, stop] if stop else [socket]
        while pgconn.is_busy():
            now = time.monotonic()
            ready, writable, _ = select.select(readers, [socket] if unsent else [], [], 0)
            if socket not in ready:
                self._unheard_at = now
            if not ready and not writable:
                ready, writable, _ = select.select(readers, [socket] if unsent else [], [], interval_s)
            if stop and stop in ready:
                raise Interruption(stop.signal_name)
            if socket in ready:
                pgconn.consume_input()
            elif not writable:
                yield time.monotonic() - start
            if unsent:
                self.flush()
                unsent = self._is_unsent
