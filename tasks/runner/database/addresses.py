"""The server that a URL names, and the one that a connection reached, as libpq resolves it."""

from __future__ import annotations

from itertools import cycle
from typing import NamedTuple

import psycopg
from psycopg import pq
from psycopg.conninfo import make_conninfo

from tasks.runner.urls import find_fault

_DEFAULT_PORT = "5432"
_STOP_EARLY = {"channel_binding": "-"}
"""An invalid value, at which libpq stops after it has resolved the address and before it connects."""


class Address(NamedTuple):
    """What libpq makes of a URL, the PG… variables of the environment, a service file and its defaults.

    `options` are the parameters that have a value; `host`, `port`, `user` and `database` those of the first server.
    """

    host: str
    port: str
    user: str
    database: str
    options: dict[str, str]
    problem: str = ""
    """Why it cannot be resolved, for example an unknown service."""


def resolve(url: str) -> Address:
    """Return the address of a valid URL, without connecting.

    libpq reads service files, PG… variables and its own defaults; PQconninfo returns the result.
    https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PQCONNINFO
    """
    pgconn = pq.PGconn.connect_start(make_conninfo(url, **_STOP_EARLY).encode())
    try:
        options = {option.keyword.decode(): option.val.decode() for option in pgconn.info if option.val}
        resolved = pgconn.db != b""
        return Address(
            pgconn.host.decode(),
            pgconn.port.decode() or _DEFAULT_PORT,
            pgconn.user.decode() if resolved else "",
            pgconn.db.decode(),
            {name: value for name, value in options.items() if name not in _STOP_EARLY},
            "" if resolved else pgconn.get_error_message("utf-8"),
        )
    finally:
        pgconn.finish()


def describe_database(url: str) -> str:
    """Return user, hosts, ports and database of a URL as libpq resolves them, without its password."""
    if find_fault(url):
        return "a database whose URL cannot be read"
    address = resolve(url)
    if address.problem:
        return "a database whose address cannot be resolved"
    hosts = (address.options.get("host") or address.options.get("hostaddr") or address.host).split(",")
    ports = address.options.get("port", address.port).split(",")
    named = (f"{host}:{port or _DEFAULT_PORT}" for host, port in zip(hosts, cycle(ports), strict=False))
    return f"{address.user}@{','.join(named)}/{address.database}"


def describe_connection(connection: psycopg.Connection) -> str:
    """Return user, host, port and database that a connection has reached: one of the hosts that its URL lists."""
    info = connection.info
    return f"{info.user}@{info.host or info.hostaddr}:{info.port}/{info.dbname}"


def lists_hosts(url: str) -> bool:
    """Return True if a URL, a service file or the environment lists several hosts, of which the first that answers is used."""
    return not find_fault(url) and any("," in resolve(url).options.get(name, "") for name in ("host", "hostaddr"))
