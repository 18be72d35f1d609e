"""Run scripts/migrate.py on a machine and read its events as they arrive, with a limit for silence."""

from __future__ import annotations

import json
import queue
import re
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tasks.fly.remote_commands import PID_PREFIX, wrap
from tasks.runner.command_lines import compose_command
from tasks.runner.errors import RefusedError, RunnerError
from tasks.runner.events import (
    EVENT_FORMAT,
    LONGEST_LINE,
    AdoptionWritten,
    BlockersRead,
    CatalogRead,
    ErrorRaised,
    Event,
    FilesRead,
    Heartbeat,
    HistoryRead,
    NumbersRead,
    OutcomeRead,
    ProbeRead,
    RepairProposed,
    RunFinished,
    SessionEnded,
    StatusRead,
    WrongEventError,
    from_json,
)
from tasks.runner.setting_names import WARNING_PREFIX
from tasks.runner.settings import URL_MISSING
from tasks.runner.signals import Stop

if TYPE_CHECKING:
    from fabric import Connection

_LOST_CODES = frozenset({-1, 4294967295})
"""What paramiko returns when the server sent no exit code: https://docs.paramiko.org/en/stable/api/channel.html"""
_LAST = (
    AdoptionWritten,
    BlockersRead,
    CatalogRead,
    ErrorRaised,
    FilesRead,
    HistoryRead,
    NumbersRead,
    OutcomeRead,
    ProbeRead,
    RunFinished,
    SessionEnded,
    StatusRead,
)
"""The last events of a run."""
_BYTES = "latin-1"
"""An encoding in which a character is a byte: Fabric decodes chunk by chunk, and a chunk may end within a character."""
_NOISE_LINES = 20
_KEPT_LINES = 200
"""How many of the last lines on stderr are kept."""
_KEPT_CHARACTERS = 2000
_SHOWN = 40
_LARGEST_FORMAT = 10**6
_PID = re.compile("[0-9]{1,10}")
_PIDS = range(2, 2**31)
"""The process ids that a run may have: numbers that kill takes for one process, and not the first process of the machine."""
_LOOK_EVERY_S = 0.2
_KILL_TIMEOUT_S = 10


