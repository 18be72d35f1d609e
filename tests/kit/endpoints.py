"""A service for messages: an HTTP endpoint that can refuse them or never answer."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

REFUSING, SILENT = "/refusing", "/silent"
"""Paths where every message gets status 500, or no answer until the endpoint is closed."""


@dataclass
class Endpoint:
    """A running endpoint and its messages."""

    port: int
    messages: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    """Path and content of each message, in order."""
    on_message: Callable[[], None] = lambda: None
    _closing: threading.Event = field(default_factory=threading.Event, repr=False)

    def url(self, path: str = "/") -> str:
        """Return the URL of a path, in the form of apprise."""
        return f"json://127.0.0.1:{self.port}{path}"

    @property
    def titles(self) -> list[str]:
        """Return the titles of the messages."""
        return [str(content["title"]) for _, content in self.messages]

    def read_rows(self) -> dict[str, str]:
        """Return the rows in the text of the only message, by name."""
        ((_, content),) = self.messages
        rows: dict[str, str] = {}
        name = ""
        for line in str(content["message"]).splitlines():
            if line.startswith("  "):
                rows[name] += f"\n{line.strip()}"
            else:
                name, _, rows[name] = line.partition(": ")
        return rows


@contextmanager
def open_endpoint() -> Iterator[Endpoint]:
    """Listen on a free port; at the end, requests without an answer are closed."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            content = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            endpoint.on_message()
            endpoint.messages.append((self.path, content))
            if self.path.startswith(SILENT):
                endpoint._closing.wait()
                return
            self.send_response(500 if self.path.startswith(REFUSING) else 200)
            self.end_headers()

        def log_message(self, format: str, *arguments: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        endpoint = Endpoint(server.server_address[1])
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield endpoint
        finally:
            endpoint._closing.set()
            server.shutdown()
            thread.join()
