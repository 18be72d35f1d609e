"""The server: `python -m tests.kit.forkserver DESCRIPTOR [PATH]`, with the descriptor of the socket for requests.

When the socket is closed, the server kills its processes and ends. With a path it also listens there for relays.
"""

import atexit
import gc
import importlib
import os
import pkgutil
import re
import runpy
import select
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import tasks
from tests.kit.forkserver.request import STREAMS, ForkRequest, receive_request, send_number
from tests.kit.import_graph import LAPTOP_PACKAGE, SERVER_PACKAGES

_LATE_IMPORT = re.compile(r"^ +(?:from|import) +([a-z][\w.]*)", re.MULTILINE)
_NOT_FLUSHED = 120
"""The exit code of Python if the reader of its output has ended."""


def main() -> None:
    """Import everything, then serve requests until the channel is closed; in a forked process, run the program."""
    process = _Exit()
    # Registered first, so that it runs last.
    atexit.register(process.end)
    _import_everything()
    gc.collect()
    gc.freeze()
    number, *paths = sys.argv[1:]
    with socket.socket(fileno=int(number)) as channel, socket.socket(socket.AF_UNIX) as listener:
        for path in paths:
            # A client that finds the socket can connect to it.
            listener.bind(f"{path}.new")
            listener.listen()
            Path(f"{path}.new").rename(path)
        request = ForkServer(channel, listener if paths else None).serve()
    if request is not None:
        process.code = run(request, serves_machines=bool(paths))


class _Exit:
    """The end of a forked process: without the cleaning of memory, which takes long in a fork."""

    code: int | None = None

    def end(self) -> None:
        """Flush the streams and exit, if this is a forked process; Python has joined the threads and run what is registered."""
        if self.code is None:
            return
        try:
            sys.stdout.flush()
            sys.stderr.flush()
        except OSError:
            self.code = _NOT_FLUSHED
        os._exit(self.code)


def _import_everything() -> None:
    """Import the modules of the tool, what they import within functions, Invoke's program, and the stand-in for flyctl."""
    from tests.kit.fly import program

    names = ["invoke.main", *(module.name for module in pkgutil.walk_packages(tasks.__path__, "tasks.", onerror=lambda _: None))]
    names += [module.name for module in pkgutil.walk_packages(program.__path__, f"{program.__name__}.")]
    for name in names:
        # A server for machines has only the packages of an image.
        with suppress(ImportError):
            importlib.import_module(name)
    texts = [path.read_text() for path in Path(tasks.__path__[0]).rglob("*.py")]
    for name in {name for text in texts for name in _LATE_IMPORT.findall(text)}:
        # Lines of docstrings can begin like an import, and the package may be another platform's.
        with suppress(ImportError):
            importlib.import_module(name)


