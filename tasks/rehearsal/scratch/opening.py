"""Open the scratch server of a command: that of the setting, or the embedded one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tasks.postgres.server import embedded
from tasks.postgres.server.cluster import ServerError
from tasks.rehearsal.errors import ScratchError
from tasks.rehearsal.scratch.addresses import is_same_database
from tasks.rehearsal.scratch.server import SETTING, ScratchServer
from tasks.runner.database.addresses import describe_database
from tasks.runner.errors import RefusedError
from tasks.runner.urls import find_fault

_MAJOR = 10000


def open_server(
    settings_url: str,
    *,
    embedded_directory: Path,
    target_url: str = "",
    without: Sequence[str] = (),
    as_superuser: bool = False,
) -> ScratchServer:
    """Open the scratch server of SCRATCH_DATABASE_URL if it is set; else start and open the embedded one.

    Raises RefusedError if its database is the target's, or if it has no role without other rights for the SQL, unless
    `as_superuser`; raises ScratchError if it cannot be opened.
    """
    url = settings_url or _start_embedded(embedded_directory)
    if target_url and not find_fault(url) and not find_fault(target_url) and is_same_database(url, target_url):
        raise RefusedError(
            f"{SETTING} is the target database itself: {describe_database(url)}",
            hint=f"Set {SETTING} to another database, preferably on a server without other data, or leave it empty.",
            state="Nothing was changed.",
        )
    return ScratchServer(url, without=without, embedded=not settings_url, as_superuser=as_superuser)


def check_version(server: ScratchServer, target_version: int) -> None:
    """Raise RefusedError if the scratch server's major version is older than the target's, as server_version has it.

    Otherwise the schemas that rehearsals read on it are from now on those that a server of the target's version can have.
    """
    own, wanted = server.version // _MAJOR, target_version // _MAJOR
    if own >= wanted:
        server.target_version = target_version
        return
    raise RefusedError(
        f"the scratch server (PostgreSQL {own}) is older than the target (PostgreSQL {wanted}): the results may differ",
        hint=f"Set {SETTING} to a server of version {wanted} or newer.",
        state="Nothing was changed.",
    )


def _start_embedded(directory: Path) -> str:
    try:
        embedded.start(directory)
        return embedded.find_server(directory).url("postgres")
    except ServerError as error:
        hint = f"{error.hint}\n" if error.hint else ""
        raise ScratchError(
            f"cannot use the scratch server: {error.message}", hint=f"{hint}Or set {SETTING} to another server."
        ) from error
