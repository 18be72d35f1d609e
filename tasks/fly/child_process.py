"""Read the output of a child process, with a time limit and until a stop is requested."""

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
class Output:
    """The output of a program until it ended, was enough, or took too long (`late`)."""

    out: str
    err: str
    late: bool


def read_output(
    process: subprocess.Popen[bytes], timeout_s: float, stop: Stop | None, is_enough: Callable[[str], bool] = lambda _out: False
) -> Output:
    """Return the output of a program when both its streams end, or as soon as its standard output is enough.

    Raises Interruption as soon as a stop is requested.
    """
    deadline = time.monotonic() + timeout_s
    output: dict[IO[bytes] | None, bytes] = {process.stdout: b"", process.stderr: b""}
    with selectors.DefaultSelector() as selector:
        for stream in output:
            if stream is not None:
                selector.register(stream, selectors.EVENT_READ, stream)
        if stop is not None:
            selector.register(stop, selectors.EVENT_READ)
        open_streams = len(output)
        while open_streams and (left_s := deadline - time.monotonic()) > 0:
            for key, _ in selector.select(left_s):
                if stop is not None:
                    stop.check()
                data = os.read(key.fd, _BLOCK)
                output[key.data] += data
                if not data:
                    selector.unregister(key.fileobj)
                    open_streams -= 1
            if is_enough(_decode(output[process.stdout])):
                break
    return Output(_decode(output[process.stdout]), _decode(output[process.stderr]), time.monotonic() >= deadline)


def _decode(data: bytes) -> str:
    return data.decode(errors="replace")
