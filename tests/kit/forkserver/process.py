"""The client of the server: a forked process with the interface of `subprocess.Popen` that tests use."""

import atexit
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import IO

from tests.kit.forkserver.request import ForkRequest, receive_number, send_request

_REPOSITORY = Path(__file__).parents[3]
_LOCALE = {"LC_ALL": "C.UTF-8"}
_READ_AT_START = ("PYTHON", "LC_", "LANG")
"""The prefixes of variables that Python reads only when it starts."""
_one_at_a_time = threading.Lock()


class Process:
    """A forked process; its streams are text pipes unless it got descriptors."""

    def __init__(self, words: Sequence[str], pid: int, answers: socket.socket, streams: "Sequence[IO[str] | None]") -> None:
        self.args = list(words)
        self.pid = pid
        self.returncode: int | None = None
        self.stdin, self.stdout, self.stderr = streams
        self._answers = answers

    def poll(self) -> int | None:
        """Return the exit code, negative for a signal, or None while the process runs."""
        if self.returncode is None and select.select([self._answers], [], [], 0)[0]:
            self.wait()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end and return the exit code. Raises subprocess.TimeoutExpired."""
        if self.returncode is None:
            self._answers.settimeout(timeout)
            try:
                self.returncode = os.waitstatus_to_exitcode(receive_number(self._answers))
            except TimeoutError:
                raise subprocess.TimeoutExpired(self.args, timeout or 0) from None
            self._answers.close()
        return self.returncode

    def send_signal(self, number: signal.Signals | int) -> None:
        """Send a signal, unless the process has ended."""
        if self.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        """Kill the process."""
        self.send_signal(signal.SIGKILL)

    def communicate(self, input: str | None = None, timeout: float | None = None) -> tuple[str, str]:
        """Write the input, read all output and wait for the end. Raises subprocess.TimeoutExpired."""
        read: dict[int, str] = {}
        streams = [stream for stream in (self.stdout, self.stderr) if stream is not None and not stream.closed]
        threads = [threading.Thread(target=lambda s=stream: read.update({id(s): s.read()}), daemon=True) for stream in streams]
        for thread in threads:
            thread.start()
        if self.stdin is not None and not self.stdin.closed:
            with suppress(BrokenPipeError):
                self.stdin.write(input or "")
                self.stdin.flush()
            with suppress(BrokenPipeError):
                self.stdin.close()
        self.wait(timeout)
        for thread in threads:
            thread.join()
        for stream in streams:
            stream.close()
        return read.get(id(self.stdout), ""), read.get(id(self.stderr), "")

    def __enter__(self) -> "Process":
        """Return the process."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        """Close the streams and wait for the end, as `subprocess.Popen` does."""
        for stream in (self.stdin, self.stdout, self.stderr):
            if stream is not None:
                with suppress(BrokenPipeError):
                    stream.close()
        self.wait()


Running = Process | subprocess.Popen[str]
"""A running program, forked or started."""


def inherit_environment(**additions: str) -> dict[str, str]:
    """Return this environment with additions and without what Python reads when it starts, so that the program can be forked."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_READ_AT_START)}
    return kept | _LOCALE | additions


def start_process(
    command: Sequence[str],
    *,
    cwd: Path,
    environment: Mapping[str, str],
    streams: tuple[int, int, int] | None = None,
    new_session: bool = False,
    own_tool: bool = False,
) -> Running:
    """Start a command; without `streams`, they are pipes. With `own_tool`, it imports the tool from its own folder.

    It is forked if it is this Python with `-m MODULE` or a script, and if the variables that Python reads at its
    start are those of the server. Any other command is started as usual.
    """
    program, *words = command
    read_at_start = {name: value for name, value in environment.items() if name.startswith(_READ_AT_START)}
    if program == sys.executable and read_at_start == _LOCALE:
        return _fork(ForkRequest(words, str(cwd), dict(environment), new_session, own_tool), streams)
    stdin, stdout, stderr = streams or (subprocess.PIPE,) * 3
    return subprocess.Popen(
        command,
        cwd=cwd,
        env=environment,
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        encoding="utf-8",
        start_new_session=new_session,
    )


def run_process(
    command: Sequence[str],
    *,
    cwd: Path,
    environment: Mapping[str, str],
    timeout: float,
    input: str = "",
    own_tool: bool = False,
) -> "subprocess.CompletedProcess[str]":
    """Run a command to its end, as `start_process` starts it. Raises subprocess.TimeoutExpired."""
    with start_process(command, cwd=cwd, environment=environment, own_tool=own_tool) as process:
        try:
            output, errors = process.communicate(input, timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        return subprocess.CompletedProcess(command, process.wait(), output, errors)


def _fork(request: ForkRequest, streams: tuple[int, int, int] | None) -> Process:
    theirs, ours = _open_pipes() if streams is None else (list(streams), [None, None, None])
    answers, sent = socket.socketpair()
    with _one_at_a_time:
        send_request(_serve(), request, [*theirs, sent.fileno()])
    sent.close()
    if streams is None:
        for descriptor in theirs:
            os.close(descriptor)
    return Process(request.words, receive_number(answers), answers, ours)


def _open_pipes() -> "tuple[list[int], list[IO[str] | None]]":
    (in_read, in_write), (out_read, out_write), (err_read, err_write) = (os.pipe() for _ in range(3))
    ours: list[IO[str] | None] = [os.fdopen(in_write, "w", encoding="utf-8")]
    ours += [os.fdopen(descriptor, encoding="utf-8") for descriptor in (out_read, err_read)]
    return [in_read, out_write, err_write], ours


@cache
def _serve() -> socket.socket:
    """Start the server of this process, and return the channel to it."""
    return start_server([sys.executable], _LOCALE)


def start_server(python: Sequence[str], environment: Mapping[str, str], *paths: str) -> socket.socket:
    """Start a server with a Python, which ends with this process, and return the channel to it.

    With a path, it also listens there for relays.
    """
    ours, theirs = socket.socketpair()
    server = subprocess.Popen(
        [*python, "-m", "tests.kit.forkserver", str(theirs.fileno()), *paths],
        cwd=_REPOSITORY,
        # TMPDIR marks the server and its processes as belonging to this run.
        env={"PATH": os.environ.get("PATH", os.defpath), "TMPDIR": tempfile.gettempdir(), **environment},
        pass_fds=[theirs.fileno()],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    theirs.close()

    def end() -> None:
        ours.close()
        server.wait()

    atexit.register(end)
    return ours
