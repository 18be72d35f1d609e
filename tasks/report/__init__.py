"""The report: prints the events of a run on a terminal, as plain lines, or as JSON lines."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, TextIO

from tasks.console import JsonReport, PlainReport, print_events
from tasks.console.streams import share_file
from tasks.report.annotations import annotate_error, print_annotations
from tasks.runner.errors import RunnerError, describe_error

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tasks.runner.events import Event


def report(events: Iterable[Event], *, stream: TextIO | None = None, json: bool = False, verbose: bool = False) -> Event | None:
    """Print every event as it comes and return the last one.

    Whatever the events raise passes through, once the terminal is as it was and the run is closed.
    """
    stream = stream or sys.stdout
    if json:
        return print_events(events, JsonReport(stream).write)
    joined = stream is sys.stdout and share_file()
    if not _is_terminal(stream):
        return print_events(events, PlainReport(stream, verbose=verbose, joined=joined).write)
    from tasks.report.terminal import TerminalReport  # rich takes longer to import than all the rest

    with TerminalReport(stream, verbose=verbose, joined=joined) as terminal:
        return print_events(events, terminal.write)


def report_error(error: RunnerError, url: str = "", *, stream: TextIO | None = None, json: bool = False) -> None:
    """Print an error that ended a run, or was raised before it: as text on stderr, as JSON on stdout."""
    event = describe_error(error, url)
    stream = stream or (sys.stdout if json else sys.stderr)
    announced = error.announced if share_file() else None
    if json:
        JsonReport(stream).write(event)
    elif not _is_terminal(stream):
        PlainReport(stream).write_error(event, announced)
    else:
        from tasks.report.terminal import TerminalReport

        with TerminalReport(stream) as terminal:
            terminal.write_error(event, announced)
    print_annotations([annotate_error(event)])


def _is_terminal(stream: TextIO) -> bool:
    """Return True if the stream can show colours, move its cursor and print the symbols that are used."""
    encoding = (getattr(stream, "encoding", None) or "").lower().replace("-", "")
    return stream.isatty() and os.environ.get("TERM", "dumb") not in {"dumb", "unknown"} and encoding.startswith("utf")
