"""SIGINT and SIGTERM as a request to stop, which the runner meets at a safe point."""

from __future__ import annotations

import os
import select
import signal
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from tasks.runner.errors import Interruption


class Stop:
    """A request to stop; a pipe makes it wake a wait for the database."""

    def __init__(self) -> None:
        self._reader, self._writer = os.pipe()
        self._finalizer = weakref.finalize(self, _close, self._reader, self._writer)
        self.signal_name = ""

    def fileno(self) -> int:
        """Return the descriptor that becomes readable once a stop is requested."""
        return self._reader

    def request(self, signal_name: str) -> None:
        """Request a stop; only the first request counts."""
        if not self.signal_name:
            self.signal_name = signal_name
            os.write(self._writer, b"x")

    def check(self) -> None:
        """Raise Interruption if a stop was requested."""
        if self.signal_name:
            raise Interruption(self.signal_name)

    def sleep(self, seconds: float) -> None:
        """Sleep; raise Interruption as soon as a stop is requested."""
        select.select([self._reader], [], [], seconds)
        self.check()

    def close(self) -> None:
        """Close the pipe; without this call it is closed with the object."""
        self._finalizer()


def describe_signal(name: str) -> str:
    """Return the name of a signal as a user knows it: Ctrl-C for SIGINT."""
    return "Ctrl-C" if name == "SIGINT" else name


def _close(*descriptors: int) -> None:
    for descriptor in descriptors:
        os.close(descriptor)


@contextmanager
def catch_signals() -> Iterator[Stop]:
    """Yield a Stop that SIGINT and SIGTERM request; a second SIGINT raises KeyboardInterrupt at once.

    Python allows handlers in the main thread only; in another one, only the caller can request the Stop.
    """
    stop = Stop()

    def handle(number: int, _frame: FrameType | None) -> None:
        if stop.signal_name and number == signal.SIGINT:
            raise KeyboardInterrupt
        stop.request(signal.Signals(number).name)

    main = threading.current_thread() is threading.main_thread()
    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)} if main else {}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        stop.close()
