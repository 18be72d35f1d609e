"""The report: prints the events of a run on a terminal, as plain lines, or as JSON lines."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, TextIO

from tasks.console import JsonReport, PlainReport, print_events

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tasks.runner.events import ErrorRaised, Event


def report(events: Iterable[Event], *, stream: TextIO | None = None, json: bool = False, verbose: bool = False) -> Event | None:
    """Print every event as it comes and return the last one.

    Whatever the events raise passes through, once the terminal is as it was and the run is closed.
    """
    stream = stream or sys.stdout
    if json:
        return print_events(events, JsonReport(stream).write)
    if not _is_terminal(stream):
        return print_events(events, PlainReport(stream, verbose=verbose).write)
    from tasks.report.terminal import TerminalReport  # rich takes longer to import than all the rest

    with TerminalReport(stream, verbose=verbose) as terminal:
        return print_events(events, terminal.write)


def report_error(error: ErrorRaised, *, stream: TextIO | None = None, json: bool = False) -> None:
    """Print an error that was raised before a run started: as text on stderr, as JSON on stdout."""
    report([error], stream=stream or (sys.stdout if json else sys.stderr), json=json)


def _is_terminal(stream: TextIO) -> bool:
    """Return True if the stream can show colours, move its cursor and print the symbols that are used."""
    encoding = (getattr(stream, "encoding", None) or "").lower().replace("-", "")
    return stream.isatty() and os.environ.get("TERM", "dumb") not in {"dumb", "unknown"} and encoding.startswith("utf")
