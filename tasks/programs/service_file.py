"""How psql and pg_dump get a connection: by a private service file, which only this user can read while they run.

Other users can see the arguments of a process, and a program's children inherit its environment.
https://www.postgresql.org/docs/current/libpq-pgservice.html
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from psycopg import pq
from psycopg.conninfo import conninfo_to_dict

from tasks.postgres.secret_words import SECRET_PARAMETERS
from tasks.programs.running import has_pages
from tasks.programs.temporary_folder import make_private_temporary_folder
from tasks.runner.database.addresses import resolve
from tasks.runner.errors import RunnerError, UsageError

_SERVICE = "migrate"
_RESOLVED = frozenset({"service", "servicefile"})
"""The parameters that are not passed on, because what they lead to is."""
_LONGEST = 900
"""In bytes: older versions of libpq read at most 1023 bytes of a line of a service file."""
_KEPT_VARIABLES = frozenset({"PGTZ", "PGDATESTYLE"})
"""Variables of libpq that change how values are shown, and not where a connection leads."""


def list_parameters(url: str) -> dict[str, str]:
    """Return the parameters with which libpq connects to what a valid URL leads to, without its own defaults.

    An older psql does not know all parameters of this libpq. Variables add what the URL does not state, but no other address.
    Raises RunnerError if the address cannot be resolved.
    """
    compiled = {option.keyword.decode(): (option.compiled or b"").decode() for option in pq.Conninfo.get_defaults()}
    stated = {name: str(value) for name, value in conninfo_to_dict(url).items()}
    address = resolve(url)
    if address.problem:
        if "service" in stated or not {"host", "user", "dbname"} <= stated.keys():
            raise RunnerError(
                f"the address of the database cannot be resolved: {address.problem.strip()}",
                hint="Check DATABASE_URL, and PGSERVICE if it is set.",
                state="Nothing was changed.",
            )
        return {"port": "5432", **stated}
    options = {name: value for name, value in address.options.items() if compiled.get(name) != value}
    if "host" in stated and "hostaddr" not in stated:
        options.pop("hostaddr", None)
    missing = {"port": address.port, "user": address.user, "dbname": address.database}
    if not options.keys() & {"host", "hostaddr"}:
        missing["host"] = address.host
    return {name: value for name, value in (missing | options).items() if value}


@contextmanager
def open_service(parameters: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """Yield the variables with which a program of PostgreSQL connects with these parameters.

    Raises UsageError for a value that no file of libpq can contain.
    """
    passed = {name: value for name, value in parameters.items() if name not in _RESOLVED}
    with make_private_temporary_folder() as folder:
        password = passed.get("password", "")
        if password != password.rstrip() or len(password.encode()) > _LONGEST:
            # The password file has no limit, and keeps blanks.
            del passed["password"]
            passed["passfile"] = str(folder / "pgpass")
            escaped = password.replace("\\", r"\\").replace(":", r"\:")
            _write_private(folder / "pgpass", f"*:*:*:*:{escaped}\n")
        _refuse_unwritable({**passed, "password": password})
        _write_private(folder / "service", f"[{_SERVICE}]\n" + "".join(f"{name}={value}\n" for name, value in passed.items()))
        yield {"PGSERVICEFILE": str(folder / "service"), "PGSERVICE": _SERVICE}


def build_environment(service: Mapping[str, str], *, terminal: bool) -> dict[str, str]:
    """Return the environment of a program: this one without what leads libpq elsewhere, and with a service.

    Without a terminal, what is read and written is UTF-8.
    """
    kept = {name: value for name, value in os.environ.items() if name in _KEPT_VARIABLES or not name.startswith("PG")}
    colours = {name: value for name, value in os.environ.items() if name.startswith("PG_COLOR")}
    fixed = {} if terminal else {"PGCLIENTENCODING": "UTF8"}
    if not has_pages():
        fixed["PSQL_PAGER"] = ""
    return {**kept, **colours, **fixed, **service}


def _refuse_unwritable(parameters: Mapping[str, str]) -> None:
    for name, value in parameters.items():
        trimmed = name != "password" and value != value.rstrip()
        if trimmed or len(value.splitlines()) > 1 or value.endswith(("\n", "\r")):
            secret = name in SECRET_PARAMETERS
            raise UsageError(
                f"{name} of the URL cannot be passed to a program of PostgreSQL: it ends with a blank, or has several lines",
                hint="" if secret else f"Its value is {value!a}.",
                state="Nothing was changed.",
            )


def _write_private(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
