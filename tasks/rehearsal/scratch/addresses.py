"""Compare the databases of two URLs, so that the target is never used as the scratch server."""

from __future__ import annotations

import os
from pathlib import Path

from psycopg.conninfo import conninfo_to_dict

_LOCAL = frozenset({"", "localhost", "127.0.0.1", "::1", "/tmp", "/run/postgresql", "/var/run/postgresql"})
"""Hosts of a server on this machine, in its default configuration."""
_PORT = "5432"


def is_same_database(url: str, other: str) -> bool:
    """Return True if two URLs may mean the same database: host, port and name, with libpq's environment variables.

    https://www.postgresql.org/docs/current/libpq-envars.html
    """
    return _read_name(url) == _read_name(other) and not _read_places(url).isdisjoint(_read_places(other))


def _read_name(url: str) -> str:
    parts = conninfo_to_dict(url)
    user = str(parts.get("user") or os.environ.get("PGUSER", ""))
    return str(parts.get("dbname") or os.environ.get("PGDATABASE", "") or user)


def _read_places(url: str) -> set[tuple[str, str]]:
    """Return host and port of each server in a URL."""
    parts = conninfo_to_dict(url)
    named = parts.get("hostaddr") or parts.get("host") or os.environ.get("PGHOSTADDR") or os.environ.get("PGHOST", "")
    hosts = str(named).split(",")
    ports = str(parts.get("port") or os.environ.get("PGPORT", "") or _PORT).split(",")
    if len(ports) < len(hosts):
        ports *= len(hosts)
    return {(_simplify(host), port or _PORT) for host, port in zip(hosts, ports, strict=False)}


def _simplify(host: str) -> str:
    host = host.rstrip("/").lower() if not host.startswith("/") else str(Path(host).resolve())
    return "" if host in _LOCAL else host
