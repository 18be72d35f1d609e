"""`fly proxy`: a local port that leads to a machine's SSH server."""

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
from tests.kit.fly.program.options import CONNECT, FlyError, Parser, make_config_folder, parse
from tests.kit.fly.state import State, append_json, read_json, write_whole

_SSH_PORT = 22
_BLOCK = 65536


def proxy(state: State, arguments: Sequence[str]) -> None:
    """Listen until told to end. The line that says so proves the tunnel; whether the machine answers, nobody has asked it."""
    parser = Parser()
    parser.add_argument("-o", "--org", default="")
    parser.add_argument("-b", "--bind-addr", default="127.0.0.1")
    for flags in (("-s", "--select"), ("-q", "--quiet"), ("-w", "--watch-stdin")):
        parser.add_argument(*flags, action="store_true")
    call = parse(state, arguments, parser)
    app = call.find_app(CONNECT)
    if call.options.org:
        call.authorize("list", call.options.org, what="see this organization")
    if not call.words or call.options.select:
        raise FlyError("accepts between 1 and 2 arg(s), received 0" if not call.words else "prompt: non interactive")
    make_config_folder()
    host = call.words[1] if len(call.words) > 1 else f"{app['name']}.internal"
    local, _, remote = call.words[0].partition(":")
    end = _catch_end(watch_stdin=call.options.watch_stdin)
    if ":" not in host and state.find_machine(host) is None:
        # flyctl waits up to four minutes for a name that nothing answers to.
        end.wait(240)
        raise FlyError(f"{host}: host was not found in DNS")
    with _listen(call.options.bind_addr, int(local)) as listener:
        port = listener.getsockname()[1]
        _tell(state, {"pid": os.getpid(), "port": port, "app": app["name"], "host": host})
        print(f"Proxying localhost:{port} to remote [{host}]:{remote or local}", flush=True)
        dial = partial(_dial, state, host, int(remote or local))
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


def _listen(address: str, port: int) -> socket.socket:
    try:
        return socket.create_server((address, port))
    except OSError as error:
        raise FlyError(f"listen tcp {address}:{port}: bind: {os.strerror(error.errno or 0).lower()}") from error


def _tell(state: State, running: dict[str, object]) -> None:
    write_whole(state.proxies / f"{os.getpid()}.json", json.dumps(running))


def _accept(listener: socket.socket, dial: Callable[[], socket.socket | None]) -> None:
    while True:
        try:
            client, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=_carry, args=(client, dial), daemon=True).start()


def _carry(client: socket.socket, dial: Callable[[], socket.socket | None]) -> None:
    """Dial the machine only now; a client whose machine is down is simply let go."""
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
        # Lost on one side is lost on both.
        with suppress(OSError):
            source.shutdown(socket.SHUT_RDWR)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


def _dial(state: State, host: str, port: int) -> socket.socket | None:
    machine = state.find_machine(host)
    if machine is None or machine["state"] != "started" or port != _SSH_PORT:
        return None
    folder = state.machine_folder(machine["id"])
    with lock(folder.path):
        append_json(folder.dials, {"pid": os.getpid()})
        faults = read_json(folder.faults, {})
        if faults.get("refusals", 0) > 0:
            write_whole(folder.faults, json.dumps({**faults, "refusals": faults["refusals"] - 1}))
            return None
    if faults.get("silent"):
        ours, theirs = socket.socketpair()
        _silent.append(theirs)
        return ours
    return socket.create_connection(("127.0.0.1", find_port(state, folder)))


_silent: list[socket.socket] = []
"""The far ends of connections that nobody will ever answer."""
