"""`fly proxy`: a local port that forwards to a machine's SSH server, or to another host in the private network."""

import json
import os
import signal
import socket
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial

from tasks.postgres.server.folder_lock import lock
from tests.kit.fly.boot import find_port
from tests.kit.fly.program.options import CONNECT, FlyError, Parser, parse
from tests.kit.fly.state import FlyState, append_json, read_json, write_atomically

_SSH_PORT = 22
_BLOCK = 65536


def proxy(state: FlyState, arguments: Sequence[str]) -> None:
    """Listen until SIGTERM, SIGINT or the end of stdin; the port is printed even if the machine does not answer."""
    parser = Parser()
    parser.add_argument("--watch-stdin", action="store_true")
    call = parse(state, arguments, parser)
    app = call.find_app(CONNECT)
    if len(call.words) != 2:
        raise FlyError("the stand-in expects two ports and an address")
    ports, host = call.words
    local, _, remote = ports.partition(":")
    end = _catch_end(watch_stdin=call.options.watch_stdin)
    try:
        listener = socket.create_server(("127.0.0.1", int(local)))
    except OSError as error:
        raise FlyError(f"listen tcp 127.0.0.1:{local}: bind: {os.strerror(error.errno or 0).lower()}") from error
    with listener:
        port = listener.getsockname()[1]
        running = {"pid": os.getpid(), "port": port, "app": app["name"], "host": host}
        write_atomically(state.proxies / f"{os.getpid()}.json", json.dumps(running))
        print(f"Proxying localhost:{port} to remote [{host}]:{remote}", flush=True)
        dial = partial(_dial, state, host, int(remote))
        threading.Thread(target=_accept, args=(listener, dial), daemon=True).start()
        end.wait()


def _catch_end(*, watch_stdin: bool) -> threading.Event:
    end = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: end.set())

    def watch() -> None:
        while os.read(0, 1024):
            continue
        end.set()

    if watch_stdin:
        threading.Thread(target=watch, daemon=True).start()
    return end


def _accept(listener: socket.socket, dial: Callable[[], socket.socket | None]) -> None:
    while True:
        try:
            client, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=_forward, args=(client, dial), daemon=True).start()


def _forward(client: socket.socket, dial: Callable[[], socket.socket | None]) -> None:
    """Connect to the machine only now; close the client's connection if that fails."""
    try:
        target = dial()
    except OSError:
        target = None
    if target is None:
        client.close()
        return
    back = threading.Thread(target=_copy, args=(target, client), daemon=True)
    back.start()
    _copy(client, target)
    back.join()
    client.close()
    target.close()


def _copy(source: socket.socket, sink: socket.socket) -> None:
    try:
        while data := source.recv(_BLOCK):
            sink.sendall(data)
    except OSError:
        # A connection that is lost on one side is closed on the other.
        with suppress(OSError):
            source.shutdown(socket.SHUT_RDWR)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


def _dial(state: FlyState, host: str, port: int) -> socket.socket | None:
    """Connect to a machine, or to another host if the test has added it; return None if nothing answers."""
    path = state.hosts.get(f"{host}:{port}")
    if path is not None:
        target = socket.socket(socket.AF_UNIX)
        target.connect(path)
        return target
    machine = state.find_machine(host)
    if machine is None or machine["state"] != "started" or port != _SSH_PORT:
        return None
    folder = state.machine_folder(machine["id"])
    with lock(folder.path):
        append_json(folder.dials, {"pid": os.getpid()})
        faults = read_json(folder.faults, {})
        if faults.get("refusals", 0) > 0:
            write_atomically(folder.faults, json.dumps({**faults, "refusals": faults["refusals"] - 1}))
            return None
    if faults.get("silent"):
        ours, theirs = socket.socketpair()
        _silent.append(theirs)
        return ours
    return socket.create_connection(("127.0.0.1", find_port(state, folder)))


_silent: list[socket.socket] = []
"""The other ends of connections that are never answered."""
