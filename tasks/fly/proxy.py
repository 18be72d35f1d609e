"""`fly proxy` to a port in the private network of an app, which ends with the connection."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from tasks.config.timeouts import Timeouts
from tasks.fly.child_process import read_output
from tasks.fly.flyctl import build_refusal, find_flyctl, hide_tokens
from tasks.runner.errors import RunnerError
from tasks.runner.signals import Stop

_READY = re.compile(r"Proxying localhost:(\d+) to remote")
_END_S = 3.0
"""How long a proxy may take to end; flyctl needs about one second."""


class TunnelError(RunnerError):
    """An error of the connection to a machine."""


@contextmanager
def open_proxy(app: str, host: str, port: int, stop: Stop, timeouts: Timeouts) -> Iterator[int]:
    """Run `fly proxy` to a port of a host in the private network, and yield the local port, which is on 127.0.0.1.

    It runs in a session of its own, so that Ctrl-C on the terminal does not reach it, and watches its standard input, so that it
    ends whenever this process does.
    """
    process = subprocess.Popen(
        [find_flyctl(), "proxy", f"0:{port}", host, "-a", app, "--watch-stdin"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        yield _await_port(process, stop, timeouts)
    finally:
        _end(process)


def _await_port(process: subprocess.Popen[bytes], stop: Stop, timeouts: Timeouts) -> int:
    """Read the output of the proxy until it prints its port; raises Interruption as soon as a stop is requested."""
    timeout_s = timeouts.call_s
    output = read_output(process, timeout_s, stop, lambda out: _READY.search(out) is not None)
    if found := _READY.search(output.out):
        return int(found[1])
    words = output.err or output.out
    if not output.late:
        raise build_refusal("fly proxy", words)
    raise TunnelError(
        f"fly proxy was not ready within {timeout_s:g} s{': ' if words.strip() else ''}{hide_tokens(words).strip()}",
        hint="Check the network with `fly doctor`. To wait longer, set FLY_CALL_TIMEOUT=180.",
        state="Nothing was changed.",
    )


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the proxy by closing its standard input, then by signals."""
    if process.stdin:
        with suppress(OSError):
            process.stdin.close()
    process.terminate()
    try:
        process.wait(_END_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for stream in (process.stdout, process.stderr):
        if stream:
            stream.close()
