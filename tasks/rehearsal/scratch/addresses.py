"""Compare the databases of two URLs, so that the target is never used as the scratch server."""

from __future__ import annotations

from itertools import cycle
from pathlib import Path

from tasks.runner.database.addresses import Address, resolve

_LOCAL = frozenset({"", "localhost", "127.0.0.1", "::1", "/tmp", "/run/postgresql", "/var/run/postgresql"})
"""Hosts of a server on this machine, in its default configuration."""
_PORT = "5432"


def is_same_database(url: str, other: str) -> bool:
    """Return True if two valid URLs may mean the same database: host, port and name, as libpq resolves them."""
    one, two = resolve(url), resolve(other)
    return one.database == two.database and not _list_places(one).isdisjoint(_list_places(two))


def _list_places(address: Address) -> set[tuple[str, str]]:
    """Return host and port of each server."""
    named = address.options.get("hostaddr") or address.options.get("host") or address.host
    ports = address.options.get("port", address.port).split(",")
    return {(_simplify(host), port or _PORT) for host, port in zip(named.split(","), cycle(ports), strict=False)}


def _simplify(host: str) -> str:
    host = host.rstrip("/").lower() if not host.startswith("/") else str(Path(host).resolve())
    return "" if host in _LOCAL else host
