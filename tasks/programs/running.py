"""Run a program that takes over the terminal: Ctrl-C is for the program, and the terminal is restored after it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import termios
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import IO, Any

from tasks.runner.errors import RunnerError

_FORWARDED = (signal.SIGTERM, signal.SIGHUP)
BY_SIGNAL = 128
"""Added to the number of the signal that ended a program, as in a shell."""


def has_terminal() -> bool:
    """Return True if statements are typed in a terminal."""
    return sys.stdin is not None and sys.stdin.isatty()


def has_pages() -> bool:
    """Return True if results are shown in a terminal whose size is known: elsewhere, a pager would stop after each line."""
    with suppress(OSError, ValueError, AttributeError):
        return os.get_terminal_size(sys.stdout.fileno()).lines > 0
    return False


def run_program(
    program: Path,
    arguments: Sequence[str],
    environment: Mapping[str, str],
    *,
    stdin: int | IO[Any] | None = None,
    stdout: int | IO[Any] | None = None,
) -> int:
    """Run a program to its end and return its exit code; 128 and the number of the signal that ended it.

    SIGTERM and SIGHUP are passed on to it, so that the caller ends in order afterwards. In a terminal, Ctrl-C reaches the program
    itself; without one, SIGINT is passed on too. Raises RunnerError if it cannot be run.
    """
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            with suppress(OSError, ValueError):
                stream.flush()
    with start_program(program, arguments, environment, stdin=stdin, stdout=stdout) as process:
        return read_exit_code(process.wait())


def read_exit_code(code: int) -> int:
    """Return the exit code as a shell would: 128 and the number of the signal that ended a program."""
    return code if code >= 0 else BY_SIGNAL - code


@contextmanager
def start_program(
    program: Path,
    arguments: Sequence[str],
    environment: Mapping[str, str],
    *,
    stdin: int | IO[Any] | None = None,
    stdout: int | IO[Any] | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program as `run_program` does, and yield its process; it is ended if the block fails."""
    running: list[subprocess.Popen[bytes]] = []
    terminal = has_terminal()

    def handle(number: int, _frame: FrameType | None) -> None:
        if number in _FORWARDED or not terminal:
            for each in running:
                each.send_signal(number)

    with _restore_terminal(), _handle_signals(handle):
        try:
            process = subprocess.Popen([str(program), *arguments], env=dict(environment), stdin=stdin, stdout=stdout)
        except OSError as error:
            raise RunnerError(f"{program} cannot be run: {error.strerror or error}", state="Nothing was changed.") from error
        running.append(process)
        try:
            yield process
        except BaseException:
            process.kill()
            raise
        finally:
            if process.stdin:
                with suppress(OSError):
                    process.stdin.close()
            process.wait()


@contextmanager
def _handle_signals(handle: Any) -> Iterator[None]:
    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, *_FORWARDED)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _restore_terminal() -> Iterator[None]:
    if not has_terminal():
        yield
        return
    descriptor = sys.stdin.fileno()
    state = termios.tcgetattr(descriptor)
    try:
        yield
    finally:
        with suppress(termios.error):
            termios.tcsetattr(descriptor, termios.TCSADRAIN, state)
