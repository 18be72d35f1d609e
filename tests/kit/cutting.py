"""A relay in front of a server that counts the bursts of a session, and can cut its connection at one of them."""

import select
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from tasks.postgres.server.cluster import SUPERUSER
from tests.kit.databases import Database

_PORT = 6434
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Cut:
    """Where a connection is cut: at the burst with this number, from 1, of which the server still gets a share, 0 to 1."""

    burst: int
    share: float


@dataclass
class CuttingRelay:
    """A running relay; `bursts` is what the watched session sent after its startup message, a new one after each answer."""

    home: Path
    database: Database
    watched: bytes
    cut: Cut | None
    lingers: bool = False
    """Whether a client's connection stays open when the server has ended its session, as behind a slow proxy."""
    ended: threading.Event = field(default_factory=threading.Event)
    """Set when the server has ended a session."""
    bursts: list[bytes] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Return the URL that reaches the database through the relay."""
        return f"postgresql://{SUPERUSER}@/{self.database.name}?host={quote(str(self.home), safe='')}&port={_PORT}"

    def serve(self, client: socket.socket) -> None:
        """Pass on what a client and the server send, until one of them ends the connection or it is cut."""
        server = str(next(Path(self.database.server.cluster.socket_folder).glob(".s.PGSQL.*[0-9]")))
        with client, socket.socket(socket.AF_UNIX) as backend, suppress(OSError):
            backend.connect(server)
            opening = client.recv(_CHUNK)
            backend.sendall(opening)
            self._pass_on(client, backend, watches=self.watched in opening)

    def _pass_on(self, client: socket.socket, backend: socket.socket, *, watches: bool) -> None:
        answered = True
        while True:
            ready, _, _ = select.select([client, backend], [], [])
            if backend in ready:
                data = _receive(backend)
                if not data:
                    self.ended.set()
                    while self.lingers and client.recv(_CHUNK):
                        pass
                    return
                client.sendall(data)
                answered = True
            if client in ready:
                data = client.recv(_CHUNK)
                if not data:
                    return
                if watches and self._count(data, begins=answered):
                    _end(backend, data, self.cut)
                    return
                # What a session that has ended left to read is passed on all the same.
                with suppress(OSError):
                    backend.sendall(data)
                answered = False

    def _count(self, data: bytes, *, begins: bool) -> bool:
        """Add what was sent to the bursts; return True if the connection is cut here."""
        if begins:
            self.bursts.append(data)
        else:
            self.bursts[-1] += data
        return begins and self.cut is not None and len(self.bursts) == self.cut.burst


def _receive(backend: socket.socket) -> bytes:
    """Return what a server has sent; nothing if it has ended the session, in which it may not have read everything."""
    try:
        return backend.recv(_CHUNK)
    except ConnectionResetError:
        return b""


def _end(backend: socket.socket, data: bytes, cut: Cut | None) -> None:
    """Send a share of the burst, and wait until the server has handled it and found that its client is gone."""
    assert cut is not None
    backend.sendall(data[: round(len(data) * cut.share)])
    backend.shutdown(socket.SHUT_WR)
    while _receive(backend):
        pass


@contextmanager
def start_cutting_relay(
    home: Path, database: Database, *, watched: str = "migrate-run", cut: Cut | None = None, lingers: bool = False
) -> Iterator[CuttingRelay]:
    """Run a relay on a Unix socket; it watches the sessions whose startup message contains `watched`."""
    home.mkdir(mode=0o755)
    relay = CuttingRelay(home, database, watched.encode(), cut, lingers)
    threads: list[threading.Thread] = []
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket(socket.AF_UNIX))
        listener.bind(str(home / f".s.PGSQL.{_PORT}"))
        listener.listen()

        def accept() -> None:
            with suppress(OSError):
                while True:
                    threads.append(threading.Thread(target=relay.serve, args=(listener.accept()[0],), daemon=True))
                    threads[-1].start()

        acceptor = threading.Thread(target=accept, daemon=True)
        acceptor.start()
        yield relay
        listener.shutdown(socket.SHUT_RDWR)
        acceptor.join()
        for thread in threads:
            thread.join(timeout=10)
