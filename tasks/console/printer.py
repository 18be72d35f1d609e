"""The printers without colour: plain lines for people, JSON lines for programs."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, TextIO

from tasks.console.formatters import announces, format_error, format_event, format_repeated_retry
from tasks.console.lines import Style
from tasks.console.streams import disarm, is_github_job
from tasks.runner import events
from tasks.runner.errors import RunnerError

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable

    from tasks.console.lines import Line

_PERCENT_STEP = 10
_REPEATED = frozenset({"waiting", "lock_awaited", "index_advanced"})
"""The kinds of events that repeat. A kind, because the classes are imported only by a run that emits them."""
_JOINED = frozenset({"retried", "step_failed", "error_raised"})
"""The kinds of events that are printed as what was printed before requires."""


def describe(event: events.Event, *, verbose: bool = False) -> list[str]:
    """Return the plain lines for an event, without colour."""
    return [line.text for line in format_event(event, Style(verbose=verbose))]


def print_events(stream_of_events: Iterable[events.Event], write: Callable[[events.Event], None]) -> events.Event | None:
    """Write every event and return the last one; on an error the events are closed at once, so that the run rolls back."""
    last = None
    try:
        for last in stream_of_events:
            write(last)
    except RunnerError as error:
        error.announced = last
        raise
    finally:
        close = getattr(stream_of_events, "close", None)
        if close:
            close()
    return last


class OutputStream:
    """A stream that is written line by line, whatever its encoding."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._disarms = is_github_job()

    def write(self, text: str) -> None:
        """Write a line and flush; characters that the stream cannot encode become question marks.

        In a job of GitHub Actions, workflow commands in the text are escaped.
        """
        text = disarm(text) if self._disarms else text
        try:
            self._stream.write(text + "\n")
        except UnicodeEncodeError:
            encoding = self._stream.encoding or "ascii"
            self._stream.write(text.encode(encoding, "replace").decode(encoding) + "\n")
        self._stream.flush()


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
    """Print each event as plain lines; what repeats during a wait is printed less and less often.

    `joined` means that errors are printed to the same file: the line of a failed step is then left to its error.
    """

    def __init__(self, stream: TextIO | None = None, *, verbose: bool = False, joined: bool = False) -> None:
        self._outlet = OutputStream(stream or sys.stdout)
        self._style = Style(verbose=verbose)
        self._repeats = Repeats()
        self._announcement = Announcement(joined=joined)

    def write(self, event: events.Event) -> None:
        """Print an event."""
        if isinstance(event, events.FilesFound):
            self._style = Style(verbose=self._style.verbose, what=event.what)
        if not self._repeats.is_news(event):
            return
        self._print(self._announcement.format(event, self._style))

    def write_error(self, event: events.ErrorRaised, announced: events.Event | None) -> None:
        """Print an error that ended the events after `announced`, if that was printed to the same file."""
        self._print(format_error(event, self._style, announced=announced, printed=isinstance(announced, events.PlanMade)))

    def _print(self, lines: list[Line]) -> None:
        if lines:
            self._outlet.write("\n".join(line.text for line in lines))


def _is_repeated(before: events.Retried, event: events.Retried) -> bool:
    """Return True if a retry repeats what is known: the place, the reason and the blockers."""
    known, new = ((each.version, each.line, each.reason, [b.pid for b in each.blockers]) for each in (before, event))
    return known == new


class Announcement:
    """What was printed before an event: a failed step whose line is deferred until its error, a plan that is refused, a retry."""

    def __init__(self, *, joined: bool) -> None:
        self._joined = joined
        self._last: events.Event | None = None
        self._retried: events.Retried | None = None

    def format(self, event: events.Event, style: Style) -> list[Line]:
        """Return the lines for an event, with those of a failed step that was deferred, unless this is its error."""
        last, self._last = self._last, event
        if event.kind not in _JOINED and (last is None or last.kind not in _JOINED):
            return format_event(event, style)
        if isinstance(event, events.Retried):
            before, self._retried = self._retried, event
            if before and _is_repeated(before, event):
                return format_repeated_retry(event)
        is_deferred = self._joined and isinstance(last, events.StepFailed)
        deferred = format_event(last, style) if is_deferred and last is not None else []
        if isinstance(event, events.ErrorRaised):
            lines = format_error(event, style, announced=last, printed=not is_deferred)
            return lines if announces(last, event) else [*deferred, *lines]
        if self._joined and isinstance(event, events.StepFailed):
            return deferred
        return [*deferred, *format_event(event, style)]


class Repeats:
    """Which repeated events are printed: a new blocker or phase always, the same one only after twice the time."""

    def __init__(self) -> None:
        self._last: dict[type, tuple[Hashable, float]] = {}

    def is_news(self, event: events.Event) -> bool:
        """Return True if an event is to be printed, given those before it."""
        if event.kind not in _REPEATED:
            return True
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
