"""A relay between clients and a server that delays what passes, as a network does, and counts the round trips."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from queue import SimpleQueue

_CHUNK = 1 << 16
Target = tuple[int, str | tuple[str, int]]
"""An address family, and an address of it."""
_Delivery = tuple[float, bytes, int]
"""When it is due, the data, and its place on the longest chain."""


@dataclass
class Traffic:
    """What passed a relay."""

    connections: int = 0
    turns: int = 0
    """The number of round trips on the longest chain over all connections: bursts of a client that were sent after an answer to
    the burst before, on this or another connection, and were answered themselves. Connecting is included, by its messages."""
    sent: int = 0
    """Bytes from the clients."""
    received: int = 0
    """Bytes from the server."""


@dataclass
class DelayedRelay:
    """A running relay on a port of 127.0.0.1."""

    target: Target
    """The server."""
    delay_s: float
    """The delay of each direction: half a round trip."""
    port: int
    traffic: Traffic = field(default_factory=Traffic)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def reset(self) -> None:
        """Count from zero again, while there is no connection."""
        self.traffic = Traffic()

    def serve(self, listener: socket.socket) -> None:
        """Relay each connection, until the listener is shut down."""
        with ExitStack() as stack:
            while True:
                try:
                    client, _ = listener.accept()
                except OSError:
                    return
                connection = _Connection(self, stack.enter_context(client), stack.enter_context(socket.socket(self.target[0])))
                stack.callback(connection.end)
                connection.start()


class _Connection:
    """A connection through a relay: four threads, of which two read and two write when it is time, which keeps the order.

    The threads wait in system calls and in queues; none of them polls.
    """

    def __init__(self, relay: DelayedRelay, client: socket.socket, server: socket.socket) -> None:
        self._relay = relay
        self._client, self._server = client, server
        self._sent_depth = 0
        """The place on the longest chain of what the client has sent."""
        self._served_depth = 0
        """The same, of what has reached the server."""
        self._ups: SimpleQueue[_Delivery] = SimpleQueue()
        self._downs: SimpleQueue[_Delivery] = SimpleQueue()
        # The system has answered already; over a network, the connection would only be open a round trip after the request.
        self._opened = time.monotonic() + 2 * relay.delay_s
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        self._server.connect(self._relay.target[1])
        for end in (self._client, self._server):
            if end.family != socket.AF_UNIX:
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        works = (self._read_client, self._write_server, self._read_server, self._write_client)
        self._threads = [threading.Thread(target=work) for work in works]
        with self._relay._lock:
            self._relay.traffic.connections += 1
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        for end in (self._client, self._server):
            _shut_down(end, socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()

    def _read_client(self) -> None:
        for data in _read_all(self._client):
            with self._relay._lock:
                self._sent_depth = self._relay.traffic.turns + 1
                self._relay.traffic.sent += len(data)
            self._ups.put((max(time.monotonic(), self._opened) + self._relay.delay_s, data, self._sent_depth))

    def _write_server(self) -> None:
        while delivery := _await(self._ups):
            self._served_depth = delivery[2]
            _send(self._server, delivery[1])
        _shut_down(self._server, socket.SHUT_WR)

    def _read_server(self) -> None:
        for data in _read_all(self._server):
            self._downs.put((time.monotonic() + self._relay.delay_s, data, self._served_depth))

    def _write_client(self) -> None:
        while delivery := _await(self._downs):
            traffic = self._relay.traffic
            with self._relay._lock:
                traffic.turns = max(traffic.turns, delivery[2])
                traffic.received += len(delivery[1])
            _send(self._client, delivery[1])
        _shut_down(self._client, socket.SHUT_WR)


@contextmanager
def delay(target: Target, delay_s: float) -> Iterator[DelayedRelay]:
    """Run a relay in front of a server, on a free port of 127.0.0.1, until the block ends; it limits no bandwidth."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        relay = DelayedRelay(target, delay_s, int(listener.getsockname()[1]))
        thread = threading.Thread(target=relay.serve, args=(listener,))
        thread.start()
        try:
            yield relay
        finally:
            _shut_down(listener, socket.SHUT_RDWR)
            thread.join()


def _read_all(source: socket.socket) -> Iterator[bytes]:
    """Yield what one side sends, and an empty chunk at the end."""
    data = b"x"
    while data:
        try:
            data = source.recv(_CHUNK)
        except OSError:
            data = b""
        yield data


def _await(queue: SimpleQueue[_Delivery]) -> _Delivery | None:
    """Return the next delivery when it is due, or None at the end."""
    delivery = queue.get()
    time.sleep(max(delivery[0] - time.monotonic(), 0.0))
    return delivery if delivery[1] else None


def _send(target: socket.socket, data: bytes) -> None:
    with suppress(OSError):  # The other side may be gone; its own end is seen where it is read.
        target.sendall(data)


def _shut_down(end: socket.socket, how: int) -> None:
    with suppress(OSError):  # It may not be connected, or be closed already.
        end.shutdown(how)
