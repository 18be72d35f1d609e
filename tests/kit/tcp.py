"""A server's socket, reached by TCP at an address that is not a loopback address."""

import shutil
import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest


def find_address() -> str:
    """Return an address of this machine that is not a loopback address; skip the test if it has none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # Nothing is sent: the system only chooses the address to send from.
        except OSError:
            pytest.skip("this machine has only loopback addresses")
        address = str(probe.getsockname()[0])
    if address.startswith("127."):
        pytest.skip("this machine has only loopback addresses")
    return address


@contextmanager
def forward_tcp(address: str, path: Path) -> Iterator[int]:
    """Forward connections to a free port of an address to a socket in the file system; yield the port."""

    class Forwarder(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with socket.socket(socket.AF_UNIX) as server:
                server.connect(str(path))
                back = threading.Thread(target=_copy, args=(server, self.request), daemon=True)
                back.start()
                _copy(self.request, server)
                back.join()

    with socketserver.ThreadingTCPServer((address, 0), Forwarder) as listener:
        listener.daemon_threads = True
        thread = threading.Thread(target=listener.serve_forever, daemon=True)
        thread.start()
        try:
            yield int(listener.server_address[1])
        finally:
            listener.shutdown()
            thread.join()


def _copy(source: Any, target: Any) -> None:
    """Copy what one side sends, until it ends the connection."""
    try:
        with source.makefile("rb", buffering=0) as reader, target.makefile("wb", buffering=0) as writer:
            shutil.copyfileobj(reader, writer)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass  # The other side is gone already.
