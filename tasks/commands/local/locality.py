"""Whether a database is local, so that it may be dropped or replaced.

A loopback address is no proof: production is reached at one too, through `fly proxy`, an ssh tunnel or the socket of a proxy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tasks.commands.context import build_runner
from tasks.config.environments import PROJECT, find_database_url
from tasks.postgres.server.cluster import PORT
from tasks.postgres.server.tcp import HOST
from tasks.runner.command_lines import show_name
from tasks.runner.database.addresses import describe_connection, describe_database, lists_hosts, resolve
from tasks.runner.errors import RefusedError
from tasks.runner.ledger.environment_label import is_on_this_machine
from tasks.runner.ledger.reading import read_ledger
from tasks.runner.settings import LOCAL

if TYPE_CHECKING:
    import psycopg

    from tasks.config.environments import Environment
    from tasks.runner.signals import Stop

_STATE = "Nothing was changed."
_OBJECTS = """
SELECT EXISTS (
  SELECT FROM (SELECT 'pg_class'::regclass, oid, relnamespace FROM pg_class
         UNION ALL SELECT 'pg_proc'::regclass, oid, pronamespace FROM pg_proc
         UNION ALL SELECT 'pg_type'::regclass, oid, typnamespace FROM pg_type) found (kind, oid, namespace)
    JOIN pg_namespace n ON n.oid = found.namespace
   WHERE n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_(toast|temp)'
     AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = found.kind AND d.objid = found.oid AND d.deptype = 'e'))
    OR EXISTS (SELECT FROM pg_largeobject_metadata)
"""
"""Whether a database has tables, functions, types or large objects of its own; what an extension brought does not count."""


def require_local(environment: Environment, stop: Stop, *, command: str) -> str:
    """Return the URL of a database that is local; raise RefusedError for any other, with or without --yes.

    Local is the embedded server, which is started if necessary. A database at a URL is local if it is reached on this machine,
    and has the label `local` or is empty. `command` is the task that asks, for the messages. Raises ConnectError if the database
    cannot be reached.
    """
    if environment.fly_app or environment.guarded:
        what = f"runs on Fly ({environment.fly_app})" if environment.fly_app else "is guarded"
        raise _refuse(command, f"{show_name(environment.name)} {what}")
    if environment.name == LOCAL and not environment.settings.database_url:
        return find_database_url(environment)
    url = find_database_url(environment)
    if lists_hosts(url):
        raise _refuse(command, f"{describe_database(url)} names several servers, and any of them may be used")
    if is_embedded(url):
        return url
    with build_runner(environment, stop).read() as connection:
        _check(connection, command)
    return url


def is_embedded(url: str) -> bool:
    """Return True if a URL leads to the embedded server of this checkout, which is running."""
    from tasks.postgres.server import embedded

    if embedded.find_running(PROJECT / ".postgres") is None:
        return False
    address = resolve(url)
    server = embedded.find_server(PROJECT / ".postgres")
    places = {(str(server.socket_folder), str(port)) for port in (server.port, PORT)}
    if server.listens:
        places.add((HOST, str(server.port)))
    return (address.options.get("hostaddr") or address.host, address.port) in places


def has_objects(connection: psycopg.Connection) -> bool:
    """Return True if a database has objects of its own, so that dropping it loses something."""
    row = connection.execute(_OBJECTS).fetchone()
    return row is None or bool(row[0])


def _check(connection: psycopg.Connection, command: str) -> None:
    """Raise RefusedError unless a database is on this machine, and has the label `local` or is empty."""
    where = describe_connection(connection)
    if not is_on_this_machine(connection):
        raise _refuse(command, f"{where} is not on this machine")
    label = read_ledger(connection, partial=True).environment
    if label == LOCAL:
        return
    if label:
        raise _refuse(command, f"{where} belongs to {show_name(label)}")
    if has_objects(connection):
        raise _refuse(command, f"{where} has tables or other objects, and no label that it is local")


def _refuse(command: str, reason: str) -> RefusedError:
    return RefusedError(
        f"{command} works on local databases only: {reason}",
        hint="Local are the embedded PostgreSQL (without DATABASE_URL), and a database on this machine that has the"
        " label `local` or is empty. A tunnel or proxy on 127.0.0.1 may lead to production.",
        state=_STATE,
    )
