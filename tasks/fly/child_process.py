"""Listening to flyctl while minding the clock and the wish to stop."""

from __future__ import annotations

import os
import selectors
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO

from tasks.runner.signals import Stop

_BLOCK = 65536


@dataclass(frozen=True, slots=True)
class Heard:
    """What a program said until it ended, was enough, or took too long (`late`)."""

    out: str
    err: str
    late: bool


def listen(
    process: subprocess.Popen[bytes], timeout_s: float, stop: Stop | None, is_enough: Callable[[str], bool] = lambda _out: False
) -> Heard:
    """Read what a program says until the end of both its streams, or until what it said on standard output is enough.

    Raises Interruption as soon as a stop is requested.
    """
    deadline = time.monotonic() + timeout_s
    said: dict[IO[bytes] | None, bytes] = {process.stdout: b"", process.stderr: b""}
    with selectors.DefaultSelector() as selector:
        for stream in said:
            if stream is not None:
                selector.register(stream, selectors.EVENT_READ, stream)
        if stop is not None:
            selector.register(stop, selectors.EVENT_READ)
        open_streams = len(said)
        while open_streams and (left_s := deadline - time.monotonic()) > 0:
            for key, _ in selector.select(left_s):
                if stop is not None:
                    stop.check()
                data = os.read(key.fd, _BLOCK)
                said[key.data] += data
                if not data:
                    selector.unregister(key.fileobj)
                    open_streams -= 1
            if is_enough(_decode(said[process.stdout])):
                break
    return Heard(_decode(said[process.stdout]), _decode(said[process.stderr]), time.monotonic() >= deadline)


def _decode(data: bytes) -> str:
    return data.decode(errors="replace")
