"""A database URL that psql, a GUI and SQLAlchemy read alike, whatever form the setting has.

libpq accepts more than they do: a conninfo string, a service, unquoted characters, and parts that are missing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from psycopg import pq
from psycopg.conninfo import conninfo_to_dict

from tasks.runner.database.addresses import resolve
from tasks.runner.errors import RunnerError

if TYPE_CHECKING:
    from collections.abc import Mapping

_PARTS = frozenset({"host", "port", "user", "password", "dbname"})
_NOT_STATED = frozenset({"service", "servicefile", "passfile", "fallback_application_name"})
_DEFAULT_PORT = "5432"


def compose_client_url(url: str) -> str:
    """Return a valid URL or conninfo string as a URL with host, port, user and database, in which every part is quoted.

    What it leaves to PG… variables, a service file and libpq's defaults is filled in. Raises RunnerError for an unknown service.
    """
    address = resolve(url)
    if address.problem:
        raise RunnerError(
            f"the address of the database cannot be resolved: {address.problem.strip()}",
            hint="Check PGSERVICE or `service` in DATABASE_URL; PGSERVICEFILE or ~/.pg_service.conf defines it.",
            state="Nothing was changed.",
        )
    parameters = _list_parameters(url, address.options)
    hosts = (address.options.get("host") or ("" if "hostaddr" in address.options else address.host)).split(",")
    ports = (address.options.get("port") or _DEFAULT_PORT).split(",")
    ports = ports * len(hosts) if len(ports) == 1 else ports
    if any(host.startswith(("/", "@")) for host in hosts):
        # A folder has no place before the database: SQLAlchemy and libpq read it as a parameter.
        parameters = {"host": ",".join(hosts), "port": ",".join(ports), **parameters}
        place = ""
    else:
        place = ",".join(f"{_show_host(host)}:{port or _DEFAULT_PORT}" for host, port in zip(hosts, ports, strict=True))
    password = address.options.get("password", "")
    user = f"{_quote(address.user)}{f':{_quote(password)}' if password else ''}@"
    query = "&".join(f"{name}={_quote(value)}" for name, value in parameters.items())
    return f"postgresql://{user}{place}/{_quote(address.database)}{f'?{query}' if query else ''}"


def _list_parameters(url: str, options: Mapping[str, str]) -> dict[str, str]:
    """Return the further parameters that a URL states, and those of the service that it names."""
    stated = conninfo_to_dict(url)
    if "service" in options:
        compiled = {option.keyword.decode(): (option.compiled or b"").decode() for option in pq.Conninfo.get_defaults()}
        stated |= {name: value for name, value in options.items() if compiled.get(name, "") != value and name != "passfile"}
    return {name: options[name] for name in stated if name in options and name not in _PARTS | _NOT_STATED}


def _show_host(host: str) -> str:
    return f"[{host}]" if ":" in host else _quote(host)


def _quote(text: str) -> str:
    return quote(text, safe="")
