"""The printers without colour: plain lines for people, JSON lines for programs."""

from __future__ import annotations

import json
import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, TextIO

from tasks.console.formatters import format_error, format_event
from tasks.console.lines import Style
from tasks.runner import events

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable

_PERCENT_STEP = 10


def describe(event: events.Event, *, verbose: bool = False) -> list[str]:
    """Return the plain lines for an event, without colour."""
    return [line.text for line in format_event(event, Style(verbose=verbose))]


def print_events(stream_of_events: Iterable[events.Event], write: Callable[[events.Event], None]) -> events.Event | None:
    """Write every event and return the last one; on an error the events are closed at once, so that the run rolls back."""
    last = None
    try:
        for last in stream_of_events:
            write(last)
    finally:
        close = getattr(stream_of_events, "close", None)
        if close:
            close()
    return last


class OutputStream:
    """A stream that is written line by line, whatever its encoding.

    After the reader has gone (`inv db.migrate | head`) lines are dropped: a run must not stop at a closed pipe.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._is_open = True

    def write(self, text: str) -> None:
        """Write a line and flush; characters that the stream cannot encode become question marks."""
        if not self._is_open:
            return
        try:
            self._stream.write(text + "\n")
        except UnicodeEncodeError:
            encoding = self._stream.encoding or "ascii"
            self._stream.write(text.encode(encoding, "replace").decode(encoding) + "\n")
        except BrokenPipeError:
            self._close()
        self._flush()

    def _flush(self) -> None:
        try:
            self._stream.flush()
        except BrokenPipeError:
            self._close()

    def _close(self) -> None:
        """Redirect the stream to the null device, since Python flushes it once more at exit.

        https://docs.python.org/3/library/signal.html#note-on-sigpipe
        """
        self._is_open = False
        with suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())
            os.close(nowhere)


class JsonReport:
    """Print each event as one line of JSON and nothing else."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stdout
        self._outlet = OutputStream(self._stream)

    def write(self, event: events.Event) -> None:
        """Print an event; in ASCII if the encoding of the stream has no room for it."""
        line = events.to_json(event)
        try:
            line.encode(self._stream.encoding or "utf-8")
        except UnicodeEncodeError:
            line = json.dumps(json.loads(line))
        self._outlet.write(line)


class PlainReport:
    """Print each event as plain lines; what repeats during a wait is printed less and less often."""

    def __init__(self, stream: TextIO | None = None, *, verbose: bool = False) -> None:
        self._outlet = OutputStream(stream or sys.stdout)
        self._style = Style(verbose=verbose)
        self._repeats = Repeats()
        self._reported = ""

    def write(self, event: events.Event) -> None:
        """Print an event."""
        if isinstance(event, events.FilesFound):
            self._style = Style(verbose=self._style.verbose, what=event.what)
        if not self._repeats.is_news(event):
            return
        if isinstance(event, events.ErrorRaised):
            lines = format_error(event, self._style, reported=self._reported)
        else:
            lines = format_event(event, self._style)
        self._reported = event.message if isinstance(event, events.StepFailed) else ""
        if lines:
            self._outlet.write("\n".join(line.text for line in lines))


class Repeats:
    """Which repeated events are printed: a new blocker or phase always, the same one only after twice the time."""

    def __init__(self) -> None:
        self._last: dict[type, tuple[Hashable, float]] = {}

    def is_news(self, event: events.Event) -> bool:
        """Return True if an event is to be printed, given those before it."""
        match event:
            case events.Waiting(version, line, seconds_s, blockers):
                pids = tuple(blocker.pid for blocker in blockers)
                return self._passes(event, (version, line, pids), seconds_s, seconds_s * 2)
            case events.LockAwaited(holder, seconds_s):
                return self._passes(event, holder.pid if holder else 0, seconds_s, seconds_s * 2)
            case events.IndexAdvanced(version, line, phase, percent):
                return self._passes(event, (version, line, phase), percent, percent + _PERCENT_STEP)
        return True

    def _passes(self, event: events.Event, key: Hashable, amount: float, following: float) -> bool:
        known, threshold = self._last.get(type(event), ((), 0.0))
        if key == known and amount < threshold:
            return False
        self._last[type(event)] = (key, following)
        return True
