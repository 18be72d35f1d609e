"""A connection string for a program of PostgreSQL, without its secrets: other users can read the arguments of a process."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from psycopg.conninfo import make_conninfo

from tasks.postgres.secret_words import SECRET_PARAMETERS
from tasks.runner.database.addresses import resolve
from tasks.runner.errors import UsageError

_RESOLVED = frozenset({"service", "servicefile"})
"""The parameters that are not passed on, because what they lead to is."""
_VARIABLES = {"password": "PGPASSWORD", "options": "PGOPTIONS"}
_SERVICE = "migrate"


@contextmanager
def pass_secrets(url: str) -> Iterator[tuple[str, Mapping[str, str]]]:
    """Yield the connection string and the environment with which a program connects to what a URL leads to.

    The password and the options are in the environment, which other users cannot read. libpq has no variable for other
    secrets, for example sslpassword: these are in a private service file, https://www.postgresql.org/docs/current/libpq-pgservice.html
    """
    shown, variables, secrets = {}, {}, {}
    for name, value in resolve(url).options.items():
        if name in _VARIABLES:
            variables[_VARIABLES[name]] = value
        elif name in SECRET_PARAMETERS:
            secrets[name] = value
        elif name not in _RESOLVED:
            shown[name] = value
    if not secrets:
        yield make_conninfo(**shown), variables
        return
    broken = next((name for name, value in secrets.items() if value != value.strip() or len(value.splitlines()) > 1), "")
    if broken:
        raise UsageError(f"{broken} of the URL cannot be passed to pg_dump: it has space at an end, or several lines")
    with tempfile.TemporaryDirectory(prefix="migrate-service-") as folder:
        path = Path(folder) / "service"
        path.touch(mode=0o600)
        path.write_text(f"[{_SERVICE}]\n" + "".join(f"{name}={value}\n" for name, value in secrets.items()), encoding="utf-8")
        yield make_conninfo(**shown, service=_SERVICE), {**variables, "PGSERVICEFILE": str(path)}