class ForkServer:
    """The parent of the processes: it forks one for each request and reports how each ends."""

    def __init__(self, channel: socket.socket, listener: socket.socket | None) -> None:
        self._channel = channel
        self._listener = listener
        self._wake, self._woken = socket.socketpair()
        self._running: dict[int, socket.socket] = {}
        self._killed: set[int] = set()
        """The processes whose client has ended."""

    def serve(self) -> ForkRequest | None:
        """Serve until the channel is closed, then return None; return the request in the process that is forked for it."""
        self._woken.setblocking(False)
        signal.set_wakeup_fd(self._woken.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        listeners = [self._listener] if self._listener else []
        while True:
            clients = {answers: child for child, answers in self._running.items() if child not in self._killed}
            ready, _, _ = select.select([self._channel, self._wake, *listeners, *clients], [], [])
            if self._wake in ready:
                self._wake.recv(4096)
                self._report_ended()
            self._kill(clients[each] for each in ready if each in clients)
            if self._channel in ready:
                received = receive_request(self._channel)
                if received is None:
                    break
                if self._fork(received):
                    return received[0]
            if self._listener in ready:
                relay, _ = self._listener.accept()
                with relay:
                    received = receive_request(relay)
                if received is not None and self._fork(received):
                    return received[0]
        for child in self._running:
            os.kill(child, signal.SIGKILL)
        return None

    def _kill(self, children: Iterable[int]) -> None:
        """Kill the processes whose client has ended, unless they have ended as well."""
        for child in children:
            if child in self._running:
                self._killed.add(child)
                os.kill(child, signal.SIGKILL)

    def _fork(self, received: tuple[ForkRequest, list[int]]) -> bool:
        """Fork a process; return True in the new one, which has taken over the streams."""
        _, (*streams, number) = received
        answers = socket.socket(fileno=number)
        child = os.fork()
        if child == 0:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for each in (self._wake, self._woken, answers, *self._running.values()):
                each.close()
            if self._listener:
                self._listener.close()
            for stream, descriptor in enumerate(streams):
                os.dup2(descriptor, stream)
        for descriptor in streams:
            if child or descriptor >= STREAMS:
                os.close(descriptor)
        if child == 0:
            return True
        self._running[child] = answers
        with suppress(ConnectionError):
            send_number(answers, child)
        return False

    def _report_ended(self) -> None:
        """Send the wait status of each process that has ended."""
        while self._running:
            child, status = os.waitpid(-1, os.WNOHANG)
            if child == 0:
                return
            self._killed.discard(child)
            with self._running.pop(child) as answers, suppress(ConnectionError):
                send_number(answers, status)


def run(request: ForkRequest, *, serves_machines: bool) -> int:
    """Run the program of a request as Python does, and return its exit code."""
    try:
        become(request, serves_machines=serves_machines)
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return end.code or 0
        print(end.code, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        sys.excepthook(*sys.exc_info())
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    except BaseException:
        sys.excepthook(*sys.exc_info())
        return 1
    return 0


def _is_this_tool(folder: Path) -> bool:
    """Return True if what runs on machines is the same in a folder as in this repository, by the size and time of each file.

    Then the imported modules can be used: none of them depends on its own place. An archive keeps times to the second.
    """
    repository = Path(tasks.__path__[0]).parent
    names = [name for name in sys.modules if name.startswith(SERVER_PACKAGES) and not name.startswith(LAPTOP_PACKAGE)]
    files = [Path(sys.modules[name].__file__ or "") for name in names]
    return all(_describe(path) == _describe(folder / path.relative_to(repository)) for path in files)


def _describe(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_size, int(status.st_mtime)


def become(request: ForkRequest, *, serves_machines: bool) -> None:
    """Take over the folder and the environment of a request, and run its program; may raise SystemExit."""
    if request.new_session:
        os.setsid()
    _open_streams()
    os.chdir(request.cwd)
    os.environ.clear()
    os.environ.update(request.environment)
    time.tzset()
    tempfile.tempdir = None
    if request.own_tool and not (serves_machines and _is_this_tool(Path(request.words[0]).absolute().parents[1])):
        for name in [name for name in sys.modules if name.partition(".")[0] in ("tasks", "tests")]:
            del sys.modules[name]
    if request.words[0] == "-m":
        _, module, *arguments = request.words
        sys.argv, sys.path[0] = [module, *arguments], request.cwd
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    else:
        script = request.words[0]
        sys.argv, sys.path[0] = request.words, str(Path(script).parent)
        runpy.run_path(script, run_name="__main__")


def _open_streams() -> None:
    """Open the standard streams again, as Python does when it starts."""
    sys.stdin = sys.__stdin__ = os.fdopen(0, encoding=sys.stdin.encoding, errors=sys.stdin.errors, closefd=False)  # type: ignore[misc]
    for name, number in (("stdout", 1), ("stderr", 2)):
        old = getattr(sys, name)
        buffering = 1 if number == STREAMS - 1 or os.isatty(number) else -1
        new = os.fdopen(number, "w", buffering, encoding=old.encoding, errors=old.errors, closefd=False)
        setattr(sys, name, new)
        setattr(sys, f"__{name}__", new)


if __name__ == "__main__":
    main()