@dataclass
class RemoteRun:
    """A script that runs on a machine; iterating it starts the script and yields its events.

    Afterwards `exit_code` is that of the script, or None if the connection was lost before; `complete` is True if the last event
    arrived; `noise` are the lines on stdout that are not events, and `errors` the lines on stderr.
    """

    connection: Connection
    script: str
    stop: Stop
    silence_s: float
    """How long the machine may send nothing before the connection counts as lost."""
    pid: int = 0
    ending: bool = False
    """Whether it was asked to end."""
    started: bool = False
    complete: bool = False
    exit_code: int | None = None
    reason: str = ""
    environment: str = ""
    """The environment of the machine, for an error."""
    noise: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    """What scripts/migrate.py reports about the settings of the machine."""
    errors: list[str] = field(default_factory=list)
    _lines: queue.Queue[str | None] = field(default_factory=queue.Queue)

    def __iter__(self) -> Iterator[Event]:
        """Start the script and yield its events until it ends, a stop is requested, or the connection is lost.

        Raises RefusedError if the events have a newer format, and RunnerError for an event that is not as this tool writes it.
        """
        worker = threading.Thread(target=self._work, args=(_Lines(self._lines.put), _Lines(self._add_error)), daemon=True)
        worker.start()
        yield from self.resume()

    def resume(self) -> Iterator[Event]:
        """Yield the following events, after a stop interrupted the iteration but not the script."""
        last_s = time.monotonic()
        while True:
            self.stop.check()
            try:
                line = self._lines.get(timeout=_LOOK_EVERY_S)
            except queue.Empty:
                if time.monotonic() - last_s > self.silence_s:
                    self.reason = f"no output for {self.silence_s:g} s"
                    return
                continue
            if line is None:
                return
            last_s = time.monotonic()
            event = self._read(line)
            if event is not None:
                self.started = True
                # A proposal that follows BlockersRead has an answer of its own.
                self.complete = isinstance(event, _LAST) or (self.complete and not isinstance(event, RepairProposed))
                if not isinstance(event, Heartbeat):
                    yield event

    def end(self, stop: Stop) -> None:
        """Send SIGTERM to the script as soon as its process id is known; from now on `stop` ends the iteration."""
        self.stop = stop
        self.ending = True
        self._send_end()

    def _send_end(self) -> None:
        """Send the signal; if the connection is lost, the signal is sent again on the next one."""
        if self.pid:
            with suppress(Exception):
                command = wrap(f"kill -TERM {self.pid}")
                self.connection.run(command, hide=True, warn=True, in_stream=False, timeout=_KILL_TIMEOUT_S)

    def _work(self, out: _Lines, err: _Lines) -> None:
        """Run the script with Fabric, which blocks; None in the queue marks its end."""
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

    def _add_error(self, line: str) -> None:
        lines = self.warnings if line.startswith(WARNING_PREFIX) else self.errors
        lines.append(line[:_KEPT_CHARACTERS])
        del lines[:-_KEPT_LINES]

    def _read(self, line: str) -> Event | None:
        if line.startswith(PID_PREFIX) and not self.pid:
            self.pid = self._read_pid(line.removeprefix(PID_PREFIX).strip())
            if self.ending:
                self._send_end()
            return None
        try:
            event = from_json(line)
        except WrongEventError as error:
            check_format(line)
            raise self._refuse(f"an event that cannot be read ({error})") from error
        except ValueError:
            event = None
            if len(self.noise) < _NOISE_LINES and line.strip():
                self.noise.append(line[:_KEPT_CHARACTERS])
        check_format(line)
        if isinstance(event, ErrorRaised) and event.message == URL_MISSING:
            # describe_refusal adds the fix on Fly.
            self.errors.append(event.message)
            return None
        return event

    def _read_pid(self, text: str) -> int:
        """Return a process id; any other number would end other processes than the run."""
        if not _PID.fullmatch(text) or int(text) not in _PIDS:
            raise self._refuse(f"{text[:_SHOWN]!r} as its process id")
        return int(text)

    def _refuse(self, what: str) -> RunnerError:
        history = compose_command("db.history", env=self.environment)
        return RunnerError(
            f"the machine of {self.environment} sent {what}",
            hint=f"Its image may be damaged, or not be yours. See what the run did: {history}",
            state="Only the log of the database shows what the run did.",
        )


def check_format(line: str) -> None:
    """Raise RefusedError for an event of a newer format, even if it could be parsed."""
    if '"format"' not in line:
        return
    with suppress(ValueError, RecursionError):
        data = json.loads(line[: LONGEST_LINE + 1])
        number = data.get("format") if isinstance(data, dict) and "kind" in data else None
        if isinstance(number, int) and number > EVENT_FORMAT:
            version = f" ({str(data['tool_version'])[:_SHOWN]})" if data.get("tool_version") else ""
            number = min(number, _LARGEST_FORMAT)
            raise RefusedError(
                f"the machine has a newer version of this tool{version}: its events have format {number}, "
                f"this tool reads formats up to {EVENT_FORMAT}",
                hint="Run git pull first.",
                state="Nothing was changed.",
            )


class _Lines:
    """A stream that passes on complete lines."""

    encoding = _BYTES

    def __init__(self, pass_on: Any) -> None:
        self._pass_on = pass_on
        self._pieces: list[str] = []
        self._length = 0

    def write(self, text: str) -> None:
        """Add a chunk of text, which may end anywhere; of a line of more than LONGEST_LINE bytes, the beginning is kept."""
        *ends, rest = text.split("\n")
        for end in ends:
            self._add(end)
            self._pass_line()
        self._add(rest)

    def _add(self, piece: str) -> None:
        kept = piece[: max(0, LONGEST_LINE + 1 - self._length)]
        self._pieces.append(kept)
        self._length += len(kept)

    def flush(self) -> None:
        """Do nothing: complete lines were passed on."""

    def end(self) -> None:
        """Pass on the text after the last newline."""
        if any(self._pieces):
            self._pass_line()

    def _pass_line(self) -> None:
        line, self._pieces, self._length = "".join(self._pieces), [], 0
        # A line that is too long stays as it is, so that its reader finds it too long as well.
        self._pass_on(line if len(line) > LONGEST_LINE else line.encode(_BYTES).decode(errors="replace"))
