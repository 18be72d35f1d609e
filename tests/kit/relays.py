"""A relay in front of a server: it records what passes, ignores some clients, and can report another version of the server."""

import re
import selectors
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from tasks.postgres.server.cluster import SUPERUSER
from tests.kit.databases import Database

_PORT = 6433
_CHUNK = 65536
_REQUESTS = frozenset("QSH")
"""Query, Sync and Flush: https://www.postgresql.org/docs/current/protocol-message-formats.html"""
_PROBE = ("Q", b"SELECT 1\0")
"""What a run sends to the session with the lock, as often as the time that it takes requires."""
_VERSION = re.compile(rb"(server_version\0)([^\0]+)")
"""The version in a message of type ParameterStatus."""


@dataclass
class Relay:
    """A running relay."""

    home: Path
    database: Database
    version: str = ""
    """What the server's own version is replaced with; it must not be longer."""
    ignored: list[socket.socket] = field(default_factory=list)
    """The connections of the clients that get no answer."""
    sent: list[bytearray] = field(default_factory=list)
    """What each client sent after its startup message."""
    received: bytearray = field(default_factory=bytearray)
    """What the server sent to all of them."""

    def list_messages(self) -> list[tuple[str, bytes]]:
        """Return the messages of all clients, each by its type and its body.

        https://www.postgresql.org/docs/current/protocol-message-formats.html
        """
        found = []
        for stream in map(bytes, self.sent):
            start = 0
            while start < len(stream):
                end = start + 1 + int.from_bytes(stream[start + 1 : start + 5])
                found.append((chr(stream[start]), stream[start + 5 : end]))
                start = end
        return found

    def count_requests(self) -> int:
        """Return how often a client connected, or sent what the server answers at once: at most so many round trips.

        Which part of a pipeline is answered before the next one is sent depends on the load of the machine; this does not.
        """
        return len(self.sent) + sum(message[0] in _REQUESTS and message != _PROBE for message in self.list_messages())

    @property
    def url(self) -> str:
        """Return the URL that reaches the database through the relay."""
        return self.url_of(self.database.name)

    def url_of(self, name: str) -> str:
        """Return the URL that reaches any database of the server."""
        return f"postgresql://{SUPERUSER}@/{name}?host={quote(str(self.home), safe='')}&port={_PORT}"

    def list_texts(self) -> set[str]:
        """Return the SQL that the clients sent."""
        messages = self.list_messages()
        texts = {body.split(b"\0")[0] for kind, body in messages if kind == "Q"}
        texts |= {body.split(b"\0")[1] for kind, body in messages if kind == "P"}
        return {text.decode() for text in texts if text.strip()}


@contextmanager
def start_relay(home: Path, database: Database, *, ignores: str = "", version: str = "") -> Iterator[Relay]:
    """Run a relay on a Unix socket, which ignores clients with `ignores` in their startup message, and reports `version`."""
    home.mkdir(mode=0o755)
    relay = Relay(home, database, version)
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket(socket.AF_UNIX))
        listener.bind(str(home / f".s.PGSQL.{_PORT}"))
        listener.listen()
        wakes, ends = (stack.enter_context(end) for end in socket.socketpair())
        thread = threading.Thread(target=_serve, args=(relay, listener, wakes, ignores.encode()))
        thread.start()
        stack.callback(thread.join)
        stack.callback(ends.send, b"x")
        yield relay


def _serve(relay: Relay, listener: socket.socket, wakes: socket.socket, ignores: bytes) -> None:
    server = str(next(Path(relay.database.server.cluster.socket_folder).glob(".s.PGSQL.*[0-9]")))
    with selectors.DefaultSelector() as selector, ExitStack() as stack:
        selector.register(listener, selectors.EVENT_READ)
        selector.register(wakes, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fileobj is wakes:
                    return
                if isinstance(key.fileobj, socket.socket) and key.fileobj.fileno() < 0:
                    continue  # its other end was read first, in the same round
                if key.fileobj is listener:
                    client = stack.enter_context(listener.accept()[0])
                    opening = client.recv(_CHUNK)
                    if ignores and ignores in opening:
                        relay.ignored.append(client)
                        continue
                    backend = stack.enter_context(socket.socket(socket.AF_UNIX))
                    backend.connect(server)
                    backend.sendall(opening)
                    relay.sent.append(bytearray())
                    selector.register(client, selectors.EVENT_READ, (backend, relay.sent[-1]))
                    selector.register(backend, selectors.EVENT_READ, (client, relay.received))
                    continue
                _pass_on(selector, key, relay)


def _pass_on(selector: selectors.BaseSelector, key: selectors.SelectorKey, relay: Relay) -> None:
    source, (other, record) = key.fileobj, key.data
    assert isinstance(source, socket.socket)
    version = relay.version
    try:
        data = source.recv(_CHUNK)
        record += data
        other.sendall(_VERSION.sub(lambda found: found[1] + version.encode().ljust(len(found[2])), data) if version else data)
    except OSError:
        data = b""
    if not data:
        for end in (source, other):
            selector.unregister(end)
            end.close()
