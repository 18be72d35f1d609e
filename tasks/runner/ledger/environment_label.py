"""The label of a database: the environment that it belongs to, recorded by the first run that knows it.

A run knows its environment from --env. On a Fly machine without --env, it knows the app's name, which a laptop then recognises
when it reaches the same database through a proxy on its own loopback address.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, NamedTuple

import psycopg
from psycopg import sql

from tasks.postgres.quoting import show_literal, show_qualified
from tasks.runner.command_lines import show_name
from tasks.runner.errors import RefusedError
from tasks.runner.ledger.guard import write_guarded
from tasks.runner.settings import LOCAL

if TYPE_CHECKING:
    from tasks.runner.ledger.reading import Ledger

ENVIRONMENT_KEY = "environment"
"""The key of schema_migrations_meta."""
FLY_NETWORK = ipaddress.ip_network("fdaa::/16")
"""The private networks of Fly. https://fly.io/docs/networking/private-networking/"""


class Belonging(NamedTuple):
    """The environment of a run: its name (--env), and its Fly app; each is empty if it is not known."""

    name: str = ""
    app: str = ""
    confirmed: bool = False
    """Whether a user confirmed that the database, though on another machine, is that of the environment."""

    def matches(self, label: str) -> bool:
        """Return True if a database with this label may be used; a run that knows only its app is never refused."""
        return not label or not self.name or label in (self.name, self.app)


def check_environment(ledger: Ledger, run: Belonging) -> None:
    """Raise RefusedError if the database records another environment than that of the run."""
    if run.matches(ledger.environment):
        return
    table = show_qualified(ledger.schema, "schema_migrations_meta")
    here, there = show_name(run.name), show_name(ledger.environment)
    raise RefusedError(
        f"this run is for {here}, but the database belongs to {there}",
        hint=f"Check --env and DATABASE_URL. If the database was copied from {there} and is {here} now:\n"
        f"  UPDATE {table} SET value = {show_literal(run.name)} WHERE key = 'environment';",
        state="Nothing was changed.",
    )


def choose_label(label: str, run: Belonging, *, on_this_machine: bool) -> str:
    """Return the label to record, empty if it does not change: a name replaces an app's name, and nothing else is replaced.

    The label `local` keeps every other environment from the database: it is for a server on this machine, or if confirmed.
    """
    if run.name == LOCAL and not (on_this_machine or run.confirmed):
        return ""
    if not label:
        return run.name or run.app
    return run.name if run.name and label == run.app != run.name else ""


def record_environment(connection: psycopg.Connection, ledger: Ledger, run: Belonging) -> None:
    """Record in a database which environment it is, if the run knows more than the database; the caller has the lock."""
    label = choose_label(ledger.environment, run, on_this_machine=run.name != LOCAL or is_on_this_machine(connection))
    if label:
        query = (
            "INSERT INTO {} AS meta (key, value) VALUES ('environment', %s)"
            " ON CONFLICT (key) DO UPDATE SET value = excluded.value WHERE meta.value = %s"
        )
        composed = sql.SQL(query).format(ledger.table("_meta"))
        write_guarded(connection, ledger.schema, ["schema_migrations_meta"], composed, [label, ledger.environment])


def is_on_this_machine(connection: psycopg.Connection) -> bool:
    """Return True if the server is reached by a socket or a loopback address, and is not on Fly, behind a proxy."""
    if not is_loopback(connection.info.host, connection.info.hostaddr):
        return False
    row = connection.execute("SELECT host(inet_server_addr())").fetchone()
    return row is None or row[0] is None or ipaddress.ip_address(row[0]) not in FLY_NETWORK


def is_loopback(host: str, address: str = "") -> bool:
    """Return True if a host, with the address to which it was resolved, is a socket's folder or this machine."""
    if not address and (not host or host.startswith(("/", "@")) or host == "localhost"):
        return True
    try:
        return ipaddress.ip_address(address or host).is_loopback
    except ValueError:
        return False
