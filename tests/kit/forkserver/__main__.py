"""The server: `python -m tests.kit.forkserver DESCRIPTOR [PATH]`.

The descriptor is a socket that requests come by; when that is closed, the server ends. With a path it listens there for relays,
and has imported what the programs on a machine have: it is to be started without site-packages then.
"""

import atexit
import gc
import importlib
import os
import pkgutil
import runpy
import select
import signal
import socket
import sys
import tempfile
import threading
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import NoReturn

from tests.kit.forkserver.request import STREAMS, Request, receive_request, send_number
from tests.kit.forkserver.tool import MOVABLE_ROOMS, READS_ITS_PLACE, take_tool

_IMPORTED_LATE = (
    "apprise",
    "fabric",
    "invoke.main",
    "pglast.parser",
    "prometheus_client",
    "psycopg",
    "rich.live",
    "rich.progress",
    "rich.table",
    "rich.traceback",
)
"""What the tool imports only where it needs it."""
_FOR_RELAYS = (
    "pglast.parser",
    "psycopg",
    "tests.kit.fly.program.accounts",
    "tests.kit.fly.program.machines",
    "tests.kit.fly.program.main",
    "tests.kit.fly.program.ssh",
)

_NOT_FLUSHED = 120
"""The exit code of Python where the reader of what it prints is gone."""


def main() -> None:
    """Import everything, then serve requests until there are no more."""
    number, *paths = sys.argv[1:]
    late, rooms = (_FOR_RELAYS, MOVABLE_ROOMS) if paths else (_IMPORTED_LATE, ("tasks",))
    for name in late:
        importlib.import_module(name)
    for name in rooms:
        room = importlib.import_module(name)
        for module in pkgutil.walk_packages(room.__path__, f"{name}."):
            if not paths or module.name != READS_ITS_PLACE:
                importlib.import_module(module.name)
    gc.collect()
    gc.freeze()
    with ExitStack() as stack:
        channel = stack.enter_context(socket.socket(fileno=int(number)))
        listener = stack.enter_context(socket.socket(socket.AF_UNIX))
        for path in paths:
            listener.bind(path)
            listener.listen()
        Server(channel, listener if paths else None).serve()


class Server:
    """Start a process for each request, tell how each ends, and kill those of which nobody wants to know that any more."""

    def __init__(self, channel: socket.socket, listener: socket.socket | None) -> None:
        self._channel = channel
        self._listener = listener
        self._wake, self._woken = socket.socketpair()
        self._running: dict[int, socket.socket] = {}
        self._left: set[int] = set()

    def serve(self) -> None:
        """Serve until the channel is closed."""
        self._woken.setblocking(False)
        signal.set_wakeup_fd(self._woken.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        listeners = [self._listener] if self._listener else []
        while True:
            watched = {answers: child for child, answers in self._running.items() if child not in self._left}
            ready, _, _ = select.select([self._channel, self._wake, *listeners, *watched], [], [])
            if self._wake in ready:
                self._wake.recv(4096)
                self._tell_ended()
            for child in (watched[each] for each in ready if each in watched):
                if child in self._running:
                    self._left.add(child)
                    os.kill(child, signal.SIGKILL)
            if self._channel in ready:
                received = receive_request(self._channel)
                if received is None:
                    return
                request, (*streams, answers) = received
                self._start(request, streams, socket.socket(fileno=answers))
            if self._listener in ready:
                relay, _ = self._listener.accept()
                received = receive_request(relay)
                if received is None:
                    relay.close()
                else:
                    self._start(*received, relay)

    def _start(self, request: Request, streams: list[int], answers: socket.socket) -> None:
        child = os.fork()
        if child == 0:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for each in (self._channel, self._wake, self._woken, answers, *self._running.values()):
                each.close()
            if self._listener:
                self._listener.close()
            live(request, streams)
        for descriptor in streams:
            os.close(descriptor)
        self._running[child] = answers
        with suppress(ConnectionError):
            send_number(answers, child)

    def _tell_ended(self) -> None:
        """Tell of each process that has ended how."""
        while self._running:
            child, how = os.waitpid(-1, os.WNOHANG)
            if child == 0:
                return
            self._left.discard(child)
            with self._running.pop(child) as answers, suppress(ConnectionError):
                send_number(answers, how)


def live(request: Request, streams: list[int]) -> NoReturn:
    """Run the program and end as Python does, but for the clearing up of memory, which takes long in a fork."""
    code: object = 0
    try:
        become(request, streams)
    except SystemExit as end:
        code = end.code
        if code is not None and not isinstance(code, int):
            print(code, file=sys.stderr)
            code = 1
    except KeyboardInterrupt:
        sys.excepthook(*sys.exc_info())
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    except BaseException:
        sys.excepthook(*sys.exc_info())
        code = 1
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:
        code = _NOT_FLUSHED
    os._exit(code if isinstance(code, int) else 0)


def become(request: Request, streams: list[int]) -> None:
    """Take over streams, place and environment of a request, and run its program as Python would; it may raise SystemExit."""
    if request.new_session:
        os.setsid()
    for number, descriptor in enumerate(streams):
        os.dup2(descriptor, number)
    for descriptor in streams:
        if descriptor >= STREAMS:
            os.close(descriptor)
    _open_streams()
    os.chdir(request.cwd)
    os.environ.clear()
    os.environ.update(request.environment)
    time.tzset()
    tempfile.tempdir = None
    if request.own_tool:
        # A script is in a folder of the tool's own folder.
        take_tool(Path.cwd() if request.words[0] == "-m" else Path(request.words[0]).absolute().parent.parent)
    if request.words[0] == "-m":
        _, module, *arguments = request.words
        sys.argv, sys.path[0] = [module, *arguments], request.cwd
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    else:
        script = request.words[0]
        sys.argv, sys.path[0] = request.words, str(Path(script).parent)
        runpy.run_path(script, run_name="__main__")


def _open_streams() -> None:
    """Open the standard streams anew, as Python does when it starts."""
    sys.stdin = sys.__stdin__ = os.fdopen(0, encoding=sys.stdin.encoding, errors=sys.stdin.errors, closefd=False)  # type: ignore[misc]
    for name, number in (("stdout", 1), ("stderr", 2)):
        old = getattr(sys, name)
        buffering = 1 if number == STREAMS - 1 or os.isatty(number) else -1
        new = os.fdopen(number, "w", buffering, encoding=old.encoding, errors=old.errors, closefd=False)
        setattr(sys, name, new)
        setattr(sys, f"__{name}__", new)


if __name__ == "__main__":
    main()
