"""The standard streams of a program, guarded: a full disk or a closed stream never changes what happens to a database."""

from __future__ import annotations

import io
import os
import re
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import IO

_NUMBERS = {"stdin": 0, "stdout": 1, "stderr": 2}


_COMMAND = re.compile(r"^(\s*):(?=:)|##(?=\[)", re.MULTILINE)
"""What GitHub Actions takes for a workflow command in the log of a job.

https://github.com/actions/runner/blob/main/src/Runner.Common/ActionCommand.cs
"""


class GuardedStream(io.TextIOWrapper):
    """A standard stream that never raises OSError: after a failure everything is dropped, and `failure` is the reason.

    A reader that has gone (`inv db.migrate | head`) is not a failure. Characters that the stream cannot encode become ?.
    """

    def __init__(self, buffer: IO[bytes], *, encoding: str, errors: str, line_buffering: bool, failure: str = "") -> None:
        super().__init__(buffer, encoding=encoding, errors=errors, line_buffering=line_buffering)
        self.failure = ""
        self.replaced: io.TextIOWrapper | None = None
        """The stream that this one replaces; it is kept, because its end could close the descriptor."""
        self._is_open = True
        self._failure_at_first_write = failure

    def write(self, text: str, /) -> int:
        """Write a text, or drop it."""
        if self._failure_at_first_write:
            self.failure = self._failure_at_first_write
        elif self._is_open:
            try:
                return super().write(text)
            except OSError as error:
                self._fail(error)
        return len(text)

    def flush(self) -> None:
        """Flush what was written, or drop it."""
        try:
            super().flush()
        except OSError as error:
            self._fail(error)

    def _fail(self, error: OSError) -> None:
        """Redirect the descriptor to the null device, since Python flushes the stream once more at exit.

        https://docs.python.org/3/library/signal.html#note-on-sigpipe
        """
        if not isinstance(error, BrokenPipeError):
            self.failure = self.failure or error.strerror or str(error)
        self._is_open = False
        with suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.fileno())
            os.close(nowhere)


def guard_streams() -> None:
    """Replace stdout and stderr by guarded streams; a program calls this once, before it opens any file.

    A standard descriptor that is closed gets the null device: otherwise the next connection to a database would get its number,
    and a child process would write its messages to the server.
    """
    for name, number in _NUMBERS.items():
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
        if name != "stdin":
            _guard(name, number)


def _guard(name: str, number: int) -> None:
    stream = getattr(sys, name)
    if isinstance(stream, GuardedStream):
        return
    if stream is None:
        closed = GuardedStream(
            open(number, "wb", closefd=False),  # noqa: SIM115 (open until the process ends)
            encoding="utf-8",
            errors="replace",
            line_buffering=True,
            failure="it is closed",
        )
        setattr(sys, name, closed)
        setattr(sys, f"__{name}__", closed)
    elif isinstance(stream, io.TextIOWrapper):
        encoding = stream.encoding
        # With PYTHONUNBUFFERED a stream writes through instead of line by line: neither may become fully buffered.
        line_buffering = stream.line_buffering or stream.write_through
        errors = "replace" if stream.errors == "strict" else stream.errors or "replace"
        with suppress(OSError, ValueError):
            stream.flush()
        # Detached, the old stream would be useless for its other owners, such as a test runner.
        raw = open(stream.fileno(), "wb", closefd=False)  # noqa: SIM115 (open until the process ends)
        guarded = GuardedStream(raw, encoding=encoding, errors=errors, line_buffering=line_buffering)
        guarded.replaced = stream
        setattr(sys, name, guarded)
        setattr(sys, f"__{name}__", guarded)


def report_lost_output() -> bool:
    """Print a line on stderr if output was lost; return True if it was."""
    lost = ""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if isinstance(stream, GuardedStream):
            stream.flush()
            if stream.failure:
                lost = lost or f"{name} could not be written: {stream.failure}"
    if lost:
        print(f"ERROR: {lost}. The command ran to its end; `history` shows its result.", file=sys.stderr)
    return bool(lost)


def is_github_job(environ: Mapping[str, str] = os.environ) -> bool:
    """Return True in a job of GitHub Actions."""
    return environ.get("GITHUB_ACTIONS") == "true"


def disarm(text: str) -> str:
    """Return a text without workflow commands, which a name, a query or a file could contain; the escapes are those of JSON."""
    return _COMMAND.sub(lambda match: r"#\u0023" if match[0] == "##" else rf"{match[1]}\u003a", text)


def share_file() -> bool:
    """Return True if stdout and stderr are the same file, terminal or pipe, so that a line on both would be read twice."""
    try:
        return os.path.sameopenfile(sys.stdout.fileno(), sys.stderr.fileno())
    except (OSError, ValueError, AttributeError):
        return False
