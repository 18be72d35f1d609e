"""Running scripts/migrate.py on a machine and reading its events as they come, and noticing when they no longer do."""

from __future__ import annotations

import json
import queue
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tasks.fly.remote_commands import PID_PREFIX, wrap
from tasks.fly.timeouts import read_patience
from tasks.runner.errors import RefusedError
from tasks.runner.events import (
    EVENT_FORMAT,
    AdoptionWritten,
    CatalogRead,
    ErrorRaised,
    Event,
    FilesRead,
    Heartbeat,
    HistoryRead,
    OutcomeRead,
    ProbeRead,
    RunFinished,
    StatusRead,
    from_json,
)
from tasks.runner.settings import URL_MISSING
from tasks.runner.signals import Stop

if TYPE_CHECKING:
    from fabric import Connection

_LOST_CODES = frozenset({-1, 4294967295})
"""What stands for an exit code when the other side never told one: https://docs.paramiko.org/en/stable/api/channel.html"""
_LAST = (AdoptionWritten, CatalogRead, ErrorRaised, FilesRead, HistoryRead, OutcomeRead, ProbeRead, RunFinished, StatusRead)
"""The events that end what a run says."""
_BYTES = "latin-1"
"""The encoding in which a character is a byte: Fabric decodes piece by piece, and a piece may end within a letter."""
_NOISE_LINES = 20
_LOOK_EVERY_S = 0.2
_KILL_TIMEOUT_S = 10


@dataclass
class RemoteRun:
    """Run one script on a machine; iterating gives its events.

    Afterwards `exit_code` is the script's, or None where the connection broke and nobody knows; `complete` tells whether it said
    all that it had to say; `noise` holds what it printed that is no event, and `errors` its last words on standard error.
    """

    connection: Connection
    script: str
    stop: Stop
    pid: int = 0
    ending: bool = False
    """Whether it was asked to end."""
    spoke: bool = False
    complete: bool = False
    exit_code: int | None = None
    reason: str = ""
    noise: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    _lines: queue.Queue[str | None] = field(default_factory=queue.Queue)

    def __iter__(self) -> Iterator[Event]:
        """Start the script and give its events until it ends, a stop is requested, or the connection is lost.

        Raises RefusedError where the events are of a newer format than we know.
        """
        worker = threading.Thread(target=self._work, args=(_Lines(self._lines.put), _Lines(self.errors.append)), daemon=True)
        worker.start()
        yield from self.resume()

    def resume(self) -> Iterator[Event]:
        """Go on giving events, after a stop broke off the giving but not the script."""
        heard, silence_s = time.monotonic(), read_patience().silence_s
        while True:
            self.stop.check()
            try:
                line = self._lines.get(timeout=_LOOK_EVERY_S)
            except queue.Empty:
                if time.monotonic() - heard > silence_s:
                    self.reason = f"nothing was heard for {silence_s:g} s"
                    return
                continue
            if line is None:
                return
            heard = time.monotonic()
            event = self._read(line)
            if event is not None:
                self.spoke = True
                self.complete = self.complete or isinstance(event, _LAST)
                if not isinstance(event, Heartbeat):
                    yield event

    def end(self, stop: Stop) -> None:
        """Ask the script's process to end in order, as soon as its id is known; from now on `stop` ends the giving of events."""
        self.stop = stop
        self.ending = True
        self._send_end()

    def _send_end(self) -> None:
        """Send the signal; a connection that does not carry it will be found out to be lost, and it is sent again on another."""
        if self.pid:
            with suppress(Exception):
                command = wrap(f"kill -TERM {self.pid}")
                self.connection.run(command, hide=True, warn=True, in_stream=False, timeout=_KILL_TIMEOUT_S)

    def _work(self, out: _Lines, err: _Lines) -> None:
        """Run the script in Fabric's way, which blocks; the end of the queue tells that it is over."""
        try:
            result: Any = self.connection.run(
                wrap(self.script),
                out_stream=out,
                err_stream=err,
                encoding=_BYTES,
                warn=True,
                hide=False,
                in_stream=False,
                pty=False,
            )
            if result.exited in _LOST_CODES:
                self.reason = self.reason or "it was closed"
            else:
                self.exit_code = result.exited
        except Exception as error:
            self.reason = self.reason or (str(error).splitlines()[0] if str(error) else type(error).__name__)
        finally:
            with suppress(Exception):
                out.end()
                err.end()
            self._lines.put(None)

    def _read(self, line: str) -> Event | None:
        if line.startswith(PID_PREFIX) and not self.pid:
            self.pid = int(line.removeprefix(PID_PREFIX))
            if self.ending:
                self._send_end()
            return None
        try:
            event = from_json(line)
        except ValueError:
            event = None
            if len(self.noise) < _NOISE_LINES and line.strip():
                self.noise.append(line)
        check_format(line)
        if isinstance(event, ErrorRaised) and event.message == URL_MISSING:
            # What a machine lacks is told with what to do about it on Fly.
            self.errors.append(event.message)
            return None
        return event


def check_format(line: str) -> None:
    """Raise RefusedError for an event of a newer format, whether or not it could be read as one of ours."""
    if '"format"' not in line:
        return
    with suppress(ValueError):
        data = json.loads(line)
        number = data.get("format") if isinstance(data, dict) and "kind" in data else None
        if isinstance(number, int) and number > EVENT_FORMAT:
            version = f" ({data['tool_version']})" if data.get("tool_version") else ""
            raise RefusedError(
                f"the machine has a newer version of this tool{version}: its events have format {number}, "
                f"this tool knows formats up to {EVENT_FORMAT}",
                hint="Pull first.",
                state="Nothing was changed.",
            )


class _Lines:
    """A stream that passes on whole lines."""

    encoding = _BYTES

    def __init__(self, pass_on: Any) -> None:
        self._pass_on = pass_on
        self._pieces: list[str] = []

    def write(self, text: str) -> None:
        """Take a piece of text, which may end anywhere."""
        *ends, rest = text.split("\n")
        for end in ends:
            self._pieces.append(end)
            self._pass_whole()
        self._pieces.append(rest)

    def flush(self) -> None:
        """Do nothing: what is whole was passed on."""

    def end(self) -> None:
        """Pass on what came after the last line's end."""
        if any(self._pieces):
            self._pass_whole()

    def _pass_whole(self) -> None:
        line, self._pieces = "".join(self._pieces), []
        self._pass_on(line.encode(_BYTES).decode(errors="replace"))
